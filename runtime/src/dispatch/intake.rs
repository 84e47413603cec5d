//! Creates the lanes of breakers, before a dispatcher runs and while it runs.

use crate::breaker::name::BreakerName;
use crate::clock::Clock;
use crate::dispatch::durable::{DurableState, StateStore};
use crate::dispatch::jobs::Jobs;
use crate::dispatch::lane::Lane;
use crate::dispatch::mailbox::Mailbox;
use crate::dispatch::outbox::Outbox;
use crate::dispatch::persister::StatePersister;
use crate::incidents::alert::AlertSink;
use crate::sync::{Arc, Mutex, lock};

/// The lanes of a dispatcher, to which more can be added.
#[derive(Debug)]
pub(crate) struct Intake {
    clock: Arc<dyn Clock>,
    seed: u64,
    taken: Mutex<Taken>,
    /// One per lane, and one per mailbox.
    pub(super) deliveries: Jobs,
    /// One per breaker with a store.
    pub(super) saves: Jobs,
}

#[derive(Debug, Default)]
struct Taken {
    mailboxes: Vec<Arc<Mailbox>>,
    persisters: Vec<StatePersister>,
    /// The number of lanes, which is the offset of the next lane's seed.
    lanes: u64,
}

impl Intake {
    pub(super) fn new(clock: Arc<dyn Clock>, seed: u64) -> Self {
        Self { clock, seed, taken: Mutex::default(), deliveries: Jobs::default(), saves: Jobs::default() }
    }

    /// Creates the lanes of a breaker, or of the member `key` of a family, from its stored state.
    pub(crate) fn outbox(
        &self,
        breaker: &BreakerName,
        key: Option<Arc<str>>,
        sinks: &[Arc<dyn AlertSink>],
        store: Option<Arc<dyn StateStore>>,
        kept: Option<&DurableState>,
    ) -> Outbox {
        let kept = kept.filter(|state| {
            let is_ours = state.breaker == *breaker;
            if !is_ours {
                tracing::error!(
                    breaker = breaker.as_str(),
                    of = state.breaker.as_str(),
                    "the saved state belongs to another breaker"
                );
            }
            is_ours
        });
        let mailbox = Arc::new(Mailbox::new(breaker.clone(), key, sinks, store.is_some(), kept));
        let mut taken = lock(&self.taken);
        taken.mailboxes.push(mailbox.clone());
        for lane in Lane::all(&mailbox, sinks, &self.clock) {
            self.deliveries.push(Box::pin(lane.run(self.seed.wrapping_add(taken.lanes))));
            taken.lanes += 1;
        }
        // A breaker without sinks has no lane; its state is saved until its supervisor ends.
        let open = mailbox.clone();
        self.deliveries.push(Box::pin(async move { open.closed().await }));
        if let Some(store) = store {
            let persister = StatePersister::new(mailbox.clone(), store, self.clock.clone());
            self.saves.push(Box::pin(persister.clone().run(self.seed)));
            taken.persisters.push(persister);
        }
        drop(taken);
        Outbox::new(mailbox)
    }

    /// Ends the lanes of a member, whose counts go on in those of its family, and frees them. They must be idle.
    pub(crate) fn retire(&self, outbox: &Outbox, family: &BreakerName) {
        let mailbox = outbox.mailbox();
        let taken = lock(&self.taken);
        let of_family = |other: &&Arc<Mailbox>| other.breaker == *family && other.key.is_none();
        if let Some(family) = taken.mailboxes.iter().find(of_family) {
            family.absorb(mailbox);
        }
        drop(taken);
        self.remove(outbox);
    }

    /// Ends lanes, which must be idle, and frees them.
    pub(crate) fn remove(&self, outbox: &Outbox) {
        let mailbox = outbox.mailbox();
        mailbox.retire();
        let mut taken = lock(&self.taken);
        taken.mailboxes.retain(|other| !Arc::ptr_eq(other, mailbox));
        taken.persisters.retain(|persister| !persister.is_of(mailbox));
    }

    /// Declares that no more breakers will be added.
    pub(crate) fn close(&self) {
        self.deliveries.close();
    }

    pub(super) fn mailboxes(&self) -> Vec<Arc<Mailbox>> {
        lock(&self.taken).mailboxes.clone()
    }

    pub(super) fn persisters(&self) -> Vec<StatePersister> {
        lock(&self.taken).persisters.clone()
    }
}
