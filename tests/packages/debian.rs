//! The Debian package, built by cargo-deb from the programs of the tests, and its installation, upgrade and removal by
//! dpkg.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::kit::logs::access;
use crate::kit::needs::{given, requires_program, requires_root};
use crate::kit::workspace::Workspace;
use crate::kit::{program, temp_dir};

/// The programs of the package.
const PROGRAMS: [&str; 6] =
    ["logator", "logator-queue", "logator-worker", "logator-push", "logator-pull", "logator-probe"];

/// Builds the package once for all tests.
fn package() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let cargo_deb = given("LOGATOR_TEST_CARGO_DEB", "cargo-deb");
        // The folder is in the build's folder, and the next run replaces it. A temporary folder in a static would never
        // be removed.
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("package");
        let _ = std::fs::remove_dir_all(&directory);
        let package = directory.join("logator.deb");
        // cargo-deb takes programs from target/release alone. A release build would cost minutes, and the programs of
        // the tests are good enough for this. So links under that name lead to them.
        let target = directory.join("target");
        let release = target.join("release");
        std::fs::create_dir_all(&release).unwrap();
        super::assets::write(&release.join("assets")).unwrap();
        for name in PROGRAMS {
            std::os::unix::fs::symlink(program(name), release.join(name)).unwrap();
        }
        let mut command = Command::new(cargo_deb);
        command.args(["--no-build", "--locked", "--offline", "--strip", "--fast", "--output"]).arg(&package);
        command.current_dir(env!("CARGO_MANIFEST_DIR")).env("CARGO_TARGET_DIR", &target);
        run(&mut command);
        package
    })
}

/// Unpacks the package at `to`.
pub fn unpack(to: &Path) {
    run(Command::new("dpkg-deb").arg("-x").arg(package()).arg(to));
}

/// Runs a command that must succeed. Returns both of its outputs.
fn run(command: &mut Command) -> String {
    let ran = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{command:?}\n{said}");
    said
}

#[test]
#[ignore = "needs cargo-deb: run ./test"]
fn it_has_everything_and_its_programs_run() {
    let place = Workspace::new();
    let root = place.path("root");
    unpack(&root);
    for path in [
        "etc/logator/logator.toml",
        "usr/lib/systemd/system/logator-queue.service",
        "usr/lib/systemd/system/logator-worker@.service",
        "usr/lib/systemd/system/logator-push.service",
        "usr/lib/systemd/system/logator-push.socket",
        "usr/lib/systemd/system/logator-probe.service",
        "usr/lib/sysusers.d/logator.conf",
        "usr/share/bash-completion/completions/logator-worker",
        "usr/share/zsh/vendor-completions/_logator-queue",
        "usr/share/fish/vendor_completions.d/logator.fish",
        "usr/share/man/man1/logator-run.1.gz",
        "usr/share/man/man1/latency-logger.1.gz",
        "usr/share/bash-completion/completions/latency-logger",
        "usr/share/doc/logator/examples/demo.csv",
        "usr/share/doc/logator/copyright",
        "usr/share/doc/logator/changelog.Debian.gz",
        "usr/share/doc/logator/README.md",
        "usr/share/doc/logator/packages.md",
        "usr/share/doc/logator/contrib/rsyslog.conf",
        "usr/share/doc/logator/contrib/systemd/queue-keys.conf",
    ] {
        assert!(root.join(path).is_file(), "{path} is missing");
    }
    place.write("a.log", access(0..1000));
    let run_from = |name: &str, arguments: &[&str]| {
        run(Command::new(root.join("usr/bin").join(name)).args(arguments).current_dir(place.path(".")))
    };
    for name in PROGRAMS.into_iter().chain(["latency-logger"]) {
        assert_eq!(run_from(name, &["--version"]).trim(), format!("{name} {}", env!("CARGO_PKG_VERSION")));
    }
    run_from("logator", &["run", "a.log", "--to", "ndjson:out"]);
    assert_eq!(place.objects("out").len(), 1000);
    // A queue finds the worker program in its own folder.
    let endpoint = place.endpoint();
    run_from("logator-queue", &["a.log", "--bind", &endpoint, "--spawn=1", "--", "--to", "ndjson:spawned"]);
    assert_eq!(place.objects("spawned").len(), 1000);
    let fields = run(Command::new("dpkg-deb").arg("-f").arg(package()));
    // cargo-deb breaks the line after 79 characters, and dpkg takes the next line for another paragraph.
    let synopsis = concat!("Description: ", env!("CARGO_PKG_DESCRIPTION"), "\n");
    for field in ["Package: logator", "Depends: libc6", "Maintainer: ", "Section: utils", synopsis] {
        assert!(fields.contains(field), "{field}: {fields}");
    }
    let version = format!("Version: {}-1", env!("CARGO_PKG_VERSION"));
    let changelog = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/debian/changelog"));
    assert!(fields.contains(&version), "{fields}");
    assert!(changelog.unwrap().starts_with(&format!("logator ({}-1) ", env!("CARGO_PKG_VERSION"))));
}

/// dpkg with its own root directory.
struct Dpkg {
    root: PathBuf,
}

impl Dpkg {
    fn new(root: PathBuf) -> Self {
        for folder in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "etc", "usr/bin"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        std::fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
        Dpkg { root }
    }

    fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("dpkg");
        command.arg(format!("--root={}", self.root.display()));
        // That root has neither libc nor a shell. Scripts run in the root of this machine, and DPKG_ROOT names the
        // other root.
        command.args(["--force-depends", "--force-not-root", "--force-script-chrootless", "--force-confold"]);
        run(command.args(arguments).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"))
    }

    fn text(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.root.join(path)).ok()
    }
}

/// Makes the package again, as a later version with another configuration file.
fn later(place: &Workspace) -> String {
    let tree = place.path("later");
    run(Command::new("dpkg-deb").arg("-R").arg(package()).arg(&tree));
    let rewrite = |path: &str, from: &str, to: &str| {
        let path = tree.join(path);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
    };
    rewrite("DEBIAN/control", concat!("Version: ", env!("CARGO_PKG_VERSION"), "-1"), "Version: 99.0-1");
    rewrite("etc/logator/logator.toml", "[queue]", "# New.\n[queue]");
    let package = place.path("later.deb").display().to_string();
    run(Command::new("dpkg-deb").args(["-Znone", "--root-owner-group", "-b"]).arg(&tree).arg(&package));
    package
}

#[test]
#[ignore = "needs cargo-deb: run ./test"]
fn an_upgrade_keeps_an_edited_configuration_and_purging_removes_it() {
    let place = Workspace::new();
    let dpkg = Dpkg::new(place.path("root"));
    let conffile = "etc/logator/logator.toml";
    dpkg.run(&["-i", &package().display().to_string()]);
    let shipped = dpkg.text(conffile).unwrap();
    let edited = shipped.replace("#jobs = \"auto\"", "jobs = 1");
    assert_ne!(edited, shipped);
    std::fs::write(dpkg.root.join(conffile), &edited).unwrap();
    dpkg.run(&["-i", &later(&place)]);
    assert_eq!(dpkg.text(conffile).as_ref(), Some(&edited), "an upgrade took an edited file away");
    assert_eq!(dpkg.text(&format!("{conffile}.dpkg-dist")), Some(shipped.replace("[queue]", "# New.\n[queue]")));
    assert!(dpkg.run(&["-s", "logator"]).contains("Version: 99.0-1"));

    // Files that a user leaves there belong to the user.
    std::fs::create_dir_all(dpkg.root.join("var/lib/logator/queue")).unwrap();
    std::fs::write(dpkg.root.join("var/lib/logator/queue/dead-letters.ndjson"), "{}\n").unwrap();
    dpkg.run(&["-r", "logator"]);
    assert!(!dpkg.root.join("usr/bin/logator").exists() && dpkg.text(conffile).as_ref() == Some(&edited));
    dpkg.run(&["-P", "logator"]);
    assert!(!dpkg.root.join("etc/logator").exists(), "purging left the configuration");
    assert!(dpkg.text("var/lib/logator/queue/dead-letters.ndjson").is_some(), "purging took data");
}

#[test]
#[ignore = "needs cargo-deb, root and systemd-analyze: run ./test"]
fn an_installation_makes_the_user_of_the_services() {
    requires_root();
    // The user is made by systemd-sysusers, which comes with systemd-analyze.
    requires_program("systemd-sysusers");
    let place = Workspace::new();
    let dpkg = Dpkg::new(place.path("root"));
    dpkg.run(&["-i", &package().display().to_string()]);
    let users = dpkg.text("etc/passwd").unwrap_or_default();
    assert!(users.contains("logator:") && users.contains("/usr/sbin/nologin"), "no user was made: {users}");
}

#[test]
fn maintainer_scripts_are_shell_and_do_nothing_they_are_not_asked_for() {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/debian");
    for name in ["postinst", "prerm", "postrm"] {
        let script = scripts.join(name);
        run(Command::new("sh").arg("-n").arg(&script));
        // These are all the ways in which dpkg calls the scripts after a failure.
        for action in ["abort-upgrade", "abort-remove", "failed-upgrade", "disappear", "deconfigure"] {
            let root = temp_dir();
            run(Command::new("sh").arg(&script).arg(action).env("DPKG_ROOT", root.path()));
            assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0, "{name} {action}");
        }
    }
}
