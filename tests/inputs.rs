//! The readable inputs: compressions, directories, growing and renamed files, and odd content.

mod binary;
mod bombs;
mod content;
mod damage;
mod encodings;
#[cfg(feature = "sqlite")]
mod identity;
mod links;
mod nuls;
mod own_files;
