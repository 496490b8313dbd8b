//! The role for Ansible in `contrib/ansible`: its syntax, ansible-lint, what it writes, and a run under a real systemd.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kit::needs::given;
use crate::kit::program;
use crate::kit::systemd::Systemd;
use crate::kit::workspace::Workspace;

fn role() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/ansible")
}

/// Returns a command of Ansible, which works in `folder` and leaves no files in the home directory.
fn ansible(place: &Workspace, folder: &Path, name: &str) -> Command {
    let root = PathBuf::from(given("LOGATOR_TEST_ANSIBLE", "ansible-core and ansible-lint"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([root.join("bin")].into_iter().chain(std::env::split_paths(&path))).unwrap();
    let mut command = Command::new(given("LOGATOR_TEST_PYTHON", "a Python"));
    command.arg(root.join("bin").join(name)).current_dir(folder).env("PATH", path).env("PYTHONPATH", &root);
    command.env("HOME", place.path(".")).env("ANSIBLE_HOME", place.path("ansible")).env("NO_COLOR", "1");
    command.env("ANSIBLE_LOCALHOST_WARNING", "false").env("LC_ALL", "C.UTF-8");
    command
}

/// Runs a command. Returns whether it succeeded, and both of its outputs.
fn ran(command: &mut Command) -> (bool, String) {
    let ran = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    (ran.status.success(), said)
}

/// Copies the role, with one text replaced in one of its files.
fn changed(place: &Workspace, file: &str, from: &str, to: &str) -> PathBuf {
    let copy = place.path("copy");
    let _ = std::fs::remove_dir_all(&copy);
    assert!(Command::new("cp").arg("-r").arg(role()).arg(&copy).status().unwrap().success());
    let text = std::fs::read_to_string(copy.join(file)).unwrap();
    assert!(text.contains(from), "{file} has no {from}");
    std::fs::write(copy.join(file), text.replacen(from, to, 1)).unwrap();
    copy
}

/// Lets the tasks that Ansible runs on this machine use the Python that Ansible itself uses. Another Python may lack what they need.
const PYTHON: &str = "ansible_python_interpreter={{ ansible_playbook_python }}";

#[test]
#[ignore = "needs ansible: run ./test"]
fn the_syntax_of_the_playbook_and_of_the_role_is_right() {
    let place = Workspace::new();
    let check = |folder: &Path| {
        ran(ansible(&place, folder, "ansible-playbook").args(["--syntax-check", "-i", "inventory.yml", "site.yml"]))
    };
    let (right, said) = check(&role());
    assert!(right && said.contains("playbook: site.yml"), "{said}");
    for (file, from, to) in [
        ("site.yml", "role: logator", "role: logators"),
        ("roles/logator/tasks/services.yml", "enabled: true", "enabled: true: false"),
        ("roles/logator/tasks/main.yml", "import_tasks: keys.yml", "import_tasks: key.yml"),
    ] {
        let (right, said) = check(&changed(&place, file, from, to));
        assert!(!right, "{file}, {to}: {said}");
    }
}

#[test]
#[ignore = "needs ansible: run ./test"]
fn ansible_lint_finds_nothing_in_the_strictest_profile() {
    let place = Workspace::new();
    let check = |folder: &Path| {
        ran(ansible(&place, folder, "ansible-lint").args([
            "--offline",
            "--strict",
            "--profile",
            "production",
            "site.yml",
            "roles/logator",
        ]))
    };
    // A copy, because ansible-lint writes a folder of its own beside the files.
    let (right, said) = check(&changed(&place, "README.md", "# A role", "# A role"));
    assert!(right && said.contains("Passed: 0 failure(s), 0 warning(s) in "), "{said}");
    assert!(!said.contains(" in 0 files"), "{said}");
    for (file, from, to) in [
        ("roles/logator/tasks/configuration.yml", "    mode: \"0640\"\n", ""),
        ("roles/logator/tasks/services.yml", "ansible.builtin.meta", "meta"),
        ("roles/logator/defaults/main.yml", "logator_port: 7700", "port: 7700"),
    ] {
        let (right, said) = check(&changed(&place, file, from, to));
        assert!(!right, "{file}: {said}");
    }
}

#[test]
#[ignore = "needs ansible: run ./test"]
fn the_programs_read_the_configuration_that_the_role_writes() {
    let place = Workspace::new();
    let own = r#"{"logator_queue_settings": {"input": ["/var/log/\"a\".log", "/b/grün"], "follow": true},
        "logator_worker_settings": {"format": ["combined"], "to": ["null:"]}, "logator_settings": {"log-level": "warn"},
        "logator_push_settings": {"queue": 7}, "logator_keys": KEYS, "groups": {"logator_queues": ["q1", "q2"]}}"#;
    for keys in ["false", "true"] {
        let path = place.path(&format!("{keys}.toml"));
        let source = role().join("roles/logator/templates/logator.toml.j2");
        let play = format!(
            "- hosts: localhost\n  connection: local\n  gather_facts: false\n  vars_files: [{0}/defaults/main.yml, {0}/vars/main.yml]\n  \
             tasks:\n    - ansible.builtin.add_host: {{name: \"{{{{ item }}}}\", groups: logator_queues}}\n      loop: [q1, q2]\n    \
             - ansible.builtin.template: {{src: {1}, dest: {2}, mode: \"0600\"}}\n",
            role().join("roles/logator").display(),
            source.display(),
            path.display()
        );
        place.write("play.yml", play);
        let mut command = ansible(&place, &place.path("."), "ansible-playbook");
        let (right, said) =
            ran(command.args(["-i", "localhost,", "play.yml", "-e", PYTHON, "-e", &own.replace("KEYS", keys)]));
        assert!(right, "{said}");
        let text = std::fs::read_to_string(&path).unwrap();
        let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
        let (queue, worker) = (&table["queue"], &table["worker"]);
        assert_eq!(queue["input"].as_array().unwrap()[1].as_str(), Some("/b/grün"));
        assert_eq!((&queue["follow"], &table["push"]["queue"]), (&true.into(), &7.into()), "{text}");
        assert_eq!(queue["state"].as_str(), Some("/var/lib/logator/queue/state"), "{text}");
        let (binds, from) = (queue["bind"].as_array().unwrap().len(), worker["from"].as_array().unwrap());
        match keys {
            "true" => {
                assert_eq!((binds, from[1].as_str()), (2, Some("tcp://q2:7700")), "{text}");
                let keys = worker["queue-key"].as_array().unwrap();
                assert_eq!(keys[1].as_str(), Some("/etc/logator/queue-q2.key.pub"), "{text}");
            }
            _ => assert_eq!((binds, from.len(), worker.get("queue-key")), (1, 1, None), "{text}"),
        }
        // The check of the role: a program reads the file and does nothing.
        for name in ["logator-queue", "logator-worker", "logator-push"] {
            let (right, said) = ran(Command::new(program(name)).arg("--config").arg(&path).arg("--version"));
            assert!(right, "{name}: {said}\n{text}");
        }
        std::fs::write(&path, text.replace("follow = true", "folow = true")).unwrap();
        let (right, said) = ran(Command::new(program("logator-queue")).arg("--config").arg(&path).arg("--version"));
        assert!(!right && said.contains("did you mean follow?"), "{said}");
    }
}

/// Runs the role in a system with logator, and shows what it did. The host is queue and worker.
const RUN: &str = r#"
    export PYTHONPATH=/usr/lib/ansible-of-the-test HOME=/root ANSIBLE_HOME=/root/ansible LC_ALL=C.UTF-8
    cd /usr/share/doc/logator/contrib/ansible
    cat >/root/inventory.yml <<'END'
all:
  vars: {ansible_connection: local, ansible_python_interpreter: /usr/bin/python3}
  children:
    logator_queues: {hosts: {localhost: {}}}
    logator_workers: {hosts: {localhost: {}}}
END
    cat >/root/vars.yml <<'END'
logator_queue_enabled: true
logator_workers: ["1"]
logator_push_enabled: true
logator_keys: true
logator_queue_settings: {input: [/var/log/app/], follow: true}
logator_worker_settings: {pattern: ['word %{INT:number:int}'], to: ['ndjson:out.ndjson'], log-level: WORDS}
logator_secrets: {database: "a password"}
END
    /usr/bin/python3 /usr/lib/ansible-of-the-test/bin/ansible-playbook -i /root/inventory.yml -e @/root/vars.yml site.yml
"#;

#[test]
#[ignore = "needs ansible, cargo-deb, root and a systemd of its own: run ./test"]
fn the_role_starts_services_that_work_with_keys_and_a_second_run_changes_nothing() {
    let place = Workspace::new();
    let package = place.path("package");
    super::debian::unpack(&package);
    let ansible = PathBuf::from(given("LOGATOR_TEST_ANSIBLE", "ansible-core"));
    let inside = package.join("usr/lib/ansible-of-the-test");
    assert!(Command::new("cp").arg("-r").arg(ansible).arg(inside).status().unwrap().success());
    let system = Systemd::boot(&package);
    // The first service would start this, and it empties /tmp, where Ansible keeps its files.
    system.sh("systemctl start sysinit.target");
    system.sh("systemd-sysusers && echo 127.0.0.1 localhost >/etc/hosts && mkdir -p /var/log/app && seq -f 'word %.0f' 1000 >/var/log/app/a.log");
    let run = |level: &str| system.sh(&RUN.replace("WORDS", level));
    let first = run("info");
    assert!(first.contains("failed=0") && !first.contains("a password"), "{first}");
    let stored = || system.try_sh("cat /var/lib/logator/worker-1/out.ndjson | wc -l").0;
    crate::kit::wait_for("the documents", crate::kit::PATIENCE, || (stored().trim() == "1000").then_some(()));
    for (file, mode) in [
        ("/etc/logator/queue.key", "600 root root"),
        ("/etc/logator/worker.key", "600 root root"),
        ("/etc/logator/logator.toml", "640 root logator"),
        ("/etc/logator/secrets", "750 root logator"),
        ("/etc/logator/secrets/database", "400 logator logator"),
        ("/etc/logator/authorized-keys", "644 root root"),
    ] {
        assert_eq!(system.sh(&format!("stat -c '%a %U %G' {file}")).trim(), mode, "{file}");
    }
    system.sh("ss -lnt | grep -q ':7700' && systemctl is-enabled logator-queue logator-worker@1 logator-push.socket");
    let second = run("info");
    assert!(second.contains("changed=0") && second.contains("failed=0"), "{second}");
    // A change restarts the services, and a mistake changes nothing.
    let started = || system.sh("systemctl show -p ActiveEnterTimestampMonotonic --value logator-worker@1");
    let before = started();
    assert!(run("warn").contains("failed=0") && started() != before);
    let before = started();
    let (said, right) = system.try_sh(&RUN.replace("WORDS", "info, no-such-key: 1"));
    assert!(!right && said.contains("unknown key no-such-key"), "{said}");
    assert_eq!(started(), before);
    system.sh("grep -q 'log-level = \"warn\"' /etc/logator/logator.toml && systemctl is-active logator-queue");
}
