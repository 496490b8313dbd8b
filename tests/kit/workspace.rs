//! A folder for one test, and the programs that run in it.

use std::io::Write as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use logator::observe::receipt::Receipt;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{PATIENCE, Ran, program, temp_dir, wait_for};

/// A folder of one test. Programs run in it, so the files that they leave (dead letters) are removed with it.
pub struct Workspace {
    directory: tempfile::TempDir,
}

impl Workspace {
    /// Makes an empty folder.
    pub fn new() -> Self {
        Workspace { directory: temp_dir() }
    }

    /// Returns the path of `name` in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Returns `SCHEME` and the path of `name`, as a sink or an endpoint is written.
    pub fn at(&self, scheme: &str, name: &str) -> String {
        format!("{scheme}{}", self.path(name).display())
    }

    /// Returns the endpoint of this test's queue.
    pub fn endpoint(&self) -> String {
        self.at("ipc://", "q")
    }

    /// Writes a file, and makes missing folders.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        std::fs::write(&path, content).unwrap_or_else(|error| panic!("{name}: {error}"));
        path
    }

    /// Returns the content of a text file.
    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Returns the objects in an NDJSON file.
    pub fn objects(&self, name: &str) -> Vec<serde_json::Value> {
        objects(&self.text(name))
    }

    /// Returns the receipt in a file.
    pub fn receipt(&self, name: &str) -> Receipt {
        serde_json::from_str(&self.text(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Returns a command of the built program `name` that runs in this folder.
    pub fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program(name));
        command.args(arguments).current_dir(self.directory.path());
        command
    }

    /// Like `command`, for a user who is not root, because permissions do not count for root. It opens the folder to
    /// all users.
    pub fn command_as_nobody(&self, name: &str, arguments: &[&str]) -> Command {
        use std::os::unix::fs::PermissionsExt;
        use std::os::unix::process::CommandExt;
        if !nix::unistd::geteuid().is_root() {
            return self.command(name, arguments);
        }
        // A checkout may lie in a folder that only root may enter, so the program is copied to this folder.
        let copy = self.path(&format!("{name}-copy"));
        if !copy.exists() {
            std::fs::copy(program(name), &copy).unwrap();
        }
        std::fs::set_permissions(self.path("."), std::fs::Permissions::from_mode(0o777)).unwrap();
        let mut command = Command::new(copy);
        command.args(arguments).current_dir(self.directory.path()).uid(65_534).gid(65_534);
        command
    }

    /// Starts a program with its input open. Its output is kept.
    pub fn start(&self, name: &str, arguments: &[&str]) -> Running {
        Running::start(self.command(name, arguments))
    }

    /// Runs a program to its end.
    pub fn run(&self, name: &str, arguments: &[&str], input: &[u8]) -> Ran {
        let mut running = self.start(name, arguments);
        running.feed(input);
        running.end()
    }

    /// Starts a queue at [`Workspace::endpoint`] and waits until it is ready. Its receipt goes to `queue.json`.
    pub fn queue(&self, arguments: &[&str]) -> Running {
        let endpoint = self.endpoint();
        let mut queue =
            self.start("logator-queue", &[&["--bind", &endpoint, "--receipt", "queue.json"], arguments].concat());
        queue.wait_ready();
        queue
    }

    /// Starts a worker of one thread for that queue.
    pub fn worker(&self, arguments: &[&str]) -> Running {
        let endpoint = self.endpoint();
        self.start("logator-worker", &[&["--from", &endpoint, "-j", "1"], arguments].concat())
    }

    /// Runs `logator run`; its receipt goes to `receipt`.
    pub fn logator(&self, arguments: &[&str], input: &[u8]) -> (Ran, Receipt) {
        let ran = self.run("logator", &[&["run", "--receipt", "receipt"], arguments].concat(), input);
        let receipt = match self.path("receipt").exists() {
            true => self.receipt("receipt"),
            false => panic!("no receipt: {ran:?}"),
        };
        (ran, receipt)
    }
}

/// Returns the objects of NDJSON text.
pub fn objects(text: &str) -> Vec<serde_json::Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

/// Returns the counts of a receipt: read, parsed, duplicate, unparsed, dead-lettered, filtered.
pub fn account(receipt: &Receipt) -> [u64; 6] {
    let tally = receipt.tally;
    [receipt.read, tally.stored, tally.duplicate, tally.unmatched, tally.dead_lettered, tally.filtered]
}

/// Returns the counts of a queue whose lines went to peers of the line dialogue: read, delivered, dead-lettered,
/// filtered.
///
/// # Panics
/// When any line counts as stored: a queue cannot know that of such peers.
pub fn line_account(receipt: &Receipt) -> [u64; 4] {
    let tally = receipt.tally;
    assert_eq!([tally.stored, tally.duplicate, tally.unmatched], [0; 3], "{receipt:?}");
    assert!(receipt.agrees, "{receipt:?}");
    [receipt.read, tally.delivered, tally.dead_lettered, tally.filtered]
}

/// A running program. It is killed when this value is dropped.
pub struct Running {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Output,
    stderr: Output,
    manager: Manager,
}

/// The service manager of one program: it receives the notifications (sd_notify(3)) that the program sends.
struct Manager {
    socket: UnixDatagram,
    /// The lines of all notifications so far.
    told: Vec<String>,
}

impl Manager {
    /// Makes a socket and passes its name to `command`. An abstract name is open to programs of other users too.
    fn of(command: &mut Command) -> Self {
        const VARIABLE: &str = "NOTIFY_SOCKET";
        let name = format!("logator-test-{}-{:016x}", std::process::id(), fastrand::u64(..));
        let address = SocketAddr::from_abstract_name(&name).expect("a short name");
        let socket = UnixDatagram::bind_addr(&address).expect("a socket");
        socket.set_nonblocking(true).expect("a socket that does not block");
        // A test may set the variable itself, to be the manager.
        if command.get_envs().all(|(key, _)| key != VARIABLE) {
            command.env(VARIABLE, format!("@{name}"));
        }
        Manager { socket, told: Vec::new() }
    }

    /// Whether the program has sent the line `wanted` by now.
    fn has(&mut self, wanted: &str) -> bool {
        let mut bytes = [0; 8 << 10];
        while let Ok(length) = self.socket.recv(&mut bytes) {
            self.told.extend(String::from_utf8_lossy(&bytes[..length]).lines().map(str::to_owned));
        }
        self.told.iter().any(|line| line == wanted)
    }
}

/// The output of a program so far, and the thread that reads it.
struct Output {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl Output {
    fn of(mut pipe: impl std::io::Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bytes);
        let read = move || {
            let mut buffer = [0; 16 << 10];
            while let Ok(length @ 1..) = pipe.read(&mut buffer) {
                kept.lock().unwrap().extend_from_slice(&buffer[..length]);
            }
        };
        Output { bytes, thread: Some(std::thread::spawn(read)) }
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes.lock().unwrap().clone()).expect("UTF-8")
    }

    fn whole(&mut self) -> String {
        self.thread.take().map(JoinHandle::join);
        self.text()
    }
}

impl Running {
    /// Starts `command` with its input open.
    pub fn start(mut command: Command) -> Self {
        let name = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let manager = Manager::of(&mut command);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        let stdin = child.stdin.take();
        let stdout = Output::of(child.stdout.take().expect("its output is ours"));
        let stderr = Output::of(child.stderr.take().expect("its errors are ours"));
        Running { name, child, stdin, stdout, stderr, manager }
    }

    /// Writes to its input. The program may end without reading all of it.
    pub fn feed(&mut self, input: &[u8]) {
        let stdin = self.stdin.as_mut().expect("its input is open");
        let _ = stdin.write_all(input).and_then(|()| stdin.flush());
    }

    /// Ends its input.
    pub fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Returns its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the most memory that it has had so far, in kB; `None` when it has ended.
    pub fn most_memory(&self) -> Option<u64> {
        self.memory_called("VmHWM:")
    }

    /// Returns the kernel's value of its memory under that name, in kB; `None` when it has ended.
    pub fn memory_called(&self, name: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let said = status.lines().find_map(|line| line.strip_prefix(name))?;
        said.trim().trim_end_matches(" kB").parse().ok()
    }

    /// Returns the number of its open files and connections; 0 when it has ended.
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id())).map_or(0, Iterator::count)
    }

    /// Returns its present memory in kB; `None` when it has ended.
    pub fn memory(&self) -> Option<u64> {
        self.memory_called("VmRSS:")
    }

    /// Sends SIGSTOP, and waits until every thread stands still.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
        super::process::wait_until_it_stands_still(self.id());
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("the process is there");
    }

    /// Returns everything that it has written to standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Returns everything that it has written to standard output so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Waits until the program tells its service manager that it is ready: it listens, watches, or asks for work.
    pub fn wait_ready(&mut self) {
        self.wait_told("READY=1");
    }

    /// Waits until the program tells its service manager that it was asked to end.
    pub fn wait_stopping(&mut self) {
        self.wait_told("STOPPING=1");
    }

    /// Waits until the program is ready, and returns the addresses at which it listens, ports filled in.
    pub fn addresses(&mut self) -> Vec<String> {
        self.wait_ready();
        let told = self.manager.told.iter();
        told.filter_map(|line| line.strip_prefix("X_LOGATOR_LISTEN=")).map(str::to_owned).collect()
    }

    fn wait_told(&mut self, wanted: &str) {
        let start = std::time::Instant::now();
        wait_for(&format!("{} to tell {wanted}", self.name), 2 * PATIENCE, || {
            let ended = self.child.try_wait().expect("its state");
            let told = self.manager.has(wanted);
            let late = start.elapsed() > PATIENCE;
            let said = || self.stderr.text();
            assert!(told || (ended.is_none() && !late), "{} did not tell {wanted}:\n{}", self.name, said());
            told.then_some(())
        });
    }

    /// Waits until it has written `words` to standard error.
    pub fn says(&mut self, words: &str) {
        let start = std::time::Instant::now();
        wait_for(&format!("{} to say {words:?}", self.name), 2 * PATIENCE, || {
            let said = self.stderr.text();
            let ended = self.child.try_wait().expect("its state");
            let late = start.elapsed() > PATIENCE;
            assert!(said.contains(words) || (ended.is_none() && !late), "{} did not say {words:?}:\n{said}", self.name);
            said.contains(words).then_some(())
        });
    }

    /// Returns whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("its state").is_some()
    }

    /// Kills it with `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Closes its input and waits for its end.
    pub fn end(mut self) -> Ran {
        self.stdin = None;
        self.end_with_input_open()
    }

    /// Waits for its end with its input left open.
    pub fn end_with_input_open(mut self) -> Ran {
        let start = std::time::Instant::now();
        let status = wait_for(&format!("the end of {}", self.name), 2 * PATIENCE, || {
            let ended = self.child.try_wait().expect("its state");
            let late = start.elapsed() > PATIENCE;
            assert!(ended.is_some() || !late, "{} does not end; it said:\n{}", self.name, self.stderr.text());
            ended
        });
        Ran { code: status.code(), stdout: self.stdout.whole(), stderr: self.stderr.whole() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        // libfaketime leaves these files behind when its process is killed.
        for file in ["faketime_shm_", "sem.faketime_sem_"] {
            let _ = std::fs::remove_file(format!("/dev/shm/{file}{}", self.id()));
        }
    }
}
