//! The declarations of `zmq.h`, made by bindgen: its constants, and its types and functions.

mod constants;
mod functions;

pub use self::constants::*;
pub use self::functions::*;
