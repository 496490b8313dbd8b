//! The options of all readers.

use std::sync::Arc;

use super::follow::FollowOptions;
use super::live::Live;
use super::origin::OriginRule;
use super::receiver::BatchSize;
use super::record_rules::RecordRules;
use super::settlement::Settlement;
use super::syslog;
use crate::state::Memory;

/// The options of all readers.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// The limits of batches and lines.
    pub size: BatchSize,
    /// The rule that gives contents their origins.
    pub origin: OriginRule,
    /// How lines become records.
    pub records: RecordRules,
    /// The lines that earlier runs settled, which are not delivered again.
    pub memory: Option<Arc<dyn Memory>>,
    /// Tells sources what is settled.
    pub settlement: Arc<Settlement>,
    /// Stops the readers of live inputs.
    pub live: Option<Live>,
    /// The options for followed files, if files are followed.
    pub follow: Option<FollowOptions>,
    /// The options for syslog.
    pub syslog: syslog::Options,
    /// The sockets that receive syslog.
    pub listening: syslog::Listening,
}
