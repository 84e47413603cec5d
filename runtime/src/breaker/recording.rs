//! Recording: the report of a permit's result.

use tripline_core::{Instant, Latency, Outcome};

use crate::breaker::Breaker;
use crate::breaker::inner::BreakerInner;
use crate::hot_path::call_token::CallToken;
use crate::hot_path::owned::{Ending, Report};
use crate::hot_path::shared::finish_slow_path;
use crate::sync::Ordering;

impl Breaker {
    /// The fast path, a good call on an uncontended core, is inlined; the rest is called out of line.
    #[inline]
    pub(crate) fn finish(&self, token: CallToken, end: Instant, latency: Latency, outcome: Outcome) {
        let Some(mut owner) = self.inner.cell.try_own() else {
            return self.inner.report(token, end, Ending::Finished(outcome, latency));
        };
        if !owner.value(|exclusive| exclusive.try_finish_fast(token, end, latency, outcome)) {
            finish_slow_path(owner, token, end, latency, outcome);
        }
    }

    /// If calls are not tracked, a dropped call leaves no trace while nothing has changed.
    #[inline]
    pub(crate) fn give_up(&self, token: CallToken) {
        if !token.is_still(self.inner.shared().gate.admission()) {
            self.inner.report(token, self.inner.shared().gate.latest(), Ending::Dropped);
        }
    }
}

impl BreakerInner {
    #[inline(never)]
    fn report(&self, token: CallToken, end: Instant, ending: Ending) {
        let record = Report { token, end, ending }.pack();
        if !self.cell.submit(record) {
            self.lose(token);
        }
        self.shared().notify_if_changed();
    }

    /// Counts a report as dropped if there was no room for it, and removes its call from those in flight.
    #[cold]
    fn lose(&self, token: CallToken) {
        // Relaxed: a statistic.
        self.reports_dropped.fetch_add(1, Ordering::Relaxed);
        if let Some(epoch) = token.epoch() {
            self.shared().epochs.cancel(epoch);
        }
    }
}
