//! One request from its head to the end of its response: permit, place, and what is written about it.

use tripline_runtime::core::{Instant, Outcome};
use tripline_runtime::{Breaker, OwnedTimedPermit};

use super::flag::Flag;
use super::record::Record;
use super::upstream::Place;
use crate::config::Measure;

/// A request that is being forwarded. Dropped before its end, the client is gone: the call is neutral while it is younger than
/// the threshold, and slow afterwards.
#[derive(Debug)]
pub(super) struct Call {
    permit: Option<OwnedTimedPermit>,
    /// Where the latency ends, when the outcome is not known yet.
    measured: Option<Instant>,
    measure: Measure,
    /// The breaker of a call whose outcome was reported with the head.
    reported: Option<Breaker>,
    place: Option<Place>,
    record: Record,
    is_over: bool,
}

impl Call {
    /// `permit` is `None` for a call that no breaker guards, or that it would reject in observe mode.
    pub(super) fn new(
        permit: Option<OwnedTimedPermit>,
        measure: Measure,
        place: Option<Place>,
        record: Record,
    ) -> Self {
        Self { permit, measured: None, measure, reported: None, place, record, is_over: false }
    }

    pub(super) fn record(&mut self) -> &mut Record {
        &mut self.record
    }

    /// The head of the response is there. `outcome` is `None` where trailers decide.
    pub(super) fn head(&mut self, outcome: Option<Outcome>, breaker: Option<&Breaker>) {
        if self.measure == Measure::Body {
            return;
        }
        self.record.measured();
        let Some(breaker) = breaker else { return };
        match outcome {
            Some(outcome) => {
                if let Some(permit) = self.permit.take() {
                    permit.finish(outcome);
                    self.reported = (outcome == Outcome::Ok).then(|| breaker.clone());
                }
            }
            None => self.measured = Some(breaker.clock().now()),
        }
    }

    /// The response is over.
    pub(super) fn end(&mut self, outcome: Outcome) {
        if let Some(permit) = self.permit.take() {
            match self.measured {
                Some(end) => permit.finish_at(end, outcome),
                None => permit.finish(outcome),
            }
        }
        self.close();
    }

    /// The body of the response broke off. A call that was reported as ok with its head gets a failed one beside it.
    pub(super) fn broken(&mut self, flag: Flag) {
        self.record.flag(flag);
        if let Some(permit) = self.reported.take().and_then(|breaker| breaker.try_start_owned().ok()) {
            permit.finish(Outcome::Failed);
        }
        self.end(Outcome::Failed);
    }

    /// The call becomes a tunnel, which is no sample. It keeps its place.
    pub(super) fn upgraded(&mut self) {
        self.record.flag(Flag::Upgraded);
        if let Some(permit) = self.permit.take() {
            permit.finish(Outcome::Ignored);
        }
    }

    /// The tunnel has ended.
    pub(super) fn end_upgraded(&mut self) {
        self.close();
    }

    fn close(&mut self) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        self.place = None;
        self.record.write();
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.is_over {
            self.record.flag(Flag::ClientGone);
            // The permit, dropped, decides by its age.
            self.permit = None;
            self.close();
        }
    }
}
