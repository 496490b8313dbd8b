//! A real systemd for one test. It is the first process of its own namespaces, in a root that is made of this machine's
//! `/usr` and a package.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::Process;
use super::{PATIENCE, temp_dir, wait_for};

const BOOT: &str = include_str!("boot.sh");

/// The system, which ends with the test.
pub struct Systemd {
    process: Option<Process>,
    /// The process id of systemd in this machine's namespace.
    pid: String,
    cgroup: PathBuf,
    _directory: tempfile::TempDir,
}

impl Systemd {
    /// Boots with the package that is unpacked at `package`.
    ///
    /// # Panics
    /// If that is not possible: it needs root and namespaces. `./test` tries it first, and leaves such tests out by name.
    pub fn boot(package: &Path) -> Self {
        let mounts = std::fs::read_to_string("/proc/mounts").expect("a Linux");
        let groups = mounts.lines().find_map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
            [_, at, "cgroup2", ..] => Some(PathBuf::from(at)),
            _ => None,
        });
        let groups = groups.expect("control groups are mounted (cgroup2)");
        let directory = temp_dir();
        let cgroup = groups.join(directory.path().file_name().expect("a name"));
        std::fs::create_dir(&cgroup).expect("root may make a control group");
        let root = directory.path().join("root");
        std::fs::create_dir(&root).unwrap();
        let mut command = Command::new("sh");
        // The process joins its control group before the namespace is made, so that it sees this group as the root.
        command.args(["-c", "echo $$ > \"$0/cgroup.procs\" && exec unshare -m -p -i -u -n -C -f --kill-child \"$@\""]);
        command.arg(&cgroup).args(["sh", "-c", BOOT, "boot.sh"]).args([&root, package, &cgroup]);
        let mut process = Process::start(&command);
        let children = format!("/proc/{0}/task/{0}/children", process.id());
        let pid = wait_for("systemd to start", PATIENCE, || {
            assert!(process.ended().is_none(), "systemd cannot be started here");
            let pid = std::fs::read_to_string(&children).ok()?.trim().to_owned();
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
            (name.trim() == "systemd").then_some(pid)
        });
        let system = Systemd { process: Some(process), pid, cgroup, _directory: directory };
        wait_for("systemd to be up", PATIENCE, || {
            (system.try_sh("systemctl is-active test.target").0.trim() == "active").then_some(())
        });
        system
    }

    /// Runs a script in the system. Returns its output, and whether it succeeded.
    pub fn try_sh(&self, script: &str) -> (String, bool) {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.pid, "-m", "-p", "-i", "-u", "-n", "-C", "-r", "-w", "env", "-i"]);
        command.args(["PATH=/usr/bin:/usr/sbin", "LC_ALL=C.UTF-8", "sh", "-ec", &format!("exec 2>&1\n{script}")]);
        let ran = command.output().expect("nsenter runs");
        (String::from_utf8_lossy(&ran.stdout).into_owned(), ran.status.success())
    }

    /// Runs a script in the system that must succeed.
    pub fn sh(&self, script: &str) -> String {
        let (said, success) = self.try_sh(script);
        assert!(success, "{script}\n{said}\n{}", self.try_sh("journalctl --no-pager | tail -n 60").0);
        said
    }

    /// Waits until a unit's property has a value.
    pub fn wait_for(&self, unit: &str, property: &str, value: &str) {
        let ask = format!("systemctl show --property={property} --value {unit}");
        let what = format!("{property}={value} of {unit}");
        let mut last = String::new();
        let start = std::time::Instant::now();
        wait_for(&what, 2 * PATIENCE, || {
            last = self.sh(&ask).trim().to_owned();
            let late = start.elapsed() > PATIENCE;
            assert!(last == value || !late, "{what}, not {last}\n{}", self.sh("journalctl --no-pager | tail -n 60"));
            (last == value).then_some(())
        });
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        // All processes of the namespace end with the first one.
        self.process = None;
        remove(&self.cgroup);
    }
}

/// Removes a control group and the groups in it as soon as their processes are gone.
fn remove(cgroup: &Path) {
    let within = std::fs::read_dir(cgroup).into_iter().flatten().flatten();
    for folder in within.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        remove(&folder.path());
    }
    let start = std::time::Instant::now();
    while std::fs::remove_dir(cgroup).is_err() && cgroup.exists() && start.elapsed() < PATIENCE {
        std::thread::yield_now();
    }
}
