//! The readable inputs: compressions, directories, growing and renamed files, and odd content.

mod bombs;
mod content;
mod damage;
#[cfg(feature = "sqlite")]
mod identity;
mod links;
mod own_files;
