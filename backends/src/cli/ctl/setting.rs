//! The parameters of go-breaker's clients: their routes, and the format of their values.

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use super::show::{on_off, plain, scalar};
use super::value::{flag, number, one, parse_flag, rejected};
use crate::cli::output::CliError;
use crate::config::entry;

/// A parameter of the breaker or of its alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Setting {
    /// Whether the breaker is enabled.
    Enabled,
    /// The share of memory at which the breaker opens.
    Memory,
    /// The latency above which a call is slow.
    Latency,
    /// The number of last calls that are evaluated.
    LatencyWindowSize,
    /// The quantile of the latencies that is compared with the threshold.
    Percentile,
    /// How long the breaker stays open.
    Wait,
    /// Whether only a rising or persistent latency opens the breaker.
    TrendAnalysis,
    /// Whether alerts are sent.
    OpsgenieToggle,
    /// The priority of alerts without stages.
    OpsgeniePriority,
    /// The events that alerts are sent for.
    OpsgenieTriggers,
    /// Tags of every alert.
    OpsgenieTags,
    /// The delay of the first alert of the next incident.
    OpsgenieCooldown,
}

/// The body of a POST and its route.
#[derive(Debug, PartialEq)]
pub(super) struct Change {
    pub(super) path: &'static str,
    pub(super) body: Option<Value>,
}

/// The names of the triggers on the command line and in the API.
const TRIGGERS: [(&str, &str); 4] = [
    ("open", "trigger_on_breaker_open"),
    ("reset", "trigger_on_breaker_reset"),
    ("memory", "trigger_on_memory_threshold"),
    ("latency", "trigger_on_latency_threshold"),
];

impl Setting {
    pub(super) const ALL: [Self; 12] = [
        Self::Enabled,
        Self::Memory,
        Self::Latency,
        Self::LatencyWindowSize,
        Self::Percentile,
        Self::Wait,
        Self::TrendAnalysis,
        Self::OpsgenieToggle,
        Self::OpsgeniePriority,
        Self::OpsgenieTriggers,
        Self::OpsgenieTags,
        Self::OpsgenieCooldown,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Memory => "memory",
            Self::Latency => "latency",
            Self::LatencyWindowSize => "latency-window-size",
            Self::Percentile => "percentile",
            Self::Wait => "wait",
            Self::TrendAnalysis => "trend-analysis",
            Self::OpsgenieToggle => "opsgenie-toggle",
            Self::OpsgeniePriority => "opsgenie-priority",
            Self::OpsgenieTriggers => "opsgenie-triggers",
            Self::OpsgenieTags => "opsgenie-tags",
            Self::OpsgenieCooldown => "opsgenie-cooldown",
        }
    }

    /// The route that reads the parameter.
    pub(super) const fn read_path(self) -> &'static str {
        match self {
            Self::Enabled => "/breaker/enabled",
            Self::Memory => "/breaker/memory",
            Self::Latency => "/breaker/latency",
            Self::LatencyWindowSize => "/breaker/latency-window-size",
            Self::Percentile => "/breaker/percentile",
            Self::Wait => "/breaker/wait",
            Self::TrendAnalysis => "/breaker/trend-analysis",
            Self::OpsgenieToggle
            | Self::OpsgeniePriority
            | Self::OpsgenieTriggers
            | Self::OpsgenieTags
            | Self::OpsgenieCooldown => "/breaker/opsgenie/status",
        }
    }

    /// The value in the body of a GET or POST, in the form that [`Setting::change`] accepts; `None` if the body lacks
    /// it. Tags are one per line.
    pub(super) fn value(self, body: &Value) -> Option<String> {
        let field = |name: &str| body.get(name);
        match self {
            Self::Enabled | Self::OpsgenieToggle => switch(field("enabled")?),
            Self::Memory => scalar(field("memory")?),
            Self::Latency => scalar(field("latency")?),
            Self::LatencyWindowSize => scalar(field("latency_window_size")?),
            Self::Percentile => scalar(field("percentile")?),
            Self::Wait => scalar(field("wait")?),
            Self::TrendAnalysis => switch(field("trend_analysis")?),
            Self::OpsgeniePriority => scalar(field("priority")?),
            Self::OpsgenieTriggers => {
                let all = TRIGGERS.iter().map(|(short, key)| Some(format!("{short}={}", switch(field(key)?)?)));
                Some(all.collect::<Option<Vec<_>>>()?.join(" "))
            }
            Self::OpsgenieTags => {
                let tags = field("tags")?.as_array()?.iter().map(|tag| tag.as_str().map(plain));
                Some(tags.collect::<Option<Vec<_>>>()?.join("\n"))
            }
            Self::OpsgenieCooldown => scalar(field("cooldown_seconds")?),
        }
    }

    /// The value for people, with its unit.
    pub(super) fn shown(self, body: &Value) -> Option<String> {
        let value = self.value(body)?;
        Some(match self {
            Self::Memory => format!("{value} %"),
            Self::Latency => format!("{value} ms"),
            Self::LatencyWindowSize => format!("{value} calls"),
            Self::Wait | Self::OpsgenieCooldown => format!("{value} s"),
            Self::OpsgenieTags if value.is_empty() => "none".to_owned(),
            Self::OpsgenieTags => value.replace('\n', ", "),
            _ => value,
        })
    }

    /// The request that sets the parameter to `given`. The server checks the range.
    pub(super) fn change(self, given: &[String]) -> Result<Change, CliError> {
        let to = |path, body| Ok(Change { path, body: Some(body) });
        match self {
            Self::Enabled => {
                let path = if flag(self.name(), given)? { "/breaker/enabled" } else { "/breaker/disabled" };
                Ok(Change { path, body: None })
            }
            Self::Memory => {
                to("/breaker/memory", json!({"threshold": number(self.name(), given, "%", &self.allowed())?}))
            }
            Self::Latency => {
                to("/breaker/latency", json!({"threshold": number(self.name(), given, "ms", &self.allowed())?}))
            }
            Self::LatencyWindowSize => {
                to("/breaker/latency-window-size", json!({"size": number(self.name(), given, "", &self.allowed())?}))
            }
            Self::Percentile => {
                let number = number(self.name(), given, "%", &self.allowed())?;
                to("/breaker/percentile", json!({"percentile": number}))
            }
            Self::Wait => to("/breaker/wait", json!({"wait_time": number(self.name(), given, "s", &self.allowed())?})),
            Self::TrendAnalysis => to("/breaker/trend-analysis", json!({"enabled": flag(self.name(), given)?})),
            Self::OpsgenieToggle => to("/breaker/opsgenie/toggle", json!({"enabled": flag(self.name(), given)?})),
            Self::OpsgeniePriority => to(
                "/breaker/opsgenie/priority",
                json!({"priority": one(self.name(), given, &self.allowed())?.to_uppercase()}),
            ),
            Self::OpsgenieTriggers => to("/breaker/opsgenie/triggers", self.triggers(given)?),
            Self::OpsgenieTags => {
                let none = given.iter().all(String::is_empty);
                let tags = if none { &[] } else { given };
                to("/breaker/opsgenie/tags", json!({"tags": tags}))
            }
            Self::OpsgenieCooldown => {
                let seconds = number(self.name(), given, "s", &self.allowed())?;
                to("/breaker/opsgenie/cooldown", json!({"cooldown_seconds": seconds}))
            }
        }
    }

    fn triggers(self, given: &[String]) -> Result<Value, CliError> {
        const ALLOWED: &str = "open, reset, memory or latency, each with on or off, as in open=on";
        let mut body = Map::new();
        for text in given {
            let change = text.split_once('=').and_then(|(name, value)| {
                let (_, key) = TRIGGERS.iter().find(|(short, key)| *short == name || *key == name)?;
                Some(((*key).to_owned(), Value::Bool(parse_flag(value)?)))
            });
            body.extend([change.ok_or_else(|| rejected(self.name(), text, ALLOWED))?]);
        }
        Ok(body.into())
    }

    /// The values that the configuration key allows.
    fn allowed(self) -> String {
        self.key().and_then(entry).map_or_else(String::new, |entry| entry.key.field.to_string())
    }

    /// The values that `set` accepts, for its help.
    pub(super) fn values(self) -> String {
        match self {
            Self::Enabled | Self::TrendAnalysis | Self::OpsgenieToggle => "on or off".into(),
            Self::OpsgenieTriggers => "open=on reset=off memory=on latency=on, or some of them".into(),
            Self::OpsgenieTags => "one or more texts; one empty text for none".into(),
            _ => self.allowed(),
        }
    }

    /// The configuration key; `None` if there are several.
    pub(super) const fn key(self) -> Option<&'static str> {
        Some(match self {
            Self::Enabled => "enabled",
            Self::Memory => "memory_threshold",
            Self::Latency => "latency_threshold",
            Self::LatencyWindowSize => "latency_window_size",
            Self::Percentile => "percentile",
            Self::Wait => "wait_time",
            Self::TrendAnalysis => "trend_analysis_enabled",
            Self::OpsgenieToggle => "opsgenie.enabled",
            Self::OpsgeniePriority => "opsgenie.priority",
            Self::OpsgenieTriggers => return None,
            Self::OpsgenieTags => "opsgenie.tags",
            Self::OpsgenieCooldown => "opsgenie.alert_cooldown_seconds",
        })
    }
}

fn switch(value: &Value) -> Option<String> {
    value.as_bool().map(|on| on_off(on).to_owned())
}
