//! The Containerfile. There is no registry here, so the test does the steps of its stages in a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kit::needs::requires_root;
use crate::kit::workspace::Workspace;

/// Returns the instructions in order: name and rest, with continued lines joined.
fn instructions() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(file()).unwrap().replace("\\\n", " ");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, rest) = line.split_once(' ').expect("an instruction and its arguments");
            (name.to_owned(), rest.split_whitespace().collect::<Vec<_>>().join(" "))
        })
        .collect()
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/Containerfile")
}

/// Returns the instructions of the last stage.
fn last_stage() -> Vec<(String, String)> {
    let all = instructions();
    let from = all.iter().rposition(|(name, _)| name == "FROM").unwrap();
    all[from..].to_vec()
}

#[test]
fn it_has_two_stages_labels_a_plain_user_and_a_signal() {
    let all = instructions();
    let known =
        ["ARG", "FROM", "WORKDIR", "COPY", "RUN", "LABEL", "VOLUME", "USER", "ENV", "STOPSIGNAL", "ENTRYPOINT", "CMD"];
    assert!(all.iter().all(|(name, _)| known.contains(&name.as_str())), "{all:?}");
    let stages: Vec<_> = all.iter().filter(|(name, _)| name == "FROM").map(|(_, rest)| rest.as_str()).collect();
    assert_eq!(stages, ["${RUST} AS build", "${BASE}"]);
    let of = |wanted: &str| -> Vec<String> {
        last_stage().into_iter().filter(|(name, _)| name == wanted).map(|(_, rest)| rest).collect()
    };
    assert_eq!(of("STOPSIGNAL"), ["SIGTERM"]);
    // The user is a number, so that a cluster can see that it is not root.
    assert_eq!(of("USER"), ["65532:65532"]);
    assert!(of("RUN").is_empty(), "there is no shell in the last stage");
    let labels = of("LABEL").join(" ");
    for label in ["title", "description", "licenses", "version", "revision", "created", "documentation"] {
        assert!(labels.contains(&format!("org.opencontainers.image.{label}=\"")), "{label}: {labels}");
    }
    let version = format!("VERSION={}", env!("CARGO_PKG_VERSION"));
    assert!(of("ARG").contains(&version), "the label's version is not that of Cargo.toml: {:?}", of("ARG"));
    assert!(labels.contains(concat!("description=\"", env!("CARGO_PKG_DESCRIPTION"), "\"")), "{labels}");
}

#[test]
fn what_it_copies_is_here() {
    for (_, rest) in last_stage().iter().filter(|(name, _)| name == "COPY") {
        let mut words: Vec<&str> = rest.split(' ').filter(|word| !word.starts_with("--")).collect();
        words.pop().expect("where it goes");
        for word in words.iter().filter(|_| !rest.contains("--from=build")) {
            assert!(file().parent().unwrap().parent().unwrap().join(word).exists(), "{word}");
        }
    }
}

/// The libraries of `gcr.io/distroless/cc-debian12` that programs may need.
const LIBRARIES: [&str; 10] = [
    "linux-vdso.so.1",
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libm.so.6",
    "libgcc_s.so.1",
    "libstdc++.so.6",
    "libpthread.so.0",
    "libdl.so.2",
    "libssl.so.3",
    "libcrypto.so.3",
];

/// The libraries that a build may take from this machine. The image's build compiles them.
const COMPILED_IN_THE_IMAGE: [&str; 5] =
    ["liblzma.so.5", "libsodium.so.23", "libsqlite3.so.0", "libz.so.1", "libzstd.so.1"];

#[test]
fn the_image_compiles_the_libraries_that_its_last_stage_lacks() {
    // Only liblzma and zlib are taken from the system without being asked for: rust images have their development files.
    let build = instructions();
    assert!(build.contains(&("ENV".to_owned(), "LZMA_API_STATIC=1 LIBZ_SYS_STATIC=1".to_owned())), "{build:?}");
}

/// Copies the programs and the libraries that they are linked to into `root`.
fn fill(root: &Path) {
    std::fs::create_dir_all(root.join("work")).unwrap();
    let mut libraries = BTreeMap::new();
    for name in ["logator", "logator-queue", "logator-worker", "logator-push", "logator-pull"] {
        let program = crate::kit::program(name);
        let listed = Command::new("ldd").arg(&program).output().expect("ldd runs");
        for line in String::from_utf8_lossy(&listed.stdout).lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let library = Path::new(words[0]).file_name().unwrap().to_str().unwrap().to_owned();
            assert!(
                LIBRARIES.contains(&library.as_str())
                    || COMPILED_IN_THE_IMAGE.contains(&library.as_str())
                    || !cfg!(target_arch = "x86_64"),
                "{name} needs {library}, which the image has not"
            );
            let path = words.iter().find(|word| word.starts_with('/'));
            path.map(|path| libraries.insert((*path).to_owned(), library));
        }
        let copy = root.join("usr/bin").join(name);
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        std::fs::copy(&program, &copy).unwrap();
    }
    for path in libraries.keys() {
        let copy = root.join(path.trim_start_matches('/'));
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        std::fs::copy(path, copy).unwrap();
    }
}

#[test]
fn the_programs_need_nothing_but_the_libraries_of_the_last_stage() {
    let place = Workspace::new();
    fill(&place.path("root"));
}

#[test]
#[ignore = "needs root: run ./test"]
fn the_programs_run_with_nothing_but_the_libraries_of_the_last_stage() {
    // A root directory of its own is for root alone.
    requires_root();
    let place = Workspace::new();
    let root = place.path("root");
    fill(&root);
    std::fs::write(root.join("work/a.log"), crate::kit::logs::access(0..100)).unwrap();
    std::os::unix::fs::chown(root.join("work"), Some(65_532), Some(65_532)).unwrap();
    let mut chroot = Command::new("chroot");
    chroot.arg("--userspec=65532:65532").arg(&root);
    chroot.args(["/usr/bin/logator", "run", "/work/a.log", "--to", "ndjson:/work/out", "--dead-letters", "/work/dead"]);
    let ran = chroot.output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(std::fs::read_to_string(root.join("work/out")).unwrap().lines().count(), 100);
}
