//! The end of a run: what is read and handed out then, and what is left.

use super::beginning::{Beginning, beginning};
use super::state::{Followed, Follower};
use crate::core::error::Result;
use crate::observe::receipt::UnreadFile;
use crate::source::decompress::MAGIC_BYTES;
use crate::source::follow::file_table::FileId;
use crate::source::follow::tail::{OpenFile, TurnResult};

/// Files that no later run finds, and the ends up to which they are read.
pub struct Remainder(Vec<(FileId, u64)>);

impl Remainder {
    /// Whether all of them were read, or given up.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<S: OpenFile> Follower<'_, S> {
    /// The files that no later run finds, because no name leads to them any more, and that hold something that was not
    /// read. What of them cannot be read at all is lost.
    pub fn remainder(&mut self) -> Remainder {
        let mut remainder = Vec::new();
        let nameless: Vec<FileId> = self.files.nameless().map(|file| file.id).collect();
        for id in nameless {
            if let Some(followed) = self.tails.get(&id) {
                match followed.tail.source() {
                    Some(source) => {
                        let size = source.look().map_or(followed.size, |(size, _)| size);
                        let is_compressed = followed.tail.bytes_read() == 0
                            && matches!(beginning(source), Ok(Beginning::Compressed(_)));
                        match size == followed.tail.bytes_read() {
                            true => {}
                            false if is_compressed => self.lost.push(followed.tail.path().to_owned()),
                            false => remainder.push((id, size)),
                        }
                    }
                    None if followed.changed => self.lost.push(followed.tail.path().to_owned()),
                    None => {}
                }
            } else if let Some(compressed) = self.compressed.get(&id).filter(|compressed| !compressed.given) {
                self.lost.push(compressed.path.clone());
            }
        }
        Remainder(remainder)
    }

    /// Reads `remainder` on, as far as there is room for it. `false` when no more is wanted.
    ///
    /// # Errors
    /// Those of the receiver.
    pub fn read_remainder(&mut self, remainder: &mut Remainder, counted: &mut dyn FnMut(u64)) -> Result<bool> {
        for (id, end) in std::mem::take(&mut remainder.0) {
            while let Some(followed) = self.tails.get_mut(&id) {
                let before = followed.tail.bytes_read();
                let came = followed.tail.read(&self.reader, self.read_at)?;
                counted(followed.tail.bytes_read().saturating_sub(before));
                match came {
                    Ok(TurnResult::More) if followed.tail.bytes_read() < end => {}
                    Ok(TurnResult::All | TurnResult::More) => break,
                    Ok(TurnResult::Paused) => {
                        remainder.0.push((id, end));
                        break;
                    }
                    Ok(TurnResult::Truncated) => {
                        let copied = self.is_copied(id, &mut |_| Ok(None));
                        let Some(followed) = self.tails.get_mut(&id) else { break };
                        if followed.tail.begin_new_content(&self.reader, copied)? == TurnResult::Unwanted {
                            return Ok(false);
                        }
                    }
                    Ok(TurnResult::Unwanted) => {
                        remainder.0.push((id, end));
                        return Ok(false);
                    }
                    Err(_) => {
                        self.lost.push(followed.tail.path().to_owned());
                        break;
                    }
                }
            }
        }
        Ok(true)
    }

    /// What `remainder` still holds cannot be read any more.
    pub fn give_up(&mut self, remainder: Remainder) {
        let tails = remainder.0.iter().filter_map(|(id, _)| self.tails.get(id));
        self.lost.extend(tails.map(|followed| followed.tail.path().to_owned()));
    }

    /// Ends all: hands out what is held back, if `all` the last lines without their ends too.
    ///
    /// # Errors
    /// Those of the receiver.
    pub fn end(&mut self, all: bool) -> Result<()> {
        for (id, followed) in &mut self.tails {
            let is_short = |source: &S| source.look().is_ok_and(|(size, _)| size < MAGIC_BYTES as u64);
            if all && followed.tail.bytes_read() == 0 && followed.tail.source().is_some_and(is_short) {
                // It was too short to tell whether it is compressed.
                let _ = followed.tail.read(&self.reader, self.read_at)?;
            }
            // A file without a name is found by no later run. Of one that was not read to its end, the rest of the line is
            // still to be read.
            let is_last = all || self.files.is_nameless(*id);
            followed.tail.end(&self.reader, is_last && is_read(followed))?;
        }
        Ok(())
    }

    /// What the files hold that was not handed out, in the order of their names.
    pub fn unread(&self) -> Vec<UnreadFile> {
        let tails = self.tails.values().map(|followed| {
            let size =
                followed.tail.source().and_then(|source| source.look().ok()).map_or(followed.size, |(size, _)| size);
            (followed.tail.path(), size.saturating_sub(followed.tail.bytes_handed_out()))
        });
        let compressed = self.compressed.values().filter(|compressed| !compressed.given);
        let compressed = compressed.map(|compressed| (compressed.path.as_path(), compressed.stamp.0));
        let waiting = self.waiting.iter().map(|waiting| (waiting.found.path.as_path(), waiting.found.size));
        let all = tails.chain(compressed).chain(waiting).filter(|(_, bytes)| *bytes > 0);
        let mut all: Vec<_> = all.map(|(path, bytes)| UnreadFile { name: path.display().to_string(), bytes }).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }
}

/// Whether a file was read to its end.
fn is_read<S: OpenFile>(followed: &Followed<'_, S>) -> bool {
    let read = followed.tail.bytes_read();
    followed.tail.source().map_or(!followed.changed, |source| source.look().is_ok_and(|(size, _)| size == read))
}
