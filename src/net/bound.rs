//! Endpoints that a socket listens at.

use nix::sys::stat::{Mode, umask};

use crate::core::error::{Error, Result};
use crate::net::endpoint::{self, Endpoint, SocketFile};

/// Endpoints that a socket listens at. The files of those in the file system are removed at the end.
#[derive(Default)]
pub(crate) struct Bound {
    pub(crate) endpoints: Vec<Endpoint>,
    files: Vec<SocketFile>,
}

impl Bound {
    /// Lets `socket` listen at one more endpoint.
    ///
    /// # Errors
    /// An endpoint that is in use or cannot be bound.
    pub(crate) fn bind(&mut self, socket: &zmq::Socket, endpoint: &Endpoint) -> Result<()> {
        let endpoint = bind_private(socket, endpoint)?;
        self.files.extend(SocketFile::of(&endpoint));
        self.endpoints.push(endpoint);
        Ok(())
    }
}

/// Lets `socket` listen at `endpoint`; in the file system with mode 0600. Answers where that is, the port filled in.
///
/// # Errors
/// An endpoint that is in use or cannot be bound.
fn bind_private(socket: &zmq::Socket, endpoint: &Endpoint) -> Result<Endpoint> {
    let failed = |error: zmq::Error| Error::usage(format!("{endpoint}: cannot listen there")).because(error);
    endpoint.check_free()?;
    socket.set_ipv6(endpoint.is_ipv6()).map_err(failed)?;
    let before = umask(Mode::from_bits_truncate(0o177));
    let result = socket.bind(&endpoint.to_string());
    umask(before);
    match result {
        Ok(()) => {}
        Err(zmq::Error::EADDRINUSE) => return Err(endpoint::in_use(endpoint)),
        Err(error) => return Err(failed(error)),
    }
    // A port given as * is known only now.
    let address = socket.get_last_endpoint().ok().and_then(|address| address.ok());
    Ok(address.and_then(|address| Endpoint::parse(&address).ok()).unwrap_or_else(|| endpoint.clone()))
}
