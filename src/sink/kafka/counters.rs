//! The counters of Kafka sinks.

use crate::observe::counters::{Shown, Words, counters};

counters! {
    /// The counters of Kafka sinks.
    pub(super) COUNTERS of Sink;
    MESSAGES = 1216, "messages", "messages", "Messages that the brokers have confirmed.";
    MESSAGE_BYTES = 1217, "message_bytes", "bytes", "Bytes of the values and keys of these messages, before compression.";
    RETRIES = 1218, "resent", "attempts", "Attempts after which messages had to be given to the client again.";
    POSSIBLY_STORED = 1219, "possibly_stored", "documents", "Documents that the client gave up without an answer. The topic may have them, and they were sent again or given back.", shown(Shown::NotZero), words(Words::NotZero("{} possibly stored already when they were given up"));
    STALLS = 1220, "stalls", "calls", "Times that a batch waited because the brokers confirmed nothing for half a second.";
    FULL = 1221, "full", "messages", "Messages that waited because the client had no room (--max-memory).";
    CLIENT_ERRORS = 1222, "client_errors", "errors", "Errors that the client reported, such as lost connections.";
    SMALLER_BATCHES = 1223, "smaller_batches", "changes", "Times that the client had to send smaller batches, because the topic refused larger ones.", shown(Shown::NotZero);
}
