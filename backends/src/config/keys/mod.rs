//! Every key that a file can hold, once: name, place, what is allowed, what it means and where it goes.
//!
//! Reading, checking, the recommended text and the errors all follow these tables. Defaults are not repeated here:
//! they are those of [`Config::default`](super::Config), shown through the same table.

mod breaker;
mod opsgenie;
mod process;
mod webhook;

use super::value::Field;

/// One key.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// What it means, in one or two sentences.
    pub(crate) about: &'static str,
    pub(crate) field: Field,
    /// How it is written where it is not set; `None` where an empty value shows it.
    pub(crate) example: Option<&'static str>,
}

/// One table of a file.
pub(crate) struct Section {
    /// The header without brackets; empty for the top of the file.
    pub(crate) path: &'static str,
    pub(crate) about: &'static str,
    pub(crate) keys: &'static [Key],
}

/// Another place for the keys at the top of the file, as the original's files have it.
pub(crate) const TOP_ALIAS: &str = "circuit_breaker";
/// Entries with the keys of `[webhook]`.
pub(crate) const WEBHOOKS: &str = "webhooks";
/// Kept for many breakers in one file.
pub(crate) const RESERVED: &str = "breakers";

/// The longest duration that most keys take.
pub(crate) const DAY_SECONDS: f64 = 86_400.0;

/// Every section, in the order of the recommended file.
pub(crate) static SECTIONS: [Section; 6] =
    [breaker::SECTION, process::HTTP, process::LOG, webhook::SECTION, opsgenie::SECTION, opsgenie::CONTACTS];

impl Section {
    pub(crate) fn find(path: &str) -> Option<&'static Self> {
        SECTIONS.iter().find(|section| section.path == path)
    }

    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

/// `path` and `name` with a dot between them.
pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Every key that is read, with its section: `wait_time`, `opsgenie.priority`, …
pub fn key_names() -> Vec<String> {
    SECTIONS.iter().flat_map(|section| section.keys.iter().map(|key| join(section.path, key.name))).collect()
}

/// The keys at the top of the file, each with its value in `config` as TOML; `None` where it is not set.
#[cfg(feature = "cli")]
pub(crate) fn breaker_values(config: &super::Config) -> impl Iterator<Item = (&'static str, Option<String>)> {
    breaker::SECTION.keys.iter().map(|key| (key.name, key.field.show(config)))
}

/// Makes the two functions of an [`Access`](super::value::Access) from the kind of a field and its place.
macro_rules! access {
    // The very type of the value.
    (same $($path:ident).+) => {
        super::access!(|c, x| { c.$($path).+ = x; Some(()) }, |c| Some(c.$($path).+.clone()))
    };
    // A type of words.
    (word $type:ty, $($path:ident).+) => {
        super::access!(|c, x| { c.$($path).+ = <$type>::from_word(x)?; Some(()) }, |c| Some(c.$($path).+.as_str()))
    };
    // A path that may be unset.
    (path $($path:ident).+) => {
        super::access!(
            |c, x| { c.$($path).+ = (!x.is_empty()).then(|| x.into()); Some(()) },
            |c| c.$($path).+.as_ref().map(|path| path.to_string_lossy().into_owned())
        )
    };
    // A secret that may be unset, and is never written.
    (secret $($path:ident).+) => {
        super::access!(|c, x| { c.$($path).+ = (!x.is_empty()).then(|| Secret::new(x)); Some(()) }, |_| None)
    };
    // A whole number; the range of the key keeps it within the type.
    (count $type:ty, $($path:ident).+) => {
        super::access!(|c, x| { c.$($path).+ = x as $type; Some(()) }, |c| Some(f64::from(c.$($path).+)))
    };
    // A duration, in so many seconds.
    (time $unit_seconds:literal, $($path:ident).+) => {
        super::access!(
            |c, x| { c.$($path).+ = Duration::try_from_secs_f64(x * $unit_seconds).ok()?; Some(()) },
            |c| Some(c.$($path).+.as_secs_f64() / $unit_seconds)
        )
    };
    // A number with a range of its own, in units of this size.
    (ranged $type:ty, $unit:literal, $($path:ident).+) => {
        super::access!(
            |c, x| { c.$($path).+ = <$type>::new(x / $unit).ok()?; Some(()) },
            |c| Some(c.$($path).+.get() * $unit)
        )
    };
    (|$c:ident, $x:ident| $put:expr, |$g:pat_param| $get:expr) => {
        $crate::config::value::Access { put: |$c, $x| $put, get: |$g| $get }
    };
}
use access;

const fn key(name: &'static str, about: &'static str, field: Field) -> Key {
    Key { name, about, field, example: None }
}

impl Key {
    const fn example(self, value: &'static str) -> Self {
        Self { example: Some(value), ..self }
    }
}
