//! The events of a service in order, for one threshold, and a method run on them.

use super::methods::Method;
use super::{SECOND_US, Service};

/// Age beyond which a call in flight no longer counts as hanging: `latency_max_age`.
const MAX_AGE_US: u32 = 60 * SECOND_US as u32;

/// An event of a call, in the order of evaluation at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Finishes,
    Outlives,
    Stalls,
    Starts,
}

/// All events of a service.
#[derive(Debug)]
pub struct Life<'s> {
    service: &'s Service,
    threshold_us: u32,
    events: Vec<(u64, What, u32)>,
}

/// The result of a method on one service.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// When it opened from closed, in microseconds.
    pub trips_us: Vec<u64>,
    /// Good calls that it rejected.
    pub good_rejected: u64,
    /// Slow or failed calls that it admitted after the onset.
    pub bad_admitted: u64,
}

impl<'s> Life<'s> {
    /// Returns the events of a service of which calls above the threshold are slow.
    pub fn new(service: &'s Service, threshold_us: u32) -> Self {
        let mut events = Vec::with_capacity(service.calls.len() * 2 + service.calls.len() / 8);
        for (index, call) in (0_u32..).zip(&service.calls) {
            events.push((call.start_us, What::Starts, index));
            events.push((call.start_us + u64::from(call.latency_us), What::Finishes, index));
            if call.latency_us > threshold_us {
                events.push((call.start_us + u64::from(threshold_us), What::Stalls, index));
            }
            if call.latency_us > MAX_AGE_US {
                events.push((call.start_us + u64::from(MAX_AGE_US), What::Outlives, index));
            }
        }
        events.sort_unstable();
        Self { service, threshold_us, events }
    }

    /// The service.
    pub fn service(&self) -> &Service {
        self.service
    }

    /// Calls that take longer are slow.
    pub fn threshold_us(&self) -> u32 {
        self.threshold_us
    }

    /// The share of slow and failed calls after the onset.
    pub fn bad_share(&self) -> f64 {
        let onset_us = self.service.onset_us.unwrap_or(0);
        let after = self.service.calls.iter().filter(|call| call.start_us >= onset_us);
        let (mut all, mut bad) = (0_u32, 0_u32);
        for call in after {
            all += 1;
            bad += u32::from(call.failed || call.latency_us > self.threshold_us);
        }
        f64::from(bad) / f64::from(all.max(1))
    }

    /// Runs a method on them.
    pub fn live(&self, method: &mut dyn Method) -> Outcome {
        let mut outcome = Outcome::default();
        let onset_us = self.service.onset_us.unwrap_or(u64::MAX);
        let last_start_us = self.service.calls.last().map_or(0, |call| call.start_us);
        method.begin(self.service.calls.len(), self.threshold_us);
        for &(now_us, what, index) in &self.events {
            let call = self.service.calls[index as usize];
            let bad = call.failed || call.latency_us > self.threshold_us;
            let was_closed = method.is_closed();
            match what {
                What::Starts => {
                    let admitted = method.ask(now_us, index);
                    outcome.good_rejected += u64::from(!admitted && !bad);
                    outcome.bad_admitted += u64::from(admitted && bad && now_us >= onset_us);
                }
                What::Stalls => method.stalled(now_us, index),
                What::Outlives => method.outlived(now_us, index),
                What::Finishes => method.finished(now_us, index, call),
            }
            if was_closed && !method.is_closed() && now_us <= last_start_us {
                outcome.trips_us.push(now_us);
            }
        }
        outcome
    }
}
