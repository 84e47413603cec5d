//! How soon settings would trip, had the service got slower: recorded calls with a fault put into them.

use std::collections::VecDeque;
use std::time::Duration;

use tripline_runtime::core::Latency;

use super::candidate::{Candidate, is_in};
use super::segments::Incident;
use crate::replay::driver::{Driver, nanos};
use crate::replay::error::ReplayError;
use crate::replay::observe::{Change, Observer};
use crate::replay::record::Record;

/// Records that are kept to put faults into.
const MAX_KEPT: usize = 32_768;
/// A fault is injected at this many places.
const PLACES: usize = 8;
/// So many windows of records come before a fault, to fill it although some calls do not count, and so that the evidence is at
/// rest; but not more than this.
const WINDOWS_BEFORE: usize = 8;
const MAX_BEFORE: usize = 1_024;
/// Records from the fault on, within which it must be found.
const AFTER: usize = 8_192;
/// How long a call that hangs takes.
const HANG: Duration = Duration::from_secs(60);

/// The fault of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// No call comes back for a minute.
    AllHang,
    /// Every eighth call does not come back for a minute.
    EighthHangs,
    /// Every call takes this many times as long.
    Slower(u32),
}

impl Fault {
    /// Those that are tried.
    pub const ALL: [Self; 4] = [Self::AllHang, Self::EighthHangs, Self::Slower(4), Self::Slower(2)];

    /// In words: `all calls hang`.
    pub fn words(self) -> String {
        match self {
            Self::AllHang => "all calls hang".into(),
            Self::EighthHangs => "every 8th call hangs".into(),
            Self::Slower(factor) => format!("all calls take {factor} times as long"),
        }
    }

    /// The latency of the `nth` call after the fault, which would have been `latency`; nanoseconds.
    fn apply(self, nth: usize, latency: i64) -> i64 {
        let hang = i64::try_from(HANG.as_nanos()).unwrap_or(i64::MAX);
        match self {
            Self::AllHang => hang,
            Self::EighthHangs if nth.is_multiple_of(8) => hang,
            Self::EighthHangs => latency,
            Self::Slower(factor) => latency.saturating_mul(i64::from(factor)),
        }
    }
}

/// How soon a fault was found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delay {
    /// How often it was tried, each time at another place of the recording.
    pub tried: usize,
    /// How often the breaker tripped within the calls that were tried, 8,192 at most.
    pub tripped: usize,
    /// From the fault to the trip, and the calls that were started meanwhile: the middle of those that tripped.
    pub median: Option<(Duration, u64)>,
}

/// The longest recent run of records outside of incidents, of bounded length.
#[derive(Debug, Default)]
pub(super) struct Kept {
    records: VecDeque<Record>,
    /// The run before the last incident.
    earlier: VecDeque<Record>,
}

impl Kept {
    pub(super) fn see(&mut self, record: &Record, incidents: &[Incident]) {
        if is_in(incidents, record.at) {
            if self.records.len() >= self.earlier.len() {
                self.earlier = std::mem::take(&mut self.records);
            }
            self.records.clear();
            return;
        }
        if self.records.len() >= MAX_KEPT {
            self.records.pop_front();
        }
        self.records.push_back(record.clone());
    }

    fn calls(self) -> Vec<Record> {
        let longer = if self.records.len() >= self.earlier.len() { self.records } else { self.earlier };
        longer
            .into_iter()
            .filter(|record| record.call.is_some())
            .map(|record| Record { memory: None, ..record })
            .collect()
    }
}

/// Recorded calls, ready to have faults put into them.
#[derive(Debug)]
pub(super) struct Traffic(Vec<Record>);

impl Traffic {
    pub(super) fn new(kept: Kept) -> Self {
        Self(kept.calls())
    }

    /// How soon `candidate` finds `fault`.
    pub(super) fn delay(&self, candidate: &Candidate, fault: Fault) -> Result<Delay, ReplayError> {
        let mut delays = Vec::with_capacity(PLACES);
        let mut tried = 0;
        // From a quarter to three quarters of what there is.
        for place in 0..PLACES {
            let from = self.0.len() * (PLACES + 2 * place) / (4 * PLACES);
            if let Some(found) = self.delay_at(from, candidate, fault)? {
                tried += 1;
                delays.extend(found);
            }
        }
        delays.sort_unstable();
        let median = delays.get(delays.len() / 2).copied();
        Ok(Delay { tried, tripped: delays.len(), median })
    }

    /// `None` where it cannot be tried there: nothing recorded, or it had tripped before.
    #[expect(clippy::option_option, reason = "not tried, and tried without a trip")]
    fn delay_at(
        &self,
        place: usize,
        candidate: &Candidate,
        fault: Fault,
    ) -> Result<Option<Option<(Duration, u64)>>, ReplayError> {
        let Some(since) = self.0.get(place).map(start_of) else { return Ok(None) };
        let last = self.0.len().min(place.saturating_add(AFTER));
        let window = usize::from(candidate.policy.latency_window_size.get());
        let before = (window * WINDOWS_BEFORE).min(MAX_BEFORE);
        let mut records: Vec<Record> = self.0.get(place.saturating_sub(before)..last).unwrap_or_default().to_vec();
        records.sort_by_key(start_of);
        let (mut nth, mut longest) = (0, 0);
        for record in &mut records {
            let start = start_of(record);
            if let Some(call) = &mut record.call {
                if start >= since {
                    call.latency = fault.apply(nth, call.latency);
                    nth += 1;
                }
                longest = longest.max(call.latency);
                record.at = start.saturating_add(call.latency);
            }
        }
        records.sort_by_key(|record| record.at);
        let watch = SupervisedBreaker { since, started: 0, tripped: None };
        let longest = longest.min(nanos(Latency::MAX.into()));
        // The fault comes long after the start.
        let mut policy = candidate.policy.clone();
        policy.warm_up = Duration::ZERO;
        let mut driver = Driver::new(&policy, candidate.stall_detection, longest, watch)?;
        for record in records {
            driver.take(&record)?;
            if driver.observer().tripped.is_some() {
                break;
            }
        }
        let watch = if driver.observer().tripped.is_some() { driver.into_observer() } else { driver.finish()?.0 };
        Ok(match watch.tripped {
            Some(at) if at < since => None,
            Some(at) => Some(Some((Duration::from_nanos(at.abs_diff(since)), watch.started))),
            None => Some(None),
        })
    }
}

fn start_of(record: &Record) -> i64 {
    record.at.saturating_sub(record.call.map_or(0, |call| call.latency))
}

/// Watches for the first trip.
struct SupervisedBreaker {
    since: i64,
    started: u64,
    tripped: Option<i64>,
}

impl Observer for SupervisedBreaker {
    fn started(&mut self, at: i64, _admitted: bool) {
        self.started += u64::from(at >= self.since && self.tripped.is_none());
    }

    fn changed(&mut self, change: &Change) {
        self.tripped = self.tripped.or(change.trip.map(|trip| trip.at));
    }
}

/// Rounded up to two digits, and at least a millisecond, the least that a configuration takes.
pub(super) fn two_digits_up(latency: Latency) -> Latency {
    let micros = latency.as_micros().max(1_000);
    let unit = 10_u32.pow(micros.ilog10().saturating_sub(1));
    Latency::from_micros(micros.div_ceil(unit).saturating_mul(unit).min(4_294_967_000))
}
