//! The end of a run: reads and delivers the last bytes, and counts the bytes that remain.

use super::beginning::{Beginning, beginning};
use super::state::{FollowedFile, Follower, is_read};
use crate::core::error::Result;
use crate::observe::receipt::UnreadFile;
use crate::source::decompress::MAGIC_BYTES;
use crate::source::follow::file_table::FileId;
use crate::source::follow::tail::{OpenFile, TurnResult};

/// The files that no later run can find, and the offset up to which each is read.
pub struct Remainder(Vec<(FileId, u64)>);

impl Remainder {
    /// Whether there is no file left to read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<S: OpenFile> Follower<'_, S> {
    /// The files without a name that hold unread bytes. No later run can find them. Files of this kind that cannot be
    /// read are recorded as lost.
    pub fn remainder(&mut self) -> Remainder {
        let mut remainder = Vec::new();
        let nameless: Vec<FileId> = self.files.nameless().map(|file| file.id).collect();
        for id in nameless {
            if let Some(followed) = self.tails.get(&id) {
                match followed.tail.source() {
                    Some(source) => {
                        let size = source.status().map_or(followed.size, |status| status.size);
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

    /// Reads the files in `remainder`, as far as there is room. Returns `false` if the receiver wants no more.
    ///
    /// # Errors
    /// The errors of the receiver.
    pub fn read_remainder(&mut self, remainder: &mut Remainder, counted: &mut dyn FnMut(u64)) -> Result<bool> {
        for (id, end) in std::mem::take(&mut remainder.0) {
            while let Some(followed) = self.tails.get_mut(&id) {
                let before = followed.tail.bytes_read();
                let result = followed.tail.read(&self.context, self.read_at)?;
                counted(followed.tail.bytes_read().saturating_sub(before));
                match result {
                    Ok(TurnResult::More) if followed.tail.bytes_read() < end => {}
                    Ok(TurnResult::All | TurnResult::More) => break,
                    Ok(TurnResult::Paused) => {
                        remainder.0.push((id, end));
                        break;
                    }
                    Ok(TurnResult::Truncated) => {
                        let copied = self.is_copied(id, &mut |_| Ok(None));
                        let Some(followed) = self.tails.get_mut(&id) else { break };
                        if followed.tail.begin_new_content(&self.context, copied)? == TurnResult::Unwanted {
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

    /// Records the files that are still in `remainder` as lost.
    pub fn give_up(&mut self, remainder: Remainder) {
        let tails = remainder.0.iter().filter_map(|(id, _)| self.tails.get(id));
        self.lost.extend(tails.map(|followed| followed.tail.path().to_owned()));
    }

    /// Ends all files: delivers the lines that are held back. If `all` is set, last lines without a line end are
    /// delivered too.
    ///
    /// # Errors
    /// The errors of the receiver.
    pub fn end(&mut self, all: bool) -> Result<()> {
        for (id, followed) in &mut self.tails {
            let is_short = |source: &S| source.status().is_ok_and(|status| status.size < MAGIC_BYTES as u64);
            if all && followed.tail.bytes_read() == 0 && followed.tail.source().is_some_and(is_short) {
                // The file was too short to detect whether it is compressed.
                let _ = followed.tail.read(&self.context, self.read_at)?;
            }
            // No later run can find a file without a name. If such a file was not read to its end, its last line is not
            // complete here and is not delivered.
            let is_last = all || self.files.is_nameless(*id);
            followed.tail.end(&self.context, is_last && is_complete(followed))?;
        }
        Ok(())
    }

    /// The bytes of each file that were not delivered, in the order of the names.
    pub fn unread(&self) -> Vec<UnreadFile> {
        let tails = self.tails.values().map(|followed| {
            let size = followed
                .tail
                .source()
                .and_then(|source| source.status().ok())
                .map_or(followed.size, |status| status.size);
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
fn is_complete<S: OpenFile>(followed: &FollowedFile<'_, S>) -> bool {
    followed.tail.source().map_or(!followed.changed, |source| is_read(source, &followed.tail))
}
