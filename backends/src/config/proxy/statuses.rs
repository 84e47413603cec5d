//! Sets of HTTP statuses.

use std::fmt;
use std::ops::RangeInclusive;

/// Statuses such as `["500", "502-599"]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statuses(Vec<RangeInclusive<u16>>);

impl Statuses {
    /// What is allowed, for messages.
    pub const ALLOWED: &'static str = "a list of statuses and ranges, such as [\"429\", \"500\", \"502-599\"]";

    /// Reads each entry as a status or a range; `None` where one is neither.
    pub fn new(entries: &[String]) -> Option<Self> {
        entries.iter().map(|entry| range(entry)).collect::<Option<Vec<_>>>().map(Self)
    }

    /// Whether `status` is among them.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }

    /// As it is written in a file.
    pub fn entries(&self) -> Vec<String> {
        let entry = |range: &RangeInclusive<u16>| {
            if range.start() == range.end() {
                range.start().to_string()
            } else {
                format!("{}-{}", range.start(), range.end())
            }
        };
        self.0.iter().map(entry).collect()
    }
}

/// Every 5xx but 501, which says that a method is not known.
impl Default for Statuses {
    fn default() -> Self {
        Self(vec![500..=500, 502..=599])
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.entries().join(", "))
    }
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let status = |text: &str| {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|status| is_number && (200..=599).contains(status))
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (status(first)?, status(last)?);
    (first <= last).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_statuses_and_ranges() {
        let of = |entries: &[&str]| Statuses::new(&entries.iter().map(|entry| (*entry).to_owned()).collect::<Vec<_>>());
        let statuses = of(&["429", "500-502"]).unwrap_or_default();
        let contained: Vec<u16> = (400..520).filter(|status| statuses.contains(*status)).collect();
        assert_eq!(contained, [429, 500, 501, 502]);
        assert_eq!(statuses.entries(), ["429", "500-502"]);
        for bad in ["", "5xx", "199", "600", "502-500", "-", "500-", "+500", "500-501-502"] {
            assert_eq!(of(&[bad]), None, "{bad}");
        }
        let default = Statuses::default();
        assert!(default.contains(500) && !default.contains(501) && default.contains(503) && !default.contains(404));
    }
}
