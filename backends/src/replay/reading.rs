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
use super::unusable::Usage;

/// How a recording is read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reading {
    /// How it is written. Default: found out from its first lines.
    pub input: Input,
    /// How far lines are read ahead; a longer call is taken to have begun this long before its end. At most 71 min 34 s,
    /// the longest latency that a breaker distinguishes. Default: 60 s.
    pub max_latency: Duration,
}

impl Default for Reading {
    fn default() -> Self {
        Self { input: Input::default(), max_latency: Duration::from_secs(60) }
    }
}

impl Reading {
    /// The longest call as it is replayed, in nanoseconds.
    pub(super) fn longest(&self) -> i64 {
        nanos(self.max_latency.min(Latency::MAX.into()))
    }

    /// Judges the beginning of an input: an error if nothing of its first lines can be used.
    ///
    /// # Errors
    /// As [`run`](super::run) at the first lines.
    pub fn check_beginning(&self, beginning: impl BufRead) -> Result<(), ReplayError> {
        let mut records = Records::with_format(beginning, self.input.clone(), self.longest());
        records.begin()?;
        records.next().map(|_| ())
    }

    /// Gives every record of `input` to `take`, one after the other.
    pub(super) fn read_all(
        &self,
        input: impl BufRead,
        mut take: impl FnMut(Record) -> Result<(), ReplayError>,
    ) -> Result<Findings, ReplayError> {
        let mut records = Records::with_format(input, self.input.clone(), self.longest());
        while let Some(record) = records.next()? {
            take(record)?;
        }
        Ok(Findings { warnings: records.take_warnings(), log: records.log_report(), usage: records.usage() })
    }
}

/// The report on an input that was read to its end.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) warnings: Vec<Warning>,
    pub(super) log: Option<LogReport>,
    pub(super) usage: Usage,
}
