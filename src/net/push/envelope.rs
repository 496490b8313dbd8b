//! The envelope of the original zmqpush: `{"message":LINE,"type":TYPE,"@pid":PID}`.

use crate::document::escape;

/// Wraps lines in JSON. Bytes that are not UTF-8 become U+FFFD, so the result is always valid JSON.
pub struct Wrapping {
    /// The beginning of the message, followed by the line.
    buffer: Vec<u8>,
    end: Vec<u8>,
}

const BEGINNING: &[u8] = b"{\"message\":\"";

impl Wrapping {
    /// Creates the wrapping for lines of type `kind` from process `pid`.
    pub fn new(kind: &str, pid: u32) -> Wrapping {
        let mut end = b"\",\"type\":\"".to_vec();
        escape::escape(kind.as_bytes(), &mut end);
        end.extend_from_slice(format!("\",\"@pid\":{pid}}}").as_bytes());
        Wrapping { buffer: BEGINNING.to_vec(), end }
    }

    /// Returns the message for `line`.
    #[inline]
    pub fn wrap(&mut self, line: &[u8]) -> &[u8] {
        self.buffer.truncate(BEGINNING.len());
        escape::escape(line, &mut self.buffer);
        self.buffer.extend_from_slice(&self.end);
        &self.buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_wrapped_as_zmqpush_did_it() {
        let mut wrapping = Wrapping::new("syslog", 12);
        assert_eq!(wrapping.wrap(b"<13>a line"), br#"{"message":"<13>a line","type":"syslog","@pid":12}"#);
        assert_eq!(wrapping.wrap(b""), br#"{"message":"","type":"syslog","@pid":12}"#);
    }

    #[test]
    fn whatever_bytes_a_line_has_it_is_json() {
        let all: Vec<u8> = (0..=255).collect();
        let mut wrapping = Wrapping::new("a \"type\"\\\n", 1);
        for length in 0..=all.len() {
            for start in [0, all.len() - length] {
                let line = &all[start..start + length];
                let value: serde_json::Value = serde_json::from_slice(wrapping.wrap(line)).unwrap();
                assert_eq!(value["message"], String::from_utf8_lossy(line).as_ref());
                assert_eq!(value["type"], "a \"type\"\\\n");
            }
        }
    }
}
