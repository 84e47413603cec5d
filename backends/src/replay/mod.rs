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
//! Milliseconds may have a fraction and are taken to the nanosecond, without rounding on the way; the breaker distinguishes latencies
//! by the microsecond. Other fields and blank lines are passed over, and [`InputReport::warnings`] has those fields that
//! look misspelt; `null` and an empty CSV value are the same as nothing. Lines that cannot be used are passed over
//! and counted by reason in [`Usage`]; an input without a usable line is an error that names the first one.
//!
//! **Access logs.** Each line is a call; [`LogFormat`] has the formats, and
//! [`Input`] says what is not to be guessed. Without that the first 20 lines decide the format: the one that understands most
//! of them. Lines stand in a log as they were written, which is not quite the order of the ends, and often with whole seconds only:
//!
//! - Calls of the same whole second are spread evenly over it, in the order of the input: n calls lie 1/n of a second
//!   apart. Otherwise a breaker would see a burst each second, and none of what happens in it. Times with a fraction are
//!   taken as they are.
//! - Lines may be out of order by a minute, and where they are stamped with the start of the call by its length more, up to
//!   [`Reading::max_latency`]. A call that comes too late is put where the log had got to, and counted.
//! - What is held for that are the calls of a minute, of logs with starts twice [`Reading::max_latency`] more.
//!
//! **Order.** A call asks at its start, `at_ms` − `latency_ms`; rejected, it is never made and its end is not recorded. Time begins
//! with the earliest start, and ends with the last record. What falls on the same instant comes in this order: finished calls,
//! calls that become stalled, memory readings, deadlines, starting calls; within these in the order of the input. A call of no
//! length ends right after its own start.
//!
//! A start lies before lines that are read earlier, so lines are read ahead by [`Reading::max_latency`]. A longer call is
//! taken to have begun that long before its end, and [`InputReport::shortened`] counts it. Memory in use is that of the records of
//! such a stretch of time, and one entry per trip and recovery.
//!
//! **Several settings.** [`compare`] reports what each of several settings would have done with a recording that is read once,
//! [`draw`] makes a page of it as well, and [`suggest`](mod@suggest) proposes settings. A recording contains calls as they
//! were made: the figures of a rejected call show its outcome had it been made.
//!
//! A reading of memory is valid for three times `sample_interval` (1.5 s by default): set that to the distance of
//! the recorded ones. The wait of an open breaker has no jitter here.
//!
//! ```
//! use tripline_backends::replay::{Mode, Options, run};
//! use tripline_runtime::core::{Confidence, Latency, Policy};
//!
//! let mut policy = Policy::default();
//! // Two calls are too few for evidence that lasts.
//! policy.trip_confidence = Confidence::ZERO;
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
//!      \"trips\":[{\"index\":1,\"at_ms\":1980,\"reason\":\"latency\",\
//!      \"why\":\"latency: 1 slow, 0 failed of 2 calls, 1 hanging; p95 310 ms, threshold 300 ms\"}],\"recoveries\":[],\
//!      \"unusable\":{},\"excluded\":0,\"nul_bytes\":0,\"origin_changes\":0}\n"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access_log;
mod clock;
mod compare;
pub(crate) mod comparison_table;
mod csv;
mod decimal;
mod driver;
mod error;
mod field_map;
mod figures;
#[cfg_attr(not(feature = "cli"), allow(dead_code, unused_imports, reason = "the command line follows logs"))]
pub(crate) mod follow;
mod format;
mod grouping;
mod histogram;
pub(crate) mod human_format;
mod in_flight;
mod input_report;
mod json;
mod latency_unit;
mod limits;
mod lines;
mod names;
pub(crate) mod nul_bytes;
mod observe;
mod origin;
mod output;
mod path_filter;
mod reader;
mod reading;
mod record;
mod replayed_breaker;
mod report;
mod run;
mod schedule;
pub mod suggest;
mod timeline;
mod unusable;

pub use access_log::{LogFormat, LogProblem, LogReport};
pub use compare::{Setting, compare};
pub use error::{LineProblem, ReplayError};
pub use field_map::{FieldMapping, FieldMappingError, Role};
pub use figures::{Figures, MAX_TRIPS_LISTED, Trip};
pub use format::{Format, Input};
pub use grouping::{GroupBy, GroupByError, MAX_GROUPS};
pub use input_report::InputReport;
pub use latency_unit::LatencyUnit;
pub use limits::MAX_LINE_BYTES;
pub use names::Warning;
pub use path_filter::PathFilter;

pub use crate::text::PathPatterns;
pub use reading::Reading;
pub use report::{BEGINNING as PAGE_BEGINNING, Report, draw};
pub use run::{Mode, Options, run};
pub use unusable::{Unusable, Usage};
