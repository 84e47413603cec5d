//! The top of the file: the breaker itself.

use std::num::NonZeroU16;
use std::time::Duration;

use tripline_runtime::BreakerName;
use tripline_runtime::core::{Backoff, Confidence, Latency, MemoryThreshold, Policy, Ratio, TripAfter};

use super::{DAY_SECONDS, Key, Section, access, key};
use crate::config::text::TextRule;
use crate::config::value::{Field, Range, percentile};
use crate::memory::MemorySourceKind;

pub(super) const SECTION: Section = Section { path: "", about: "The breaker.", keys: KEYS };

const SAMPLES: Range = Range::new(1.0, 1_024.0, "samples").whole();
const UP_TO_AN_HOUR: Range = Range::new(1.0, 3_600.0, "seconds");
const UP_TO_A_DAY: Range = Range::new(1.0, DAY_SECONDS, "seconds");
const SHARE: Range = Range::new(0.0, 1.0, "ratio");

const MEMORY_SOURCES: &[&str] = &[
    MemorySourceKind::Auto.as_str(),
    MemorySourceKind::Cgroup.as_str(),
    MemorySourceKind::Sysinfo.as_str(),
    MemorySourceKind::Mock.as_str(),
];

const KEYS: &[Key] = &[
    key(
        "name",
        "Name of the breaker in every alert, metric and log line.",
        Field::Text(
            TextRule::Name,
            access!(
                |c, x| {
                    c.name = BreakerName::new(&x).ok()?;
                    Some(())
                },
                |c| Some(c.name.as_str().to_owned())
            ),
        ),
    ),
    key("enabled", "Off: every call is admitted and nothing is recorded.", Field::Flag(access!(same policy.enabled))),
    key(
        "latency_threshold",
        "A call that takes longer than this is slow.",
        Field::Number(
            Range::new(1.0, 4_294_967.0, "milliseconds"),
            access!(
                |c, x| {
                    c.policy.latency_threshold = Latency::from_micros((x * 1_000.0).round() as u32);
                    Some(())
                },
                |c| Some(c.policy.latency_threshold.as_millis_f64())
            ),
        ),
    ),
    key(
        "percentile",
        "The quantile of the last calls that is held against the threshold.",
        Field::Percentile(access!(
            |c, x| {
                c.policy.percentile = percentile(x)?;
                Some(())
            },
            |c| Some(c.policy.percentile.get())
        )),
    ),
    key(
        "latency_window_size",
        "How many of the last calls are looked at.",
        Field::Number(
            SAMPLES,
            access!(
                |c, x| {
                    c.policy.latency_window_size = NonZeroU16::new(x as u16)?;
                    Some(())
                },
                |c| Some(f64::from(c.policy.latency_window_size.get()))
            ),
        ),
    ),
    key(
        "latency_max_age",
        "A call that finished longer ago than this no longer counts.",
        Field::Number(UP_TO_A_DAY, access!(time 1.0, policy.latency_max_age)),
    ),
    key(
        "minimum_samples",
        "Calls needed before latency or failures may trip; more than the window counts as the window. The newest so many \
         count for up to an hour, whatever latency_max_age is. Not set: 5; where trip_confidence is 0, so many that one slow \
         call is not enough, at least 10, and none counts beyond latency_max_age.",
        Field::Number(
            SAMPLES,
            access!(
                |c, x| {
                    c.policy.minimum_samples = Some(x as u16);
                    Some(())
                },
                |c| c.policy.minimum_samples.map(f64::from)
            ),
        ),
    )
    .example("5"),
    key(
        "trend_analysis_enabled",
        "Trip only when the latency is rising or stays above the threshold, not when it is merely above.",
        Field::Flag(access!(same policy.trend_analysis)),
    ),
    key(
        "trend_analysis_min_sample_count",
        "Calls needed to tell a trend; less than 3 counts as 3, more than the window as the window.",
        Field::Number(SAMPLES, access!(count u16, policy.trend_minimum_samples)),
    ),
    key(
        "trip_confidence",
        "How sure the breaker must be that calls really are slow or fail; higher trips later and less often by chance. 0 = \
         being above the threshold is enough, the rule of the original: trip_after and warm_up have no effect then.",
        Field::Number(
            Range::new(0.0, 1.0, "ratio").without_most(),
            access!(ranged Confidence, 1.0, policy.trip_confidence),
        ),
    ),
    key(
        "trip_after",
        "How long clear evidence of slow or failed calls must last before the breaker opens, in milliseconds. auto: longer \
         than this service's own hiccups do, which is 1500 to begin with, three times the longest one seen, at most 6000. \
         Evidence of a few slow calls too many must last 3000 more. 0 = open at once.",
        Field::NumberOrAuto(
            Range::new(0.0, 60_000.0, "milliseconds").whole(),
            access!(
                |c, x| {
                    c.policy.trip_after = x.map_or(TripAfter::Auto, |x| TripAfter::Millis(x as u16));
                    Some(())
                },
                |c| Some(match c.policy.trip_after {
                    TripAfter::Auto => None,
                    TripAfter::Millis(millis) => Some(f64::from(millis)),
                })
            ),
        ),
    ),
    key(
        "warm_up",
        "For this long after the first call evidence must last at least half of it: caches are cold, connections are few. \
         0 = no warm-up. Without effect where trip_after is 0.",
        Field::Number(Range::new(0.0, 3_600.0, "seconds"), access!(time 1.0, policy.warm_up)),
    ),
    key(
        "failure_rate_threshold",
        "Share of failed calls that trips, with evidence that has lasted for trip_after (where trip_confidence is 0, at once \
         and by any call). 0 = failures do not trip.",
        Field::Number(SHARE, access!(ranged Ratio, 1.0, policy.failure_rate_threshold)),
    ),
    key(
        "stall_detection",
        "Watch the calls in flight, so that calls that hang count as slow before they return.",
        Field::Flag(access!(same stall_detection)),
    ),
    key(
        "wait_time",
        "How long the breaker stays open after a trip. Rejected calls of false trips cost least at 3; 10 is the original's.",
        Field::Number(UP_TO_AN_HOUR, access!(time 1.0, policy.wait_time)),
    ),
    key(
        "wait_backoff",
        "By what the wait grows each time that the probes fail, and by a trip within 60 s of closing (but not where \
         trip_confidence is 0). 1 = it does not grow.",
        Field::Number(Range::new(1.0, 100.0, "factor"), access!(ranged Backoff, 1.0, policy.wait_backoff)),
    ),
    key(
        "max_wait_time",
        "The longest that the wait grows to, at least wait_time. Not set: 60, or wait_time if that is more.",
        Field::Number(
            UP_TO_A_DAY,
            access!(
                |c, x| {
                    c.policy.max_wait_time = Duration::try_from_secs_f64(x).ok()?;
                    Some(())
                },
                // Written only where it is not what it would be anyway, so that a longer wait_time needs no second
                // change.
                |c| {
                    let usual = Policy::default().max_wait_time.max(c.policy.wait_time);
                    (c.policy.max_wait_time != usual).then_some(c.policy.max_wait_time.as_secs_f64())
                }
            ),
        ),
    )
    .example("60"),
    key(
        "wait_jitter",
        "The grown wait varies by up to this share, so that many hosts do not probe at the same moment.",
        Field::Number(SHARE, access!(ranged Ratio, 1.0, policy.wait_jitter)),
    ),
    key(
        "half_open_max_calls",
        "Calls let through after the wait to see whether all is well again. 0 = close at once after the wait.",
        Field::Number(Range::new(0.0, 1_000.0, "calls").whole(), access!(count u16, policy.half_open_max_calls)),
    ),
    key(
        "recovery_time",
        "How long the breaker must be closed and healthy for an incident to be over.",
        Field::Number(UP_TO_A_DAY, access!(time 1.0, policy.recovery_time)),
    ),
    key(
        "memory_threshold",
        "Used memory, as a share of the limit, at which the breaker opens.",
        Field::Number(
            Range::new(0.0, 100.0, "percent").without_least().without_most(),
            access!(ranged MemoryThreshold, 100.0, policy.memory_threshold),
        ),
    ),
    key(
        "memory_hysteresis",
        "How far memory must fall below memory_threshold to be fine again; never more than half of that.",
        Field::Number(
            Range::new(0.0, 50.0, "percentage points"),
            access!(ranged Ratio, 100.0, policy.memory_hysteresis),
        ),
    ),
    key(
        "memory_horizon",
        "Warn when memory, if it goes on like that, reaches its limit within this time: a leak, also below collections, but \
         no collected heap, no step and no noise. Looks back three of these. An alert comes when that has held for \
         recovery_time: set several times that. 0 = off.",
        Field::Number(Range::new(0.0, DAY_SECONDS, "seconds"), access!(time 1.0, policy.memory_horizon)),
    ),
    key(
        "memory_horizon_trips",
        "Open the breaker then, and keep it open while that holds: until memory is given back, or for up to 2.5 times \
         memory_horizon after it began to rise more slowly. Off: only warn.",
        Field::Flag(access!(same policy.memory_horizon_trips)),
    ),
    key(
        "memory_source",
        "Where memory is measured: the container's limit, the machine's memory, or a value set by hand. auto is cgroup \
         where there is a limit, else sysinfo.",
        Field::Word(
            MEMORY_SOURCES,
            access!(
                |c, x| {
                    c.memory_source = x.parse().ok()?;
                    Some(())
                },
                |c| Some(c.memory_source.as_str())
            ),
        ),
    ),
    key(
        "sample_interval_ms",
        "How often memory is measured. A measurement older than three of these is no longer believed.",
        Field::Number(Range::new(10.0, 60_000.0, "milliseconds"), access!(time 0.001, policy.sample_interval)),
    ),
    key(
        "state_dir",
        "Folder for incidents and alerts, which then survive a kill and a restart. Not set: nothing is kept.",
        Field::Text(TextRule::Path, access!(path state_dir)),
    )
    .example("\"state\""),
];
