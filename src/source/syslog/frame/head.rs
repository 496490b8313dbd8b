//! The beginning of a counted message, `LENGTH <PRI>`, and what tells that a count was wrong. Pure.

/// The maximum number of digits of a count. A number of 9 digits is nearly a gigabyte.
const MAX_DIGITS: usize = 9;

/// The number of bytes that decide whether a message is counted: digits, a blank, and `<191>`.
pub(super) const HEAD: usize = MAX_DIGITS + 1 + 5;

/// The beginning of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    /// A count, a blank and a priority.
    Counted {
        /// The number of bytes before the priority.
        text: usize,
        /// The number of bytes of the priority. No message is shorter.
        priority: usize,
        /// The count.
        count: u64,
    },
    /// The bytes may become a count with its priority.
    More,
    /// Anything else.
    Other,
}

/// Returns what `bytes` begin with. No more than [`HEAD`] bytes are looked at.
pub(super) fn head(bytes: &[u8]) -> Head {
    let digits = bytes.iter().take(MAX_DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
    match bytes.get(digits) {
        _ if digits > MAX_DIGITS => return Head::Other,
        None => return Head::More,
        Some(b' ') if digits > 0 => {}
        Some(_) => return Head::Other,
    }
    let text = digits + 1;
    let count = bytes[..digits].iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
    match priority(&bytes[text..]) {
        Some(0) => Head::More,
        Some(priority) => Head::Counted { text, priority, count },
        None => Head::Other,
    }
}

/// Returns the number of bytes of the priority that `bytes` begin with, `<0>` to `<999>`; 0 if they may become one.
fn priority(bytes: &[u8]) -> Option<usize> {
    let (first, rest) = match bytes.split_first() {
        None => return Some(0),
        Some(split) => split,
    };
    let digits = rest.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
    match rest.get(digits) {
        _ if *first != b'<' => None,
        None => Some(0),
        Some(b'>') if digits > 0 => Some(digits + 2),
        Some(_) => None,
    }
}

/// Whether a byte may stand between two messages: some senders write a newline after a counted message.
pub(super) fn is_between(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r' | 0)
}

/// Returns the place in `message` at which another counted message begins, if the count of `message` is certainly too large:
/// that other message is in it as a whole, and a third one begins where it ends.
pub(super) fn swallowed(message: &[u8]) -> Option<usize> {
    let begins = |bytes: &[u8]| matches!(head(bytes), Head::Counted { .. });
    for blank in memchr::memmem::find_iter(message, b" <") {
        let digits = message[..blank].iter().rev().take(MAX_DIGITS).take_while(|byte| byte.is_ascii_digit()).count();
        // The text before the count may end with digits.
        for start in blank - digits..blank {
            let Head::Counted { text, priority, count } = head(&message[start..]) else { break };
            let Ok(length) = usize::try_from(count) else { continue };
            let Some(after) = message.get(start + text + length..).filter(|_| start > 0 && length >= priority) else {
                continue;
            };
            let between = after.iter().take_while(|byte| is_between(**byte)).count();
            if begins(&after[between..]) {
                return Some(start);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_digits_a_blank_and_a_priority() {
        let counted = |text, priority, count| Head::Counted { text, priority, count };
        for (bytes, expected) in [
            ("", Head::More),
            ("12", Head::More),
            ("12 ", Head::More),
            ("12 <", Head::More),
            ("12 <191", Head::More),
            ("12 <191>", counted(3, 5, 12)),
            ("12 <1>x", counted(3, 3, 12)),
            ("0 <1>", counted(2, 3, 0)),
            ("007 <1>", counted(4, 3, 7)),
            ("999999999 <1>", counted(10, 3, 999_999_999)),
            ("9999999999", Head::Other),
            ("<1>", Head::Other),
            (" <1>", Head::Other),
            ("-5 <1>", Head::Other),
            ("12  <1>", Head::Other),
            ("12 <>", Head::Other),
            ("12 <b>", Head::Other),
            ("12 <1234>", Head::Other),
            ("12x", Head::Other),
        ] {
            assert_eq!(head(bytes.as_bytes()), expected, "{bytes:?}");
            if expected == Head::More {
                assert!(bytes.len() < HEAD, "{bytes:?}");
            }
        }
    }

    #[test]
    fn only_a_whole_message_with_another_one_behind_it_proves_a_wrong_count() {
        for (message, place) in [
            ("<1>a4 <1>b4 <1>c", Some(4)),
            ("<1>a4 <1>b\n4 <1>c", Some(4)),
            ("<1>took 54 <1>b4 <1>c", Some(9)),
            ("<1>a4 <1>b", None),
            ("<1>a4 <1>b4 <1", None),
            ("<1>see 123 <34> in the log", None),
            ("<1>a2 <1>b4 <1>c", None),
            ("<1>a5 <1>b4 <1>c", None),
            ("<1>no count", None),
        ] {
            assert_eq!(swallowed(message.as_bytes()), place, "{message:?}");
        }
    }
}
