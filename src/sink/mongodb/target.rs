//! [`Target`]: the address of a MongoDB sink, split into the parts for logator, the parts for the driver, and the
//! secrets.

use std::time::Duration;

use crate::core::error::{Error, Result};
use crate::core::percent;

const DEFAULT_DATABASE: &str = "logator";
const DEFAULT_COLLECTION: &str = "logs";
/// Our own option. It is removed before the driver sees the address. It is compared in lower case, as the driver
/// compares its options.
const DEADLINE_OPTION: &str = "sinkdeadlinems";

/// A parsed address.
pub(super) struct Target {
    /// The URI for the driver: without the collection in the path, and without our own option.
    pub(super) uri: String,
    /// The address without options and with a masked login.
    pub(super) name: String,
    /// The servers alone, for messages about a missing answer.
    pub(super) hosts: String,
    pub(super) database: String,
    pub(super) collection: String,
    /// The time that the sink may keep the job waiting, if the address sets it.
    pub(super) deadline: Option<Duration>,
    /// The database in which a login is looked up, if the address does not name one.
    pub(super) implied_auth_source: Option<String>,
    secrets: Vec<String>,
}

impl Target {
    /// Splits `uri` at the same separators as the driver does: options after the first `?`, the login before the last
    /// `@`, the path after the first `/` that follows.
    pub(super) fn parse(uri: &str) -> Result<Self> {
        let (scheme, rest) =
            uri.split_once("://")
                .filter(|(scheme, _)| matches!(*scheme, "mongodb" | "mongodb+srv"))
                .ok_or_else(|| Error::usage("a MongoDB address starts with mongodb:// or mongodb+srv://"))?;
        let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (login, place) = match before.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, before),
        };
        if query.contains('@') && login.is_none() {
            return Err(Error::usage(format!(
                "{scheme}://***: a '?' stands before the '@': write special characters of a user name or password in \
                 percent encoding ('?' is %3F, '@' is %40, '/' is %2F, ':' is %3A)"
            )));
        }
        let (hosts, path) = place.split_once('/').unwrap_or((place, ""));
        let (database, collection) = namespace(path)?;
        let masked = if login.is_some() { "***@" } else { "" };
        let name = format!("{scheme}://{masked}{hosts}/{database}.{collection}");

        let mut deadline = None;
        let mut options = Vec::new();
        let mut secrets = secrets_of_login(login);
        let mut has_auth_source = false;
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            match key.to_ascii_lowercase().as_str() {
                DEADLINE_OPTION => {
                    let most = value.parse().ok().filter(|ms| *ms > 0).map(Duration::from_millis);
                    deadline = Some(most.ok_or_else(|| {
                        Error::usage(format!("{name}: sinkDeadlineMS takes a whole number of milliseconds over 0"))
                    })?);
                    continue;
                }
                "authsource" => has_auth_source = true,
                // The options may hold session tokens and passwords of keys.
                "authmechanismproperties" | "tlscertificatekeyfilepassword" | "proxypassword" => {
                    add_secret(&mut secrets, value);
                }
                _ => {}
            }
            options.push(option);
        }

        // The driver takes the path as the database of the login when no authSource is given, and `admin` when there is
        // no path. To keep that, the driver gets a path only if the user wrote one.
        let database_of_path = path.split('.').next().unwrap_or_default();
        let implied_auth_source = (login.is_some() && !has_auth_source)
            .then(|| if database_of_path.is_empty() { "admin".to_owned() } else { database.clone() });
        let mut driver_uri = format!("{scheme}://");
        if let Some(login) = login {
            driver_uri.push_str(login);
            driver_uri.push('@');
        }
        driver_uri.push_str(hosts);
        driver_uri.push('/');
        driver_uri.push_str(database_of_path);
        if !options.is_empty() {
            driver_uri.push('?');
            driver_uri.push_str(&options.join("&"));
        }
        Ok(Target {
            uri: driver_uri,
            hosts: format!("{scheme}://{hosts}"),
            name,
            database,
            collection,
            deadline,
            implied_auth_source,
            secrets,
        })
    }

    /// Returns `text` with every secret of the address replaced by `***`.
    pub(super) fn mask(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"))
    }
}

/// Splits `DB.COLLECTION` at the first dot, and uses the defaults for missing parts.
fn namespace(path: &str) -> Result<(String, String)> {
    let decoded = percent::decode(path);
    let (database, collection) = decoded.split_once('.').unwrap_or((&decoded, ""));
    let database = if database.is_empty() { DEFAULT_DATABASE } else { database };
    let collection = if collection.is_empty() { DEFAULT_COLLECTION } else { collection };
    if database.len() > 63 || database.contains(['/', '\\', ' ', '"', '$', '*', '<', '>', ':', '|', '?', '\0']) {
        return Err(Error::usage(format!("{database:?} cannot be the name of a MongoDB database")));
    }
    if collection.len() > 200 || collection.contains(['$', '\0']) || collection.starts_with("system.") {
        return Err(Error::usage(format!("{collection:?} cannot be the name of a MongoDB collection for logs")));
    }
    Ok((database.to_owned(), collection.to_owned()))
}

fn secrets_of_login(login: Option<&str>) -> Vec<String> {
    let mut secrets = Vec::new();
    if let Some((_, password)) = login.and_then(|login| login.split_once(':')) {
        add_secret(&mut secrets, password);
    }
    secrets
}

/// Adds a secret as it was written and as it is decoded. Longer ones come first, so that no part of a secret is left.
fn add_secret(secrets: &mut Vec<String>, secret: &str) {
    for form in [secret.to_owned(), percent::decode(secret)] {
        if !form.is_empty() && !secrets.contains(&form) {
            secrets.push(form);
        }
    }
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::error::Kind;

    fn target(uri: &str) -> Target {
        Target::parse(uri).unwrap_or_else(|error| panic!("{uri}: {error}"))
    }

    #[test]
    fn the_path_is_split_at_its_first_dot_and_has_defaults() {
        for (uri, database, collection) in [
            ("mongodb://h/logs.access", "logs", "access"),
            ("mongodb://h/logs.access.2026", "logs", "access.2026"),
            ("mongodb://h/logs", "logs", "logs"),
            ("mongodb://h/logs.", "logs", "logs"),
            ("mongodb://h/.access", "logator", "access"),
            ("mongodb://h/", "logator", "logs"),
            ("mongodb://h", "logator", "logs"),
            ("mongodb://h?w=1", "logator", "logs"),
            ("mongodb://a:1,b:2/l%6Fgs.x?w=1", "logs", "x"),
        ] {
            let target = target(uri);
            assert_eq!((target.database.as_str(), target.collection.as_str()), (database, collection), "{uri}");
        }
    }

    #[test]
    fn the_driver_sees_neither_the_collection_nor_our_own_options() {
        let target = target("mongodb://h:1/logs.access?w=1&SinkDeadlineMs=1500&tls=true");
        assert_eq!(target.uri, "mongodb://h:1/logs?w=1&tls=true");
        assert_eq!(target.deadline, Some(Duration::from_millis(1500)));
        assert_eq!(target.name, "mongodb://h:1/logs.access");
    }

    #[test]
    fn a_login_is_looked_up_where_the_driver_would_look() {
        let implied = |uri| target(uri).implied_auth_source;
        assert_eq!(implied("mongodb://u:p@h/logs.access").as_deref(), Some("logs"));
        assert_eq!(implied("mongodb://u:p@h/").as_deref(), Some("admin"));
        assert_eq!(implied("mongodb://u:p@h/.access").as_deref(), Some("admin"));
        assert_eq!(implied("mongodb://u:p@h/logs.access?authSource=users"), None);
        assert_eq!(implied("mongodb://h/logs.access"), None);
        assert_eq!(target("mongodb://u:p@h/.access").uri, "mongodb://u:p@h/");
    }

    #[test]
    fn no_secret_is_in_the_name_or_left_in_a_message() {
        let target = target("mongodb://ann:s3cr%40t@h/logs.access?authMechanismProperties=AWS_SESSION_TOKEN:tok");
        assert_eq!(target.name, "mongodb://***@h/logs.access");
        assert_eq!(target.mask("no s3cr@t, no s3cr%40t, no AWS_SESSION_TOKEN:tok"), "no ***, no ***, no ***");
    }

    #[test]
    fn wrong_addresses_are_usage_errors_that_show_no_password() {
        for uri in [
            "http://h/x",
            "mongodb://u:hush?x@h/logs",
            "mongodb://h/lo$gs.x",
            "mongodb://h/logs.a$b",
            "mongodb://h/logs.system.users",
            "mongodb://h/logs.x?sinkDeadlineMS=soon",
            "mongodb://u:hush@h/logs.x?sinkDeadlineMS=0",
        ] {
            let error = Target::parse(uri).err().unwrap_or_else(|| panic!("{uri} was taken"));
            assert_eq!(error.kind(), Kind::Usage, "{uri}");
            assert!(!error.to_string().contains("hush"), "{error}");
        }
    }
}
