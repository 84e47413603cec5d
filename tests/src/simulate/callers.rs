//! Those who call the services: how often, and how long a call takes.

use std::time::Duration;

use tripline_core::Outcome;

use super::random::Random;
use super::script::Mood;
use super::settings::{HEALTHY_MS, SLOW_MS};

/// A call to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlannedCall {
    pub(super) latency: Duration,
    pub(super) outcome: Outcome,
    pub(super) is_bad: bool,
}

/// The time to the next call. A quiet service is called seldom, so that a day passes quickly; a bad one is retried.
pub(super) fn gap(mood: Mood, random: &mut Random) -> Duration {
    let mean = match mood {
        Mood::Healthy => Duration::from_secs(4),
        _ => Duration::from_millis(400),
    };
    random.around(mean)
}

/// The next call.
pub(super) fn plan(mood: Mood, random: &mut Random) -> PlannedCall {
    let quick = random.millis(HEALTHY_MS.0, HEALTHY_MS.1);
    let slow = random.millis(SLOW_MS.0, SLOW_MS.1);
    let draw = random.below(20);
    let healthy = PlannedCall { latency: quick, outcome: Outcome::Ok, is_bad: false };
    let ignored = PlannedCall { outcome: Outcome::Ignored, ..healthy };
    let slow = PlannedCall { latency: slow, outcome: Outcome::Ok, is_bad: true };
    let failed = PlannedCall { latency: quick, outcome: Outcome::Failed, is_bad: true };
    match (mood, draw) {
        (Mood::Healthy, 19) => ignored,
        (Mood::Healthy, _) => healthy,
        (Mood::Slow, _) => slow,
        (Mood::Failing, _) => failed,
        (Mood::Hanging, _) => PlannedCall { latency: Duration::from_secs(150), ..slow },
        (Mood::Shaky, 0..=5) => slow,
        (Mood::Shaky, 6..=9) => failed,
        (Mood::Shaky, _) => healthy,
    }
}
