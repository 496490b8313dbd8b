//! TLS: the configuration from files, and the state of a connection.

use std::io::{self, Read};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};

use super::options::TlsFiles;
use crate::core::error::{Error, Result};
use crate::core::pem::{self, Fault};
use crate::core::small_file;

/// The configuration of a server for TLS 1.2 and 1.3.
///
/// # Errors
/// A usage error that names the file.
pub(super) fn config(files: &TlsFiles) -> Result<Arc<ServerConfig>> {
    let shown = |path: &Path| path.display().to_string();
    let chain = certificates(&files.certificate, "--tls-cert")?;
    let key = pem::key(&files.key, small_file::SECRET)
        .map_err(|found| fault(&files.key, "--tls-key", "no key in PEM", found))?;
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::system("TLS cannot be set up").because(error))?;
    let config = match &files.client_ca {
        None => config.with_no_client_auth(),
        Some(path) => {
            let wrong = || format!("--tls-client-ca {}: cannot be used", shown(path));
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path, "--tls-client-ca")? {
                roots.add(certificate).map_err(|error| Error::usage(wrong()).because(error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            config.with_client_cert_verifier(verifier.map_err(|error| Error::usage(wrong()).because(error))?)
        }
    };
    let config = config.with_single_cert(chain, key).map_err(|error| {
        let (certificate, key) = (shown(&files.certificate), shown(&files.key));
        Error::usage(format!("--tls-cert {certificate} and --tls-key {key} do not match")).because(error)
    })?;
    Ok(Arc::new(config))
}

fn certificates(path: &Path, flag: &str) -> Result<Vec<CertificateDer<'static>>> {
    pem::certificates(path).map_err(|found| fault(path, flag, "no certificates in PEM", found))
}

/// The error for the file that `flag` names. `what` says what is missing in it.
fn fault(path: &Path, flag: &str, what: &str, fault: Fault) -> Error {
    let wrong = |why: &str| Error::usage(format!("{flag} {}: {why}", path.display()));
    match fault {
        Fault::Unreadable(error) => wrong(&format!("{what}, because the file cannot be read")).because(error),
        Fault::Malformed(error) => wrong(what).because(error),
        Fault::Empty => wrong("there is no certificate in it"),
    }
}

/// The TLS state of a connection.
pub(super) struct Tls {
    connection: ServerConnection,
}

/// The result of one read from a connection.
pub(super) enum Step {
    /// More data may be there.
    More,
    /// No data is there now.
    Blocked,
    /// The peer has closed the connection.
    Ended,
}

impl Tls {
    pub fn new(config: &Arc<ServerConfig>) -> io::Result<Tls> {
        ServerConnection::new(Arc::clone(config)).map(|connection| Tls { connection }).map_err(io::Error::other)
    }

    /// Whether the handshake is not finished.
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whether there is data that could not be written yet.
    pub fn wants_write(&self) -> bool {
        self.connection.wants_write()
    }

    /// Writes the data of the TLS protocol as far as that does not block.
    fn write(&mut self, mut stream: &TcpStream) -> io::Result<()> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut stream) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads once, decrypts the data into `buffer`, and calls `take` with it.
    pub fn read<E>(
        &mut self,
        mut stream: &TcpStream,
        buffer: &mut [u8],
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> io::Result<Result<Step, E>> {
        // The socket may be ready only because it can be written to.
        self.write(stream)?;
        let mut step = match self.connection.read_tls(&mut stream) {
            Ok(0) => Step::Ended,
            Ok(_) => Step::More,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Ok(Step::Blocked)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Ok(Step::More)),
            Err(error) => return Err(error),
        };
        let processed = self.connection.process_new_packets();
        let written = self.write(stream);
        processed.map_err(io::Error::other)?;
        written?;
        loop {
            match self.connection.reader().read(buffer) {
                Ok(0) => {
                    step = Step::Ended;
                    break;
                }
                Ok(length) => {
                    if let Err(error) = take(&buffer[..length]) {
                        return Ok(Err(error));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // The peer closed the connection without the end of TLS, as many senders do.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    step = Step::Ended;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Ok(step))
    }
}
