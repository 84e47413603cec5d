//! Buffers in which good calls wait, so that threads that make good calls share nothing.
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
//! A ring has one writer, the thread that claimed the stripe (`stripe_claims.rs`), and one reader at a time, the owner of the core.
//! The writer publishes a record by a store with Release of the position of the next one: recording has no locked instruction.
//! Nothing waits: the reader takes what is published, and a record that is still being written belongs to a call that has not
//! finished.

use std::fmt;

use heapless::Vec;
use tripline_core::{Generation, Instant, Latency};

use crate::hot_path::call_token::CallToken;
use crate::hot_path::in_flight::EpochMark;
use crate::hot_path::stripe_claims::{MAX_STRIPES, StripeCount};
use crate::sync::{AtomicU64, Ordering};

/// Records that one stripe holds.
const RECORDS_PER_STRIPE: usize = if cfg!(tripline_loom) { 2 } else { 64 };
const _: () = assert!(RECORDS_PER_STRIPE.is_power_of_two(), "a position's slot is its low bits");

/// A good call that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GoodCall {
    pub(crate) token: CallToken,
    /// Before [`GoodCall::END_LIMIT`].
    pub(crate) end: Instant,
    pub(crate) latency: Latency,
}

/// The stripes of one breaker.
pub(crate) struct Stripes {
    stripes: Box<[Stripe]>,
}

/// The ring of one thread.
#[repr(align(128))]
struct Stripe {
    /// The position of the next record.
    tail: AtomicU64,
    /// The position of the oldest record that waits.
    head: AtomicU64,
    slots: [Slot; RECORDS_PER_STRIPE],
}

struct Slot([AtomicU64; 2]);

/// The records of one stripe that are not flushed yet.
struct Pending<'a> {
    stripe: &'a Stripe,
    head: u64,
    tail: u64,
    /// When the oldest of them ended.
    end: u64,
}

impl Stripes {
    #[cfg(all(test, not(tripline_loom)))]
    pub(crate) const STRIPE_BYTES: usize = size_of::<Stripe>();

    /// A single stripe is none: each call goes to the core.
    pub(crate) fn new(count: StripeCount) -> Self {
        let count = if count == StripeCount::ONE { 0 } else { count.get() };
        Self { stripes: std::iter::repeat_with(Stripe::new).take(count).collect() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.stripes.is_empty()
    }

    /// Appends a record to the stripe that this thread claimed; false, without effect, if there is no room.
    #[inline]
    #[must_use]
    pub(crate) fn push(&self, index: usize, call: GoodCall) -> bool {
        self.stripes.get(index).is_some_and(|stripe| stripe.push(call))
    }

    /// How many records wait.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> u64 {
        self.stripes.iter().filter_map(Stripe::pending).map(|records| records.tail - records.head).sum()
    }

    /// Takes all records that were published before this, in the order in which the calls ended. For the owner of the core only.
    /// `current` is the generation in force.
    #[inline]
    pub(crate) fn flush(&self, current: Generation, handle: impl FnMut(GoodCall)) {
        if !self.stripes.iter().all(Stripe::is_empty) {
            self.flush_waiting(current, handle);
        }
    }

    #[inline(never)] // keeps the look at empty stripes small
    fn flush_waiting(&self, current: Generation, mut handle: impl FnMut(GoodCall)) {
        let mut pending = Vec::<Pending<'_>, MAX_STRIPES>::new();
        for stripe in &self.stripes {
            if let Some(records) = stripe.pending() {
                // There are at most so many stripes.
                let _ = pending.push(records);
            }
        }
        while !pending.is_empty() {
            flush_earliest(&mut pending, current, &mut handle);
        }
    }
}

/// Flushes the stripe whose oldest record is the earliest, as long as it is.
fn flush_earliest(pending: &mut Vec<Pending<'_>, MAX_STRIPES>, current: Generation, handle: &mut impl FnMut(GoodCall)) {
    let (mut earliest, mut first, mut second) = (0, u64::MAX, u64::MAX);
    for (index, records) in pending.iter().enumerate() {
        if records.end < first {
            (earliest, second, first) = (index, first, records.end);
        } else {
            second = second.min(records.end);
        }
    }
    let Some(records) = pending.get_mut(earliest) else { return };
    while records.end <= second {
        handle(records.stripe.read(records.head, current));
        records.head = records.head.wrapping_add(1);
        if records.head == records.tail {
            records.stripe.release(records.head);
            // The order of the rest decides which of two calls that ended at the same nanosecond comes first.
            let _ = pending.remove(earliest);
            return;
        }
        records.end = records.stripe.end(records.head);
    }
}

impl Stripe {
    fn new() -> Self {
        Self {
            tail: AtomicU64::new(0),
            head: AtomicU64::new(0),
            slots: std::array::from_fn(|_| Slot([AtomicU64::new(0), AtomicU64::new(0)])),
        }
    }

    #[inline]
    fn push(&self, call: GoodCall) -> bool {
        // Relaxed: written by this thread, or by one before it with the same number, whose writes this one acquired.
        let tail = self.tail.load(Ordering::Relaxed);
        // Acquire pairs with the Release in `release`: the slots before it were read.
        let head = self.head.load(Ordering::Acquire);
        if tail.wrapping_sub(head) >= RECORDS_PER_STRIPE as u64 {
            return false;
        }
        let [first, second] = call.pack();
        let Slot(words) = self.slot(tail);
        // Relaxed: published by the store below.
        words[0].store(first, Ordering::Relaxed);
        words[1].store(second, Ordering::Relaxed);
        // Release pairs with the Acquire in `pending`.
        self.tail.store(tail.wrapping_add(1), Ordering::Release);
        true
    }

    #[inline]
    fn pending(&self) -> Option<Pending<'_>> {
        // Acquire pairs with the Release of the writer in `push`.
        let tail = self.tail.load(Ordering::Acquire);
        // Relaxed: only owners of the core write it, one after the other.
        let head = self.head.load(Ordering::Relaxed);
        (head != tail).then(|| Pending { stripe: self, head, tail, end: self.end(head) })
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.pending().is_none()
    }

    fn end(&self, position: u64) -> u64 {
        // Relaxed, as below: acquired in `pending`.
        self.slot(position).0[0].load(Ordering::Relaxed) >> GENERATION_LOW_BITS
    }

    fn read(&self, position: u64, current: Generation) -> GoodCall {
        let Slot(words) = self.slot(position);
        GoodCall::unpack([words[0].load(Ordering::Relaxed), words[1].load(Ordering::Relaxed)], current)
    }

    fn release(&self, head: u64) {
        // Release pairs with the Acquire in `push`.
        self.head.store(head, Ordering::Release);
    }

    #[inline]
    fn slot(&self, position: u64) -> &Slot {
        &self.slots[position as usize & (RECORDS_PER_STRIPE - 1)]
    }
}

/// A record's first word: 56 bits of the end in nanoseconds, the lowest 8 of the generation. Its second: 32 bits of latency in
/// microseconds, 24 of the epoch, whether the call is tracked, 7 more of the generation.
const GENERATION_LOW_BITS: u32 = 8;
const GENERATION_LOW_MASK: u32 = 0xFF;
const GENERATION_HIGH_MASK: u32 = 0x7F;
const GENERATION_MASK: u32 = GENERATION_HIGH_MASK << GENERATION_LOW_BITS | GENERATION_LOW_MASK;
const TRACKED: u64 = 1 << 7;
const EPOCH_SHIFT: u32 = 8;
const LATENCY_SHIFT: u32 = 32;

impl GoodCall {
    /// Ends from here on do not fit into a record: 2.28 years.
    pub(crate) const END_LIMIT: Instant = Instant::from_nanos(1 << (u64::BITS - GENERATION_LOW_BITS));

    #[inline]
    fn pack(self) -> [u64; 2] {
        let generation = self.token.generation().get();
        let high = generation >> GENERATION_LOW_BITS & GENERATION_HIGH_MASK;
        let epoch = self.token.epoch().map_or(0, |epoch| TRACKED | epoch.get() << EPOCH_SHIFT);
        [
            self.end.as_nanos() << GENERATION_LOW_BITS | u64::from(generation & GENERATION_LOW_MASK),
            u64::from(self.latency.as_micros()) << LATENCY_SHIFT | epoch | u64::from(high),
        ]
    }

    /// The generation is the current one or a past one. A thread would have to be descheduled in the middle of `push` for 32,768
    /// transitions to be taken for one of this generation.
    #[inline]
    fn unpack([first, second]: [u64; 2], current: Generation) -> Self {
        let bits = (second as u32 & GENERATION_HIGH_MASK) << GENERATION_LOW_BITS | first as u32 & GENERATION_LOW_MASK;
        let is_current = bits == current.get() & GENERATION_MASK;
        let generation = if is_current { current } else { Generation::new(current.get().wrapping_sub(1)) };
        Self {
            token: if second & TRACKED == 0 {
                CallToken::untracked(generation)
            } else {
                CallToken::tracked(generation, EpochMark::new(second >> EPOCH_SHIFT))
            },
            end: Instant::from_nanos(first >> GENERATION_LOW_BITS),
            latency: Latency::from_micros((second >> LATENCY_SHIFT) as u32),
        }
    }
}

impl fmt::Debug for Stripes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripes").field("count", &self.stripes.len()).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(tripline_loom)))]
mod tests;
