//! The parameters: where each is read and changed, and how its values are written.

use clap::ValueEnum;
use serde_json::{Map, Number, Value, json};

use super::super::CliError;
use super::show::{on_off, plain, scalar};

/// A parameter of the breaker or of its alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Setting {
    /// Whether the breaker is enabled.
    Enabled,
    /// The share of memory at which the breaker opens.
    Memory,
    /// The latency above which a call is slow.
    Latency,
    /// How many of the last calls are looked at.
    LatencyWindowSize,
    /// Which quantile of the latencies is held against the threshold.
    Percentile,
    /// How long the breaker stays open.
    Wait,
    /// Whether only a rising or persistent latency opens the breaker.
    TrendAnalysis,
    /// Whether alerts are sent.
    OpsgenieToggle,
    /// The priority of alerts that are not staged.
    OpsgeniePriority,
    /// What alerts are sent for.
    OpsgenieTriggers,
    /// Tags of every alert.
    OpsgenieTags,
    /// By how much the next incident's first alert is delayed.
    OpsgenieCooldown,
}

/// What is posted, and where.
#[derive(Debug, PartialEq)]
pub(super) struct Change {
    pub(super) path: &'static str,
    pub(super) body: Option<Value>,
}

/// The triggers as they are written here, and as the API names them.
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

    /// Where it is read.
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

    /// What GET or POST answered, as [`Setting::change`] takes it; `None` where it is not in there. Tags are one a line.
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

    /// The same for people, with the unit.
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

    /// What to post so that it has this value. The range is for the server to check.
    pub(super) fn change(self, given: &[String]) -> Result<Change, CliError> {
        let to = |path, body| Ok(Change { path, body: Some(body) });
        match self {
            Self::Enabled => {
                let path = if self.flag(given)? { "/breaker/enabled" } else { "/breaker/disabled" };
                Ok(Change { path, body: None })
            }
            Self::Memory => {
                to("/breaker/memory", json!({"threshold": self.number(given, "%", "0 < x < 100 (percent)")?}))
            }
            Self::Latency => {
                to("/breaker/latency", json!({"threshold": self.number(given, "ms", "1 to 4294967 (milliseconds)")?}))
            }
            Self::LatencyWindowSize => {
                to("/breaker/latency-window-size", json!({"size": self.number(given, "", "1 to 1024 (calls)")?}))
            }
            Self::Percentile => {
                let number = self.number(given, "%", "a ratio 0 < x <= 1, or 50 to 100 (percent)")?;
                to("/breaker/percentile", json!({"percentile": number}))
            }
            Self::Wait => to("/breaker/wait", json!({"wait_time": self.number(given, "s", "1 to 3600 (seconds)")?})),
            Self::TrendAnalysis => to("/breaker/trend-analysis", json!({"enabled": self.flag(given)?})),
            Self::OpsgenieToggle => to("/breaker/opsgenie/toggle", json!({"enabled": self.flag(given)?})),
            Self::OpsgeniePriority => {
                to("/breaker/opsgenie/priority", json!({"priority": self.one(given, "P1 to P5")?.to_uppercase()}))
            }
            Self::OpsgenieTriggers => to("/breaker/opsgenie/triggers", self.triggers(given)?),
            Self::OpsgenieTags => {
                let none = given.iter().all(String::is_empty);
                let tags = if none { &[] } else { given };
                to("/breaker/opsgenie/tags", json!({"tags": tags}))
            }
            Self::OpsgenieCooldown => {
                let seconds = self.number(given, "s", "0 to 604800 (seconds)")?;
                to("/breaker/opsgenie/cooldown", json!({"cooldown_seconds": seconds}))
            }
        }
    }

    fn one<'a>(self, given: &'a [String], allowed: &str) -> Result<&'a str, CliError> {
        match given {
            [one] => Ok(one),
            _ => Err(self.refused(&given.join(" "), &format!("one value, {allowed}"))),
        }
    }

    fn flag(self, given: &[String]) -> Result<bool, CliError> {
        let text = self.one(given, "on or off")?;
        flag(text).ok_or_else(|| self.refused(text, "on or off"))
    }

    /// A number with or without its unit; a percentile of `95%` is 95.
    fn number(self, given: &[String], unit: &str, allowed: &str) -> Result<Number, CliError> {
        let text = self.one(given, allowed)?;
        let bare = text.strip_suffix(unit).unwrap_or(text).trim_end();
        let whole = bare.parse::<i64>().ok().map(Number::from);
        whole.or_else(|| bare.parse().ok().and_then(Number::from_f64)).ok_or_else(|| self.refused(text, allowed))
    }

    fn triggers(self, given: &[String]) -> Result<Value, CliError> {
        const ALLOWED: &str = "open, reset, memory or latency, each with on or off, as in open=on";
        let mut body = Map::new();
        for text in given {
            let change = text.split_once('=').and_then(|(name, value)| {
                let (_, key) = TRIGGERS.iter().find(|(short, key)| *short == name || *key == name)?;
                Some(((*key).to_owned(), Value::Bool(flag(value)?)))
            });
            body.extend([change.ok_or_else(|| self.refused(text, ALLOWED))?]);
        }
        Ok(body.into())
    }

    fn refused(self, found: &str, allowed: &str) -> CliError {
        CliError::new(format!("{} cannot be {found:?}; allowed: {allowed}", self.name()))
    }
}

fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" => Some(true),
        "off" | "false" | "no" => Some(false),
        _ => None,
    }
}

fn switch(value: &Value) -> Option<String> {
    value.as_bool().map(|on| on_off(on).to_owned())
}
