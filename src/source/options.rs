//! How to read: the options of all readers.

use std::sync::Arc;

use super::follow::FollowOptions;
use super::live::Live;
use super::origin::OriginRule;
use super::receiver::BatchSize;
use super::syslog;
use crate::state::Memory;

/// How to read.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// How contents are cut.
    pub size: BatchSize,
    /// How contents are named.
    pub origin: OriginRule,
    /// What earlier runs settled, which is not delivered again.
    pub memory: Option<Arc<dyn Memory>>,
    /// What ends the readers of inputs without an end.
    pub live: Option<Live>,
    /// How files are followed, if they are.
    pub follow: Option<FollowOptions>,
    /// How syslog is received.
    pub syslog: syslog::Options,
    /// The sockets it is received at.
    pub listening: syslog::Listening,
}
