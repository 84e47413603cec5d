//! A ticket lock with flat combining: gives the core to one owner at a time. A thread that leaves a record never waits
//! for a descheduled owner.
//!
//! A thread that wants the core takes a *ticket*. One word counts the tickets issued and the tickets served; equal
//! halves mean that the core is free. The thread that takes a ticket while it is free is the owner. Every other thread
//! has a slot in a ring, selected by its ticket number: a recorder publishes its record there and returns. The owner
//! does its own work, counts its ticket as served, and serves the next ticket until the halves are equal. The addition
//! that counts the last ticket as served is also the release, so no record can be missed between the last check and the
//! release.
//!
//! An owner that finds a ticket whose record is not published yet does not wait either: it puts `HANDOFF` into the slot
//! and returns. The late recorder finds `HANDOFF` when it publishes its record, and becomes the owner. A thread that
//! needs the core itself (configuration, status) leaves its slot empty on purpose, and waits for `HANDOFF`.
//!
//! # Why the `unsafe` is sound
//!
//! `&mut T` is created only in [`OwnerGuard::value`] (and in `apply`, in the same way), and an [`OwnerGuard`] exists
//! for exactly one ticket at a time:
//!
//! 1. A ticket is issued to one thread, by a compare-exchange.
//! 2. Its owner is made either by that same compare-exchange, which succeeds with equal halves, so that every earlier ticket is
//!    served, or by finding `HANDOFF`, which only the owner of the ticket before it leaves, and which touches nothing after it.
//! 3. An owner ends with the addition that makes its ticket served.
//!
//! Owners therefore follow each other in the order of tickets. All of these are acquire and release operations on the
//! word or on the slot, so the work of one owner happens before the work of the next. The loom models in this file run
//! this very code, and loom's cell checks (1) to (3) and the ordering.
#![allow(unsafe_code)]

use std::fmt;
use std::mem::ManuallyDrop;

use crate::sync::{AtomicU64, Ordering, UnsafeCell, spin_loop, yield_now};

/// The record that a thread publishes in the ring: two words, of which the second has its lowest bit set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) extra: u64,
    /// Only odd values are records.
    pub(crate) meta: u64,
}

/// Applies the records of other threads.
pub(crate) trait Apply<T> {
    /// Applies a record.
    fn apply(&self, value: &mut T, record: Record);

    /// Called after the value was released, if records of other threads were applied to it.
    fn released(&self) {}
}

const EMPTY: u64 = 0;
const HANDOFF: u64 = 2;

/// The high half counts the tickets served, where an overflow is lost; the low half counts the tickets issued.
const ONE_SERVED: u64 = 1 << 32;

/// Attempts of a recorder to find room in a full ring before its record is dropped.
const LOOKS: u32 = if cfg!(tripline_loom) { 2 } else { 64 };
/// The last attempts yield, because the owner may be descheduled.
const YIELDS: u32 = 16;
/// Attempts of a thread that waits for the core before it yields the processor.
const SPINS: u32 = 64;

/// A value with one owner at a time, with slots for waiting records and their applier.
pub(crate) struct HandoffCell<T, A> {
    word: AtomicU64,
    /// The number of slots is a power of two, at least 4: a ticket's slot is a rotation of its low bits.
    ring: Box<[Slot]>,
    value: UnsafeCell<T>,
    applier: A,
}

struct Slot {
    extra: AtomicU64,
    meta: AtomicU64,
}

// SAFETY: the value is only reached through `OwnerGuard`, of which there is one at a time (see the module's documentation), so
// sharing the cell moves the value between threads but never shares it.
unsafe impl<T: Send, A: Sync> Sync for HandoffCell<T, A> {}

impl<T, A: Apply<T>> HandoffCell<T, A> {
    /// Creates a cell in which `room` records can wait while the value is owned; rounded up to a power of two of at
    /// least 4.
    pub(crate) fn new(value: T, applier: A, room: usize) -> Self {
        let slot = |_| Slot { extra: AtomicU64::new(0), meta: AtomicU64::new(EMPTY) };
        Self {
            word: AtomicU64::new(0),
            ring: (0..room.next_power_of_two().max(4)).map(slot).collect(),
            value: UnsafeCell::new(value),
            applier,
        }
    }

    /// Returns the applier of records.
    #[inline]
    pub(crate) fn applier(&self) -> &A {
        &self.applier
    }

    /// Submits `record`: applied at once if the core is free, otherwise by its owner. Never waits for the owner.
    /// Returns false if the record was dropped because the ring stayed full.
    #[must_use]
    pub(crate) fn submit(&self, record: Record) -> bool {
        let Some(ticket) = self.take_ticket(LOOKS) else { return false };
        if ticket.is_free || self.publish(ticket.number, record) {
            let mut owner = OwnerGuard { cell: self };
            owner.apply(record);
        }
        true
    }

    /// Publishes a record in the ticket's slot. Returns true if the core was handed over meanwhile: the caller is then
    /// the owner and applies the record itself.
    fn publish(&self, ticket: u32, record: Record) -> bool {
        debug_assert!(record.meta & 1 == 1, "an even value is no record");
        let slot = self.slot(ticket);
        // Relaxed: published by the swap below.
        slot.extra.store(record.extra, Ordering::Relaxed);
        // Release pairs with the owner's swap in `OwnerGuard::pass_on`, Acquire with the swap that left HANDOFF.
        if slot.meta.swap(record.meta, Ordering::AcqRel) != HANDOFF {
            return false;
        }
        // Relaxed: published by the addition that makes this ticket served.
        slot.meta.store(EMPTY, Ordering::Relaxed);
        true
    }

    /// Owns the core while `act` runs. Waits for the tickets before.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut T) -> R) -> R {
        let ticket = loop {
            match self.take_ticket(SPINS) {
                Some(ticket) => break ticket,
                None => yield_now(),
            }
        };
        if !ticket.is_free {
            self.wait_for_handoff(ticket.number);
        }
        let mut owner = OwnerGuard { cell: self };
        owner.value(act)
    }

    /// Owns the core while `act` runs, if it is free. Never waits.
    pub(crate) fn try_with<R>(&self, act: impl FnOnce(&mut T) -> R) -> Option<R> {
        let mut owner = self.try_own()?;
        Some(owner.value(act))
    }

    /// Owns the core until the guard is dropped, if it is free. Never waits.
    #[inline]
    pub(crate) fn try_own(&self) -> Option<OwnerGuard<'_, T, A>> {
        // Relaxed: the compare-exchange checks again.
        let word = self.word.load(Ordering::Relaxed);
        if issued(word) != served(word) {
            return None;
        }
        // Acquire pairs with the Release addition of the last owner.
        self.word.compare_exchange(word, with_one_issued(word), Ordering::Acquire, Ordering::Relaxed).ok()?;
        Some(OwnerGuard { cell: self })
    }

    /// Takes the next ticket; `None` if the ring is still full after this many attempts.
    fn take_ticket(&self, looks: u32) -> Option<Ticket> {
        let mut left = looks;
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if issued(word).wrapping_sub(served(word)) as usize >= self.ring.len() {
                left = left.checked_sub(1)?;
                if left < YIELDS || cfg!(tripline_loom) {
                    yield_now();
                } else {
                    spin_loop();
                }
                word = self.word.load(Ordering::Relaxed);
                continue;
            }
            // Acquire pairs with the Release addition that made the last ticket served: it makes visible the work of
            // its owner, and that the slot, used by an earlier ticket, is empty again.
            match self.word.compare_exchange_weak(word, with_one_issued(word), Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(Ticket { number: issued(word), is_free: issued(word) == served(word) }),
                Err(now) => word = now,
            }
        }
    }

    fn wait_for_handoff(&self, ticket: u32) {
        let slot = self.slot(ticket);
        let mut spins = SPINS;
        // Acquire pairs with the Release swap that left HANDOFF.
        while slot.meta.load(Ordering::Acquire) != HANDOFF {
            match spins.checked_sub(1) {
                Some(left) if cfg!(not(tripline_loom)) => {
                    spins = left;
                    spin_loop();
                }
                _ => yield_now(),
            }
        }
        // Relaxed: published by the addition that makes this ticket served.
        slot.meta.store(EMPTY, Ordering::Relaxed);
    }

    /// Neighbouring tickets are four slots apart, so that their recorders do not share a cache line.
    #[inline]
    fn slot(&self, ticket: u32) -> &Slot {
        let bits = self.ring.len().trailing_zeros();
        let mask = self.ring.len() - 1;
        let low = ticket as usize & mask;
        let rotated = ((low << 2) | (low >> (bits - 2))) & mask;
        &self.ring[rotated]
    }
}

struct Ticket {
    number: u32,
    /// Whether every earlier ticket is served: the thread with this one is then the owner.
    is_free: bool,
}

/// The right to access the value, for one ticket. Its end, also by a panic, serves the tickets that were issued
/// meanwhile.
pub(crate) struct OwnerGuard<'a, T, A: Apply<T>> {
    cell: &'a HandoffCell<T, A>,
}

impl<'a, T, A: Apply<T>> OwnerGuard<'a, T, A> {
    pub(crate) fn applier(&self) -> &'a A {
        &self.cell.applier
    }

    #[inline]
    pub(crate) fn value<R>(&mut self, act: impl FnOnce(&mut T) -> R) -> R {
        self.cell.value.with_mut(|value| {
            // SAFETY: `self` is the only owner (see the module's documentation), and it is borrowed while `act` runs.
            act(unsafe { &mut *value })
        })
    }

    fn apply(&mut self, record: Record) {
        self.cell.value.with_mut(|value| {
            // SAFETY: as in `value`.
            self.cell.applier.apply(unsafe { &mut *value }, record);
        });
    }

    /// Counts the ticket as served. Returns the next one if it was issued meanwhile: this owner serves it.
    #[inline]
    fn finish_ticket(&self) -> Option<u32> {
        // Release: the next owner observes what this owner did (Acquire in `take_ticket` and `try_own`). Acquire: the
        // slots of tickets that were issued meanwhile are read.
        let word = self.cell.word.fetch_add(ONE_SERVED, Ordering::AcqRel).wrapping_add(ONE_SERVED);
        (issued(word) != served(word)).then_some(served(word))
    }
}

impl<T, A: Apply<T>> Drop for OwnerGuard<'_, T, A> {
    #[inline]
    fn drop(&mut self) {
        if let Some(next) = self.finish_ticket() {
            // By value, so that the inlined part needs no memory for the owner.
            drain(self.cell, next);
        }
    }
}

/// Serves the tickets that were issued meanwhile, from this one on, until none is left or a record is not published
/// yet; the core is then handed over.
#[cold]
#[inline(never)]
fn drain<T, A: Apply<T>>(cell: &HandoffCell<T, A>, mut ticket: u32) {
    loop {
        let slot = cell.slot(ticket);
        // Acquire pairs with the recorder's Release swap, Release with its Acquire (it becomes the owner).
        let meta = slot.meta.swap(HANDOFF, Ordering::AcqRel);
        if meta == EMPTY {
            break;
        }
        // Relaxed: the swap above acquired it.
        let extra = slot.extra.load(Ordering::Relaxed);
        // Relaxed: published by the addition that makes this ticket served.
        slot.meta.store(EMPTY, Ordering::Relaxed);
        let mut owner = ManuallyDrop::new(OwnerGuard { cell });
        owner.apply(Record { extra, meta });
        match owner.finish_ticket() {
            Some(next) => ticket = next,
            None => break,
        }
    }
    cell.applier.released();
}

const fn issued(word: u64) -> u32 {
    word as u32
}

const fn served(word: u64) -> u32 {
    (word >> 32) as u32
}

/// Counts one more ticket as issued; an overflow of the low half must not reach the high one.
const fn with_one_issued(word: u64) -> u64 {
    (word & !0xFFFF_FFFF) | issued(word).wrapping_add(1) as u64
}

impl<T, A> fmt::Debug for HandoffCell<T, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.word.load(Ordering::Relaxed);
        f.debug_struct("HandoffCell")
            .field("issued", &issued(word))
            .field("served", &served(word))
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, tripline_loom))]
mod loom_tests {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    type Cell = HandoffCell<Vec<u64>, Push>;

    fn record(value: u64) -> Record {
        Record { extra: value, meta: value << 1 | 1 }
    }

    struct Push;

    impl Apply<Vec<u64>> for Push {
        fn apply(&self, seen: &mut Vec<u64>, record: Record) {
            assert_eq!(record.extra, record.meta >> 1, "a torn record");
            seen.push(record.extra);
        }
    }

    fn submit(cell: &Cell, value: u64) -> bool {
        cell.submit(record(value))
    }

    fn seen(cell: &Cell) -> Vec<u64> {
        let mut seen = cell.with(|seen| seen.clone());
        seen.sort_unstable();
        seen
    }

    fn check(preemptions: Option<usize>, model: impl Fn() + Sync + Send + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = preemptions;
        builder.check(model);
    }

    /// Two threads submit two values each, and every value is applied once.
    fn two_record_two_each(cell: Arc<Cell>) {
        let other = cell.clone();
        let thread = thread::spawn(move || {
            submit(&other, 1);
            submit(&other, 2);
        });
        submit(&cell, 3);
        submit(&cell, 4);
        thread.join().unwrap();
        assert_eq!(seen(&cell), [1, 2, 3, 4]);
    }

    #[test]
    fn two_recorders_of_two_lose_nothing_and_count_nothing_twice() {
        check(None, || {
            two_record_two_each(Arc::new(Cell::new(Vec::new(), Push, 4)));
        });
    }

    #[test]
    fn tickets_and_places_wrap() {
        check(Some(3), || {
            let cell = Cell::new(Vec::new(), Push, 4);
            let last = u64::from(u32::MAX);
            cell.word.store(last << 32 | last, Ordering::Relaxed);
            two_record_two_each(Arc::new(cell));
        });
    }

    #[test]
    fn three_recorders_lose_nothing_and_count_nothing_twice() {
        check(Some(3), || {
            let cell = Arc::new(Cell::new(Vec::new(), Push, 4));
            let threads: Vec<_> = [1, 2]
                .map(|value| {
                    let cell = cell.clone();
                    thread::spawn(move || submit(&cell, value))
                })
                .into();
            submit(&cell, 3);
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!(seen(&cell), [1, 2, 3]);
        });
    }

    #[test]
    fn a_thread_that_needs_the_core_gets_it_among_recorders() {
        check(Some(3), || {
            let cell = Arc::new(Cell::new(Vec::new(), Push, 4));
            let other = cell.clone();
            let thread = thread::spawn(move || other.with(|seen| seen.push(7)));
            submit(&cell, 1);
            submit(&cell, 2);
            thread.join().unwrap();
            assert_eq!(seen(&cell), [1, 2, 7]);
        });
    }

    #[test]
    fn a_full_ring_drops_and_says_so() {
        check(Some(2), || {
            let cell = Arc::new(Cell::new(Vec::new(), Push, 4));
            let other = cell.clone();
            // The owner is inside while the others arrive: three find room, the rest do not.
            let thread = thread::spawn(move || {
                other.with(|seen| seen.push(100));
            });
            let taken: Vec<u64> = (1..=5).filter(|&value| submit(&cell, value)).collect();
            thread.join().unwrap();
            let mut all = taken;
            all.push(100);
            assert_eq!(seen(&cell), all, "what was taken is there, and nothing else");
        });
    }
}
