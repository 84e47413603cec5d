//! The ring of one stripe: the records of one thread, which the owner of the core reads.

use super::good_call::{GoodCall, PackedCall};
use super::waiting_rule::Kind;
use crate::sync::{AtomicU32, AtomicU64, Ordering, fence};

/// Records that one stripe holds.
pub(super) const PLACES: usize = if cfg!(tripline_loom) { 3 } else { 70 };
pub(super) const PLACES_U64: u64 = PLACES as u64;
const PLACES_U32: u32 = PLACES as u32;

/// The ring of one thread.
#[repr(align(128))]
pub(super) struct Stripe {
    /// Twice the position of the next record; one more while a record is overwritten.
    pub(super) tail: AtomicU64,
    /// The position of the oldest record that was not flushed. Written by readers.
    pub(super) head: AtomicU64,
    /// So many of the last records are plain, all with the tracking below. Written by the writer, as the rest.
    plain: AtomicU32,
    /// See [`CallToken::tracking`](crate::hot_path::call_token::CallToken::tracking).
    pub(super) plain_tracking: AtomicU32,
    /// The tracking of the records if the ring is full of plain ones, otherwise [`NOT_FULL`].
    full_tracking: AtomicU32,
    /// The place of the next record: its position modulo [`PLACES`], or [`PLACES`] for the first place.
    next_place: AtomicU32,
    places: [Place; PLACES],
}

struct Place([AtomicU64; 2]);

/// No tracking of a token.
const NOT_FULL: u32 = u32::MAX;

impl Stripe {
    pub(super) fn new() -> Self {
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
    pub(super) fn supersede(&self, call: GoodCall) -> bool {
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
    pub(super) fn push(&self, call: GoodCall, kind: Kind) -> bool {
        let tail = self.tail.load(Ordering::Relaxed);
        // Acquire pairs with the Release in `Pending::end_flush`: the places before it were read.
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
    pub(super) fn waiting(&self) -> Option<(u64, u64)> {
        // Acquire pairs with the Release of the writer in `write` and `supersede`.
        let tail = self.tail.load(Ordering::Acquire) / 2;
        // Relaxed: only owners of the core write it, one after the other.
        let head = self.head.load(Ordering::Relaxed);
        (head != tail).then_some((head, tail))
    }

    #[inline]
    pub(super) fn read(&self, place: usize) -> PackedCall {
        // Relaxed: acquired in `waiting`, or found out to be overwritten.
        self.places.get(place).map_or_else(PackedCall::default, |Place(words)| {
            PackedCall([words[0].load(Ordering::Relaxed), words[1].load(Ordering::Relaxed)])
        })
    }
}
