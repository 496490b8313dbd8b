//! A real Docker Engine for one test, its command line, and containers. `./test` brings the Engine; it is not installed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::needs::{given, requires_root};
use super::process::Process;
use super::{PATIENCE, temp_dir, wait_for};

/// The variable with the folder of the Engine, its command line and its image, as `tests/setup/docker.sh` makes it.
pub const FOLDER: &str = "LOGATOR_TEST_DOCKER";
/// The variable with the address of an Engine of the user, as Docker itself knows it.
const HOST: &str = "DOCKER_HOST";
const SCRIPT: &str = include_str!("dockerd.sh");
/// The image of all containers: busybox, with a link for each of its commands.
pub const IMAGE: &str = "logator-test:1";

/// The command line of Docker, and the Engine that it speaks to.
#[derive(Clone)]
pub struct Cli {
    host: String,
    /// The environment of the user's own Engine (`DOCKER_TLS_VERIFY`, `DOCKER_CERT_PATH`) stays as it is.
    options: Vec<String>,
}

impl Cli {
    /// Makes a command line for the Engine at `host`, with more options of `docker` (`--tlscacert …`).
    pub fn at(host: &str, options: &[&str]) -> Self {
        Cli { host: host.to_owned(), options: options.iter().map(|&option| option.to_owned()).collect() }
    }

    /// Returns the Engine's address, as `DOCKER_HOST` has it.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns `docker ARGUMENTS`.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let folder = folder();
        let mut command = Command::new(folder.join("usr/bin/docker"));
        // The configuration of this user names another Engine, perhaps.
        command.env("DOCKER_CONFIG", &folder).env_remove("DOCKER_CONTEXT");
        command.args(["--host", &self.host]).args(&self.options).args(arguments);
        command
    }

    /// Runs `docker ARGUMENTS`.
    pub fn attempt(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("docker runs")
    }

    /// Runs `docker ARGUMENTS`, which must succeed. Returns its standard output without white space at its end.
    pub fn run(&self, arguments: &[&str]) -> String {
        let ran = self.attempt(arguments);
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "docker {arguments:?}: {said}");
        String::from_utf8_lossy(&ran.stdout).trim_end().to_owned()
    }

    /// Starts a container that runs a shell script, with options of `docker run`. Returns its whole id.
    pub fn start(&self, options: &[&str], script: &str) -> String {
        let fixed = ["run", "--detach", "--network", "none"];
        self.run(&[&fixed, options, &[IMAGE, "sh", "-c", script]].concat())
    }

    /// Waits for the end of a container. Returns its exit code.
    pub fn wait(&self, container: &str) -> i32 {
        self.run(&["wait", container]).parse().expect("an exit code")
    }

    /// Returns one field of `docker inspect`, by Docker's template (`{{.LogPath}}`).
    pub fn inspect(&self, container: &str, template: &str) -> String {
        self.run(&["inspect", "--format", template, container])
    }

    fn import_image(&self) {
        let archive = folder().join("image.tar");
        let archive = archive.to_str().expect("a path in UTF-8");
        self.run(&["import", "--change", r#"CMD ["/bin/sh"]"#, archive, IMAGE]);
    }

    fn answers(&self) -> bool {
        self.attempt(&["version"]).status.success()
    }
}

fn folder() -> PathBuf {
    given(FOLDER, "a Docker").into()
}

/// An Engine of one test in a process namespace of its own. Everything in the namespace ends with the test: the Engine,
/// its containerd, its containers.
pub struct Dockerd {
    /// The first process of the namespace, which `unshare` starts.
    place: Process,
    /// `nsenter`, whose child is the Engine.
    engine: Option<Process>,
    directory: tempfile::TempDir,
    options: Vec<String>,
    cli: Cli,
}

impl Dockerd {
    /// Starts an Engine that listens at a socket in its folder.
    pub fn start() -> Self {
        Dockerd::start_with(&[])
    }

    /// Starts an Engine with more options of `dockerd` (`--live-restore`, `--log-opt max-size=1m`).
    pub fn start_with(options: &[&str]) -> Self {
        requires_root();
        let directory = temp_dir();
        let mut command = Command::new("unshare");
        command.args(["-p", "-m", "-f", "--kill-child", "--mount-proc", "sh", "-c", SCRIPT, "dockerd.sh", "place"]);
        command.arg(folder());
        let place = Process::start(&command);
        let cli = Cli::at(&format!("unix://{}/docker.sock", directory.path().display()), &[]);
        let options = options.iter().map(|&option| option.to_owned()).collect();
        let mut engine = Dockerd { place, engine: None, directory, options, cli };
        engine.launch();
        engine.cli.import_image();
        engine
    }

    /// Returns the command line for this Engine.
    pub fn cli(&self) -> &Cli {
        &self.cli
    }

    /// Returns the address of the Engine (`unix://…`).
    pub fn host(&self) -> &str {
        self.cli.host()
    }

    /// Returns the folder that the Engine has for a container: its log files are there.
    pub fn container_folder(&self, id: &str) -> PathBuf {
        self.directory.path().join("data/containers").join(id)
    }

    /// Returns the process id of the Engine, as this machine counts.
    pub fn id(&self) -> i32 {
        child_of(self.engine.as_ref().expect("the Engine runs").id(), "dockerd").expect("the Engine runs")
    }

    /// Ends the Engine with SIGTERM. It stops its containers first, except with `--live-restore`.
    pub fn stop(&mut self) {
        self.end(nix::sys::signal::Signal::SIGTERM);
    }

    /// Kills the Engine with `kill -9`. Its containers run on.
    pub fn kill(&mut self) {
        self.end(nix::sys::signal::Signal::SIGKILL);
    }

    /// Starts the Engine again on the same files, after it was stopped or killed.
    pub fn restart(&mut self) {
        assert!(self.engine.is_none(), "the Engine runs");
        self.launch();
    }

    fn launch(&mut self) {
        let data = self.directory.path();
        let place = wait_for("the Engine's namespace", PATIENCE, || {
            assert!(self.place.ended().is_none(), "no namespace can be made for an Engine");
            child_of(self.place.id(), "tini-static")
        });
        let mut command = Command::new("nsenter");
        command.args(["-t", &place.to_string(), "-p", "-m", "sh", "-c", SCRIPT, "dockerd.sh", "engine"]);
        command.arg(folder()).arg(data).arg(parent_group(data)).args(&self.options);
        // The Engine writes much, which is of interest only when it fails.
        let mut process = Process::start_logged(&command, &data.join("log"));
        wait_for("the Engine to answer", PATIENCE, || {
            process.expect_to_run("dockerd", &data.join("log"));
            self.cli.answers().then_some(())
        });
        self.engine = Some(process);
    }

    fn end(&mut self, signal: nix::sys::signal::Signal) {
        let id = nix::unistd::Pid::from_raw(self.id());
        let mut engine = self.engine.take().expect("the Engine runs");
        nix::sys::signal::kill(id, signal).expect("the Engine runs");
        wait_for("the end of dockerd", PATIENCE, || engine.ended());
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        self.place.kill();
        self.engine = None;
        remove_groups(&parent_group(self.directory.path()));
    }
}

/// Returns the child of process `parent` that is called `name`, if there is one by now.
fn child_of(parent: i32, name: &str) -> Option<i32> {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    children.split_whitespace().find_map(|child| {
        let called = std::fs::read_to_string(format!("/proc/{child}/comm")).ok()?;
        (called.trim() == name).then(|| child.parse().ok())?
    })
}

/// Returns the name of the control group of an Engine's containers.
fn parent_group(data: &Path) -> String {
    data.file_name().expect("a name").to_string_lossy().into_owned()
}

/// Removes the empty control groups that containers have left. A group that cannot be removed is left there.
fn remove_groups(name: &str) {
    fn visit(folder: &Path, name: &str, depth: usize) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let inside = depth == 0 || entry.file_name() == *name;
                if depth > 0 || inside {
                    visit(&path, name, if inside { 0 } else { depth - 1 });
                }
                if inside {
                    let _ = std::fs::remove_dir(&path);
                }
            }
        }
    }
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    for mount in mounts.lines() {
        if let [_, at, "cgroup" | "cgroup2", ..] = mount.split(' ').collect::<Vec<_>>()[..] {
            visit(Path::new(at), name, 5);
        }
    }
}

/// An Engine for a test that only starts containers and reads their logs through the API: the Engine of `DOCKER_HOST`, or
/// one of its own. The containers of the test are removed at its end.
pub struct AnyEngine {
    cli: Cli,
    unique: String,
    own: Option<Dockerd>,
}

impl AnyEngine {
    /// Finds or starts the Engine.
    pub fn get() -> Self {
        let unique = format!("logator-test-{}-{}", std::process::id(), fastrand::u32(..));
        match std::env::var(HOST) {
            Ok(host) if !host.is_empty() => {
                let cli = Cli::at(&host, &[]);
                assert!(cli.answers(), "no Engine answers at {HOST}={host}");
                cli.import_image();
                AnyEngine { cli, unique, own: None }
            }
            _ => {
                let own = Dockerd::start();
                AnyEngine { cli: own.cli().clone(), unique, own: Some(own) }
            }
        }
    }

    /// Returns the command line for this Engine.
    pub fn cli(&self) -> &Cli {
        &self.cli
    }

    /// Returns `NAME` with a part that no other test has, for a container.
    pub fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.unique)
    }

    /// Starts a container as [`Cli::start`] does, and removes it at the end of the test.
    pub fn start(&self, options: &[&str], script: &str) -> String {
        let label = format!("logator-test={}", self.unique);
        self.cli.start(&[&["--label", &label], options].concat(), script)
    }
}

impl Drop for AnyEngine {
    fn drop(&mut self) {
        if self.own.is_none() {
            // A failure is ignored: the test has its result already.
            let ours = self.cli.attempt(&["ps", "-aq", "--filter", &format!("label=logator-test={}", self.unique)]);
            for id in String::from_utf8_lossy(&ours.stdout).split_whitespace() {
                self.cli.attempt(&["rm", "--force", id]);
            }
        }
    }
}

#[test]
#[ignore = "needs a Docker: run ./test"]
fn a_container_of_a_test_runs_and_says_what_its_script_says() {
    let engine = AnyEngine::get();
    let name = engine.name("speaker");
    let id = engine.start(&["--name", &name], "echo one; echo two >&2; exit 3");
    assert_eq!(engine.cli().wait(&id), 3);
    let said = engine.cli().attempt(&["logs", &name]);
    assert_eq!((&said.stdout[..], &said.stderr[..]), (&b"one\n"[..], &b"two\n"[..]));
}

#[test]
#[ignore = "needs a dockerd of its own: run ./test"]
fn an_engine_of_a_test_comes_back_after_a_kill_and_leaves_nothing_behind() {
    let mut engine = Dockerd::start_with(&["--live-restore"]);
    let id = engine.cli().start(&[], "echo begin; while :; do sleep 1; done");
    wait_for("the container's line", PATIENCE, || (engine.cli().run(&["logs", &id]) == "begin").then_some(()));
    let log = engine.container_folder(&id).join(format!("{id}-json.log"));
    assert!(std::fs::read_to_string(log).unwrap().starts_with(r#"{"log":"begin\n","stream":"stdout","time":""#));
    let container: i32 = engine.cli().inspect(&id, "{{.State.Pid}}").parse().unwrap();
    let running = engine.id();

    engine.kill();
    engine.restart();
    assert_eq!(engine.cli().inspect(&id, "{{.State.Running}} {{.State.Pid}}"), format!("true {container}"));
    assert_ne!(engine.id(), running);
    let (group, last) = (parent_group(engine.directory.path()), engine.id());
    drop(engine);
    wait_for("the end of the Engine", PATIENCE, || (!Path::new(&format!("/proc/{last}")).exists()).then_some(()));
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
    assert!(!mounts.contains(&group), "{mounts}");
}
