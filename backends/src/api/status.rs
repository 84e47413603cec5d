//! Everything about a breaker at one moment.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::Number;
use tripline_runtime::core::{Breaker as Core, Instant, Latency, MemorySample, MemoryState, SampleStore, State, Trend};
use tripline_runtime::{Breaker, Supervision};
use utoipa::ToSchema;

use super::decision::DecisionStatus;
use super::explanation::TripEvidence;
use super::followed_log::FollowedLogStatus;
use super::units::{mebibytes, millis};
use crate::circuit::Circuit;
use crate::text::{percent, rfc3339_checked, rough_percent, tidy};

/// Everything about a breaker at one moment, as `/breaker/status` shows it. What is unknown is null.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[non_exhaustive]
pub struct Status {
    /// The breaker's name.
    pub name: String,
    /// `enforce`, or `observe`: calls that the breaker rejects are made all the same.
    pub mode: &'static str,
    /// Calls that were made although the breaker rejects them, in observe mode.
    pub would_reject: u64,
    /// The log that the breaker follows; null where calls are made through it.
    #[schema(required)]
    pub followed_log: Option<FollowedLogStatus>,
    /// Whether it is enabled.
    pub enabled: bool,
    /// Open, half-open or forced open.
    pub triggered: bool,
    /// `closed`, `open`, `half_open`, `disabled` or `forced_open`.
    pub state: &'static str,
    /// Why it opened last; null unless it is open, half-open or forced open now.
    pub trip_reason: Option<&'static str>,
    /// Why it is open, with the evidence; null unless it is open or half-open now.
    #[schema(required)]
    pub trip: Option<TripEvidence>,
    /// An operator simulates slow calls or exhausted memory, or has opened the breaker so.
    pub drill: bool,
    /// The basis of its decisions: settings in force, evidence, tolerance, false trips.
    pub decision: DecisionStatus,
    /// When asking again makes sense; null while closed or disabled, and where the time is unknown.
    #[schema(required)]
    pub retry_after_ms: Option<u64>,
    /// When it opened last, also after recovery; RFC 3339 in UTC.
    #[schema(required)]
    pub last_trip_time: Option<String>,
    /// Whether the memory rule is content.
    #[schema(required)]
    pub memory_ok: Option<bool>,
    /// Memory in use, in whole MiB.
    #[schema(required)]
    pub current_memory_usage_mb: Option<u64>,
    /// The share of memory at which the breaker opens, in percent.
    #[schema(value_type = f64)]
    pub memory_threshold_percent: Option<Number>,
    /// Memory that may be used, in whole MiB.
    #[schema(required)]
    pub total_memory_mb: Option<u64>,
    /// Memory in use, in percent of what may be used, with at most two decimals.
    #[schema(value_type = Option<f64>, required)]
    pub memory_usage_percent: Option<Number>,
    /// Seconds until memory reaches its limit at the current trend; null where that is beyond `memory_horizon`.
    #[schema(value_type = Option<f64>, required)]
    pub memory_exhausted_in_seconds: Option<Number>,
    /// Whether the percentile is at or below the threshold, and nothing else is simulated.
    pub latency_ok: bool,
    /// Whether the latency is above its threshold with the evidence that was asked for.
    pub breach: bool,
    /// The percentile of the window, in milliseconds; null while it is empty.
    #[schema(value_type = Option<f64>, required)]
    pub current_percentile_ms: Option<Number>,
    /// The latency threshold, in whole milliseconds.
    pub latency_threshold_ms: u32,
    /// The percentile in percent of the threshold.
    #[schema(value_type = Option<f64>, required)]
    pub latency_percent_of_threshold: Option<Number>,
    /// The percentile that is evaluated, as a ratio.
    #[schema(value_type = f64)]
    pub percentile_value: Option<Number>,
    /// How many samples the window holds at most.
    pub latency_window_size: u16,
    /// How many samples it holds now.
    pub samples: u16,
    /// How long the breaker stays open, in seconds.
    #[schema(value_type = f64)]
    pub wait_time_seconds: Option<Number>,
    /// The latencies in the window, oldest first, in whole milliseconds.
    pub recent_latencies_ms: Vec<u32>,
    /// Whether only a rising or persistent latency opens the breaker.
    pub trend_analysis_enabled: bool,
    /// Samples that trend analysis needs.
    pub trend_analysis_min_sample_count: u16,
    /// Whether the latency rises.
    pub has_positive_trend: bool,
    /// `too_few`, `rising`, `falling`, `oscillating` or `steady`.
    pub trend: &'static str,
    /// Calls in flight; null where they are not tracked.
    #[schema(required)]
    pub in_flight: Option<usize>,
    /// Of these, those that are out for longer than the threshold.
    #[schema(required)]
    pub stalled: Option<u16>,
    /// Which limit the memory figures are about, e.g. `memory.max of /kubepods/pod1`; null where the source names none.
    #[schema(required)]
    pub memory_level: Option<String>,
    /// The name of the memory source; null where there is none.
    #[schema(required)]
    pub memory_source: Option<String>,
    /// `running`, or what does not work without it.
    pub supervisor: &'static str,
    /// In how many seconds the incident ends if all stays well: `recovery_time` after the close once `minimum_samples` calls
    /// came since, else ten times that; null where no incident is on, or the breaker is not closed and healthy.
    #[schema(value_type = Option<f64>, required)]
    pub incident_ends_in_seconds: Option<Number>,
    /// Why alerts do not reach people, such as `pager rejects: 403 (…)`; null while they do.
    #[schema(required)]
    pub alert_problem: Option<String>,
    /// The breaker's incident in the fleet, such as `37 of 1,000 replicas open, first: web-17`; left out where the process is
    /// in no fleet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fleet: Option<String>,
    /// Why the configuration file is not what is in force: its problems, what is changed and not saved, or what takes
    /// effect after a restart; null while it is.
    #[schema(required)]
    pub config_error: Option<String>,
}

impl Status {
    /// Reads the status of `circuit` now. `config_error` is why the configuration file is not in force, `alert_problem` why alerts do not reach people. O(window).
    pub fn of(circuit: &Circuit, config_error: Option<String>, alert_problem: Option<String>) -> Self {
        let breaker = circuit.breaker();
        let clock = breaker.clock();
        let (now, wall) = (clock.now(), clock.system_time());
        let tracked = breaker.detects_stalls();
        let in_flight = tracked.then(|| breaker.in_flight());
        let memory_exhausted_in = breaker.memory_exhausted_in().map(|left| tidy(left.as_secs_f64().round()));
        let level = breaker.memory_level();
        let supervisor = supervisor(breaker);
        let followed_log = circuit.followed_log().map(FollowedLogStatus::from);
        breaker.read(|core| {
            let policy = core.policy();
            let memory = core.memory_sample().filter(|_| core.memory_state() != MemoryState::Unknown);
            let memory_level = level.filter(|_| memory.is_some());
            let percentile = core.percentile();
            let trend = core.trend();
            let kind = core.state().kind();
            let why = breaker.explain(core);
            Self {
                name: breaker.name().to_string(),
                mode: breaker.mode().as_str(),
                would_reject: breaker.would_reject(),
                followed_log,
                enabled: policy.enabled,
                triggered: kind.is_triggered(),
                state: kind.as_str(),
                trip_reason: core.last_trip().filter(|_| kind.is_triggered()).map(|trip| trip.reason.as_str()),
                drill: core.is_memory_simulated() || core.is_latency_simulated() || why.is_some_and(|why| why.is_drill),
                trip: why.map(TripEvidence::from),
                decision: DecisionStatus::of(core),
                retry_after_ms: retry_after(core, now).map(millis),
                last_trip_time: core.last_trip().and_then(|trip| rfc3339(wall, core.latest().since(trip.at))),
                memory_ok: core.memory_ok(),
                current_memory_usage_mb: memory.map(|sample| mebibytes(sample.used)),
                memory_threshold_percent: percent(policy.memory_threshold.get()),
                total_memory_mb: memory.and_then(|sample| sample.limit).map(mebibytes),
                memory_usage_percent: memory.and_then(MemorySample::ratio).and_then(rough_percent),
                memory_exhausted_in_seconds: memory_exhausted_in.flatten(),
                latency_ok: core.latency_ok(),
                breach: core.is_breach(),
                current_percentile_ms: percentile.and_then(|latency| tidy(latency.as_millis_f64())),
                latency_threshold_ms: policy.latency_threshold.as_millis(),
                latency_percent_of_threshold: percentile.and_then(|at| share(at, policy.latency_threshold)),
                percentile_value: tidy(policy.percentile.get()),
                latency_window_size: policy.latency_window_size.get(),
                samples: core.samples(),
                wait_time_seconds: tidy(policy.wait_time.as_secs_f64()),
                recent_latencies_ms: core.latencies().map(Latency::as_millis).collect(),
                trend_analysis_enabled: policy.trend_analysis,
                trend_analysis_min_sample_count: policy.effective_trend_minimum(),
                has_positive_trend: trend == Trend::Rising,
                trend: trend.as_str(),
                in_flight,
                stalled: tracked.then(|| core.stalled()),
                memory_level: memory_level.as_deref().map(str::to_owned),
                memory_source: circuit.memory().map(|source| source.name().to_owned()),
                supervisor,
                incident_ends_in_seconds: core
                    .incident_ends_at()
                    .and_then(|ends| tidy(ends.since(now).as_secs_f64().ceil())),
                alert_problem,
                fleet: None,
                config_error,
            }
        })
    }
}

impl Status {
    /// With the breaker's incident in the fleet.
    #[must_use]
    pub fn with_fleet(self, fleet: Option<String>) -> Self {
        Self { fleet, ..self }
    }
}

/// Whether memory and alerts work.
fn supervisor(breaker: &Breaker) -> &'static str {
    match breaker.supervision() {
        Supervision::Running { .. } => "running",
        Supervision::Stuck { .. } => "stuck: memory and alerts do not work",
        _ => "not running: memory and alerts do not work",
    }
}

/// How long to wait before asking again; `None` where calls are not rejected, or the time is unknown.
fn retry_after<const N: usize, S: SampleStore>(core: &Core<N, S>, now: Instant) -> Option<Duration> {
    match core.state() {
        State::Closed | State::Disabled => None,
        State::ForcedOpen | State::HalfOpen { .. } => core.rejection(now).retry_after,
        State::Open { .. } => {
            // Not held, and the wait is over: the next call that asks is a probe.
            core.rejection(now).retry_after.or((!core.is_held_open()).then_some(Duration::ZERO))
        }
    }
}

/// `part` in percent of `whole`; nothing is a share of zero.
fn share(part: Latency, whole: Latency) -> Option<Number> {
    let ratio = f64::from(part.as_micros()) / f64::from(whole.as_micros());
    if ratio.is_finite() { percent(ratio) } else { None }
}

/// The time of day `age` ago, with milliseconds; `None` outside the years 1970 to 9999.
fn rfc3339(wall: SystemTime, age: Duration) -> Option<String> {
    rfc3339_checked(wall.checked_sub(age)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_nothing_is_unknown() {
        assert_eq!(share(Latency::from_millis(30), Latency::from_millis(60)), Some(Number::from(50)));
        assert_eq!(share(Latency::from_millis(30), Latency::ZERO), None);
        assert_eq!(share(Latency::ZERO, Latency::ZERO), None);
    }

    #[test]
    fn a_time_of_day_before_the_epoch_is_unknown() {
        assert_eq!(rfc3339(SystemTime::UNIX_EPOCH, Duration::ZERO).as_deref(), Some("1970-01-01T00:00:00.000Z"));
        assert_eq!(rfc3339(SystemTime::UNIX_EPOCH, Duration::from_secs(1)), None);
    }
}
