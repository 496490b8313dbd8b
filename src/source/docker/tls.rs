//! TLS to the Engine: `ca.pem`, `cert.pem` and `key.pem` of a directory, as Docker's own client reads them.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

use crate::core::error::{Error, Result};
use crate::core::pem::{self, Fault};
use crate::core::small_file;

/// The configuration for the files of `directory`. The certificate and key of the client may both be missing.
///
/// # Errors
/// A usage error that names the file.
pub fn config(directory: &Path) -> Result<Arc<ClientConfig>> {
    let at = |name: &str| directory.join(name);
    let wrong = |name: &str, what: &str| Error::usage(format!("{}: {what}", at(name).display()));
    let fault = |name: &str, malformed: &str, fault: Fault| match fault {
        Fault::Unreadable(error) => {
            let sentence = "cannot be read; DOCKER_TLS_VERIFY needs ca.pem, cert.pem and key.pem in DOCKER_CERT_PATH";
            wrong(name, sentence).because(error)
        }
        Fault::Malformed(error) => wrong(name, malformed).because(error),
        Fault::Empty => wrong(name, "there is no certificate in it"),
    };
    let certificates =
        |name: &str| pem::certificates(&at(name)).map_err(|found| fault(name, "no certificates in PEM", found));
    let mut roots = RootCertStore::empty();
    for certificate in certificates("ca.pem")? {
        roots.add(certificate).map_err(|error| wrong("ca.pem", "cannot be used").because(error))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::system("TLS cannot be set up").because(error))?
        .with_root_certificates(roots);
    let has = |name: &str| at(name).symlink_metadata().is_ok();
    if !has("cert.pem") && !has("key.pem") {
        return Ok(Arc::new(builder.with_no_client_auth()));
    }
    let chain = certificates("cert.pem")?;
    let key = pem::key(&at("key.pem"), small_file::SECRET).map_err(|found| fault("key.pem", "no key in PEM", found))?;
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
