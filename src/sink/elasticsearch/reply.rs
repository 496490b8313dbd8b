//! Reads the reply to a `_bulk` request.
//!
//! Almost every reply says of every document that it was created. Such a reply is compared with the expected bytes, which
//! costs some nanoseconds for each document. Any other reply is parsed as JSON.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use crate::core::record::RecordId;

/// The parts of a reply that are asked for (`filter_path`). The ids prove that the answers have the order of the documents.
pub(super) const FILTER: &str = "errors,error,status,items.*._id,items.*.status,items.*.error,items.*.failure_store";

/// The longest text of a server that is kept, in bytes.
const MAX_WORDS: usize = 600;

/// The answer for one document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Item {
    pub status: u16,
    /// The type of the error.
    pub kind: String,
    /// The error in words: type, reason and cause.
    pub words: String,
    /// Whether the failure store of the data stream keeps the document.
    pub in_failure_store: bool,
}

/// What a reply says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answers {
    /// All documents were created.
    AllCreated,
    /// An answer for each document, in their order.
    Items(Vec<Item>),
}

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    items: Vec<Action<'a>>,
}

#[derive(Deserialize)]
struct Action<'a> {
    #[serde(borrow)]
    create: Created<'a>,
}

#[derive(Deserialize)]
struct Created<'a> {
    #[serde(borrow, rename = "_id")]
    id: Cow<'a, str>,
    status: u16,
    error: Option<Value>,
    #[serde(borrow)]
    failure_store: Option<Cow<'a, str>>,
}

/// Reads the reply to a request with the documents `ids`.
///
/// # Errors
/// The reply is not what the server answers to such a request. The text says why.
pub(super) fn read(reply: &[u8], ids: impl ExactSizeIterator<Item = RecordId> + Clone) -> Result<Answers, String> {
    if are_all_created(reply, ids.clone()) {
        return Ok(Answers::AllCreated);
    }
    let read: Reply<'_> =
        serde_json::from_slice(reply).map_err(|error| format!("the answer is not that of a bulk request ({error})"))?;
    if read.items.len() != ids.len() {
        return Err(format!("the answer is about {} documents, and {} were sent", read.items.len(), ids.len()));
    }
    let mut items = Vec::with_capacity(read.items.len());
    for (Action { create }, id) in read.items.into_iter().zip(ids) {
        let in_failure_store = create.failure_store.is_some_and(|used| used == "used");
        // In the failure store, a document has an id of the server's.
        if !in_failure_store && create.id.as_bytes() != id.digits().as_bytes() {
            return Err("the answers do not have the order of the documents".to_owned());
        }
        let (kind, words) = create.error.as_ref().map(error_words).unwrap_or_default();
        items.push(Item { status: create.status, kind, words, in_failure_store });
    }
    Ok(Answers::Items(items))
}

/// Returns whether `reply` is exactly the one that says of each document that it was created.
fn are_all_created(reply: &[u8], ids: impl ExactSizeIterator<Item = RecordId>) -> bool {
    const START: &[u8] = b"{\"errors\":false,\"items\":[";
    const ID: &[u8] = b"{\"create\":{\"_id\":\"";
    const STATUS: &[u8] = b"\",\"status\":201}}";
    let mut rest = reply;
    let mut skip = |expected: &[u8]| match rest.strip_prefix(expected) {
        Some(after) => {
            rest = after;
            true
        }
        None => false,
    };
    let mut is_first = true;
    skip(START)
        && ids.len() > 0
        && ids.into_iter().all(|id| {
            (std::mem::take(&mut is_first) || skip(b",")) && skip(ID) && skip(id.digits().as_bytes()) && skip(STATUS)
        })
        && skip(b"]}")
        && rest.trim_ascii().is_empty()
}

/// Returns the type of an error of the server, and the error in words.
pub(super) fn error_words(error: &Value) -> (String, String) {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(words) = error.as_str() {
        return (String::new(), shortened(words));
    }
    let (kind, reason) = (text(error, "type"), text(error, "reason"));
    let mut words = joined(&kind, &reason);
    let mut causes = std::iter::successors(error.get("caused_by"), |cause| cause.get("caused_by"));
    // The innermost cause says most. A chain of causes has no end that a server must keep to.
    if let Some(cause) = causes.by_ref().take(16).last() {
        let cause = joined(&text(cause, "type"), &text(cause, "reason"));
        if !words.contains(&cause) {
            words = format!("{}, caused by {}", shortened(&words), shortened(&cause));
        }
    }
    (kind, shortened(&words))
}

fn joined(kind: &str, reason: &str) -> String {
    match (kind, reason) {
        ("", "") => "without a reason".to_owned(),
        ("", words) | (words, "") => words.to_owned(),
        (kind, reason) => format!("{kind}: {reason}"),
    }
}

/// Returns `words` cut to a length that people read.
pub(super) fn shortened(words: &str) -> String {
    if words.len() <= MAX_WORDS {
        return words.to_owned();
    }
    let end = (0..=MAX_WORDS).rev().find(|&end| words.is_char_boundary(end)).unwrap_or_default();
    format!("{}…", &words[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: u64) -> impl ExactSizeIterator<Item = RecordId> + Clone {
        (0..count as usize).map(|number| RecordId::at(1, number as u64, b"x"))
    }

    fn items(answers: &[&str]) -> String {
        let items: Vec<String> = ids(answers.len() as u64)
            .zip(answers)
            .map(|(id, rest)| format!("{{\"create\":{{\"_id\":\"{id}\",{rest}}}}}"))
            .collect();
        format!("[{}]", items.join(","))
    }

    fn item(status: u16, kind: &str, words: &str) -> Item {
        Item { status, kind: kind.into(), words: words.into(), in_failure_store: false }
    }

    #[test]
    fn the_usual_reply_is_known_by_its_bytes_and_every_other_form_means_the_same() {
        let created = ["\"status\":201"; 3];
        let usual = format!("{{\"errors\":false,\"items\":{}}}", items(&created));
        assert_eq!(read(usual.as_bytes(), ids(3)), Ok(Answers::AllCreated));
        let parsed = Ok(Answers::Items(vec![item(201, "", ""); 3]));
        for other in [
            usual.replace(':', " : "),
            usual.replace("\"errors\":false", "\"took\":3,\"errors\":false"),
            usual
                .replace("\"status\":201", "\"_index\":\"i\",\"_version\":1,\"_shards\":{\"failed\":0},\"status\":201"),
        ] {
            assert_eq!(read(other.as_bytes(), ids(3)), parsed, "{other}");
        }
    }

    #[test]
    fn errors_have_their_type_their_reason_and_the_innermost_cause() {
        let refused = "\"status\":400,\"error\":{\"type\":\"document_parsing_exception\",\"reason\":\"failed to parse\",\
                       \"caused_by\":{\"type\":\"middle\",\"reason\":\"m\",\"caused_by\":{\"type\":\"illegal_argument_exception\",\
                       \"reason\":\"For input string\"}}}";
        let kept = "\"status\":201,\"failure_store\":\"used\"";
        let text = "\"status\":429,\"error\":\"too busy\",\"failure_store\":\"not_enabled\"";
        let reply = format!("{{\"errors\":true,\"items\":{}}}", items(&[refused, kept, text]));
        let reply = reply.replacen(&ids(2).last().unwrap().to_string(), "AZcmade-by-the-server", 1);
        let words =
            "document_parsing_exception: failed to parse, caused by illegal_argument_exception: For input string";
        assert_eq!(
            read(reply.as_bytes(), ids(3)),
            Ok(Answers::Items(vec![
                item(400, "document_parsing_exception", words),
                Item { in_failure_store: true, ..item(201, "", "") },
                item(429, "", "too busy"),
            ])),
        );
    }

    #[test]
    fn a_reply_with_another_number_or_order_is_refused_whatever_it_says() {
        let three = items(&["\"status\":201"; 3]);
        let reply = |items: &str| format!("{{\"errors\":false,\"items\":{items}}}");
        for (body, count, word) in [
            (reply(&three), 2, "about 3 documents"),
            (reply(&three), 4, "about 3 documents"),
            (reply("[]"), 1, "about 0 documents"),
            (reply(&items(&["\"status\":409"; 2]).replacen("\"_id\":\"0", "\"_id\":\"1", 1)), 2, "order"),
            (reply(&three.replace("create", "index")), 3, "not that of a bulk request"),
            (reply(&three.replace(",\"status\":201", "")), 3, "not that of a bulk request"),
            (reply(&three.replace("201", "99999")), 3, "not that of a bulk request"),
            ("{\"errors\":false}".into(), 3, "not that of a bulk request"),
            ("<html></html>".into(), 3, "not that of a bulk request"),
            (String::new(), 1, "not that of a bulk request"),
            ("[".repeat(100_000), 1, "not that of a bulk request"),
        ] {
            let why = read(body.as_bytes(), ids(count)).expect_err(&body);
            assert!(why.contains(word) && why.len() < 300, "{why}");
        }
        // Two documents whose ids changed places.
        let swapped: Vec<RecordId> = ids(2).collect::<Vec<_>>().into_iter().rev().collect();
        let usual = reply(&items(&["\"status\":201"; 2]));
        assert!(read(usual.as_bytes(), swapped.iter().copied()).is_err_and(|why| why.contains("order")));
        assert!(read(format!("{usual}{usual}").as_bytes(), ids(2)).is_err());
    }

    #[test]
    fn long_words_are_cut_at_a_character() {
        let (_, words) = error_words(&serde_json::json!({ "type": "t", "reason": "é".repeat(MAX_WORDS) }));
        assert!(words.len() <= MAX_WORDS + '…'.len_utf8() && words.ends_with('…'));
    }
}
