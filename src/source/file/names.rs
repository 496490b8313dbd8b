//! Finds the files that the user's names mean: files, directories, globs.

use std::path::{Path, PathBuf};

use super::exclude::Exclude;
use super::found::Files;
use crate::core::error::{Error, Result};
use crate::process::job_files::{JobFiles, Look};
use crate::source::kind::{Name, shown};

/// Finds the files that `names` mean: files, directories (with everything below them), globs. The job's own files `own` are
/// left out, and so are those in `exclude`.
///
/// # Errors
/// [`Kind::Usage`](crate::core::error::Kind::Usage) for a path that does not exist, a glob that matches no file, and a
/// name of one of the files in `own`.
pub(super) fn find(names: &[Name], own: &JobFiles, exclude: &Exclude) -> Result<Files> {
    let mut found = Files::each_once(exclude);
    let own = own.look();
    for &Name { text: name, index, .. } in names {
        let path = Path::new(name);
        found.index = index;
        if path.symlink_metadata().is_ok() {
            refuse_own(name, &own)?;
            found.add_named(path, &own);
        } else if name.contains(['*', '?', '[']) {
            if !found.add_glob(name, &own)? {
                return Err(Error::usage(format!("{name}: no file matches")));
            }
        } else {
            return Err(Error::usage(format!("{}: no such file or directory", shown(name))));
        }
    }
    found.finish(&own);
    Ok(found)
}

/// Fails if `name` is one of the job's own files.
fn refuse_own(name: &str, own: &Look) -> Result<()> {
    match own.of_path(Path::new(name)) {
        Some(own) => Err(own.refusal(name)),
        None => Ok(()),
    }
}

/// Finds the files that `names` mean now, at the start of following: files, directories and globs. Files that are not
/// there may appear later.
///
/// # Errors
/// [`Kind::Usage`](crate::core::error::Kind::Usage) for a name that cannot be followed, whose directory does not exist,
/// or that is one of the job's own files `own`.
pub fn find_so_far(names: &[String], own: &JobFiles, exclude: &Exclude) -> Result<Files> {
    let mut found = Files::each_once(exclude);
    let own = own.look();
    names.iter().try_for_each(|name| refuse_own(name, &own).and_then(|()| add_so_far(&mut found, name, &own)))?;
    found.finish(&own);
    Ok(found)
}

/// Finds the files that `names` mean now, while they are followed. A directory that has gone may come back. The result
/// includes the job's own files; the caller detects them when a file is new.
pub fn find_again(names: &[String], exclude: &Exclude) -> Files {
    let mut found = Files::all(exclude);
    let nothing = JobFiles::default();
    let nothing = nothing.look();
    for name in names {
        // The user was told at the start.
        let _ = add_so_far(&mut found, name, &nothing);
    }
    found.finish(&nothing);
    found
}

fn add_so_far(found: &mut Files, name: &str, own: &Look) -> Result<()> {
    let path = Path::new(name);
    if path.symlink_metadata().is_ok() {
        if !path.is_dir() {
            found.directories.insert(directory_of(path));
        }
        if !found.excludes(path) {
            found.add(path, own);
        }
    } else if name.contains(['*', '?', '[']) {
        found.directories.extend(glob_directories(name)?);
        found.add_glob(name, own)?;
    } else if directory_of(path).is_dir() {
        found.directories.insert(directory_of(path));
    } else {
        let shown = shown(name);
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

/// The directories in which files that match `pattern` may appear: the directories that match `pattern` without its
/// last part.
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
