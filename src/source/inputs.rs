//! Finds the inputs that the names on the command line mean.

mod followed;
mod found;
mod input;
mod names;

pub use self::followed::find_followed;
pub use self::found::Inputs;
pub(crate) use self::input::open_stdin;
pub use self::input::{Followed, Input};
pub use self::names::{find, find_again, find_so_far};
