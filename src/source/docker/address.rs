//! The address of the Engine, from the variables that Docker's own client reads.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::core::error::{Error, Result};
use crate::core::small_file;

/// The socket of an Engine that runs as root.
const SOCKET: &str = "/var/run/docker.sock";

/// The address of an Engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `unix://PATH`.
    Unix(PathBuf),
    /// `tcp://HOST:PORT`.
    Tcp {
        /// The host, without brackets.
        host: String,
        /// The port.
        port: u16,
        /// The directory of `ca.pem`, `cert.pem` and `key.pem`; `None` without TLS.
        certificates: Option<PathBuf>,
    },
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "unix://{}", path.display()),
            Address::Tcp { host, port, .. } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Address::Tcp { host, port, .. } => write!(f, "tcp://{host}:{port}"),
        }
    }
}

impl Address {
    /// Returns the address that the environment names. `variable` returns the value of a variable.
    ///
    /// # Errors
    /// A usage error for an address of another kind.
    pub fn of(variable: &dyn Fn(&str) -> Option<String>) -> Result<Address> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let directory = || {
            let home = given("HOME").map_or_else(|| PathBuf::from("/root"), PathBuf::from);
            home.join(".docker")
        };
        let Some(host) = given("DOCKER_HOST") else {
            let config = given("DOCKER_CONFIG").map_or_else(directory, PathBuf::from);
            let context = given("DOCKER_CONTEXT").or_else(|| current_context(&config.join("config.json")));
            if let Some(context) = context.filter(|context| context != "default") {
                return Err(Error::usage(format!(
                    "the Docker context {context} is in use, and contexts are not read; set DOCKER_HOST to the address of the \
                     Engine, which docker context inspect shows"
                )));
            }
            let own = given("XDG_RUNTIME_DIR").map(|run| Path::new(&run).join("docker.sock"));
            let rootless = own.filter(|path| !Path::new(SOCKET).exists() && path.exists());
            return Ok(Address::Unix(rootless.unwrap_or_else(|| SOCKET.into())));
        };
        let wrong = |what: &str| {
            Error::usage(format!("DOCKER_HOST={host}: {what}; it is written unix://PATH or tcp://HOST:PORT"))
        };
        if let Some(path) = host.strip_prefix("unix://") {
            return if path.is_empty() { Err(wrong("the path is missing")) } else { Ok(Address::Unix(path.into())) };
        }
        if host.starts_with("ssh://") {
            return Err(wrong(
                "logator does not connect over ssh; forward the socket (ssh -L /tmp/docker.sock:/var/run/docker.sock HOST)",
            ));
        }
        let certificates =
            given("DOCKER_TLS_VERIFY").map(|_| given("DOCKER_CERT_PATH").map_or_else(directory, PathBuf::from));
        let place = host.strip_prefix("tcp://").ok_or_else(|| wrong("another kind of address"))?;
        let place = place.strip_suffix('/').unwrap_or(place);
        let (name, port) = match place.strip_prefix('[').map(|inside| inside.split_once(']')) {
            Some(Some((name, rest))) => (name, rest.strip_prefix(':').or_else(|| rest.is_empty().then_some(""))),
            Some(None) => return Err(wrong("a [ is not closed")),
            None => match place.split_once(':') {
                Some((name, port)) => (name, Some(port)),
                None => (place, Some("")),
            },
        };
        if name.is_empty() || name.contains(['/', '@', ' ', '\r', '\n']) {
            return Err(wrong("there is no host"));
        }
        let port = match port {
            Some("") => Some(if certificates.is_some() { 2376 } else { 2375 }),
            port => port.and_then(|port| port.parse().ok()),
        };
        let port = port.ok_or_else(|| wrong("the port is not a number from 0 to 65535"))?;
        Ok(Address::Tcp { host: name.to_owned(), port, certificates })
    }

    /// The value of the header `Host`.
    pub fn host(&self) -> String {
        match self {
            Address::Unix(_) => "docker".to_owned(),
            tcp @ Address::Tcp { .. } => tcp.to_string().trim_start_matches("tcp://").to_owned(),
        }
    }
}

/// The context that the configuration of Docker's client names, if it can be read.
fn current_context(path: &Path) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Config {
        current_context: Option<String>,
    }
    let text = small_file::text(path, small_file::CONFIGURATION).ok()?;
    serde_json::from_str::<Config>(&text).ok()?.current_context.filter(|context| !context.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Address, String> {
        let value =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Address::of(&value).map_err(|error| {
            assert_eq!(error.exit_code(), 2);
            error.to_string()
        })
    }

    #[test]
    fn the_variables_of_docker_s_client_name_the_engine() {
        let tcp = |host: &str, port, directory: Option<&str>| {
            Ok(Address::Tcp { host: host.to_owned(), port, certificates: directory.map(PathBuf::from) })
        };
        assert_eq!(of(&[("DOCKER_HOST", "unix:///run/x.sock")]), Ok(Address::Unix("/run/x.sock".into())));
        for (host, name, port) in
            [("tcp://h", "h", 2375), ("tcp://h:1/", "h", 1), ("tcp://[::1]:5", "::1", 5), ("tcp://[::1]", "::1", 2375)]
        {
            assert_eq!(of(&[("DOCKER_HOST", host)]), tcp(name, port, None));
        }
        let tls = [("DOCKER_HOST", "tcp://h"), ("DOCKER_TLS_VERIFY", "1"), ("HOME", "/home/me")];
        assert_eq!(of(&tls), tcp("h", 2376, Some("/home/me/.docker")));
        assert_eq!(of(&[&tls[..], &[("DOCKER_CERT_PATH", "/c")]].concat()), tcp("h", 2376, Some("/c")));
        assert_eq!(of(&[("DOCKER_HOST", "tcp://[::1]:5")]).unwrap().to_string(), "tcp://[::1]:5");
    }

    #[test]
    fn what_is_not_read_is_refused_in_a_sentence() {
        for (host, words) in [
            ("ssh://me@h", "does not connect over ssh"),
            ("npipe:////./pipe/docker", "unix://PATH or tcp://HOST:PORT"),
            ("unix://", "the path is missing"),
            ("tcp://", "there is no host"),
            ("tcp://h:x", "the port is not a number"),
            ("tcp://[::1", "not closed"),
            ("tcp://a b:1", "there is no host"),
        ] {
            let error = of(&[("DOCKER_HOST", host)]).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        assert!(of(&[("DOCKER_CONTEXT", "far")]).unwrap_err().contains("context far is in use"));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), r#"{"auths":{},"currentContext":"there"}"#).unwrap();
        let config = [("DOCKER_CONFIG", folder.path().to_str().unwrap())];
        assert!(of(&config).unwrap_err().contains("context there is in use"));
        assert!(of(&[&config[..], &[("DOCKER_CONTEXT", "default")]].concat()).is_ok());
        assert!(of(&[&config[..], &[("DOCKER_HOST", "unix:///x")]].concat()).is_ok());
    }
}
