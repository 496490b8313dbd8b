//! Inputs without an end: what ends their readers, how long is waited for more, and how single messages become batches.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::{Bytes, BytesMut};
use nix::poll::PollTimeout;
use xxhash_rust::xxh3::xxh3_64;

use super::reader::{BatchReceiver, BatchSize, LongLine};
use crate::core::batch::{Batch, Origin};
use crate::core::error::Result;
use crate::core::lines;
use crate::core::stop::Stop;
use crate::state::checksum;

/// Where sentences for people go.
#[derive(Clone, Default)]
pub struct Say(Option<Arc<dyn Fn(String, bool) + Send + Sync>>);

impl Say {
    /// Sentences go to `say`, with whether they warn.
    pub fn to(say: impl Fn(String, bool) + Send + Sync + 'static) -> Say {
        Say(Some(Arc::new(say)))
    }

    /// Says what a user may like to know.
    pub fn say(&self, sentence: String) {
        if let Some(say) = &self.0 {
            say(sentence, false);
        }
    }

    /// Says what may be about to go wrong.
    pub fn warn(&self, sentence: String) {
        if let Some(say) = &self.0 {
            say(sentence, true);
        }
    }
}

impl std::fmt::Debug for Say {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Say")
    }
}

/// The live readers of a process. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Live {
    /// Asks the readers to hand on what they have, and to leave. Its descriptor can be polled beside theirs.
    pub stop: Stop,
    readers: Arc<Readers>,
}

#[derive(Debug, Default)]
struct Readers {
    count: Mutex<usize>,
    ended: Condvar,
}

impl Readers {
    fn count(&self) -> MutexGuard<'_, usize> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A live reader at work, until it is dropped.
#[derive(Debug)]
pub struct Entered {
    readers: Arc<Readers>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        *self.readers.count() -= 1;
        self.readers.ended.notify_all();
    }
}

impl Live {
    /// No reader yet; `stop` will end those to come.
    pub fn new(stop: Stop) -> Live {
        Live { stop, readers: Arc::default() }
    }

    /// Counts a reader for as long as the answer is kept.
    pub fn enter(&self) -> Entered {
        *self.readers.count() += 1;
        Entered { readers: Arc::clone(&self.readers) }
    }

    /// Waits until no reader is at work, but no longer than `most`: one may wait for room in a queue whose workers are
    /// gone.
    pub fn wait(&self, most: Duration) {
        let count = self.readers.count();
        drop(self.readers.ended.wait_timeout_while(count, most, |count| *count > 0));
    }
}

/// How long a live input may be quiet before what it gave is handed out.
const QUIET: Duration = Duration::from_millis(20);

/// How long what it gave is kept if it never is.
const LONGEST: Duration = Duration::from_millis(80);

/// How long what a live input gave has waited for more.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Patience {
    /// When the oldest of it came.
    since: Option<Instant>,
}

impl Patience {
    /// Something waits from now on, if nothing did before.
    pub fn begin(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// How long to wait for more: when none has come by then, what waits is to be handed out.
    pub fn left(&self) -> Duration {
        LONGEST.saturating_sub(self.waited()).min(QUIET)
    }

    /// Whether what waits is to be handed out although more comes.
    pub fn is_over(&self) -> bool {
        self.waited() >= LONGEST
    }

    /// What waited has been handed out.
    pub fn reset(&mut self) {
        self.since = None;
    }

    fn waited(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

/// How long `poll` and `epoll` are to wait: without end, or milliseconds, rounded up. A wait that ends just before its deadline
/// would be done again at once, and again.
pub(super) fn timeout(most: Option<Duration>) -> PollTimeout {
    most.map_or(PollTimeout::NONE, |most| {
        PollTimeout::try_from(most.saturating_add(Duration::from_micros(999))).unwrap_or(PollTimeout::MAX)
    })
}

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
    patience: Patience,
    /// How many have been handed on.
    handed: u64,
    /// How many could not be handed on, because no more was wanted.
    unwanted: u64,
}

impl<'a> Messages<'a> {
    /// Nothing yet. `origin` is that of all messages.
    pub fn new(receiver: &'a dyn BatchReceiver, size: &'a BatchSize, origin: Origin) -> Self {
        let (origin, block, patience) = (Arc::new(origin), BytesMut::new(), Patience::default());
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
        if quiet || self.patience.is_over() { self.flush() } else { true }
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
        assert_eq!(messages.patience(), Some(QUIET));
        assert!(messages.hand_out(false) && messages.add(b"b").unwrap());
        assert_eq!(batches(), [0; 0]);
        messages.patience.since = Instant::now().checked_sub(LONGEST);
        assert_eq!(messages.patience(), Some(Duration::ZERO));
        assert!(messages.hand_out(false));
        assert_eq!((batches(), messages.patience()), (vec![2], None));
        assert!(messages.add(b"c").unwrap() && messages.hand_out(true) && messages.hand_out(true));
        assert_eq!((batches(), messages.patience()), (vec![2, 1], None));
    }

    #[test]
    fn waits_are_rounded_up() {
        let milliseconds = |most| timeout(Some(most)).as_millis();
        for (micros, millis) in [(0, 0), (1, 1), (999, 1), (1000, 1), (1001, 2)] {
            assert_eq!(milliseconds(Duration::from_micros(micros)), Some(millis), "{micros}");
        }
        assert_eq!((timeout(None), timeout(Some(Duration::MAX))), (PollTimeout::NONE, PollTimeout::MAX));
    }

    #[test]
    fn two_starts_of_an_input_have_two_origins() {
        assert_ne!(origin("same").id, origin("same").id);
    }
}
