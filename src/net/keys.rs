//! CURVE keys: their text form, key files, and the list of authorized keys.
//!
//! A key has 32 bytes. Its text form is Z85 (ZeroMQ's base 85, RFC 32): 40 characters without blanks, quotes or
//! backslashes. A pair consists of two keys: the public key names its owner, and the secret key proves that it is the
//! owner.
//!
//! | file | content | who may read it |
//! |---|---|---|
//! | key file | `public-key = "…"` and `secret-key = "…"`, one line each; certificates of CZMQ and pyzmq load as well | its owner |
//! | public file | one line: the key, a blank, its name | everybody |
//! | list of keys | lines of public files, one for each worker | the queue's user |
//!
//! The list is refused if other users can write it or its folder, because they could add their own keys.
//!
//! In all these files a line that begins with `#` is a comment. A key that itself begins with `#` is written in quotes.

use std::collections::HashMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::core::error::{Error, Result};
use crate::core::small_file::{self, KEYS, SECRET};

/// The length of a key in bytes.
const KEY_BYTES: usize = 32;

/// The length of a key's text form in characters.
const KEY_TEXT: usize = 40;

const Z85: &[u8; 85] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// The public key of a pair.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; KEY_BYTES]);

impl PublicKey {
    /// Reads 40 characters of Z85. Returns `None` for any other text.
    pub fn parse(text: &str) -> Option<PublicKey> {
        decode(text).map(PublicKey)
    }

    /// Reads the bytes of a key. Returns `None` if there are not 32 of them.
    pub fn from_bytes(bytes: &[u8]) -> Option<PublicKey> {
        bytes.try_into().ok().map(PublicKey)
    }

    /// Returns the bytes, as libzmq takes them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads the argument of `--queue-key`: a key, or the path of a file. In a file the first line that is no comment
    /// begins with the key.
    ///
    /// # Errors
    /// A usage error if the argument is neither.
    pub fn named(text: &str) -> Result<PublicKey> {
        if let Some(key) = PublicKey::parse(text) {
            return Ok(key);
        }
        let path = Path::new(text);
        if !path.exists() {
            return Err(Error::usage(format!(
                "{text}: neither a public key of {KEY_TEXT} characters nor a file (logator keygen makes both)"
            )));
        }
        let content = read(small_file::open(path, KEYS), path)?;
        let mut keys = entries(&content);
        match keys.next() {
            Some((_, Some((key, _)))) => Ok(key),
            // A key file contains the public key too.
            _ => value_of(&content, "public-key").and_then(PublicKey::parse).ok_or_else(|| {
                Error::usage(format!("{text}: there is no public key in it (logator keygen writes one to FILE.pub)"))
            }),
        }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// A public and a secret key. `Debug` shows only the public key.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPair {
    public: PublicKey,
    secret: [u8; KEY_BYTES],
}

impl KeyPair {
    /// Makes a new pair from libsodium's random numbers. Its public key does not begin with `#`.
    ///
    /// # Errors
    /// libzmq cannot make a pair.
    pub fn generate() -> Result<KeyPair> {
        loop {
            let made = zmq::CurveKeyPair::new()
                .map_err(|error| Error::system("libzmq cannot make a pair of keys").because(error))?;
            let pair = KeyPair { public: PublicKey(made.public_key), secret: made.secret_key };
            if !pair.public.to_string().starts_with('#') {
                return Ok(pair);
            }
        }
    }

    /// Returns the public key.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// Returns the bytes of the secret key, as libzmq takes them.
    pub(crate) fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// A usage error if the file cannot be read, if other users can read it, or if it contains no pair.
    pub fn load(path: &Path) -> Result<KeyPair> {
        let shown = path.display();
        let opened = small_file::open(path, SECRET);
        // This checks the file that was opened. The path may lead to another file by now.
        if let Ok(mode) = opened.as_ref().map_err(drop).and_then(|file| file.metadata().map_err(drop)) {
            let mode = mode.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(Error::usage(format!(
                    "{shown}: others can read this secret key (mode {mode:04o}); it is not used. chmod 600 {shown}, or \
                     make a new pair if somebody may have taken it"
                )));
            }
        }
        let content = read(opened, path)?;
        let half = |name: &str| {
            value_of(&content, name).and_then(decode).ok_or_else(|| {
                Error::usage(format!(
                    "{shown}: no {name} = \"…\" of {KEY_TEXT} characters in it; logator keygen makes such a file"
                ))
            })
        };
        Ok(KeyPair { public: PublicKey(half("public-key")?), secret: half("secret-key")? })
    }

    /// Writes the pair to `path`, readable only by its owner, and the public key to the [public file](public_path).
    /// Neither file may exist.
    ///
    /// # Errors
    /// A usage error if one of the files exists or cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let public = public_path(path);
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let name: String = name.split_whitespace().collect::<Vec<_>>().join("-");
        let secret = encode(&self.secret);
        let pair = format!(
            "# A logator key pair. Anybody who reads this file can pose as its owner. Give {} to the others.\n\
             public-key = \"{}\"\nsecret-key = \"{secret}\"\n",
            public.file_name().unwrap_or_default().to_string_lossy(),
            self.public
        );
        if public.symlink_metadata().is_ok() {
            return Err(there_already(&public));
        }
        create(path, 0o600, &pair)?;
        create(&public, 0o644, &format!("{} {name}\n", self.public)).inspect_err(|_| {
            // One key without the other is of no use, and its file would stop the next attempt.
            let _ = std::fs::remove_file(path);
        })
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({}, secret ***)", self.public)
    }
}

/// Returns the path of the public file that belongs to the key file at `path`.
pub fn public_path(path: &Path) -> PathBuf {
    let mut public = path.as_os_str().to_owned();
    public.push(".pub");
    public.into()
}

fn there_already(path: &Path) -> Error {
    Error::usage(format!("{}: the file exists, and a key is never overwritten; name another file", path.display()))
}

fn create(path: &Path, mode: u32, content: &str) -> Result<()> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => there_already(path),
        _ => Error::usage(format!("{}: the key cannot be written", path.display())).because(error),
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(failed)?;
    file.write_all(content.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| {
        let _ = std::fs::remove_file(path);
        failed(error)
    })
}

fn read(opened: std::io::Result<File>, path: &Path) -> Result<String> {
    opened
        .and_then(|file| small_file::read(file, KEYS))
        .and_then(small_file::as_text)
        .map_err(|error| Error::usage(format!("{}: the keys cannot be read", path.display())).because(error))
}

/// Returns the value in a line `name = "…"`.
fn value_of<'a>(content: &'a str, name: &str) -> Option<&'a str> {
    content.lines().find_map(|line| {
        let (left, right) = line.split_once('=')?;
        (left.trim() == name).then(|| right.trim().trim_matches(['"', '\'']))
    })
}

/// Returns the lines of a list of keys, with their numbers from 1. Each is a key and its name, or `None` if the line
/// holds no key. Comments and empty lines are left out.
fn entries(content: &str) -> impl Iterator<Item = (usize, Option<(PublicKey, &str)>)> {
    let lines = content.lines().map(str::trim).enumerate();
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).map(|(index, line)| {
        let (key, name) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        (index + 1, PublicKey::parse(key.trim_matches('"')).map(|key| (key, name.trim())))
    })
}

/// The list of authorized keys.
#[derive(Debug)]
pub struct Authorized {
    path: PathBuf,
    /// A key that is authorized whatever the file contains: the key of the workers that the queue starts itself.
    own: Option<PublicKey>,
    names: RwLock<HashMap<PublicKey, String>>,
    /// The number of times the file was read again.
    edition: AtomicU64,
}

impl Authorized {
    /// Reads the list at `path`. The key `own` is authorized as well.
    ///
    /// # Errors
    /// A usage error that names the line without a key.
    pub fn load(path: &Path, own: Option<PublicKey>) -> Result<Authorized> {
        let names = RwLock::new(list(path)?);
        Ok(Authorized { path: path.to_owned(), own, names, edition: AtomicU64::new(0) })
    }

    /// Reads the file again, and returns the number of its keys. After an error the list stays as it was.
    ///
    /// # Errors
    /// The errors of [`load`](Authorized::load).
    pub fn reload(&self) -> Result<usize> {
        let names = list(&self.path)?;
        let count = names.len();
        *self.names.write().unwrap_or_else(PoisonError::into_inner) = names;
        self.edition.fetch_add(1, Ordering::Release);
        Ok(count)
    }

    /// Returns whether `key` is authorized.
    pub fn allows(&self, key: &PublicKey) -> bool {
        self.own.as_ref() == Some(key) || self.names.read().unwrap_or_else(PoisonError::into_inner).contains_key(key)
    }

    /// Returns a number that changes with each [`reload`](Authorized::reload).
    pub fn edition(&self) -> u64 {
        self.edition.load(Ordering::Acquire)
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the number of keys in the file.
    pub fn len(&self) -> usize {
        self.names.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Returns whether the file contains no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The path of a list without keys, for a queue that lets in only its own workers.
const EMPTY: &str = "/dev/null";

fn list(path: &Path) -> Result<HashMap<PublicKey, String>> {
    if path == Path::new(EMPTY) {
        return Ok(HashMap::new());
    }
    let opened = small_file::open(path, KEYS);
    if let Ok(file) = &opened {
        refuse_strangers(file, path)?;
    }
    let content = read(opened, path)?;
    let mut names = HashMap::new();
    for (line, entry) in entries(&content) {
        let Some((key, name)) = entry else {
            return Err(Error::usage(format!(
                "{}:{line}: no public key; a line is KEY NAME, as logator keygen writes it to FILE.pub, and a comment \
                 begins with #",
                path.display()
            )));
        };
        names.insert(key, name.to_owned());
    }
    Ok(names)
}

/// Refuses a list that users other than its owner and root can write or replace. They could add their own keys. A user
/// who can write the folder can replace the list. `opened` is the file at `path`.
fn refuse_strangers(opened: &File, path: &Path) -> Result<()> {
    let shown = path.display();
    let failed = |error| Error::usage(format!("{shown}: the keys cannot be read")).because(error);
    let us = nix::unistd::geteuid().as_raw();
    let wrong = |what: String, remedy: String| {
        Err(Error::usage(format!(
            "{shown}: {what}, so they could add their own keys; the list is not used. {remedy}, and check its keys"
        )))
    };
    let data = opened.metadata().map_err(failed)?;
    let mode = data.mode() & 0o7777;
    if mode & 0o022 != 0 {
        return wrong(format!("others can write this list of keys (mode {mode:04o})"), format!("chmod go-w {shown}"));
    }
    if data.uid() != us && data.uid() != 0 {
        return wrong(format!("user {} owns this list of keys", data.uid()), format!("chown it to user {us} or root"));
    }
    // The folder of the file that symbolic links lead to.
    let resolved = path.canonicalize().map_err(failed)?;
    for folder in resolved.parent().into_iter().chain(path.parent().filter(|folder| !folder.as_os_str().is_empty())) {
        let data = folder.metadata().map_err(failed)?;
        let (mode, folder) = (data.mode() & 0o7777, folder.display());
        // In a sticky folder like /tmp, users cannot replace the files of others.
        if mode & 0o022 != 0 && mode & 0o1000 == 0 {
            return wrong(
                format!("others can write its folder {folder} (mode {mode:04o})"),
                format!("chmod go-w {folder}"),
            );
        }
    }
    Ok(())
}

fn encode(bytes: &[u8; KEY_BYTES]) -> String {
    let mut text = String::with_capacity(KEY_TEXT);
    for chunk in bytes.as_chunks::<4>().0 {
        let value = u32::from_be_bytes(*chunk);
        text.extend([4, 3, 2, 1, 0].map(|power| char::from(Z85[(value / 85_u32.pow(power) % 85) as usize])));
    }
    text
}

fn decode(text: &str) -> Option<[u8; KEY_BYTES]> {
    let text: &[u8; KEY_TEXT] = text.as_bytes().try_into().ok()?;
    let mut bytes = [0; KEY_BYTES];
    for (chunk, output) in text.as_chunks::<5>().0.iter().zip(bytes.as_chunks_mut::<4>().0) {
        let mut value: u64 = 0;
        for character in chunk {
            value = value * 85 + Z85.iter().position(|known| known == character)? as u64;
        }
        *output = u32::try_from(value).ok()?.to_be_bytes();
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
