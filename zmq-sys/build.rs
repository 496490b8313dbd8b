//! Compiles libzmq with CURVE and with the changes of `patches.rs`. CURVE needs libsodium. If `SODIUM_USE_PKG_CONFIG`
//! is set, this is the libsodium of the system. Otherwise it is the libsodium that libsodium-sys-stable compiles.

#[path = "patches.rs"]
mod patches;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The environment variable that is set for the process that unpacks libzmq's sources.
const UNPACK: &str = "ZMQ_SYS_UNPACK";

fn main() {
    if env::var_os(UNPACK).is_some() {
        zeromq_src::Build::new().build();
        return;
    }
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=patches.rs");
    println!("cargo:rerun-if-env-changed=PROFILE");
    // The build script of libsodium-sys-stable sets this variable to the folder of libsodium's headers. It also tells
    // cargo how to link libsodium. The variable is not set if the compiler finds the headers by itself, for example
    // those of a system's libsodium.
    println!("cargo:rerun-if-env-changed=DEP_SODIUM_INCLUDE");
    let sodium = env::var_os("DEP_SODIUM_INCLUDE").map(PathBuf::from);

    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let libzmq = unpack(&out);
    for patch in patches::PATCHES {
        apply(patch, &libzmq.join("src"));
    }
    compile(&libzmq, sodium.as_deref(), &out);
    println!("cargo:include={}", libzmq.join("include").display());
    println!("cargo:lib={}", out.join("lib").display());
    println!("cargo:out={}", out.display());
}

/// Copies the sources of `zeromq-src` into a folder in `out`, and returns their path. The crate does not say where its
/// sources are, but it copies them to the folder in which it compiles them. Therefore this function lets the crate
/// compile with programs that do nothing.
fn unpack(out: &Path) -> PathBuf {
    let folder = out.join("unpacked");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("OUT_DIR can be written");
    let target = env::var("TARGET").expect("cargo sets TARGET");
    let mut command = Command::new(env::current_exe().expect("this program has a path"));
    command.env(UNPACK, "1").env("OUT_DIR", &folder);
    for tool in &["CC", "CXX", "AR", "RANLIB"] {
        // The variable that contains the target has precedence over all other variables.
        command.env(format!("{}_{}", tool, target), "true");
    }
    let done = command.output().expect("this program can be run");
    let libzmq = folder.join("source");
    if !done.status.success() || !libzmq.join("src").is_dir() {
        panic!("zeromq-src does not give its sources: {}", String::from_utf8_lossy(&done.stderr));
    }
    libzmq
}

/// Replaces the text of one patch in its file. The text must occur there exactly once. Otherwise the build fails, so
/// that a new version of libzmq is never compiled without the change by accident.
fn apply(patch: &patches::Patch, folder: &Path) {
    let path = folder.join(patch.file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {}", path.display(), error));
    let found = text.matches(patch.old).count();
    if found != 1 {
        panic!(
            "libzmq has changed: in {} the following is there {} times and not once; look at zmq-sys/patches.rs\n{}",
            patch.file, found, patch.old
        );
    }
    fs::write(&path, text.replacen(patch.old, patch.new, 1)).expect("OUT_DIR can be written");
}

/// Compiles libzmq with the settings that `zeromq-src` uses for Linux and for Apple's systems.
fn compile(libzmq: &Path, sodium: Option<&Path>, out: &Path) {
    let target = env::var("TARGET").expect("cargo sets TARGET");
    let mut sources: Vec<PathBuf> = fs::read_dir(libzmq.join("src"))
        .expect("the sources are there")
        .map(|entry| entry.expect("the sources can be read").path())
        .filter(|path| path.extension().map_or(false, |extension| extension == "cpp"))
        .collect();
    sources.sort();
    // One file includes all other files. The compiler then reads the headers of libzmq and of C++ once instead of 119
    // times. Reading them is four fifths of the work.
    let all: String = sources.iter().map(|path| format!("#include \"{}\"\n", path.display())).collect();
    let unity = out.join("libzmq.cpp");
    fs::write(&unity, all).expect("OUT_DIR can be written");
    // All defines are set below. libzmq still includes this file, so it must exist.
    fs::write(out.join("platform.hpp"), "").expect("OUT_DIR can be written");
    let mut build = cc::Build::new();
    // A user who builds logator cannot repair the causes of libzmq's warnings.
    build.cpp(true).warnings(false).flag("-w");
    build.file(unity).file(libzmq.join("external/sha1/sha1.c"));
    for folder in &[&libzmq.join("include"), &libzmq.join("src"), &libzmq.join("external/sha1"), out] {
        build.include(folder);
    }
    build.includes(sodium);
    for name in &[
        "ZMQ_USE_CV_IMPL_STL11",
        "ZMQ_STATIC",
        "ZMQ_USE_BUILTIN_SHA1",
        "ZMQ_HAVE_WS",
        "ZMQ_USE_LIBSODIUM",
        "ZMQ_HAVE_CURVE",
        "ZMQ_POLL_BASED_ON_POLL",
        "ZMQ_HAVE_IPC",
        "HAVE_STRNLEN",
        "ZMQ_HAVE_UIO",
    ] {
        build.define(name, "1");
    }
    let poller = if target.contains("apple") { "KQUEUE" } else { "EPOLL" };
    build.define(&format!("ZMQ_IOTHREAD_POLLER_USE_{}", poller), "1");
    let known = ["apple", "android", "musl"].iter().any(|system| target.contains(system));
    if known || has_strlcpy(out) {
        build.define("ZMQ_HAVE_STRLCPY", "1");
    }
    build.out_dir(out.join("lib"));
    build.compile("zmq");
}

/// Returns whether the C library has `strlcpy`. glibc has it since version 2.38.
fn has_strlcpy(out: &Path) -> bool {
    let source = out.join("strlcpy.c");
    let program = "#include <string.h>\nint main(void) { char b[2]; return (int)strlcpy(b, \"\", 1); }\n";
    fs::write(&source, program).expect("OUT_DIR can be written");
    let mut compiler = cc::Build::new().warnings(false).get_compiler().to_command();
    compiler.arg("-Werror=implicit-function-declaration").arg(&source).arg("-o").arg(out.join("strlcpy"));
    compiler.output().map_or(false, |done| done.status.success())
}
