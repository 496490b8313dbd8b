//! Notifications for a service manager (sd_notify(3)): datagrams to the socket that `NOTIFY_SOCKET` names. Without that
//! variable nothing is sent.
//!
//! | line of a notification | meaning |
//! |---|---|
//! | `READY=1` | the program listens, watches or asks for work |
//! | `X_LOGATOR_LISTEN=ADDRESS` | an address at which the program listens, ports filled in; one line for each, with `READY=1` |
//! | `STATUS=SENTENCE` | what the program does, for `systemctl status` |
//! | `STOPPING=1` | the program was asked to end and finishes what it has |

use std::ffi::OsStr;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The variable that names the manager's socket. Processes that this program starts must not inherit the variable: the
/// manager would take their notifications for ours.
pub const SOCKET: &str = "NOTIFY_SOCKET";

/// The line of a notification that names an address at which the program listens.
const LISTEN: &str = "X_LOGATOR_LISTEN";

/// The service manager, if there is one. Cloning is cheap; all clones speak of the same process.
#[derive(Debug, Clone, Default)]
pub struct Manager {
    address: Option<SocketAddr>,
}

impl Manager {
    /// Returns the manager that the environment names.
    pub fn of_environment() -> Manager {
        Manager { address: std::env::var_os(SOCKET).and_then(|name| address(&name)) }
    }

    /// Tells the manager that the program does its work from here on. `listen` holds the addresses at which it listens.
    pub fn ready(&self, status: &str, listen: &[String]) {
        let mut state = format!("READY=1\nSTATUS={}", one_line(status));
        listen.iter().for_each(|address| state.push_str(&format!("\n{LISTEN}={}", one_line(address))));
        self.tell(&state);
    }

    /// Tells the manager what the program does: a sentence for `systemctl status`.
    pub fn status(&self, status: &str) {
        self.tell(&format!("STATUS={}", one_line(status)));
    }

    /// Tells the manager that the program was asked to end and finishes its work.
    pub fn stopping(&self, status: &str) {
        self.tell(&format!("STOPPING=1\nSTATUS={}", one_line(status)));
    }

    /// Sends a notification. A failure is ignored: the work does not depend on the manager.
    fn tell(&self, state: &str) {
        let Some(address) = &self.address else { return };
        let _ = UnixDatagram::unbound().and_then(|socket| {
            // A manager that does not read must not stop the work.
            socket.set_nonblocking(true)?;
            socket.send_to_addr(state.as_bytes(), address)
        });
    }
}

/// Returns the address for `name`. A name that begins with `@` is an abstract name of Linux, which is in no file system;
/// any other name is an absolute path.
fn address(name: &OsStr) -> Option<SocketAddr> {
    match name.as_bytes() {
        #[cfg(target_os = "linux")]
        [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest).ok(),
        [b'/', ..] => SocketAddr::from_pathname(name).ok(),
        _ => None,
    }
}

/// Replaces newlines: a newline would begin another line of the notification.
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
            manager.ready("at work", &["tcp://one:1".to_owned(), "two\n".to_owned()]);
            manager.status("two\nlines");
            manager.stopping("soon");
            let ready = "READY=1\nSTATUS=at work\nX_LOGATOR_LISTEN=tcp://one:1\nX_LOGATOR_LISTEN=two ";
            assert_eq!(heard(&socket), ready, "{name:?}");
            assert_eq!(heard(&socket), "STATUS=two lines");
            assert_eq!(heard(&socket), "STOPPING=1\nSTATUS=soon");
        }
    }

    #[test]
    fn nobody_to_tell_is_no_fault() {
        for name in ["", "relative", "/nowhere/at/all", "@nobody-listens", &format!("/{}", "x".repeat(300))] {
            Manager { address: address(OsStr::new(name)) }.ready("heard by nobody", &[]);
        }
        Manager::default().ready("heard by nobody", &[]);
    }
}
