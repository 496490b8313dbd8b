//! Finds a full time stamp in the beginning of a line: a date with at least month and day, and a time with at least hours and
//! minutes. `doc/multiline.md` has the table of shapes.
//!
//! Nearly every shape has a time with colons. So the search looks for colons between digits, and reads the date before the
//! time backwards. A line without such a colon costs one search for a byte.

/// Whether a full time stamp begins at the beginning of a token of `text`.
#[inline]
pub fn has_stamp(text: &[u8]) -> bool {
    let mut colons = memchr::memchr_iter(b':', text);
    colons.any(|colon| is_stamp_at(text, colon)) || has_stamp_without_colon(text)
}

/// Whether the colon at `colon` stands between the hours and the minutes of a full time stamp.
#[inline]
fn is_stamp_at(text: &[u8], colon: usize) -> bool {
    let (Some([minutes, _]), Some(last)) = (text.get(colon + 1..colon + 3), colon.checked_sub(1)) else { return false };
    if !minutes.is_ascii_digit() || !text[colon + 2].is_ascii_digit() || *minutes > b'5' || !text[last].is_ascii_digit()
    {
        return false;
    }
    // One more digit would be a number, and no minutes.
    if text.get(colon + 3).is_some_and(u8::is_ascii_digit) {
        return false;
    }
    let hour = if last > 0 && text[last - 1].is_ascii_digit() { last - 1 } else { last };
    let is_hour = hour == last || text[hour] < b'2' || (text[hour] == b'2' && text[last] <= b'3');
    is_hour && date_before(&text[..hour]).is_some_and(|start| begins_token(text, start))
}

/// Whether a token may begin at `start`: nothing is before it, or a byte that is no part of a word or number.
#[inline]
fn begins_token(text: &[u8], start: usize) -> bool {
    match start.checked_sub(1).map(|before| text[before]) {
        None => true,
        Some(before) => !before.is_ascii_alphanumeric() && !matches!(before, b'.' | b'-' | b'/' | b'_' | 0x80..),
    }
}

/// Returns where the date begins that ends, with what separates it from a time, at the end of `text`.
#[inline]
fn date_before(text: &[u8]) -> Option<usize> {
    let (last, before) = text.split_last()?;
    let date = match last {
        b'T' | b't' | b':' | b'_' | b'-' => before,
        b' ' | b'\t' => {
            let blanks = |text: &[u8]| text.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            let date = &before[..before.len() - blanks(before).min(2)];
            let date = date.strip_suffix(b",").unwrap_or(date);
            date.strip_suffix(b" at").unwrap_or(date)
        }
        b',' => before,
        _ => return None,
    };
    date_at_end(date)
}

/// Returns where the date begins that ends at the end of `text`.
fn date_at_end(text: &[u8]) -> Option<usize> {
    let (before, digits) = digits_at_end(text);
    match digits.len() {
        // 20240203, 240203
        8 => (is_year(&digits[..4]) && is_month_and_day(&digits[4..])).then_some(before.len()),
        6 => is_month_and_day(&digits[2..]).then_some(before.len()),
        // The year stands last, or glog's I0203.
        4 => year_last(before, is_year(digits)).or_else(|| glog(before, digits)),
        1 | 2 => day_last(before, digits),
        // 3 Feb
        0 => day_before(text, month_name_at_end(text)?),
        _ => None,
    }
}

/// A date whose year stands last: `before` is what is before the year.
fn year_last(before: &[u8], is_year: bool) -> Option<usize> {
    if !is_year {
        return None;
    }
    let (separator, rest) = before.split_last()?;
    match separator {
        b'/' | b'.' | b'-' | b' ' => {
            // 03/Feb/2024, 3-Feb-2024, 03 Feb 2024
            if let Some(month) = month_name_at_end(rest) {
                return day_before(rest, month);
            }
            // Feb 03, 2024 and Feb 3 2024
            let comma = rest.strip_suffix(b",").unwrap_or(rest);
            let (first, digits) = digits_at_end(comma);
            if !matches!(digits.len(), 1 | 2) {
                return None;
            }
            if *separator == b' ' {
                let blanks = first.iter().rev().take_while(|byte| **byte == b' ').count();
                return is_day(digits).then(|| month_name_at_end(&first[..first.len() - blanks.clamp(0, 2)])).flatten();
            }
            // 03/02/2024, 03.02.2024, 03-02-2024
            let first = first.strip_suffix(&[*separator])?;
            let (before, other) = digits_at_end(first);
            let fits = matches!(other.len(), 1 | 2) && is_day(digits) && is_day(other);
            (fits && (is_month(digits) || is_month(other))).then_some(before.len())
        }
        _ => None,
    }
}

/// A date whose day or short year stands last: `before` is what is before these `digits`.
#[inline]
fn day_last(before: &[u8], digits: &[u8]) -> Option<usize> {
    let (separator, rest) = before.split_last()?;
    if *separator == b' ' {
        // Feb  3
        let rest = rest.strip_suffix(b" ").unwrap_or(rest);
        return is_day(digits).then(|| month_name_at_end(rest)).flatten();
    }
    if !matches!(separator, b'-' | b'/' | b'.') {
        return None;
    }
    // 03-Feb-24 and 2024-Feb-03
    if let Some(month) = month_name_at_end(rest) {
        let (before, first) = digits_at_end(rest[..month].strip_suffix(&[*separator])?);
        return matches!(first.len(), 1 | 2 | 4).then_some(before.len());
    }
    let (before, middle) = digits_at_end(rest);
    if !matches!(middle.len(), 1 | 2) {
        return None;
    }
    let Some(before) = before.strip_suffix(&[*separator]) else {
        // 02/03 without a year
        let fits = *separator == b'/' && is_day(middle) && is_day(digits) && (is_month(middle) || is_month(digits));
        return fits.then_some(before.len());
    };
    let (before, first) = digits_at_end(before);
    let fits = match first.len() {
        // 2024-02-03
        4 => is_year(first) && is_month(middle) && is_day(digits),
        // 02/03/24 and 24/02/03
        1 | 2 if digits.len() == 2 => {
            let is_last = (is_month(first) && is_day(middle)) || (is_day(first) && is_month(middle));
            is_last || (is_month(middle) && is_day(digits))
        }
        _ => false,
    };
    fits.then_some(before.len())
}

/// glog's level and date: `digits` are month and day.
fn glog(before: &[u8], digits: &[u8]) -> Option<usize> {
    let level = before.len().checked_sub(1)?;
    (matches!(before[level], b'I' | b'W' | b'E' | b'F' | b'D') && is_month_and_day(digits)).then_some(level)
}

/// Returns where the day begins that stands before the month at `month`.
fn day_before(text: &[u8], month: usize) -> Option<usize> {
    let (separator, rest) = text[..month].split_last()?;
    if !matches!(separator, b'/' | b'.' | b'-' | b' ') {
        return None;
    }
    let (before, day) = digits_at_end(rest);
    (matches!(day.len(), 1 | 2) && is_day(day)).then_some(before.len())
}

/// Splits off the digits at the end of `text`, at most nine.
#[inline]
fn digits_at_end(text: &[u8]) -> (&[u8], &[u8]) {
    let count = text.iter().rev().take(9).take_while(|byte| byte.is_ascii_digit()).count();
    text.split_at(text.len() - count)
}

/// Returns where the name of a month begins that ends at the end of `text`: three letters, or the whole name in English.
#[inline]
fn month_name_at_end(text: &[u8]) -> Option<usize> {
    if let [before @ .., a, b, c] = text
        && !before.last().is_some_and(u8::is_ascii_alphabetic)
        && is_month_name([a | 0x20, b | 0x20, c | 0x20])
    {
        return Some(before.len());
    }
    long_month_name_at_end(text)
}

#[inline]
fn is_month_name(letters: [u8; 3]) -> bool {
    matches!(
        &letters,
        b"jan" | b"feb" | b"mar" | b"apr" | b"may" | b"jun" | b"jul" | b"aug" | b"sep" | b"oct" | b"nov" | b"dec"
    )
}

fn long_month_name_at_end(text: &[u8]) -> Option<usize> {
    const ENDS: [&[u8]; 12] =
        [b"uary", b"ruary", b"ch", b"il", b"", b"e", b"y", b"ust", b"tember", b"ober", b"ember", b"ember"];
    let text = text.strip_suffix(b".").unwrap_or(text);
    let length = text.iter().rev().take(10).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (before, name) = text.split_at(text.len() - length);
    let (first, end) = name.split_first_chunk::<3>()?;
    let has_end = end.is_empty() || ENDS.iter().any(|known| known.eq_ignore_ascii_case(end));
    (is_month_name(first.map(|letter| letter | 0x20)) && has_end).then_some(before.len())
}

#[inline]
fn value(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |value, digit| 10 * value + u32::from(digit - b'0'))
}

fn is_year(digits: &[u8]) -> bool {
    (1900..2200).contains(&value(digits))
}

fn is_month(digits: &[u8]) -> bool {
    (1..=12).contains(&value(digits))
}

fn is_day(digits: &[u8]) -> bool {
    (1..=31).contains(&value(digits))
}

fn is_month_and_day(digits: &[u8]) -> bool {
    is_month(&digits[..2]) && is_day(&digits[2..])
}

/// Whether a full time stamp without a colon begins at the beginning of a token: `20240203T040506`, `20240203040506`,
/// `2024-02-03-04.05.06`, or, at the beginning of the line, Unix seconds.
fn has_stamp_without_colon(text: &[u8]) -> bool {
    if is_epoch(text) {
        return true;
    }
    let mut from = 0;
    while let Some(at) = memchr::memchr2(b'1', b'2', &text[from..]) {
        let start = from + at;
        let count = text[start..].iter().take(15).take_while(|byte| byte.is_ascii_digit()).count();
        if matches!(count, 4 | 8 | 14) && begins_token(text, start) && is_compact(&text[start..], count) {
            return true;
        }
        from = start + count;
    }
    false
}

/// Whether `text`, which begins with `count` digits, begins with a date and a time without colons.
fn is_compact(text: &[u8], count: usize) -> bool {
    if !is_year(&text[..4]) {
        return false;
    }
    let digits = |at: usize, most: u32| {
        text.get(at..at + 2).is_some_and(|two| two.iter().all(u8::is_ascii_digit) && value(two) <= most)
    };
    match count {
        14 => is_month_and_day(&text[4..8]) && digits(8, 23) && digits(10, 59) && digits(12, 60),
        8 => {
            let is_separated = matches!(text.get(8), Some(b'T' | b't' | b'_' | b'-'));
            is_month_and_day(&text[4..8]) && is_separated && digits(9, 23) && digits(11, 59)
        }
        _ => {
            let is = |at: usize, bytes: &[u8]| text.get(at).is_some_and(|byte| bytes.contains(byte));
            let date = is(4, b"-") && digits(5, 12) && is(7, b"-") && digits(8, 31);
            date && is(10, b"- T_") && digits(11, 23) && is(13, b".-") && digits(14, 59)
        }
    }
}

/// Whether the line begins with Unix time of the years 2001 to 2033: 10 digits with a fraction, or 13, 16 or 19 digits.
fn is_epoch(text: &[u8]) -> bool {
    let count = text.iter().take(20).take_while(|byte| byte.is_ascii_digit()).count();
    if text.first() != Some(&b'1') {
        return false;
    }
    let ends = |at: usize| matches!(text.get(at), None | Some(b' ' | b'\t' | b',' | b';' | b'|' | b']'));
    match count {
        10 => {
            text.get(10) == Some(&b'.') && text.get(11).is_some_and(u8::is_ascii_digit) || text.get(10) == Some(&b' ')
        }
        13 | 16 | 19 => ends(count),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_of_full_time_stamps_are_found_where_tokens_begin() {
        for text in [
            "2024-02-03T04:05:06.789Z host app",
            "2024-02-03 04:05:06,123 ERROR [main] boom",
            "2024-02-03 04:05 short",
            "2024/02/03 04:05:06 [error] 7#7: *1 open() failed",
            "[2024-02-03T04:05:06,789][INFO ][o.e.n.Node]",
            "[03/Feb/2024:04:05:06 +0000]",
            "192.0.2.4 - - [03/Feb/2024:04:05:06 +0000] \"GET / HTTP/1.1\" 200 17",
            "2001:db8::7 - ada [03/Feb/2024:04:05:06 +0000] \"GET /\"",
            "Feb  3 04:05:06 gate sshd[812]: x",
            "Feb 13 04:05:06 gate",
            "Sat Feb  3 04:05:06 2024",
            "Sat Feb 03 04:05:06 UTC 2024",
            "[Sat Feb 03 04:05:06.123456 2024] [core:error]",
            "Feb 03, 2024 4:05:06 AM com.example.Main run",
            "Saturday, February 3, 2024 4:05:06 PM",
            "03-Feb-2024 04:05:06.789 INFO [main]",
            "03 Feb 2024 04:05:06.123 * Ready",
            "12345:M 03 Feb 2024 04:05:06.123 * Ready",
            "3 Feb 04:05:06 x",
            "03/02/2024 04:05:06 x",
            "13.02.2024 04:05:06 x",
            "02/03/24 04:05:06 x",
            "02/03/2024, 04:05:06 x",
            "02/03 04:05:06 x",
            "20240203 04:05:06 x",
            "240203  4:05:06 [Note]",
            "I0203 04:05:06.123456       1 main.go:3] x",
            "E, [2024-02-03T04:05:06.789 #123] ERROR -- : x",
            "time=\"2024-02-03T04:05:06Z\" level=info",
            "ts=2024-02-03T04:05:06Z level=info",
            "INFO  2024-02-03 04:05:06 x",
            "17,2024-02-03 04:05:06,x",
            "<34>Feb  3 04:05:06 gate",
            "app:2024-02-03 04:05:06",
            "20240203T040506Z x",
            "20240203040506 x",
            "2024-02-03-04.05.06.123456+060 I17",
            "1706933106.123    45 192.0.2.4 TCP_MISS/200",
            "1706933106123 x",
            "1706933106 x",
        ] {
            assert!(has_stamp(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_date_alone_a_time_alone_and_parts_of_words_are_no_time_stamps() {
        for text in [
            "",
            ":",
            "::",
            "04:05:06.789 [main] INFO x",
            "2024-02-03 x",
            "2024-02-03",
            "\tat com.example.Main.run(Main.java:12)",
            "\tat com.example.Main.run(Main.java:12:34)",
            "Caused by: java.lang.IllegalStateException: at 12:34",
            "  File \"a.py\", line 12, in f",
            "goroutine 1 [running]:",
            "\t/src/main.go:10 +0x1d",
            "x2024-02-03T04:05:06Z",
            "a-2024-02-03T04:05:06Z",
            "/2024/02/03 04:05:06",
            "2024-13-03 04:05:06",
            "2024-02-32 04:05:06",
            "2024-02-03 24:05:06",
            "2024-02-03 04:65:06",
            "1.2.3 04:05:06.",
            "10.0.0.1 04:05",
            "de:ad:be:ef:12:34",
            "Fob  3 04:05:06",
            "17069331061 x",
            "2706933106.1 x",
            "1234567890123456789012 x",
            "99991303040506",
            "...   3 more",
        ] {
            assert!(!has_stamp(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn no_bytes_make_the_search_panic() {
        let mut random = fastrand::Rng::with_seed(1);
        let alphabet = b"0123456789:-/., TFebI\xc3\xa4[]<>{\"";
        for _ in 0..200_000 {
            let length = random.usize(..40);
            let text: Vec<u8> = (0..length).map(|_| alphabet[random.usize(..alphabet.len())]).collect();
            has_stamp(&text);
        }
    }
}
