//! Certificates and keys in files with PEM.

use std::io;
use std::path::Path;

use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::core::small_file;

/// The reason why a file gives no certificate or key.
#[derive(Debug)]
pub enum Fault {
    /// The file cannot be read.
    Unreadable(io::Error),
    /// The file is no PEM, or holds no key.
    Malformed(pem::Error),
    /// There is no certificate in the file.
    Empty,
}

/// Returns the certificates in the file at `path`, of which there is at least one.
///
/// # Errors
/// The file cannot be read, is no PEM, or has no certificate.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let content = read(path, small_file::CERTIFICATES)?;
    let all = CertificateDer::pem_slice_iter(&content).collect::<Result<Vec<_>, _>>().map_err(Fault::Malformed)?;
    if all.is_empty() { Err(Fault::Empty) } else { Ok(all) }
}

/// Returns the key in the file at `path`, which has at most `limit` bytes.
///
/// # Errors
/// The file cannot be read, or has no key.
pub fn key(path: &Path, limit: u64) -> Result<PrivateKeyDer<'static>, Fault> {
    PrivateKeyDer::from_pem_slice(&read(path, limit)?).map_err(Fault::Malformed)
}

/// Returns the content of the file at `path`, which has at most `limit` bytes.
///
/// # Errors
/// The file cannot be read.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Fault> {
    small_file::open(path, limit).and_then(|file| small_file::read(file, limit)).map_err(Fault::Unreadable)
}
