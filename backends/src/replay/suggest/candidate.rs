//! The second reading: candidates live through the recording, all at once.

use std::io::BufRead;

use tripline_runtime::core::{Latency, Policy};

use super::segments::Incident;
use crate::replay::driver::Driver;
use crate::replay::error::ReplayError;
use crate::replay::figures::{Figures, Tally};
use crate::replay::observe::{Change, Done, Observer};
use crate::replay::reading::Reading;
use crate::replay::record::Record;

/// The cost of a candidate on the recording.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Cost {
    /// Trips that no incident of the recording explains.
    pub false_trips: u64,
    /// All that it would have done.
    pub figures: Figures,
}

/// Settings on run.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) policy: Policy,
    pub(super) stall_detection: bool,
    /// The first false trip ends its run.
    pub(super) must_hold: bool,
}

/// Replays to all candidates, with calls up to `longest` nanoseconds; `None` for those that had to hold and did not. `see` is shown each record.
pub(super) fn try_all(
    candidates: &[Candidate],
    incidents: &[Incident],
    longest: i64,
    reading: &Reading,
    input: impl BufRead,
    mut see: impl FnMut(&Record),
) -> Result<Vec<Option<Cost>>, ReplayError> {
    let driver = |candidate: &Candidate| {
        let run = CandidateRun {
            tally: Tally::new(candidate.policy.latency_threshold),
            incidents,
            false_trips: 0,
            must_hold: candidate.must_hold,
        };
        Driver::among(candidates.len(), &candidate.policy, candidate.stall_detection, longest, run).map(Some)
    };
    let mut drivers = candidates.iter().map(driver).collect::<Result<Vec<_>, _>>()?;
    reading.read_all(input, |record| {
        see(&record);
        for slot in &mut drivers {
            if let Some(driver) = slot {
                driver.take(&record)?;
                if driver.observer().is_over() {
                    *slot = None;
                }
            }
        }
        Ok(())
    })?;
    drivers
        .into_iter()
        .map(|driver| driver.map(Driver::finish).transpose())
        .map(|ended| Ok(ended?.and_then(cost)))
        .collect()
}

fn cost((run, _): (CandidateRun<'_>, crate::replay::driver::Totals)) -> Option<Cost> {
    let false_trips = run.false_trips;
    (!run.is_over()).then(|| Cost { false_trips, figures: run.tally.into_figures() })
}

pub(super) fn is_in(incidents: &[Incident], at: i64) -> bool {
    incidents.iter().any(|incident| (incident.from_nanos..=incident.to_nanos).contains(&at))
}

struct CandidateRun<'a> {
    tally: Tally,
    incidents: &'a [Incident],
    false_trips: u64,
    must_hold: bool,
}

impl CandidateRun<'_> {
    const fn is_over(&self) -> bool {
        self.must_hold && self.false_trips > 0
    }
}

impl Observer for CandidateRun<'_> {
    fn begins(&mut self, at: i64) {
        self.tally.begins(at);
    }

    fn changed(&mut self, change: &Change) {
        self.false_trips += u64::from(change.trip.is_some_and(|trip| !is_in(self.incidents, trip.at)));
        self.tally.changed(change);
    }

    fn done(&mut self, record: &Done) -> Result<(), ReplayError> {
        self.tally.done(record)
    }

    fn ends(&mut self, at: i64, percentile: Option<Latency>) {
        self.tally.ends(at, percentile);
    }
}
