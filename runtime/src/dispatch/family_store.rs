//! One stored state for a family and its members that have incidents of their own.

use std::collections::BTreeMap;
use std::io;

use async_trait::async_trait;
use event_listener::Event as Notification;

use crate::dispatch::durable::{DurableState, StateStore};
use crate::sync::{Arc, Mutex, lock};

/// The states of a family and of its members, saved as one. Saves that are waiting while another one runs are done together.
#[derive(Debug)]
pub(crate) struct FamilyStore {
    store: Arc<dyn StateStore>,
    together: Mutex<Together>,
    has_saved: Notification,
}

#[derive(Debug, Default)]
struct Together {
    family: Option<DurableState>,
    members: BTreeMap<String, DurableState>,
    /// Increases with every state that is handed over.
    revision: u64,
    saved: u64,
    is_saving: bool,
}

/// The place of the family, or of one member, in the common state.
#[derive(Debug)]
struct Part {
    whole: Arc<FamilyStore>,
    key: Option<Arc<str>>,
}

/// The one save that runs. Another one may begin when it is dropped.
struct Turn<'a>(&'a FamilyStore);

impl FamilyStore {
    /// Goes on from the state that is stored.
    pub(crate) fn new(store: Arc<dyn StateStore>, kept: Option<&DurableState>) -> Arc<Self> {
        let members = kept.iter().flat_map(|kept| &kept.members);
        let members = members.filter_map(|member| Some((member.key.clone()?, member.clone()))).collect();
        let together = Together { family: kept.cloned(), members, ..Together::default() };
        Arc::new(Self { store, together: Mutex::new(together), has_saved: Notification::new() })
    }

    /// Returns the store of the family itself, or of the member `key`.
    pub(crate) fn part(self: &Arc<Self>, key: Option<Arc<str>>) -> Arc<dyn StateStore> {
        Arc::new(Part { whole: self.clone(), key })
    }

    /// Removes the state of a member. The next save is without it.
    pub(crate) fn forget(&self, key: &str) {
        lock(&self.together).members.remove(key);
    }

    fn set(&self, key: Option<&str>, state: &DurableState) -> u64 {
        let mut together = lock(&self.together);
        match key {
            Some(key) => drop(together.members.insert(key.to_owned(), state.clone())),
            None => together.family = Some(state.clone()),
        }
        together.revision += 1;
        together.revision
    }

    /// Takes the turn to save, and returns the whole state with its revision; `None` while another save runs.
    fn begin(&self, part: &DurableState) -> Option<(Turn<'_>, DurableState, u64)> {
        let mut together = lock(&self.together);
        if std::mem::replace(&mut together.is_saving, true) {
            return None;
        }
        let empty = || DurableState::empty(part.breaker.clone(), part.saved_at);
        let mut whole = together.family.clone().unwrap_or_else(empty);
        whole.saved_at = part.saved_at;
        whole.members = together.members.values().cloned().collect();
        Some((Turn(self), whole, together.revision))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        lock(&self.0.together).is_saving = false;
        self.0.has_saved.notify(usize::MAX);
    }
}

#[async_trait]
impl StateStore for Part {
    async fn save(&self, state: &DurableState) -> io::Result<()> {
        let revision = self.whole.set(self.key.as_deref(), state);
        loop {
            let has_saved = self.whole.has_saved.listen();
            if lock(&self.whole.together).saved >= revision {
                return Ok(());
            }
            let Some((turn, whole, of_whole)) = self.whole.begin(state) else {
                has_saved.await;
                continue;
            };
            self.whole.store.save(&whole).await?;
            lock(&self.whole.together).saved = of_whole;
            drop(turn);
        }
    }
}

#[cfg(all(test, not(tripline_loom)))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::SystemTime;

    use futures_lite::future;

    use super::*;

    /// Keeps every state that it is given. Fails or waits on request.
    #[derive(Debug, Default)]
    struct Recorder {
        saved: Mutex<Vec<DurableState>>,
        is_full: Mutex<bool>,
    }

    #[async_trait]
    impl StateStore for Recorder {
        async fn save(&self, state: &DurableState) -> io::Result<()> {
            future::yield_now().await;
            if *lock(&self.is_full) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            lock(&self.saved).push(state.clone());
            Ok(())
        }
    }

    fn state(key: Option<&str>, last_incident: u64) -> DurableState {
        let mut state = DurableState::empty("tenants".parse().unwrap(), SystemTime::UNIX_EPOCH);
        state.key = key.map(str::to_owned);
        state.staging.last_incident = last_incident;
        state
    }

    fn numbers(state: &DurableState) -> (u64, Vec<(&str, u64)>) {
        let member = |member: &'_ DurableState| member.staging.last_incident;
        let members = state.members.iter().map(|state| (state.key.as_deref().unwrap(), member(state)));
        (state.staging.last_incident, members.collect())
    }

    #[test]
    fn saves_that_wait_are_done_together_and_none_loses_another_member() {
        let store = Arc::new(Recorder::default());
        let mut kept = state(None, 7);
        kept.members = vec![state(Some("kept"), 3)];
        let whole = FamilyStore::new(store.clone(), Some(&kept));
        let parts: Vec<_> = ["a", "b", "c"].map(|key| (whole.part(Some(key.into())), state(Some(key), 1))).into();
        let mut saves: Vec<_> = parts.iter().map(|(part, state)| part.save(state)).collect();
        future::block_on(async {
            // All hand over before the first save ends.
            for save in &mut saves {
                assert!(future::poll_once(save.as_mut()).await.is_none());
            }
            for save in saves {
                save.await.unwrap();
            }
        });
        let saved = lock(&store.saved).clone();
        assert_eq!(saved.len(), 2, "the first, and one for all that waited");
        assert_eq!(numbers(saved.last().unwrap()), (7, vec![("a", 1), ("b", 1), ("c", 1), ("kept", 3)]));
        whole.forget("a");
        future::block_on(whole.part(None).save(&state(None, 8))).unwrap();
        let saved = lock(&store.saved).clone();
        assert_eq!(numbers(saved.last().unwrap()), (8, vec![("b", 1), ("c", 1), ("kept", 3)]));
    }

    #[test]
    fn a_save_that_fails_or_is_dropped_lets_the_next_one_begin() {
        let store = Arc::new(Recorder::default());
        let whole = FamilyStore::new(store.clone(), None);
        let (one, other) = (whole.part(Some("a".into())), whole.part(Some("b".into())));
        *lock(&store.is_full) = true;
        assert!(future::block_on(one.save(&state(Some("a"), 1))).is_err());
        *lock(&store.is_full) = false;
        let begun = state(Some("a"), 2);
        let mut dropped = one.save(&begun);
        assert!(future::block_on(future::poll_once(dropped.as_mut())).is_none());
        drop(dropped);
        future::block_on(other.save(&state(Some("b"), 1))).unwrap();
        assert_eq!(numbers(lock(&store.saved).last().unwrap()), (0, vec![("a", 2), ("b", 1)]));
    }
}
