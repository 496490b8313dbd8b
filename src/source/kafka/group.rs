//! [`Group`]: the client as a member of a group.
//!
//! The client calls back only while it is [asked](Group::poll). The callbacks change nothing: they are kept as events, and the
//! source answers them when it is ready. A rebalance waits for that answer.
//!
//! A thread of its own asks for commits and waits for each answer. Without waiting, the client gives no answer: librdkafka reports
//! such a commit to a callback only that the crate does not set.

use std::collections::{HashMap, VecDeque};
use std::mem::take;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::client::{Client, ClientContext};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::Offset;
use rdkafka::types::RDKafkaRespErr;

use crate::core::stop::Waker;
use crate::kafka::notices::Notices;
use crate::kafka::trouble::Meaning;

/// How long a last commit is waited for before the client is closed.
const LEAVE: Duration = Duration::from_secs(5);

/// What the group or a broker tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The group gives these partitions.
    Assigned(Vec<i32>),
    /// The group takes these partitions.
    Revoked(Vec<i32>),
    /// A commit of these partitions and offsets was answered. An error means that none of them is committed.
    Committed(Vec<(i32, i64)>, Option<Code>),
}

/// What an asked client has.
pub enum Polled<'a> {
    /// A record.
    Record(BorrowedMessage<'a>),
    /// The broker has no more records of a partition.
    End(i32),
    /// An error, and whether the client cannot go on.
    Trouble(Code, bool),
    /// Something else: there may be more.
    Served,
    /// Nothing at the moment.
    Nothing,
}

/// The callbacks of the client.
struct Callbacks {
    notices: Arc<Notices>,
    events: Mutex<VecDeque<Event>>,
    /// The number of calls.
    served: AtomicU64,
    /// Whether sentences of the client are for the user.
    speaks: Arc<AtomicBool>,
    /// Whether a broker is away, and the user knows it.
    is_away: AtomicBool,
    /// Whether the client is being closed, so that a rebalance is answered at once.
    is_closing: AtomicBool,
}

impl Callbacks {
    fn events(&self) -> MutexGuard<'_, VecDeque<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, event: Event) {
        self.served.fetch_add(1, Ordering::Relaxed);
        self.events().push_back(event);
    }
}

impl ClientContext for Callbacks {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        self.served.fetch_add(1, Ordering::Relaxed);
        self.notices.log(facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.served.fetch_add(1, Ordering::Relaxed);
        let code = error.rdkafka_error_code().unwrap_or(Code::Unknown);
        // The end of a partition comes here as well.
        if code == Code::PartitionEOF {
            return;
        }
        // One sentence says that brokers are away, and it has the reason.
        let is_known = code == Code::AllBrokersDown
            || Meaning::of(code) == Meaning::Away
                && self.speaks.load(Ordering::SeqCst)
                && self.is_away.swap(true, Ordering::SeqCst);
        let speaks = is_known && self.speaks.swap(false, Ordering::SeqCst);
        self.notices.error(&error, reason);
        if speaks {
            self.speaks.store(true, Ordering::SeqCst);
        }
    }

    fn stats_raw(&self, _: &[u8]) {}
}

impl ConsumerContext for Callbacks {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let is_assigned = error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.is_closing.load(Ordering::SeqCst) {
            self.served.fetch_add(1, Ordering::Relaxed);
            // What fails here fails because the client closes.
            let _ = if is_assigned { assign(consumer, list) } else { unassign(consumer, list) };
            return;
        }
        let partitions = list.elements().iter().map(|element| element.partition()).collect();
        self.add(if is_assigned { Event::Assigned(partitions) } else { Event::Revoked(partitions) });
    }
}

fn is_cooperative(consumer: &BaseConsumer<Callbacks>) -> bool {
    matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative)
}

fn assign(consumer: &BaseConsumer<Callbacks>, list: &TopicPartitionList) -> KafkaResult<()> {
    if is_cooperative(consumer) { consumer.incremental_assign(list) } else { consumer.assign(list) }
}

fn unassign(consumer: &BaseConsumer<Callbacks>, list: &TopicPartitionList) -> KafkaResult<()> {
    if is_cooperative(consumer) { consumer.incremental_unassign(list) } else { consumer.unassign() }
}

/// See the [module](self).
pub struct Group {
    consumer: Arc<BaseConsumer<Callbacks>>,
    /// Takes the offsets to commit. It is dropped before the client.
    commits: Option<Sender<Vec<(i32, i64)>>>,
    /// Ends when the thread that commits has ended.
    committed: Receiver<()>,
    topic: String,
    notices: Arc<Notices>,
    waker: Arc<Waker>,
}

impl Group {
    /// Creates the client. It is not yet a member of the group. Its `notices` are said while the flag is set.
    ///
    /// # Errors
    /// The client does not take its settings.
    pub fn new(
        config: &ClientConfig,
        topic: &str,
        (notices, speaks): (Notices, Arc<AtomicBool>),
        waker: Waker,
    ) -> Result<Group, KafkaError> {
        let notices = Arc::new(notices);
        let callbacks = Callbacks {
            notices: Arc::clone(&notices),
            events: Mutex::default(),
            served: AtomicU64::new(0),
            speaks,
            is_away: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
        };
        let mut consumer: BaseConsumer<Callbacks> = config.create_with_context(callbacks)?;
        let waker = Arc::new(waker);
        let wakes = Arc::clone(&waker);
        consumer.set_nonempty_callback(move || wakes.wake());
        let consumer = Arc::new(consumer);
        let ((commits, lists), (ends, committed)) = (channel(), channel());
        let commit = Commits { consumer: Arc::clone(&consumer), topic: topic.to_owned(), waker: Arc::clone(&waker) };
        let work = move || {
            commit.work(&lists);
            drop(commit);
            drop(ends);
        };
        // Without the thread, the first commit fails, and says so.
        let _ = std::thread::Builder::new().name("commits".into()).spawn(work);
        Ok(Group { consumer, commits: Some(commits), committed, topic: topic.to_owned(), notices, waker })
    }

    /// The client, for questions to the brokers.
    pub fn client(&self) -> &Client<impl ClientContext> {
        self.consumer.client()
    }

    /// What the client reports by itself.
    pub fn notices(&self) -> &Notices {
        &self.notices
    }

    fn callbacks(&self) -> &Callbacks {
        self.consumer.client().context()
    }

    /// Whether brokers were away and are there again. It is true once.
    pub fn is_back(&self) -> bool {
        let is_away = &self.callbacks().is_away;
        is_away.load(Ordering::Relaxed) && is_away.swap(false, Ordering::SeqCst)
    }

    /// Becomes a member of the group.
    ///
    /// # Errors
    /// The client cannot subscribe.
    pub fn join(&self) -> KafkaResult<()> {
        self.consumer.subscribe(&[&self.topic])
    }

    /// A descriptor for `poll`. It becomes readable when the client has something, and stays so until
    /// [`attend`](Group::attend).
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.waker.as_fd()
    }

    /// Makes the descriptor unreadable. The caller then asks until the client has nothing.
    pub fn attend(&self) {
        self.waker.clear();
    }

    /// Asks the client. It does not wait.
    pub fn poll(&self) -> Polled<'_> {
        let served = self.callbacks().served.load(Ordering::Relaxed);
        match self.consumer.poll(Duration::ZERO) {
            Some(Ok(message)) => Polled::Record(message),
            Some(Err(KafkaError::PartitionEOF(partition))) => Polled::End(partition),
            Some(Err(error)) => {
                let is_fatal = matches!(error, KafkaError::MessageConsumptionFatal(_));
                Polled::Trouble(error.rdkafka_error_code().unwrap_or(Code::Unknown), is_fatal)
            }
            None if self.callbacks().served.load(Ordering::Relaxed) != served => Polled::Served,
            None => Polled::Nothing,
        }
    }

    /// Whether there are events.
    pub fn has_events(&self) -> bool {
        !self.callbacks().events().is_empty()
    }

    /// Takes the events.
    pub fn events(&self) -> VecDeque<Event> {
        take(&mut *self.callbacks().events())
    }

    fn list(&self, partitions: impl IntoIterator<Item = i32>) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&self.topic, partition);
        }
        list
    }

    /// Takes partitions that the group gives.
    ///
    /// # Errors
    /// The client has left the group meanwhile.
    pub fn assign(&self, partitions: &[i32]) -> KafkaResult<()> {
        assign(&self.consumer, &self.list(partitions.iter().copied()))
    }

    /// Gives up partitions that the group takes.
    ///
    /// # Errors
    /// The client has left the group meanwhile.
    pub fn give_up(&self, partitions: &[i32]) -> KafkaResult<()> {
        unassign(&self.consumer, &self.list(partitions.iter().copied()))
    }

    /// Whether the partitions that the group takes belong to another member already.
    pub fn is_lost(&self) -> bool {
        self.consumer.assignment_lost()
    }

    /// Lets no more records of these partitions come. What was fetched ahead is dropped, and comes again later.
    pub fn pause(&self, partitions: impl IntoIterator<Item = i32>) {
        // It fails for partitions that are not assigned any more.
        let _ = self.consumer.pause(&self.list(partitions));
    }

    /// Lets records of these partitions come again.
    pub fn resume(&self, partitions: impl IntoIterator<Item = i32>) {
        let _ = self.consumer.resume(&self.list(partitions));
    }

    /// Asks the broker to commit offsets. The answer is an [event](Event::Committed).
    pub fn commit(&self, offsets: Vec<(i32, i64)>) {
        let sent = self.commits.as_ref().map(|commits| commits.send(offsets));
        if let Some(Err(error)) = sent {
            self.callbacks().add(Event::Committed(error.0, Some(Code::Fail)));
        }
    }

    /// Asks for the offsets that the group has committed.
    ///
    /// # Errors
    /// The group cannot be read, or does not answer within `most`.
    pub fn committed(
        &self,
        partitions: impl IntoIterator<Item = i32>,
        most: Duration,
    ) -> KafkaResult<HashMap<i32, i64>> {
        let list = self.consumer.committed_offsets(self.list(partitions), most)?;
        let mut committed = HashMap::new();
        for element in list.elements() {
            element.error()?;
            if let Offset::Offset(offset) = element.offset() {
                committed.insert(element.partition(), offset);
            }
        }
        Ok(committed)
    }

    /// Asks for the first offset of a partition, and for the offset after its last record.
    ///
    /// # Errors
    /// The broker does not answer within `most`.
    pub fn bounds(&self, partition: i32, most: Duration) -> KafkaResult<(i64, i64)> {
        self.consumer.fetch_watermarks(&self.topic, partition, most)
    }
}

/// Commits offsets, and waits for each answer.
struct Commits {
    consumer: Arc<BaseConsumer<Callbacks>>,
    topic: String,
    waker: Arc<Waker>,
}

impl Commits {
    fn work(&self, lists: &Receiver<Vec<(i32, i64)>>) {
        for offsets in lists {
            let mut list = TopicPartitionList::with_capacity(offsets.len());
            let added = offsets.iter().try_for_each(|(partition, offset)| {
                list.add_partition_offset(&self.topic, *partition, Offset::Offset(*offset))
            });
            let answer = added.and_then(|()| self.consumer.commit(&list, CommitMode::Sync));
            let error = answer.err().map(|error| error.rdkafka_error_code().unwrap_or(Code::Unknown));
            self.consumer.client().context().add(Event::Committed(offsets, error));
            self.waker.wake();
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A commit that a broker does not answer goes on for some time. The process need not wait for it.
        self.commits = None;
        let _ = self.committed.recv_timeout(LEAVE);
        // The client leaves the group, and asks for its partitions back.
        self.callbacks().is_closing.store(true, Ordering::SeqCst);
        for event in self.events() {
            match event {
                Event::Assigned(partitions) => drop(self.assign(&partitions)),
                Event::Revoked(partitions) => drop(self.give_up(&partitions)),
                Event::Committed(..) => {}
            }
        }
    }
}
