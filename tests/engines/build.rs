//! Sets `cfg(engines)`, which tells grok that it is compiled for the comparisons.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(engines)");
    println!("cargo:rustc-cfg=engines");
}
