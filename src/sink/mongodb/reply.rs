//! The meaning of a server's reply for each document, and of a missing reply for all documents of a command.

use mongodb::bson::{Bson, Document};
use mongodb::error::{Error as DriverError, ErrorKind, NO_WRITES_PERFORMED, SYSTEM_OVERLOADED_ERROR};

/// The maximum length of a text from a server, in bytes. Some servers repeat the whole command in their errors.
const MAX_WORDS: usize = 600;

const DUPLICATE_KEY: i32 = 11000;

/// Codes of transient errors: the retryable errors of the drivers' specification, its lists for servers that recover or
/// are no longer primary, and errors that may be gone at a later attempt, such as time limits, locks, conflicts, and a
/// full disk.
const TRANSIENT: [i32; 33] = [
    6, 7, 24, 46, 50, 63, 64, 84, 89, 91, 112, 117, 133, 134, 150, 189, 202, 225, 262, 314, 365, 462, 8000, 9001,
    10058, 10107, 11600, 11601, 11602, 13388, 13435, 13436, 14031,
];

/// Codes of errors that concern the whole job: no permission (13), login refused (18), no such namespace or write
/// concern (73, 79), more members required than exist (100), a view (166), and options that the deployment refuses (20,
/// 72).
const FATAL: [i32; 8] = [13, 18, 20, 72, 73, 79, 100, 166];

/// Codes of commands that the server cannot read: invalid BSON (22), too deeply nested (15), too large (10334). One
/// document is the cause; the others of the command are stored without it.
const UNREADABLE: [i32; 3] = [15, 22, TOO_LARGE];

/// The code `BSONObjectTooLarge` of the server.
const TOO_LARGE: i32 = 10334;

/// The reason why the server did not insert one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The `_id` exists already.
    IdExists,
    /// The server will never accept the document.
    Permanent(String),
    /// The document is larger than the server accepts.
    TooLarge(String),
    /// The document was not written, but the next attempt may succeed.
    Transient(String),
}

/// A parsed reply to an `insert` that the server executed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reply {
    /// The documents that were not inserted: the index in the command, and the reason. All others were inserted.
    pub(super) refusals: Vec<(usize, Refusal)>,
    /// Set when the written documents do not satisfy the write concern.
    pub(super) not_durable: Option<String>,
}

/// The reason why an attempt has no outcome for each document.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Another attempt may succeed. `maybe_written` says that the server may have executed this one.
    Transient { words: String, maybe_written: bool },
    /// The server cannot read one of the documents.
    Unreadable {
        words: String,
        /// Whether its size is the reason.
        too_large: bool,
    },
    /// No attempt can succeed.
    Fatal(String),
}

/// Reads the reply to a command with `documents` documents.
pub(super) fn read(reply: &Document, documents: usize) -> Result<Reply, Failure> {
    let mut read = Reply::default();
    if let Ok(errors) = reply.get_array("writeErrors") {
        for error in errors.iter().filter_map(Bson::as_document) {
            let index = number(error.get("index")).and_then(|index| usize::try_from(index).ok());
            let Some(index) = index.filter(|index| *index < documents) else {
                return Err(Failure::Transient {
                    words: "the server's reply names a document that was not sent".to_owned(),
                    maybe_written: true,
                });
            };
            read.refusals.push((index, refusal(error)?));
        }
    }
    if let Ok(error) = reply.get_document("writeConcernError") {
        let code = code_of(error);
        if FATAL.contains(&code) {
            return Err(Failure::Fatal(words_of(error)));
        }
        read.not_durable = Some(words_of(error));
    }
    Ok(read)
}

fn refusal(error: &Document) -> Result<Refusal, Failure> {
    let code = code_of(error);
    let words = words_of(error);
    if code == DUPLICATE_KEY && is_id_index(error) {
        return Ok(Refusal::IdExists);
    }
    if FATAL.contains(&code) {
        return Err(Failure::Fatal(words));
    }
    if code == TOO_LARGE {
        return Ok(Refusal::TooLarge(words));
    }
    Ok(if TRANSIENT.contains(&code) { Refusal::Transient(words) } else { Refusal::Permanent(words) })
}

/// Returns whether a duplicate key belongs to `_id`. The field `keyPattern` tells this (MongoDB 4.2 and later). Without
/// it, the name of the index in the message does.
fn is_id_index(error: &Document) -> bool {
    match error.get_document("keyPattern") {
        Ok(pattern) => pattern.len() == 1 && pattern.contains_key("_id"),
        Err(_) => error.get_str("errmsg").is_ok_and(|words| words.contains("index: _id_ ")),
    }
}

/// Classifies an error of the driver.
pub(super) fn judge(error: &DriverError) -> Failure {
    let words = words(error);
    let transient = |maybe_written| Failure::Transient { words: words.clone(), maybe_written };
    match error.kind.as_ref() {
        // The driver sets this label on errors while it makes a connection. In this case nothing was sent.
        ErrorKind::Io(_) => transient(!error.contains_label(SYSTEM_OVERLOADED_ERROR)),
        // The driver also returns this for a running command when another one finds that the server is gone.
        ErrorKind::ConnectionPoolCleared { .. } | ErrorKind::InvalidResponse { .. } => transient(true),
        ErrorKind::ServerSelection { .. } | ErrorKind::DnsResolve { .. } => transient(false),
        ErrorKind::Command(command) if UNREADABLE.contains(&command.code) => {
            Failure::Unreadable { words, too_large: command.code == TOO_LARGE }
        }
        ErrorKind::Command(command)
            if TRANSIENT.contains(&command.code)
                || error.contains_label("RetryableWriteError")
                || error.contains_label("RetryableError") =>
        {
            transient(!error.contains_label(NO_WRITES_PERFORMED))
        }
        _ => Failure::Fatal(words),
    }
}

/// Returns whether the login was refused. Network errors are not included.
pub(super) fn is_refused_login(error: &DriverError) -> bool {
    match error.kind.as_ref() {
        ErrorKind::Authentication { .. } => true,
        ErrorKind::Command(command) => matches!(command.code, 13 | 18),
        _ => false,
    }
}

/// Returns a driver's error as text for a person: without labels, replies and the state of every server.
pub(super) fn words(error: &DriverError) -> String {
    match error.kind.as_ref() {
        ErrorKind::Io(io) => io_words(io),
        ErrorKind::Command(command) => {
            shorten(&format!("{} (code {} {})", command.message, command.code, command.code_name))
        }
        ErrorKind::ConnectionPoolCleared { .. } => "the connection was lost".to_owned(),
        ErrorKind::ServerSelection { .. } => "no server to write to".to_owned(),
        kind => shorten(&kind.to_string()),
    }
}

/// Returns whether the server closed the connection during the TLS handshake. The text is that of tokio-rustls.
pub(super) fn is_end_of_handshake(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::UnexpectedEof && error.to_string().contains("tls handshake")
}

fn io_words(error: &std::io::Error) -> String {
    match error.kind() {
        _ if is_end_of_handshake(error) => "the server hangs up; does it speak TLS?".to_owned(),
        std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        std::io::ErrorKind::UnexpectedEof => "the server closed the connection".to_owned(),
        std::io::ErrorKind::TimedOut => "timed out".to_owned(),
        _ => shorten(&error.to_string()),
    }
}

fn words_of(error: &Document) -> String {
    let mut words = match error.get_str("errmsg") {
        Ok(message) if !message.is_empty() => message.to_owned(),
        // A server with many errors in one reply omits the text of the later ones.
        _ => "refused by the server".to_owned(),
    };
    words.push_str(&format!(" (code {})", code_of(error)));
    // Only this field holds the reasons of a validator.
    if let Some(details) = error.get_document("errInfo").ok().and_then(|info| info.get("details")) {
        words.push_str(&format!(": {details}"));
    }
    shorten(&words)
}

fn shorten(words: &str) -> String {
    if words.len() <= MAX_WORDS {
        return words.to_owned();
    }
    let mut end = MAX_WORDS;
    while !words.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &words[..end])
}

fn code_of(error: &Document) -> i32 {
    number(error.get("code")).and_then(|code| i32::try_from(code).ok()).unwrap_or(0)
}

fn number(value: Option<&Bson>) -> Option<i64> {
    match value? {
        Bson::Int32(number) => Some(i64::from(*number)),
        Bson::Int64(number) => Some(*number),
        Bson::Double(number) => Some(*number as i64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::doc;

    use super::*;

    fn one(error: Document) -> Result<Reply, Failure> {
        read(&doc! { "ok": 1, "n": 0, "writeErrors": [error] }, 1)
    }

    #[test]
    fn a_clean_reply_refuses_nothing() {
        assert_eq!(read(&doc! { "ok": 1.0, "n": 3 }, 3), Ok(Reply::default()));
    }

    #[test]
    fn only_the_index_of_the_id_makes_a_duplicate() {
        let key =
            |pattern: Document| one(doc! { "index": 0, "code": 11000, "errmsg": "E11000", "keyPattern": pattern });
        assert_eq!(key(doc! { "_id": 1 }).unwrap().refusals, [(0, Refusal::IdExists)]);
        for other in [doc! { "email": 1 }, doc! { "_id": 1, "day": 1 }] {
            assert!(matches!(key(other).unwrap().refusals[0].1, Refusal::Permanent(_)));
        }
        let old = |index| one(doc! { "index": 0, "code": 11000, "errmsg": format!("E11000 … index: {index} dup key") });
        assert_eq!(old("_id_").unwrap().refusals, [(0, Refusal::IdExists)]);
        assert!(matches!(old("x_id_1").unwrap().refusals[0].1, Refusal::Permanent(_)));
    }

    #[test]
    fn every_code_has_one_meaning() {
        for code in TRANSIENT {
            assert!(!FATAL.contains(&code) && !UNREADABLE.contains(&code), "{code}");
            let reply = one(doc! { "index": 0_i64, "code": code, "errmsg": "later" }).unwrap();
            assert_eq!(reply.refusals, [(0, Refusal::Transient(format!("later (code {code})")))]);
        }
        for code in FATAL {
            assert!(matches!(one(doc! { "index": 0, "code": code }), Err(Failure::Fatal(_))), "{code}");
        }
    }

    #[test]
    fn a_reply_about_a_document_that_was_not_sent_settles_nothing() {
        let reply = read(&doc! { "writeErrors": [{ "index": 4, "code": 121 }] }, 4);
        assert!(matches!(reply, Err(Failure::Transient { maybe_written: true, .. })), "{reply:?}");
    }

    #[test]
    fn words_are_cut_at_a_character() {
        let cut = shorten(&"é".repeat(MAX_WORDS));
        assert!(cut.len() <= MAX_WORDS + '…'.len_utf8() && cut.ends_with('…'));
    }
}
