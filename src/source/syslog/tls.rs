//! TLS: the configuration from files, and the state of a connection.

use std::io::{self, Read};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};

use super::options::TlsFiles;
use crate::core::error::{Error, Result};
use crate::core::small_file;

/// The configuration of a server for TLS 1.2 and 1.3.
///
/// # Errors
/// A usage error that names the file.
pub(super) fn config(files: &TlsFiles) -> Result<Arc<ServerConfig>> {
    let shown = |path: &std::path::Path| path.display().to_string();
    let chain = certificates(&files.certificate, "--tls-cert")?;
    let key = PrivateKeyDer::from_pem_slice(&pem(&files.key, "--tls-key", "no key in PEM", small_file::SECRET)?)
        .map_err(|error| Error::usage(format!("--tls-key {}: no key in PEM", shown(&files.key))).because(error))?;
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

fn certificates(path: &std::path::Path, flag: &str) -> Result<Vec<CertificateDer<'static>>> {
    let wrong = |why: &str| format!("{flag} {}: {why}", path.display());
    let content = pem(path, flag, "no certificates in PEM", small_file::CERTIFICATES)?;
    let read = CertificateDer::pem_slice_iter(&content).collect::<Result<Vec<_>, _>>();
    let read = read.map_err(|error| Error::usage(wrong("no certificates in PEM")).because(error))?;
    if read.is_empty() { Err(Error::usage(wrong("there is no certificate in it"))) } else { Ok(read) }
}

/// Reads the file that `flag` names. If the file cannot be read, the error begins with `what`.
fn pem(path: &std::path::Path, flag: &str, what: &str, limit: u64) -> Result<Vec<u8>> {
    let read = small_file::open(path, limit).and_then(|file| small_file::read(file, limit));
    read.map_err(|error| {
        Error::usage(format!("{flag} {}: {what}, because the file cannot be read", path.display())).because(error)
    })
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
