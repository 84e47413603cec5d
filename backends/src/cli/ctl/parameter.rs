//! The argument of `get` and `set`: a parameter of go-breaker's clients by its short name, or any live configuration
//! key.

use std::fmt::Write as _;
use std::sync::OnceLock;

use clap::ValueEnum as _;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::setting::Setting;
use crate::config::{Entry, entries, entry};

/// A parameter by its short name, or a live configuration key.
#[derive(Clone, Copy)]
pub(super) enum Parameter {
    Short(Setting),
    Key(Entry),
}

impl std::fmt::Debug for Parameter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Short(setting) => f.write_str(setting.name()),
            Self::Key(entry) => f.write_str(&entry.path()),
        }
    }
}

/// Parses a parameter. A short name takes precedence over a configuration key of the same name, which has the same
/// meaning.
pub(super) fn parser() -> impl TypedValueParser<Value = Parameter> {
    PossibleValuesParser::new(names().iter().map(String::as_str)).try_map(|name| {
        let short = Setting::from_str(&name, false).ok().map(Parameter::Short);
        short.or_else(|| entry(&name).map(Parameter::Key)).ok_or("no such parameter")
    })
}

/// Every name, without duplicates.
fn names() -> &'static [String] {
    static NAMES: OnceLock<Vec<String>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let mut names: Vec<String> = Setting::ALL.iter().map(|setting| setting.name().to_owned()).collect();
        names.extend(live_keys().map(|entry| entry.path()).filter(|path| Setting::from_str(path, false).is_err()));
        names
    })
}

/// The keys that can be read and set, in the order of the recommended file.
pub(super) fn live_keys() -> impl Iterator<Item = Entry> {
    entries().filter(|entry| entry.key.is_live())
}

/// The values of every parameter, for the help of `set`.
pub(super) fn help() -> String {
    let mut text = String::from(
        "Exit codes: 0 in force and saved; 3 in force, and not saved in a configuration file; 1 an error.\n\nParameters:\n",
    );
    for setting in Setting::ALL {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "  {:<20} {}", setting.name(), setting.values());
    }
    text.push_str("\nConfiguration keys (a key that can be without a value takes `unset`):\n");
    for entry in live_keys() {
        let unset = if entry.key.unset.is_some() { ", or unset" } else { "" };
        let _ = writeln!(text, "  {}: {}{unset}", entry.path(), entry.key.field);
    }
    text
}
