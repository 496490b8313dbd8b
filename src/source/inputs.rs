//! What a user names as INPUT, made into a list of things to open.

mod followed;
mod found;
mod input;
mod names;

pub use self::followed::find_followed;
pub use self::found::Inputs;
pub(crate) use self::input::open_stdin;
pub use self::input::{Followed, Input};
pub use self::names::{find, find_again, find_so_far};
