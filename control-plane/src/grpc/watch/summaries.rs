//! The counts over a list, shared between those who watch the same list: one pass over the organization's devices a second at the
//! most, however many watch and however much moves.

use crate::grpc::status;
use kaliun_domain::device::Summary;
use kaliun_store::{AppStore, DeviceFilter, OrganizationScope};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tonic::Status;

/// Counts are read again this often at the most.
const PERIOD: Duration = Duration::from_secs(1);
/// Lists whose counts are remembered. More only means that some are read more often.
const LISTS_MAX: usize = 256;

/// The counts that were read last.
#[derive(Clone)]
pub(super) struct Summaries {
    store: AppStore,
    known: Arc<Mutex<HashMap<Key, Known>>>,
}

/// Counts are shared by those whose right reaches equally far.
type Key = (OrganizationScope, String);

#[derive(Clone, Copy)]
struct Known {
    summary: Summary,
    /// When the reading began: what was so then is in it.
    read_at: Instant,
}

/// What a watcher gets.
pub(super) struct Counted {
    pub(super) summary: Summary,
    /// When to ask again, if these counts were read before what was wanted.
    pub(super) due_at: Option<Instant>,
}

impl Summaries {
    pub(super) fn new(store: AppStore) -> Self {
        Self { store, known: Arc::default() }
    }

    /// The counts over a list, as they are at `wanted_at` or later; somewhat older where they were read just now.
    pub(super) async fn get(
        &self,
        scope: &OrganizationScope,
        filter: &DeviceFilter,
        wanted_at: Instant,
    ) -> Result<Counted, Status> {
        let key = (scope.clone(), format!("{filter:?}"));
        if let Some(known) = self.known(&key) {
            if known.read_at >= wanted_at {
                return Ok(Counted { summary: known.summary, due_at: None });
            }
            if known.read_at.elapsed() < PERIOD {
                return Ok(Counted { summary: known.summary, due_at: Some(known.read_at + PERIOD) });
            }
        }
        let read_at = Instant::now();
        let summary = self.store.device_summary(scope, filter).await.map_err(status::store)?;
        self.remember(key, Known { summary, read_at });
        Ok(Counted { summary, due_at: None })
    }

    fn known(&self, key: &Key) -> Option<Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied()
    }

    fn remember(&self, key: Key, known: Known) {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= LISTS_MAX {
            all.retain(|_, known| known.read_at.elapsed() < PERIOD);
        }
        if all.len() < LISTS_MAX {
            all.insert(key, known);
        }
    }
}
