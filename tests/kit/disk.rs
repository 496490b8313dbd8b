//! A disk for one test, as small as the test wants: a tmpfs that only the programs of the test see.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::Process;
use super::{PATIENCE, wait_for};

/// A tmpfs in its own mount namespace. Both end with the process that holds them.
pub struct Disk {
    holder: Process,
    at: PathBuf,
}

impl Disk {
    /// Makes a disk of `kib` at the folder `at`; `None` if this user may not mount one.
    pub fn new(at: &Path, kib: u64) -> Option<Self> {
        let allowed = nix::unistd::geteuid().is_root()
            && Command::new("unshare").args(["-m", "true"]).output().is_ok_and(|ran| ran.status.success());
        if !allowed {
            return None;
        }
        std::fs::create_dir_all(at).expect("a folder");
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", "mount -t tmpfs -o size=$1k none \"$0\" && exec sleep infinity"]);
        command.arg(at).arg(kib.to_string());
        let mut holder = Process::start(&command);
        let mounts = format!("/proc/{}/mounts", holder.id());
        let name = at.display().to_string();
        wait_for("the disk to be mounted", PATIENCE, || {
            assert!(holder.ended().is_none(), "no tmpfs can be mounted here");
            std::fs::read_to_string(&mounts).ok()?.lines().any(|line| line.contains(&name)).then_some(())
        });
        Some(Disk { holder, at: at.to_owned() })
    }

    /// Returns the words in front of a command that let it see the disk and work in `folder`.
    pub fn enter(&self, folder: &Path) -> Vec<String> {
        let holder = self.holder.id().to_string();
        let folder = folder.display().to_string();
        ["nsenter", "-t", &holder, "-m", "sh", "-c", "cd \"$0\" && exec \"$@\"", &folder].map(String::from).to_vec()
    }

    /// Returns the path of a file of the disk for this process.
    pub fn path(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.at.strip_prefix("/").expect("an absolute path")).join(name)
    }

    /// Makes the disk larger.
    pub fn resize(&self, kib: u64) {
        let holder = self.holder.id().to_string();
        let options = format!("remount,size={kib}k");
        let mut command = Command::new("nsenter");
        command.args(["-t", &holder, "-m", "mount", "-o", &options]).arg(&self.at);
        assert!(command.status().expect("nsenter runs").success(), "{command:?}");
    }

    /// Fills the disk.
    pub fn fill(&self) {
        let mut filler = std::fs::File::create(self.path("filler")).expect("a file");
        while filler.write_all(&[0; 4096]).is_ok() {}
    }

    /// Frees the space that [`Disk::fill`] took.
    pub fn empty(&self) {
        std::fs::remove_file(self.path("filler")).expect("it is full");
    }
}
