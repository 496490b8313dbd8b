//! [`RecordRules`]: how the lines of contents become records.

use std::sync::Arc;

use super::directives::Directives;
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

impl RecordRules {
    /// The rules of logs: lines are joined by `join`, and header lines are directives.
    pub fn of_logs(join: Option<JoinRule>) -> RecordRules {
        RecordRules { join, header: Some(Arc::new(Directives)) }
    }
}
