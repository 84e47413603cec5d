//! The content of one line of the input, checked.

use std::sync::Arc;

use tripline_runtime::core::{MemorySample, Outcome};

use super::access_log::Destination;
use super::decimal::{Millis, nanos};
use super::error::LineProblem;
use super::path_filter::{PathFilter, host_of, path_of};

/// Times of this many milliseconds, before or after 0, are accepted: as milliseconds since 1970 they reach to 2096.
const MAX_AT_MS: i128 = 4_000_000_000_000;
const AT_ALLOWED: &str = "a number of milliseconds from -4000000000000 to 4000000000000";
const LATENCY_ALLOWED: &str = "a number of milliseconds, 0 or more";
const MEMORY_ALLOWED: &str = "a number of percent, 0 or more";
const NUMBER_ALLOWED: &str = "a number (not text)";
const OUTCOME_ALLOWED: &str = "ok, error or ignored";

/// The values of a line as they were written; `None` where there is none.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    pub(super) at_ms: Option<&'a str>,
    pub(super) latency_ms: Option<&'a str>,
    pub(super) outcome: Option<&'a str>,
    pub(super) memory_percent: Option<&'a str>,
    pub(super) path: Option<&'a str>,
}

/// The result of a line.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Parsed {
    Record(Record),
    /// A call that is left out by its path.
    Excluded,
}

/// A finished call, a memory reading, or both at the same instant. Times are nanoseconds on the input's own line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    pub(super) at: i64,
    pub(super) call: Option<Call>,
    pub(super) memory: Option<MemorySample>,
    /// The breaker of the call, where a log is followed by several.
    pub(super) to: Option<Arc<Destination>>,
}

/// A finished call; it ended at the time of its record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Call {
    /// In nanoseconds, saturating.
    pub(super) latency: i64,
    pub(super) outcome: Outcome,
}

impl Record {
    pub(super) fn parse(fields: &Fields<'_>, paths: &PathFilter) -> Result<Parsed, LineProblem> {
        let at = at(fields.at_ms.ok_or(LineProblem::MissingTime)?)?;
        let outcome = fields.outcome.map_or(Ok(Outcome::Ok), outcome)?;
        let latency = fields.latency_ms.map(latency).transpose()?;
        let memory = fields.memory_percent.map(memory).transpose()?;
        if latency.is_none() && memory.is_none() {
            return Err(LineProblem::NothingToReplay);
        }
        let is_admitted = match fields.path {
            Some(path) => paths.selects(Some(path_of(path.as_bytes())), host_of(path.as_bytes())),
            None => latency.is_none() || paths.admits_no_path(),
        };
        if !is_admitted {
            return Ok(Parsed::Excluded);
        }
        Ok(Parsed::Record(Self { at, call: latency.map(|latency| Call { latency, outcome }), memory, to: None }))
    }

    /// The problem of a record that is earlier than the one before it.
    pub(super) fn backwards(&self, before: Option<i64>) -> Option<LineProblem> {
        let before = before.filter(|before| self.at < *before)?;
        Some(LineProblem::Backwards { at_ms: Millis(self.at).to_string(), before_ms: Millis(before).to_string() })
    }
}

fn at(text: &str) -> Result<i64, LineProblem> {
    let bad = || bad_number("at_ms", text, AT_ALLOWED);
    let at = nanos(text).ok_or_else(bad)?;
    if at.abs() > MAX_AT_MS * 1_000_000 {
        return Err(bad());
    }
    i64::try_from(at).map_err(|_| bad())
}

fn latency(text: &str) -> Result<i64, LineProblem> {
    match nanos(text) {
        Some(latency @ 0..) => Ok(i64::try_from(latency).unwrap_or(i64::MAX)),
        _ => Err(bad_number("latency_ms", text, LATENCY_ALLOWED)),
    }
}

fn outcome(text: &str) -> Result<Outcome, LineProblem> {
    match text {
        "ok" => Ok(Outcome::Ok),
        "error" => Ok(Outcome::Failed),
        "ignored" => Ok(Outcome::Ignored),
        _ => Err(LineProblem::value("outcome", &format!("\"{text}\""), OUTCOME_ALLOWED)),
    }
}

/// Numbers come as they are written; in JSON a text still has its quotes.
fn bad_number(field: &'static str, written: &str, allowed: &'static str) -> LineProblem {
    LineProblem::value(field, written, if written.starts_with('"') { NUMBER_ALLOWED } else { allowed })
}

/// A share of a limit that is a power of two, so that the core divides back to the very same `f64` that a threshold in
/// percent becomes; more than twice the limit counts as twice.
fn memory(text: &str) -> Result<MemorySample, LineProblem> {
    const LIMIT: u64 = 1 << 63;
    let bad = || bad_number("memory_percent", text, MEMORY_ALLOWED);
    // The grammar is that of the other numbers; `f64` alone would also take words such as "infinity".
    let percent: f64 = nanos(text).and_then(|_| text.parse().ok()).ok_or_else(bad)?;
    if percent < 0.0 {
        return Err(bad());
    }
    Ok(MemorySample { used: (percent / 100.0 * LIMIT as f64) as u64, limit: Some(LIMIT) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::float_cmp)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_percentage_comes_out_as_the_ratio_that_the_same_threshold_has() {
        for tenths in 1..=1_000_u32 {
            let percent = format!("{}.{}", tenths / 10, tenths % 10);
            let threshold = percent.parse::<f64>().unwrap() / 100.0;
            assert_eq!(memory(&percent).unwrap().ratio(), Some(threshold), "{percent} %");
        }
    }

    #[test]
    fn more_memory_than_there_is_stays_exhausted() {
        assert_eq!(memory("1e300").unwrap().ratio(), Some(2.0));
        assert_eq!(memory("0").unwrap().ratio(), Some(0.0));
        assert!(memory("-0.1").is_err());
        assert!(memory("infinity").is_err());
    }
}
