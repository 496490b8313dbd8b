//! Names of the fields of a syslog message. They are the names of Logstash's syslog input, in its plain mode and in its
//! ECS mode. Fields that this input does not read have the names of the Elastic Common Schema.
//!
//! | | plain | ECS |
//! |---|---|---|
//! | sequence number | `sequence` | `event.sequence` |
//! | priority | `priority` | `log.syslog.priority` |
//! | facility | `facility`, `facility_label` | `log.syslog.facility.code`, `.name` |
//! | severity | `severity`, `severity_label` | `log.syslog.severity.code`, `.name` |
//! | time as written | `timestamp` | `timestamp` |
//! | host | `logsource` | `host.hostname` |
//! | tag, APP-NAME | `program` | `process.name` |
//! | process, PROCID | `pid`, or `procid` if it is not a number | `process.pid`, or `log.syslog.procid` |
//! | VERSION | `version` | `log.syslog.version`, as a text |
//! | MSGID | `msgid` | `log.syslog.msgid` |
//! | STRUCTURED-DATA | `structured_data` | `log.syslog.structured_data` |

use super::structured;
use super::syslog::Header;
use crate::event::OuterFields;

const FACILITIES: [&str; 24] = [
    "kernel",
    "user-level",
    "mail",
    "system",
    "security/authorization",
    "syslogd",
    "line printer",
    "network news",
    "UUCP",
    "clock",
    "security/authorization",
    "FTP",
    "NTP",
    "log audit",
    "log alert",
    "clock",
    "local0",
    "local1",
    "local2",
    "local3",
    "local4",
    "local5",
    "local6",
    "local7",
];
const SEVERITIES: [&str; 8] =
    ["Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug"];

/// One of the two sets of field names.
#[derive(Debug)]
pub(super) struct Names {
    put: fn(&Header<'_>, &mut OuterFields),
    /// The fields that a header may have.
    all: &'static [&'static str],
}

pub(super) static PLAIN: Names = Names {
    put: plain,
    all: &[
        "priority",
        "facility",
        "facility_label",
        "severity",
        "severity_label",
        "sequence",
        "version",
        "timestamp",
        "logsource",
        "program",
        "pid",
        "procid",
        "msgid",
        "structured_data",
    ],
};
pub(super) static ECS: Names = Names { put: ecs, all: &["event", "log", "host", "process", "timestamp"] };

impl Names {
    /// Sets `outer` to the fields of `header`.
    pub fn put(&self, header: &Header<'_>, outer: &mut OuterFields) {
        (self.put)(header, outer);
        put_text(outer, "timestamp", header.timestamp);
        if let Some(reading) = header.date {
            outer.set_date(reading);
        }
        outer.finish();
    }

    /// Adds the fields of `header` to `outer`, which has other fields.
    pub fn add(&self, header: &Header<'_>, outer: &mut OuterFields) {
        self.all.iter().for_each(|name| outer.remove(name));
        self.put(header, outer);
    }
}

fn put_text(outer: &mut OuterFields, name: &str, text: &[u8]) {
    if !text.is_empty() {
        outer.name(name);
        outer.text(text);
    }
}

fn put_int(outer: &mut OuterFields, name: &str, value: impl Into<i64>) {
    outer.name(name);
    outer.int(value.into());
}

/// Returns the process as a number, if it is one.
fn pid(header: &Header<'_>) -> Option<i64> {
    number(header.process)
}

fn number(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
}

fn put_data(outer: &mut OuterFields, data: &[u8]) {
    if !data.is_empty() {
        outer.name("structured_data");
        let object = outer.open();
        structured::put(data, outer);
        outer.close(object);
    }
}

fn plain(header: &Header<'_>, outer: &mut OuterFields) {
    if let Some(priority) = header.priority {
        let (facility, severity) = (priority >> 3, priority & 7);
        put_int(outer, "priority", priority);
        put_int(outer, "facility", facility);
        if let Some(label) = FACILITIES.get(usize::from(facility)) {
            put_text(outer, "facility_label", label.as_bytes());
        }
        put_int(outer, "severity", severity);
        if let Some(label) = SEVERITIES.get(usize::from(severity)) {
            put_text(outer, "severity_label", label.as_bytes());
        }
    }
    if let Some(sequence) = number(header.sequence) {
        put_int(outer, "sequence", sequence);
    }
    if let Some(version) = header.version {
        put_int(outer, "version", version);
    }
    put_text(outer, "logsource", header.host);
    put_text(outer, "program", header.program);
    match pid(header) {
        Some(pid) => put_int(outer, "pid", pid),
        None => put_text(outer, "procid", header.process),
    }
    put_text(outer, "msgid", header.message_id);
    put_data(outer, header.data);
}

fn ecs(header: &Header<'_>, outer: &mut OuterFields) {
    let pid = pid(header);
    if let Some(sequence) = number(header.sequence) {
        outer.name("event");
        let event = outer.open();
        put_int(outer, "sequence", sequence);
        outer.close(event);
    }
    let has_procid = pid.is_none() && !header.process.is_empty();
    if header.priority.is_some() || header.version.is_some() || has_procid {
        ecs_syslog(header, pid, outer);
    }
    if !header.host.is_empty() {
        outer.name("host");
        let host = outer.open();
        put_text(outer, "hostname", header.host);
        outer.close(host);
    }
    if !header.program.is_empty() || pid.is_some() {
        outer.name("process");
        let process = outer.open();
        put_text(outer, "name", header.program);
        if let Some(pid) = pid {
            put_int(outer, "pid", pid);
        }
        outer.close(process);
    }
}

/// Adds `log.syslog`.
fn ecs_syslog(header: &Header<'_>, pid: Option<i64>, outer: &mut OuterFields) {
    outer.name("log");
    let log = outer.open();
    outer.name("syslog");
    let syslog = outer.open();
    if let Some(priority) = header.priority {
        put_int(outer, "priority", priority);
        put_labelled(outer, "facility", priority >> 3, &FACILITIES);
        put_labelled(outer, "severity", priority & 7, &SEVERITIES);
    }
    if let Some(version) = header.version {
        let digits = [b'0' + version / 10, b'0' + version % 10];
        put_text(outer, "version", &digits[usize::from(version < 10)..]);
    }
    if pid.is_none() {
        put_text(outer, "procid", header.process);
    }
    put_text(outer, "msgid", header.message_id);
    put_data(outer, header.data);
    outer.close(syslog);
    outer.close(log);
}

fn put_labelled(outer: &mut OuterFields, name: &str, code: u16, labels: &[&str]) {
    outer.name(name);
    let object = outer.open();
    put_int(outer, "code", code);
    if let Some(label) = labels.get(usize::from(code)) {
        put_text(outer, "name", label.as_bytes());
    }
    outer.close(object);
}
