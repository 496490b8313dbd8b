//! [`RegistryAddress`]: the address of a schema registry.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;

use crate::core::percent;
use crate::core::secrets::learn_secret;

/// The address of a registry, and how to log in. `Display` shows no secret.
#[derive(Clone)]
pub struct RegistryAddress {
    pub(super) is_tls: bool,
    /// The host with its port.
    pub(super) host: String,
    /// What stands before each path: empty, or `/prefix`.
    pub(super) prefix: String,
    /// The header `Authorization`. It is secret.
    pub(super) authorization: Option<String>,
    /// The certificates of authorities, instead of those that browsers trust.
    pub(super) authorities: Option<PathBuf>,
    /// How long a request may take as a whole.
    pub(super) timeout: Duration,
}

/// How long a request may take as a whole, if nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(15);

impl RegistryAddress {
    /// Reads the address `http://[USER:PASSWORD@]HOST[:PORT][/PREFIX]`, or the same with `https`. The text may be percent-encoded
    /// as a whole, as the value of an option in another address is.
    ///
    /// # Errors
    /// The end of a sentence for the user. It shows no secret.
    pub fn parse(text: &str) -> Result<RegistryAddress, String> {
        let usage = "a schema registry is written http://HOST:PORT or https://HOST:PORT";
        let decoded = if text.contains("://") { text.to_owned() } else { percent::decode(text) };
        let (scheme, rest) = decoded.split_once("://").ok_or(usage)?;
        let is_tls = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err(usage.to_owned()),
        };
        if rest.contains(['?', '#']) || rest.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(format!("{usage}; after the host only a path may stand"));
        }
        let (place, path) = rest.split_once('/').unwrap_or((rest, ""));
        if path.contains('@') {
            return Err("an '@' stands after a '/' in the address of the schema registry: write special characters of a user name \
                        or password in percent encoding"
                .to_owned());
        }
        let (login, host) = match place.rsplit_once('@') {
            Some((login, host)) => (Some(login), host),
            None => (None, place),
        };
        let host = checked_host(host)?;
        if !path.chars().all(|c| c.is_ascii_alphanumeric() || "/-._~%".contains(c)) {
            return Err("the path in the address of the schema registry has a character that must be percent-encoded"
                .to_owned());
        }
        let path = path.trim_matches('/');
        let prefix = if path.is_empty() { String::new() } else { format!("/{path}") };
        let address =
            RegistryAddress { is_tls, host, prefix, authorization: None, authorities: None, timeout: TIMEOUT };
        Ok(match login {
            Some(login) => {
                let (user, password) = login.split_once(':').unwrap_or((login, ""));
                address.with_login(&percent::decode(user), &percent::decode(password))
            }
            None => address,
        })
    }

    /// Logs in as `user` with Basic authentication. This counts instead of a login in the address.
    pub fn with_login(self, user: &str, password: &str) -> RegistryAddress {
        let encoded = base64::prelude::BASE64_STANDARD.encode(format!("{user}:{password}"));
        if !password.is_empty() {
            learn_secret(password);
            learn_secret(&encoded);
        }
        RegistryAddress { authorization: Some(format!("Basic {encoded}")), ..self }
    }

    /// Sets how long a request may take as a whole.
    pub fn with_timeout(self, timeout: Duration) -> RegistryAddress {
        RegistryAddress { timeout, ..self }
    }

    /// Trusts the certificates in a file with PEM, and no others.
    ///
    /// # Errors
    /// The end of a sentence: the address has no TLS.
    pub fn with_authorities(self, file: PathBuf) -> Result<RegistryAddress, String> {
        match self.is_tls {
            true => Ok(RegistryAddress { authorities: Some(file), ..self }),
            false => {
                Err("there is a certificate for the schema registry, but its address has no TLS; write https://"
                    .to_owned())
            }
        }
    }

    /// Returns the file that is read: certificates of authorities.
    pub fn file(&self) -> Option<&PathBuf> {
        self.authorities.as_ref()
    }
}

/// Checks a host with an optional port, and adds none: the usual ports are those of HTTP.
fn checked_host(text: &str) -> Result<String, String> {
    let wrong = || {
        "the host of the schema registry is a name or an address with an optional port, as in registry:8081".to_owned()
    };
    let (name, port) = match text.strip_prefix('[') {
        Some(inside) => {
            let (address, port) = inside.split_once(']').ok_or_else(wrong)?;
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return Err(wrong());
            }
            (None, port.strip_prefix(':').or(port.is_empty().then_some("")).ok_or_else(wrong)?)
        }
        None => {
            let (name, port) = text.split_once(':').unwrap_or((text, ""));
            (Some(name), port)
        }
    };
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    let is_port = port.is_empty() || port.parse::<u16>().is_ok_and(|port| port != 0);
    if name.is_none_or(is_name) && is_port { Ok(text.to_owned()) } else { Err(wrong()) }
}

impl fmt::Display for RegistryAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let masked = if self.authorization.is_some() { "***@" } else { "" };
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{masked}{}{}", self.host, self.prefix)
    }
}

impl fmt::Debug for RegistryAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RegistryAddress({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_may_have_a_login_and_a_prefix() {
        for (text, shown, authorization) in [
            ("http://registry:8081", "http://registry:8081", None),
            ("https://[::1]:8081/", "https://[::1]:8081", None),
            ("https://h/apis/ccompat/v7/", "https://h/apis/ccompat/v7", None),
            ("http%3A%2F%2Fjoe%3Ap%2540ss%40h%3A8081", "http://***@h:8081", Some("Basic am9lOnBAc3M=")),
            ("http://joe:p%40ss@h:8081", "http://***@h:8081", Some("Basic am9lOnBAc3M=")),
            ("http://key:a:b@h", "http://***@h", Some("Basic a2V5OmE6Yg==")),
        ] {
            let address = RegistryAddress::parse(text).unwrap();
            assert_eq!(
                (address.to_string().as_str(), address.authorization.as_deref()),
                (shown, authorization),
                "{text}"
            );
            assert!(!format!("{address:?}").contains("p@ss"));
        }
        let other = RegistryAddress::parse("https://a:b@h").unwrap().with_login("joe", "p@ss");
        assert_eq!(other.authorization.as_deref(), Some("Basic am9lOnBAc3M="));
        let file = other.with_authorities("ca.pem".into()).unwrap();
        assert_eq!(file.file(), Some(&PathBuf::from("ca.pem")));
    }

    #[test]
    fn a_wrong_address_says_how_it_is_written_and_shows_no_secret() {
        for (text, words) in [
            ("registry:8081", "is written http://HOST"),
            ("ftp://h", "is written http://HOST"),
            ("", "is written http://HOST"),
            ("http://", "a name or an address"),
            ("http://h:0", "a name or an address"),
            ("http://h:70000", "a name or an address"),
            ("http://[::1", "a name or an address"),
            ("http://[::1]x", "a name or an address"),
            ("http://joe:hush/hush@h", "percent encoding"),
            ("http://joe:hush@h/?x=hush", "only a path"),
            ("http://h/ü", "percent-encoded"),
            ("http://h /", "only a path"),
        ] {
            let error = RegistryAddress::parse(text).unwrap_err();
            assert!(error.contains(words) && !error.contains("hush"), "{text}: {error}");
        }
        let plain = RegistryAddress::parse("http://h").unwrap().with_authorities("ca.pem".into());
        assert!(plain.unwrap_err().contains("no TLS"));
    }
}
