//! Finds the containers of a job as they come and go, and decides how each is read.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::Scope;

use super::api_way::ApiContainer;
use super::container::Container;
use super::counters::{BY_API, BY_FILES, GAPS, RECONNECTED};
use super::engine::{Answer, Next};
use super::events::{Event, Events, What};
use super::files::{LogFiles, is_known_form};
use super::handing::Handing;
use super::itself::Itself;
use super::oldest;
use super::selector::Selector;
use super::shared::Shared;
use super::time;
use crate::core::error::{Error, Result};
use crate::observe::receipt::{Loss, Way};
use crate::process::host::host_name;
use crate::source::api::RunContext;
use crate::source::settlement::Streams;

/// See the [module](self).
pub struct Watching<'a> {
    /// What all containers share.
    pub shared: &'a Shared<'a>,
    /// The context of the source.
    pub context: &'a RunContext<'a>,
    /// The containers that the user means.
    pub selectors: &'a [Selector],
    /// The container of this process.
    pub itself: Itself,
    /// The places up to which containers are settled.
    pub streams: &'a Streams,
    /// The logs that are read from their files.
    pub files: &'a LogFiles,
    /// The directory of the Engine's data.
    pub root: Option<PathBuf>,
    /// The containers that are read.
    pub known: HashMap<String, Known<'a>>,
    /// Whether this process was found among the containers.
    pub is_itself_said: bool,
}

/// A container that is read.
pub enum Known<'a> {
    /// Its log files are read. The path is that of the newest file.
    Files(PathBuf),
    /// It was created, and its log files will be read when it runs.
    Expected(PathBuf),
    /// Its log is read through the API.
    Api(Arc<ApiContainer<'a>>),
}

impl<'a> Watching<'a> {
    /// Begins with all containers that are there, and returns their number.
    ///
    /// # Errors
    /// The Engine does not answer.
    pub fn begin_all<'scope>(&mut self, scope: &'scope Scope<'scope, 'a>) -> Result<()> {
        let ids = self.shared.engine.list()?;
        let gone: Vec<String> = self.known.keys().filter(|id| !ids.contains(id)).cloned().collect();
        gone.iter().for_each(|id| self.remove(id));
        ids.iter().try_for_each(|id| self.begin(id, scope))
    }

    /// Follows the events of the Engine until a stop is requested.
    pub fn follow<'scope>(&mut self, scope: &'scope Scope<'scope, 'a>, is_ready: &dyn Fn()) {
        let (engine, mut pauses, mut is_told) = (self.shared.engine, self.shared.pauses(), false);
        while !engine.stop().is_requested() {
            // Events that come while the containers are listed are read after the list.
            let followed = engine.events().and_then(|answer| {
                self.begin_all(scope)?;
                is_ready();
                if std::mem::take(&mut is_told) {
                    self.shared.say.say(format!("{}: the Docker Engine answers again", engine.address()));
                }
                pauses = self.shared.pauses();
                self.follow_events(answer, scope)
            });
            if engine.stop().is_requested() {
                return;
            }
            if let Err(error) = followed {
                is_ready();
                if !std::mem::replace(&mut is_told, true) {
                    self.shared.say.warn(format!("{error}; it is tried again"));
                }
            }
            self.shared.counts.add(&RECONNECTED, 1);
            pauses.wait();
            // The Engine may have been replaced by another version.
            let _ = engine.negotiate();
        }
    }

    /// Takes the events of one connection.
    fn follow_events<'scope>(&mut self, mut answer: Answer, scope: &'scope Scope<'scope, 'a>) -> Result<()> {
        let engine = self.shared.engine;
        let (mut events, mut bytes) = (Events::default(), Vec::new());
        loop {
            bytes.clear();
            match answer.read(&mut bytes, None) {
                Ok(Next::More) => {}
                Ok(Next::Stopped) => return Ok(()),
                Ok(_) => {
                    return Err(Error::input(format!("{}: the Docker Engine has ended its events", engine.address())));
                }
                Err(error) => {
                    let sentence =
                        format!("{}: the events of the Docker Engine cannot be read further", engine.address());
                    return Err(Error::input(sentence).because(error));
                }
            }
            for Event { id, what } in events.feed(&bytes).map_err(|what| engine.wrong(&what))? {
                match what {
                    What::Began => self.begin(&id, scope)?,
                    What::Removed => self.remove(&id),
                }
            }
        }
    }

    fn remove(&mut self, id: &str) {
        // A container that is read through the API ends with its connection.
        if let Some(Known::Files(path) | Known::Expected(path)) = self.known.remove(id) {
            self.files.remove(&path);
        }
    }

    /// Begins to read a container if the user means it, or reads it further after it began to run again.
    fn begin<'scope>(&mut self, id: &str, scope: &'scope Scope<'scope, 'a>) -> Result<()> {
        if let Some(Known::Api(container)) = self.known.get(id) {
            Self::work(Arc::clone(container), self.shared, scope);
            return Ok(());
        }
        let container = match self.shared.engine.inspect(id) {
            Ok(Some(container)) => container,
            Ok(None) => return Ok(()),
            Err(error) => {
                // If the Engine is away, its events end too, and all containers are listed again.
                match self.shared.options.follow {
                    true => self.shared.say.warn(error.to_string()),
                    false => self.shared.fail(error),
                }
                return Ok(());
            }
        };
        if !self.selectors.iter().any(|selector| selector.matches(&container)) {
            return Ok(());
        }
        if self.itself.is(&container) {
            if !std::mem::replace(&mut self.is_itself_said, true) {
                self.shared
                    .say
                    .say(format!("{}: logator runs in this container, which is not read", container.shown()));
            }
            return Ok(());
        }
        match self.way(&container) {
            Some(Known::Expected(path)) => {
                self.begin_files(&container, &path)?;
                self.known.insert(container.id.clone(), Known::Expected(path));
            }
            Some(Known::Files(path)) => {
                self.shared.accounts.begin(&container, Way::Files);
                if !matches!(self.known.get(id), Some(Known::Files(_))) {
                    self.shared.counts.add(&BY_FILES, 1);
                }
                self.begin_files(&container, &path)?;
                log::debug!("{}: its log files are read: {}", container.shown(), path.display());
                self.known.insert(container.id.clone(), Known::Files(path));
            }
            Some(Known::Api(_)) | None if !container.has_run => {}
            Some(Known::Api(_)) | None => {
                if let Some(Known::Expected(path) | Known::Files(path)) = self.known.remove(&container.id) {
                    self.files.remove(&path);
                }
                self.begin_api(container, scope)?;
            }
        }
        Ok(())
    }

    fn begin_files(&self, container: &Container, path: &Path) -> Result<()> {
        let origin = container.origin(host_name());
        let stream = match self.files.stream(origin.id) {
            Some(stream) => stream,
            None => {
                let (stream, cursor) = self.streams.begin(container.id.as_bytes())?;
                let before = cursor.as_ref().and_then(|cursor| cursor.first_chunk());
                before.iter().for_each(|ns| self.say_gap(container, path, u64::from_be_bytes(**ns)));
                stream
            }
        };
        self.files.add(path, &container.id, origin, stream);
        Ok(())
    }

    /// Tells the user that records are gone, if an earlier run ended at `before` and the files begin later.
    fn say_gap(&self, container: &Container, path: &Path, before: u64) {
        let Some(first) = oldest::first_time(path).filter(|first| *first > before) else { return };
        self.shared.counts.add(&GAPS, 1);
        self.shared.accounts.lose(&container.id, Loss::Detected);
        let [before, first] = [before, first].map(|ns| String::from_utf8_lossy(&time::write(ns)).into_owned());
        self.shared.say.warn(format!(
            "{}: the records after {before} and before {first} are gone: the log file that held them was removed before this run; \
             more or larger files (max-file, max-size) hold more",
            container.shown()
        ));
    }

    fn begin_api<'scope>(&mut self, container: Container, scope: &'scope Scope<'scope, 'a>) -> Result<()> {
        self.shared.accounts.begin(&container, Way::Api);
        self.shared.counts.add(&BY_API, 1);
        let stream = self.streams.begin(container.id.as_bytes())?;
        let origin = container.origin(host_name()).wrapped(crate::envelope::Envelope::Cri);
        let origin = self.context.options.describing.complete(origin, None);
        let handing = Handing::new(self.context, origin, self.streams, stream, self.shared.options.since);
        let id = container.id.clone();
        let container = Arc::new(ApiContainer::new(container, handing));
        Self::work(Arc::clone(&container), self.shared, scope);
        self.known.insert(id, Known::Api(container));
        Ok(())
    }

    /// Starts a thread that reads a container through the API, unless one is at work.
    fn work<'scope>(container: Arc<ApiContainer<'a>>, shared: &'a Shared<'a>, scope: &'scope Scope<'scope, 'a>) {
        if !container.begins() {
            return;
        }
        let builder = std::thread::Builder::new().name("container".into());
        if let Err(error) = builder.spawn_scoped(scope, move || container.work(shared)) {
            shared.fail(Error::system("the thread that reads a container cannot be started").because(error));
        }
    }

    /// Decides how a container is read. `None` means the API.
    fn way(&self, container: &Container) -> Option<Known<'a>> {
        if self.shared.options.only_api {
            return None;
        }
        let Some(path) = &container.log_path else {
            // The file gets its name when the container is started. Its directory is watched before that.
            let is_expected = !container.has_run && container.driver == "json-file";
            let directory = self.root.as_ref().filter(|_| is_expected)?.join("containers").join(&container.id);
            let path = directory.join(format!("{}-json.log", container.id));
            return directory.is_dir().then_some(Known::Expected(path));
        };
        match oldest::newest_beginning(path) {
            Ok(bytes) if is_known_form(&bytes) => Some(Known::Files(path.clone())),
            Ok(_) => {
                let sentence = "its log file has an unknown form; the API of the Engine is read instead";
                self.shared.say.say(format!("{}: {sentence}", container.shown()));
                None
            }
            // The container was created and has not run, or its log is on another machine.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                let shown = container.shown();
                self.shared.say.say(format!(
                    "{shown}: its log file cannot be read ({error}); the API of the Engine is read instead, which is slower and \
                     may skip records when files are rotated"
                ));
                None
            }
        }
    }
}
