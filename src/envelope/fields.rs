//! What the fields of a syslog message are called: as Logstash's syslog input calls them, plain and in its ECS mode; and
//! what that does not read, as the Elastic Common Schema has it.
//!
//! | | plain | ECS |
//! |---|---|---|
//! | priority | `priority` | `log.syslog.priority` |
//! | facility | `facility`, `facility_label` | `log.syslog.facility.code`, `.name` |
//! | severity | `severity`, `severity_label` | `log.syslog.severity.code`, `.name` |
//! | time as written | `timestamp` | `timestamp` |
//! | host | `logsource` | `host.hostname` |
//! | tag, APP-NAME | `program` | `process.name` |
//! | process, PROCID | `pid`, or `procid` when it is no number | `process.pid`, or `log.syslog.procid` |
//! | VERSION | `version` | `log.syslog.version`, a text |
//! | MSGID | `msgid` | `log.syslog.msgid` |
//! | STRUCTURED-DATA | `structured_data` | `log.syslog.structured_data` |

use super::structured;
use super::syslog::Header;
use crate::document::Around;

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

/// One of the two ways to call fields.
#[derive(Debug)]
pub(super) struct Names {
    put: fn(&Header<'_>, &mut Around),
}

pub(super) static PLAIN: Names = Names { put: plain };
pub(super) static ECS: Names = Names { put: ecs };

impl Names {
    /// Makes `around` the fields of `header`.
    pub fn put(&self, header: &Header<'_>, around: &mut Around) {
        (self.put)(header, around);
        put_text(around, "timestamp", header.timestamp);
        if let Some(ms) = header.date {
            around.set_date(ms);
        }
        around.finish();
    }
}

fn put_text(around: &mut Around, name: &str, text: &[u8]) {
    if !text.is_empty() {
        around.name(name);
        around.text(text);
    }
}

fn put_int(around: &mut Around, name: &str, value: impl Into<i64>) {
    around.name(name);
    around.int(value.into());
}

/// The process as a number, if it is one.
fn pid(header: &Header<'_>) -> Option<i64> {
    let digits = header.process;
    if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
}

fn put_data(around: &mut Around, data: &[u8]) {
    if !data.is_empty() {
        around.name("structured_data");
        let object = around.open();
        structured::put(data, around);
        around.close(object);
    }
}

fn plain(header: &Header<'_>, around: &mut Around) {
    let (facility, severity) = (header.priority >> 3, header.priority & 7);
    put_int(around, "priority", header.priority);
    put_int(around, "facility", facility);
    if let Some(label) = FACILITIES.get(usize::from(facility)) {
        put_text(around, "facility_label", label.as_bytes());
    }
    put_int(around, "severity", severity);
    if let Some(label) = SEVERITIES.get(usize::from(severity)) {
        put_text(around, "severity_label", label.as_bytes());
    }
    if let Some(version) = header.version {
        put_int(around, "version", version);
    }
    put_text(around, "logsource", header.host);
    put_text(around, "program", header.program);
    match pid(header) {
        Some(pid) => put_int(around, "pid", pid),
        None => put_text(around, "procid", header.process),
    }
    put_text(around, "msgid", header.message_id);
    put_data(around, header.data);
}

fn ecs(header: &Header<'_>, around: &mut Around) {
    let (facility, severity) = (header.priority >> 3, header.priority & 7);
    let pid = pid(header);
    around.name("log");
    let log = around.open();
    around.name("syslog");
    let syslog = around.open();
    put_int(around, "priority", header.priority);
    put_labelled(around, "facility", facility, &FACILITIES);
    put_labelled(around, "severity", severity, &SEVERITIES);
    if let Some(version) = header.version {
        let digits = [b'0' + version / 10, b'0' + version % 10];
        put_text(around, "version", &digits[usize::from(version < 10)..]);
    }
    if pid.is_none() {
        put_text(around, "procid", header.process);
    }
    put_text(around, "msgid", header.message_id);
    put_data(around, header.data);
    around.close(syslog);
    around.close(log);
    if !header.host.is_empty() {
        around.name("host");
        let host = around.open();
        put_text(around, "hostname", header.host);
        around.close(host);
    }
    if !header.program.is_empty() || pid.is_some() {
        around.name("process");
        let process = around.open();
        put_text(around, "name", header.program);
        if let Some(pid) = pid {
            put_int(around, "pid", pid);
        }
        around.close(process);
    }
}

fn put_labelled(around: &mut Around, name: &str, code: u16, labels: &[&str]) {
    around.name(name);
    let object = around.open();
    put_int(around, "code", code);
    if let Some(label) = labels.get(usize::from(code)) {
        put_text(around, "name", label.as_bytes());
    }
    around.close(object);
}
