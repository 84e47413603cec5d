//! The same recording with several settings, read once.

use std::io::BufRead;

use tripline_runtime::core::Policy;

use super::driver::{Driver, Totals};
use super::error::ReplayError;
use super::figures::{Figures, Tally};
use super::input_report::InputReport;
use super::observe::Observer;
use super::reading::Reading;
use super::record::Record;

/// Settings to replay with, and what they are called.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Setting {
    /// Their name, for instance the path of their file.
    pub name: String,
    /// The settings of the breaker; `wait_jitter` is taken as 0.
    pub policy: Policy,
    /// Whether calls are seen to hang before they finish.
    pub stall_detection: bool,
    /// The keys with their values as a person would write them, for tables and pages only.
    pub values: Vec<(String, String)>,
}

impl Setting {
    /// Settings with stall detection, and without values to show.
    pub fn new(name: impl Into<String>, policy: Policy) -> Self {
        Self { name: name.into(), policy, stall_detection: true, values: Vec::new() }
    }

    /// A driver that is one of `breakers`.
    pub(super) fn driver<O: Observer>(
        &self,
        breakers: usize,
        reading: &Reading,
        observer: O,
    ) -> Result<Driver<O>, ReplayError> {
        Driver::among(breakers, &self.policy, self.stall_detection, reading.longest(), observer)
    }
}

/// What each of `settings` would have done with the calls of `input`, in their order. `input` is read once, and for each
/// setting the records of a stretch of [`Reading::max_latency`] are held.
///
/// Takes about a microsecond per record and setting.
///
/// # Errors
/// As [`run`](super::run).
pub fn compare(
    settings: &[Setting],
    reading: &Reading,
    input: impl BufRead,
) -> Result<(Vec<Figures>, InputReport), ReplayError> {
    let drivers = settings
        .iter()
        .map(|setting| setting.driver(settings.len(), reading, Tally::new(setting.policy.latency_threshold)))
        .collect::<Result<Vec<_>, _>>()?;
    let (tallies, report) = replay_to_all(drivers, reading, input, |_| {})?;
    Ok((tallies.into_iter().map(Tally::into_figures).collect(), report))
}

/// Replays `input` to all `drivers`; `see` is shown each record as it is read.
pub(super) fn replay_to_all<O: Observer>(
    mut drivers: Vec<Driver<O>>,
    reading: &Reading,
    input: impl BufRead,
    mut see: impl FnMut(&Record),
) -> Result<(Vec<O>, InputReport), ReplayError> {
    let findings = reading.read_all(input, |record| {
        see(&record);
        drivers.iter_mut().try_for_each(|driver| driver.take(&record))
    })?;
    let mut observers = Vec::with_capacity(drivers.len());
    let mut last = Totals::default();
    for driver in drivers {
        let (observer, totals) = driver.finish()?;
        observers.push(observer);
        last = totals;
    }
    Ok((observers, InputReport::new(last, findings)))
}
