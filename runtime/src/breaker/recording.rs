//! Recording: the report of a permit's result.

use tripline_core::{Instant, Latency, Outcome};

use crate::breaker::inner::BreakerInner;
use crate::hot_path::call_token::CallToken;
use crate::hot_path::owned::{Ending, Report};
use crate::hot_path::shared::{finish_slow_path, handle_report};
use crate::hot_path::stripes::{GoodCall, Kind, Stripes};
use crate::sync::Ordering;

impl BreakerInner {
    /// Reports how a call ended.
    #[inline]
    pub(crate) fn finish(&self, token: CallToken, end: Instant, latency: Latency, outcome: Outcome) {
        if outcome == Outcome::Ok {
            self.finish_successful(token, end, latency);
        } else {
            self.finish_unsuccessful(token, end, latency, outcome);
        }
    }

    /// A dropped call that is not tracked leaves no trace while nothing has changed.
    #[inline]
    pub(crate) fn give_up(&self, token: CallToken) {
        if !token.is_still(self.shared().gate.admission()) {
            self.give_up_tracked(token);
        }
    }

    /// Records a successful call in the stripe of this thread, in place of the oldest record there.
    #[inline(never)] // its only calls are tail calls, so it saves no registers
    fn finish_successful(&self, token: CallToken, end: Instant, latency: Latency) {
        let Some(stripes) = self.shared().gate.stripes() else {
            return self.finish_at_core(token, end, latency, Outcome::Ok);
        };
        match stripes.claims.of_this_thread() {
            None => self.finish_outside_stripe(stripes, token, end, latency, Outcome::Ok),
            Some(stripe) if stripes.supersede(stripe, GoodCall { token, end, latency }) => {}
            Some(_) => self.append_to_stripe(token, end, latency),
        }
    }

    #[inline(never)]
    fn finish_unsuccessful(&self, token: CallToken, end: Instant, latency: Latency, outcome: Outcome) {
        match self.shared().gate.stripes() {
            None => self.finish_at_core(token, end, latency, outcome),
            Some(stripes) => self.finish_outside_stripe(stripes, token, end, latency, outcome),
        }
    }

    /// The fast path, for an uncontended core and a good call, is inlined; the rest is called.
    #[inline(never)] // keeps its saved registers out of `finish_successful`
    fn finish_at_core(&self, token: CallToken, end: Instant, latency: Latency, outcome: Outcome) {
        let Some(mut owner) = self.cell.try_own() else {
            return self.report(token, end, Ending::Finished(outcome, latency));
        };
        if !owner.value(|exclusive| exclusive.try_finish_fast(token, end, latency, outcome)) {
            finish_slow_path(owner, token, end, latency, outcome);
        }
    }

    /// Appends a successful call to the stripe of this thread.
    #[inline(never)]
    fn append_to_stripe(&self, token: CallToken, end: Instant, latency: Latency) {
        let Some(stripes) = self.shared().gate.stripes() else { return };
        if let Some(stripe) = stripes.claims.of_this_thread()
            && stripes.append(stripe, GoodCall { token, end, latency })
        {
            return;
        }
        self.finish_outside_stripe(stripes, token, end, latency, Outcome::Ok);
    }

    /// Records a bad call, one of a thread without a stripe, or one for which there is no room.
    #[inline(never)]
    fn finish_outside_stripe(
        &self,
        stripes: &Stripes,
        token: CallToken,
        end: Instant,
        latency: Latency,
        outcome: Outcome,
    ) {
        let kind = if outcome == Outcome::Ok { stripes.kind(token, end, latency) } else { None };
        let append = |stripe| stripes.append(stripe, GoodCall { token, end, latency });
        // A record that must be flushed costs a thread alone more than the core does.
        if kind == Some(Kind::Plain) && stripes.claims.claim_for_call().is_some_and(append) {
            return;
        }
        if let Some(mut owner) = self.cell.try_own() {
            let is_done = !stripes.any_waits()
                && owner.value(|exclusive| exclusive.try_finish_fast(token, end, latency, outcome));
            if !is_done {
                finish_slow_path(owner, token, end, latency, outcome);
            }
            return;
        }
        if kind.is_some() && stripes.claims.claim_at_contention().is_some_and(append) {
            return;
        }
        self.report(token, end, Ending::Finished(outcome, latency));
    }

    /// A call that is dropped soon after a closed breaker admitted it leaves by a count, without the core.
    #[inline(never)]
    fn give_up_tracked(&self, token: CallToken) {
        let gate = &self.shared().gate;
        let admission = gate.admission();
        if gate.stripes().is_some()
            && admission.is_tracked()
            && admission.generation() == token.generation()
            && token.epoch().is_some_and(|epoch| self.shared().epochs.try_drop(epoch))
        {
            return;
        }
        let end = gate.latest();
        match self.cell.try_own() {
            Some(owner) => handle_report(owner, Report { token, end, ending: Ending::Dropped }),
            None => self.report(token, end, Ending::Dropped),
        }
    }

    /// Another thread owns the core.
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
