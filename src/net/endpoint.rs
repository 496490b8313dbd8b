//! ZeroMQ endpoints: their text form, and the checks before they are bound or connected to.

use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::core::error::{Error, Result};
use crate::process::job_files::{Identity, identity};

/// The default endpoint: queues listen on it, and workers connect to it.
pub const DEFAULT: &str = "ipc:///tmp/logator";

/// A checked ZeroMQ address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// `ipc://PATH`: a socket in the file system of this machine.
    Ipc(PathBuf),
    /// `tcp://HOST:PORT`.
    Tcp {
        /// As given: a name, an address, `*` or an interface.
        host: String,
        /// A number. To bind, it may be `*`, which stands for any free port.
        port: String,
    },
}

impl Endpoint {
    /// Reads an address.
    ///
    /// # Errors
    /// A usage error that shows the form of an address.
    pub fn parse(text: &str) -> Result<Endpoint> {
        let wrong = |why: &str| {
            Error::usage(format!("{text}: {why}; an endpoint is ipc://PATH or tcp://HOST:PORT, such as {DEFAULT}"))
        };
        if let Some(path) = text.strip_prefix("ipc://") {
            if path.is_empty() {
                return Err(wrong("the path is missing"));
            }
            return Ok(Endpoint::Ipc(PathBuf::from(path)));
        }
        let Some(address) = text.strip_prefix("tcp://") else {
            return Err(wrong("not an endpoint"));
        };
        let Some((host, port)) = address.rsplit_once(':') else {
            return Err(wrong("the port is missing"));
        };
        if host.is_empty() {
            return Err(wrong("the host is missing"));
        }
        if port != "*" && port.parse::<u16>().is_err() {
            return Err(wrong("the port is not a number from 0 to 65535"));
        }
        Ok(Endpoint::Tcp { host: host.to_owned(), port: port.to_owned() })
    }

    /// Returns whether only processes of this machine can be at the other end.
    pub fn is_local(&self) -> bool {
        match self {
            Endpoint::Ipc(_) => true,
            Endpoint::Tcp { host, .. } => {
                let bare = host.trim_start_matches('[').trim_end_matches(']');
                bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }

    /// Refuses an endpoint that other machines can reach.
    ///
    /// # Errors
    /// A usage error for a TCP endpoint that other machines can reach, unless `may_reach_out` is set: there are keys,
    /// or the user gave `--insecure`.
    pub fn check_reach(&self, may_reach_out: bool) -> Result<()> {
        if may_reach_out || self.is_local() {
            return Ok(());
        }
        Err(Error::usage(format!(
            "{self}: lines would cross the network unencrypted, and anybody who reaches the port could take them; \
             give both sides keys (logator keygen, --curve-key), use an ssh tunnel to a loopback address, or give \
             --insecure if the network is trusted"
        )))
    }

    /// Checks an endpoint before it is bound. Refuses a path at which another queue listens, and a path of a file that
    /// is no socket. libzmq would replace either without a word.
    ///
    /// # Errors
    /// A usage error if the endpoint is in use or cannot be bound.
    pub fn check_free(&self) -> Result<()> {
        let Endpoint::Ipc(path) = self else { return Ok(()) };
        match path.symlink_metadata() {
            Ok(data) if !data.file_type().is_socket() => {
                return Err(Error::usage(format!(
                    "{self}: there is a file that is not a socket, and it is not touched"
                )));
            }
            Ok(_) if UnixStream::connect(path).is_ok() => return Err(in_use(self)),
            // A failed connection does not prove that nobody listens: this user may not be allowed to connect.
            Ok(data) if data.uid() != nix::unistd::geteuid().as_raw() => {
                return Err(Error::usage(format!(
                    "{self}: there is a socket of user {}, and it is not touched; --bind another endpoint",
                    data.uid()
                )));
            }
            Ok(_) => {
                // A queue that was killed has left the file.
                let gone = std::fs::remove_file(path);
                gone.map_err(|error| {
                    Error::usage(format!("{self}: an old socket file cannot be removed")).because(error)
                })?;
            }
            Err(_) => {}
        }
        // A socket of the standard library is bound first, because libzmq's errors do not say what is wrong with a
        // path.
        let probe = UnixListener::bind(path);
        probe.map_err(|error| Error::usage(format!("{self}: cannot listen there")).because(error))?;
        std::fs::remove_file(path).map_err(|error| Error::system(format!("{self}: cannot be removed")).because(error))
    }

    /// Checks an endpoint before a connection to it. Returns whether a socket file is there. TCP has no file, and the
    /// answer is always true.
    ///
    /// # Errors
    /// A usage error if the socket file belongs to another user.
    pub fn check_owner(&self) -> Result<bool> {
        let Endpoint::Ipc(path) = self else { return Ok(true) };
        let Ok(data) = path.symlink_metadata() else { return Ok(false) };
        let us = nix::unistd::geteuid().as_raw();
        if data.uid() != us {
            return Err(Error::usage(format!(
                "{self}: the socket belongs to user {}, not to this user ({us}); sockets of other users are not trusted",
                data.uid()
            )));
        }
        Ok(true)
    }

    /// Returns the path of the socket file; `None` for TCP.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Endpoint::Ipc(path) => Some(path),
            Endpoint::Tcp { .. } => None,
        }
    }

    /// Returns whether `host` needs libzmq's IPv6 option.
    pub fn is_ipv6(&self) -> bool {
        match self {
            Endpoint::Ipc(_) => false,
            Endpoint::Tcp { host, port } => format!("{host}:{port}").parse::<SocketAddr>().is_ok_and(|a| a.is_ipv6()),
        }
    }
}

/// The file of a socket that listens. Dropping this removes the file, unless the path leads to another file by then. If
/// somebody removes the file of a running queue, another queue may listen at the same path, and that file is not ours.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    identity: Identity,
}

impl SocketFile {
    /// Returns the file of a socket that has just begun to listen on `endpoint`; `None` for TCP.
    pub(crate) fn of(endpoint: &Endpoint) -> Option<SocketFile> {
        let path = endpoint.path()?;
        let identity = identity(&path.symlink_metadata().ok()?);
        Some(SocketFile { path: path.to_owned(), identity })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // libzmq does not remove the file.
        if self.path.symlink_metadata().is_ok_and(|data| identity(&data) == self.identity) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Returns the error for an endpoint that another process uses.
pub fn in_use(endpoint: &Endpoint) -> Error {
    Error::usage(format!("{endpoint}: in use by another process; stop it, or --bind another endpoint"))
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Endpoint::Ipc(path) => write!(f, "ipc://{}", path.display()),
            Endpoint::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_reached_without_insecure() {
        for (text, local) in [
            ("ipc:///tmp/x", true),
            ("tcp://127.0.0.1:1", true),
            ("tcp://127.8.8.8:1", true),
            ("tcp://[::1]:1", true),
            ("tcp://localhost:1", true),
            ("tcp://*:1", false),
            ("tcp://0.0.0.0:1", false),
            ("tcp://[::]:1", false),
            ("tcp://192.0.2.1:1", false),
            ("tcp://localhost.example.com:1", false),
            ("tcp://eth0:1", false),
        ] {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!(endpoint.is_local(), local, "{text}");
            assert_eq!(endpoint.check_reach(false).is_ok(), local, "{text}");
            assert!(endpoint.check_reach(true).is_ok());
        }
    }

    #[test]
    fn only_the_own_file_of_a_socket_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = Endpoint::Ipc(folder.path().join("q"));
        let path = endpoint.path().unwrap();
        let ours = UnixListener::bind(path).unwrap();
        let file = SocketFile::of(&endpoint).unwrap();
        std::fs::remove_file(path).unwrap();
        let _theirs = UnixListener::bind(path).unwrap();
        drop(file);
        assert!(path.exists(), "the file belongs to another socket");
        drop(ours);
        drop(SocketFile::of(&endpoint).unwrap());
        assert!(!path.exists());
    }

    #[test]
    fn what_is_no_endpoint_is_said_to_be_none() {
        for text in
            ["", "ipc://", "tcp://", "tcp://host", "tcp://:1", "tcp://host:http", "udp://host:1", "/tmp/logator"]
        {
            let error = Endpoint::parse(text).expect_err(text);
            assert_eq!(error.exit_code(), 2);
        }
    }
}
