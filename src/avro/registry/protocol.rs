//! The requests to a registry, and the meaning of its answers. Nothing is sent here.

use serde_json::{Value, json};

use crate::avro::frame::SchemaKey;
use crate::core::{percent, printable};

/// The type of requests and answers.
pub(super) const CONTENT: &str = "application/vnd.schemaregistry.v1+json";

/// What is accepted, in the order of preference.
pub(super) const ACCEPT: &str =
    "application/vnd.schemaregistry.v1+json, application/vnd.schemaregistry+json; q=0.9, application/json; q=0.5";

/// The longest text of a registry that is shown, in characters.
const MOST_SHOWN: usize = 400;

/// Returns the subject of the values of a topic, by the usual rule (TopicNameStrategy).
pub fn subject_of_values(topic: &str) -> String {
    format!("{topic}-value")
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask<'a> {
    /// To register the schema under the subject.
    Register { subject: &'a str, schema: &'a str },
    /// The id of the schema, if the subject has it.
    LookUp { subject: &'a str, schema: &'a str },
    /// The schema with this id or GUID.
    Schema(SchemaKey),
    /// A schema that another one refers to.
    Version { subject: &'a str, version: u64 },
}

/// A request without its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub method: &'static str,
    pub path: String,
    pub body: Option<String>,
}

impl Ask<'_> {
    pub fn request(&self) -> Request {
        let body = |schema: &str| Some(json!({"schema": schema, "schemaType": "AVRO"}).to_string());
        let post = |path, schema| Request { method: "POST", path, body: body(schema) };
        let get = |path| Request { method: "GET", path, body: None };
        match self {
            Ask::Register { subject, schema } => {
                post(format!("/subjects/{}/versions", percent::encode(subject)), schema)
            }
            Ask::LookUp { subject, schema } => post(format!("/subjects/{}", percent::encode(subject)), schema),
            Ask::Schema(key @ SchemaKey::Guid(_)) => get(format!("/schemas/guids/{key}")),
            Ask::Schema(key) => get(format!("/schemas/ids/{key}")),
            Ask::Version { subject, version } => {
                get(format!("/subjects/{}/versions/{version}", percent::encode(subject)))
            }
        }
    }
}

/// An answer of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub status: u16,
    /// The header `Content-Type`, in lower case.
    pub content_type: String,
    pub body: Vec<u8>,
}

/// The reason why the registry has not done what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The end of a sentence. It shows no secret.
    pub words: String,
    /// What may help.
    pub kind: TroubleKind,
}

/// What may help after a request was not answered as wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TroubleKind {
    /// To ask again later.
    Transient,
    /// Nothing before somebody changes the address, the login, the schema, or the settings of the registry.
    Fatal,
    /// The registry has no such schema.
    Unknown,
}

impl Trouble {
    pub(super) fn new(kind: TroubleKind, words: impl Into<String>) -> Trouble {
        Trouble { words: words.into(), kind }
    }

    /// Returns whether another attempt may succeed.
    pub fn is_transient(&self) -> bool {
        self.kind == TroubleKind::Transient
    }
}

/// Returns what `ask` wanted to know from a successful answer.
pub(super) fn judge(ask: &Ask<'_>, answer: &Answer) -> Result<Value, Trouble> {
    let Answer { status, content_type, body } = answer;
    let fatal = |words: String| Err(Trouble::new(TroubleKind::Fatal, words));
    if content_type.starts_with("text/html") || body.trim_ascii_start().starts_with(b"<") {
        let words =
            format!("the answer is a web page (status {status}), so it comes from a proxy or from another server");
        // A proxy whose server is gone for a moment has such pages.
        let kind = if *status >= 500 { TroubleKind::Transient } else { TroubleKind::Fatal };
        return Err(Trouble::new(kind, words));
    }
    let value: Option<Value> = serde_json::from_slice(body).ok().filter(Value::is_object);
    if (200..=299).contains(status) {
        return match value.filter(|value| is_expected(ask, value)) {
            Some(value) => Ok(value),
            None => fatal(format!("the answer is not that of a schema registry (status {status})")),
        };
    }
    let said = value.as_ref().and_then(|value| value.get("message")).and_then(Value::as_str);
    let said = said.map_or_else(|| String::from_utf8_lossy(body).trim().to_owned(), str::to_owned);
    let code = value.as_ref().and_then(|value| value.get("error_code")).and_then(Value::as_u64).unwrap_or_default();
    let because = match shown(&said).as_str() {
        "" => format!("(status {status})"),
        words => format!("(status {status}): {words}"),
    };
    match (status, ask) {
        (300..=399, _) => {
            fatal(format!("the answer is a redirect (status {status}); write the address of the registry itself"))
        }
        (401, _) => fatal(format!("the login is refused {because}")),
        (403, Ask::Register { subject, .. }) => fatal(format!(
            "the login may not register a schema under the subject {} {because}; with register=false a schema is only looked up",
            shown(subject)
        )),
        (403, _) => fatal(format!("the login may not read this schema {because}")),
        (404, Ask::LookUp { subject, .. }) if code > 404 => fatal(format!(
            "the subject {} does not have the schema of the documents {because}; register it, for example from the file of \
             --avro-schema, or leave register=false out",
            shown(subject)
        )),
        (404, Ask::Schema(key)) if code > 404 => {
            Err(Trouble::new(TroubleKind::Unknown, format!("the registry has no schema {key} {because}")))
        }
        (404, Ask::Version { subject, version }) if code > 404 => Err(Trouble::new(
            TroubleKind::Unknown,
            format!("the registry has no version {version} of the subject {} {because}", shown(subject)),
        )),
        (404, Ask::Schema(SchemaKey::Guid(_))) => Err(Trouble::new(
            TroubleKind::Unknown,
            format!(
                "the registry cannot be asked for a schema by its GUID {because}; Confluent's can from version 8 on"
            ),
        )),
        (404, _) => fatal(format!("there is no schema registry at this address {because}")),
        (409, Ask::Register { subject, .. }) => fatal(format!(
            "the schema of the documents is not compatible with those of the subject {} {because}",
            shown(subject)
        )),
        (422, Ask::Register { .. } | Ask::LookUp { .. }) => {
            fatal(format!("the registry does not accept the schema {because}"))
        }
        (408 | 429 | 500..=599, _) => {
            Err(Trouble::new(TroubleKind::Transient, format!("the registry cannot answer now {because}")))
        }
        _ => fatal(format!("the registry refuses the request {because}")),
    }
}

/// Returns whether `value` has the member that was asked for.
fn is_expected(ask: &Ask<'_>, value: &Value) -> bool {
    match ask {
        Ask::Register { .. } | Ask::LookUp { .. } => id(value).is_some(),
        Ask::Schema(_) | Ask::Version { .. } => value.get("schema").is_some_and(Value::is_string),
    }
}

/// Returns the id in an answer.
pub(super) fn id(value: &Value) -> Option<u32> {
    value.get("id").and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok())
}

/// Returns the schemas that the schema in an answer refers to: subject and version of each.
pub(super) fn references(value: &Value) -> Result<Vec<(String, u64)>, Trouble> {
    let list = match value.get("references") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(list) => list.as_array(),
    };
    let reference = |value: &Value| Some((value.get("subject")?.as_str()?.to_owned(), value.get("version")?.as_u64()?));
    let references = list.and_then(|list| list.iter().map(reference).collect());
    references
        .ok_or_else(|| Trouble::new(TroubleKind::Fatal, "the registry has a schema whose references cannot be read"))
}

/// Returns the text of the schema in an answer.
pub(super) fn schema_text(value: &Value) -> Result<&str, Trouble> {
    match value.get("schemaType").and_then(Value::as_str) {
        None | Some("AVRO") => Ok(value.get("schema").and_then(Value::as_str).unwrap_or_default()),
        Some(other) => {
            Err(Trouble::new(TroubleKind::Unknown, format!("it is a schema of the type {}, not of Avro", shown(other))))
        }
    }
}

/// Returns a text of the registry on one line, shortened.
pub(super) fn shown(text: &str) -> String {
    let line = printable::line(text);
    match line.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGISTER: Ask<'_> = Ask::Register { subject: "web logs-value", schema: "\"int\"" };
    const LOOK_UP: Ask<'_> = Ask::LookUp { subject: "web logs-value", schema: "\"int\"" };
    const SCHEMA: Ask<'_> = Ask::Schema(SchemaKey::Id(7));
    const GUID: Ask<'_> = Ask::Schema(SchemaKey::Guid([0x10; 16]));
    const VERSION: Ask<'_> = Ask::Version { subject: "a/b", version: 2 };

    #[test]
    fn requests_have_the_paths_and_the_bodies_of_the_interface() {
        let shown = |ask: Ask<'_>| {
            let Request { method, path, body } = ask.request();
            format!("{method} {path} {}", body.unwrap_or_default())
        };
        let body = r#"{"schema":"\"int\"","schemaType":"AVRO"}"#;
        assert_eq!(shown(REGISTER), format!("POST /subjects/web%20logs-value/versions {body}"));
        assert_eq!(shown(LOOK_UP), format!("POST /subjects/web%20logs-value {body}"));
        assert_eq!(shown(SCHEMA), "GET /schemas/ids/7 ");
        assert_eq!(shown(GUID), "GET /schemas/guids/10101010-1010-1010-1010-101010101010 ");
        assert_eq!(shown(VERSION), "GET /subjects/a%2Fb/versions/2 ");
        assert_eq!(subject_of_values("web"), "web-value");
    }

    #[test]
    fn every_answer_has_one_meaning_and_one_sentence() {
        use TroubleKind::{Fatal, Transient, Unknown};
        let page = "<html><head><title>502 Bad Gateway</title></head></html>";
        for (ask, status, body, expected) in [
            (REGISTER, 200, r#"{"id":3}"#, Ok("3")),
            (LOOK_UP, 200, r#"{"subject":"s","version":1,"id":4,"schema":"x"}"#, Ok("4")),
            (SCHEMA, 200, r#"{"schema":"\"int\""}"#, Ok("\"int\"")),
            (REGISTER, 200, "{}", Err((Fatal, "not that of a schema registry (status 200)"))),
            (REGISTER, 200, r#"{"id":-1}"#, Err((Fatal, "not that of a schema registry"))),
            (SCHEMA, 200, r#"{"schema":5}"#, Err((Fatal, "not that of a schema registry"))),
            (SCHEMA, 200, "", Err((Fatal, "not that of a schema registry"))),
            (SCHEMA, 200, page, Err((Fatal, "the answer is a web page (status 200)"))),
            (REGISTER, 502, page, Err((Transient, "the answer is a web page (status 502)"))),
            (REGISTER, 302, "", Err((Fatal, "a redirect (status 302)"))),
            (
                REGISTER,
                401,
                r#"{"error_code":401,"message":"Unauthorized"}"#,
                Err((Fatal, "refused (status 401): Unauthorized")),
            ),
            (REGISTER, 401, "", Err((Fatal, "the login is refused (status 401)"))),
            (
                REGISTER,
                403,
                r#"{"error_code":40301,"message":"no"}"#,
                Err((
                    Fatal,
                    "may not register a schema under the subject web logs-value (status 403): no; with register=false",
                )),
            ),
            (SCHEMA, 403, "no", Err((Fatal, "may not read this schema (status 403): no"))),
            (
                LOOK_UP,
                404,
                r#"{"error_code":40403,"message":"Schema not found"}"#,
                Err((Fatal, "does not have the schema")),
            ),
            (LOOK_UP, 404, r#"{"error_code":40401,"message":"Subject"}"#, Err((Fatal, "leave register=false out"))),
            (LOOK_UP, 404, "", Err((Fatal, "no schema registry at this address"))),
            (SCHEMA, 404, r#"{"error_code":40403,"message":"gone"}"#, Err((Unknown, "no schema 7 (status 404): gone"))),
            (SCHEMA, 404, "{}", Err((Fatal, "no schema registry at this address"))),
            (GUID, 404, r#"{"error_code":404,"message":"HTTP 404 Not Found"}"#, Err((Unknown, "by its GUID"))),
            (VERSION, 404, r#"{"error_code":40402,"message":"v"}"#, Err((Unknown, "no version 2 of the subject a/b"))),
            (
                REGISTER,
                409,
                r#"{"error_code":409,"message":"reader"}"#,
                Err((Fatal, "not compatible with those of the subject")),
            ),
            (
                REGISTER,
                422,
                r#"{"error_code":42201,"message":"bad"}"#,
                Err((Fatal, "does not accept the schema (status 422): bad")),
            ),
            (REGISTER, 429, "", Err((Transient, "cannot answer now (status 429)"))),
            (
                SCHEMA,
                500,
                r#"{"error_code":50001,"message":"store"}"#,
                Err((Transient, "cannot answer now (status 500): store")),
            ),
            (SCHEMA, 400, "x\u{1b}[2J", Err((Fatal, "refuses the request (status 400): x\\x1b"))),
        ] {
            let kind = if body.starts_with("<html") { "text/html" } else { CONTENT };
            let answer = Answer { status, content_type: kind.to_owned(), body: body.into() };
            match (judge(&ask, &answer), expected) {
                (Ok(value), Ok(expected)) => {
                    let found = id(&value).map_or_else(|| schema_text(&value).unwrap().to_owned(), |id| id.to_string());
                    assert_eq!(found, expected);
                }
                (Err(trouble), Err((kind, words))) => {
                    assert!(trouble.kind == kind && trouble.words.contains(words), "{status} {body}: {trouble:?}");
                }
                other => panic!("{status} {body}: {other:?}"),
            }
        }
    }

    #[test]
    fn references_and_other_types_are_told() {
        let value = json!({"schema": "x", "schemaType": "PROTOBUF", "references": [{"name": "n", "subject": "s", "version": 3}]});
        assert_eq!(references(&value).unwrap(), [("s".to_owned(), 3)]);
        assert!(schema_text(&value).unwrap_err().words.contains("PROTOBUF, not of Avro"));
        assert!(
            references(&json!({"references": [{"subject": "s"}]})).is_err()
                && references(&json!({"references": 1})).is_err()
        );
        assert_eq!(references(&json!({"references": null})).unwrap().len(), 0);
        assert_eq!(shown(&"x".repeat(1000)).chars().count(), MOST_SHOWN + 1);
    }
}
