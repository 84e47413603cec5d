//! One replay: options in, one breaker, output out.

use std::io::{BufRead, BufWriter, Write};

use tripline_runtime::core::Policy;

use super::driver::Driver;
use super::error::ReplayError;
use super::input_report::InputReport;
use super::observe::Observer;
use super::output::{JsonLines, Summary};
use super::reading::Reading;

/// How a replay is made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// The settings of the breaker; `wait_jitter` is taken as 0.
    pub policy: Policy,
    /// Whether calls are seen to hang before they finish. Default: true.
    pub stall_detection: bool,
    /// The output to write.
    pub mode: Mode,
    /// How the input is read.
    pub reading: Reading,
}

impl Options {
    /// Options with these settings, and the defaults for the rest.
    pub fn new(policy: Policy, mode: Mode) -> Self {
        Self { policy, stall_detection: true, mode, reading: Reading::default() }
    }
}

/// The output of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One JSON object at the end: `calls`, `admitted`, `rejected`, `percentile_ms` (at the end; `null` where the window is
    /// empty), `trips` with the index of the record that was being finished, stalled or read, `recoveries` (each time that the
    /// breaker closed), `unusable` (lines that were not used, by reason), `excluded`, `nul_bytes` and `origin_changes`.
    ///
    /// A trip is the way from closed to open. That a bad probe opens the breaker again is none; [`Mode::JsonLines`] shows it.
    /// Of calls that become stalled at the same instant the one with which the rule first holds is named; where nothing but
    /// time made it trip (fast samples have aged beside calls that hang), the call that has been in flight for longest. The index is
    /// counted from 0, without the CSV header and blank lines.
    Summary,
    /// One JSON object per record, in the order of the input: `at_ms`, `admitted` (`null` where the record is no call), and, as
    /// the record has been dealt with, `state`, `percentile_ms`, `trend` and `reason`, which is why the breaker last
    /// tripped while it is open or half-open, and else `null`.
    JsonLines,
}

/// Replays `input` and writes what came of it to `output`. The same input gives the same bytes.
///
/// Takes about a microsecond per record, in [`Mode::JsonLines`] longer the larger the window is.
///
/// # Errors
/// [`ReplayError`] where no line of the input can be used, and where input or output fail. With [`Mode::JsonLines`] what came
/// before may have been written already.
pub fn run(options: &Options, input: impl BufRead, output: &mut impl Write) -> Result<InputReport, ReplayError> {
    let mut output = BufWriter::new(output);
    let result = match options.mode {
        Mode::Summary => summarise(options, input, &mut output),
        Mode::JsonLines => drive(options, input, JsonLines(&mut output)).map(|(_, report)| report),
    };
    let flushed = output.flush().map_err(ReplayError::Write);
    // Why the replay ended early comes before what that did to the output.
    let report = result?;
    flushed.map(|()| report)
}

fn summarise(options: &Options, input: impl BufRead, output: &mut impl Write) -> Result<InputReport, ReplayError> {
    let (summary, report) = drive(options, input, Summary::default())?;
    summary.write(&report.usage, output).map_err(ReplayError::Write)?;
    Ok(report)
}

/// Replays to one breaker.
fn drive<O: Observer>(options: &Options, input: impl BufRead, observer: O) -> Result<(O, InputReport), ReplayError> {
    let mut driver = Driver::new(&options.policy, options.stall_detection, options.reading.longest(), observer)?;
    let findings = options.reading.read_all(input, |record| driver.take(&record))?;
    let (observer, totals) = driver.finish()?;
    Ok((observer, InputReport::new(totals, findings)))
}
