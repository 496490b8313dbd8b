//! Secrets: which of the arguments, environment variables and files of this process hold them, and how the output hides
//! them.
//!
//! Two mechanisms hide secrets. [`masked`] shows an address and lets only those parts pass that cannot be secret.
//! [`hide`] replaces every known secret in a sentence, no matter where the sentence comes from. Masking alone is not
//! enough: an address may stand in the wrong place, a driver may repeat its input, and an error may quote a part of it.
//!
//! Hiding too much is a fault as well: the sentences become hard to understand, and a missing word in a path tells the
//! secret. These rules apply to each secret in four forms: as given, percent-encoded, decoded, and as Rust quotes it.
//! Letter case does not count.
//!
//! 1. A password between `:` and `@` is always hidden.
//! 2. A secret of 8 characters or more is hidden everywhere, also inside other words.
//! 3. A shorter secret, of 4 characters or more, is hidden where it stands as a word of its own: no letter or digit is
//!    beside it, and no `/`, `-`, `_` or `.` joins it to another word. The exception is a joining character that is
//!    also in the secret at that side. The password `root` leaves `/root/x` alone.
//! 4. Rule 3 also applies to each part of a secret that has 4 letters or digits in a row, because parsers cut addresses
//!    at the other characters. For such a part a `.` is not a joining character, because drivers put
//!    DATABASE.COLLECTION together from the parts.
//! 5. Rules 2 to 4 do not hide a word that the user also gave in a place that is not secret: the name of a user, host,
//!    database, file or folder, of the working directory, or of one of our programs. A missing word there would tell
//!    that the secret is the same.
//!
//! Which addresses may hold secrets is [declared](declare) by the modules that know the kinds of addresses.
//!
//! The name of a secret, such as `${file:/run/secrets/db}`, is not secret. The name of the program, with which a
//! message begins, is added after the secrets are hidden.

mod address;
pub(crate) mod interpolation;
mod known;
mod learning;
mod reference;
mod schemes;
#[cfg(test)]
mod tests;

pub use address::masked;
pub use learning::{hide, learn_configuration, learn_process, learn_secret, learn_value};
pub use schemes::{Scheme, Secrecy, declare};
