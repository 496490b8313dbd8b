//! Everything that is installed: the Debian package and its life, units under a real systemd, man pages, completions, the
//! configuration file, and the recipes with their programs.

mod ansible;
#[path = "../examples/assets.rs"]
mod assets;
mod compose;
mod container;
mod debian;
mod files;
mod libraries;
mod notify;
mod shippers;
mod units;
