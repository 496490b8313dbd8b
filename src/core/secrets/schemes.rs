//! The schemes of addresses: which of them may hold secrets. The modules that know the kinds of addresses declare them.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// Where addresses of a scheme may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrecy {
    /// Nowhere: the address is a path or empty.
    File,
    /// Nowhere: the address names a host or a socket, and has no login.
    Open,
    /// In its login and in its options.
    Login,
}

/// A scheme of addresses.
#[derive(Debug, Clone, Copy)]
pub struct Scheme {
    /// The scheme without the colon.
    pub name: &'static str,
    /// Where its addresses may hold a secret.
    pub secrecy: Secrecy,
    /// The options after the `?` that hold no secret, in lower case. The value of such an option may be an address with a login
    /// of its own.
    pub public_options: &'static [&'static str],
}

/// The schemes of this process. Of an unknown scheme everything counts as secret that may be one.
static SCHEMES: RwLock<Vec<Scheme>> = RwLock::new(Vec::new());

fn known() -> RwLockReadGuard<'static, Vec<Scheme>> {
    SCHEMES.read().unwrap_or_else(PoisonError::into_inner)
}

/// Declares schemes. Call it before any text is shown or learnt that may hold such an address.
pub fn declare(schemes: impl IntoIterator<Item = Scheme>) {
    SCHEMES.write().unwrap_or_else(PoisonError::into_inner).extend(schemes);
}

/// Returns whether the option `name` of an address with this `scheme` holds no secret.
pub(super) fn is_public_option(scheme: &str, name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    known().iter().any(|known| known.name == scheme && known.public_options.contains(&name.as_str()))
}

/// Returns whether `text` names a file.
pub(super) fn is_file(text: &str) -> bool {
    let name = text.split_once(':').map_or("", |(name, _)| name);
    !text.contains("://") && is(name, Secrecy::File)
}

/// Returns whether `text` begins like the address of a server.
pub(super) fn is_address(text: &str) -> bool {
    let (scheme, rest) = text.split_once(':').unwrap_or_default();
    let is_scheme = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let has_login = |known: &Scheme| known.secrecy == Secrecy::Login && scheme.starts_with(known.name);
    !scheme.is_empty() && is_scheme && (rest.starts_with("//") || known().iter().any(has_login))
}

/// Returns whether `text` is an address of a kind that has no password.
pub(super) fn has_no_secret(text: &str) -> bool {
    text.split_once("://").is_some_and(|(name, _)| is(name, Secrecy::Open))
}

fn is(name: &str, secrecy: Secrecy) -> bool {
    known().iter().any(|scheme| scheme.name == name && scheme.secrecy == secrecy)
}
