//! Places that are shared between sources: so many in all, and so many for each, so that one source cannot take them all.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Places for keys of one kind.
pub(crate) struct Places<K: Eq + Hash> {
    held: Arc<Held<K>>,
    in_all: usize,
    for_each: u32,
}

struct Held<K> {
    taken: Mutex<Taken<K>>,
}

struct Taken<K> {
    total: usize,
    by_key: HashMap<K, u32>,
}

/// A place that is given back when it is dropped.
pub(crate) struct Place<K: Eq + Hash> {
    held: Arc<Held<K>>,
    key: K,
}

impl<K> Held<K> {
    fn taken(&self) -> MutexGuard<'_, Taken<K>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Clone> Places<K> {
    /// `in_all` places, at most `for_each` of them for one key.
    pub(crate) fn new(in_all: usize, for_each: u32) -> Self {
        let taken = Mutex::new(Taken { total: 0, by_key: HashMap::new() });
        Self { held: Arc::new(Held { taken }), in_all, for_each }
    }

    /// Takes a place. None when all are taken, or the key has its share.
    pub(crate) fn take(&self, key: K) -> Option<Place<K>> {
        let mut taken = self.held.taken();
        if taken.total >= self.in_all {
            return None;
        }
        match taken.by_key.get_mut(&key) {
            Some(count) if *count >= self.for_each => return None,
            Some(count) => *count += 1,
            None => {
                taken.by_key.insert(key.clone(), 1);
            }
        }
        taken.total += 1;
        drop(taken);
        Some(Place { held: Arc::clone(&self.held), key })
    }
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = self.held.taken();
        taken.total = taken.total.saturating_sub(1);
        let is_last = match taken.by_key.get_mut(&self.key) {
            Some(count) => {
                *count = count.saturating_sub(1);
                *count == 0
            }
            None => false,
        };
        if is_last {
            taken.by_key.remove(&self.key);
            // A flood must not leave its room behind. Shrinking only far below what is kept makes it rare.
            let kept = taken.by_key.capacity();
            if kept > 1024 && taken.by_key.len() < kept / 8 {
                taken.by_key.shrink_to_fit();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_gets_its_share_and_all_together_no_more_than_there_are() {
        let places = Places::new(3, 2);
        let first = places.take("a");
        let second = places.take("a");
        assert!(first.is_some() && second.is_some());
        assert!(places.take("a").is_none(), "the share of one key");
        let third = places.take("b");
        assert!(third.is_some());
        assert!(places.take("c").is_none(), "all places");
        drop(first);
        assert!(places.take("a").is_some(), "a place came back and was given back again");
        drop((second, third));
        assert!(places.held.taken().by_key.is_empty());
        assert_eq!(places.held.taken().total, 0);
    }
}
