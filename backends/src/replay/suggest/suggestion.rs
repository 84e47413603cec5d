//! The basis of a suggestion, and its parts.

use tripline_runtime::core::{Latency, Percentile, Policy};

use super::candidate::Cost;
use super::fault_injection::{Delay, Fault};
use super::segments::Incident;
use crate::replay::compare::Setting;
use crate::replay::input_report::InputReport;
use crate::replay::reading::Reading;

/// The basis of a suggestion.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SuggestOptions {
    /// The settings that stay as they are: the percentile and all that is not proposed.
    pub base: Setting,
    /// Keys of the base that are not proposed and differ from the defaults, each with its value as TOML: they belong to a
    /// configuration that is made of the proposal.
    pub kept: Vec<(String, String)>,
    /// Settings whose cost is reported beside that of the proposal.
    pub beside: Vec<Setting>,
    /// How the recording is read.
    pub reading: Reading,
}

impl SuggestOptions {
    /// Proposals on top of `base`, compared with `beside`.
    pub fn new(base: Setting, beside: Vec<Setting>) -> Self {
        Self { base, kept: Vec::new(), beside, reading: Reading::default() }
    }
}

/// The result of a recording.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Suggestion {
    /// The recorded calls.
    pub recording: Recording,
    /// Whether it shows no incident, and neither many slow segments nor many failures.
    pub is_healthy: bool,
    /// Why it is not a healthy recording of sufficient length; empty where it is one.
    pub doubts: Vec<String>,
    /// The settings to use: those of the base with latency threshold, window and confidence in their place. `None` where
    /// the recording is too short, as the doubts say.
    pub proposal: Option<Proposal>,
    /// How the input was read; `peak_held` is 0, because the first reading holds no record.
    pub report: InputReport,
}

/// The recorded calls.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Recording {
    /// Records of any kind.
    pub records: u64,
    /// Calls.
    pub calls: u64,
    /// Of these those that failed.
    pub failed: u64,
    /// When the first record, or the start of its call, was; nanoseconds on the input's own line.
    pub from_nanos: i64,
    /// The last record.
    pub to_nanos: i64,
    /// Calls a second, usually, and in the quietest tenth of the time.
    pub calls_per_second: (f64, f64),
    /// The percentile that is evaluated.
    pub percentile_of: Percentile,
    /// That of all calls, within 1 %.
    pub percentile: Option<Latency>,
    /// The longest call.
    pub longest: Option<Latency>,
    /// Whether latencies are written as whole seconds.
    pub has_whole_seconds: bool,
    /// The share of the calls, 0 to 1, whose lines came too late for their place in the order of time.
    pub late_share: f64,
    /// Calls in a segment.
    pub stretch_calls: u64,
    /// Segments.
    pub segments: u64,
    /// The typical segment's percentile.
    pub typical: Option<Latency>,
    /// That of the worst segment which is not slow.
    pub worst_calm: Option<Latency>,
    /// Segments are slow from here on.
    pub slow_from: Option<Latency>,
    /// Slow segments that are part of no incident.
    pub hiccups: u64,
    /// The suspected incidents.
    pub incidents: Vec<Incident>,
}

/// Settings, and both sides of their trade.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Proposal {
    /// The proposed settings.
    pub policy: Policy,
    /// The name of the settings that it changes.
    pub base: String,
    /// The keys that are proposed.
    pub keys: Vec<ProposedKey>,
    /// As [`SuggestOptions::kept`], without keys that are proposed.
    pub kept: Vec<(String, String)>,
    /// Whether a breaker with a threshold lower by a quarter has no false trip either.
    pub has_headroom: bool,
    /// Whether the threshold lies above twice the typical percentile.
    pub is_twice_healthy: bool,
    /// For the proposal and then each of [`SuggestOptions::beside`]: its name, what it would have cost, and how soon it finds
    /// each of [`Fault::ALL`](super::Fault::ALL).
    pub sides: Vec<Side>,
}

/// A key that is proposed, with its value as TOML and why it has it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProposedKey {
    /// The key.
    pub key: &'static str,
    /// Its value, as in a configuration.
    pub value: String,
    /// Lines of a comment.
    pub reason: String,
}

/// The cost of some settings, and the faults that they find.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Side {
    /// Their name.
    pub name: String,
    /// The cost on the recording.
    pub cost: Cost,
    /// How soon each of [`Fault::ALL`](super::Fault::ALL) is found.
    pub delays: Vec<Delay>,
}

impl Proposal {
    /// Faults of the table that the proposal misses at half of the places or more, each with how often it trips.
    ///
    /// Twice as long is no fault where the threshold lies above twice the typical percentile: the service gets as slow while
    /// it is well.
    pub fn missed_faults(&self) -> Vec<(Fault, Delay)> {
        let delays = self.sides.first().map_or(&[][..], |side| side.delays.as_slice());
        let is_fault = |fault: Fault| fault != Fault::Slower(2) || !self.is_twice_healthy;
        let faults = Fault::ALL.into_iter().zip(delays).filter(|(fault, _)| is_fault(*fault));
        let missed = faults.filter(|(_, delay)| delay.tried > 0 && delay.tripped * 2 <= delay.tried);
        missed.map(|(fault, delay)| (fault, delay.clone())).collect()
    }
}
