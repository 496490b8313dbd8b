//! The counters of Elasticsearch sinks.

use crate::observe::counters::{Shown, counters};

counters! {
    /// The counters of Elasticsearch sinks.
    pub(super) COUNTERS of Sink;
    REQUESTS = 1184, "requests", "requests", "Requests with documents that were sent.";
    BODY_BYTES = 1185, "body_bytes", "bytes", "Bytes of requests with documents, before compression.";
    SENT_BYTES = 1186, "sent_bytes", "bytes", "Bytes of requests with documents, as they were sent.";
    RETRIES = 1187, "resent", "requests", "Attempts after which documents had to be sent again, because the server was away, busy or full.";
    RESENT_DOCUMENTS = 1188, "resent_documents", "documents", "Documents that had to be sent again. Each attempt counts.";
    HALVED = 1189, "halved", "requests", "Requests that were too large for the server and were sent again as two halves.", shown(Shown::NotZero);
    FAILOVERS = 1190, "failovers", "changes", "Changes to another host of the address, and back.", shown(Shown::NotZero);
    FAILURE_STORE = 1191, "failure_store", "documents", "Documents that the server refused and keeps in the failure store of the data stream. They are counted as rejected.", shown(Shown::NotZero);
    UNDATED = 1192, "undated", "documents", "Documents without a time of their own. They have the time of their arrival.", shown(Shown::NotZero);
}
