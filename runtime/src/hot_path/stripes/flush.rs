//! Reads the records that wait, in the order in which their calls ended. For the owner of the core only.

use heapless::Vec;
use tripline_core::{Generation, Instant, Latency};

use super::good_call::{GoodCall, PackedCall, PackedToken};
use super::ring::{PLACES, PLACES_U64, Stripe};
use crate::hot_path::call_token::CallToken;
use crate::hot_path::in_flight::EpochMark;
use crate::hot_path::stripe_claims::MAX_STRIPES;
use crate::sync::{Ordering, fence};

/// Calls that were superseded: good ones, of the epoch with this mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Superseded {
    pub(crate) calls: u64,
    pub(crate) epoch: EpochMark,
}

/// What a flush finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flushed {
    Call(GoodCall),
    /// Before the later calls of the same stripe.
    Superseded(Superseded),
}

/// Passes the records of all rings to `handle`, in runs of one ring. What it leaves of a run is discarded.
pub(super) fn merge(rings: &[Stripe], current: Generation, mut handle: impl FnMut(&mut Run<'_, '_>)) {
    let mut pending = Vec::<Pending<'_>, MAX_STRIPES>::new();
    for records in rings.iter().filter_map(Pending::new) {
        // There are at most so many stripes.
        let _ = pending.push(records);
    }
    while let Some((earliest, until)) = earliest(&pending) {
        let Some(ring) = pending.get_mut(earliest) else { return };
        // A copy stays in registers during the run.
        let mut records = *ring;
        let mut run = Run { records: &mut records, until, current };
        handle(&mut run);
        run.for_each(drop);
        if records.is_empty() {
            // The order of the rest decides which of two calls that ended at the same nanosecond comes first.
            let _ = pending.remove(earliest);
        } else {
            *ring = records;
        }
    }
}

/// Returns the ring whose oldest record is the earliest, and until which end it is; `None` if no ring is left.
fn earliest(pending: &[Pending<'_>]) -> Option<(usize, Instant)> {
    let (mut earliest, mut first, mut second) = (None, Instant::MAX, Instant::MAX);
    for (index, end) in pending.iter().map(Pending::end).enumerate() {
        if earliest.is_none() || end < first {
            (earliest, second, first) = (Some(index), first, end);
        } else {
            second = second.min(end);
        }
    }
    Some((earliest?, second))
}

/// The records of one ring up to the oldest one of the others.
pub(crate) struct Run<'p, 'a> {
    records: &'p mut Pending<'a>,
    until: Instant,
    current: Generation,
}

impl Run<'_, '_> {
    /// Takes the next call if it has this token, ended before `end` and took at most `latency`.
    #[inline]
    pub(crate) fn next_call_if(
        &mut self,
        token: PackedToken,
        end: Instant,
        latency: Latency,
    ) -> Option<(Instant, Latency)> {
        let records = &mut *self.records;
        let call = records.next;
        let is_wanted = records.superseded == 0
            && !records.is_empty()
            && call.end() <= self.until
            && call.end() < end
            && call.latency() <= latency
            && call.has(token);
        is_wanted.then(|| {
            records.advance();
            (call.end(), call.latency())
        })
    }
}

impl Iterator for Run<'_, '_> {
    type Item = Flushed;

    fn next(&mut self) -> Option<Flushed> {
        let records = &mut *self.records;
        if records.superseded > 0 {
            return Some(Flushed::Superseded(records.take_superseded()));
        }
        if records.is_empty() || records.next.end() > self.until {
            return None;
        }
        let call = records.next.unpack(self.current);
        records.advance();
        Some(Flushed::Call(call))
    }
}

/// The records of one stripe that are not flushed yet.
#[derive(Clone, Copy)]
struct Pending<'a> {
    stripe: &'a Stripe,
    /// The oldest of them, and its place.
    next: PackedCall,
    place: usize,
    /// Its position, and the one after the last.
    head: u64,
    tail: u64,
    /// So many before it were superseded.
    superseded: u64,
}

impl<'a> Pending<'a> {
    fn new(stripe: &'a Stripe) -> Option<Self> {
        let (head, tail) = stripe.waiting()?;
        let place = place_of(head);
        let mut records = Self { stripe, next: PackedCall::default(), place, head, tail, superseded: 0 };
        records.read_head();
        Some(records)
    }

    fn is_empty(&self) -> bool {
        self.head == self.tail
    }

    /// When the oldest call ended. Superseded ones come first.
    fn end(&self) -> Instant {
        if self.superseded > 0 { Instant::ZERO } else { self.next.end() }
    }

    /// Goes on to the next record.
    #[inline]
    fn advance(&mut self) {
        self.head = self.head.wrapping_add(1);
        let next = self.place.wrapping_add(1);
        self.place = if next < PLACES { next } else { 0 };
        if self.is_empty() {
            self.end_flush();
        } else {
            self.read_head();
        }
    }

    /// Reads the record at the head, or the oldest one after it that was not superseded.
    #[inline]
    fn read_head(&mut self) {
        loop {
            self.next = self.stripe.read(self.place);
            // Acquire pairs with the Release fence in `supersede`: where the record was overwritten before it was read, the position
            // that announced it is seen.
            fence(Ordering::Acquire);
            // Acquire pairs with the Release of the writer, as in `waiting`.
            let tail = self.stripe.tail.load(Ordering::Acquire);
            let oldest = tail.div_ceil(2).wrapping_sub(PLACES_U64);
            let superseded = oldest.wrapping_sub(self.head);
            if superseded.cast_signed() <= 0 {
                return;
            }
            // Overtaken: the later records that superseded those belong to this flush too.
            self.superseded = self.superseded.wrapping_add(superseded);
            (self.head, self.tail, self.place) = (oldest, tail / 2, place_of(oldest));
        }
    }

    fn take_superseded(&mut self) -> Superseded {
        Superseded {
            calls: std::mem::take(&mut self.superseded),
            // Relaxed: acquired with the position; it stays while superseded records are not counted.
            epoch: CallToken::epoch_of_tracking(self.stripe.plain_tracking.load(Ordering::Relaxed)),
        }
    }

    fn end_flush(&self) {
        // Release pairs with the Acquire in `push`.
        self.stripe.head.store(self.tail, Ordering::Release);
    }
}

fn place_of(position: u64) -> usize {
    (position % PLACES_U64) as usize
}
