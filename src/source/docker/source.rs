//! The containers of a job, as a source.

use std::collections::HashMap;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use super::accounts::Accounts;
use super::address::Address;
use super::container::SCHEME;
use super::counters::COUNTERS;
use super::engine::Engine;
use super::file_receiver::FileReceiver;
use super::files::LogFiles;
use super::itself::Itself;
use super::options::{OPTIONS, Options};
use super::selector::Selector;
use super::shared::Shared;
use super::watching::Watching;
use crate::core::error::{Error, Result};
use crate::core::stop::Stop;
use crate::observe::counters::{Counters, Row};
use crate::observe::receipt::Loss;
use crate::process::job_files::JobFiles;
use crate::source::api::{Opened, RunContext, Source};
use crate::source::follow::changing::Changing;
use crate::source::follow::logs;
use crate::source::kind::{Place, SourceKind};
use crate::source::options::ReadOptions;
use crate::source::outcome::ReadOutcome;

/// The name under which the places in all logs are kept. A container may be meant by several names.
const NAME: &str = "docker";

/// Logs of containers.
pub const KIND: SourceKind = SourceKind {
    help: "docker:NAME, docker:ID, docker:LABEL=VALUE and docker:* read the logs of containers of a Docker Engine, and wait for \
           more unless --no-follow is given. DOCKER_HOST names the Engine.",
    names: &["docker:NAME for containers"],
    places: &[Place::Input],
    elsewhere: "logs of containers are read by logator run and logator-queue",
    options: OPTIONS,
    counters: COUNTERS,
    claims: |name, _| name.starts_with(SCHEME),
    find: |names, context, found| {
        let options = Options::of(context.values)?;
        let selectors = names.iter().map(|name| Selector::parse(name.text)).collect::<Result<Vec<_>>>()?;
        let Some(first) = names.first() else { return Ok(()) };
        let address = Address::of(&|name| std::env::var(name).ok())?;
        let texts = names.iter().map(|name| name.text.to_owned()).collect();
        found.add(
            first.index,
            Containers {
                names: texts,
                selectors,
                address,
                options,
                own: Arc::clone(context.own),
                engine: None,
                counts: Counters::new(COUNTERS),
                ready: Mutex::default(),
            },
        );
        Ok(())
    },
    ..SourceKind::NONE
};

/// See the [module](self).
struct Containers {
    names: Vec<String>,
    selectors: Vec<Selector>,
    address: Address,
    options: Options,
    own: Arc<JobFiles>,
    engine: Option<Engine>,
    counts: Counters,
    /// Is dropped when all containers that are there are read.
    ready: Mutex<Option<SyncSender<()>>>,
}

impl Containers {
    fn set_ready(&self) {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn read(&self, context: &RunContext) -> Result<ReadOutcome> {
        let options = context.options;
        let (Some(engine), Some(_)) = (&self.engine, &options.live) else {
            return Err(Error::internal("reading containers needs an Engine and a way to stop"));
        };
        let streams = options.settlement.add(NAME, Box::new(|_| ()))?;
        let (files, accounts) = (Arc::new(LogFiles::new()?), Accounts::default());
        let shared = Shared {
            engine,
            options: self.options,
            is_resumed: options.settlement.has_memory(),
            say: &options.say,
            counts: &self.counts,
            accounts: &accounts,
            progress: Arc::clone(&context.progress.read),
            errors: Mutex::default(),
        };
        let mut watching = Watching {
            shared: &shared,
            context,
            selectors: &self.selectors,
            itself: Itself::here(),
            streams: &streams,
            files: &files,
            root: engine.root(),
            known: HashMap::new(),
            is_itself_said: false,
        };
        let receiver = FileReceiver::new(context.receiver, &files, &streams, self.options.since);
        let follow_files = || {
            let changing = Arc::clone(&files) as Arc<dyn Changing>;
            let context = RunContext { receiver: &receiver, ..*context };
            logs::follow(changing, &self.own, !self.options.follow, &context)
        };
        let outcome = if self.options.follow {
            std::thread::scope(|scope| {
                let following = std::thread::Builder::new().name("reader".into()).spawn_scoped(scope, follow_files);
                let following = following.map_err(|error| {
                    Error::system("the thread that reads log files cannot be started").because(error)
                })?;
                watching.follow(scope, &|| self.set_ready());
                following.join().map_err(|_| Error::internal("the reader of log files panicked"))
            })
        } else {
            std::thread::scope(|scope| {
                watching.begin_all(scope)?;
                self.set_ready();
                self.name_missing(watching.known.is_empty(), &shared);
                Ok(follow_files())
            })
        };
        drop(watching);
        let mut outcome = outcome?;
        outcome.errors.extend(shared.errors.into_inner().unwrap_or_else(PoisonError::into_inner));
        for id in files.lost() {
            accounts.lose(&id, Loss::Detected);
        }
        outcome.containers = accounts.all();
        Ok(outcome)
    }

    /// Without following, a name that means no container is a mistake.
    fn name_missing(&self, is_none: bool, shared: &Shared<'_>) {
        if is_none {
            let names = self.names.join(", ");
            shared.fail(Error::input(format!("{names}: there is no such container at {}", self.address)));
        }
    }
}

impl Source for Containers {
    fn name(&self) -> String {
        self.names.join(", ")
    }

    fn has_end(&self) -> bool {
        !self.options.follow
    }

    fn open(&mut self, options: &ReadOptions) -> Result<Opened> {
        let stop = options.live.as_ref().map_or_else(Stop::new, |live| Ok(live.stop.clone()))?;
        self.engine = Some(Engine::connect(self.address.clone(), &stop)?);
        let (begun, ready) = sync_channel(1);
        self.ready = Mutex::new(Some(begun));
        let places = vec![self.address.to_string()];
        Ok(Opened { activity: "logs of containers are read", places, ready: Some(ready), ..Opened::default() })
    }

    fn run(&self, context: &RunContext) -> ReadOutcome {
        self.read(context).unwrap_or_else(ReadOutcome::from)
    }

    fn close(&self) {
        self.set_ready();
    }

    fn count(&self) -> Option<Row> {
        Some(self.counts.row(self.name()))
    }
}
