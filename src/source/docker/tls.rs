//! TLS to the Engine: `ca.pem`, `cert.pem` and `key.pem` of a directory, as Docker's own client reads them.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::core::error::{Error, Result};
use crate::core::small_file;

/// The configuration for the files of `directory`. The certificate and key of the client may both be missing.
///
/// # Errors
/// A usage error that names the file.
pub fn config(directory: &Path) -> Result<Arc<ClientConfig>> {
    let read = |name: &str, limit: u64| {
        let path = directory.join(name);
        let content = small_file::open(&path, limit).and_then(|file| small_file::read(file, limit));
        content.map_err(|error| {
            let sentence = "cannot be read; DOCKER_TLS_VERIFY needs ca.pem, cert.pem and key.pem in DOCKER_CERT_PATH";
            Error::usage(format!("{}: {sentence}", path.display())).because(error)
        })
    };
    let wrong = |name: &str, what: &str| Error::usage(format!("{}: {what}", directory.join(name).display()));
    let certificates = |name: &str| {
        let content = read(name, small_file::CERTIFICATES)?;
        let all = CertificateDer::pem_slice_iter(&content).collect::<Result<Vec<_>, _>>();
        let all = all.map_err(|error| wrong(name, "no certificates in PEM").because(error))?;
        if all.is_empty() { Err(wrong(name, "there is no certificate in it")) } else { Ok(all) }
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates("ca.pem")? {
        roots.add(certificate).map_err(|error| wrong("ca.pem", "cannot be used").because(error))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::system("TLS cannot be set up").because(error))?
        .with_root_certificates(roots);
    let has = |name: &str| directory.join(name).symlink_metadata().is_ok();
    if !has("cert.pem") && !has("key.pem") {
        return Ok(Arc::new(builder.with_no_client_auth()));
    }
    let chain = certificates("cert.pem")?;
    let key = PrivateKeyDer::from_pem_slice(&read("key.pem", small_file::SECRET)?)
        .map_err(|error| wrong("key.pem", "no key in PEM").because(error))?;
    let config = builder.with_client_auth_cert(chain, key);
    Ok(Arc::new(config.map_err(|error| wrong("key.pem", "does not belong to cert.pem").because(error))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let sentence = || {
            let error = config(path).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            error.to_string()
        };
        assert!(sentence().contains("ca.pem: cannot be read; DOCKER_TLS_VERIFY needs"));
        std::fs::write(path.join("ca.pem"), "").unwrap();
        assert!(sentence().contains("ca.pem: there is no certificate in it"));
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        std::fs::write(path.join("ca.pem"), broken).unwrap();
        assert!(sentence().contains("ca.pem: cannot be used"));
    }
}
