//! Selects the members of a family that have series of their own.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tripline_runtime::core::Instant;
use tripline_runtime::{Breaker, Family};

/// A series stays until its member has been idle and closed for this long.
const MAX_IDLE: Duration = Duration::from_secs(600);

/// The members of a family that have series of their own, from one scrape to the next. Clones share them.
///
/// Members that are not closed come first, then those with the most calls since the previous scrape. A series stays until its member has
/// been idle and closed for 10 minutes; before that only a member that is not closed replaces it.
#[derive(Debug, Clone, Default)]
pub struct KeySeries(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// The series of single members, by key.
    shown: BTreeMap<String, Shown>,
    /// The totals of each member at the previous scrape.
    counted: HashMap<String, Totals>,
    /// The calls of all other members since the first scrape.
    other: Totals,
}

#[derive(Debug, Clone, Copy)]
struct Shown {
    figures: KeyFigures,
    /// Calls since the previous scrape.
    new_calls: u64,
    used_at: Instant,
}

/// Calls since a member was created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) calls: u64,
    pub(super) rejected: u64,
}

/// The values of one series.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyFigures {
    /// Members that are not closed: 0 or 1 for a single member.
    pub(super) open: usize,
    pub(super) totals: Totals,
}

/// The series of one scrape.
#[derive(Debug)]
pub(super) struct Selected {
    pub(super) shown: Vec<(String, KeyFigures)>,
    pub(super) other: KeyFigures,
}

impl Totals {
    fn of(member: &Breaker) -> Self {
        let counts = member.read(|core| *core.counts());
        let calls = counts.ok.wrapping_add(counts.failed).wrapping_add(counts.ignored);
        Self { calls, rejected: member.rejected() }
    }

    /// The increase since `before`. A member that was created again under its key counts from zero.
    fn since(self, before: Self) -> Self {
        let increase = |now: u64, before: u64| now.checked_sub(before).unwrap_or(now);
        Self { calls: increase(self.calls, before.calls), rejected: increase(self.rejected, before.rejected) }
    }

    fn add(&mut self, more: Self) {
        self.calls = self.calls.wrapping_add(more.calls);
        self.rejected = self.rejected.wrapping_add(more.rejected);
    }
}

impl KeySeries {
    /// Reads the members of `family` and selects at most `limit` of them. O(n log n).
    pub(super) fn scrape(&self, family: &Family, limit: usize) -> Selected {
        let now = family.shared().clock().now();
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        let before = std::mem::take(&mut state.counted);
        for shown in state.shown.values_mut() {
            (shown.figures.open, shown.new_calls) = (0, 0);
        }
        let mut others = Vec::new();
        for member in family.members() {
            let key = member.key().unwrap_or_default().to_owned();
            let totals = Totals::of(&member);
            let new = totals.since(before.get(&key).copied().unwrap_or_default());
            state.counted.insert(key.clone(), totals);
            let figures = KeyFigures { open: usize::from(member.state().is_triggered()), totals };
            let is_used = figures.open > 0 || new != Totals::default();
            match state.shown.get_mut(&key) {
                Some(shown) => {
                    let used_at = if is_used { now } else { shown.used_at };
                    *shown = Shown { figures, new_calls: new.calls, used_at };
                }
                None => others.push((key, figures, new, is_used)),
            }
        }
        state.shown.retain(|_, shown| shown.figures.open > 0 || now.since(shown.used_at) < MAX_IDLE);
        while state.shown.len() > limit {
            state.remove_least(|_| true);
        }
        others.sort_by(|(one_key, one, one_new, _), (key, other, new, _)| {
            (Reverse(one.open), Reverse(one_new.calls), one_key).cmp(&(Reverse(other.open), Reverse(new.calls), key))
        });
        let mut open = 0;
        for (key, figures, new, is_used) in others {
            let has_room = state.shown.len() < limit
                || figures.open > 0 && limit > 0 && state.remove_least(|shown| shown.figures.open == 0);
            if is_used && has_room {
                state.shown.insert(key, Shown { figures, new_calls: new.calls, used_at: now });
            } else {
                open += figures.open;
                state.other.add(new);
            }
        }
        Selected {
            shown: state.shown.iter().map(|(key, shown)| (key.clone(), shown.figures)).collect(),
            other: KeyFigures { open, totals: state.other },
        }
    }
}

impl State {
    /// Removes the closed series with the fewest new calls, or an open one if there is none, among those that `may_go`. Returns whether
    /// there was one.
    fn remove_least(&mut self, may_go: impl Fn(&Shown) -> bool) -> bool {
        let all = self.shown.iter().filter(|(_, shown)| may_go(shown));
        let least = all.min_by_key(|(_, shown)| (shown.figures.open, shown.new_calls, shown.used_at));
        let Some(key) = least.map(|(key, _)| key.clone()) else { return false };
        self.shown.remove(&key).is_some()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tripline_runtime::FamilyLimits;
    use tripline_runtime::core::Outcome;
    use tripline_runtime::test_util::ManualClock;

    struct Subject {
        clock: Arc<ManualClock>,
        family: Family,
        series: KeySeries,
    }

    fn subject() -> Subject {
        let clock = Arc::new(ManualClock::default());
        let members = Breaker::builder(clock.clone()).name("tenants".parse().unwrap());
        let family = Family::new(members, FamilyLimits::default()).unwrap();
        Subject { clock, family, series: KeySeries::default() }
    }

    impl Subject {
        fn calls(&self, key: &str, count: usize) {
            let member = self.family.get(key).unwrap();
            (0..count).for_each(|_| member.try_start().unwrap().finish(Outcome::Ok));
        }

        fn keys(&self, limit: usize) -> Vec<String> {
            self.series.scrape(&self.family, limit).shown.into_iter().map(|(key, _)| key).collect()
        }
    }

    #[test]
    fn those_not_closed_come_first_then_the_busiest_and_a_series_stays_while_it_is_used() {
        let subject = subject();
        for (key, count) in [("a", 1), ("b", 5), ("c", 3), ("d", 2)] {
            subject.calls(key, count);
        }
        assert_eq!(subject.keys(2), ["b", "c"]);
        subject.calls("a", 100);
        assert_eq!(subject.keys(2), ["b", "c"], "a busier one does not replace a series that is not idle");
        subject.calls("c", 1);
        subject.family.get("d").unwrap().force_open();
        assert_eq!(subject.keys(2), ["c", "d"], "one that is not closed replaces the least busy");
        subject.clock.advance(MAX_IDLE);
        subject.calls("a", 1);
        assert_eq!(subject.keys(2), ["a", "d"], "an idle one goes, an open one stays");
        assert_eq!(subject.keys(1), ["d"]);
        assert_eq!(subject.keys(0), Vec::<String>::new());
    }

    #[test]
    fn the_calls_of_the_others_are_counted_together_and_never_decrease() {
        let subject = subject();
        subject.calls("a", 5);
        for number in 0..50 {
            subject.calls(&format!("small-{number}"), 1);
        }
        let first = subject.series.scrape(&subject.family, 1);
        assert_eq!((first.shown.len(), first.other.totals.calls), (1, 50));
        subject.clock.advance(MAX_IDLE * 2);
        subject.family.remove_idle();
        assert_eq!(subject.family.len(), 0);
        assert_eq!(subject.series.scrape(&subject.family, 1).other.totals.calls, 50);
        subject.calls("small-0", 1);
        subject.calls("a", 2);
        let second = subject.series.scrape(&subject.family, 1);
        assert_eq!(second.shown.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["a"]);
        assert_eq!(second.other.totals.calls, 51);
    }
}
