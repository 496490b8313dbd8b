//! MongoDB.

use std::sync::Arc;

use super::Sink;
use crate::error::{Error, Result};

/// Opens the sink that `uri` names.
///
/// # Errors
/// Always, in this build.
pub fn open(_uri: &str) -> Result<Arc<dyn Sink>> {
    Err(Error::usage("mongodb: is not in this build yet"))
}
