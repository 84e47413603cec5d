//! How far behind the lines' own time a log is played, so that lines are there when their turn comes.

use std::collections::VecDeque;

const SECOND: i64 = 1_000_000_000;
/// How long lines are remembered.
const MEMORY: i64 = 300 * SECOND;
/// In parts of this.
const PART: i64 = 10 * SECOND;
/// Lines may come so much later than the quickest ones; it is more for none, and at least the second that a time without a
/// fraction leaves open.
const MIN_SPREAD: i64 = SECOND;
const MAX_SPREAD: i64 = 60 * SECOND;
/// From the moment at which the calls of an instant are known to the moment at which it is played: calls of this length
/// start before they end.
pub(super) const LOOK_AHEAD: i64 = 2 * SECOND;
/// The distance shrinks by this part of the time that passes, so that time is played at most so much faster.
const SHRINK: i64 = 10;

/// Follows how late lines come. Lines have times of their own; `now` is that of the breaker's clock, and nothing is known of
/// the difference but what lines show: the quickest ones of the last five minutes say what the clocks differ by, the slowest
/// ones how long to wait.
#[derive(Debug, Default)]
pub(super) struct Pace {
    parts: VecDeque<Part>,
    /// The distance, and when it was found.
    distance: Option<(i64, i64)>,
}

/// From the end of a call to the coming of its line, at the least and at the most.
#[derive(Debug, Clone, Copy)]
struct Part {
    since: i64,
    quickest: i64,
    slowest: i64,
}

impl Pace {
    /// Lines of calls that ended from `first` to `last` have come now.
    pub(super) fn came(&mut self, now: i64, first: i64, last: i64) {
        let (quickest, slowest) = (now.saturating_sub(last), now.saturating_sub(first));
        match self.parts.back_mut().filter(|part| now.saturating_sub(part.since) < PART) {
            Some(part) => {
                part.quickest = part.quickest.min(quickest);
                part.slowest = part.slowest.max(slowest);
            }
            None => self.parts.push_back(Part { since: now, quickest, slowest }),
        }
    }

    /// From the end of a call to the coming of its line, for the quickest ones.
    pub(super) fn quickest(&self) -> Option<i64> {
        self.parts.iter().map(|part| part.quickest).min()
    }

    /// What is added to the time of a line to get the instant at which it is played; `None` before the first line.
    pub(super) fn distance(&mut self, now: i64) -> Option<i64> {
        while self.parts.len() > 1 && self.parts.front().is_some_and(|part| now.saturating_sub(part.since) > MEMORY) {
            self.parts.pop_front();
        }
        let quickest = self.quickest()?;
        let slowest = self.parts.iter().map(|part| part.slowest).max()?;
        let spread = slowest.saturating_sub(quickest).clamp(MIN_SPREAD, MAX_SPREAD);
        let wanted = quickest.saturating_add(spread).saturating_add(LOOK_AHEAD);
        let distance = match self.distance {
            Some((distance, at)) => wanted.max(distance.saturating_sub(now.saturating_sub(at) / SHRINK)),
            None => wanted,
        };
        self.distance = Some((distance, now));
        Some(distance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_come_at_once_are_played_three_seconds_later() {
        let mut pace = Pace::default();
        assert_eq!(pace.distance(0), None);
        pace.came(100 * SECOND, 100 * SECOND, 100 * SECOND);
        assert_eq!(pace.distance(100 * SECOND), Some(3 * SECOND));
    }

    #[test]
    fn a_log_of_another_clock_is_played_by_its_own_time() {
        let mut pace = Pace::default();
        // The log's clock is two hours behind.
        pace.came(10_000 * SECOND, 2_800 * SECOND, 2_800 * SECOND);
        assert_eq!(pace.distance(10_000 * SECOND), Some(7_203 * SECOND));
    }

    #[test]
    fn batches_make_the_distance_grow_at_once_and_shrink_slowly() {
        let mut pace = Pace::default();
        let batch = |pace: &mut Pace, at: i64| {
            pace.came(at * SECOND, (at - 10) * SECOND, at * SECOND);
            pace.distance(at * SECOND).unwrap_or_default() / SECOND
        };
        assert_eq!(batch(&mut pace, 100), 12);
        assert_eq!(batch(&mut pace, 110), 12);
        let mut last = 12;
        for at in 111..=700 {
            pace.came(at * SECOND, at * SECOND, at * SECOND);
            let distance = pace.distance(at * SECOND).unwrap_or_default();
            assert!(distance >= (last * SECOND).min(12 * SECOND) - 2 * SECOND);
            last = distance / SECOND;
        }
        assert_eq!(last, 3);
    }

    #[test]
    fn one_line_that_is_hours_late_does_not_hold_all_others_back_for_hours() {
        let mut pace = Pace::default();
        pace.came(10_000 * SECOND, 0, 10_000 * SECOND);
        assert_eq!(pace.distance(10_000 * SECOND), Some(62 * SECOND));
    }
}
