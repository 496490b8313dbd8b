//! A process that never outlives the test that started it, not even when the test is killed.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Starts the real program, prints its process id, and kills it when the keeper's own input ends. The test holds the
/// other end of that pipe, which closes when the test ends in any way.
///
/// Its first argument is a folder to remove at the program's end, or nothing. The rest is the program with its arguments.
const KEEPER: &str = r#"
remove=$1; shift
exec 3<&0
"$@" </dev/null >&4 2>&5 3<&- 4>&- 5>&- & pid=$!
echo $pid
( cat <&3 >/dev/null; kill -9 $pid ) >/dev/null 2>&1 4>&- 5>&- & watch=$!
wait $pid; status=$?
kill $watch 2>/dev/null
[ -z "$remove" ] || rm -rf -- "$remove"
exit $status
"#;

/// Where the output of a program goes.
#[derive(Clone, Copy)]
enum Output<'a> {
    /// To our standard error.
    Shown,
    /// Nowhere; its errors go to our standard error.
    Dropped,
    /// To the end of a file, with its errors.
    Kept(&'a Path),
}

/// A running program.
pub struct Process {
    keeper: Child,
    /// The pipe stays open for as long as the program may live.
    _leash: ChildStdin,
    pid: Pid,
}

impl Process {
    /// Starts `command` (program, arguments, environment). Its output goes to our standard error, its input is empty.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(command: &Command) -> Self {
        Process::launch(command, Output::Shown, None)
    }

    /// Starts a command as [`Process::start`] does, but throws its output away. Its errors are shown.
    pub fn start_quiet(command: &Command) -> Self {
        Process::launch(command, Output::Dropped, None)
    }

    /// Starts a command as [`Process::start`] does, and appends its output and its errors to a file.
    pub fn start_logged(command: &Command, log: &Path) -> Self {
        Process::launch(command, Output::Kept(log), None)
    }

    /// Starts a command as [`Process::start_logged`] does. At its end, however it ends, `folder` is removed.
    pub fn start_logged_and_remove(command: &Command, log: &Path, folder: &Path) -> Self {
        Process::launch(command, Output::Kept(log), Some(folder))
    }

    fn launch(command: &Command, output: Output<'_>, remove: Option<&Path>) -> Self {
        let mut keeper = Command::new("sh");
        // Descriptors 4 and 5 take the program's output and errors: the keeper needs its own output for the process id,
        // and the shell's remark that a program was killed is not wanted.
        let (redirections, name) = match output {
            Output::Shown => ("exec 4>&2 5>&2 2>/dev/null", Path::new("keeper")),
            Output::Dropped => ("exec 4>/dev/null 5>&2 2>/dev/null", Path::new("keeper")),
            Output::Kept(log) => (r#"exec 4>>"$0" 5>&4 2>/dev/null"#, log),
        };
        keeper.arg("-c").arg(format!("{redirections}\n{KEEPER}")).arg(name);
        keeper.arg(remove.unwrap_or(Path::new(""))).arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => keeper.env(key, value),
                None => keeper.env_remove(key),
            };
        }
        if let Some(directory) = command.get_current_dir() {
            keeper.current_dir(directory);
        }
        let mut keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("sh starts");
        let leash = keeper.stdin.take().expect("its input is ours");
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().expect("its output is ours")).read_line(&mut line).expect("a process id");
        let pid = Pid::from_raw(line.trim().parse().expect("a process id is a number"));
        Process { keeper, _leash: leash, pid }
    }

    /// Returns the program's own process id.
    pub fn id(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid, signal).expect("the process is there");
    }

    /// Sends SIGSTOP, and waits until every thread stands still. After the signal alone, threads may still run for a
    /// moment.
    #[cfg_attr(not(feature = "mongodb"), allow(dead_code, reason = "only servers are stopped"))]
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
        wait_until_it_stands_still(self.pid.as_raw() as u32);
    }

    /// Kills it with `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        if self.ended().is_none() {
            // The program may have ended by itself between the two lines.
            let _ = kill(self.pid, Signal::SIGKILL);
        }
        self.keeper.wait().expect("the keeper ends with the program");
    }

    /// Returns how it ended, if it has. The code is 128 and the signal's number if a signal ended it.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.keeper.try_wait().expect("the keeper is our child")
    }

    /// Fails with the end of its log if it has ended. `name` is that of the server.
    pub fn expect_to_run(&mut self, name: &str, log: &Path) {
        let Some(status) = self.ended() else { return };
        let log = std::fs::read_to_string(log).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(30).collect();
        panic!("{name} ended with {status}; the end of its log, last line first:\n{}", tail.join("\n"));
    }
}

/// Waits after SIGSTOP until every thread of the process stands still, or the process is gone.
pub fn wait_until_it_stands_still(pid: u32) {
    let tasks = format!("/proc/{pid}/task");
    let stopped = |task: std::io::Result<std::fs::DirEntry>| {
        let stat = std::fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
        // The state follows the name, which stands in parentheses. A process that has ended counts as stopped too.
        stat.rsplit_once(") ").map(|(_, rest)| rest.starts_with(['T', 'Z']))
    };
    super::wait_for("every thread to stop", std::time::Duration::from_secs(10), || {
        let Ok(mut tasks) = std::fs::read_dir(&tasks) else { return Some(()) };
        tasks.all(|task| stopped(task) == Some(true)).then_some(())
    });
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns whether the process handles `signal` by now.
pub fn heeds(pid: u32, signal: Signal) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|caught| u64::from_str_radix(caught.trim(), 16).ok()).unwrap_or(0);
    caught >> (signal as i32 - 1) & 1 == 1
}
