//! How many lines of an input were used, and why others were not.

use std::collections::BTreeMap;
use std::fmt;

use super::human_format::{count, counted, times};

/// Lines that were not used, counted by reason.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unusable {
    counts: BTreeMap<&'static str, u64>,
    first: Option<(u64, String)>,
}

impl Unusable {
    /// Counts a line; `text` says in full what is wrong with it.
    pub(super) fn add(&mut self, line: u64, reason: &'static str, text: impl fmt::Display) {
        *self.counts.entry(reason).or_default() += 1;
        if self.first.is_none() {
            self.first = Some((line, text.to_string()));
        }
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// How many there are for this reason.
    pub fn count(&self, reason: &str) -> u64 {
        self.counts.get(reason).copied().unwrap_or(0)
    }

    /// Each reason with its count, in alphabetical order.
    pub fn reasons(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.counts.iter().map(|(reason, count)| (*reason, *count))
    }

    /// The number of the first line that was not used, counted from 1, and what is wrong with it.
    pub fn first(&self) -> Option<(u64, &str)> {
        self.first.as_ref().map(|(line, text)| (*line, text.as_str()))
    }
}

/// `{"latency":2,"time":1}`
impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (nth, (reason, count)) in self.reasons().enumerate() {
            write!(f, "{}\"{reason}\":{count}", if nth == 0 { "" } else { "," })?;
        }
        f.write_str("}")
    }
}

/// What was read of an input, line by line: `lines` = records + [`Unusable::total`] of `unusable` and of `unrouted` + `excluded`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Usage {
    /// Lines, without blank ones, headers and directives.
    pub lines: u64,
    /// Lines that were not used.
    pub unusable: Unusable,
    /// Calls that were left out by their path.
    pub excluded: u64,
    /// Calls for no breaker, by reason; only where several breakers follow a log.
    pub unrouted: Unusable,
    /// Calls whose line lacks the path or host by which calls are selected.
    pub without_path: u64,
    /// NUL bytes, which were passed over; they separate lines.
    pub nul_bytes: u64,
    /// How often the clock was set back for the whole rest of the input, whose times are shifted to continue.
    pub origin_changes: u64,
    /// Calls that were replayed although their order was not certain yet, because too many were held.
    pub released_early: u64,
}

impl Usage {
    /// Reasons for lines that are not calls by their nature: they do not make the input less trustworthy.
    const NO_CALLS: [&'static str; 3] = ["no_call", "rejected", "busy"];

    /// The share of the lines, 0 to 1, that should be calls and could not be used.
    pub fn unreadable_share(&self) -> f64 {
        let no_calls: u64 = Self::NO_CALLS.iter().map(|reason| self.unusable.count(reason)).sum();
        (self.unusable.total() - no_calls) as f64 / self.lines.max(1) as f64
    }

    /// The unused lines and the clock changes as text; empty where every line was used.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some((line, problem)) = self.unusable.first() {
            let reasons: Vec<String> =
                self.unusable.reasons().map(|(reason, number)| format!("{} {reason}", count(number))).collect();
            let (unused, lines) = (count(self.unusable.total()), count(self.lines));
            notes.push(format!(
                "{unused} of {lines} lines were not used, the first is line {line}: {problem} (by reason: {})",
                reasons.join(", ")
            ));
        }
        if self.excluded > 0 {
            notes.push(format!(
                "{} left out by --include and --exclude",
                counted(self.excluded, "call is", "calls are")
            ));
        }
        if let Some((line, reason)) = self.unrouted.first() {
            let calls = counted(self.unrouted.total(), "call is", "calls are");
            notes.push(format!(
                "{calls} for no breaker, the first is line {line}: {reason} (by reason: {})",
                self.unrouted
            ));
        }
        if self.without_path > 0 {
            let calls = counted(self.without_path, "call has", "calls have");
            notes.push(format!("{calls} no path that --include and --exclude could match"));
        }
        if self.nul_bytes > 0 {
            notes.push(format!("{} passed over", counted(self.nul_bytes, "NUL byte was", "NUL bytes were")));
        }
        match self.origin_changes {
            0 => {}
            changes => notes.push(format!(
                "the clock was set back {} for the whole rest of the input (or recordings were put one behind the other \
                 out of order); from there on times are counted from where the input had got to",
                times(changes)
            )),
        }
        if self.released_early > 0 {
            let calls = counted(self.released_early, "call was", "calls were");
            notes.push(format!("{calls} replayed before the order was certain, because too many are held"));
        }
        notes
    }

    /// The fields of a JSON object, beginning with a comma.
    pub(super) fn write_json(&self, output: &mut impl std::io::Write) -> std::io::Result<()> {
        let Self { unusable, excluded, unrouted, nul_bytes, origin_changes, .. } = self;
        write!(output, ",\"unusable\":{unusable},\"excluded\":{excluded},")?;
        if unrouted.total() > 0 {
            write!(output, "\"unrouted\":{unrouted},")?;
        }
        write!(output, "\"nul_bytes\":{nul_bytes},\"origin_changes\":{origin_changes}")
    }
}
