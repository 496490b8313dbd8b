//! The needs of tests: things that not every machine has.
//!
//! Such a test is ignored with a reason that names its needs: `#[ignore = "needs root: run ./test"]`. `cargo test` alone
//! names the test as ignored. `./test` runs it, or leaves it out by name with the reason (`tests/setup/left_out.sh`). A test
//! that runs without its needs fails with a sentence: no test passes because something is missing.

use std::ffi::OsString;
use std::process::Command;

/// The needs that a reason may name, as `./test` knows them.
const KNOWN: &[&str] = &[
    "a Docker",
    "a Kafka",
    "a Kafka of its own",
    "a MongoDB",
    "an Elasticsearch",
    "an OpenSearch of its own",
    "a dockerd of its own",
    "a mongod of its own",
    "a schema registry",
    "a systemd of its own",
    "ansible",
    "cargo-deb",
    "curl",
    "fastavro",
    "fish",
    "kcat",
    "kubernetes-validate",
    "libfaketime",
    "logrotate",
    "loop devices",
    "man",
    "mount namespaces",
    "nginx",
    "privileged ports",
    "pyzmq",
    "root",
    "rsyslog",
    "syslog-ng",
    "systemd-analyze",
    "the well-known definitions",
    "zsh",
];

/// Fails if this process does not belong to root.
pub fn requires_root() {
    assert!(nix::unistd::geteuid().is_root(), "this test needs root: run ./test as root");
}

/// Fails if `program` cannot be run.
pub fn requires_program(program: &str) {
    let ran = Command::new(program).arg("--version").output();
    assert!(ran.is_ok(), "this test needs {program}: install it, or run ./test");
}

/// Returns the value of `variable`, which `./test` sets to the path of a thing that it provides. Fails if the variable
/// is not set.
pub fn given(variable: &str, thing: &str) -> OsString {
    std::env::var_os(variable).unwrap_or_else(|| panic!("this test needs {thing}: run ./test, or set {variable}"))
}

/// Returns the needs that an attribute `#[ignore = "needs A, B and C: run ./test"]` names; `None` for any other line.
fn needs(line: &str) -> Option<Vec<&str>> {
    let reason = line.trim().strip_prefix("#[ignore")?;
    let reason = reason.strip_prefix(" = \"needs ").and_then(|reason| reason.strip_suffix(": run ./test\"]"));
    let Some(reason) = reason else { return Some(vec!["(no need that is named)"]) };
    Some(reason.split(", ").flat_map(|part| part.split(" and ")).collect())
}

/// Calls `check` for each Rust file of `tests` and `src`, with its path and its text.
fn each_file(check: &mut dyn FnMut(&str, &str)) {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("tests"), root.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of the package").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source file");
                check(&path.display().to_string(), &text);
            }
        }
    }
}

#[test]
fn each_ignored_test_names_needs_that_the_test_script_knows() {
    let (mut ignored, mut faults) = (0, Vec::new());
    each_file(&mut |path, text| {
        for (index, line) in text.lines().enumerate() {
            let unknown = needs(line).map(|needs| {
                ignored += 1;
                needs.into_iter().filter(|need| !KNOWN.contains(need)).map(str::to_owned).collect::<Vec<_>>()
            });
            faults.extend(unknown.into_iter().flatten().map(|need| format!("{path}:{}: {need}", index + 1)));
        }
    });
    assert!(ignored > 50, "only {ignored} ignored tests were found");
    assert!(faults.is_empty(), "unknown needs:\n{}", faults.join("\n"));
}

#[test]
fn no_test_says_that_it_was_left_out_and_passes() {
    let mut faults = Vec::new();
    // Written in two parts, so that this file does not find itself.
    let words = [concat!("ln!(\"left", " out"), concat!("ln!(\"skip", "ped")];
    each_file(&mut |path, text| {
        for (index, line) in text.lines().enumerate() {
            if words.iter().any(|words| line.contains(words)) {
                faults.push(format!("{path}:{}", index + 1));
            }
        }
    });
    assert!(faults.is_empty(), "a test that lacks something is to fail (kit::needs):\n{}", faults.join("\n"));
}
