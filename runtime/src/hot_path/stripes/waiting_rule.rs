//! Which good calls may wait, as the owner of the core publishes it.

use tripline_core::{Instant, Latency};

use crate::hot_path::call_token::CallToken;
use crate::sync::{AtomicU64, Ordering};

/// Until when good calls may wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WaitingRule {
    /// Good calls that end before this instant may wait.
    pub(crate) until: Instant,
    /// A call that took longer is slow.
    pub(crate) good_up_to: Latency,
    /// Good calls that end before this instant and have this token change the window and counts only.
    pub(crate) plain_until: Instant,
    pub(crate) plain_token: CallToken,
}

/// How a good call may be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It changes the window and counts, nothing else.
    Plain,
    Other,
}

/// The rule in force, on a cache line of its own, which every call reads.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct PublishedRule {
    until_nanos: AtomicU64,
    good_up_to_micros: AtomicU64,
    plain_until_nanos: AtomicU64,
    plain_token: AtomicU64,
}

impl PublishedRule {
    /// No call may wait.
    pub(super) fn new() -> Self {
        Self {
            until_nanos: AtomicU64::new(0),
            good_up_to_micros: AtomicU64::new(0),
            plain_until_nanos: AtomicU64::new(0),
            plain_token: AtomicU64::new(0),
        }
    }

    /// Returns how a successful call may wait; `None` if it may not.
    pub(super) fn kind(&self, token: CallToken, end: Instant, latency: Latency) -> Option<Kind> {
        if self.is_plain(token, end, latency) {
            return Some(Kind::Plain);
        }
        let may_wait = self.is_good(latency) && end.as_nanos() < self.until_nanos.load(Ordering::Relaxed);
        may_wait.then_some(Kind::Other)
    }

    /// Whether a successful call may wait and is plain.
    #[inline]
    pub(super) fn is_plain(&self, token: CallToken, end: Instant, latency: Latency) -> bool {
        self.is_good(latency)
            && end.as_nanos() < self.plain_until_nanos.load(Ordering::Relaxed)
            && token.word() == self.plain_token.load(Ordering::Relaxed)
    }

    #[inline]
    fn is_good(&self, latency: Latency) -> bool {
        // Relaxed, as for the rest of the rule: stored before the gate's word that was acquired when the call was admitted. An
        // outdated value lets a call wait that ends while the owner makes the change, as if it had ended before.
        u64::from(latency.as_micros()) <= self.good_up_to_micros.load(Ordering::Relaxed)
    }

    /// Publishes the rule, as far as it has changed.
    #[inline]
    pub(super) fn publish(&self, rule: WaitingRule) {
        if rule.until > Instant::ZERO {
            store_if_changed(&self.good_up_to_micros, rule.good_up_to.as_micros().into());
            store_if_changed(&self.plain_token, rule.plain_token.word());
        }
        store_if_changed(&self.plain_until_nanos, rule.plain_until.as_nanos());
        store_if_changed(&self.until_nanos, rule.until.as_nanos());
    }

    /// From now on records are not overwritten, until the next [`PublishedRule::publish`].
    #[inline]
    pub(super) fn keep_records(&self) {
        store_if_changed(&self.plain_until_nanos, 0);
    }
}

/// A store only where it changes something leaves the cache line with those who read it.
#[inline]
fn store_if_changed(word: &AtomicU64, value: u64) {
    // Relaxed: written by owners of the core only, one after the other; read for itself.
    if word.load(Ordering::Relaxed) != value {
        word.store(value, Ordering::Relaxed);
    }
}
