//! Makes batches of single messages.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use xxhash_rust::xxh3::xxh3_64;

use super::batching_delay::BatchingDelay;
use super::encodings::EncodingRule;
use super::outlet::{Outlet, Waiting};
use super::receiver::{BatchReceiver, BatchSize, LongLine};
use crate::core::batch::Batch;
use crate::core::calendar::now_ms;
use crate::core::context::{Context, Origin};
use crate::core::error::Result;
use crate::core::lines;
use crate::core::record::Key;
use crate::state::checksum;

/// The origin of a live input named `name`. It is different at each start, because a live input cannot be read twice.
/// Its messages have the encoding that `rule` gives.
pub fn origin(name: &str, rule: EncodingRule) -> Origin {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let start = format!("{name}\0{}\0{}", now.as_nanos(), fastrand::u64(..));
    Origin { encoding: rule.of_messages(), ..Origin::new(xxh3_64(start.as_bytes()), name) }
}

/// Collects messages in batches. Each message becomes a line, and its offset is that in the concatenation of all
/// messages.
pub struct Messages<'a> {
    outlet: Waiting<'a>,
    size: &'a BatchSize,
    origin: Arc<Origin>,
    /// The offset at which `block` begins.
    offset: u64,
    block: BytesMut,
    lines: usize,
    /// How long the messages in `block` have waited.
    patience: BatchingDelay,
    /// The number of messages that were delivered.
    handed: u64,
    /// The number of messages that the receiver did not want.
    unwanted: u64,
}

impl<'a> Messages<'a> {
    /// Creates a collection without messages. All messages will have the origin `origin`. While `receiver` is full, the
    /// collection waits for room.
    pub fn new(receiver: &'a dyn BatchReceiver, size: &'a BatchSize, origin: Origin) -> Self {
        let outlet = Waiting::new(receiver);
        let (origin, block, patience) = (Arc::new(origin), BytesMut::new(), BatchingDelay::default());
        Messages { outlet, size, origin, offset: 0, block, lines: 0, patience, handed: 0, unwanted: 0 }
    }

    /// Adds a message as a line ([`lines::of_message`]). Returns `false` if the receiver wants no more.
    ///
    /// # Errors
    /// The errors of [`BatchReceiver::long_line`].
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

    /// How long to wait for more messages. `None` means without a limit: no message waits for delivery.
    pub fn patience(&self) -> Option<Duration> {
        (!self.block.is_empty()).then(|| self.patience.left())
    }

    /// Delivers the waiting messages if the input was `quiet` for the time of [`patience`](Self::patience), or if a
    /// message has waited for too long. The caller must call this regularly, also while messages arrive. Returns
    /// `false` if the receiver wants no more.
    pub fn hand_out(&mut self, quiet: bool) -> bool {
        if quiet || self.patience.is_due() { self.flush() } else { true }
    }

    /// Delivers the waiting messages. Returns `false` if the receiver wants no more.
    pub fn flush(&mut self) -> bool {
        self.patience.reset();
        if self.block.is_empty() {
            return true;
        }
        let data: Bytes = self.block.split().freeze();
        let lines = std::mem::take(&mut self.lines);
        let offset = self.offset;
        self.offset += data.len() as u64;
        // The number of lines fits into 32 bits.
        let wanted = self.outlet.batch(Batch::of(self.context(), offset, lines as u32, data));
        match wanted {
            true => self.handed += lines as u64,
            false => self.unwanted += lines as u64,
        }
        wanted
    }

    /// What is in force at messages that arrive now.
    fn context(&self) -> Context {
        Context::new(Arc::clone(&self.origin)).at(now_ms())
    }

    fn set_aside(&mut self, line: &[u8]) -> Result<bool> {
        let beginning = line[..self.size.max_line].to_vec();
        self.add_long(beginning, line.len() as u64, xxh3_64(line), checksum::of(line))
    }

    /// Adds a message that is longer than the longest line. The arguments are its beginning, and the length, hash and
    /// [`checksum`] of the whole message. Returns `false` if the receiver wants no more.
    ///
    /// # Errors
    /// The errors of [`BatchReceiver::long_line`].
    pub fn add_long(&mut self, beginning: Vec<u8>, length: u64, hash: u64, checksum: u64) -> Result<bool> {
        if !self.flush() {
            self.unwanted += 1;
            return Ok(false);
        }
        self.outlet.long_line(LongLine {
            context: self.context(),
            offset: self.offset,
            beginning,
            length,
            length_with_end: length + 1,
            hash,
            checksum: checksum::join(checksum, checksum::of(b"\n"), 1),
            closed: true,
            partial: false,
            key: Key::Offset(self.offset),
            ticket: None,
            line: None,
        })?;
        self.offset += length + 1;
        self.handed += 1;
        Ok(true)
    }

    /// The number of messages that the receiver accepted.
    pub fn handed(&self) -> u64 {
        self.handed
    }

    /// The number of messages that were added and did not reach the receiver, because it wanted no more.
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
    use crate::core::offered::Offered;

    #[derive(Default)]
    struct Kept {
        lines: Mutex<Vec<(u64, Vec<u8>)>>,
        batches: Mutex<Vec<usize>>,
        long: Mutex<Vec<(u64, u64)>>,
    }

    impl BatchReceiver for Kept {
        fn offer(&self, batch: Batch) -> Offered {
            let lines = crate::core::lines::lines(&batch.data);
            let lines: Vec<_> = lines.map(|line| (batch.offset + line.start as u64, line.bytes.to_vec())).collect();
            assert_eq!(lines.len(), batch.records as usize);
            self.batches.lock().unwrap().push(lines.len());
            self.lines.lock().unwrap().extend(lines);
            Offered::Taken
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
        let mut messages = Messages::new(&kept, &size, origin("test", EncodingRule::Told));
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
        let mut messages = Messages::new(&kept, &size, origin("test", EncodingRule::Told));
        let batches = || kept.batches.lock().unwrap().clone();
        assert_eq!(messages.patience(), None);
        assert!(messages.add(b"a").unwrap());
        // The delay starts in the future, so that the test does not depend on its own speed.
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
        assert_ne!(origin("same", EncodingRule::Told).id, origin("same", EncodingRule::Told).id);
    }
}
