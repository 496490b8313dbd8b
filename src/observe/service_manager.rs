//! Telling a service manager how a program is (sd_notify(3)): a datagram to the socket that `NOTIFY_SOCKET` names. Where
//! nobody asks (no such variable), nothing is done.

use std::ffi::OsStr;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The variable that names the manager's socket. Processes that are started here must not inherit it: what they say
/// would be said of us.
pub const SOCKET: &str = "NOTIFY_SOCKET";

/// The service manager, if there is one. Cloning is cheap; all clones speak of the same process.
#[derive(Debug, Clone, Default)]
pub struct Manager {
    address: Option<SocketAddr>,
}

impl Manager {
    /// The one that the environment names.
    pub fn of_environment() -> Manager {
        Manager { address: std::env::var_os(SOCKET).and_then(|name| address(&name)) }
    }

    /// The program does its work from here on.
    pub fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={}", one_line(status)));
    }

    /// How it is: a sentence for `systemctl status`.
    pub fn status(&self, status: &str) {
        self.tell(&format!("STATUS={}", one_line(status)));
    }

    /// The program has been asked to end and is at it.
    pub fn stopping(&self, status: &str) {
        self.tell(&format!("STOPPING=1\nSTATUS={}", one_line(status)));
    }

    /// No failure is worth a word: a manager that is gone has no use for us, and a program that stopped its work because
    /// of that would have none for its users.
    fn tell(&self, state: &str) {
        let Some(address) = &self.address else { return };
        let _ = UnixDatagram::unbound().and_then(|socket| {
            // A manager that does not read must not stop the work either.
            socket.set_nonblocking(true)?;
            socket.send_to_addr(state.as_bytes(), address)
        });
    }
}

/// `@name` is one of Linux' abstract names, which are in no file system; all else is a path.
fn address(name: &OsStr) -> Option<SocketAddr> {
    match name.as_bytes() {
        #[cfg(target_os = "linux")]
        [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest).ok(),
        [b'/', ..] => SocketAddr::from_pathname(name).ok(),
        _ => None,
    }
}

/// A newline would begin another message to the manager.
fn one_line(text: &str) -> String {
    text.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 512];
        socket.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    #[test]
    fn a_manager_is_told_by_path_and_by_abstract_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let abstract_name = format!("logator-notify-{}-{}", std::process::id(), fastrand::u64(..));
        let sockets = [
            (path.clone().into_os_string(), UnixDatagram::bind(&path).unwrap()),
            (
                format!("@{abstract_name}").into(),
                UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&abstract_name).unwrap()).unwrap(),
            ),
        ];
        for (name, socket) in sockets {
            let manager = Manager { address: address(&name) };
            manager.ready("at work");
            manager.status("two\nlines");
            manager.stopping("soon");
            assert_eq!(heard(&socket), "READY=1\nSTATUS=at work", "{name:?}");
            assert_eq!(heard(&socket), "STATUS=two lines");
            assert_eq!(heard(&socket), "STOPPING=1\nSTATUS=soon");
        }
    }

    #[test]
    fn nobody_to_tell_is_no_fault() {
        for name in ["", "relative", "/nowhere/at/all", "@nobody-listens", &format!("/{}", "x".repeat(300))] {
            Manager { address: address(OsStr::new(name)) }.ready("heard by nobody");
        }
        Manager::default().ready("heard by nobody");
    }
}
