//! One publisher for each circuit that is read or recorded.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tripline_runtime::{BreakerName, Clock, SystemClock};

use super::publisher::Publisher;
use super::rows::RowCache;
use crate::api::scope::LiveHandle;
use crate::api::spawner::Spawner;
use crate::circuit::{Circuit, CircuitChange, Circuits};

/// The publishers by name of the circuit, and the figures of all circuits. Clones share the same.
#[derive(Debug, Clone)]
pub(in crate::api) struct Publishers {
    clock: Arc<dyn Clock>,
    spawner: Spawner,
    by_name: Arc<Mutex<BTreeMap<BreakerName, Entry>>>,
    rows: Arc<RowCache>,
    /// That recording of circuits that come and go was begun.
    following: Arc<OnceLock<LiveHandle>>,
}

#[derive(Debug)]
struct Entry {
    circuit: Circuit,
    publisher: Arc<Publisher>,
}

impl Publishers {
    /// Those that record on `spawner`, by `clock`.
    pub(in crate::api) fn new(clock: Arc<dyn Clock>, spawner: Spawner) -> Self {
        let rows = Arc::new(RowCache::new(clock.clone()));
        Self { clock, spawner, by_name: Arc::default(), rows, following: Arc::default() }
    }

    /// The clock of everything that is published.
    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Records the events of `circuit` from now on, also while there is no reader.
    pub(in crate::api) fn record(&self, circuit: &Circuit, live: &LiveHandle) {
        self.of(circuit, live);
    }

    /// Records the events of all circuits from now on, also of those that come later, until they go.
    pub(in crate::api) fn record_all(&self, circuits: &Circuits, live: &LiveHandle) {
        if self.following.set(live.clone()).is_ok() {
            let (clock, spawner) = (self.clock.clone(), self.spawner.clone());
            let parts = (Arc::downgrade(&self.by_name), Arc::downgrade(&self.rows), Arc::downgrade(&self.following));
            circuits.follow(move |change| {
                // Until the API is dropped.
                let (Some(by_name), Some(rows), Some(following)) =
                    (parts.0.upgrade(), parts.1.upgrade(), parts.2.upgrade())
                else {
                    return;
                };
                let all = Self { clock: clock.clone(), spawner: spawner.clone(), by_name, rows, following };
                all.circuit_changed(change);
            });
        }
        circuits.iter().for_each(|circuit| self.record(&circuit, live));
    }

    fn circuit_changed(&self, change: CircuitChange<'_>) {
        match (change, self.following.get()) {
            (CircuitChange::Inserted(circuit), Some(live)) => self.record(circuit, live),
            (CircuitChange::Removed(circuit), _) => {
                let gone = self.lock().remove(circuit.name());
                // Without the lock: it may end a task.
                drop(gone);
            }
            (CircuitChange::Inserted(_), None) => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<BreakerName, Entry>> {
        // Nothing can panic while it holds the lock.
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The figures of all circuits.
    pub(super) fn rows(&self) -> &RowCache {
        &self.rows
    }

    /// The publisher of `circuit`, which records from now on. Another circuit of the same name replaces the earlier one.
    pub(super) fn of(&self, circuit: &Circuit, live: &LiveHandle) -> Arc<Publisher> {
        let mut by_name = self.lock();
        let known = by_name.get(circuit.name()).filter(|entry| entry.circuit.is_same(circuit));
        let publisher = known.map(|entry| entry.publisher.clone());
        let publisher = publisher.unwrap_or_else(|| {
            let publisher = Arc::new(Publisher::new(circuit.clone(), live.clone(), self.clock.clone()));
            let entry = Entry { circuit: circuit.clone(), publisher: publisher.clone() };
            by_name.insert(circuit.name().clone(), entry);
            publisher
        });
        publisher.start(&self.spawner);
        if tripline_runtime::core::planted::planted("events: a task of each reader stays") {
            self.spawner.spawn(std::future::pending());
        }
        publisher
    }
}

impl Default for Publishers {
    fn default() -> Self {
        Self::new(Arc::new(SystemClock::new()), Spawner::smol())
    }
}
