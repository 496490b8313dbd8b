//! [`Joint`]: a long line of a container that a rotation cut. Its first pieces are at the end of one file, and its rest is at the
//! beginning of the next one.
//!
//! Both files are looked at, from either side, by the same rule. So the reader of the first file and that of the second one decide
//! the same, whichever of them comes first.

use std::fs::File;
use std::io::{Read, Result, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::core::lines::without_carriage_return;
use crate::envelope::Envelope;
use crate::envelope::container::{Stream, glance};

/// The number of bytes that are looked at: of the end of a file, and of the beginning of the next one.
const WINDOW: u64 = 2 << 20;

/// The file whose neighbours may share a line with it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Joint<'a>(Option<&'a Path>);

impl<'a> Joint<'a> {
    /// Returns the joint of the file at `path`. Other contents share no lines.
    pub fn of(path: Option<&'a Path>) -> Joint<'a> {
        Joint(path)
    }

    /// Returns the pieces that the file before this one left open and that this one continues, as lines.
    pub(super) fn before(self, envelope: Envelope) -> Option<Vec<u8>> {
        let path = self.0?;
        let (earlier, _) = neighbours(path);
        open_pieces(envelope, &end_of(&earlier?).ok()?, &beginning_of(path).ok()?)
    }

    /// Whether the file after this one continues the pieces that this one leaves open.
    pub(super) fn goes_on(self, envelope: Envelope) -> bool {
        let found = self.0.and_then(|path| {
            let (_, later) = neighbours(path);
            open_pieces(envelope, &end_of(path).ok()?, &beginning_of(&later?).ok()?)
        });
        found.is_some()
    }
}

fn beginning_of(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(WINDOW).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns the last lines of a file.
fn end_of(path: &Path) -> Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let from = file.metadata()?.len().saturating_sub(WINDOW);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(WINDOW).read_to_end(&mut bytes)?;
    if from > 0 {
        // The first line may be cut.
        let newline = memchr::memchr(b'\n', &bytes).map_or(bytes.len(), |newline| newline + 1);
        bytes.drain(..newline);
    }
    Ok(bytes)
}

/// Returns the pieces at the `end` of a file that are open, as lines, if the first line of the next file, which has this
/// `beginning`, continues them. Only that line counts: it does not change any more, so both readers see the same.
fn open_pieces(envelope: Envelope, end: &[u8], beginning: &[u8]) -> Option<Vec<u8>> {
    let mut open: [(u64, Vec<&[u8]>); Stream::COUNT] = Default::default();
    for line in end.strip_suffix(b"\n")?.split(|byte| *byte == b'\n') {
        let Some(seen) = glance(envelope, without_carriage_return(line)) else { continue };
        let (time_ns, lines) = &mut open[seen.stream as usize];
        if seen.ends || (!lines.is_empty() && !seen.continues(envelope, *time_ns)) {
            lines.clear();
        }
        if !seen.ends {
            *time_ns = if lines.is_empty() { seen.time_ns } else { *time_ns };
            lines.push(line);
        }
    }
    let first = &beginning[..memchr::memchr(b'\n', beginning)?];
    let first = glance(envelope, without_carriage_return(first))?;
    let mut open = open.into_iter().enumerate().filter(|(_, (_, lines))| !lines.is_empty());
    let (Some((stream, (time_ns, lines))), None) = (open.next(), open.next()) else { return None };
    (stream == first.stream as usize && first.continues(envelope, time_ns)).then(|| lines.join(&b'\n'))
}

/// Returns the files that a rotation made before and after the file at `path`, if there are any and they are not compressed.
fn neighbours(path: &Path) -> (Option<PathBuf>, Option<PathBuf>) {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return (None, None);
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let (earlier, later) = order(name, &names);
    let path = |name: Option<&str>| name.filter(|name| !name.ends_with(".gz")).map(|name| folder.join(name));
    (path(earlier), path(later))
}

/// The age of a rotated file. Later files have a lower age.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Age<'a> {
    /// The file that is written to.
    Current,
    /// `.1`, `.2` and so on.
    Number(u32),
    /// A time, such as `20260101-000000`.
    Time(std::cmp::Reverse<&'a str>),
}

/// Splits the name of a log into the name that all its files begin with, and its age.
fn age(name: &str) -> Option<(&str, Age<'_>)> {
    if name.ends_with(".log") {
        return Some((name, Age::Current));
    }
    let (stem, rest) = name.strip_suffix(".gz").unwrap_or(name).rsplit_once('.')?;
    let is_time = rest.len() == 15 && rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let age = match rest.parse() {
        Ok(number) if rest.len() < 8 => Age::Number(number),
        _ if is_time => Age::Time(std::cmp::Reverse(rest)),
        _ => return None,
    };
    stem.ends_with(".log").then_some((stem, age))
}

/// Returns the names, among `names`, of the files before and after the file `name`.
fn order<'a>(name: &str, names: &'a [String]) -> (Option<&'a str>, Option<&'a str>) {
    let Some((stem, own)) = age(name) else { return (None, None) };
    let same =
        names.iter().filter_map(|name| age(name).filter(|(other, _)| *other == stem).map(|(_, age)| (age, name)));
    let (older, others): (Vec<_>, Vec<_>) = same.partition(|(age, _)| *age > own);
    let earlier = older.into_iter().min().map(|(_, name)| name.as_str());
    let later = others.into_iter().filter(|(age, _)| *age < own).max().map(|(_, name)| name.as_str());
    (earlier, later)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_neighbours_of_a_file_are_those_of_its_rotation() {
        let docker = ["c-json.log", "c-json.log.1", "c-json.log.2.gz", "d-json.log.1", "c.txt"].map(str::to_owned);
        for (name, earlier, later) in [
            ("c-json.log", Some("c-json.log.1"), None),
            ("c-json.log.1", Some("c-json.log.2.gz"), Some("c-json.log")),
            ("c-json.log.2.gz", None, Some("c-json.log.1")),
            ("c.txt", None, None),
        ] {
            assert_eq!(order(name, &docker), (earlier, later), "{name}");
        }
        let pods = ["0.log", "0.log.20260101-000000.gz", "0.log.20260102-000000", "1.log"].map(str::to_owned);
        for (name, earlier, later) in [
            ("0.log", Some("0.log.20260102-000000"), None),
            ("0.log.20260102-000000", Some("0.log.20260101-000000.gz"), Some("0.log")),
            ("1.log", None, None),
        ] {
            assert_eq!(order(name, &pods), (earlier, later), "{name}");
        }
    }

    #[test]
    fn open_pieces_are_those_that_the_next_file_continues() {
        let line = |stream: &str, tag: &str, text: &str| format!("2026-01-02T03:04:05Z {stream} {tag} {text}\n");
        let (out, err) = (|tag, text| line("stdout", tag, text), |tag, text| line("stderr", tag, text));
        let open = |end: &[String], beginning: &[String]| {
            let found = open_pieces(Envelope::Cri, end.concat().as_bytes(), beginning.concat().as_bytes());
            found.map(|lines| String::from_utf8(lines).unwrap() + "\n")
        };
        let end = [out("F", "a"), out("P", "b"), err("F", "c"), out("P", "d")];
        assert_eq!(open(&end, &[out("F", "e"), err("F", "f")]), Some(out("P", "b") + &out("P", "d")));
        assert_eq!(open(&end, &[err("F", "e"), out("F", "f")]), None, "the first line is of another stream");
        assert_eq!(open(&end, &[]), None, "nothing continues it");
        assert_eq!(open(&end[..1], &[out("F", "f")]), None, "nothing is open");
        assert_eq!(open(&[out("P", "a"), err("P", "b")], &[out("F", "c")]), None, "two lines are open");
        let json = |time: u32, log: &str| {
            format!("{{\"log\":\"{log}\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:0{time}Z\"}}\n")
        };
        let found = |time| open_pieces(Envelope::DockerJson, json(5, "a").as_bytes(), json(time, "b\\n").as_bytes());
        assert!(found(5).is_some());
        assert_eq!(found(6), None, "another time is another line");
    }
}
