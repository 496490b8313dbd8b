//! The file with the URLs: [`List`], and the [`Entry`] that each of its lines is.

mod csv;

use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::request::{Method, Request, Target};

/// The shortest time between two requests to a URL.
const SHORTEST: Duration = Duration::from_millis(1);

/// The longest time between two requests to a URL: a year.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// The longest line in bytes.
const MAX_LINE: usize = 16 << 10;

/// The longest name in bytes.
const MAX_NAME: usize = 256;

/// What one line of the file asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The number of the line, from 1 on.
    pub line: usize,
    /// The time from the start of one request to the start of the next.
    pub interval: Duration,
    /// The request.
    pub request: Arc<Request>,
}

/// What tells one entry from another: method, URL and name. The login in a URL is no part of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The method.
    pub method: String,
    /// The URL without user and password.
    pub url: String,
    /// The name that the user gave.
    pub name: Option<String>,
}

impl Entry {
    /// Returns what tells the entry from others.
    pub fn identity(&self) -> Identity {
        let Request { target, method, name, .. } = &*self.request;
        Identity { method: method.to_string(), url: target.to_string(), name: name.clone() }
    }
}

/// The entries of a file, and the lines that cannot be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    /// The entries, in the order of their lines.
    pub entries: Vec<Entry>,
    /// The lines that cannot be read.
    pub wrong: Vec<WrongLine>,
}

/// A line that cannot be read. `Display` writes it as `line 7: …`, without a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongLine {
    /// The number of the line, from 1 on.
    pub line: usize,
    /// The reason.
    pub words: String,
}

impl fmt::Display for WrongLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.words)
    }
}

/// The columns that a file may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Delay,
    Url,
    Method,
    Name,
    Status,
}

impl Column {
    fn named(name: &str) -> Option<Column> {
        Some(match name.to_ascii_lowercase().replace([' ', '-'], "_").as_str() {
            "delay_seconds" | "delay" | "interval" | "interval_seconds" => Column::Delay,
            "url" => Column::Url,
            "method" => Column::Method,
            "name" => Column::Name,
            "status" | "expected_status" | "expected" => Column::Status,
            _ => return None,
        })
    }
}

impl List {
    /// Reads the text of a file. Each line is `DELAY_SECONDS,URL`. With a header line, there may also be the columns
    /// `method`, `name` and `status`. A field may stand in quotes. Empty lines, and lines that begin with `#`, say nothing.
    ///
    /// A line that cannot be read is among the [wrong](List::wrong) ones, and the other lines count.
    ///
    /// # Errors
    /// The header line is wrong, so that no line can be read.
    pub fn parse(text: &[u8]) -> Result<List, WrongLine> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let mut list = List::default();
        let mut columns: Option<Vec<Column>> = None;
        let mut is_first = true;
        let mut seen: HashMap<Identity, usize> = HashMap::new();
        for (index, bytes) in text.split(|&byte| byte == b'\n').enumerate() {
            let line = index + 1;
            let mut refuse = |words: String| list.wrong.push(WrongLine { line, words });
            if bytes.len() > MAX_LINE {
                refuse(format!("it is longer than {MAX_LINE} bytes"));
                continue;
            }
            let Ok(text) = std::str::from_utf8(bytes) else {
                refuse("it is not UTF-8".to_owned());
                continue;
            };
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            if std::mem::take(&mut is_first) {
                columns = header(text).map_err(|words| WrongLine { line, words })?;
                if columns.is_some() {
                    continue;
                }
            }
            let read = match &columns {
                Some(columns) => with_columns(text, columns, line),
                None => without_header(text, line),
            };
            match read.map(|entry| (seen.entry(entry.identity()), entry)) {
                Ok((Place::Vacant(place), entry)) => {
                    place.insert(line);
                    list.entries.push(entry);
                }
                Ok((Place::Occupied(first), _)) => {
                    let first = first.get();
                    refuse(format!("line {first} has the same method, URL and name; give one of them another name"));
                }
                Err(words) => refuse(words),
            }
        }
        Ok(list)
    }

    /// Returns the passwords in the URLs.
    pub fn passwords(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter_map(|entry| entry.request.target.password())
    }
}

/// Returns the columns if `text` is a header line: one of its fields is `url`.
fn header(text: &str) -> Result<Option<Vec<Column>>, String> {
    let Ok(names) = csv::fields(text) else { return Ok(None) };
    if !names.iter().any(|name| name.eq_ignore_ascii_case("url")) {
        return Ok(None);
    }
    let known = "the columns are delay_seconds, url, method, name and status";
    let mut columns = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let column = Column::named(name)
            .ok_or_else(|| format!("the header has an unknown column (number {}); {known}", index + 1))?;
        if columns.contains(&column) {
            return Err(format!("the header has a column twice (number {}); {known}", index + 1));
        }
        columns.push(column);
    }
    match columns.contains(&Column::Delay) {
        true => Ok(Some(columns)),
        false => Err(format!("the header has no column delay_seconds; {known}")),
    }
}

/// Reads `DELAY_SECONDS,URL`. A URL without quotes goes on to the end of the line, because it may hold commas.
fn without_header(text: &str, line: usize) -> Result<Entry, String> {
    let (delay, rest) = csv::field(text).map_err(|broken| broken.words().to_owned())?;
    let rest = rest.ok_or("a line is DELAY_SECONDS,URL, and this one has no comma")?;
    let url = match rest.trim_start().starts_with('"') {
        true => match csv::field(rest).map_err(|broken| broken.words().to_owned())? {
            (url, None) => url,
            (_, Some(_)) => return Err("a line has two fields unless a header names more".to_owned()),
        },
        false => rest.trim().to_owned(),
    };
    let request = Request { target: target(&url)?, method: Method::GET, name: None, expected_status: None };
    Ok(Entry { line, interval: interval(&delay)?, request: Arc::new(request) })
}

/// Reads a line whose fields stand in `columns`. Fields at the end may be missing if they are not needed.
fn with_columns(text: &str, columns: &[Column], line: usize) -> Result<Entry, String> {
    let fields = csv::fields(text).map_err(|broken| broken.words().to_owned())?;
    if fields.len() > columns.len() {
        let (has, wants) = (fields.len(), columns.len());
        return Err(format!("it has {has} fields, and the header names {wants}; a URL with a comma needs quotes"));
    }
    let field = |wanted: Column| {
        let at = columns.iter().position(|column| *column == wanted)?;
        fields.get(at).map(String::as_str).filter(|field| !field.is_empty())
    };
    let name = field(Column::Name).map(str::to_owned);
    if name.as_ref().is_some_and(|name| name.len() > MAX_NAME || name.chars().any(char::is_control)) {
        return Err(format!("a name has at most {MAX_NAME} bytes, and no control characters"));
    }
    let method = field(Column::Method).map(|text| Method::parse(text).map_err(|error| error.to_string()));
    let request = Request {
        target: target(field(Column::Url).unwrap_or_default())?,
        method: method.transpose()?.unwrap_or(Method::GET),
        name,
        expected_status: field(Column::Status).map(status).transpose()?,
    };
    Ok(Entry { line, interval: interval(field(Column::Delay).unwrap_or_default())?, request: Arc::new(request) })
}

fn target(text: &str) -> Result<Target, String> {
    Target::parse(text).map_err(|error| match without_login(text) {
        // The name of the user is shown as little as the password.
        Some(bare) => match Target::parse(&bare) {
            Ok(_) => "the login in the URL cannot be read".to_owned(),
            Err(error) => error.to_string(),
        },
        None => error.to_string(),
    })
}

/// Returns a URL without its login; `None` if it has none.
fn without_login(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let (_, place) = rest.rsplit_once('@')?;
    Some(format!("{scheme}://{place}"))
}

fn status(text: &str) -> Result<u16, String> {
    let is_number = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    let status = text.parse().ok().filter(|status| is_number && (100..600).contains(status));
    status.ok_or_else(|| "the expected status is not a number from 100 to 599".to_owned())
}

fn interval(text: &str) -> Result<Duration, String> {
    let is_number =
        !text.is_empty() && text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let seconds = text
        .parse::<f64>()
        .ok()
        .filter(|_| is_number)
        .ok_or("the delay is not a number of seconds, such as 60 or 0.5")?;
    let interval = Duration::try_from_secs_f64(seconds).map_err(|_| "the delay is too long".to_owned())?;
    match interval {
        Duration::ZERO => Err("the delay is 0; it is the time between two requests".to_owned()),
        _ if interval < SHORTEST => Err("the delay is less than 0.001 seconds".to_owned()),
        _ if interval > LONGEST => Err("the delay is more than a year".to_owned()),
        _ => Ok(interval),
    }
}

#[cfg(test)]
mod tests;
