//! How a recording is read.

use std::io::BufRead;
use std::time::Duration;

use tripline_runtime::core::Latency;

use super::access_log::LogReport;
use super::driver::nanos;
use super::error::ReplayError;
use super::format::Input;
use super::names::Warning;
use super::reader::Records;
use super::record::Record;

/// How a recording is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reading {
    /// How it is written. Default: found out from its first lines.
    pub input: Input,
    /// How far lines are read ahead; a longer call is taken to have begun this long before its end. At most 71 min 34 s,
    /// the longest latency that a breaker tells apart. Default: 60 s.
    pub max_latency: Duration,
}

impl Default for Reading {
    fn default() -> Self {
        Self { input: Input::default(), max_latency: Duration::from_secs(60) }
    }
}

impl Reading {
    /// The longest call as it is replayed, in nanoseconds.
    pub(super) fn longest(self) -> i64 {
        nanos(self.max_latency.min(Latency::MAX.into()))
    }

    /// Gives every record of `input` to `take`, one after the other.
    pub(super) fn read_all(
        self,
        input: impl BufRead,
        mut take: impl FnMut(Record) -> Result<(), ReplayError>,
    ) -> Result<Findings, ReplayError> {
        let mut records = Records::with_format(input, self.input, self.longest());
        while let Some(record) = records.next()? {
            take(record)?;
        }
        Ok(Findings { warnings: records.take_warnings(), log: records.log_report() })
    }
}

/// What there is to tell of an input that was read to its end.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) warnings: Vec<Warning>,
    pub(super) log: Option<LogReport>,
}
