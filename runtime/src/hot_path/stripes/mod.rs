//! Rings in which good calls wait, so that threads that make good calls share nothing.
//!
//! A good call (fast, successful, of the generation in force) never opens a breaker, so it need not reach the core at once.
//! A thread claims a *stripe*: a ring of records on cache lines of its own. A good call appends its record there and is done.
//! The owner of the core flushes all stripes, in the order in which the calls ended, before anything else: a call that is slow
//! or failed, a reader, an operator, the supervisor's look, and a good call that finds its ring full. So the core takes the same
//! inputs in the same order as if each call had been handled at once, and decides the same.
//!
//! When good calls may wait is for the owner to say (`Shared::publish`): while the breaker is closed, until the instant at which
//! time itself could change something (the next look for stalled calls, the age of a sample or of a memory reading). Until that
//! instant the number of stalled calls changes by an owner only, which flushes first. So the number that the core holds when a
//! record is flushed is that of the time of the call, and the record need not carry it.
//!
//! # Superseded records
//!
//! While the core's fast path is open, a good call changes the window and a count, nothing else, and the window forgets it as
//! soon as as many calls came after it as it has places. A ring has more places than that, so a full ring whose records are all of
//! this kind (*plain*) takes the next one in place of its oldest: that one is *superseded*, and a flush counts it without having
//! read it. So a thread that makes good calls does not meet the core at all, until something else flushes. An owner that
//! flushes closes this first, so that the records stay while it reads them; one that is overwritten nevertheless, by a thread
//! that was just writing, is found by the position of the writer, and counts as superseded.
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
use crate::hot_path::stripes::good_call::PackedCall;
use crate::hot_path::stripes::waiting_rule::PublishedRule;
use crate::sync::{AtomicU32, AtomicU64, Ordering, fence};

mod flush;
mod good_call;
#[cfg(all(test, not(tripline_loom)))]
mod tests;
mod waiting_rule;

pub(crate) use flush::{Flushed, Run, Superseded};
pub(crate) use good_call::{GoodCall, PackedToken};
pub(crate) use waiting_rule::{Kind, WaitingRule};

/// Records that one stripe holds.
const PLACES: usize = if cfg!(tripline_loom) { 3 } else { 70 };
const PLACES_U64: u64 = PLACES as u64;
const PLACES_U32: u32 = PLACES as u32;

/// A window of at most so many calls forgets a record before its place is needed.
pub(crate) const MAX_WINDOW_OF_SUPERSEDED: usize = PLACES - 1;

/// The stripes of one breaker.
pub(crate) struct Stripes {
    rule: PublishedRule,
    pub(crate) claims: StripeClaims,
    rings: Box<[Stripe]>,
}

/// The ring of one thread.
#[repr(align(128))]
struct Stripe {
    /// Twice the position of the next record; one more while a record is overwritten.
    tail: AtomicU64,
    /// The position of the oldest record that was not flushed. Written by readers.
    head: AtomicU64,
    /// So many of the last records are plain, all with the [tracking](CallToken::tracking) below. Written by the writer, as the rest.
    plain: AtomicU32,
    plain_tracking: AtomicU32,
    /// The tracking of the records if the ring is full of plain ones, otherwise [`NOT_FULL`].
    full_tracking: AtomicU32,
    /// The place of the next record: its position modulo [`PLACES`], or [`PLACES`] for the first place.
    next_place: AtomicU32,
    places: [Place; PLACES],
}

struct Place([AtomicU64; 2]);

/// No [tracking](CallToken::tracking).
const NOT_FULL: u32 = u32::MAX;

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
    /// before them. For the owner of the core only. `current` is the generation in force.
    #[inline(never)]
    pub(crate) fn flush(&self, current: Generation, handle: impl FnMut(Run<'_, '_>)) {
        self.rule.keep_records();
        flush::merge(&self.rings, current, handle);
    }
}

impl Stripe {
    fn new() -> Self {
        Self {
            tail: AtomicU64::new(0),
            head: AtomicU64::new(0),
            plain: AtomicU32::new(0),
            plain_tracking: AtomicU32::new(0),
            full_tracking: AtomicU32::new(NOT_FULL),
            next_place: AtomicU32::new(0),
            places: std::array::from_fn(|_| Place([AtomicU64::new(0), AtomicU64::new(0)])),
        }
    }

    /// Writes a plain record in place of the oldest one, if the ring is full of plain records of its epoch, whether they were flushed
    /// or not.
    // Relaxed, here and below, for what the writer alone writes: written by this thread, or by one before it with the same number, whose
    // writes this one acquired.
    #[inline]
    fn supersede(&self, call: GoodCall) -> bool {
        if self.full_tracking.load(Ordering::Relaxed) != call.token.tracking() {
            return false;
        }
        let tail = self.tail.load(Ordering::Relaxed);
        // Release, as for the records before: `Pending::read_head` goes on to them when it finds this. The Release fence pairs with the
        // Acquire fence there.
        self.tail.store(tail | 1, Ordering::Release);
        fence(Ordering::Release);
        self.write(tail, call);
        true
    }

    /// Appends a record, if there is room.
    fn push(&self, call: GoodCall, kind: Kind) -> bool {
        let tail = self.tail.load(Ordering::Relaxed);
        // Acquire pairs with the Release in `Pending::read_head`: the places before it were read.
        if (tail / 2).wrapping_sub(self.head.load(Ordering::Acquire)) >= PLACES_U64 {
            return false;
        }
        self.count_plain(call.token.tracking(), kind);
        self.write(tail, call);
        true
    }

    /// Counts the plain records at the end of the ring, before one is appended.
    fn count_plain(&self, tracking: u32, kind: Kind) {
        let continues = kind == Kind::Plain && self.plain_tracking.load(Ordering::Relaxed) == tracking;
        let before = if continues { self.plain.load(Ordering::Relaxed) } else { 0 };
        let plain = if kind == Kind::Plain { before.saturating_add(1).min(PLACES_U32) } else { 0 };
        self.plain.store(plain, Ordering::Relaxed);
        // No superseded record is uncounted, so the epoch may change.
        self.plain_tracking.store(tracking, Ordering::Relaxed);
        self.full_tracking.store(if plain == PLACES_U32 { tracking } else { NOT_FULL }, Ordering::Relaxed);
    }

    /// Writes the next record; `tail` is twice its position.
    #[inline]
    fn write(&self, tail: u64, call: GoodCall) {
        let next = self.next_place.load(Ordering::Relaxed);
        let place = if next < PLACES_U32 { next } else { 0 };
        if let Some(Place(words)) = self.places.get(place as usize) {
            let PackedCall([first, second]) = call.pack();
            // Relaxed: published by the store of the position.
            words[0].store(first, Ordering::Relaxed);
            words[1].store(second, Ordering::Relaxed);
        }
        self.next_place.store(place.wrapping_add(1), Ordering::Relaxed);
        // Release pairs with the Acquire in `waiting` and `Pending::read_head`.
        self.tail.store(tail.wrapping_add(2), Ordering::Release);
    }

    /// The positions of the oldest record that waits, and the one after the last.
    #[inline]
    fn waiting(&self) -> Option<(u64, u64)> {
        // Acquire pairs with the Release of the writer in `push`.
        let tail = self.tail.load(Ordering::Acquire) / 2;
        // Relaxed: only owners of the core write it, one after the other.
        let head = self.head.load(Ordering::Relaxed);
        (head != tail).then_some((head, tail))
    }
}

impl fmt::Debug for Stripes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripes").field("count", &self.rings.len()).finish_non_exhaustive()
    }
}
