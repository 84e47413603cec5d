//! The explanation of a trip with its evidence: one type, and one text everywhere.

use std::fmt;

use std::time::Duration;

use tripline_core::{
    Breaker as Core, EvidenceTest, Latency, MemorySample, MemoryState, SampleStore, StateKind, ToleranceSource, Trip,
    TripReason,
};

/// Why a breaker opened: the rule and the values to which it was applied.
///
/// Its `Display` is one line of plain text, the same in status, command line, dashboard, events, rejections, logs and
/// alerts. For a trip that an operator simulated, a drill, the text begins with that word.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TripExplanation {
    /// The rule.
    pub reason: TripReason,
    /// Whether an operator simulated the trip: the service had no fault. True as long as the trip lasts, also after the
    /// simulation is removed.
    pub is_drill: bool,
    /// Calls that counted when the breaker opened: those of the window and the stalled ones.
    pub calls: u16,
    /// Of these, calls slower than the latency threshold.
    pub slow: u16,
    /// Of these, calls that failed.
    pub failed: u16,
    /// Calls that were stalled when the breaker opened. They count as slow and are not in the window.
    pub hanging: u16,
    /// The evidence of the trip; `None` if none was required (memory, simulations, probes).
    #[cfg_attr(feature = "serde", serde(default))]
    pub evidence: Option<LastingEvidence>,
    /// The percentile in use, as a ratio.
    pub percentile: f64,
    /// The latency at that percentile; `None` while the window is empty.
    pub percentile_latency: Option<Latency>,
    /// The latency threshold.
    pub latency_threshold: Latency,
    /// The share of failed calls that opens the breaker, as a ratio; `None` if the failure rule is off.
    pub failure_rate_threshold: Option<f64>,
    /// The last memory reading; `None` if memory is unknown.
    pub memory: Option<MemorySample>,
    /// The share of memory that opens the breaker, as a ratio.
    pub memory_threshold: f64,
    /// The horizon of the memory forecast; zero if it is off.
    #[cfg_attr(feature = "serde", serde(default))]
    pub memory_horizon: Duration,
}

/// Evidence that lasted long enough to open a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct LastingEvidence {
    /// The test with the evidence.
    pub test: EvidenceTest,
    /// The age of the evidence.
    pub age: Duration,
    /// The required age, without the additions of the patient test and of a draining queue.
    pub tolerance: Duration,
    /// The source of the tolerance.
    pub source: ToleranceSource,
}

impl LastingEvidence {
    fn of<const N: usize, S: SampleStore>(core: &Core<N, S>) -> Option<Self> {
        let evidence = core.trip_evidence()?;
        let (test, tolerance) = evidence.test.zip(evidence.tolerance)?;
        Some(Self {
            test,
            age: Duration::from_millis(evidence.age_ms.into()),
            tolerance: Duration::from_millis(tolerance.millis.into()),
            source: tolerance.source,
        })
    }
}

impl fmt::Display for LastingEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.source {
            ToleranceSource::Learned => "learned",
            ToleranceSource::WarmUp => "of the warm-up",
            ToleranceSource::Fixed => "set by trip_after",
            _ => "to start with",
        };
        let (age, tolerance) = (Rounded(self.age.as_secs_f64()), Rounded(self.tolerance.as_secs_f64()));
        write!(f, "{} evidence for {age} s, tolerance {tolerance} s ({why})", self.test.as_str())
    }
}

impl TripExplanation {
    /// Explains the trip of a breaker that is open or half-open; `None` in any other state. O(1).
    ///
    /// Counts and evidence are those that the core recorded at the trip.
    pub(crate) fn of<const N: usize, S: SampleStore>(core: &Core<N, S>, drill: Option<Trip>) -> Option<Self> {
        let is_open = matches!(core.state().kind(), StateKind::Open | StateKind::HalfOpen);
        let trip = core.last_trip().filter(|_| is_open)?;
        let policy = core.policy();
        let failure_rate = policy.failure_rate_threshold.get();
        let (calls, slow, failed) = core.trip_evidence().map_or_else(
            // A probe opened the breaker in a resumed incident: there is no trip from closed.
            || (core.samples().saturating_add(trip.stalled), core.samples_above(), core.samples_failed()),
            |evidence| (evidence.calls, evidence.slow, evidence.failed),
        );
        let is_by_probe = matches!(trip.reason, TripReason::ProbeSlow | TripReason::ProbeFailed);
        Some(Self {
            reason: trip.reason,
            is_drill: drill == Some(trip),
            calls,
            slow,
            failed,
            hanging: core.trip_evidence().map_or(trip.stalled, |evidence| evidence.stalled),
            evidence: LastingEvidence::of(core).filter(|_| !is_by_probe),
            percentile: policy.percentile.get(),
            percentile_latency: core.percentile(),
            latency_threshold: policy.latency_threshold,
            failure_rate_threshold: (failure_rate > 0.0).then_some(failure_rate),
            memory: core.memory_sample().filter(|_| core.memory_state() != MemoryState::Unknown),
            memory_threshold: policy.memory_threshold.get(),
            memory_horizon: policy.memory_horizon,
        })
    }

    /// The share of failed calls, as a ratio; `None` without calls.
    pub fn failure_rate(&self) -> Option<f64> {
        (self.calls > 0).then(|| f64::from(self.failed) / f64::from(self.calls))
    }

    /// Memory in use, as a ratio of the limit; `None` if either is unknown.
    pub fn memory_ratio(&self) -> Option<f64> {
        self.memory.and_then(MemorySample::ratio)
    }

    fn write_counts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} slow, {} failed of {} calls, {} hanging", self.slow, self.failed, self.calls, self.hanging)
    }

    fn write_latency(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_counts(f)?;
        if let Some(latency) = self.percentile_latency {
            write!(f, "; p{} {} ms", Rounded(self.percentile * 100.0), Rounded(latency.as_millis_f64()))?;
        }
        write!(f, ", threshold {} ms", Rounded(self.latency_threshold.as_millis_f64()))
    }

    fn write_failures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_counts(f)?;
        if let Some(rate) = self.failure_rate() {
            write!(f, "; {} % failed", Rounded(rate * 100.0))?;
        }
        match self.failure_rate_threshold {
            Some(limit) => write!(f, ", threshold {} %", Rounded(limit * 100.0)),
            None => Ok(()),
        }
    }

    fn write_memory(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_usage(f)?;
        write!(f, ", threshold {} %", Rounded(self.memory_threshold * 100.0))
    }

    fn write_forecast(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_usage(f)?;
        write!(f, ", at this pace exhausted within {} s", Rounded(self.memory_horizon.as_secs_f64()))
    }

    fn write_usage(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.memory_ratio() {
            Some(ratio) => write!(f, "{} % in use", Rounded(ratio * 100.0)),
            None => f.write_str("usage unknown"),
        }
    }
}

impl fmt::Display for TripExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_drill {
            let what = if is_of_memory(self.reason) { "exhausted memory" } else { "slow calls" };
            return write!(f, "drill: an operator simulated {what}");
        }
        write!(f, "{}: ", self.reason.as_str().replace('_', " "))?;
        match self.reason {
            TripReason::Failures | TripReason::ProbeFailed => self.write_failures(f),
            TripReason::Memory => self.write_memory(f),
            TripReason::MemoryAndLatency => {
                self.write_memory(f)?;
                f.write_str("; ")?;
                self.write_latency(f)
            }
            reason if is_of_memory(reason) => self.write_forecast(f),
            _ => self.write_latency(f),
        }?;
        match self.evidence {
            Some(evidence) => write!(f, "; {evidence}"),
            None => Ok(()),
        }
    }
}

/// `MemoryForecast` exists only with a feature of the core.
fn is_of_memory(reason: TripReason) -> bool {
    reason.as_str().starts_with("memory")
}

/// Formats a number with at most two decimals.
struct Rounded(f64);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", (self.0 * 100.0).round() / 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explanation(reason: TripReason) -> TripExplanation {
        TripExplanation {
            reason,
            is_drill: false,
            calls: 100,
            slow: 12,
            failed: 55,
            hanging: 11,
            evidence: None,
            percentile: 0.95,
            percentile_latency: Some(Latency::from_millis(20)),
            latency_threshold: Latency::from_millis(300),
            failure_rate_threshold: Some(0.5),
            memory: Some(MemorySample { used: 8_765, limit: Some(10_000) }),
            memory_threshold: 0.85,
            memory_horizon: Duration::from_secs(60),
        }
    }

    #[test]
    fn each_rule_shows_the_evidence_it_is_about() {
        let shown = |reason| explanation(reason).to_string();
        let calls = "12 slow, 55 failed of 100 calls, 11 hanging";
        assert_eq!(shown(TripReason::Latency), format!("latency: {calls}; p95 20 ms, threshold 300 ms"));
        assert_eq!(shown(TripReason::ProbeSlow), format!("probe slow: {calls}; p95 20 ms, threshold 300 ms"));
        assert_eq!(shown(TripReason::Failures), format!("failures: {calls}; 55 % failed, threshold 50 %"));
        assert_eq!(shown(TripReason::Memory), "memory: 87.65 % in use, threshold 85 %");
        assert_eq!(
            shown(TripReason::MemoryAndLatency),
            format!("memory and latency: 87.65 % in use, threshold 85 %; {calls}; p95 20 ms, threshold 300 ms")
        );
    }

    #[test]
    fn a_forecast_names_its_horizon() {
        let shown = explanation(TripReason::MemoryForecast).to_string();
        assert_eq!(shown, "memory forecast: 87.65 % in use, at this pace exhausted within 60 s");
    }

    #[test]
    fn lasting_evidence_is_shown_with_its_age_and_why_it_had_to_be_so_old() {
        let evidence = |source| {
            let (age, tolerance) = (Duration::from_millis(1_620), Duration::from_millis(1_500));
            LastingEvidence { test: EvidenceTest::Failures, age, tolerance, source }
        };
        let shown = |source| TripExplanation { evidence: Some(evidence(source)), ..explanation(TripReason::Failures) };
        for (source, why) in [
            (ToleranceSource::Start, "to start with"),
            (ToleranceSource::Learned, "learned"),
            (ToleranceSource::WarmUp, "of the warm-up"),
            (ToleranceSource::Fixed, "set by trip_after"),
        ] {
            let text = shown(source).to_string();
            let expected = format!("threshold 50 %; failures evidence for 1.62 s, tolerance 1.5 s ({why})");
            assert!(text.ends_with(&expected), "{text}");
        }
    }

    #[test]
    fn a_drill_shows_no_figures_that_look_real() {
        for reason in TripReason::ALL {
            let drill = TripExplanation { is_drill: true, ..explanation(reason) }.to_string();
            assert!(drill.starts_with("drill: ") && !drill.contains(|c: char| c.is_ascii_digit()), "{drill}");
        }
    }

    #[test]
    fn what_is_unknown_is_left_out() {
        let empty = TripExplanation {
            calls: 0,
            slow: 0,
            failed: 0,
            percentile_latency: None,
            memory: None,
            failure_rate_threshold: None,
            ..explanation(TripReason::Failures)
        };
        assert_eq!(empty.to_string(), "failures: 0 slow, 0 failed of 0 calls, 11 hanging");
        let memory = TripExplanation { reason: TripReason::Memory, ..empty };
        assert_eq!(memory.to_string(), "memory: usage unknown, threshold 85 %");
    }
}
