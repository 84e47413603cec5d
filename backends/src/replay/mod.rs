//! `tripline replay`: recorded calls through the same breaker as in production, on virtual time.
//!
//! **Input.** JSON lines (the first byte that is not blank is `{`) or CSV with a header, in the order of `at_ms`, or an
//! access log of nginx, Apache or Envoy (see below). The fields of JSON lines and CSV:
//!
//! | field | |
//! |---|---|
//! | `at_ms` | when the call finished or memory was read, in milliseconds from any origin; required, never less than before |
//! | `latency_ms` | how long the call took; without it the line is a memory reading |
//! | `outcome` | `ok` (also when left out), `error` or `ignored` |
//! | `memory_percent` | memory in use as a percentage of its limit; beside `latency_ms`, read as the call finished |
//!
//! Milliseconds may have a fraction and are taken to the nanosecond, without rounding on the way; the breaker tells latencies
//! apart by the microsecond. Other fields and blank lines are passed over, and [`Report::warnings`] tells of those fields that
//! look misspelt; `null` and an empty CSV value are the same as nothing. A line that cannot be used ends the replay with an error that names it.
//!
//! **Access logs.** Each line is a call; [`LogFormat`] tells how its time, its latency and its outcome are found, and
//! [`Input`] says what is not to be guessed. Without that the first 20 lines tell the format: the one that understands most
//! of them. Lines that cannot be used are passed over, and [`LogReport`] counts them; an error is only if none of the first 20
//! can. Lines stand in a log as they were written, which is not quite the order of the ends, and often with whole seconds only:
//!
//! - Calls of the same whole second are spread evenly over it, in the order of the input: n calls lie 1/n of a second
//!   apart. Otherwise a breaker would see a burst each second, and none of what happens in it. Times with a fraction are
//!   taken as they are.
//! - Lines may be out of order by a minute, and where they are stamped with the start of the call by its length more, up to
//!   [`Reading::max_latency`]. A call that comes too late is put where the log had got to, and counted.
//! - What is held for that are the calls of a minute, of logs with starts twice [`Reading::max_latency`] more.
//!
//! **Order.** A call asks at its start, `at_ms` − `latency_ms`; refused, it is never made and its end is not told. Time begins
//! with the earliest start, and ends with the last record. What falls on the same instant comes in this order: finished calls,
//! calls that become stalled, memory readings, deadlines, starting calls; within these in the order of the input. A call of no
//! length ends right after its own start.
//!
//! A start lies before lines that are read earlier, so lines are read ahead by [`Reading::max_latency`]. A longer call is
//! taken to have begun that long before its end, and [`Report::shortened`] counts it. Memory in use is that of the records of
//! such a stretch of time, and one entry per trip and recovery.
//!
//! **Several settings.** [`compare`] tells what each of several settings would have done with a recording that is read once,
//! [`draw`] makes a page of it as well, and [`suggest`](mod@suggest) proposes settings. A recording only says how calls went as
//! they were made: what is said of a refused call is how it would have gone had it been made.
//!
//! A reading of memory is believed for three times `sample_interval` (1.5 s by default): set that to the distance of
//! the recorded ones. The wait of an open breaker has no jitter here.
//!
//! ```
//! use tripline_backends::replay::{Mode, Options, run};
//! use tripline_runtime::core::{Latency, Policy};
//!
//! let mut policy = Policy::default();
//! policy.latency_threshold = Latency::from_millis(300);
//! policy.minimum_samples = Some(2);
//! let options = Options::new(policy, Mode::Summary);
//!
//! let input = "at_ms,latency_ms\n1000,310\n2000,320\n3000,10\n";
//! let mut output = Vec::new();
//! run(&options, input.as_bytes(), &mut output)?;
//! assert_eq!(
//!     String::from_utf8_lossy(&output),
//!     "{\"calls\":3,\"admitted\":2,\"rejected\":1,\"percentile_ms\":310,\
//!      \"trips\":[{\"index\":1,\"at_ms\":1980,\"reason\":\"latency\"}],\"recoveries\":[]}\n"
//! );
//! # Ok::<(), tripline_backends::replay::ReplayError>(())
//! ```

use std::io::{BufRead, BufWriter, Write};

use tripline_runtime::core::Policy;

mod access_log;
mod chart;
mod clock;
mod compare;
mod csv;
mod decimal;
mod driver;
mod error;
mod figures;
mod format;
mod histogram;
mod in_flight;
mod json;
mod lines;
pub(crate) mod names;
mod observe;
mod output;
pub(crate) mod page;
mod reader;
mod reading;
mod record;
pub(crate) mod rows;
mod schedule;
mod subject;
pub mod suggest;
mod timeline;
pub(crate) mod words;

use driver::{Driver, Totals};
use observe::Observer;
use output::{JsonLines, Summary};
use reading::Findings;

pub use access_log::{LogProblem, LogReport};
pub use chart::{Drawing, draw};
pub use compare::{Setting, compare};
pub use error::{LineProblem, ReplayError};
pub use figures::{Figures, MAX_TRIPS_TOLD, Trip};
pub use format::{Format, Input, LatencyUnit, LogFormat};
pub use names::Warning;
pub use page::BEGINNING as PAGE_BEGINNING;
pub use reading::Reading;

/// A line of the input may not be longer than this.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// How a replay is made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// The settings of the breaker; `wait_jitter` is taken as 0.
    pub policy: Policy,
    /// Whether calls are seen to hang before they finish. Default: true.
    pub stall_detection: bool,
    /// What is written.
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

/// What a replay writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One JSON object at the end: `calls`, `admitted`, `rejected`, `percentile_ms` (at the end; `null` where the window is
    /// empty), `trips` with the index of the record that was being finished, stalled or read, and `recoveries` (each time
    /// that the breaker closed).
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

/// What else there is to tell of a replay.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Report {
    /// Records that were replayed.
    pub records: u64,
    /// Calls longer than [`Reading::max_latency`].
    pub shortened: u64,
    /// The most records that were held at once.
    pub most_held: usize,
    /// Fields that were passed over and look misspelt, each name once; at most 16.
    pub warnings: Vec<Warning>,
    /// What there is to tell of an access log; `None` where the input is none.
    pub log: Option<LogReport>,
}

impl Report {
    fn new(totals: Totals, findings: Findings) -> Self {
        let Totals { records, shortened, most_held } = totals;
        let Findings { warnings, log } = findings;
        Self { records, shortened, most_held, warnings, log }
    }
}

/// Replays `input` and writes what came of it to `output`. The same input gives the same bytes.
///
/// Takes about a microsecond per record, in [`Mode::JsonLines`] longer the larger the window is.
///
/// # Errors
/// [`ReplayError`] at the first line that cannot be used, and where input or output fail. With [`Mode::JsonLines`] what came
/// before may have been written already.
pub fn run(options: &Options, input: impl BufRead, output: &mut impl Write) -> Result<Report, ReplayError> {
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

fn summarise(options: &Options, input: impl BufRead, output: &mut impl Write) -> Result<Report, ReplayError> {
    let (summary, report) = drive(options, input, Summary::default())?;
    summary.write(output).map_err(ReplayError::Write)?;
    Ok(report)
}

/// Replays to one breaker.
fn drive<O: Observer>(options: &Options, input: impl BufRead, observer: O) -> Result<(O, Report), ReplayError> {
    let mut driver = Driver::new(&options.policy, options.stall_detection, options.reading.longest(), observer)?;
    let findings = options.reading.read_all(input, |record| driver.take(record))?;
    let (observer, totals) = driver.finish()?;
    Ok((observer, Report::new(totals, findings)))
}
