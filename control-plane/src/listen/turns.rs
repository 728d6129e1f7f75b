//! Turns at something that costs much: so many at once in all, and so many at once for each source, or whoever else it is that has a
//! share.
//!
//! Whoever does not get a turn at once waits for it. A source that is slow on purpose keeps its own turns busy and makes its own
//! connections wait; the other sources' turns stay free.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many turns there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TurnLimits {
    /// At once in all.
    pub(crate) in_all: usize,
    /// At once for one source.
    pub(crate) for_each: usize,
    /// Of one source, those that have a turn and those that wait for one.
    pub(crate) members_for_each: usize,
}

/// The turns.
#[derive(Clone)]
pub(crate) struct Turns<K: Eq + Hash> {
    shared: Arc<Shared<K>>,
}

struct Shared<K> {
    limits: TurnLimits,
    all: Arc<Semaphore>,
    sources: Mutex<HashMap<K, OfSource>>,
}

/// One source that is here now.
struct OfSource {
    turns: Arc<Semaphore>,
    /// Those of it that have a turn or wait for one. The last one takes the entry with it.
    members: usize,
}

/// A turn, over when it is dropped.
pub(crate) struct Turn<K: Eq + Hash> {
    _of_all: OwnedSemaphorePermit,
    _of_source: OwnedSemaphorePermit,
    _member: Member<K>,
}

/// Stands for one that waits or has its turn.
struct Member<K: Eq + Hash> {
    shared: Arc<Shared<K>>,
    source: K,
}

impl<K> Shared<K> {
    fn sources(&self) -> MutexGuard<'_, HashMap<K, OfSource>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Copy> Turns<K> {
    pub(crate) fn new(limits: TurnLimits) -> Self {
        let shared = Shared { limits, all: Arc::new(Semaphore::new(limits.in_all)), sources: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Waits for a turn. None when too many of this source wait already. The caller bounds the time.
    pub(crate) async fn take(&self, source: K) -> Option<Turn<K>> {
        let (member, turns) = self.join(source)?;
        // The source's own first: who waits for that must not hold up the others.
        let of_source = turns.acquire_owned().await.ok()?;
        let of_all = Arc::clone(&self.shared.all).acquire_owned().await.ok()?;
        Some(Turn { _of_all: of_all, _of_source: of_source, _member: member })
    }

    fn join(&self, source: K) -> Option<(Member<K>, Arc<Semaphore>)> {
        let limits = self.shared.limits;
        let mut sources = self.shared.sources();
        let of_source = sources
            .entry(source)
            .or_insert_with(|| OfSource { turns: Arc::new(Semaphore::new(limits.for_each)), members: 0 });
        if of_source.members >= limits.members_for_each {
            return None;
        }
        of_source.members += 1;
        Some((Member { shared: Arc::clone(&self.shared), source }, Arc::clone(&of_source.turns)))
    }
}

impl<K: Eq + Hash> Drop for Member<K> {
    fn drop(&mut self) {
        let mut sources = self.shared.sources();
        if let Some(of_source) = sources.get_mut(&self.source) {
            of_source.members = of_source.members.saturating_sub(1);
            if of_source.members == 0 {
                sources.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::net::IpAddr;

    fn turns() -> Turns<IpAddr> {
        Turns::new(TurnLimits { in_all: 3, for_each: 2, members_for_each: 4 })
    }

    fn source(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn a_source_that_holds_its_turns_makes_only_itself_wait() {
        let turns = turns();
        let mut first = turns.take(source(1)).now_or_never().flatten();
        let second = turns.take(source(1)).now_or_never().flatten();
        assert!(first.is_some() && second.is_some());
        let mut waiting = Box::pin(turns.take(source(1)));
        assert!(waiting.as_mut().now_or_never().is_none(), "a third one of the same source waits");
        assert!(turns.take(source(2)).now_or_never().flatten().is_some(), "another source does not");
        first.take();
        assert!(waiting.now_or_never().flatten().is_some(), "the turn that came back");
    }

    #[test]
    fn too_many_of_one_source_are_turned_away_and_nobody_is_remembered() {
        let turns = turns();
        let mut held: Vec<_> = (0..4).map(|_| Box::pin(turns.take(source(1)))).collect();
        let had: Vec<_> = held.iter_mut().map(|turn| turn.as_mut().now_or_never().flatten()).collect();
        assert_eq!(had.iter().flatten().count(), 2);
        assert!(turns.take(source(1)).now_or_never().is_some_and(|turn| turn.is_none()), "the fifth is turned away");
        drop(held);
        drop(had);
        assert!(turns.shared.sources().is_empty());
        assert_eq!(turns.shared.all.available_permits(), 3);
    }
}
