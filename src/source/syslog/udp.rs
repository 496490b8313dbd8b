//! Receives datagrams, each of which is a message. One call to the kernel takes up to [`AT_ONCE`] datagrams.

use std::io::IoSliceMut;
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, getsockopt, recvmmsg, setsockopt, sockopt};
use xxhash_rust::xxh3::xxh3_64;

use super::address::Address;
use super::frame::{Frame, LongMessage};
use super::outbox::{LimitedWarning, Outbox, SourceEnd};
use super::source::{DRAIN_TIME, DROPPED, Source};
use crate::core::error::{Error, Result};
use crate::core::numbers::{grouped, human_bytes};
use crate::source::batching_delay::timeout;
use crate::source::live::Live;
use crate::source::say::Say;
use crate::state::checksum;

/// The maximum number of datagrams that one call takes.
const AT_ONCE: usize = 32;

/// The maximum number of bytes of a datagram.
const LONGEST_DATAGRAM: usize = 64 << 10;

/// How often the kernel's counter is read while messages come.
const LOOK: Duration = Duration::from_secs(1);

/// Asks the kernel for a buffer of `bytes`, and warns if the buffer is smaller.
pub(super) fn enlarge(socket: &UdpSocket, address: &Address, bytes: usize, say: &Say) {
    // The kernel takes the size as a C int.
    let wanted = bytes.min(i32::MAX as usize / 2);
    // A privileged process may exceed the limit of the machine.
    if setsockopt(socket, sockopt::RcvBufForce, &wanted).is_err() {
        let _ = setsockopt(socket, sockopt::RcvBuf, &wanted);
    }
    // The kernel doubles the size that it is asked for, because its own data also counts.
    let given = getsockopt(socket, sockopt::RcvBuf).map_or(0, |bytes| bytes / 2);
    if given < wanted {
        say.warn(format!(
            "{address}: the buffer for unread messages has {} instead of {}; sysctl net.core.rmem_max={wanted} allows more",
            human_bytes(given as u64),
            human_bytes(wanted as u64)
        ));
    }
}

pub(super) fn receive(
    socket: &UdpSocket,
    source: &Source,
    live: &Live,
    max_line: usize,
    outbox: &mut Outbox<'_>,
) -> Result<()> {
    let mut drops = Drops { inode: inode(socket), looked: None, said: LimitedWarning::default(), source };
    drops.look();
    let result = receive_all(socket, live, max_line, outbox, &mut drops);
    drops.look();
    match result {
        Ok(()) | Err(SourceEnd::Enough) => Ok(()),
        Err(SourceEnd::Failed(error)) => Err(error),
    }
}

fn receive_all(
    socket: &UdpSocket,
    live: &Live,
    max_line: usize,
    outbox: &mut Outbox<'_>,
    drops: &mut Drops<'_>,
) -> Result<(), SourceEnd> {
    let name = &drops.source.name;
    let failed =
        |errno: Errno| SourceEnd::Failed(Error::input(format!("{name}: cannot be read further")).because(errno));
    let mut buffer = vec![0; AT_ONCE * LONGEST_DATAGRAM];
    let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(AT_ONCE, None);
    let mut last = None;
    loop {
        if live.stop.is_requested() && last.get_or_insert_with(Instant::now).elapsed() > DRAIN_TIME {
            return outbox.hand_out(true);
        }
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            buffer.chunks_exact_mut(LONGEST_DATAGRAM).map(|chunk| [IoSliceMut::new(chunk)]).collect();
        let received = recvmmsg(socket.as_raw_fd(), &mut headers, &mut slices, MsgFlags::MSG_DONTWAIT, None);
        match received {
            Ok(datagrams) => {
                drops.stale();
                for datagram in datagrams {
                    datagram.iovs().try_for_each(|message| put(message, max_line, outbox))?;
                }
                outbox.hand_out(false)?;
                continue;
            }
            Err(Errno::EINTR) => continue,
            Err(Errno::EAGAIN) => {}
            Err(errno) => return Err(failed(errno)),
        }
        if live.stop.is_requested() {
            return outbox.hand_out(true);
        }
        let patience = [outbox.patience(), drops.due()].into_iter().flatten().min();
        let mut waited =
            [PollFd::new(socket.as_fd(), PollFlags::POLLIN), PollFd::new(live.stop.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waited, timeout(patience)) {
            Ok(ready) => outbox.hand_out(ready == 0)?,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(failed(errno)),
        }
        if drops.due().is_some_and(|due| due.is_zero()) {
            drops.look();
        }
    }
}

/// Adds a datagram as a message, without the line end that some senders write. An empty datagram is skipped.
fn put(datagram: &[u8], max_line: usize, outbox: &mut Outbox<'_>) -> Result<(), SourceEnd> {
    let end = datagram.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r' | 0)).map_or(0, |last| last + 1);
    let message = &datagram[..end];
    if message.is_empty() {
        return Ok(());
    }
    if message.len() > max_line {
        let (length, hash, checksum) = (message.len() as u64, xxh3_64(message), checksum::of(message));
        return outbox.add(Frame::Long(LongMessage {
            beginning: message[..max_line].to_vec(),
            length,
            hash,
            checksum,
        }));
    }
    outbox.add(Frame::Message(message))
}

/// The kernel's count of datagrams that it dropped because the buffer was full. It is read from `/proc`. `SO_RXQ_OVFL`
/// would return the count only with the next datagram, which may never come.
struct Drops<'a> {
    inode: Option<u64>,
    /// The time of the first datagram since the last look at the count. `None` if no datagram came since then.
    looked: Option<Instant>,
    said: LimitedWarning,
    source: &'a Source,
}

impl Drops<'_> {
    /// Records that a datagram came. The kernel may have dropped others.
    fn stale(&mut self) {
        self.looked.get_or_insert_with(Instant::now);
    }

    /// The time until the next look at the count. `None` if no datagram came since the last look.
    fn due(&self) -> Option<Duration> {
        self.looked.map(|looked| LOOK.saturating_sub(looked.elapsed()))
    }

    fn look(&mut self) {
        self.looked = None;
        let Some(now) = self.inode.and_then(dropped) else { return };
        let before = self.source.counts.replace(&DROPPED, now);
        if now > before {
            let name = &self.source.name;
            self.said.warn(&self.source.say, || {
                format!(
                    "{name}: the kernel dropped {} messages, {} so far, because they came faster than they were read; \
                     a larger --udp-buffer helps",
                    grouped(now - before),
                    grouped(now)
                )
            });
        }
    }
}

/// The number of the socket in `/proc`.
fn inode(socket: &UdpSocket) -> Option<u64> {
    nix::sys::stat::fstat(socket).ok().map(|stat| stat.st_ino)
}

fn dropped(inode: u64) -> Option<u64> {
    ["/proc/self/net/udp", "/proc/self/net/udp6"].iter().find_map(|path| {
        let table = std::fs::read_to_string(path).ok()?;
        table.lines().skip(1).find_map(|line| drops_in(line, inode))
    })
}

/// The last column of the line of the socket, which is the count.
fn drops_in(line: &str, inode: u64) -> Option<u64> {
    let columns: Vec<&str> = line.split_ascii_whitespace().collect();
    (columns.get(9)?.parse() == Ok(inode)).then(|| columns.last()?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_is_that_of_the_socket() {
        let line = "  123: 0100007F:D431 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 \
                    00000000d5a8e7c3 42";
        assert_eq!((drops_in(line, 4711), drops_in(line, 4712), drops_in("", 1)), (Some(42), None, None));
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(dropped(inode(&socket).unwrap()), Some(0));
    }
}
