//! Multi handles: their sockets, watched by an epoll of the caller, and options.

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use curl::MultiError;
use curl::multi::Multi;
use libc::c_long;
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

// Numbers of `multi.h` that curl-sys does not have.
const CURLMOPT_RESOLVE_THREADS_MAX: u32 = 20;
const CURLMOPT_QUICK_EXIT: u32 = 21;

/// Lets `multi` look up to `most` names up at a time. libcurl's own limit is 20: then the look-up of a name waits for
/// that of others, and its time is not its own.
pub fn look_up_at_a_time(multi: &mut Multi, most: u16) -> Result<(), MultiError> {
    set_number(multi, CURLMOPT_RESOLVE_THREADS_MAX, most.max(1).into())
}

/// Lets the end of `multi` not wait for look-ups that are under way.
pub fn end_without_look_ups(multi: &mut Multi) -> Result<(), MultiError> {
    set_number(multi, CURLMOPT_QUICK_EXIT, 1)
}

fn set_number(multi: &mut Multi, option: u32, number: c_long) -> Result<(), MultiError> {
    // SAFETY: the handle lives as long as `multi`, and each option that is passed here takes a `long`.
    match unsafe { curl_sys::curl_multi_setopt(multi.raw(), option, number) } {
        curl_sys::CURLM_OK => Ok(()),
        code => Err(MultiError::new(code)),
    }
}
