//! The top of the file: the breaker itself.

use std::num::NonZeroU16;
use std::time::Duration;

use tripline_runtime::BreakerName;
use tripline_runtime::core::{Backoff, Confidence, Latency, MemoryThreshold, Policy, Ratio, TripAfter};

use super::key::{Key, Section, access, key};
use crate::config::model::Config;
use crate::config::range::Range;
use crate::config::text::TextRule;
use crate::config::value::{DAY_SECONDS, Field, percentile};
use crate::memory::{MemorySourceKind, MemoryUsed};

/// The table that these keys belong to.
type Target = Config;

pub(super) const SECTION: Section<Target> = Section { path: "", about: "The breaker.", keys: KEYS };

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

const MEMORY_FIGURES: &[&str] = &[MemoryUsed::Unreclaimable.as_str(), MemoryUsed::WorkingSet.as_str()];

const KEYS: &[Key<Target>] = &[
    key(
        "name",
        "Name of the breaker in every alert, metric and log line.",
        Field::Text(
            TextRule::Name,
            access!(
                |c, x| {
                    c.breaker.name = BreakerName::new(&x).ok()?;
                    Some(())
                },
                |c| Some(c.breaker.name.as_str().to_owned())
            ),
        ),
    )
    .restart_required(),
    key("enabled", "Off: every call is admitted and nothing is recorded.", Field::Flag(access!(same breaker.policy.enabled))),
    key(
        "latency_threshold",
        "A call that takes longer than this is slow.",
        Field::Number(
            Range::new(1.0, 4_294_967.0, "milliseconds"),
            access!(
                |c, x| {
                    c.breaker.policy.latency_threshold = Latency::from_micros((x * 1_000.0).round() as u32);
                    Some(())
                },
                |c| Some(c.breaker.policy.latency_threshold.as_millis_f64())
            ),
        ),
    ),
    key(
        "percentile",
        "The quantile of the last calls that is compared with latency_threshold.",
        Field::Percentile(access!(
            |c, x| {
                c.breaker.policy.percentile = percentile(x)?;
                Some(())
            },
            |c| Some(c.breaker.policy.percentile.get())
        )),
    ),
    key(
        "latency_window_size",
        "Number of last calls that are evaluated.",
        Field::Number(
            SAMPLES,
            access!(
                |c, x| {
                    c.breaker.policy.latency_window_size = NonZeroU16::new(x as u16)?;
                    Some(())
                },
                |c| Some(f64::from(c.breaker.policy.latency_window_size.get()))
            ),
        ),
    ),
    key(
        "latency_max_age",
        "A call that finished longer ago than this no longer counts.",
        Field::Number(UP_TO_A_DAY, access!(time 1.0, breaker.policy.latency_max_age)),
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
                    c.breaker.policy.minimum_samples = Some(x as u16);
                    Some(())
                },
                |c| c.breaker.policy.minimum_samples.map(f64::from)
            ),
        ),
    )
    .optional(|c| c.breaker.policy.minimum_samples = None)
    .example("5"),
    key(
        "trend_analysis_enabled",
        "Trip only when the latency is rising or stays above the threshold, not when it is merely above.",
        Field::Flag(access!(same breaker.policy.trend_analysis)),
    )
    .recommended("false", "With trip_confidence set, trend analysis delays trips without making them more accurate."),
    key(
        "trend_analysis_min_sample_count",
        "Calls needed to recognise a trend; less than 3 counts as 3, more than the window as the window.",
        Field::Number(SAMPLES, access!(count u16, breaker.policy.trend_minimum_samples)),
    ),
    key(
        "trip_confidence",
        "How sure the breaker must be that calls really are slow or fail; higher trips later and less often by chance. 0 = \
         being above the threshold is enough, the rule of the original: trip_after and warm_up have no effect then.",
        Field::Number(
            Range::new(0.0, 1.0, "ratio").without_max(),
            access!(ranged Confidence, 1.0, breaker.policy.trip_confidence),
        ),
    )
    .recommended(
        "0.995",
        "In the experiments lower values trip no sooner, because evidence must last; 0 trips most of the healthy services.",
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
                    c.breaker.policy.trip_after = x.map_or(TripAfter::Auto, |x| TripAfter::Millis(x as u16));
                    Some(())
                },
                |c| Some(match c.breaker.policy.trip_after {
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
        Field::Number(Range::new(0.0, 3_600.0, "seconds"), access!(time 1.0, breaker.policy.warm_up)),
    ),
    key(
        "failure_rate_threshold",
        "Share of failed calls that trips, with evidence that has lasted for trip_after (where trip_confidence is 0, at once \
         and by any call). 0 = failures do not trip.",
        Field::Number(SHARE, access!(ranged Ratio, 1.0, breaker.policy.failure_rate_threshold)),
    ),
    key(
        "stall_detection",
        "Watch the calls in flight, so that calls that hang count as slow before they return.",
        Field::Flag(access!(same breaker.stall_detection)),
    )
    .restart_required(),
    key(
        "wait_time",
        "How long the breaker stays open after a trip. Rejected calls of false trips cost least at 3; 10 is the original's.",
        Field::Number(UP_TO_AN_HOUR, access!(time 1.0, breaker.policy.wait_time)),
    ),
    key(
        "wait_backoff",
        "By what the wait grows each time that the probes fail, and by a trip within 60 s of closing (but not where \
         trip_confidence is 0). 1 = it does not grow.",
        Field::Number(Range::new(1.0, 100.0, "factor"), access!(ranged Backoff, 1.0, breaker.policy.wait_backoff)),
    ),
    key(
        "max_wait_time",
        "The longest that the wait grows to, at least wait_time. Not set: 60, or wait_time if that is more.",
        Field::Number(
            UP_TO_A_DAY,
            access!(
                |c, x| {
                    c.breaker.policy.max_wait_time = Duration::try_from_secs_f64(x).ok()?;
                    Some(())
                },
                // Written only where it is not what it would be anyway, so that a longer wait_time needs no second
                // change.
                |c| {
                    let usual = Policy::default().max_wait_time.max(c.breaker.policy.wait_time);
                    (c.breaker.policy.max_wait_time != usual).then_some(c.breaker.policy.max_wait_time.as_secs_f64())
                }
            ),
        ),
    )
    .optional(|c| c.breaker.policy.max_wait_time = Policy::default().max_wait_time.max(c.breaker.policy.wait_time))
    .example("60"),
    key(
        "wait_jitter",
        "The grown wait varies by up to this share, so that many hosts do not probe at the same moment.",
        Field::Number(SHARE, access!(ranged Ratio, 1.0, breaker.policy.wait_jitter)),
    ),
    key(
        "half_open_max_calls",
        "Calls let through after the wait to see whether all is well again. 0 = close at once after the wait.",
        Field::Number(
            Range::new(0.0, 1_000.0, "calls").whole(),
            access!(count u16, breaker.policy.half_open_max_calls),
        ),
    ),
    key(
        "recovery_time",
        "How long the breaker must be closed and healthy for an incident to be over.",
        Field::Number(UP_TO_A_DAY, access!(time 1.0, breaker.policy.recovery_time)),
    ),
    key(
        "memory_threshold",
        "Used memory, as a share of the limit, at which the breaker opens.",
        Field::Number(
            Range::new(0.0, 100.0, "percent").without_min().without_max(),
            access!(ranged MemoryThreshold, 100.0, breaker.policy.memory_threshold),
        ),
    ),
    key(
        "memory_hysteresis",
        "How far memory must fall below memory_threshold to be fine again; never more than half of that.",
        Field::Number(
            Range::new(0.0, 50.0, "percentage points"),
            access!(ranged Ratio, 100.0, breaker.policy.memory_hysteresis),
        ),
    ),
    key(
        "memory_horizon",
        "Warn when memory is forecast to reach its limit within this time: a leak, also one below garbage collections; a \
         collected heap, a step and noise are none. The forecast looks back three times this. An alert is sent when it has \
         held for recovery_time: set several times that. 0 = off.",
        Field::Number(Range::new(0.0, DAY_SECONDS, "seconds"), access!(time 1.0, breaker.policy.memory_horizon)),
    ),
    key(
        "memory_horizon_trips",
        "Open the breaker on the forecast of memory_horizon, and keep it open until memory is released, or for up to 2.5 \
         times memory_horizon after its growth slowed down. Off: only warn.",
        Field::Flag(access!(same breaker.policy.memory_horizon_trips)),
    ),
    key(
        "memory_source",
        "Where memory is measured: the container's limit, the machine's memory, or a value set by hand. auto is cgroup \
         where there is a limit, else sysinfo.",
        Field::Word(
            MEMORY_SOURCES,
            access!(
                |c, x| {
                    c.breaker.memory_source = x.parse().ok()?;
                    Some(())
                },
                |c| Some(c.breaker.memory_source.as_str())
            ),
        ),
    )
    .restart_required(),
    key(
        "memory_used",
        "Which memory counts as used. unreclaimable: all but what the kernel takes back under pressure (clean file \
         pages, reclaimable slab, ZFS cache), unless the kernel confirms a shortage. working-set: all but inactive \
         file pages, as container graphs show it.",
        Field::Word(
            MEMORY_FIGURES,
            access!(
                |c, x| {
                    c.breaker.memory_used = x.parse().ok()?;
                    Some(())
                },
                |c| Some(c.breaker.memory_used.as_str())
            ),
        ),
    )
    .restart_required(),
    key(
        "sample_interval_ms",
        "How often memory is measured. A measurement older than three of these is discarded.",
        Field::Number(Range::new(10.0, 60_000.0, "milliseconds"), access!(time 0.001, breaker.policy.sample_interval)),
    ),
    key(
        "state_dir",
        "Folder for incidents and alerts, which then survive a kill and a restart. Not set: nothing is kept.",
        Field::Text(TextRule::Path, access!(path state_dir)),
    )
    .restart_required()
    .example("\"state\""),
];
