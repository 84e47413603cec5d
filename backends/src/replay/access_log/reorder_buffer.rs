//! The calls of a log in the order of their ends.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use tripline_runtime::core::Outcome;

use super::entry::{LogCall, Stamped};
use super::log_limits::{LATE_BY_NANOS as LATE_BY, MAX_HELD};
use super::routing::Destination;
use super::time::Stamp;
use crate::replay::record::{Call, Record};

const SECOND: i64 = 1_000_000_000;

/// A call with the time of its line.
#[derive(Debug, Clone)]
pub(super) struct TimedPermit {
    pub(super) stamp: Stamp,
    pub(super) stamped: Stamped,
    /// In nanoseconds.
    pub(super) latency: i64,
    pub(super) outcome: Outcome,
    /// Whether nothing but a guess says the unit of the latency.
    pub(super) is_unit_unclear: bool,
    /// Digits after the point of the latency, where every line has as many; else 0.
    pub(super) places: u8,
    /// Its breaker; `None` where there is one for all calls.
    pub(super) to: Option<Arc<Destination>>,
}

impl TimedPermit {
    pub(super) fn of(call: &LogCall<'_>, to: Option<Arc<Destination>>) -> Self {
        Self {
            stamp: call.stamp,
            stamped: call.stamped,
            latency: call.latency,
            outcome: call.outcome,
            is_unit_unclear: call.is_unit_unclear,
            places: call.places,
            to,
        }
    }

    /// When the call ended, by its line.
    pub(super) fn end(&self) -> i64 {
        end(self.stamp.at, self.latency, self.stamped)
    }
}

fn end(stamp: i64, latency: i64, stamped: Stamped) -> i64 {
    match stamped {
        Stamped::AtStart => stamp.saturating_add(latency),
        Stamped::AtEnd => stamp,
    }
}

/// Puts calls in order. It holds the calls of a stretch of time: [`LATE_BY`], and where calls are stamped at their start
/// twice the longest call more.
///
/// Times of whole seconds are spread: the n calls of one second lie 1/n of a second apart, in the order of the input,
/// because a breaker that is fed a second's calls at one instant sees bursts that there were not. A second is spread when
/// no line of it is expected any more.
#[derive(Debug)]
pub(super) struct ReorderBuffer {
    stamped: Stamped,
    /// In nanoseconds; a longer call that comes late is not spread.
    longest: i64,
    /// Seconds whose calls are still being gathered.
    open: BTreeMap<i64, Vec<Gathered>>,
    /// Seconds before this one are not gathered any more.
    open_from: i64,
    ready: BinaryHeap<Reverse<Ready>>,
    /// The newest end so far. `None` at the beginning.
    newest: Option<i64>,
    /// No call is given out before this one any more.
    given_to: i64,
    has_ended: bool,
    /// By the clock, every call that ends before this has come.
    released_to: i64,
    /// How many calls came in.
    taken: u64,
    held: usize,
    pub(super) peak_held: usize,
    /// How many calls ended before others that had been given out already.
    pub(super) late: u64,
    /// How many calls were given out although an earlier one could still have come.
    pub(super) released_early: u64,
}

/// A call whose place in its second is not known yet.
#[derive(Debug)]
struct Gathered {
    number: u64,
    latency: i64,
    outcome: Outcome,
    stamped: Stamped,
    to: Option<Arc<Destination>>,
}

/// A call at its end.
#[derive(Debug)]
struct Ready {
    at: i64,
    call: Gathered,
}

impl ReorderBuffer {
    pub(super) fn new(stamped: Stamped, longest: i64) -> Self {
        Self {
            stamped,
            longest,
            open: BTreeMap::new(),
            open_from: i64::MIN,
            ready: BinaryHeap::new(),
            newest: None,
            given_to: i64::MIN,
            has_ended: false,
            released_to: i64::MIN,
            taken: 0,
            held: 0,
            peak_held: 0,
            late: 0,
            released_early: 0,
        }
    }

    pub(super) fn take(&mut self, call: TimedPermit) {
        let end = call.end();
        let TimedPermit { stamp, stamped, latency, outcome, to, .. } = call;
        let number = self.taken;
        self.taken += 1;
        self.held += 1;
        self.peak_held = self.peak_held.max(self.held);
        let second = stamp.at.div_euclid(SECOND);
        let gathered = Gathered { number, latency, outcome, stamped, to };
        if stamp.is_whole_second && second >= self.open_from {
            self.open.entry(second).or_default().push(gathered);
        } else {
            self.make_ready(stamp.at, gathered);
        }
        if self.newest.is_none_or(|newest| newest < end) {
            self.newest = Some(end);
            self.close_seconds();
        }
    }

    /// No more calls come.
    pub(super) fn end_input(&mut self) {
        self.has_ended = true;
        while let Some((second, calls)) = self.open.pop_first() {
            self.spread(second, calls);
        }
    }

    pub(super) fn holds_calls(&self) -> bool {
        self.held > 0
    }

    /// By the clock, every call that ends before `at` has come.
    pub(super) fn release_to(&mut self, at: i64) {
        self.released_to = self.released_to.max(at);
        self.spread_before(at.div_euclid(SECOND));
    }

    /// Every call that was written so far has come, whatever its second.
    pub(super) fn release_all(&mut self) {
        self.spread_before(i64::MAX);
        let last = self.ready.iter().map(|ready| ready.0.at).max();
        self.released_to = self.released_to.max(last.map_or(i64::MIN, |last| last.saturating_add(1)));
    }

    fn spread_before(&mut self, second: i64) {
        if second < i64::MAX {
            self.open_from = self.open_from.max(second);
        }
        while let Some(first) = self.open.first_entry().filter(|first| *first.key() < second) {
            let (second, calls) = first.remove_entry();
            self.open_from = self.open_from.max(second.saturating_add(1));
            self.spread(second, calls);
        }
    }

    /// The next call that no other one can come before.
    pub(super) fn give(&mut self) -> Option<Record> {
        let is_settled = |ready: &Ready| self.has_ended || ready.at < self.settled_to();
        if self.ready.peek().is_none_or(|ready| !is_settled(&ready.0)) {
            if self.held <= MAX_HELD {
                return None;
            }
            // The earliest second is spread as far as it is known.
            if self.ready.is_empty() || self.first_open_is_first() {
                let (second, calls) = self.open.pop_first()?;
                self.open_from = self.open_from.max(second.saturating_add(1));
                self.spread(second, calls);
            }
            self.released_early += 1;
        }
        let Reverse(Ready { at, call }) = self.ready.pop()?;
        self.given_to = at;
        self.held -= 1;
        let Gathered { latency, outcome, to, .. } = call;
        Some(Record { at, call: Some(Call { latency, outcome }), memory: None, to })
    }

    /// Every call that ends before this is known.
    fn settled_to(&self) -> i64 {
        let Some(newest) = self.newest else { return i64::MIN };
        let read_to = newest.saturating_sub(LATE_BY).div_euclid(SECOND);
        let first_open = self.open.first_key_value().map_or(i64::MAX, |(second, _)| *second).saturating_mul(SECOND);
        read_to.saturating_mul(SECOND).max(self.released_to).min(first_open)
    }

    fn first_open_is_first(&self) -> bool {
        let first_open = self.open.first_key_value().map(|(second, _)| second.saturating_mul(SECOND));
        first_open.is_some_and(|open| self.ready.peek().is_none_or(|ready| open < ready.0.at))
    }

    fn close_seconds(&mut self) {
        let Some(newest) = self.newest else { return };
        let longest = if self.stamped == Stamped::AtStart { self.longest } else { 0 };
        self.spread_before(newest.saturating_sub(LATE_BY).saturating_sub(longest).div_euclid(SECOND));
    }

    fn spread(&mut self, second: i64, calls: Vec<Gathered>) {
        let count = i64::try_from(calls.len()).unwrap_or(i64::MAX);
        for (nth, call) in (0..count).zip(calls) {
            let offset = nth.saturating_mul(SECOND) / count;
            self.make_ready(second.saturating_mul(SECOND).saturating_add(offset), call);
        }
    }

    fn make_ready(&mut self, stamp: i64, call: Gathered) {
        let end = end(stamp, call.latency, call.stamped);
        self.late += u64::from(end < self.given_to);
        self.ready.push(Reverse(Ready { at: end.max(self.given_to), call }));
    }
}

// ----- the order of calls: by their ends, then as they came in

impl Ready {
    fn key(&self) -> (i64, u64) {
        (self.at, self.call.number)
    }
}

impl PartialEq for Ready {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Ready {}

impl PartialOrd for Ready {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ready {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

#[cfg(test)]
mod tests {
    use super::super::time::Stamp;
    use super::*;

    const MILLI: i64 = 1_000_000;

    fn call(at_ms: i64, is_whole_second: bool, latency_ms: i64) -> TimedPermit {
        let stamp = Stamp { at: at_ms * MILLI, is_whole_second };
        let stamped = Stamped::AtEnd;
        let latency = latency_ms * MILLI;
        TimedPermit { stamp, stamped, latency, outcome: Outcome::Ok, is_unit_unclear: false, places: 0, to: None }
    }

    fn whole(second: i64, latency_ms: i64) -> TimedPermit {
        call(second * 1_000, true, latency_ms)
    }

    fn order(stamped: Stamped) -> ReorderBuffer {
        ReorderBuffer::new(stamped, 10 * SECOND)
    }

    /// Ends and latencies in milliseconds, as they are given out.
    fn given(order: &mut ReorderBuffer, calls: impl IntoIterator<Item = TimedPermit>) -> Vec<(i64, i64)> {
        let mut given = Vec::new();
        let mut take = |order: &mut ReorderBuffer| {
            while let Some(record) = order.give() {
                given.push((record.at / MILLI, record.call.map_or(-1, |call| call.latency / MILLI)));
            }
        };
        for call in calls {
            order.take(TimedPermit { stamped: order.stamped, ..call });
            take(order);
        }
        order.end_input();
        take(order);
        given
    }

    #[test]
    fn the_calls_of_one_second_are_spread_over_it_in_the_order_of_the_input() {
        let calls = [whole(5, 1), whole(5, 2), whole(5, 3), whole(5, 4), whole(7, 5)];
        let expected = [(5_000, 1), (5_250, 2), (5_500, 3), (5_750, 4), (7_000, 5)];
        assert_eq!(given(&mut order(Stamped::AtEnd), calls), expected);
    }

    #[test]
    fn spread_starts_come_out_in_the_order_of_their_ends() {
        let calls = [whole(5, 100), whole(5, 2_000), whole(6, 300), whole(5, 40), whole(5, 50)];
        let expected = [(5_100, 100), (5_540, 40), (5_800, 50), (6_300, 300), (7_250, 2_000)];
        assert_eq!(given(&mut order(Stamped::AtStart), calls), expected);
    }

    #[test]
    fn times_with_a_fraction_stay_as_they_are() {
        let calls = [call(5_000, false, 1), call(5_000, false, 2), call(4_999, false, 3)];
        assert_eq!(given(&mut order(Stamped::AtEnd), calls), [(4_999, 3), (5_000, 1), (5_000, 2)]);
    }

    #[test]
    fn a_line_may_be_a_minute_late_and_a_later_one_is_counted_and_put_where_the_log_had_got_to() {
        for is_whole in [true, false] {
            let mut order = ReorderBuffer::new(Stamped::AtEnd, 0);
            let calls = [100, 40, 101, 102, 41, 103].map(|second| call(second * 1_000, is_whole, second));
            let found = given(&mut order, calls);
            let expected = [(40_000, 40), (41_000, 41), (100_000, 100), (101_000, 101), (102_000, 102), (103_000, 103)];
            assert_eq!(
                (found.as_slice(), order.late),
                (&expected[..], 0),
                "nothing later had been given before 41 came"
            );
            let mut order = ReorderBuffer::new(Stamped::AtEnd, 0);
            let calls = [40, 41, 200, 50, 39, 201].map(|second| call(second * 1_000, is_whole, second));
            let found = given(&mut order, calls);
            // 50 was given at once, because the log had got to 200.
            let expected = [(40_000, 40), (41_000, 41), (50_000, 50), (50_000, 39), (200_000, 200), (201_000, 201)];
            assert_eq!((found.as_slice(), order.late), (&expected[..], 1));
        }
    }

    #[test]
    fn a_call_that_began_long_ago_is_not_late() {
        let mut order = order(Stamped::AtStart);
        let calls = (0..300).map(|second| whole(second, 10)).chain([whole(0, 300_000), whole(300, 10)]);
        let found = given(&mut order, calls);
        assert_eq!((order.late, found.get(299..)), (0, Some(&[(299_010, 10), (300_000, 300_000), (300_010, 10)][..])));
    }

    #[test]
    fn every_call_comes_out_once_and_in_order_and_no_more_than_a_stretch_is_held() {
        for stamped in [Stamped::AtStart, Stamped::AtEnd] {
            for is_whole in [true, false] {
                let peak_held = [20_000, 60_000].map(|count| {
                    let mut order = order(stamped);
                    // Ten a second, up to half a minute out of order.
                    let calls = (0..count).map(|n| call(n * 100 - n * 7_919 % 30_000, is_whole, n % 50));
                    let found = given(&mut order, calls);
                    assert!(found.is_sorted_by_key(|(at, _)| *at));
                    assert_eq!((i64::try_from(found.len()), order.late), (Ok(count), 0));
                    order.peak_held
                });
                assert!(peak_held[0] == peak_held[1] && peak_held[0] < 1_500, "{stamped:?} {is_whole}: {peak_held:?}");
            }
        }
    }
}
