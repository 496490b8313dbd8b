//! How each container was read, for the receipt.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::container::Container;
use crate::observe::receipt::{Loss, ReadContainer, Way};

/// The number of containers that the receipt names. Hosts may start thousands in a day.
const NAMED: usize = 1000;

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Accounts(Mutex<BTreeMap<String, ReadContainer>>);

impl Accounts {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, ReadContainer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that a container is read.
    pub fn begin(&self, container: &Container, way: Way) {
        let mut all = self.lock();
        if all.len() >= NAMED {
            // Containers without a loss say the least.
            let quiet = all.iter().find(|(_, read)| read.loss == Loss::None).map(|(id, _)| id.clone());
            quiet.iter().for_each(|id| drop(all.remove(id)));
        }
        let known = all.entry(container.id.clone()).or_insert_with(|| ReadContainer {
            name: container.name.clone(),
            id: container.id.clone(),
            way,
            loss: Loss::None,
        });
        (known.way, known.name) = (way, container.name.clone());
    }

    /// Records that records of a container are or may be lost. Returns whether this is news.
    pub fn lose(&self, id: &str, loss: Loss) -> bool {
        let mut all = self.lock();
        let Some(known) = all.get_mut(id) else { return false };
        let is_news = loss > known.loss;
        known.loss = known.loss.max(loss);
        is_news
    }

    /// Returns all of them, in the order of their names.
    pub fn all(&self) -> Vec<ReadContainer> {
        let mut all: Vec<ReadContainer> = self.lock().values().cloned().collect();
        all.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
        all
    }
}
