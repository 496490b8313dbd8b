//! Tests `packaging/system-libraries`, which selects the C libraries that a build links instead of compiling them.

use std::path::Path;
use std::process::Command;

/// The standard output of the script, with this program in the place of pkg-config.
fn output(pkg_config: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/system-libraries");
    let ran = Command::new(script).env("PKG_CONFIG", pkg_config).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

#[test]
fn a_library_that_is_found_is_linked() {
    let linked = [
        "export LIBSQLITE3_SYS_USE_PKG_CONFIG=1",
        "export ZSTD_SYS_USE_PKG_CONFIG=1",
        "export SODIUM_USE_PKG_CONFIG=1",
        "export PCRE2_SYS_STATIC=0",
    ];
    assert_eq!(output("true").lines().collect::<Vec<_>>(), linked);
}

#[test]
fn a_library_that_is_not_found_or_a_machine_without_pkg_config_compiles_it() {
    for pkg_config in ["false", "/there/is/no/pkg-config"] {
        let text = output(pkg_config);
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(text.lines().all(|line| line.starts_with("unset ")), "{text}");
    }
}
