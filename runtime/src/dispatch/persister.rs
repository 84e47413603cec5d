//! Saves the durable state of one breaker whenever it has changed.

use std::io;
use std::panic::AssertUnwindSafe;

use futures_lite::{FutureExt as _, future};

use crate::clock::Clock;
use crate::dispatch::durable::StateStore;
use crate::dispatch::mailbox::Mailbox;
use crate::dispatch::retry_backoff::Backoff;
use crate::sync::Arc;

/// The only writer of a breaker's state. One save covers all changes made during the save before it.
#[derive(Debug, Clone)]
pub(super) struct StatePersister {
    mailbox: Arc<Mailbox>,
    store: Arc<dyn StateStore>,
    clock: Arc<dyn Clock>,
}

impl StatePersister {
    pub(super) fn new(mailbox: Arc<Mailbox>, store: Arc<dyn StateStore>, clock: Arc<dyn Clock>) -> Self {
        Self { mailbox, store, clock }
    }

    pub(super) fn is_of(&self, mailbox: &Arc<Mailbox>) -> bool {
        Arc::ptr_eq(&self.mailbox, mailbox)
    }

    /// Saves every change, until the mailbox is retired. After a failure it tries again with the next change, or after a wait.
    pub(super) async fn run(self, seed: u64) {
        let mut backoff = Backoff::new(seed);
        let mut again_at = None;
        loop {
            let changed = self.mailbox.listen();
            if self.mailbox.is_retired() {
                return;
            }
            let now = self.clock.now();
            if self.mailbox.has_unsettled() || again_at.is_some_and(|at| now >= at) {
                if self.save().await {
                    backoff.reset();
                    again_at = None;
                } else {
                    again_at = Some(self.clock.now() + backoff.next());
                }
                continue;
            }
            match again_at {
                Some(at) => future::or(changed, self.clock.sleep_until(at)).await,
                None => changed.await,
            }
        }
    }

    /// Saves the remaining changes once. Later changes are lost.
    pub(super) async fn save_for_the_last_time(self) {
        if self.mailbox.has_unsaved() {
            self.save().await;
        }
    }

    async fn save(&self) -> bool {
        let (state, revision) = self.mailbox.durable(self.clock.system_time());
        // A store that panics must not stop the alerts. The call itself is inside the guard too: it may panic before it
        // returns its future.
        let saved = AssertUnwindSafe(async { self.store.save(&state).await }).catch_unwind().await;
        let saved = saved.unwrap_or_else(|_| Err(io::Error::other("the store panicked")));
        if let Err(error) = &saved {
            self.mailbox.not_saved(&error.to_string());
        }
        self.mailbox.settle(revision, saved.is_ok());
        saved.is_ok()
    }
}
