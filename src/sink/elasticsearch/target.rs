//! [`Target`]: the address of an Elasticsearch sink, split into its parts.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;

use super::index::{self, IndexName};
use crate::core::{hosts, percent};

/// The port of a host that names none, with and without TLS.
const DEFAULT_PORT: u16 = 9200;

/// How long a host may take to answer at the start, and how long a connection may take.
const SELECTION: Duration = Duration::from_secs(5);

/// The time of one request.
const REQUEST: Duration = Duration::from_secs(120);

/// The names of the options, as the documentation writes them.
const OPTIONS: [&str; 10] = [
    "apiKey",
    "bearerToken",
    "tlsCAFile",
    "tlsCertificateFile",
    "tlsKeyFile",
    "dataStream",
    "gzip",
    "sinkDeadlineMS",
    "requestTimeoutMS",
    "serverSelectionTimeoutMS",
];

/// A parsed address. It has secrets in it, so it cannot be shown as a whole.
#[derive(Clone)]
pub(super) struct Target {
    /// Whether TLS is spoken.
    pub is_tls: bool,
    /// The hosts with their ports, in the order of preference.
    pub hosts: Vec<String>,
    /// What stands before each path: empty, or `/prefix`.
    pub prefix: String,
    pub index: IndexName,
    /// Whether the index must be a data stream; `None` if this is looked up.
    pub data_stream: Option<bool>,
    /// The header `Authorization`. It is secret.
    pub authorization: Option<String>,
    pub tls: TlsFiles,
    /// Whether requests are compressed.
    pub gzip: bool,
    /// The time that the sink may keep the job waiting, if the address sets it.
    pub deadline: Option<Duration>,
    pub request_timeout: Duration,
    pub selection_timeout: Duration,
    /// The address without options and with a masked login.
    pub name: String,
    /// The hosts alone, for messages about a missing answer.
    pub hosts_name: String,
    secrets: Vec<String>,
}

/// The files of the options for TLS.
#[derive(Debug, Clone, Default)]
pub(super) struct TlsFiles {
    /// Certificates of authorities, instead of those that browsers trust.
    pub ca: Option<PathBuf>,
    /// The certificate of the client, and the certificates between it and its authority.
    pub certificate: Option<PathBuf>,
    /// The key of the client's certificate; `None` if it stands in the same file.
    pub key: Option<PathBuf>,
}

impl TlsFiles {
    /// Returns all files.
    pub fn files(&self) -> impl Iterator<Item = PathBuf> {
        [&self.ca, &self.certificate, &self.key].into_iter().flatten().cloned()
    }
}

/// How the sink logs in.
#[derive(Default)]
struct Login {
    ways: Vec<String>,
    secrets: Vec<String>,
}

impl Login {
    /// Adds a way, and the forms of the secret that must not be shown.
    fn add(&mut self, header: String, secrets: impl IntoIterator<Item = String>) {
        self.secrets.extend(secrets.into_iter().filter(|secret| !secret.is_empty()));
        self.secrets.extend(header.split_once(' ').map(|(_, secret)| secret.to_owned()));
        self.ways.push(header);
    }

    fn basic(&mut self, login: &str) {
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let (user, decoded) = (percent::decode(user), percent::decode(password));
        let encoded = base64::prelude::BASE64_STANDARD.encode(format!("{user}:{decoded}"));
        self.add(format!("Basic {encoded}"), [password.to_owned(), decoded]);
    }

    /// Adds an API key: the form that Elasticsearch calls `encoded`, or the id and the key with a colon between them.
    fn api_key(&mut self, key: &str) {
        let encoded = match key.contains(':') {
            true => base64::prelude::BASE64_STANDARD.encode(key),
            false => key.to_owned(),
        };
        self.add(format!("ApiKey {encoded}"), [key.to_owned()]);
    }
}

impl Target {
    /// Splits `uri`.
    ///
    /// # Errors
    /// The end of a sentence for the user. It shows no secret.
    pub fn parse(uri: &str) -> Result<Target, String> {
        let usage =
            "an Elasticsearch sink is written elasticsearch+http://HOST/INDEX or elasticsearch+https://HOST/INDEX";
        let (scheme, rest) = uri.split_once("://").ok_or(usage)?;
        let is_tls = match scheme {
            "elasticsearch+http" => false,
            "elasticsearch+https" => true,
            _ => return Err(usage.to_owned()),
        };
        let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (place, path) = before.split_once('/').unwrap_or((before, ""));
        if path.contains('@') || query.contains('@') {
            return Err(
                "an '@' stands after a '/' or a '?': write special characters of a user name or password in percent \
                        encoding ('?' is %3F, '@' is %40, '/' is %2F, ':' is %3A)"
                    .to_owned(),
            );
        }
        let (user, places) = match place.rsplit_once('@') {
            Some((user, places)) => (Some(user), places),
            None => (None, place),
        };
        let hosts = places.split(',').map(host).collect::<Result<Vec<_>, _>>()?;
        let (prefix, index) = match path.rsplit_once('/') {
            Some((prefix, index)) => (format!("/{}", prefix.trim_matches('/')), index),
            None => (String::new(), path),
        };
        if !prefix.chars().all(|c| c.is_ascii_alphanumeric() || "/-._~%".contains(c)) {
            return Err("the path before its index has a character that must be written in percent encoding".to_owned());
        }
        let index = if index.is_empty() { index::DEFAULT.to_owned() } else { percent::decode(index) };
        let index = IndexName::parse(&index)?;

        let masked = if user.is_some() { "***@" } else { "" };
        let mut target = Target {
            is_tls,
            hosts_name: format!("{scheme}://{}", hosts.join(",")),
            name: format!("{scheme}://{masked}{places}{prefix}/{index}"),
            hosts,
            prefix,
            index,
            data_stream: None,
            authorization: None,
            tls: TlsFiles::default(),
            gzip: true,
            deadline: None,
            request_timeout: REQUEST,
            selection_timeout: SELECTION,
            secrets: Vec::new(),
        };
        let mut login = Login::default();
        if let Some(user) = user {
            login.basic(user);
        }
        for option in query.split('&').filter(|option| !option.is_empty()) {
            target.set(option, &mut login)?;
        }
        target.check(login)
    }

    /// Sets what an option of the address says.
    fn set(&mut self, option: &str, login: &mut Login) -> Result<(), String> {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let decoded = percent::decode(value);
        let milliseconds = |name: &str| {
            let most = value.parse().ok().filter(|ms| *ms > 0).map(Duration::from_millis);
            most.ok_or_else(|| format!("{name} takes a whole number of milliseconds over 0"))
        };
        let truth = |name: &str| match value {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(format!("{name} is true or false")),
        };
        let file = || match decoded.is_empty() {
            false => Ok(Some(PathBuf::from(&decoded))),
            true => Err("an option for a file has no value".to_owned()),
        };
        let known = OPTIONS.into_iter().find(|known| known.eq_ignore_ascii_case(name));
        match known {
            Some("apiKey") => login.api_key(&decoded),
            Some("bearerToken") => login.add(format!("Bearer {decoded}"), [value.to_owned()]),
            Some("tlsCAFile") => self.tls.ca = file()?,
            Some("tlsCertificateFile") => self.tls.certificate = file()?,
            Some("tlsKeyFile") => self.tls.key = file()?,
            Some(name @ "dataStream") => self.data_stream = Some(truth(name)?),
            Some(name @ "gzip") => self.gzip = truth(name)?,
            Some(name @ "sinkDeadlineMS") => self.deadline = Some(milliseconds(name)?),
            Some(name @ "requestTimeoutMS") => self.request_timeout = milliseconds(name)?,
            Some(name @ "serverSelectionTimeoutMS") => self.selection_timeout = milliseconds(name)?,
            // The name itself may be a part of a secret.
            _ => return Err(format!("it has an option that is not known; the options are {}", OPTIONS.join(", "))),
        }
        Ok(())
    }

    /// Completes the parts and checks that they fit together.
    fn check(self, login: Login) -> Result<Target, String> {
        let Login { mut ways, mut secrets } = login;
        if ways.len() > 1 {
            return Err("it has more than one login; use one of USER:PASSWORD@, apiKey and bearerToken".to_owned());
        }
        if ways.iter().any(|way| !way.bytes().all(|byte| (b' '..0x7f).contains(&byte))) {
            return Err("its apiKey or bearerToken has a character that cannot be sent".to_owned());
        }
        if !self.is_tls && self.tls.files().next().is_some() {
            return Err("it has certificates but no TLS; write elasticsearch+https://".to_owned());
        }
        if self.tls.key.is_some() && self.tls.certificate.is_none() {
            return Err("it has tlsKeyFile without tlsCertificateFile".to_owned());
        }
        // Longer ones come first, so that no part of a secret is left.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Ok(Target { authorization: ways.pop(), secrets, ..self })
    }

    /// Returns `text` with every secret of the address replaced by `***`.
    pub fn mask(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"))
    }
}

/// Returns a host with its port.
fn host(text: &str) -> Result<String, String> {
    let wrong = || "a host is a name or an address with an optional port, as in es1:9200,[::1]:9200".to_owned();
    hosts::host(text, DEFAULT_PORT).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(uri: &str) -> Target {
        Target::parse(uri).unwrap_or_else(|why| panic!("{uri}: {why}"))
    }

    #[test]
    fn an_address_has_hosts_a_prefix_and_an_index() {
        for (uri, hosts, prefix, index) in [
            ("elasticsearch+http://h/logs-x", "h:9200", "", "logs-x"),
            ("elasticsearch+http://h", "h:9200", "", index::DEFAULT),
            ("elasticsearch+https://h:443/", "h:443", "", index::DEFAULT),
            ("elasticsearch+http://a,b:1,[::1]:2/i", "a:9200,b:1,[::1]:2", "", "i"),
            ("elasticsearch+http://h/es/search/i", "h:9200", "/es/search", "i"),
            ("elasticsearch+http://h/es/", "h:9200", "/es", index::DEFAULT),
            ("elasticsearch+http://h/a-%{+YYYY.MM.dd}?gzip=true", "h:9200", "", "a-%{+YYYY.MM.dd}"),
            ("elasticsearch+http://h/a-%25%7B%2Byyyy%7D", "h:9200", "", "a-%{+yyyy}"),
        ] {
            let target = target(uri);
            let found = (target.hosts.join(","), target.prefix.as_str(), target.index.to_string());
            assert_eq!(found, (hosts.to_owned(), prefix, index.to_owned()), "{uri}");
        }
        let name = target("elasticsearch+https://ann:hush@a:1,b/es/i?gzip=false").name;
        assert_eq!(name, "elasticsearch+https://***@a:1,b/es/i");
    }

    #[test]
    fn each_login_becomes_its_header_and_is_masked() {
        for (uri, header) in [
            ("elasticsearch+http://ann:s3cr%40t@h/i", "Basic YW5uOnMzY3JAdA=="),
            ("elasticsearch+http://h/i?apiKey=aWQ6a2V5", "ApiKey aWQ6a2V5"),
            ("elasticsearch+http://h/i?APIKEY=id%3Akey", "ApiKey aWQ6a2V5"),
            ("elasticsearch+http://h/i?bearerToken=a.b-c", "Bearer a.b-c"),
        ] {
            let target = target(uri);
            assert_eq!(target.authorization.as_deref(), Some(header), "{uri}");
            let shown = target.mask(&format!("refused {header}, s3cr@t, s3cr%40t"));
            assert!(!shown.contains(header.split_once(' ').unwrap().1), "{shown}");
        }
        let masked = target("elasticsearch+http://ann:s3cr%40t@h/i").mask("s3cr@t s3cr%40t");
        assert_eq!(masked, "*** ***");
        assert_eq!(target("elasticsearch+http://h/i").authorization, None);
    }

    #[test]
    fn options_are_read_without_regard_to_capitals() {
        let all = target(
            "elasticsearch+https://h/i?tlscafile=/a%20b&tlsCertificateFile=c&tlsKeyFile=k&dataStream=true&GZIP=false&\
             sinkDeadlineMS=1500&requestTimeoutMS=20&serverSelectionTimeoutMS=30",
        );
        let files: Vec<PathBuf> = all.tls.files().collect();
        assert_eq!(files, [PathBuf::from("/a b"), "c".into(), "k".into()]);
        assert_eq!((all.data_stream, all.gzip), (Some(true), false));
        let times = (all.deadline, all.request_timeout, all.selection_timeout);
        let ms = Duration::from_millis;
        assert_eq!(times, (Some(ms(1500)), ms(20), ms(30)));
    }

    #[test]
    fn wrong_addresses_are_refused_in_a_sentence_without_a_secret() {
        for uri in [
            "elasticsearch://h/i",
            "elasticsearch+http:h/i",
            "elasticsearch+http:///i",
            "elasticsearch+http://h:0/i",
            "elasticsearch+http://h:99999/i",
            "elasticsearch+http://u:hush@h:x/i",
            "elasticsearch+http://[hush]/i",
            "elasticsearch+http://[::1/i",
            "elasticsearch+http://[::1]x/i",
            "elasticsearch+http://u:hu/sh@h/i",
            "elasticsearch+http://u:hu?sh@h/i",
            "elasticsearch+http://a,,b/i",
            "elasticsearch+http://h/a b/i",
            "elasticsearch+http://h/I",
            "elasticsearch+http://h/i?hush",
            "elasticsearch+http://h/i?gzip=hush",
            "elasticsearch+http://h/i?sinkDeadlineMS=0",
            "elasticsearch+http://h/i?tlsCAFile=/x",
            "elasticsearch+https://h/i?tlsKeyFile=/x",
            "elasticsearch+https://h/i?tlsCAFile=",
            "elasticsearch+http://u:hush@h/i?apiKey=hush",
            "elasticsearch+http://h/i?bearerToken=hush%0Ahush",
        ] {
            let Err(why) = Target::parse(uri) else { panic!("{uri} was taken") };
            assert!(!why.contains("hush") && why.len() > 20, "{uri}: {why}");
        }
    }
}
