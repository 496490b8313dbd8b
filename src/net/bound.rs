//! The endpoints that a socket listens on.

use nix::sys::stat::{Mode, umask};

use crate::core::error::{Error, Result};
use crate::net::endpoint::{self, Endpoint, SocketFile};

/// The endpoints that a socket listens on. Their files in the file system are removed when this is dropped.
#[derive(Default)]
pub(crate) struct Bound {
    pub(crate) endpoints: Vec<Endpoint>,
    files: Vec<SocketFile>,
}

impl Bound {
    /// Lets `socket` listen on one more endpoint.
    ///
    /// # Errors
    /// The endpoint is in use or cannot be bound.
    pub(crate) fn bind(&mut self, socket: &zmq::Socket, endpoint: &Endpoint) -> Result<()> {
        let endpoint = bind_private(socket, endpoint)?;
        self.files.extend(SocketFile::of(&endpoint));
        self.endpoints.push(endpoint);
        Ok(())
    }
}

/// Lets `socket` listen on `endpoint`. A socket in the file system gets mode 0600. Returns the endpoint with its port
/// number.
///
/// # Errors
/// The endpoint is in use or cannot be bound.
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
    // If the port was given as `*`, its number is known only now.
    let address = socket.get_last_endpoint().ok().and_then(|address| address.ok());
    Ok(address.and_then(|address| Endpoint::parse(&address).ok()).unwrap_or_else(|| endpoint.clone()))
}
