//! One request from its head to the end of its response: permit, slot, and access log entry.

use tripline_runtime::OwnedTimedPermit;
use tripline_runtime::core::{Instant, Outcome};

use super::flag::Flag;
use super::record::Record;
use super::routes::Matched;
use super::upstream::Place;
use crate::config::Measure;

/// A request that is being forwarded. If it is dropped before its end, the client has disconnected: the call is neutral
/// while it is younger than the threshold, and slow afterwards.
#[derive(Debug)]
pub(super) struct Call {
    permit: Option<OwnedTimedPermit>,
    /// The end of the latency while the outcome is unknown.
    measured: Option<Instant>,
    measure: Measure,
    /// The guard of a call that was reported as ok at the head.
    reported: Option<Matched>,
    place: Option<Place>,
    record: Record,
    is_over: bool,
}

impl Call {
    /// `permit` is `None` for a call that no breaker protects, or that the breaker would reject in observe mode.
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

    /// Records the head of the response. `outcome` is `None` if trailers decide.
    pub(super) fn head(&mut self, outcome: Option<Outcome>, matched: &Matched) {
        if self.measure == Measure::Body {
            return;
        }
        self.record.measured();
        let Some(breaker) = matched.breaker() else { return };
        match outcome {
            Some(outcome) => {
                if let Some(permit) = self.permit.take() {
                    permit.finish(outcome);
                    self.reported = (outcome == Outcome::Ok).then(|| matched.clone());
                }
            }
            None => self.measured = Some(breaker.clock().now()),
        }
    }

    /// Records the end of the response.
    pub(super) fn end(&mut self, outcome: Outcome) {
        if let Some(permit) = self.permit.take() {
            match self.measured {
                Some(end) => permit.finish_at(end, outcome),
                None => permit.finish(outcome),
            }
        }
        self.close();
    }

    /// Records that the body of the response broke off. A call that was reported as ok at its head gets an additional
    /// failed one.
    pub(super) fn broken(&mut self, flag: Flag) {
        self.record.flag(flag);
        if let Some(permit) =
            self.reported.take().as_ref().and_then(Matched::breaker).and_then(|breaker| breaker.try_start().ok())
        {
            permit.finish(Outcome::Failed);
        }
        self.end(Outcome::Failed);
    }

    /// Turns the call into a tunnel, which is no sample. It keeps its slot.
    pub(super) fn upgraded(&mut self) {
        self.record.flag(Flag::Upgraded);
        if let Some(permit) = self.permit.take() {
            permit.finish(Outcome::Ignored);
        }
    }

    /// Records the end of the tunnel.
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
            // Dropping the permit decides by its age.
            self.permit = None;
            self.close();
        }
    }
}
