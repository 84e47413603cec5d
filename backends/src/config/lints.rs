//! Settings that are allowed and probably mistakes.

use tripline_runtime::core::{Policy, TripAfter};

use super::fleet::FleetEngineKind;
use super::model::Config;
use super::opsgenie::{OpsGenie, Provider};
use super::text::is_open_to_readers;
use super::unit_lints::unit_lints;
use super::webhook::Webhook;

/// So few slow calls come together in every healthy service.
const FEW_SLOW_CALLS: u32 = 4;
/// Memory readings that a forecast needs within its horizon, to be of any use.
const MIN_READINGS_IN_HORIZON: u32 = 20;
/// Tags that an alert has of its own, out of the 20 that the service keeps.
const TAGS_LEFT: usize = 11;
/// Longest tag that the service keeps, in characters.
const TAG_CHARACTERS: usize = 50;

/// The key that a warning is about, with its section, and the warning. `given` says which keys the file sets.
pub(crate) fn advice(config: &Config, given: &dyn Fn(&str) -> bool) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    found.extend(unit_lints(config).into_iter().filter(|(key, _)| given(key)));
    of_samples(config, given, &mut found);
    of_evidence(&config.breaker.policy, given, &mut found);
    of_times(config, &mut found);
    of_horizon(&config.breaker.policy, &mut found);
    of_opsgenie(&config.breaker.opsgenie, given, &mut found);
    of_delivery(config, &mut found);
    found
}

fn of_samples(config: &Config, given: &dyn Fn(&str) -> bool, found: &mut Vec<(&'static str, String)>) {
    let policy = &config.breaker.policy;
    let window = policy.latency_window_size.get();
    let minimum = u32::from(policy.effective_minimum_samples());
    let slow_calls_needed = minimum.saturating_sub(policy.percentile.index(minimum));
    let above_is_enough = !policy.trend_analysis && policy.trip_confidence.get() <= 0.0;
    if slow_calls_needed <= FEW_SLOW_CALLS && above_is_enough {
        let mut culprit = ["minimum_samples", "percentile", "trip_confidence"].into_iter().find(|key| given(key));
        let remedy = if policy.percentile.get() < 1.0 {
            "trip_confidence = 0.995, a lower percentile, or a larger minimum_samples and latency_window_size"
        } else {
            // The largest of any number of calls: more of them change nothing.
            culprit = Some("percentile");
            "trip_confidence = 0.995, or a percentile below 1"
        };
        found.push((
            culprit.unwrap_or("latency_window_size"),
            match slow_calls_needed {
                0 | 1 => format!("one slow call among {minimum} is enough to trip; set {remedy}"),
                calls => format!("{calls} slow calls among {minimum} are enough to trip; set {remedy}"),
            },
        ));
    }
    if policy.minimum_samples.is_some_and(|wanted| wanted > window) {
        found.push(("minimum_samples", format!("counts as latency_window_size, {window}")));
    }
    if policy.trend_analysis && policy.trend_minimum_samples != policy.effective_trend_minimum() {
        let counts_as = policy.effective_trend_minimum();
        let bound =
            if counts_as < policy.trend_minimum_samples { ", all that the window holds" } else { ", the least" };
        found.push(("trend_analysis_min_sample_count", format!("counts as {counts_as}{bound}")));
    }
    if policy.memory_hysteresis.get() > policy.memory_threshold.get() / 2.0 {
        found.push(("memory_hysteresis", "counts as half of memory_threshold, the maximum".into()));
    }
}

/// The bound below which the experiments behind `trip_confidence` and `trip_after` call evidence weak.
fn of_evidence(policy: &Policy, given: &dyn Fn(&str) -> bool, found: &mut Vec<(&'static str, String)>) {
    let asks_for_evidence = policy.trip_confidence.get() > 0.0;
    if asks_for_evidence && policy.trip_after == TripAfter::Millis(0) {
        let words = "opens at the first run of slow or failed calls, and healthy services have such runs several times an hour; \
                     set \"auto\"";
        found.push(("trip_after", words.into()));
    }
    if !asks_for_evidence {
        for (key, is_changed) in [
            ("trip_after", policy.trip_after != TripAfter::Auto),
            ("warm_up", policy.warm_up != Policy::default().warm_up),
        ] {
            if is_changed && given(key) {
                found.push((key, "has no effect while trip_confidence is 0".into()));
            }
        }
    }
    if policy.failure_rate_threshold.get() <= 0.0 && given("failure_rate_threshold") {
        let words = "failed calls never open the breaker, not even where every call fails; set 0.5";
        found.push(("failure_rate_threshold", words.into()));
    }
}

fn of_times(config: &Config, found: &mut Vec<(&'static str, String)>) {
    let policy = &config.breaker.policy;
    let threshold = std::time::Duration::from(policy.latency_threshold);
    if policy.latency_max_age <= threshold {
        let words = "not longer than latency_threshold: calls that hang no longer count before they are slow";
        found.push(("latency_max_age", words.into()));
    }
}

fn of_horizon(policy: &Policy, found: &mut Vec<(&'static str, String)>) {
    if policy.memory_horizon.is_zero() {
        if policy.memory_horizon_trips {
            found.push(("memory_horizon_trips", "has no effect without memory_horizon".into()));
        }
    } else if policy.memory_horizon < policy.sample_interval * MIN_READINGS_IN_HORIZON {
        let words =
            "too short to forecast anything from a measurement every sample_interval_ms; set at least 20 of these";
        found.push(("memory_horizon", words.into()));
    } else if policy.memory_horizon <= policy.recovery_time && !policy.memory_horizon_trips {
        let words = "no alert will be sent: a forecast is on for at most memory_horizon, an alert needs it for \
                     recovery_time; set it to several times recovery_time";
        found.push(("memory_horizon", words.into()));
    }
}

fn of_delivery(config: &Config, found: &mut Vec<(&'static str, String)>) {
    let is_open = |webhook: &Webhook| webhook.url.as_ref().is_some_and(|url| is_open_to_readers(url.expose()));
    let words = "plain http: alerts can be read and changed on the way; use https";
    if is_open(&config.breaker.webhook) {
        found.push(("webhook.url", words.into()));
    }
    if config.breaker.webhooks.iter().any(is_open) {
        found.push(("webhooks", words.into()));
    }
    let pager = if config.breaker.opsgenie.enabled {
        Some("opsgenie.enabled")
    } else if config.breaker.webhook.enabled {
        Some("webhook.enabled")
    } else {
        config.breaker.webhooks.iter().any(|webhook| webhook.enabled).then_some("webhooks")
    };
    // In a fleet another replica closes it.
    let is_alone = config.fleet.engine == FleetEngineKind::Off;
    if let Some(key) = pager.filter(|_| is_alone && config.state_dir.is_none()) {
        let words = "a pager is on and state_dir is not set: an alert that is open when the process ends stays open for ever; set \
                     state_dir";
        found.push((key, words.into()));
    }
}

fn of_opsgenie(opsgenie: &OpsGenie, given: &dyn Fn(&str) -> bool, found: &mut Vec<(&'static str, String)>) {
    if opsgenie.api_key.is_some() {
        found.push(("opsgenie.api_key", "a secret in a file; set OPSGENIE_API_KEY in the environment instead".into()));
    }
    let triggers = opsgenie.triggers;
    if opsgenie.enabled && !(triggers.breaker_open || triggers.memory_threshold || triggers.latency_threshold) {
        found.push((
            "opsgenie.enabled",
            "every trigger is off, so no alert is ever created; turn one of opsgenie.triggers on".into(),
        ));
    }
    let staged = opsgenie.time_before_send_alert > 0;
    if staged && opsgenie.initial_alert_priority.rank() < opsgenie.escalated_alert_priority.rank() {
        let words = "less urgent than initial_alert_priority; P1 is the most urgent";
        found.push(("opsgenie.escalated_alert_priority", words.into()));
    }
    if opsgenie.provider == Provider::Jsm && given("opsgenie.region") {
        found.push(("opsgenie.region", "has no effect with provider = \"jsm\"; remove it".into()));
    }
    if opsgenie.tags.len() > TAGS_LEFT {
        found.push(("opsgenie.tags", format!("the service keeps 20 tags of an alert, {TAGS_LEFT} of them from here")));
    }
    if opsgenie.tags.iter().any(|tag| tag.chars().count() > TAG_CHARACTERS) {
        found.push(("opsgenie.tags", format!("the service keeps {TAG_CHARACTERS} characters of a tag")));
    }
}
