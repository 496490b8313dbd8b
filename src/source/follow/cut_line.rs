//! Long lines of containers that a rotation cut: their first pieces stand at the end of one file, and the others at the
//! beginning of the next one. Pure.

use crate::core::lines::without_carriage_return;
use crate::envelope::Envelope;
use crate::envelope::container::{Glance, Stream, glance};

/// The lines at the end of a file that have not ended.
#[derive(Debug)]
pub struct CutLines {
    envelope: Envelope,
    /// The time of the open line of each stream.
    open: [Option<u64>; Stream::COUNT],
}

impl CutLines {
    /// Finds what is open after `lines`, which are whole lines with `envelope`.
    pub fn of(envelope: Envelope, lines: &[u8]) -> CutLines {
        let mut pieces = CutLines { envelope, open: [None; Stream::COUNT] };
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            match pieces.glance(line) {
                Some(seen) => pieces.open[seen.stream as usize] = (!seen.ends).then_some(seen.time_ns),
                None => pieces.open = [None; Stream::COUNT],
            }
        }
        pieces
    }

    fn glance(&self, line: &[u8]) -> Option<Glance> {
        glance(self.envelope, without_carriage_return(line.strip_suffix(b"\n")?))
    }

    /// Whether a line is open.
    pub fn is_open(&self) -> bool {
        self.open.iter().any(Option::is_some)
    }

    /// Returns the number of bytes at the beginning of the next file, `head`, after which no line is open; `None` if `head` is
    /// too short to tell.
    pub fn rest(mut self, head: &[u8]) -> Option<usize> {
        let (mut taken, mut looked) = (0, 0);
        while self.is_open() {
            let rest = &head[looked..];
            let line = &rest[..=memchr::memchr(b'\n', rest)?];
            looked += line.len();
            // A line of another form continues nothing.
            let Some(seen) = self.glance(line) else { return Some(taken) };
            let open = &mut self.open[seen.stream as usize];
            match *open {
                Some(ns) if !seen.continues(self.envelope, ns) => *open = None,
                Some(_) => {
                    taken = looked;
                    if seen.ends {
                        *open = None;
                    }
                }
                None => {}
            }
        }
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(stream: &str, text: &str, nanosecond: u8) -> String {
        format!(
            "{{\"log\":\"{text}\",\"stream\":\"std{stream}\",\"time\":\"2026-11-30T11:00:00.00000000{nanosecond}Z\"}}\n"
        )
    }

    #[test]
    fn the_rest_of_a_cut_line_ends_with_its_last_piece() {
        let (a, b, end) = (line("out", "a", 1), line("out", "b", 1), line("out", "c\\n", 1));
        let (err, other) = (line("err", "e\\n", 2), line("out", "x\\n", 2));
        let rest = |tail: &str, head: &str| {
            let pieces = CutLines::of(Envelope::DockerJson, tail.as_bytes());
            (pieces.is_open(), pieces.rest(head.as_bytes()))
        };
        assert_eq!(rest(&format!("{a}{end}"), &other), (false, Some(0)));
        assert_eq!(rest(&a, &format!("{end}{other}")), (true, Some(end.len())));
        assert_eq!(
            rest(&format!("{a}{err}"), &format!("{b}{err}{end}{other}")).1,
            Some(b.len() + err.len() + end.len())
        );
        assert_eq!(rest(&a, &b), (true, None), "the last piece is not there yet");
        assert_eq!(rest(&a, &end[..9]), (true, None));
        assert_eq!(rest(&a, &other), (true, Some(0)), "another time is another line");
        assert_eq!(rest(&a, &format!("{b}{other}")), (true, Some(b.len())));
        assert_eq!(rest(&a, "garbage\n"), (true, Some(0)));
        let both = format!("{a}{}", line("err", "e", 3));
        assert_eq!(rest(&both, &format!("{end}{}", line("err", "\\n", 3))).1, Some(2 * end.len() - 1));
    }
}
