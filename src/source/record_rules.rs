//! [`RecordRules`]: how the lines of contents become records.

use std::sync::Arc;

use super::heading::HeaderRule;
use super::joiner::JoinRule;

/// How the lines of contents become records. By default each line is a record, and there are no headers.
#[derive(Debug, Clone, Default)]
pub struct RecordRules {
    /// How lines are joined to records. `None`: each line is a record.
    pub join: Option<JoinRule>,
    /// Which lines are header lines. `None`: there are no headers.
    pub header: Option<Arc<dyn HeaderRule>>,
}
