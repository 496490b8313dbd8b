//! What goes wrong, as data.

use super::State;
use super::http::Reply;

/// A fault, when it happens, and how often.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub when: When,
    pub fault: Fault,
    /// How many requests it meets; `usize::MAX` means all of them.
    pub times: usize,
}

impl Rule {
    /// A fault of the next `times` requests that `when` names.
    pub fn new(when: When, times: usize, fault: Fault) -> Self {
        Rule { when, fault, times }
    }

    /// A fault of the next `times` `_bulk` requests.
    pub fn next(times: usize, fault: Fault) -> Self {
        Rule::new(When::Bulk, times, fault)
    }

    /// A fault of all `_bulk` requests until the rules are replaced.
    pub fn always(fault: Fault) -> Self {
        Rule::new(When::Bulk, usize::MAX, fault)
    }
}

/// The requests that a fault meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// `_bulk` requests.
    Bulk,
    /// `_bulk` requests with this index.
    Index(String),
    /// `_bulk` requests with more documents than this.
    MoreDocuments(usize),
    /// `_bulk` requests with a larger body, before compression.
    LargerBody(usize),
    /// `_bulk` requests while more than so many requests are under way, this one included.
    MoreAtOnce(usize),
    /// Requests other than `_bulk` with this path.
    Path(String),
}

/// A fault.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// Nothing is stored, and this is the answer.
    Answer(Reply),
    /// Everything is stored, and this is the answer.
    AnswerAfter(Reply),
    /// Nothing is stored, and the connection is closed without an answer.
    CutBefore,
    /// Everything is stored, and the connection is closed without an answer.
    CutAfter,
    /// Everything is stored, and the connection is closed in the middle of the answer.
    CutInside,
    /// The answer lacks its last item. Everything is stored.
    ItemMissing,
    /// The answer has its last item twice. Everything is stored.
    ItemTwice,
    /// The answer has its items in reverse order. Everything is stored.
    ItemsReversed,
    /// Every so many documents, one is not stored, and this is the answer for it. 1 means all documents.
    Items(usize, ItemFault),
    /// The document with this id is not stored, and this is the answer for it.
    Document(String, ItemFault),
}

impl Fault {
    /// All documents get this answer.
    pub fn all(item: ItemFault) -> Self {
        Fault::Items(1, item)
    }

    /// The whole request is refused, as both products do it.
    pub fn status(status: u16, kind: &str, reason: &str) -> Self {
        Fault::Answer(Reply::error(status, kind, reason))
    }

    /// The whole request is too large.
    pub fn too_large() -> Self {
        Fault::Answer(Reply { status: 413, ..Reply::default() })
    }

    /// A proxy answers with a page.
    pub fn page(status: u16, title: &str) -> Self {
        Fault::Answer(Reply::page(status, title))
    }
}

/// The answer for one document that is not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemFault {
    pub status: u16,
    pub kind: String,
    pub reason: String,
    /// The type and the reason of the cause.
    pub cause: Option<(String, String)>,
    /// The value of `failure_store`. With `used`, the answer has no error and another id.
    pub failure_store: Option<String>,
}

impl ItemFault {
    /// An answer with this error.
    pub fn new(status: u16, kind: &str, reason: &str) -> Self {
        ItemFault { status, kind: kind.into(), reason: reason.into(), cause: None, failure_store: None }
    }

    /// The queue of the server is full.
    pub fn busy() -> Self {
        let reason = "rejected execution of primary operation [coordinating_and_primary_bytes=1, max_bytes=1]";
        ItemFault::new(429, "es_rejected_execution_exception", reason)
    }

    /// A shard is away.
    pub fn unavailable() -> Self {
        let reason = "[i][0] primary shard is not active Timeout: [1m]";
        ItemFault::new(503, "unavailable_shards_exception", reason)
    }

    /// The disk is full. Elasticsearch before 7.15 says 403.
    pub fn flood_stage(status: u16) -> Self {
        let reason = "index [i] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has \
                      read-only-allow-delete block];";
        ItemFault::new(status, "cluster_block_exception", reason)
    }

    /// Somebody has closed the index for writing.
    pub fn write_block() -> Self {
        ItemFault::new(403, "cluster_block_exception", "index [i] blocked by: [FORBIDDEN/8/index write (api)];")
    }

    /// The document does not fit the mapping.
    pub fn mapping() -> Self {
        let reason = "[1:9] failed to parse field [bytes] of type [long] in document with id 'x'";
        let cause = ("illegal_argument_exception".to_owned(), "For input string: \"many\"".to_owned());
        ItemFault { cause: Some(cause), ..ItemFault::new(400, "document_parsing_exception", reason) }
    }

    /// The document does not fit the mapping, and the failure store of the data stream has it.
    pub fn in_failure_store() -> Self {
        ItemFault { failure_store: Some("used".into()), ..ItemFault::new(201, "", "") }
    }

    /// There may be no more shards.
    pub fn shards() -> Self {
        let reason = "Validation Failed: 1: this action would add [2] shards, but this cluster currently has [1000]/[1000] \
                      maximum normal shards open;";
        ItemFault::new(400, "validation_exception", reason)
    }

    /// The index is not there and is not made.
    pub fn no_index() -> Self {
        ItemFault::new(404, "index_not_found_exception", "no such index [i]")
    }
}

impl State {
    /// Returns the fault that the next rule has for a request.
    pub(super) fn take_fault(
        &mut self,
        path: &str,
        documents: usize,
        body: usize,
        at_once: usize,
        is_bulk: bool,
    ) -> Option<Fault> {
        let index = path.trim_start_matches('/').trim_end_matches("/_bulk");
        let rule = self.rules.iter_mut().find(|rule| {
            let meets = match &rule.when {
                When::Path(wanted) => !is_bulk && path == wanted,
                When::Bulk => is_bulk,
                When::Index(wanted) => is_bulk && super::http::decoded(index) == *wanted,
                When::MoreDocuments(most) => is_bulk && documents > *most,
                When::LargerBody(most) => is_bulk && body > *most,
                When::MoreAtOnce(most) => is_bulk && at_once > *most,
            };
            meets && rule.times > 0
        })?;
        if rule.times != usize::MAX {
            rule.times -= 1;
        }
        Some(rule.fault.clone())
    }
}
