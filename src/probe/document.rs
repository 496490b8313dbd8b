//! The documents of requests: the fields of each hop, their types and their `_id`.

use std::sync::{Arc, LazyLock};

use super::list::Identity;
use super::outcome::Hop;
use super::phases::Phases;
use crate::core::calendar::write_iso;
use crate::core::context::{Context, Origin};
use crate::core::error::Result;
use crate::core::record::{IdRule, Key, RecordId, hash, time_hash};
use crate::event::{Event, FieldPath, TypedField, TypedFields, Value};
use crate::grok::FieldType;

/// Declares the fields as constants, which are indexes, and the list of them.
macro_rules! fields {
    ($($constant:ident = $name:literal, $kind:ident;)*) => {
        fields!(@count 0; $($constant)*);

        /// The fields of the documents, in their order. A document has no field whose value is not known.
        pub const FIELDS: &[(&str, FieldType)] = &[$(($name, FieldType::$kind)),*];
    };
    (@count $at:expr;) => {};
    (@count $at:expr; $constant:ident $($rest:ident)*) => {
        const $constant: usize = $at;
        fields!(@count $at + 1; $($rest)*);
    };
}

fields! {
    TIMESTAMP = "@timestamp", Date;
    SCHEDULED_AT = "scheduled_at", Date;
    STARTED_AT = "started_at", Date;
    LATENESS = "lateness_us", Int;
    MISSED = "missed", Int;
    NAME = "name", Text;
    METHOD = "method", Text;
    URL = "url", Text;
    HOP = "hop", Int;
    HOPS = "hops", Int;
    OK = "ok", Bool;
    STATUS = "status", Int;
    ERROR = "error", Text;
    ERROR_TEXT = "error_text", Text;
    NAME_LOOKUP = "name_lookup_us", Int;
    CONNECT = "connect_us", Int;
    TLS = "tls_us", Int;
    SEND = "send_us", Int;
    WAIT = "wait_us", Int;
    TRANSFER = "transfer_us", Int;
    TOTAL = "total_us", Int;
    BYTES_RECEIVED = "bytes_received", Int;
    BODY_BYTES = "body_bytes", Int;
    BYTES_SENT = "bytes_sent", Int;
    IP = "ip", Ip;
    PORT = "port", Int;
    REUSED = "reused", Bool;
    HTTP_VERSION = "http_version", Text;
    TLS_VERSION = "tls_version", Text;
    TLS_CIPHER = "tls_cipher", Text;
    TLS_ALPN = "tls_alpn", Text;
    CERTIFICATE_EXPIRES_AT = "certificate_expires_at", Date;
}

static PATHS: LazyLock<Vec<FieldPath>> =
    LazyLock::new(|| FIELDS.iter().filter_map(|(name, _)| FieldPath::new(name).ok()).collect());

/// Returns the fields with their types, for encodings that have a schema. Every document has `_id` and `@timestamp`, which are not
/// listed.
///
/// # Errors
/// A name is no name of a field.
pub fn typed_fields() -> Result<TypedFields> {
    let listed = FIELDS.iter().filter(|(name, _)| *name != FIELDS[TIMESTAMP].0);
    let fields = listed.map(|(name, kind)| TypedField::new(name, *kind)).collect::<Result<_>>()?;
    Ok(TypedFields { name: "probe".to_owned(), fields })
}

/// What the document of a hop says, besides the hop itself.
#[derive(Debug, Clone, Copy)]
pub struct HopDocument<'a> {
    /// The hop.
    pub hop: &'a Hop,
    /// The number of the hop, from 1 on.
    pub number: u32,
    /// The number of hops of the request.
    pub hops: u32,
    /// The name that the user gave to the URL.
    pub name: Option<&'a str>,
    /// When the request was due, in nanoseconds since 1970.
    pub scheduled_at: u64,
    /// The microseconds from then to its start.
    pub lateness: u64,
    /// How many occurrences of the URL were missed beside this one.
    pub missed: u64,
}

impl HopDocument<'_> {
    /// Sets the fields of `event`.
    pub fn fill(&self, event: &mut Event<'_>) {
        let HopDocument { hop, number, hops, name, scheduled_at, lateness, missed } = *self;
        let mut set = |field: usize, value: Value<'_>| {
            if let Some(path) = PATHS.get(field) {
                event.set(path, value);
            }
        };
        let number_of = |value: u64| Value::Int(i64::try_from(value).unwrap_or(i64::MAX));
        let text = |text: &'static str| Value::Text(text.as_bytes());
        let started = Value::Date((hop.started_at / 1_000_000).into());
        set(TIMESTAMP, started);
        set(SCHEDULED_AT, Value::Date(i64::try_from(scheduled_at / 1_000_000).unwrap_or(i64::MAX).into()));
        set(STARTED_AT, started);
        // Lateness and missed occurrences belong to the request, so sums over documents are right.
        if number == 1 {
            set(LATENESS, number_of(lateness));
            set(MISSED, number_of(missed));
        }
        if let Some(name) = name {
            set(NAME, Value::Text(name.as_bytes()));
        }
        set(METHOD, Value::Text(hop.method.as_bytes()));
        set(URL, Value::Text(hop.url.as_bytes()));
        set(HOP, number_of(number.into()));
        set(HOPS, number_of(hops.into()));
        set(OK, Value::Bool(hop.error.is_none()));
        if let Some(status) = hop.status {
            set(STATUS, number_of(status.into()));
        }
        if let Some(fault) = &hop.error {
            set(ERROR, text(fault.class.keyword()));
            set(ERROR_TEXT, Value::Text(fault.text.as_bytes()));
        }
        let Phases { name_lookup, connect, tls, send, wait, transfer } = hop.phases;
        for (field, us) in [
            (NAME_LOOKUP, name_lookup),
            (CONNECT, connect),
            (TLS, tls),
            (SEND, send),
            (WAIT, wait),
            (TRANSFER, transfer),
            (TOTAL, hop.phases.total()),
            (BYTES_RECEIVED, hop.bytes_received),
            (BODY_BYTES, hop.body_bytes),
            (BYTES_SENT, hop.bytes_sent),
        ] {
            set(field, number_of(us));
        }
        if let Some((ip, port)) = &hop.remote {
            set(IP, Value::Text(ip.as_bytes()));
            set(PORT, number_of((*port).into()));
        }
        set(REUSED, Value::Bool(hop.reused));
        if let Some(version) = hop.http_version {
            set(HTTP_VERSION, text(version));
        }
        if let Some(tls) = &hop.tls {
            let texts = [(TLS_VERSION, &tls.version), (TLS_CIPHER, &tls.cipher), (TLS_ALPN, &tls.alpn)];
            for (field, value) in texts {
                if let Some(value) = value {
                    set(field, Value::Text(value.as_bytes()));
                }
            }
            if let Some(seconds) = tls.certificate_expiry {
                set(CERTIFICATE_EXPIRES_AT, Value::Date(seconds.saturating_mul(1000).into()));
            }
        }
    }
}

/// The origin of the documents of one URL. Its number is a hash of method, URL and name.
#[derive(Debug, Clone)]
pub struct UrlOrigin(Context);

impl UrlOrigin {
    /// Returns the origin of the URL with this identity.
    pub fn new(identity: &Identity) -> UrlOrigin {
        let Identity { method, url, name } = identity;
        let text = format!("{method}\0{url}\0{}", name.as_deref().unwrap_or_default());
        let origin = Origin::new(hash(text.as_bytes()), url.as_str()).ruled(IdRule::Given);
        UrlOrigin(Context::new(Arc::new(origin)))
    }

    /// Returns the context of the documents, for the sinks.
    pub fn context(&self) -> &Context {
        &self.0
    }

    /// Returns the `_id` of the document of hop `number` of the request that was due at `scheduled_at` nanoseconds since 1970.
    /// It depends on method, URL, name, that time and the number.
    pub fn id(&self, scheduled_at: u64, number: u32) -> RecordId {
        Key::Time { ns: scheduled_at, ordinal: number }.id(self.0.origin.id, time_hash(b"hop", number, b""))
    }
}

/// Returns one line about a hop, for `--verbose`.
pub fn sentence(hop: &Hop, name: Option<&str>) -> String {
    let Hop { method, url, status, error, phases, .. } = hop;
    let ms = super::summary::milliseconds(phases.total());
    let name = name.map(|name| format!(" ({name})")).unwrap_or_default();
    let status = status.map_or("no answer".to_owned(), |status| status.to_string());
    let fault = error.as_ref().map(|fault| format!(": {}: {}", fault.class.keyword(), fault.text)).unwrap_or_default();
    let time = write_iso(hop.started_at / 1_000_000);
    format!("{} {method} {url}{name} {status} {ms} ms{fault}", String::from_utf8_lossy(&time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Encoding;
    use crate::event::Changes;
    use crate::probe::outcome::{ErrorClass, Fault, Tls as TlsFacts};

    fn hop() -> Hop {
        Hop {
            started_at: 1_431_857_103_123_456_789,
            method: "GET".into(),
            url: "https://a.example/x?\"y\"".into(),
            phases: Phases { name_lookup: 1, connect: 2, tls: 3, send: 4, wait: 5, transfer: 6 },
            reused: false,
            status: Some(503),
            bytes_received: 300,
            body_bytes: 100,
            bytes_sent: 80,
            remote: Some(("192.0.2.1".into(), 443)),
            http_version: Some("2"),
            tls: Some(TlsFacts {
                version: Some("TLSv1.3".into()),
                certificate_expiry: Some(1_500_000_000),
                ..TlsFacts::default()
            }),
            error: Some(Fault { class: ErrorClass::Http, text: "status 503".into() }),
        }
    }

    fn identity() -> Identity {
        Identity { method: "GET".into(), url: "https://a.example/".into(), name: None }
    }

    fn json(document: &HopDocument<'_>) -> serde_json::Value {
        let id = UrlOrigin::new(&identity()).id(document.scheduled_at, document.number);
        let mut changes = Changes::default();
        let mut event = Event::without_text(&mut changes);
        document.fill(&mut event);
        let mut out = Vec::new();
        event.encode(Encoding::Json, &id, &mut out);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn a_document_has_all_that_is_known_of_its_hop_under_declared_names() {
        let hop = hop();
        let at = 1_431_857_103_000_000_000;
        let document = HopDocument {
            hop: &hop,
            number: 1,
            hops: 2,
            name: Some("home"),
            scheduled_at: at,
            lateness: 123_456,
            missed: 3,
        };
        let mut value = json(&document);
        let id = value["_id"].take();
        let id = id.as_str().unwrap();
        assert_eq!((id.len(), &id[16..32]), (44, format!("{at:016x}").as_str()));
        let expected = serde_json::json!({
            "_id": null, "@timestamp": "2015-05-17T10:05:03.123Z", "scheduled_at": "2015-05-17T10:05:03.000Z",
            "started_at": "2015-05-17T10:05:03.123Z", "lateness_us": 123_456, "missed": 3, "name": "home", "method": "GET",
            "url": "https://a.example/x?\"y\"", "hop": 1, "hops": 2, "ok": false, "status": 503, "error": "http",
            "error_text": "status 503", "name_lookup_us": 1, "connect_us": 2, "tls_us": 3, "send_us": 4, "wait_us": 5,
            "transfer_us": 6, "total_us": 21, "bytes_received": 300, "body_bytes": 100, "bytes_sent": 80, "ip": "192.0.2.1",
            "port": 443, "reused": false, "http_version": "2", "tls_version": "TLSv1.3",
            "certificate_expires_at": "2017-07-14T02:40:00.000Z",
        });
        assert_eq!(value, expected);
        assert_eq!((PATHS.len(), typed_fields().unwrap().fields.len()), (FIELDS.len(), FIELDS.len() - 1));
        let names: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
        assert!(value.as_object().unwrap().keys().all(|name| name == "_id" || names.contains(&name.as_str())));
    }

    #[test]
    fn what_is_not_known_has_no_field() {
        let hop = Hop { status: None, remote: None, http_version: None, tls: None, error: None, ..hop() };
        let document =
            HopDocument { hop: &hop, number: 2, hops: 2, name: None, scheduled_at: 5, lateness: 7, missed: 1 };
        let value = json(&document);
        for absent in ["status", "ip", "port", "http_version", "tls_version", "error", "name", "lateness_us", "missed"]
        {
            assert_eq!(value.get(absent), None, "{absent}");
        }
        assert_eq!((value["ok"].as_bool(), value["hop"].as_i64()), (Some(true), Some(2)));
    }

    #[test]
    fn an_id_depends_on_method_url_name_time_and_hop() {
        let base = identity();
        let id = |identity: &Identity, at, hop| UrlOrigin::new(identity).id(at, hop);
        let first = id(&base, 9, 1);
        assert_eq!(first, id(&base, 9, 1));
        let others = [
            id(&Identity { method: "HEAD".into(), ..base.clone() }, 9, 1),
            id(&Identity { url: "https://a.example/x".into(), ..base.clone() }, 9, 1),
            id(&Identity { name: Some("x".into()), ..base.clone() }, 9, 1),
            id(&base, 10, 1),
            id(&base, 9, 2),
        ];
        assert!(!others.contains(&first), "{others:?}");
    }

    #[test]
    fn a_line_for_people_names_the_failure() {
        let line = sentence(&hop(), Some("home"));
        assert_eq!(
            line,
            "2015-05-17T10:05:03.123Z GET https://a.example/x?\"y\" (home) 503 0.021 ms: http: status 503"
        );
    }
}
