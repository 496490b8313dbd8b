//! [`Registry`]: sends requests to a registry, each with a limit of time and of the size of the answer.

use std::io::{self, Read as _};
use std::sync::Arc;
use std::time::Duration;

use rustls::CertificateError;
use ureq::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use ureq::http::{HeaderValue, Request};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Timeout};

use super::address::RegistryAddress;
use super::protocol::{self, Answer, Ask, Trouble, TroubleKind, judge};
use crate::avro::frame::SchemaKey;
use crate::avro::reader::{NoSchema, SchemaSource};
use crate::avro::schema::Schema;
use crate::core::error::{Error, Result};
use crate::core::pem::{self, Fault};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// The longest answer that is read, in bytes.
const MOST_ANSWER: u64 = 8 << 20;

/// The most schemas that one schema may refer to, directly or not.
const MOST_REFERENCES: usize = 100;

/// A client of a schema registry. Several threads may use it.
pub struct Registry {
    agent: Agent,
    address: RegistryAddress,
    authorization: Option<HeaderValue>,
}

impl Registry {
    /// Prepares the client. Nothing is sent yet.
    ///
    /// # Errors
    /// A usage error: a certificate cannot be read, or the login cannot be sent.
    pub fn new(address: &RegistryAddress) -> Result<Registry> {
        let authorization = address.authorization.as_ref().map(|header| {
            let mut value = HeaderValue::from_str(header)
                .map_err(|_| Error::usage(format!("schema registry {address}: the login cannot be sent")))?;
            value.set_sensitive(true);
            Ok::<_, Error>(value)
        });
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // A proxy of the environment is meant for the web.
            .proxy(None)
            .user_agent(concat!("logator/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls(address)?)
            .timeout_resolve(Some(CONNECT.min(address.timeout)))
            .timeout_connect(Some(CONNECT.min(address.timeout)))
            .timeout_global(Some(address.timeout))
            .build();
        Ok(Registry {
            agent: Agent::new_with_config(config),
            address: address.clone(),
            authorization: authorization.transpose()?,
        })
    }

    /// Returns the address.
    pub fn address(&self) -> &RegistryAddress {
        &self.address
    }

    /// Registers `schema` under `subject` and returns its id. A schema that is registered already keeps its id.
    ///
    /// # Errors
    /// The registry refuses the schema or the login, or does not answer.
    pub fn register(&self, subject: &str, schema: &str) -> Result<u32, Trouble> {
        self.id(&Ask::Register { subject, schema })
    }

    /// Returns the id of `schema`, which must be registered under `subject`.
    ///
    /// # Errors
    /// The subject does not have the schema, or the registry refuses the login or does not answer.
    pub fn look_up(&self, subject: &str, schema: &str) -> Result<u32, Trouble> {
        self.id(&Ask::LookUp { subject, schema })
    }

    /// Returns the schema that is called `key`, with the schemas that it refers to.
    ///
    /// # Errors
    /// There is no such schema, it is no schema of Avro, or the registry refuses the login or does not answer.
    pub fn schema(&self, key: SchemaKey) -> Result<Schema, Trouble> {
        if let SchemaKey::Fingerprint(_) = key {
            return Err(self.trouble(
                TroubleKind::Unknown,
                format!("the payload names its schema by the fingerprint {key}, and a registry knows no fingerprints"),
            ));
        }
        if let SchemaKey::Id(id) = key
            && i32::try_from(id).is_err()
        {
            // Registries in Java do not know what to answer to such an id, so their answer may look like that of another server.
            return Err(self.trouble(TroubleKind::Unknown, format!("there is no schema {id}: ids have 31 bits")));
        }
        let value = self.ask(&Ask::Schema(key))?;
        let (mut known, mut texts) = (Vec::new(), Vec::new());
        self.follow(&value, &mut known, &mut texts)?;
        let text = protocol::schema_text(&value).map_err(|trouble| self.named(trouble))?;
        Schema::parse_with(&texts, text)
            .map_err(|words| self.trouble(TroubleKind::Unknown, format!("schema {key} cannot be read: {words}")))
    }

    /// Gets the schemas that the schema in `value` refers to: each after those that it refers to itself.
    fn follow(
        &self,
        value: &serde_json::Value,
        known: &mut Vec<(String, u64)>,
        texts: &mut Vec<String>,
    ) -> Result<(), Trouble> {
        for (subject, version) in protocol::references(value).map_err(|trouble| self.named(trouble))? {
            let reference = (subject, version);
            if known.contains(&reference) {
                continue;
            }
            if known.len() >= MOST_REFERENCES {
                let words = format!("a schema refers to more than {MOST_REFERENCES} others");
                return Err(self.trouble(TroubleKind::Unknown, words));
            }
            let inner = self.ask(&Ask::Version { subject: &reference.0, version })?;
            known.push(reference);
            self.follow(&inner, known, texts)?;
            texts.push(protocol::schema_text(&inner).map_err(|trouble| self.named(trouble))?.to_owned());
        }
        Ok(())
    }

    fn id(&self, ask: &Ask<'_>) -> Result<u32, Trouble> {
        let value = self.ask(ask)?;
        protocol::id(&value).ok_or_else(|| self.trouble(TroubleKind::Fatal, "the answer has no id"))
    }

    fn ask(&self, ask: &Ask<'_>) -> Result<serde_json::Value, Trouble> {
        let answer = self.send(ask.request()).map_err(|error| self.explain(&error))?;
        judge(ask, &answer).map_err(|trouble| self.named(trouble))
    }

    fn send(&self, request: protocol::Request) -> Result<Answer, ureq::Error> {
        let scheme = if self.address.is_tls { "https" } else { "http" };
        let url = format!("{scheme}://{}{}{}", self.address.host, self.address.prefix, request.path);
        let mut head = Request::builder().method(request.method).uri(url).header(ACCEPT, protocol::ACCEPT);
        if let Some(authorization) = &self.authorization {
            head = head.header(AUTHORIZATION, authorization);
        }
        let response = match request.body {
            None => self.agent.run(head.body(())?)?,
            Some(body) => self.agent.run(head.header(CONTENT_TYPE, protocol::CONTENT).body(body)?)?,
        };
        let (head, body) = response.into_parts();
        let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut answer =
            Answer { status: head.status.as_u16(), content_type: content_type.to_ascii_lowercase(), body: Vec::new() };
        body.into_with_config().limit(MOST_ANSWER).reader().read_to_end(&mut answer.body)?;
        Ok(answer)
    }

    fn trouble(&self, kind: TroubleKind, words: impl Into<String>) -> Trouble {
        self.named(Trouble::new(kind, words))
    }

    /// Names the registry in front of the words.
    fn named(&self, trouble: Trouble) -> Trouble {
        Trouble { words: format!("schema registry {}: {}", self.address, trouble.words), ..trouble }
    }

    /// Explains why no answer came.
    fn explain(&self, error: &ureq::Error) -> Trouble {
        let transient = |words: &str| self.trouble(TroubleKind::Transient, words);
        let unknown_host = || transient("the name of the host is not known");
        let fatal = |words: String| self.trouble(TroubleKind::Fatal, words);
        let too_large = || fatal(format!("the answer has more than {} MiB", MOST_ANSWER >> 20));
        match error {
            ureq::Error::HostNotFound => unknown_host(),
            ureq::Error::ConnectionFailed => transient("no connection"),
            ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => transient("no connection in time"),
            ureq::Error::Timeout(_) => transient("no answer in time"),
            ureq::Error::BodyExceedsLimit(_) => too_large(),
            ureq::Error::Rustls(error) => fatal(tls_words(error)),
            ureq::Error::Tls(words) => fatal(format!("TLS failed: {words}")),
            ureq::Error::Protocol(_) => fatal("the answer is not HTTP".to_owned()),
            ureq::Error::Io(error) => {
                let inner = error.get_ref();
                if let Some(error) = inner.and_then(|error| error.downcast_ref::<rustls::Error>()) {
                    return fatal(tls_words(error));
                }
                match inner.and_then(|error| error.downcast_ref::<ureq::Error>()) {
                    Some(ureq::Error::BodyExceedsLimit(_)) => return too_large(),
                    Some(ureq::Error::Timeout(_)) => return transient("no answer in time"),
                    _ => {}
                }
                match error.kind() {
                    io::ErrorKind::ConnectionRefused => transient("connection refused"),
                    io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                        transient("the host cannot be reached")
                    }
                    io::ErrorKind::TimedOut => transient("no answer in time"),
                    io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::BrokenPipe => match self.address.is_tls {
                        true => transient("the server closed the connection without an answer"),
                        false => transient(
                            "the server closed the connection without an answer; if it speaks TLS, write https://",
                        ),
                    },
                    // The standard library has no kind for it.
                    _ if error.to_string().starts_with("failed to lookup address") => unknown_host(),
                    _ => transient(&error.to_string()),
                }
            }
            other => transient(&other.to_string()),
        }
    }
}

fn tls_words(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidMessage(_) => "the server does not speak TLS; write http:// if that is meant".to_owned(),
        rustls::Error::InvalidCertificate(reason) => {
            let words = match reason {
                CertificateError::UnknownIssuer => "its authority is not known",
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet",
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    "it is for a server with another name"
                }
                other => return format!("the certificate of the server is not accepted: {other:?}"),
            };
            format!("the certificate of the server is not accepted: {words}")
        }
        other => format!("TLS failed: {other}"),
    }
}

/// Reads the certificates of the address.
fn tls(address: &RegistryAddress) -> Result<TlsConfig> {
    let Some(path) = &address.authorities else { return Ok(TlsConfig::builder().build()) };
    let certificates = pem::certificates(path).map_err(|fault| {
        let wrong = |words: &str| Error::usage(format!("schema registry {address}: {}: {words}", path.display()));
        match fault {
            Fault::Unreadable(error) => wrong("the file cannot be read").because(error),
            Fault::Malformed(_) | Fault::Empty => wrong("there is no certificate in PEM in it"),
        }
    })?;
    let owned = certificates.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    Ok(TlsConfig::builder().root_certs(RootCerts::Specific(Arc::new(owned))).build())
}

/// The schemas of a registry, for a [`Reader`](crate::avro::Reader).
pub struct RegistrySchemas(Arc<Registry>);

impl RegistrySchemas {
    /// Asks `registry` for schemas.
    pub fn new(registry: Arc<Registry>) -> RegistrySchemas {
        RegistrySchemas(registry)
    }
}

impl SchemaSource for RegistrySchemas {
    /// Whatever is no answer about the schema itself may be another one later: a login can be mended while a program waits.
    fn schema(&mut self, key: SchemaKey) -> Result<Arc<Schema>, NoSchema> {
        self.0.schema(key).map(Arc::new).map_err(|trouble| match trouble.kind {
            TroubleKind::Unknown => NoSchema::Unknown(trouble.words),
            TroubleKind::Transient | TroubleKind::Fatal => NoSchema::Unavailable(trouble.words),
        })
    }
}
