//! Compiles libzmq with CURVE, for which it needs a libsodium: the one that libsodium-sys-stable has compiled.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=PROFILE");
    // Told by the build script of libsodium-sys-stable. A system's own libsodium does not tell them; then the compiler
    // and the linker find it where they find everything.
    let told = |name: &str| {
        println!("cargo:rerun-if-env-changed={}", name);
        env::var(name).ok()
    };
    let lib = told("DEP_SODIUM_LIB").or_else(|| told("SODIUM_LIB_DIR")).unwrap_or_else(|| "/usr/lib".into());
    let include = told("DEP_SODIUM_INCLUDE").unwrap_or_else(|| "/usr/include".into());
    // Its warnings are nobody's to mend who builds this.
    let flags = env::var("CXXFLAGS").unwrap_or_default();
    env::set_var("CXXFLAGS", flags + " -w");
    zeromq_src::Build::new()
        .with_libsodium(Some(zeromq_src::LibLocation::new(lib, include)))
        .build();
}
