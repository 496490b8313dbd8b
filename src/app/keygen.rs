//! `logator keygen`: makes a pair of keys.

use std::io::Write;
use std::path::Path;

use crate::core::error::{Error, Result};
use crate::net::keys::{KeyPair, public_path};
use crate::observe::console::Console;

/// Makes a pair of keys and writes it to two files. The public key also goes to standard output.
///
/// # Errors
/// A usage error if a file exists already or cannot be written.
pub fn keygen(path: &Path, console: &Console) -> Result<()> {
    let pair = KeyPair::generate()?;
    pair.save(path)?;
    let public = public_path(path);
    console.say(format!("{}: both keys, for --curve-key; nobody else may read this file", path.display()));
    console.say(format!("{}: the public key, for --queue-key and --authorized-keys", public.display()));
    match writeln!(std::io::stdout(), "{}", pair.public()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::system("standard output cannot be written").because(error))
        }
        _ => Ok(()),
    }
}
