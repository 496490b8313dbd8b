//! The log files of containers, as names that the follower of files follows. Containers come and go while it runs.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::core::context::Origin;
use crate::core::error::Result;
use crate::core::stop::Waker;
use crate::envelope::Envelope;
use crate::source::follow::changing::{Changing, Place};

/// The number of removed containers whose names are kept: their files may be open and unread.
const KEPT: usize = 10_000;

/// See the [module](self).
#[derive(Debug)]
pub struct LogFiles {
    state: Mutex<State>,
    waker: Waker,
}

#[derive(Debug, Default)]
struct State {
    /// The log of each container, by the path of its newest file.
    logs: BTreeMap<PathBuf, Log>,
    removed: VecDeque<PathBuf>,
    next: u64,
    /// The IDs of the containers of which files were lost.
    lost: BTreeSet<String>,
    /// The stream of each container, by the number of its origin.
    streams: HashMap<u64, u32>,
}

#[derive(Debug)]
struct Log {
    /// The origin of all records; the envelope is told by the first line of each file.
    origin: Origin,
    container: String,
    number: u64,
    is_removed: bool,
}

impl LogFiles {
    /// Creates a list without containers.
    ///
    /// # Errors
    /// The system gives no pipe.
    pub fn new() -> Result<LogFiles> {
        Ok(LogFiles { state: Mutex::default(), waker: Waker::new()? })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the log of a container, or changes its origin. `path` is its newest file, and `stream` the number of its stream.
    pub fn add(&self, path: &Path, container: &str, origin: Origin, stream: u32) {
        let state = &mut *self.lock();
        state.streams.insert(origin.id, stream);
        match state.logs.get_mut(path) {
            Some(log) => (log.origin, log.is_removed) = (origin, false),
            None => {
                let number = state.next;
                state.next += 1;
                state.logs.insert(
                    path.to_owned(),
                    Log { origin, container: container.to_owned(), number, is_removed: false },
                );
            }
        }
        self.waker.wake();
    }

    /// Removes the log of a container. Files of it that are open are read to their ends.
    pub fn remove(&self, path: &Path) {
        let state = &mut *self.lock();
        if let Some(log) = state.logs.get_mut(path).filter(|log| !log.is_removed) {
            log.is_removed = true;
            state.removed.push_back(path.to_owned());
        }
        if state.removed.len() > KEPT
            && let Some(oldest) = state.removed.pop_front()
            && state.logs.get(&oldest).is_some_and(|log| log.is_removed)
        {
            let log = state.logs.remove(&oldest);
            if let Some(log) = log {
                state.streams.remove(&log.origin.id);
            }
        }
        self.waker.wake();
    }

    /// Returns the number of the stream of the container whose origin has the number `origin`.
    pub fn stream(&self, origin: u64) -> Option<u32> {
        self.lock().streams.get(&origin).copied()
    }

    /// Returns the IDs of the containers of which files were lost.
    pub fn lost(&self) -> Vec<String> {
        self.lock().lost.iter().cloned().collect()
    }
}

impl Changing for LogFiles {
    fn names(&self) -> (Vec<String>, Vec<u64>) {
        self.waker.clear();
        let state = self.lock();
        let logs: Vec<_> = state.logs.iter().filter(|(_, log)| !log.is_removed).collect();
        let paths = logs.iter().filter_map(|(path, _)| path.to_str());
        // The first name keeps the directory watched while the file is not there yet.
        let names = paths.flat_map(|path| [path.to_owned(), format!("{}.[0-9]*", glob::Pattern::escape(path))]);
        (names.collect(), logs.iter().map(|(_, log)| log.number).collect())
    }

    fn waker(&self) -> &Waker {
        &self.waker
    }

    fn origin(&self, path: &Path) -> Option<Origin> {
        let (path, _) = split(path)?;
        self.lock().logs.get(&path).map(|log| log.origin.clone())
    }

    fn place(&self, path: &Path) -> Option<Place> {
        let (path, age) = split(path)?;
        self.lock().logs.get(&path).map(|log| Place { sequence: log.number, age })
    }

    fn lost(&self, path: &Path) {
        let state = &mut *self.lock();
        let log = split(path).and_then(|(path, _)| state.logs.get(&path));
        if let Some(log) = log {
            state.lost.insert(log.container.clone());
        }
    }
}

/// Splits the path of a log file into the path of the newest file and its age: `x.log.2.gz` is the second after `x.log`.
pub fn split(path: &Path) -> Option<(PathBuf, u32)> {
    let name = path.file_name()?.to_str()?;
    let plain = name.strip_suffix(".gz").unwrap_or(name);
    let numbered = plain.rsplit_once('.').and_then(|(newest, age)| Some((newest, age.parse().ok()?)));
    Some(match numbered {
        Some((newest, age)) => (path.with_file_name(newest), age),
        None => (path.to_owned(), 0),
    })
}

/// Whether a file that begins with `beginning` holds records in a form that is known. An empty file may get any form.
pub fn is_known_form(beginning: &[u8]) -> bool {
    beginning.is_empty()
        || matches!(crate::envelope::container::detect(beginning), Envelope::DockerJson | Envelope::Cri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_files_belong_to_the_log_of_their_container() {
        let files = LogFiles::new().unwrap();
        let path = Path::new("/c[1]/x-json.log");
        files.add(path, "abc", Origin::new(7, "docker:web"), 3);
        assert_eq!(files.names().0, ["/c[1]/x-json.log", "/c[[]1[]]/x-json.log.[0-9]*"]);
        for (name, age) in
            [("x-json.log", Some(0)), ("x-json.log.1", Some(1)), ("x-json.log.12.gz", Some(12)), ("y", None)]
        {
            let place = files.place(&path.with_file_name(name));
            assert_eq!(place.map(|place| place.age), age, "{name}");
        }
        files.remove(path);
        assert_eq!((files.stream(7), files.stream(8)), (Some(3), None));
        Changing::lost(&files, &path.with_file_name("x-json.log.2"));
        assert_eq!(files.lost(), ["abc"]);
        assert!(files.names().0.is_empty());
        assert_eq!(files.origin(&path.with_file_name("x-json.log.1")).map(|origin| origin.id), Some(7));
    }
}
