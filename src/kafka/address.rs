//! [`Address`]: `kafka://[USER:PASSWORD@]BROKER[,BROKER…]/TOPIC[?OPTION=VALUE&…]`.
//!
//! A name with a dot is a setting of librdkafka; `allowed` has the list. A name without a dot is an option
//! of logator: the source and the sink say which they know.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::allowed::{self, Nature, Role};
use crate::core::{hosts, percent};

/// The port of a broker that names none.
const DEFAULT_PORT: u16 = 9092;

/// The longest name of a topic.
const MAX_TOPIC: usize = 249;

/// The options of a schema registry: its address, the login `USER:PASSWORD`, and the certificates of authorities to trust.
pub const REGISTRY_OPTIONS: [&str; 3] = [REGISTRY, REGISTRY_LOGIN, REGISTRY_AUTHORITIES];
pub(super) const REGISTRY: &str = "registry";
pub(super) const REGISTRY_LOGIN: &str = "registryLogin";
pub(super) const REGISTRY_AUTHORITIES: &str = "registryCAFile";

/// The options and settings whose values are no secret, in lower case, for [`Scheme`](crate::core::secrets::Scheme).
pub const PUBLIC_OPTIONS: &[&str] = &[
    "drainms",
    "format",
    "group",
    "key",
    "register",
    "registry",
    "registrycafile",
    "schema",
    "serverselectiontimeoutms",
    "sinkdeadlinems",
    "until",
    "client.id",
    "client.rack",
    "broker.address.family",
    "broker.address.ttl",
    "client.dns.lookup",
    "connections.max.idle.ms",
    "metadata.max.age.ms",
    "metadata.recovery.strategy",
    "metadata.recovery.rebootstrap.trigger.ms",
    "receive.message.max.bytes",
    "reconnect.backoff.ms",
    "reconnect.backoff.max.ms",
    "retry.backoff.ms",
    "retry.backoff.max.ms",
    "socket.connection.setup.timeout.ms",
    "socket.keepalive.enable",
    "socket.nagle.disable",
    "socket.receive.buffer.bytes",
    "socket.send.buffer.bytes",
    "socket.timeout.ms",
    "topic.metadata.refresh.interval.ms",
    "enable.metrics.push",
    "security.protocol",
    "enable.ssl.certificate.verification",
    "ssl.cipher.suites",
    "ssl.curves.list",
    "ssl.sigalgs.list",
    "ssl.endpoint.identification.algorithm",
    "ssl.ca.pem",
    "ssl.certificate.pem",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.crl.location",
    "ssl.key.location",
    "ssl.keystore.location",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.username",
    "batch.num.messages",
    "batch.size",
    "compression.codec",
    "compression.level",
    "compression.type",
    "linger.ms",
    "message.max.bytes",
    "request.timeout.ms",
    "sticky.partitioning.linger.ms",
    "auto.offset.reset",
    "check.crcs",
    "fetch.error.backoff.ms",
    "fetch.max.bytes",
    "fetch.min.bytes",
    "fetch.wait.max.ms",
    "group.instance.id",
    "group.protocol",
    "group.remote.assignor",
    "heartbeat.interval.ms",
    "isolation.level",
    "fetch.message.max.bytes",
    "max.partition.fetch.bytes",
    "max.poll.interval.ms",
    "partition.assignment.strategy",
    "session.timeout.ms",
];

/// A parsed address. It has secrets in it, so only its [`Display`](fmt::Display) is shown.
#[derive(Clone)]
pub struct Address {
    /// The brokers with their ports.
    pub brokers: Vec<String>,
    /// The name of the topic.
    pub topic: String,
    /// The user and the password, if they stand before the brokers.
    pub login: Option<(String, String)>,
    /// The address without options and with a masked login.
    name: String,
    /// The options and settings with their decoded values. Settings are in lower case, options as their reader writes them.
    options: Vec<(String, String)>,
    secrets: Vec<String>,
}

impl Address {
    /// Splits `text`. `role` says which settings of librdkafka may stand in it, and `known` are the options of logator that
    /// may, in the form of the documentation.
    ///
    /// # Errors
    /// The end of a sentence for the user. It shows no secret.
    pub fn parse(text: &str, role: Role, known: &[&'static str]) -> Result<Address, String> {
        let usage = "an address of Kafka is written kafka://BROKER[,BROKER…]/TOPIC";
        let rest = text.strip_prefix("kafka://").ok_or(usage)?;
        let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
        if query.contains('@') {
            return Err("an '@' stands after the '?': write special characters of a user name or password in percent \
                        encoding ('?' is %3F, '@' is %40, '/' is %2F, ':' is %3A)"
                .to_owned());
        }
        let (login, place) = match before.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, before),
        };
        let (places, topic) = place.split_once('/').ok_or(usage)?;
        let broker = |text| hosts::host(text, DEFAULT_PORT);
        let brokers: Option<Vec<String>> = places.split(',').map(broker).collect();
        let brokers = brokers.ok_or(
            "a broker is a name or an address with an optional port, as in kafka1:9092,[::1]:9092, and the topic follows a '/'",
        )?;
        let topic = topic_name(topic)?;
        let masked = if login.is_some() { "***@" } else { "" };
        let mut address = Address {
            name: format!("kafka://{masked}{places}/{topic}"),
            brokers,
            topic,
            login: None,
            options: Vec::new(),
            secrets: Vec::new(),
        };
        if let Some(login) = login {
            let (user, password) = login.split_once(':').ok_or("a login is written USER:PASSWORD@")?;
            address.add_secret(password);
            address.login = Some((percent::decode(user), percent::decode(password)));
        }
        for option in query.split('&').filter(|option| !option.is_empty()) {
            address.set(option, role, known)?;
        }
        if address.option(REGISTRY).is_none() {
            let needing =
                [REGISTRY_LOGIN, REGISTRY_AUTHORITIES].into_iter().find(|name| address.option(name).is_some());
            if let Some(name) = needing {
                return Err(format!("{name} belongs to a schema registry, registry=URL"));
            }
        }
        // Longer ones come first, so that no part of a secret is left.
        address.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Ok(address)
    }

    fn set(&mut self, option: &str, role: Role, known: &[&'static str]) -> Result<(), String> {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let name = if name.contains('.') {
            allowed::find(name, role)?.name
        } else {
            let known_one = known.iter().find(|known| known.eq_ignore_ascii_case(name));
            // The name itself may be a part of a secret.
            *known_one.ok_or_else(|| match allowed::refused(name, role) {
                Some(why) => why,
                None => format!(
                    "it has an option that is not known; the options are {}, and names of librdkafka's settings, \
                     which have a dot",
                    known.join(", ")
                ),
            })?
        };
        if value.is_empty() {
            return Err(format!("its option {name} has no value"));
        }
        if self.option(name).is_some() {
            return Err(format!("it has the option {name} twice"));
        }
        if name == REGISTRY {
            self.add_secret_of_url(&percent::decode(value));
        } else if name == REGISTRY_LOGIN {
            self.add_secret(value.split_once(':').map_or(value, |(_, password)| password));
        } else if allowed::nature(name) == Some(Nature::Secret) {
            self.add_secret(value);
        }
        self.options.push((name.to_owned(), percent::decode(value)));
        Ok(())
    }

    /// Adds a secret in all its forms: as it is written, decoded and encoded.
    fn add_secret(&mut self, text: &str) {
        let decoded = percent::decode(text);
        let forms = [text.to_owned(), percent::encode(&decoded), decoded];
        self.secrets.extend(forms.into_iter().filter(|form| !form.is_empty()));
    }

    /// Adds the password in the login of an URL. A login without a colon counts as one.
    fn add_secret_of_url(&mut self, url: &str) {
        let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
        if let Some((login, _)) = after_scheme.rsplit_once('@') {
            self.add_secret(login.split_once(':').map_or(login, |(_, password)| password));
        }
    }

    /// Returns the value of an option of logator, or of a setting.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns the settings of librdkafka that the user gave.
    pub fn given_settings(&self) -> impl Iterator<Item = (&str, &str)> {
        let settings = self.options.iter().filter(|(name, _)| name.contains('.'));
        settings.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns an option that is `true` or `false`.
    ///
    /// # Errors
    /// It is something else.
    pub fn truth(&self, name: &str, default: bool) -> Result<bool, String> {
        match self.option(name) {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(_) => Err(format!("{name} is true or false")),
        }
    }

    /// Returns an option that is a time in milliseconds.
    ///
    /// # Errors
    /// It is something else.
    pub fn milliseconds(&self, name: &str) -> Result<Option<Duration>, String> {
        let Some(value) = self.option(name) else { return Ok(None) };
        let most = value.parse().ok().filter(|ms| *ms > 0).map(Duration::from_millis);
        most.map(Some).ok_or_else(|| format!("{name} takes a whole number of milliseconds over 0"))
    }

    /// Returns the files that settings of the address name.
    pub fn files(&self) -> impl Iterator<Item = PathBuf> {
        let is_file = |name: &str| name == REGISTRY_AUTHORITIES || allowed::nature(name) == Some(Nature::File);
        let files = self.options.iter().filter(move |(name, _)| is_file(name));
        files.map(|(_, value)| PathBuf::from(value))
    }

    /// Returns the brokers as they are shown in messages about a missing answer.
    pub fn brokers_name(&self) -> String {
        format!("kafka://{}", self.brokers.join(","))
    }

    /// Returns `text` with every secret of the address replaced by `***`.
    pub fn mask(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

fn topic_name(text: &str) -> Result<String, String> {
    let topic = percent::decode(text);
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    match topic.as_str() {
        "" => Err("it has no topic; write kafka://BROKER/TOPIC".to_owned()),
        "." | ".." => Err("a topic cannot be called . or ..".to_owned()),
        name if name.len() > MAX_TOPIC || !name.chars().all(is_allowed) => Err(format!(
            "the name of its topic must consist of letters, digits, '.', '_' and '-', at most {MAX_TOPIC} of them"
        )),
        _ => Ok(topic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] =
        &["format", "registry", "registryLogin", "registryCAFile", "register", "key", "sinkDeadlineMS"];

    fn parse(text: &str) -> Result<Address, String> {
        Address::parse(text, Role::Producer, KNOWN)
    }

    fn address(text: &str) -> Address {
        parse(text).unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    #[test]
    fn an_address_has_brokers_a_topic_a_login_and_options() {
        let all = address(
            "kafka://ann:s3cr%40t@a,b:1,[::1]:2/web-logs?format=avro&registry=http://r:8081&SINKDEADLINEMS=1500&\
             linger.ms=7&ssl.ca.location=/a%20b&security.protocol=sasl_ssl",
        );
        assert_eq!(all.brokers, ["a:9092", "b:1", "[::1]:2"]);
        assert_eq!((all.topic.as_str(), all.login.clone()), ("web-logs", Some(("ann".into(), "s3cr@t".into()))));
        assert_eq!((all.option("format"), all.option("registry")), (Some("avro"), Some("http://r:8081")));
        assert_eq!(all.milliseconds("sinkDeadlineMS"), Ok(Some(Duration::from_millis(1500))));
        assert_eq!(all.files().collect::<Vec<_>>(), [PathBuf::from("/a b")]);
        let settings: Vec<_> = all.given_settings().collect();
        assert_eq!(settings, [("linger.ms", "7"), ("ssl.ca.location", "/a b"), ("security.protocol", "sasl_ssl")]);
        assert_eq!(all.to_string(), "kafka://***@a,b:1,[::1]:2/web-logs");
        assert_eq!(address("kafka://h/t").to_string(), "kafka://h/t");
        assert_eq!(address("kafka://h/t?register=false").truth("register", true), Ok(false));
    }

    #[test]
    fn no_secret_of_an_address_is_shown() {
        for (text, said) in [
            ("kafka://ann:s3cr%40t@h/t", "refused s3cr@t, s3cr%40t"),
            ("kafka://h/t?sasl.password=h%20ush&sasl.username=u&security.protocol=sasl_ssl", "refused h ush, h%20ush"),
            ("kafka://h/t?ssl.key.password=hush", "refused hush"),
            ("kafka://h/t?registry=https://r&registryLogin=joe:hu%20sh&registryCAFile=/a", "joe hu sh hu%20sh"),
            ("kafka://h/t?registry=https://joe:pa%2FSS%40r", "http://joe:pa/SS@r pa%2FSS"),
        ] {
            let address = address(text);
            let shown = address.mask(said);
            for secret in ["s3cr", "ush", "hu sh", "hu%20sh", "SS"] {
                assert!(!shown.contains(secret), "{shown}");
            }
            assert!(!format!("{address} {address:?}").contains("ush"), "{address}");
        }
        let registry = address("kafka://h/t?registry=https://r.example:8081");
        assert_eq!(registry.mask("https://r.example:8081"), "https://r.example:8081");
    }

    #[test]
    fn every_option_that_holds_no_secret_is_public_and_no_other_is() {
        for setting in allowed::SETTINGS {
            let is_public = PUBLIC_OPTIONS.contains(&setting.name);
            assert_eq!(is_public, setting.nature != Nature::Secret, "{}", setting.name);
        }
    }

    #[test]
    fn wrong_addresses_are_refused_in_a_sentence_without_a_secret() {
        for text in [
            "kafka:h/t",
            "kafka://h",
            "kafka://h/",
            "kafka:///t",
            "kafka://h,/t",
            "kafka://h:0/t",
            "kafka://u:hush@h:x/t",
            "kafka://hush@h/t",
            "kafka://u:hu?sh@h/t",
            "kafka://h/a/b",
            "kafka://h/..",
            "kafka://h/a%20b",
            "kafka://h/t?hush",
            "kafka://h/t?hush=1",
            "kafka://h/t?hush.hush=1",
            "kafka://h/t?format=",
            "kafka://h/t?format=json&format=avro",
            "kafka://h/t?acks=0",
            "kafka://h/t?group.id=x",
            "kafka://h/t?registryLogin=hush",
        ] {
            let Err(why) = parse(text) else { panic!("{text} was taken") };
            assert!(!why.contains("hush") && !why.contains("sh@"), "{text}: {why}");
        }
    }
}
