//! The Prometheus text format 0.0.4.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};

use tripline_runtime::BreakerName;
use tripline_runtime::core::RejectionReason;

use super::reading::Reading;

#[derive(Default)]
pub(crate) struct Encoder {
    text: String,
}

impl Encoder {
    pub(crate) fn gauge(&mut self, name: &'static str, help: &'static str) -> Family<'_> {
        self.family(name, help, "gauge")
    }

    pub(crate) fn counter(&mut self, name: &'static str, help: &'static str) -> Family<'_> {
        self.family(name, help, "counter")
    }

    /// Starts a histogram, whose series are written by [`Family::part`].
    pub(super) fn histogram(&mut self, name: &'static str, help: &'static str) -> Family<'_> {
        self.family(name, help, "histogram")
    }

    fn family(&mut self, name: &'static str, help: &'static str, kind: &'static str) -> Family<'_> {
        // Writing into a `String` cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Family { text: &mut self.text, name }
    }

    pub(crate) fn into_string(self) -> String {
        self.text
    }
}

/// All series of one metric, which must be consecutive.
pub(crate) struct Family<'t> {
    text: &'t mut String,
    name: &'static str,
}

impl Family<'_> {
    /// Writes one series. Label values are escaped: the name of a sink may contain any character.
    pub(crate) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.part("", labels, value);
    }

    /// Like [`Family::sample`], for the series whose name ends in `suffix`.
    pub(super) fn part(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        for (i, (label, word)) in labels.iter().enumerate() {
            let open = if i == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{open}{label}=\"{}\"", label_value(word));
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{close} {value}");
    }

    /// Writes one series per reason.
    pub(super) fn by_reason(&mut self, breaker: &BreakerName, counts: &[(RejectionReason, u64)]) {
        for (reason, count) in counts {
            self.sample(&[("breaker", breaker.as_str()), ("reason", reason.as_str())], count);
        }
    }

    /// Writes one series per breaker, except for those without a value.
    pub(super) fn each<V: Display>(&mut self, readings: &[Reading], value: impl Fn(&Reading) -> Option<V>) {
        for reading in readings {
            if let Some(value) = value(reading) {
                self.sample(&[("breaker", reading.name.as_str())], value);
            }
        }
    }
}

/// Escapes the value of a label.
pub(crate) fn label_value(word: &str) -> Cow<'_, str> {
    if word.contains(['\\', '"', '\n']) {
        word.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n").into()
    } else {
        word.into()
    }
}
