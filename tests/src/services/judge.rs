//! The score of each method over many services.

use super::methods::Method;
use super::{Failing, Kind, Life, SECOND_US, Service};

/// Thresholds, as multiples of the 95th percentile of the service while it is well.
pub const MULTIPLES: [f64; 2] = [1.4, 2.0];
/// Minimum share of bad calls after the onset that is a detectable failure.
const MIN_BAD_SHARE: f64 = 0.08;

/// The result of one method with one service at one threshold.
#[derive(Debug, Clone)]
pub struct Result {
    /// The service.
    pub kind: Kind,
    /// Its calls a second.
    pub rate: f64,
    /// Its threshold, in microseconds.
    pub threshold_us: u32,
    /// The index of the method in the list.
    pub method: usize,
    /// Healthy time in hours.
    pub healthy_hours: f64,
    /// Calls while it was healthy.
    pub healthy_calls: f64,
    /// Trips while it was healthy.
    pub false_trips: usize,
    /// Good calls rejected while it was healthy; not counted for failing services.
    pub rejected: u64,
    /// Seconds from the onset to the trip; infinite where it was missed. `None` for healthy services.
    pub delay_s: Option<f64>,
    /// Bad calls admitted in ten minutes of the failure, in seconds of traffic.
    pub failure_cost_s: f64,
}

/// Runs each method on a service at both thresholds.
pub fn judge(service: &Service, methods: &mut [(&'static str, Box<dyn Method>)]) -> Vec<Result> {
    let p95_us = f64::from(service.p95_us());
    let mut results = Vec::new();
    for multiple in MULTIPLES {
        let life = Life::new(service, (p95_us * multiple) as u32);
        if service.onset_us.is_some() && life.bad_share() < MIN_BAD_SHARE {
            continue;
        }
        for (method, (_, rule)) in methods.iter_mut().enumerate() {
            let outcome = life.live(rule.as_mut());
            let onset_us = service.onset_us.unwrap_or(service.length_us);
            let false_trips = outcome.trips_us.iter().filter(|&&at| at < onset_us).count();
            let trip = outcome.trips_us.iter().find(|&&at| at >= onset_us);
            let delay = |at: &u64| (at - onset_us) as f64 / SECOND_US as f64;
            let after_s = (service.length_us - onset_us) as f64 / SECOND_US as f64;
            results.push(Result {
                kind: service.kind,
                rate: service.rate,
                threshold_us: life.threshold_us(),
                method,
                healthy_hours: onset_us as f64 / SECOND_US as f64 / 3_600.0,
                healthy_calls: service.calls.partition_point(|call| call.start_us < onset_us) as f64,
                false_trips,
                rejected: if service.onset_us.is_some() { 0 } else { outcome.good_rejected },
                delay_s: service.onset_us.map(|_| trip.map_or(f64::INFINITY, delay)),
                failure_cost_s: failure_cost(&outcome, trip.map(delay), after_s) / service.rate,
            });
        }
    }
    results
}

/// Returns the bad calls admitted in 600 s: those until the trip as counted, those after it (probes, false closings) in
/// proportion.
fn failure_cost(outcome: &super::life::Outcome, delay_s: Option<f64>, after_s: f64) -> f64 {
    let admitted = outcome.bad_admitted as f64;
    match delay_s {
        None => admitted * 600.0 / after_s.max(1.0),
        Some(_) => admitted,
    }
}

/// A summary of several results of one method.
#[derive(Debug, Clone, Copy, Default)]
pub struct Summary {
    /// Pairs of a service and a threshold.
    pub pairs: usize,
    /// Of these with a trip while healthy.
    pub tripping: usize,
    /// Trips an hour, over all hours.
    pub trips_an_hour: f64,
    /// The share of calls rejected.
    pub rejected: f64,
    /// Good calls rejected, in seconds of traffic a day.
    pub rejected_s_a_day: f64,
}

/// Summarises the healthy services that the filter selects.
pub fn healthy(results: &[Result], method: usize, takes: impl Fn(&Result) -> bool) -> Summary {
    let mut summary = Summary::default();
    let (mut hours, mut calls, mut trips, mut rejected, mut cost_s) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for result in results.iter().filter(|r| r.method == method && r.delay_s.is_none() && takes(r)) {
        summary.pairs += 1;
        summary.tripping += usize::from(result.false_trips > 0);
        hours += result.healthy_hours;
        calls += result.healthy_calls;
        trips += result.false_trips as f64;
        rejected += result.rejected as f64;
        cost_s += result.rejected as f64 / result.healthy_calls.max(1.0) * 86_400.0;
    }
    summary.trips_an_hour = trips / hours.max(1e-9);
    summary.rejected = rejected / calls.max(1.0);
    summary.rejected_s_a_day = cost_s / summary.pairs.max(1) as f64;
    summary
}

/// A summary of failing services.
#[derive(Debug, Clone, Default)]
pub struct Failures {
    /// Pairs of a service and a threshold.
    pub pairs: usize,
    /// Tripped before the onset.
    pub early: usize,
    /// Never tripped after it.
    pub missed: usize,
    /// Seconds to the trip, sorted; infinite where missed.
    pub delays_s: Vec<f64>,
    /// Bad calls admitted in ten minutes of a failure, in seconds of traffic, on average.
    pub cost_s: f64,
}

impl Failures {
    /// The median delay.
    pub fn median_s(&self) -> f64 {
        self.delays_s.get(self.delays_s.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

/// Summarises the failing services that the filter selects.
pub fn failures(results: &[Result], method: usize, takes: impl Fn(&Result) -> bool) -> Failures {
    let mut failures = Failures::default();
    for result in results.iter().filter(|r| r.method == method && takes(r)) {
        let Some(delay_s) = result.delay_s else { continue };
        failures.pairs += 1;
        failures.early += usize::from(result.false_trips > 0);
        failures.missed += usize::from(delay_s.is_infinite());
        failures.delays_s.push(delay_s);
        failures.cost_s += result.failure_cost_s;
    }
    failures.cost_s /= failures.pairs.max(1) as f64;
    failures.delays_s.sort_by(f64::total_cmp);
    failures
}

/// The median delay of a failing kind at rates from `min_rate` on.
pub fn median_s(results: &[Result], method: usize, kind: Failing, min_rate: f64) -> f64 {
    failures(results, method, |r| r.kind == Kind::Failing(kind) && r.rate >= min_rate).median_s()
}
