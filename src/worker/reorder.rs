//! [`Reorder`]: brings batches that were parsed at the same time back into their order. Pure.
//!
//! Each batch that a process takes from its queue has a number: 0, 1, 2 and so on, in the order in which the queue handed them
//! out. A batch is released when all batches with smaller numbers are. So what is held back is at most what the workers hold.
//!
//! A batch may get lost between its number and its release, because its worker fails. Batches with greater numbers are then
//! refused. They go back to the queue and are stored in order by a later run.

use std::collections::BTreeMap;

/// Items that wait for items with smaller numbers.
#[derive(Debug)]
pub(super) struct Reorder<T> {
    /// The number of the next item to release.
    next: u64,
    waiting: BTreeMap<u64, T>,
    /// The smallest number that was lost.
    lost: Option<u64>,
}

impl<T> Default for Reorder<T> {
    fn default() -> Self {
        Reorder { next: 0, waiting: BTreeMap::new(), lost: None }
    }
}

impl<T> Reorder<T> {
    /// Takes an item. Returns it if it is refused, because an item with a smaller number is lost.
    pub fn put(&mut self, number: u64, item: T) -> Option<T> {
        if self.lost.is_some_and(|lost| lost < number) {
            return Some(item);
        }
        self.waiting.insert(number, item)
    }

    /// Releases the next item, if it is there.
    pub fn release(&mut self) -> Option<T> {
        let item = self.waiting.remove(&self.next)?;
        self.next += 1;
        Some(item)
    }

    /// Notes that the item with this number does not come. Returns the items that are refused for this reason.
    pub fn lose(&mut self, number: u64) -> impl Iterator<Item = T> {
        let lost = self.lost.map_or(number, |lost| lost.min(number));
        self.lost = Some(lost);
        self.waiting.split_off(&lost).into_values()
    }

    /// The number of items that wait.
    #[cfg(test)]
    fn held(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What happens to number after number, each at a random time: the order of the keys is the order of the events.
    fn events() -> impl Strategy<Value = Vec<(u64, bool)>> {
        let one = (any::<u32>(), prop::bool::weighted(0.03));
        prop::collection::vec(one, 0..80).prop_map(|delays| {
            let mut events: Vec<_> =
                delays.into_iter().enumerate().map(|(number, (delay, lost))| (delay, number as u64, lost)).collect();
            events.sort_unstable();
            events.into_iter().map(|(_, number, lost)| (number, lost)).collect()
        })
    }

    proptest! {
        #[test]
        fn items_leave_in_order_whatever_their_delays_and_none_behind_a_lost_one(events in events()) {
            let mut reorder = Reorder::default();
            let (mut released, mut refused) = (Vec::new(), Vec::new());
            let lost = events.iter().filter(|(_, lost)| *lost).map(|(number, _)| *number).min();
            for (happened, &(number, is_lost)) in events.iter().enumerate() {
                match is_lost {
                    true => refused.extend(reorder.lose(number)),
                    false => refused.extend(reorder.put(number, number)),
                }
                released.extend(std::iter::from_fn(|| reorder.release()));
                // No more is held than what came and could not leave.
                prop_assert!(reorder.held() + released.len() + refused.len() <= happened + 1);
                let open = (0..).find(|number| !events[..=happened].contains(&(*number, false))).unwrap();
                prop_assert!(released.len() as u64 == open, "nothing waits that could leave");
            }
            let all = events.len() as u64;
            prop_assert_eq!(&released, &(0..lost.unwrap_or(all)).collect::<Vec<_>>());
            let mut behind: Vec<u64> =
                events.iter().filter(|(_, lost)| !lost).map(|(number, _)| *number).filter(|n| Some(*n) > lost).collect();
            if lost.is_none() {
                behind.clear();
            }
            behind.sort_unstable();
            refused.sort_unstable();
            prop_assert_eq!(refused, behind);
            prop_assert_eq!(reorder.held(), 0, "nothing is forgotten");
        }
    }
}
