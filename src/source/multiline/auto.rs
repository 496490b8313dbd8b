//! [`Auto`]: the rule that is in force if the user names none.

use super::stamp::has_stamp;
use crate::source::joiner::Joiner;

/// A line begins a record if a full time stamp begins at the beginning of a token, or if the line begins with `{` or `<N>`. Any
/// other line continues the record before it if that record began so. Else it is a record.
#[derive(Debug, Default)]
pub struct Auto {
    /// Whether the last record began with a line that was recognised.
    is_open: bool,
}

impl Joiner for Auto {
    #[inline]
    fn begins_record(&mut self, beginning: &[u8]) -> bool {
        let begins = match beginning.first() {
            Some(b'{') => true,
            Some(b'<') if has_priority(beginning) => true,
            _ => has_stamp(beginning),
        };
        let continues = !begins && self.is_open;
        self.is_open |= begins;
        !continues
    }

    #[inline]
    fn is_complete(&self) -> bool {
        !self.is_open
    }
}

/// Whether `text` begins with the priority of a syslog message, such as `<34>`.
fn has_priority(text: &[u8]) -> bool {
    let digits = text[1..].iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    (1..=3).contains(&digits) && text.get(1 + digits) == Some(&b'>')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether each line begins a record.
    fn begins(lines: &[&str]) -> Vec<bool> {
        let mut auto = Auto::default();
        lines.iter().map(|line| auto.begins_record(line.as_bytes())).collect()
    }

    #[test]
    fn lines_continue_a_record_that_was_recognised_and_stand_alone_before_it() {
        let log = ["banner", "  of a program", "2024-02-03 04:05:06 boom", "java.lang.X: y", "\tat z", "", "<34>Feb"];
        assert_eq!(begins(&log), [true, true, true, false, false, false, true]);
        assert_eq!(begins(&["{", "  \"a\": 1", "}", "{\"a\":2}"]), [true, false, false, true]);
        assert_eq!(begins(&["<1234>x", "<>x", "<a>x", "<34", " <34>x", " {"]), [true; 6]);
        assert_eq!(
            begins(&["<0>x", "<1234>x", "<>x", "<a>x", "<34", " <34>x", " {"]),
            [true, false, false, false, false, false, false]
        );
    }
}
