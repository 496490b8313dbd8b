//! Secrets are not repeated: what of this process's arguments, environment and files is one, and how it is kept out of all
//! that is said.
//!
//! Two things see to that. An address is shown by [`masked`], which lets only those parts of it pass that cannot be a
//! secret. And what is known to be one is [hidden](hide) in every sentence, whoever made it: an address may stand in a
//! place where none belongs, a driver may repeat what it was given, and an error may quote a part of it.
//!
//! Hiding too much is a fault as well: sentences cannot be understood, and a word that is missing in a path tells the
//! secret. So this is the rule, for each secret as it was given, percent-encoded, decoded, and as Rust quotes it; capital
//! letters do not count:
//!
//! 1. Between `:` and `@` a password is always hidden.
//! 2. A secret of 8 characters or more is hidden wherever it stands, also inside other words.
//! 3. A shorter secret, from 4 characters on, is hidden where it stands as a word of its own: no letter or digit is beside
//!    it, and it is not joined to something by `/`, `-`, `_` or `.`, unless the secret joins it so on one side. The
//!    password `root` leaves `/root/x` alone.
//! 4. The same goes for each part of a secret that has 4 letters or digits in a row, because parsers cut addresses at
//!    the other characters; but a `.` joins nothing to it, because drivers write DATABASE.COLLECTION of what they have cut.
//! 5. A word that was also given in a place that is no secret is not hidden by 2 to 4: the name of a user, host,
//!    database, file or folder, of the working directory, or of one of our programs. That it is missing would tell that
//!    it is the same.
//!
//! The name of a secret, such as `${file:/run/secrets/db}`, is none. The name of the program that begins a message is
//! written after this.

mod address;
pub(crate) mod interpolation;
mod known;
mod learning;
mod reference;
#[cfg(test)]
mod tests;

pub use address::masked;
pub use learning::{hide, learn_configuration, learn_process, learn_secret, learn_value};
