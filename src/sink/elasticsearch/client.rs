//! [`Client`]: sends requests to one host, and explains why no answer came.

use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use ureq::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Request};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use ureq::{Agent, Timeout};

use super::answer::Answer;
use super::target::Target;
use crate::core::error::{Error, Result};
use crate::core::pem::{self, Fault};
use crate::core::small_file;

/// The longest reply that is read, in bytes.
const MAX_REPLY: u64 = 64 << 20;

/// How long a connection that is not used stays open. Servers and proxies keep them for a minute and longer.
const IDLE: Duration = Duration::from_secs(30);

/// The number of connections to a host that stay open.
const CONNECTIONS: usize = 1024;

/// The client of all threads. Each request under way has a connection of its own.
pub(super) struct Client {
    agent: Agent,
    scheme: &'static str,
    is_tls: bool,
    prefix: String,
    authorization: Option<HeaderValue>,
}

/// A request without its host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask<'a> {
    pub method: &'static str,
    /// The path and the parameters, from the first slash.
    pub path: &'a str,
    pub content: &'static str,
    pub is_compressed: bool,
    pub body: &'a [u8],
}

/// The reason why no answer came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoAnswer {
    /// The reason in words.
    pub words: String,
    /// Whether the server may have done what was asked.
    pub maybe_written: bool,
    /// Whether no attempt succeeds before someone changes the address or the server.
    pub is_fatal: bool,
    /// Whether the connection broke while the request was sent or answered, as it does when a body is too large for a server
    /// that does not say so.
    pub is_broken: bool,
}

impl Client {
    /// Makes the client for `target`. Nothing is sent yet.
    ///
    /// # Errors
    /// A usage error: a certificate or key cannot be read or used.
    pub fn new(target: &Target) -> Result<Client> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // A proxy of the environment is meant for the web.
            .proxy(None)
            .user_agent(concat!("logator/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls(target)?)
            .timeout_resolve(Some(target.selection_timeout))
            .timeout_connect(Some(target.selection_timeout))
            .timeout_global(Some(target.request_timeout))
            .max_idle_connections(CONNECTIONS)
            .max_idle_connections_per_host(CONNECTIONS)
            .max_idle_age(IDLE)
            .build();
        let authorization = target.authorization.as_ref().map(|header| {
            let mut value = HeaderValue::from_str(header)
                .map_err(|_| Error::usage(format!("{}: the login cannot be sent", target.name)))?;
            value.set_sensitive(true);
            Ok::<_, Error>(value)
        });
        Ok(Client {
            agent: Agent::new_with_config(config),
            scheme: if target.is_tls { "https" } else { "http" },
            is_tls: target.is_tls,
            prefix: target.prefix.clone(),
            authorization: authorization.transpose()?,
        })
    }

    /// Sends a request to `host` and reads the body of the answer into `reply`.
    pub fn send(&self, host: &str, ask: &Ask<'_>, reply: &mut Vec<u8>) -> Result<Answer, NoAnswer> {
        reply.clear();
        self.run(host, ask, reply).map_err(|error| self.explain(&error))
    }

    fn run(&self, host: &str, ask: &Ask<'_>, reply: &mut Vec<u8>) -> Result<Answer, ureq::Error> {
        let url = format!("{}://{host}{}{}", self.scheme, self.prefix, ask.path);
        let mut request = Request::builder().method(ask.method).uri(url);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if ask.is_compressed {
            request = request.header(CONTENT_ENCODING, "gzip");
        }
        let response = match ask.content {
            "" => self.agent.run(request.body(())?)?,
            content => self.agent.run(request.header(CONTENT_TYPE, content).body(ask.body)?)?,
        };
        let header = |headers: &HeaderMap, name: HeaderName| {
            headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let (head, body) = response.into_parts();
        body.into_with_config().limit(MAX_REPLY).reader().read_to_end(reply)?;
        Ok(Answer {
            status: head.status.as_u16(),
            content_type: header(&head.headers, CONTENT_TYPE).to_ascii_lowercase(),
            location: header(&head.headers, LOCATION),
        })
    }

    /// Explains why no answer came.
    fn explain(&self, error: &ureq::Error) -> NoAnswer {
        let before =
            |words: &str| NoAnswer { words: words.to_owned(), maybe_written: false, is_fatal: false, is_broken: false };
        let after = |words: &str| NoAnswer { maybe_written: true, ..before(words) };
        let fatal = |words: String| NoAnswer { words, is_fatal: true, ..before("") };
        match error {
            ureq::Error::HostNotFound => before("the name of the host is not known"),
            ureq::Error::ConnectionFailed => before("no connection"),
            ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => before("no connection in time"),
            ureq::Error::Timeout(_) => after("no answer in time"),
            ureq::Error::Rustls(error) => fatal(tls_words(error)),
            ureq::Error::Tls(words) => fatal(format!("TLS failed: {words}")),
            ureq::Error::Io(error) => match tls_error(error) {
                Some(error) => fatal(tls_words(error)),
                None => self.explain_io(error),
            },
            ureq::Error::Protocol(_) => NoAnswer {
                is_fatal: !self.is_tls,
                ..after("the answer is not HTTP; is this the port of Elasticsearch's HTTP interface?")
            },
            other => after(&other.to_string()),
        }
    }

    fn explain_io(&self, error: &io::Error) -> NoAnswer {
        let found = |words: &str, maybe_written, is_broken| NoAnswer {
            words: words.to_owned(),
            maybe_written,
            is_fatal: false,
            is_broken,
        };
        match error.kind() {
            io::ErrorKind::ConnectionRefused => found("connection refused", false, false),
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                found("the host cannot be reached", false, false)
            }
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => match self.is_tls {
                true => found("the server closed the connection without an answer", true, true),
                false => found(
                    "the server closed the connection without an answer; if it speaks TLS, write elasticsearch+https://",
                    true,
                    true,
                ),
            },
            io::ErrorKind::TimedOut => found("no answer in time", true, false),
            _ => found(&error.to_string(), true, false),
        }
    }
}

/// Returns the error of rustls that an error of a connection wraps.
fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn tls_words(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidMessage(_) => {
            "the server does not speak TLS; write elasticsearch+http:// if that is meant".to_owned()
        }
        rustls::Error::InvalidCertificate(reason) => {
            format!("the certificate of the server is not accepted: {}", certificate_words(reason))
        }
        rustls::Error::AlertReceived(alert) => {
            format!(
                "the server ends the TLS connection ({alert:?}); it may want a client certificate (tlsCertificateFile)"
            )
        }
        other => format!("TLS failed: {other}"),
    }
}

/// Returns why a certificate is not accepted, and what helps.
fn certificate_words(error: &CertificateError) -> String {
    let words = match error {
        CertificateError::UnknownIssuer => {
            "its authority is not known; tlsCAFile=FILE names the authority's certificate"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for a server with another name; write the address with the name that is in it"
        }
        other => return format!("{other:?}"),
    };
    words.to_owned()
}

/// Reads the certificates of the address.
fn tls(target: &Target) -> Result<TlsConfig> {
    let wrong = |option: &str, path: &Path, words: &str| {
        Error::usage(format!("{}: {option}={}: {words}", target.name, path.display()))
    };
    let fault = |option: &str, path: &Path, what: &str, fault: Fault| match fault {
        Fault::Unreadable(error) => wrong(option, path, "the file cannot be read").because(error),
        Fault::Malformed(_) | Fault::Empty => wrong(option, path, what),
    };
    let certificates = |option: &str, path: &Path| {
        let read = pem::certificates(path);
        read.map_err(|found| fault(option, path, "there is no certificate in PEM in it", found))
    };
    let owned = |der: &CertificateDer<'_>| Certificate::from_der(der).to_owned();
    let mut config = TlsConfig::builder();
    let mut roots = RootCertStore::empty();
    if let Some(path) = &target.tls.ca {
        let read = certificates("tlsCAFile", path)?;
        for certificate in &read {
            roots
                .add(certificate.clone())
                .map_err(|error| wrong("tlsCAFile", path, "a certificate cannot be used").because(error))?;
        }
        config = config.root_certs(RootCerts::Specific(Arc::new(read.iter().map(owned).collect())));
    }
    if let Some(path) = &target.tls.certificate {
        let chain = certificates("tlsCertificateFile", path)?;
        let (option, key_path) =
            target.tls.key.as_ref().map_or(("tlsCertificateFile", path), |key| ("tlsKeyFile", key));
        let no_key = "there is no key in PEM in it";
        let key =
            pem::read(key_path, small_file::CERTIFICATES).map_err(|found| fault(option, key_path, no_key, found))?;
        let checked = PrivateKeyDer::from_pem_slice(&key).map_err(|_| wrong(option, key_path, no_key))?;
        // The client expects that they match.
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::system("TLS cannot be set up").because(error))?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain.clone(), checked)
            .map_err(|error| wrong("tlsCertificateFile", path, "certificate and key do not match").because(error))?;
        let key = PrivateKey::from_pem(&key).map_err(|_| wrong(option, key_path, no_key))?;
        let chain: Vec<_> = chain.iter().map(owned).collect();
        config = config.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
    }
    Ok(config.build())
}
