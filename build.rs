//! Refuses to be linked with a PCRE2 that is too old.
//!
//! pcre2-sys takes the PCRE2 of the machine where its development files are there, unless `PCRE2_SYS_STATIC` is 1, as
//! `.cargo/config.toml` sets it. That file does not count where cargo builds from elsewhere (`cargo install --git`).

use std::env;
use std::process::Command;

/// What `src/grok/pcre` needs.
const OLDEST: (u32, u32) = (10, 43);

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // tests/engines sets it, and with it the counters and questions of the comparisons.
    println!("cargo:rustc-check-cfg=cfg(engines)");
    for name in ["PCRE2_SYS_STATIC", "PKG_CONFIG", "PKG_CONFIG_PATH", "PKG_CONFIG_LIBDIR", "PKG_CONFIG_SYSROOT_DIR"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    // As pcre2-sys decides it.
    let is_bundled = match env::var("PCRE2_SYS_STATIC").as_deref() {
        Ok("1") => true,
        Ok("0") => false,
        _ => env::var("TARGET").is_ok_and(|target| target.contains("musl")),
    };
    if is_bundled {
        return;
    }
    let pkg_config = env::var_os("PKG_CONFIG").unwrap_or_else(|| "pkg-config".into());
    // Where there is none, pcre2-sys compiles its own.
    let Ok(output) = Command::new(pkg_config).args(["--modversion", "libpcre2-8"]).output() else { return };
    if !output.status.success() {
        return;
    }
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found < OLDEST {
        let (major, minor) = OLDEST;
        panic!(
            "pcre2-sys links this machine's PCRE2 {version}, and logator needs {major}.{minor} or later: set \
             PCRE2_SYS_STATIC=1 in the environment, and its own is compiled in"
        );
    }
}
