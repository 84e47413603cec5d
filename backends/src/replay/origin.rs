//! Clocks that are set back in the middle of an input, and single times that are far off.
//!
//! Times that lie too far before the newest one are late. If [`CONFIRMED`] calls in a row are, or the last few of the input, the
//! clock was set back (or another recording begins): from there on times are shifted so that the input goes on where it was. Times
//! that lie far ahead are held as well: if the input does not go on there, they are stray.

use std::collections::VecDeque;

const SECOND: i64 = 1_000_000_000;
/// So many in a row confirm that the clock was set back.
const CONFIRMED: usize = 10;
/// So many are enough at the end of the input.
const CONFIRMED_AT_END: usize = 3;
/// A gap longer than this has to be confirmed.
const MAX_GAP: i64 = 3_600 * SECOND;

/// Follows the times of an input. It holds at most [`CONFIRMED`] items.
#[derive(Debug)]
pub(super) struct OriginTracker<T> {
    late_by: i64,
    /// The newest time, shifted.
    newest: Option<i64>,
    shift: i64,
    side: Side,
    /// Items that are to be confirmed, with their times as they are written.
    held: Vec<(i64, T)>,
    changes: u64,
}

/// An item and where its time belongs.
#[derive(Debug)]
pub(super) struct Placed<T> {
    pub(super) item: T,
    /// Nanoseconds to add to its time.
    pub(super) shift: i64,
    /// Its time is far ahead of everything around it.
    pub(super) is_stray: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Late,
    Ahead,
}

impl<T> OriginTracker<T> {
    /// Times that lie up to `late_by` nanoseconds before the newest one are in order.
    pub(super) fn new(late_by: i64) -> Self {
        Self { late_by, newest: None, shift: 0, side: Side::Late, held: Vec::new(), changes: 0 }
    }

    /// How often the clock was set back.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// Takes the next item, whose time is written as `at`; `placed` gets those whose place is known.
    pub(super) fn take(&mut self, at: i64, item: T, placed: &mut VecDeque<Placed<T>>) {
        let shifted = at.saturating_add(self.shift);
        let side = match self.newest {
            Some(newest) if shifted < newest.saturating_sub(self.late_by) => Some(Side::Late),
            Some(newest) if shifted > newest.saturating_add(MAX_GAP) => Some(Side::Ahead),
            _ => None,
        };
        let Some(side) = side else {
            self.release(true, placed);
            self.pass(at, item, placed);
            return;
        };
        if side != self.side {
            self.release(true, placed);
            self.side = side;
        }
        self.held.push((at, item));
        if self.held.len() >= CONFIRMED {
            self.confirm(placed);
        }
    }

    /// Whether items are held that are to be confirmed.
    pub(super) fn holds_items(&self) -> bool {
        !self.held.is_empty()
    }

    /// Items about `at`, in the time of those that were placed, are no gap.
    pub(super) fn expect(&mut self, at: i64) {
        if let Some(newest) = &mut self.newest {
            *newest = (*newest).max(at.saturating_sub(MAX_GAP / 2));
        }
    }

    /// There are no more items.
    pub(super) fn end(&mut self, placed: &mut VecDeque<Placed<T>>) {
        match self.side {
            Side::Late if self.held.len() >= CONFIRMED_AT_END => self.confirm(placed),
            _ => self.release(false, placed),
        }
    }

    /// What is held is no new beginning: late items are late, those ahead are stray (or at the end of the input a gap).
    fn release(&mut self, is_followed: bool, placed: &mut VecDeque<Placed<T>>) {
        let is_stray = is_followed && self.side == Side::Ahead;
        for (at, item) in std::mem::take(&mut self.held) {
            if is_stray {
                placed.push_back(Placed { item, shift: self.shift, is_stray });
            } else {
                self.pass(at, item, placed);
            }
        }
    }

    /// What is held is where the input goes on.
    fn confirm(&mut self, placed: &mut VecDeque<Placed<T>>) {
        if self.side == Side::Late {
            let first = self.held.iter().map(|(at, _)| *at).min().unwrap_or(0);
            let behind = self.newest.unwrap_or(first).saturating_sub(first);
            // Whole seconds stay whole seconds.
            self.shift = behind.saturating_add(SECOND - 1).div_euclid(SECOND).saturating_mul(SECOND);
            self.changes += 1;
        }
        for (at, item) in std::mem::take(&mut self.held) {
            self.pass(at, item, placed);
        }
    }

    fn pass(&mut self, at: i64, item: T, placed: &mut VecDeque<Placed<T>>) {
        let shifted = at.saturating_add(self.shift);
        self.newest = Some(self.newest.map_or(shifted, |newest| newest.max(shifted)));
        placed.push_back(Placed { item, shift: self.shift, is_stray: false });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Seconds as they are placed; stray ones are negative. And how often the clock was set back.
    fn placed(seconds: &[i64]) -> (Vec<i64>, u64) {
        let mut tracker = OriginTracker::new(60 * SECOND);
        let mut placed = VecDeque::new();
        for &second in seconds {
            tracker.take(second * SECOND, second, &mut placed);
        }
        tracker.end(&mut placed);
        let at = |placed: &Placed<i64>| if placed.is_stray { -1 } else { placed.item + placed.shift / SECOND };
        (placed.iter().map(at).collect(), tracker.changes())
    }

    #[test]
    fn a_clock_that_is_set_back_is_a_new_origin() {
        let seconds: Vec<i64> = (1_000..1_100).chain(500..550).collect();
        let (found, changes) = placed(&seconds);
        assert_eq!(changes, 1);
        assert!(found.is_sorted() && found.last() == Some(&1_148), "{found:?}");
        let at_end: Vec<i64> = (1_000..1_100).chain(500..503).collect();
        assert_eq!(placed(&at_end).1, 1);
    }

    #[test]
    fn a_few_late_ones_are_late_and_a_few_far_ahead_are_stray() {
        assert_eq!(placed(&[1_000, 1_001, 500, 501, 1_002]), (vec![1_000, 1_001, 500, 501, 1_002], 0));
        assert_eq!(placed(&[1_000, 9_000_000, 1_001]), (vec![1_000, -1, 1_001], 0));
        assert_eq!(placed(&[1_000, 9_000_000, 9_000_001]), (vec![1_000, 9_000_000, 9_000_001], 0));
    }

    proptest! {
        #[test]
        fn every_item_is_placed_once(seconds in proptest::collection::vec(0_i64..20_000, 0..200)) {
            let (found, changes) = placed(&seconds);
            prop_assert_eq!(found.len(), seconds.len());
            prop_assert!(changes <= seconds.len() as u64 / 3);
        }
    }
}
