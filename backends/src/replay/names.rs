//! The names of the fields, and those that look like a misspelling of one.

use std::collections::HashSet;
use std::fmt;

use super::human_format::shown;
use crate::suggest::closest;

/// Longer names are no misspelling of ours.
const MAX_NAME_BYTES: usize = 64;
/// Unknown names beyond this many are looked at each time they come.
const MAX_REMEMBERED: usize = 256;
/// Warnings beyond this many are not reported: such an input has other columns, not typos.
const MAX_WARNINGS: usize = 16;

/// A field of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    AtMs,
    LatencyMs,
    Outcome,
    MemoryPercent,
    Path,
}

impl Field {
    /// Fields that a name may be a misspelling of.
    const MISSPELT: [Self; 4] = [Self::AtMs, Self::LatencyMs, Self::Outcome, Self::MemoryPercent];

    pub(super) fn find(name: &str) -> Option<Self> {
        Self::MISSPELT.into_iter().chain([Self::Path]).find(|field| field.as_str() == name)
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::AtMs => "at_ms",
            Self::LatencyMs => "latency_ms",
            Self::Outcome => "outcome",
            Self::MemoryPercent => "memory_percent",
            Self::Path => "path",
        }
    }
}

/// A field of the input that was passed over, and looks like a misspelling of one that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warning {
    /// The line that has it first, counted from 1; blank lines and the CSV header count.
    pub line: u64,
    /// The name as it stands there.
    pub name: String,
    /// The field that is likely meant, which the line does not have.
    pub meant: &'static str,
}

/// `line 1: outcom: unknown field, ignored; did you mean outcome?`
impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: unknown field, ignored; did you mean {}?", self.line, self.name, self.meant)
    }
}

/// Whether a JSON object has a name at its top that is one of ours, or looks like a misspelling of one.
pub(super) fn has_known_name(text: &[u8]) -> bool {
    let Ok(members) = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(text) else { return true };
    let is_known = |name: &String| closest(name, Field::MISSPELT.into_iter().map(Field::as_str)).is_some();
    members.keys().any(is_known)
}

/// The names that were met. It stays small, whatever the input.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Unknown names that need not be looked at again.
    unknown: HashSet<Box<str>>,
    /// The fields of the line in hand.
    present: Vec<Field>,
    /// The likely misspellings in the line in hand.
    misspelt: Vec<(String, Field)>,
    warnings: Vec<Warning>,
}

impl Names {
    /// Takes note of a name; returns which field it is.
    pub(super) fn meet(&mut self, name: &str) -> Option<Field> {
        let field = Field::find(name);
        match field {
            Some(field) => self.present.push(field),
            None => self.meet_unknown(name),
        }
        field
    }

    /// Whether the line in hand has the field more than once.
    pub(super) fn have_twice(&self, field: Field) -> bool {
        self.present.iter().filter(|&&present| present == field).count() > 1
    }

    fn meet_unknown(&mut self, name: &str) {
        let reported = self.warnings.len() + self.misspelt.len();
        if name.len() > MAX_NAME_BYTES || reported >= MAX_WARNINGS || self.unknown.contains(name) {
            return;
        }
        if self.unknown.len() < MAX_REMEMBERED {
            self.unknown.insert(name.into());
        } else if self.warnings.iter().any(|warning| warning.name == name) {
            return;
        }
        let meant = closest(name, Field::MISSPELT.into_iter().map(Field::as_str)).and_then(Field::find);
        self.misspelt.extend(meant.map(|field| (shown(name), field)));
    }

    /// The line is read. A name near to a field that the line has as well is a name of its own.
    pub(super) fn end_line(&mut self, line: u64) {
        for (name, field) in self.misspelt.drain(..) {
            if !self.present.contains(&field) {
                self.warnings.push(Warning { line, name, meant: field.as_str() });
            }
        }
        self.present.clear();
    }

    pub(super) fn take_warnings(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.warnings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings(lines: &[&[&str]]) -> Vec<String> {
        let mut names = Names::default();
        for (line, met) in (1..).zip(lines) {
            for name in *met {
                names.meet(name);
            }
            names.end_line(line);
        }
        names.take_warnings().iter().map(Warning::to_string).collect()
    }

    #[test]
    fn a_name_near_to_a_field_is_reported_once_and_one_far_from_all_never() {
        assert_eq!(
            warnings(&[&["at_ms", "outcom", "note", "id", ""], &["outcom", "LatencyMS"]]),
            [
                "line 1: outcom: unknown field, ignored; did you mean outcome?",
                "line 2: LatencyMS: unknown field, ignored; did you mean latency_ms?",
            ]
        );
    }

    #[test]
    fn a_name_near_to_a_field_that_the_line_has_is_silent() {
        assert_eq!(warnings(&[&["latency_us", "latency_ms"], &["memory_percent", "memory_percents"]]), [""; 0]);
        assert_eq!(warnings(&[&["latency_us"]]).len(), 1);
    }

    #[test]
    fn an_input_full_of_other_names_costs_no_memory() {
        let mut names = Names::default();
        for line in 0..10_000 {
            names.meet(&format!("{line}"));
            names.meet(&format!("outcom{line}"));
            names.meet("at_mss");
            names.meet(&"x".repeat(100_000));
            names.end_line(line);
        }
        assert!(names.unknown.len() <= MAX_REMEMBERED);
        let warnings = names.take_warnings();
        assert_eq!(warnings.iter().filter(|warning| warning.name == "at_mss").count(), 1);
        assert!(warnings.len() <= MAX_WARNINGS, "{}", warnings.len());
    }
}
