//! `[breakers.NAME.alerts]`: what the alerts of one breaker may have of their own.

use super::family::PER_KEY;
use super::key::{Key, access, key};
use super::section;
use crate::config::model::Config;
use crate::config::value::Field;

/// The table that these keys belong to.
type Target = Config;

/// The table under a breaker or template.
pub(crate) const ALERTS: &str = "alerts";

static ENABLED: Key<Target> = key(
    "enabled",
    "Off: the alerts of this breaker go to the log only. On: to the pagers that are on at the top of the file.",
    Field::Flag(access!(same breaker.alerts_enabled)),
);

/// The keys that are those of `[opsgenie]`.
const SHARED: [&str; 11] = [
    "team",
    "priority",
    "initial_alert_priority",
    "escalated_alert_priority",
    "api_name",
    "tags",
    "time_before_send_alert",
    "trigger_on_breaker_open",
    "trigger_on_breaker_reset",
    "trigger_on_memory_threshold",
    "trigger_on_latency_threshold",
];

/// A key of a breaker's alerts.
#[derive(Clone, Copy)]
pub(crate) struct AlertKey {
    pub(crate) key: &'static Key<Target>,
    /// Whether the key of this name in `[opsgenie]` is what it inherits.
    pub(crate) is_inherited: bool,
}

/// The key called `name`.
pub(crate) fn alert_key(name: &str) -> Option<AlertKey> {
    if name == ENABLED.name {
        return Some(AlertKey { key: &ENABLED, is_inherited: false });
    }
    if name == PER_KEY.name {
        return Some(AlertKey { key: &PER_KEY, is_inherited: false });
    }
    let name = SHARED.into_iter().find(|shared| *shared == name)?;
    Some(AlertKey { key: section("opsgenie")?.key(name)?, is_inherited: true })
}

/// All of them.
pub(crate) fn alert_keys() -> impl Iterator<Item = AlertKey> {
    [ENABLED.name, PER_KEY.name].into_iter().chain(SHARED).filter_map(alert_key)
}
