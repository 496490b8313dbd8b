//! Finds the inputs of a job that follows files.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::found::Inputs;
use super::input::{Followed, Input};
use super::names::find_so_far;
use crate::core::error::{Error, Result};
use crate::process::job_files::JobFiles;
use crate::source::decompress::{Compression, MAGIC_BYTES};
use crate::source::syslog;

/// Finds the inputs for `names` that are followed. All files, including those that appear later, are one input. A path
/// that is neither a file nor a directory, such as a pipe, is an input of its own. `own` holds the job's own files. The
/// second value is the number of inputs that are there now.
///
/// # Errors
/// The errors of [`find_so_far`], and an error if there is nothing to follow.
pub fn find_followed(names: &[String], own: &Arc<JobFiles>) -> Result<(Inputs, usize)> {
    if names.is_empty() {
        return Err(Error::usage("--follow: name files, directories or globs; standard input is read as it comes"));
    }
    let mut inputs = Inputs::default();
    let mut rest = Vec::new();
    for name in names {
        match syslog::Address::parse(name) {
            Some(address) => inputs.push(Input::Syslog(address?)),
            None => rest.push(name.clone()),
        }
    }
    let (names, received) = (rest, inputs.inputs.len());
    let found = find_so_far(&names, own)?;
    let pipe = |name: &&String| Path::new(name).metadata().is_ok_and(|data| !data.is_file() && !data.is_dir());
    let (pipes, names): (Vec<&String>, Vec<&String>) = names.iter().partition(pipe);
    let complete = |name: &&String| Path::new(name).is_file() && is_compressed(Path::new(name));
    if let Some(name) = names.first().filter(|_| names.iter().all(complete)) {
        let others = if names.len() > 1 { "compressed files are" } else { "a compressed file is" };
        return Err(Error::usage(format!("--follow {name}: {others} complete and read once; leave --follow out")));
    }
    let files = found.inputs.len() + received;
    (inputs.notes, inputs.warnings) = (found.notes, found.warnings);
    if !names.is_empty() {
        let names = names.into_iter().cloned().collect();
        inputs.push(Input::Followed(Arc::new(Followed { names, own: Arc::clone(own) })));
    }
    pipes.into_iter().for_each(|pipe| inputs.push(Input::File(PathBuf::from(pipe))));
    Ok((inputs, files))
}

/// Whether a file begins like a compressed file.
fn is_compressed(path: &Path) -> bool {
    use std::io::Read;
    let mut magic = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAGIC_BYTES as u64).read_to_end(&mut magic));
    read.is_ok() && Compression::of(&magic) != Compression::None
}
