//! The sockets of a multi handle, watched by an epoll of the caller.

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use curl::MultiError;
use curl::multi::Multi;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};

/// Registers every socket of `multi` with `epoll`, under its own number as data, for as long as libcurl uses it.
///
/// The caller gives each event to [`Multi::action`]. The curl crate passes sockets as plain numbers, and a number can be
/// registered only with unsafe code.
pub fn watch(multi: &mut Multi, epoll: Arc<Epoll>) -> Result<(), MultiError> {
    multi.socket_function(move |socket, wanted, _token| {
        if socket < 0 {
            return;
        }
        // SAFETY: libcurl calls this function only while the socket is open: it announces a socket after it has opened
        // it, and its removal before it closes it. The borrow ends with this call.
        let fd = unsafe { BorrowedFd::borrow_raw(socket) };
        if wanted.remove() {
            // An error means that the socket is not registered, which is the aim.
            let _ = epoll.delete(fd);
            return;
        }
        let mut flags = EpollFlags::empty();
        if wanted.input() {
            flags |= EpollFlags::EPOLLIN;
        }
        if wanted.output() {
            flags |= EpollFlags::EPOLLOUT;
        }
        let mut event = EpollEvent::new(flags, socket as u64);
        if epoll.modify(fd, &mut event).is_err() {
            // A socket that cannot be watched delays its request until the request's time is over.
            let _ = epoll.add(fd, event);
        }
    })
}
