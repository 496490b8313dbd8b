//! Tells the JSON object of zmqpush and `logator-push` from other lines, line by line.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Envelope;

/// The object as zmqpush writes it: these three members, and no other one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object<'a> {
    #[serde(borrow, rename = "message")]
    _message: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    _kind: Cow<'a, str>,
    #[serde(rename = "@pid")]
    _pid: IgnoredAny,
}

/// Returns the envelope of `line`, if a peer pushed it.
pub fn envelope(line: &[u8]) -> Envelope {
    let may_be = line.starts_with(b"{") && memchr::memmem::find(line, b"\"@pid\"").is_some();
    match may_be && serde_json::from_slice::<Object<'_>>(line).is_ok() {
        true => Envelope::Json,
        false => Envelope::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_object_of_zmqpush_is_opened() {
        for line in [
            r#"{"message":"a line","type":"nginx","@pid":17}"#,
            r#"{"message": "", "type": "", "@pid": 0}"#,
            r#"{"@pid": "17", "type": "app", "message": "{\"message\":1}"}"#,
            r#"{"message":"\u00e9\n","type":"x","@pid":null} "#,
        ] {
            assert_eq!(envelope(line.as_bytes()), Envelope::Json, "{line}");
        }
        for line in [
            "",
            "a line",
            r#"{"message":"a line","type":"nginx"}"#,
            r#"{"message":5,"type":"nginx","@pid":17}"#,
            r#"{"message":"a","type":null,"@pid":17}"#,
            r#"{"message":"a","type":"b","@pid":17,"level":"info"}"#,
            r#"{"message":"a","message":"b","type":"b","@pid":17}"#,
            r#"{"message":"a","type":"b","@pid":17}{}"#,
            r#"{"message":"a","type":"b","@pid":17"#,
            r#"[{"message":"a","type":"b","@pid":17}]"#,
            r#"{"x":{"message":"a","type":"b","@pid":17}}"#,
        ] {
            assert_eq!(envelope(line.as_bytes()), Envelope::None, "{line}");
        }
    }
}
