//! Parses the combined format by plain loops over bytes. This is the cost of a parser that can do nothing else.

type Span = Option<(usize, usize)>;

/// A position in a line.
struct Cursor<'l> {
    line: &'l [u8],
    at: usize,
}

impl Cursor<'_> {
    /// Skips `byte`.
    fn skip(&mut self, byte: u8) -> Option<()> {
        let found = *self.line.get(self.at)? == byte;
        self.at += 1;
        found.then_some(())
    }

    /// Returns the text before `byte`, and skips both.
    fn until(&mut self, byte: u8) -> Option<(usize, usize)> {
        let start = self.at;
        while *self.line.get(self.at)? != byte {
            self.at += 1;
        }
        self.at += 1;
        Some((start, self.at - 1))
    }

    /// Returns the text in quotes. A backslash escapes the next byte.
    fn quoted(&mut self) -> Option<(usize, usize)> {
        self.skip(b'"')?;
        let start = self.at;
        loop {
            match *self.line.get(self.at)? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Some((start, self.at - 1))
    }

    /// Returns a number or a hyphen.
    fn number(&mut self) -> Option<Span> {
        let start = self.at;
        while self.line.get(self.at)?.is_ascii_digit() {
            self.at += 1;
        }
        if self.at > start {
            return Some(Some((start, self.at)));
        }
        self.skip(b'-')?;
        Some(None)
    }
}

/// The spans: client, ident, auth, timestamp, verb, request, version, raw request, status, bytes, referrer, agent.
pub fn combined(line: &[u8]) -> Option<[Span; 12]> {
    let mut cursor = Cursor { line, at: 0 };
    let client = cursor.until(b' ')?;
    let ident = cursor.until(b' ')?;
    let auth = cursor.until(b' ')?;
    cursor.skip(b'[')?;
    let timestamp = cursor.until(b']')?;
    cursor.skip(b' ')?;
    let whole = cursor.quoted()?;
    cursor.skip(b' ')?;
    let status = cursor.number()?;
    cursor.skip(b' ')?;
    let bytes = cursor.number()?;
    cursor.skip(b' ')?;
    let referrer = cursor.quoted()?;
    cursor.skip(b' ')?;
    let agent = cursor.quoted()?;
    if cursor.at != line.len() {
        return None;
    }
    let [verb, request, version, raw] = parts(line, whole).unwrap_or([None, None, None, Some(whole)]);
    let [client, ident, auth, timestamp, referrer, agent] = [client, ident, auth, timestamp, referrer, agent].map(Some);
    Some([client, ident, auth, timestamp, verb, request, version, raw, status, bytes, referrer, agent])
}

/// Splits a request into verb, path and version, if it has them.
fn parts(line: &[u8], (start, end): (usize, usize)) -> Option<[Span; 4]> {
    let mut cursor = Cursor { line: &line[..end], at: start };
    let verb = cursor.until(b' ')?;
    let is_verb = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-');
    if verb.0 == verb.1 || !line[verb.0..verb.1].iter().all(is_verb) {
        return None;
    }
    let Some(request) = Cursor { line: &line[..end], at: cursor.at }.until(b' ') else {
        return Some([Some(verb), Some((cursor.at, end)), None, None]);
    };
    let version = line[request.1..end].strip_prefix(b" HTTP/")?;
    version.iter().all(|&byte| byte.is_ascii_digit() || byte == b'.').then_some(())?;
    Some([Some(verb), Some(request), Some((end - version.len(), end)), None])
}
