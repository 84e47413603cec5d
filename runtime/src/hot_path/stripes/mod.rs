//! Rings in which good calls wait, so that threads that make good calls share nothing.
//!
//! A good call (fast, successful, of the generation in force) never opens a breaker, so it need not reach the core at once.
//! A thread claims a *stripe*: a ring of records on cache lines of its own. A good call appends its record there and is done.
//! The owner of the core flushes all stripes, in the order in which the calls ended, before anything else: a call that is slow
//! or failed, a reader, an operator, the supervisor's look, and a good call that finds its ring full. So the core takes the same
//! inputs in the same order as if each call had been handled at once, and decides the same.
//!
//! The owner publishes when good calls may wait (`Shared::publish`): while the breaker is closed, until the instant at which
//! time itself could change something (the next look for stalled calls, the age of a sample or of a memory reading). Until that
//! instant the number of stalled calls changes by an owner only, which flushes first. So the number that the core holds when a
//! record is flushed is that of the time of the call, and the record need not carry it.
//!
//! # Superseded records
//!
//! While no sum of evidence has been high lately, a good call changes the window and counts, nothing else (see
//! `Breaker::superseded_until` of the core). The window forgets the call when as many calls have followed as it has places. A
//! ring has more places than that. So a full ring whose records are all of this kind (*plain*) takes the next one in place of
//! its oldest: that one is *superseded*, and a flush counts it without having read it. A thread that makes good calls does not
//! meet the core at all, until something else flushes. An owner that flushes closes this first, so that the records stay while
//! it reads them; one that is overwritten nevertheless, by a thread that was just writing, is found by the position of the
//! writer, and counts as superseded.
//!
//! # Concurrency
//!
//! A ring has one writer, the thread that claimed the stripe (`stripe_claims.rs`), and one reader at a time, the owner of the core.
//! The writer publishes a record by a store with Release of the position of the next one: recording has no locked instruction.
//! Nothing waits: the reader takes what is published, and a record that is still being written belongs to a call that has not
//! finished.

use std::fmt;

use tripline_core::{Generation, Instant, Latency};

use crate::hot_path::call_token::CallToken;
use crate::hot_path::stripe_claims::{StripeClaims, StripeCount};
use crate::hot_path::stripes::ring::{PLACES, Stripe};
use crate::hot_path::stripes::waiting_rule::PublishedRule;

mod flush;
mod good_call;
mod ring;
#[cfg(all(test, not(tripline_loom)))]
mod tests;
mod waiting_rule;

pub(crate) use flush::{Flushed, Run, Superseded};
pub(crate) use good_call::{GoodCall, PackedToken};
pub(crate) use waiting_rule::{Kind, WaitingRule};

/// A window of at most so many calls forgets a record before its place is needed.
pub(crate) const MAX_WINDOW_OF_SUPERSEDED: usize = PLACES - 1;

/// The stripes of one breaker.
pub(crate) struct Stripes {
    rule: PublishedRule,
    pub(crate) claims: StripeClaims,
    rings: Box<[Stripe]>,
}

impl Stripes {
    #[cfg(all(test, not(tripline_loom)))]
    pub(crate) const STRIPE_BYTES: usize = size_of::<Stripe>();

    /// `None` for a single one: there each call goes to the core.
    pub(crate) fn new(count: StripeCount, claims_after: u8) -> Option<Box<Self>> {
        (count != StripeCount::ONE).then(|| {
            Box::new(Self {
                rule: PublishedRule::new(),
                claims: StripeClaims::new(count, claims_after),
                rings: std::iter::repeat_with(Stripe::new).take(count.get()).collect(),
            })
        })
    }

    /// Returns how a successful call may wait; `None` if it may not. If it may, the breaker is closed. A call of an earlier generation
    /// may wait too.
    pub(crate) fn kind(&self, token: CallToken, end: Instant, latency: Latency) -> Option<Kind> {
        self.rule.kind(token, end, latency)
    }

    /// Writes a successful call in place of the oldest record of the stripe that this thread claimed. Returns false, without effect,
    /// if the call is not plain or the ring is not full of plain records.
    #[inline]
    #[must_use]
    pub(crate) fn supersede(&self, index: usize, call: GoodCall) -> bool {
        self.rule.is_plain(call.token, call.end, call.latency)
            && self.rings.get(index).is_some_and(|stripe| stripe.supersede(call))
    }

    /// Appends a successful call to the stripe that this thread claimed. Returns false, without effect, if it may not wait or there
    /// is no room.
    #[must_use]
    pub(crate) fn append(&self, index: usize, call: GoodCall) -> bool {
        let Some(kind) = self.rule.kind(call.token, call.end, call.latency) else { return false };
        self.rings.get(index).is_some_and(|stripe| stripe.push(call, kind))
    }

    /// Publishes which calls may wait. For the owner of the core only.
    #[inline]
    pub(crate) fn publish(&self, rule: WaitingRule) {
        self.rule.publish(rule);
    }

    /// Whether records wait.
    #[inline]
    pub(crate) fn any_waits(&self) -> bool {
        self.rings.iter().any(|stripe| stripe.waiting().is_some())
    }

    /// Records a call, whatever the rule says.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn push(&self, index: usize, call: GoodCall, kind: Kind) -> bool {
        let stripe = &self.rings[index];
        kind == Kind::Plain && stripe.supersede(call) || stripe.push(call, kind)
    }

    /// How many records wait, superseded ones too.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> u64 {
        self.rings.iter().filter_map(Stripe::waiting).map(|(head, tail)| tail - head).sum()
    }

    /// Takes all records that were published before this, in the order in which the calls ended, and those that were superseded
    /// before them. What `handle` leaves of a run is discarded. For the owner of the core only. `current` is the generation in force.
    #[inline(never)]
    pub(crate) fn flush(&self, current: Generation, handle: impl FnMut(&mut Run<'_, '_>)) {
        self.rule.keep_records();
        flush::merge(&self.rings, current, handle);
    }
}

impl fmt::Debug for Stripes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripes").field("count", &self.rings.len()).finish_non_exhaustive()
    }
}
