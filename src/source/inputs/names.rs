//! What the names mean that a user writes: files, directories, globs, addresses of syslog, `-`.

use std::path::{Path, PathBuf};

use super::found::{Inputs, is_own};
use super::input::Input;
use crate::core::error::{Error, Result};
use crate::core::secrets::masked;
use crate::process::job_files::{JobFiles, Look};
use crate::source::syslog;

/// Finds what `names` mean: files, directories (with all below them), globs, addresses of syslog, `-`. No name means `-`.
/// The files of the job itself, `own`, are left out where they are met.
///
/// # Errors
/// [`Kind::Usage`](crate::core::error::Kind::Usage) for a name that is not there, a glob that matches nothing and a name of one of
/// `own`: nothing should be read when the command line is not what its author meant.
pub fn find(names: &[String], own: &JobFiles) -> Result<Inputs> {
    let mut found = Inputs::each_file_once();
    let own = own.look();
    if names.is_empty() {
        found.add_stdin(&own)?;
    }
    for name in names {
        let path = Path::new(name);
        if name == "-" {
            found.add_stdin(&own)?;
        } else if let Some(address) = syslog::Address::parse(name) {
            found.push(Input::Syslog(address?));
        } else if path.symlink_metadata().is_ok() {
            refuse_own(name, &own)?;
            found.add_named(path, &own);
        } else if name.contains(['*', '?', '[']) {
            if !found.add_glob(name, &own)? {
                return Err(Error::usage(format!("{name}: no file matches")));
            }
        } else if let Some(reserved) = reserved(name) {
            return Err(Error::usage(format!("{name}: {reserved}")));
        } else {
            // Perhaps a sink's address that lacks its --to, with a password in it.
            let shown = if name.contains("://") { masked(name) } else { name.clone() };
            return Err(Error::usage(format!("{shown}: no such file or directory")));
        }
    }
    found.finish(&own);
    Ok(found)
}

/// Refuses a name of one of the job's own files.
fn refuse_own(name: &str, own: &Look) -> Result<()> {
    match own.of_path(Path::new(name)) {
        Some(own) => Err(is_own(name, own)),
        None => Ok(()),
    }
}

/// Finds what `names` mean by now, when they are followed: files, directories and globs. What is not there may come.
///
/// # Errors
/// [`Kind::Usage`](crate::core::error::Kind::Usage) for a name that cannot be followed, of which not even the directory is there,
/// or which is one of the job's `own`.
pub fn find_so_far(names: &[String], own: &JobFiles) -> Result<Inputs> {
    let mut found = Inputs::each_file_once();
    let own = own.look();
    names.iter().try_for_each(|name| refuse_own(name, &own).and_then(|()| add_so_far(&mut found, name, &own)))?;
    found.finish(&own);
    Ok(found)
}

/// Finds what `names` mean by now, when they have been followed for a while. A directory that has gone may come back. The
/// job's own files are among what is found: they are told when a file is new.
pub fn find_again(names: &[String]) -> Inputs {
    let mut found = Inputs::default();
    let nothing = JobFiles::default();
    let nothing = nothing.look();
    for name in names {
        // What a user should know was said at the start.
        let _ = add_so_far(&mut found, name, &nothing);
    }
    found.finish(&nothing);
    found
}

fn add_so_far(found: &mut Inputs, name: &str, own: &Look) -> Result<()> {
    let path = Path::new(name);
    if name == "-" {
        return Err(Error::usage("-: standard input cannot be followed, it is read as it comes; leave --follow out"));
    } else if path.symlink_metadata().is_ok() {
        if !path.is_dir() {
            found.directories.insert(directory_of(path));
        }
        found.add(path, own);
    } else if name.contains(['*', '?', '[']) {
        found.directories.extend(glob_directories(name)?);
        found.add_glob(name, own)?;
    } else if let Some(reserved) = reserved(name) {
        return Err(Error::usage(format!("{name}: {reserved}")));
    } else if directory_of(path).is_dir() {
        found.directories.insert(directory_of(path));
    } else {
        let shown = if name.contains("://") { masked(name) } else { name.to_owned() };
        return Err(Error::usage(format!("{shown}: no such file, and no directory in which it could appear")));
    }
    Ok(())
}

/// The directory that holds `path`.
fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The directories in which what `pattern` matches may appear: those that the parts of it before the last match.
fn glob_directories(pattern: &str) -> Result<Vec<PathBuf>> {
    let mut directories = Vec::new();
    let mut prefix = PathBuf::new();
    let mut wild = false;
    let parts: Vec<_> = Path::new(pattern).components().collect();
    let Some((_, before)) = parts.split_last() else { return Ok(directories) };
    let wild_part = |part: &std::path::Component| part.as_os_str().to_string_lossy().contains(['*', '?', '[']);
    for (index, part) in before.iter().enumerate() {
        prefix.push(part);
        wild |= wild_part(part);
        if wild {
            let paths = glob::glob(&prefix.to_string_lossy());
            directories.extend(paths.into_iter().flatten().flatten().filter(|path| path.is_dir()));
        } else if index + 1 == before.len() || wild_part(&before[index + 1]) {
            directories.push(prefix.clone());
        }
    }
    if before.is_empty() || wild_part(&before[0]) {
        directories.push(PathBuf::from("."));
    }
    match directories.iter().any(|directory| directory.is_dir()) {
        true => Ok(directories),
        false => Err(Error::usage(format!("{pattern}: no file matches, and no directory in which one could appear"))),
    }
}

/// Inputs of the documented command line that this version does not read.
fn reserved(name: &str) -> Option<&'static str> {
    let not_yet = "this version does not read it; files, directories, globs and - (standard input) are read";
    name.starts_with("docker:").then_some(not_yet)
}
