//! What can be read: compressions, directories, growing and renamed files, and content that is not as it should be.

mod bombs;
mod content;
mod damage;
#[cfg(feature = "sqlite")]
mod identity;
mod links;
mod own_files;
