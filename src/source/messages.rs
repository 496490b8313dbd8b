//! Single messages made into batches.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use xxhash_rust::xxh3::xxh3_64;

use super::batching_delay::BatchingDelay;
use super::receiver::{BatchReceiver, BatchSize, LongLine};
use crate::core::batch::{Batch, Origin};
use crate::core::error::Result;
use crate::core::lines;
use crate::state::checksum;

/// The origin of a live input named `name`: new at each start, because nothing can be read from it twice.
pub fn origin(name: &str) -> Origin {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let start = format!("{name}\0{}\0{}", now.as_nanos(), fastrand::u64(..));
    Origin::new(xxh3_64(start.as_bytes()), name)
}

/// Cuts messages into batches: each is a line, and its offset that in all of them, one after the other.
pub struct Messages<'a> {
    receiver: &'a dyn BatchReceiver,
    size: &'a BatchSize,
    origin: Arc<Origin>,
    /// Where `block` begins.
    offset: u64,
    block: BytesMut,
    lines: usize,
    /// With what is in `block`.
    patience: BatchingDelay,
    /// How many have been handed on.
    handed: u64,
    /// How many could not be handed on, because no more was wanted.
    unwanted: u64,
}

impl<'a> Messages<'a> {
    /// Nothing yet. `origin` is that of all messages.
    pub fn new(receiver: &'a dyn BatchReceiver, size: &'a BatchSize, origin: Origin) -> Self {
        let (origin, block, patience) = (Arc::new(origin), BytesMut::new(), BatchingDelay::default());
        Messages { receiver, size, origin, offset: 0, block, lines: 0, patience, handed: 0, unwanted: 0 }
    }

    /// Takes a message as a line ([`lines::of_message`]). `false` when no more is wanted.
    ///
    /// # Errors
    /// Those of [`BatchReceiver::long_line`].
    pub fn add(&mut self, message: &[u8]) -> Result<bool> {
        let line = lines::of_message(message);
        let full = self.lines >= self.size.lines || self.block.len() + line.len() >= self.size.bytes;
        if full && !self.flush() {
            self.unwanted += 1;
            return Ok(false);
        }
        if line.len() > self.size.max_line {
            return self.set_aside(&line);
        }
        self.patience.begin();
        self.block.extend_from_slice(&line);
        self.block.extend_from_slice(b"\n");
        self.lines += 1;
        Ok(true)
    }

    /// How long to wait for more messages; without end when none waits to be handed on.
    pub fn patience(&self) -> Option<Duration> {
        (!self.block.is_empty()).then(|| self.patience.left())
    }

    /// Hands on what there is, if the input was `quiet` for that long, or some has waited for too long. To be called now
    /// and then while messages come as well. `false` when no more is wanted.
    pub fn hand_out(&mut self, quiet: bool) -> bool {
        if quiet || self.patience.is_due() { self.flush() } else { true }
    }

    /// Hands on what there is. `false` when no more is wanted.
    pub fn flush(&mut self) -> bool {
        self.patience.reset();
        if self.block.is_empty() {
            return true;
        }
        let data: Bytes = self.block.split().freeze();
        let lines = std::mem::take(&mut self.lines);
        let offset = self.offset;
        self.offset += data.len() as u64;
        // A batch has far fewer than 2^32 lines.
        let wanted = self.receiver.batch(Batch::new(Arc::clone(&self.origin), offset, lines as u32, data));
        match wanted {
            true => self.handed += lines as u64,
            false => self.unwanted += lines as u64,
        }
        wanted
    }

    fn set_aside(&mut self, line: &[u8]) -> Result<bool> {
        let beginning = line[..self.size.max_line].to_vec();
        self.add_long(beginning, line.len() as u64, xxh3_64(line), checksum::of(line))
    }

    /// Takes a message that is longer than a line may be: its beginning, the length, hash and [`checksum`] of all of it.
    /// `false` when no more is wanted.
    ///
    /// # Errors
    /// Those of [`BatchReceiver::long_line`].
    pub fn add_long(&mut self, beginning: Vec<u8>, length: u64, hash: u64, checksum: u64) -> Result<bool> {
        if !self.flush() {
            self.unwanted += 1;
            return Ok(false);
        }
        self.receiver.long_line(LongLine {
            origin: Arc::clone(&self.origin),
            offset: self.offset,
            beginning,
            length,
            length_with_end: length + 1,
            hash,
            checksum: checksum::join(checksum, checksum::of(b"\n"), 1),
            closed: true,
            partial: false,
        })?;
        self.offset += length + 1;
        self.handed += 1;
        Ok(true)
    }

    /// How many messages have been handed on and were wanted.
    pub fn handed(&self) -> u64 {
        self.handed
    }

    /// How many messages were taken and could not be handed on, because no more was wanted.
    pub fn unwanted(&self) -> u64 {
        self.unwanted + self.lines as u64
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Instant;

    use super::super::batching_delay::{MAX_DELAY, MAX_QUIET};
    use super::*;

    #[derive(Default)]
    struct Kept {
        lines: Mutex<Vec<(u64, Vec<u8>)>>,
        batches: Mutex<Vec<usize>>,
        long: Mutex<Vec<(u64, u64)>>,
    }

    impl BatchReceiver for Kept {
        fn batch(&self, batch: Batch) -> bool {
            let lines = crate::core::lines::lines(&batch.data);
            let lines: Vec<_> = lines.map(|line| (batch.offset + line.start as u64, line.bytes.to_vec())).collect();
            assert_eq!(lines.len(), batch.lines as usize);
            self.batches.lock().unwrap().push(lines.len());
            self.lines.lock().unwrap().extend(lines);
            true
        }

        fn long_line(&self, line: LongLine) -> Result<()> {
            self.long.lock().unwrap().push((line.offset, line.length));
            Ok(())
        }
    }

    #[test]
    fn messages_are_lines_of_one_content_in_batches_within_the_bounds() {
        let kept = Kept::default();
        let size = BatchSize { lines: 2, bytes: 12, max_line: 8 };
        let mut messages = Messages::new(&kept, &size, origin("test"));
        for message in ["a\n", "b\r\n", "c", "", "two\nmore", "x", "too long a line", "y"] {
            assert!(messages.add(message.as_bytes()).unwrap());
        }
        assert!(messages.flush() && messages.flush());
        let lines = kept.lines.into_inner().unwrap();
        let texts: Vec<_> = lines.iter().map(|(_, line)| String::from_utf8_lossy(line).into_owned()).collect();
        assert_eq!(texts, ["a", "b", "c", "", "x", "y"]);
        assert_eq!(lines.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [0, 2, 4, 6, 17, 35]);
        assert_eq!(*kept.long.lock().unwrap(), [(7, 9), (19, 15)], "a newline within is two characters");
        assert_eq!(*kept.batches.lock().unwrap(), [2, 2, 1, 1]);
    }

    #[test]
    fn messages_are_handed_on_when_it_is_quiet_or_they_have_waited() {
        let (kept, size) = (Kept::default(), BatchSize::default());
        let mut messages = Messages::new(&kept, &size, origin("test"));
        let batches = || kept.batches.lock().unwrap().clone();
        assert_eq!(messages.patience(), None);
        assert!(messages.add(b"a").unwrap());
        // However long the test takes, it has come just now.
        messages.patience.since = Some(Instant::now() + Duration::from_secs(3600));
        assert_eq!(messages.patience(), Some(MAX_QUIET));
        assert!(messages.hand_out(false) && messages.add(b"b").unwrap());
        assert_eq!(batches(), [0; 0]);
        messages.patience.since = Instant::now().checked_sub(MAX_DELAY);
        assert_eq!(messages.patience(), Some(Duration::ZERO));
        assert!(messages.hand_out(false));
        assert_eq!((batches(), messages.patience()), (vec![2], None));
        assert!(messages.add(b"c").unwrap() && messages.hand_out(true) && messages.hand_out(true));
        assert_eq!((batches(), messages.patience()), (vec![2, 1], None));
    }

    #[test]
    fn two_starts_of_an_input_have_two_origins() {
        assert_ne!(origin("same").id, origin("same").id);
    }
}
