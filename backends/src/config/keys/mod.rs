//! The key table: every key that a configuration file can hold, once, with its place, what is allowed, what it means and
//! where its value goes.
//!
//! Parsing, checking, the recommended text, the configuration reference, hot reload, the API and `tripline ctl` all follow
//! from this table. Defaults are not repeated here: they are those of [`Config::default`](super::Config), read through
//! the same table.

mod alerts;
mod breaker;
mod family;
mod fleet;
mod key;
mod opsgenie;
mod process;
mod proxy;
mod route;
mod upstream;
mod webhook;

use super::model::Config;

pub(crate) use alerts::{ALERTS, alert_key, alert_keys};
pub(crate) use family::{FAMILY, family_key};
pub(crate) use key::{Key, Recommended, Section};
pub(crate) use route::ROUTE_SECTIONS;
pub(crate) use upstream::UPSTREAM_SECTIONS;

/// Another place for the keys at the top of the file, as go-breaker's files have it.
pub(crate) const TOP_ALIAS: &str = "circuit_breaker";
/// Entries with the keys of `[webhook]`.
pub(crate) const WEBHOOKS: &str = "webhooks";

/// Keys at the top of the file that a breaker cannot have of its own.
const OF_PROCESS: [&str; 2] = ["name", "state_dir"];

/// Whether a breaker can have a key of the top of the file of its own.
pub(crate) fn is_own_key(name: &str) -> bool {
    !OF_PROCESS.contains(&name)
}

/// Every section, in the order of the recommended file.
pub(crate) static SECTIONS: [Section<Config>; 9] = [
    breaker::SECTION,
    process::HTTP,
    process::LOG,
    fleet::SECTION,
    webhook::SECTION,
    opsgenie::SECTION,
    opsgenie::CONTACTS,
    proxy::SECTION,
    proxy::TLS,
];

/// The section whose header is `path`.
pub(crate) fn section(path: &str) -> Option<&'static Section<Config>> {
    SECTIONS.iter().find(|section| section.path == path)
}

/// A key with the section that it stands in.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) section: &'static Section<Config>,
    pub(crate) key: &'static Key<Config>,
}

impl Entry {
    /// The key with its section: `wait_time`, `opsgenie.priority`, …
    pub(crate) fn path(&self) -> String {
        join(self.section.path, self.key.name)
    }

    /// The key in the table of the named breaker `breaker`: `breakers.checkout.wait_time`, `breakers.checkout.alerts.team`, …;
    /// `None` for one that no breaker has of its own.
    #[cfg(feature = "reload")]
    pub(crate) fn path_in(&self, breaker: &str) -> Option<String> {
        Some(format!("breakers.{breaker}.{}", join(self.table_in_breaker()?, self.key.name)))
    }

    /// The table of the key under that of a breaker: empty, or `alerts`; `None` for a key that no breaker has of its own.
    #[cfg(feature = "reload")]
    pub(crate) fn table_in_breaker(&self) -> Option<&'static str> {
        match self.section.path {
            "" => is_own_key(self.key.name).then_some(""),
            "opsgenie" => alert_key(self.key.name).map(|_| ALERTS),
            _ => None,
        }
    }
}

/// Every key, in the order of the recommended file.
pub(crate) fn entries() -> impl Iterator<Item = Entry> {
    SECTIONS.iter().flat_map(|section| section.keys.iter().map(move |key| Entry { section, key }))
}

/// The key that [`Entry::path`] names so.
#[cfg(feature = "reload")]
pub(crate) fn entry(path: &str) -> Option<Entry> {
    let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
    let section = section(parent)?;
    Some(Entry { section, key: section.key(name)? })
}

/// `path` and `name` with a dot between them.
pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Every key that is read, with its section: `wait_time`, `opsgenie.priority`, …
pub fn key_names() -> Vec<String> {
    entries().map(|entry| entry.path()).collect()
}

/// The keys at the top of the file, each with its value in `config` as TOML; `None` where it is not set.
#[cfg(feature = "cli")]
pub(crate) fn breaker_values(config: &Config) -> impl Iterator<Item = (&'static str, Option<String>)> {
    breaker::SECTION.keys.iter().map(|key| (key.name, key.field.show(config)))
}
