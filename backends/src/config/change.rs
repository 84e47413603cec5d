//! A change of some keys.

use std::fmt;

use toml::de::DeTable;
use tripline_runtime::BreakerName;

use super::breakers::BREAKERS;
use super::keys::{Entry, Key, entry};
use super::model::Config;
use super::secret::HIDDEN;
use super::setting_value::SettingValue;
use super::source::shorten;

/// New values for some keys, each of which the key allows.
///
/// ```
/// use tripline_backends::config::Change;
///
/// let change = Change::set("percentile", 99.0)?.and(Change::set("opsgenie.tags", vec!["Team:shop".to_owned()])?);
/// assert_eq!(change.to_string(), "percentile = 0.99, opsgenie.tags = [\"Team:shop\"]");
/// assert_eq!(Change::set("wait_time", 0.0).unwrap_err().to_string(), "wait_time = 0: allowed: 1 to 3600 (seconds)");
/// # Ok::<(), tripline_backends::config::RejectedValue>(())
/// ```
#[derive(Clone)]
pub struct Change {
    settings: Vec<Setting>,
}

/// One key with its new value.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) entry: Entry,
    /// The named breaker whose table it belongs in; `None` for the top of the file.
    pub(crate) breaker: Option<BreakerName>,
    /// As it stands in a file; `None` takes the key out of the file.
    pub(crate) toml: Option<String>,
}

/// A value that its key does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedValue {
    /// The key with its section.
    pub key: String,
    /// The value as TOML, shortened; `***` for a secret.
    pub value: String,
    /// The allowed values.
    pub allowed: String,
}

impl Change {
    /// Sets `key`, named with its section as in [`key_names`](super::key_names), to `value`.
    ///
    /// # Errors
    /// [`RejectedValue`] where the key does not allow the value, and where there is no such key.
    pub fn set(key: &str, value: impl Into<SettingValue>) -> Result<Self, RejectedValue> {
        let written = value.into().toml();
        let Some(entry) = entry(key) else {
            let allowed = "the keys of the configuration".into();
            return Err(RejectedValue { key: shorten(key), value: shorten(&written), allowed });
        };
        let field = &entry.key.field;
        let mut scratch = Config::default();
        if put(entry.key, &mut scratch, &written).is_none() {
            let value = if field.hides(&written) { HIDDEN.into() } else { shorten(&written) };
            return Err(RejectedValue { key: key.into(), value, allowed: field.to_string() });
        }
        // A percentile is written as a ratio, and a number without the traces of arithmetic.
        let shown = field.show(&scratch).filter(|shown| put(entry.key, &mut scratch, shown).is_some());
        let toml = Some(shown.unwrap_or(written));
        Ok(Self { settings: vec![Setting { entry, breaker: None, toml }] })
    }

    /// Takes the value of `key` away, so that its default applies.
    ///
    /// # Errors
    /// [`RejectedValue`] where the key always has a value, and where there is no such key.
    pub fn unset(key: &str) -> Result<Self, RejectedValue> {
        let rejected = |allowed: String| RejectedValue { key: shorten(key), value: "not set".into(), allowed };
        let entry = entry(key).ok_or_else(|| rejected("the keys of the configuration".into()))?;
        if entry.key.unset.is_none() {
            return Err(rejected(entry.key.field.to_string()));
        }
        Ok(Self { settings: vec![Setting { entry, breaker: None, toml: None }] })
    }

    /// The same change of the breaker `name` alone: it goes into `[breakers.NAME]`.
    ///
    /// # Errors
    /// [`RejectedValue`] where a key is one for all breakers.
    pub fn of_breaker(mut self, name: &BreakerName) -> Result<Self, RejectedValue> {
        for setting in &mut self.settings {
            if setting.entry.table_in_breaker().is_none() {
                let allowed = "the keys of a breaker".into();
                let value = setting.toml.as_deref().map_or("not set", |toml| setting.shown(toml)).to_owned();
                return Err(RejectedValue { key: setting.entry.path(), value, allowed });
            }
            setting.breaker = Some(name.clone());
        }
        Ok(self)
    }

    /// These keys and those of `later`, which wins where both set one.
    #[must_use]
    pub fn and(mut self, later: Self) -> Self {
        for setting in later.settings {
            self.settings.retain(|earlier| earlier.name() != setting.name());
            self.settings.push(setting);
        }
        self
    }

    /// A change of nothing.
    pub(crate) fn none() -> Self {
        Self { settings: Vec::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.settings.is_empty()
    }

    pub(crate) fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// The keys, with their sections.
    pub fn keys(&self) -> Vec<String> {
        self.settings.iter().map(Setting::name).collect()
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.settings.retain(|setting| keep(&setting.name()));
    }

    /// Puts the values into `config`. A `max_wait_time` below a new `wait_time` is raised to it.
    pub fn apply_to(&self, config: &mut Config) {
        for setting in &self.settings {
            let Some(name) = &setting.breaker else {
                setting.apply_to(config);
                continue;
            };
            let at = config.breakers.iter().position(|breaker| breaker.name == *name);
            if let Some(breaker) = at.and_then(|at| config.breakers.get(at)) {
                let mut view = config.view_of(breaker);
                setting.apply_to(&mut view);
                if let Some(breaker) = at.and_then(|at| config.breakers.get_mut(at)) {
                    *breaker = view.breaker;
                }
            }
        }
    }
}

impl Setting {
    /// The key with its section, and that of its breaker.
    pub(crate) fn name(&self) -> String {
        let in_breaker = self.breaker.as_ref().and_then(|breaker| self.entry.path_in(breaker.as_str()));
        in_breaker.unwrap_or_else(|| self.entry.path())
    }

    /// Where it stands in a file: the tables, and the key.
    pub(crate) fn steps(&self) -> Vec<&str> {
        let (name, sections) = (self.entry.key.name, self.entry.section.path);
        let in_breaker = self.breaker.as_ref().and_then(|breaker| Some((breaker, self.entry.table_in_breaker()?)));
        let (breaker, sections) = match in_breaker {
            Some((breaker, table)) => (vec![BREAKERS, breaker.as_str()], table),
            None => (Vec::new(), sections),
        };
        let sections = sections.split('.').filter(|section| !section.is_empty());
        breaker.into_iter().chain(sections).chain([name]).collect()
    }

    /// Puts the value into the top of `config`.
    fn apply_to(&self, config: &mut Config) {
        let key = self.entry.key;
        match (&self.toml, key.unset) {
            // Each value was accepted before, so none is rejected now.
            (Some(toml), _) => drop(put(key, config, toml)),
            (None, Some(unset)) => unset(config),
            (None, None) => {}
        }
        let policy = &mut config.breaker.policy;
        policy.max_wait_time = policy.max_wait_time.max(policy.wait_time);
    }

    /// A value of the key, as it can be shown.
    fn shown<'v>(&self, toml: &'v str) -> &'v str {
        if self.entry.key.field.hides(toml) { HIDDEN } else { toml }
    }
}

/// `key = value, …` as in a file; secrets are hidden.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, setting) in self.settings.iter().enumerate() {
            let value = match &setting.toml {
                None => "not set",
                Some(toml) => setting.shown(toml),
            };
            write!(f, "{}{} = {value}", if i > 0 { ", " } else { "" }, setting.name())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Change({self})")
    }
}

impl fmt::Display for RejectedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: allowed: {}", self.key, self.value, self.allowed)
    }
}

impl std::error::Error for RejectedValue {}

/// Puts a value, as it is written in a file, into `config`; `None` where it is not allowed.
fn put(key: &Key<Config>, config: &mut Config, written: &str) -> Option<()> {
    let line = format!("x = {written}");
    let table = DeTable::parse(&line).ok()?;
    key.field.set(config, table.get_ref().get("x")?).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_accepted_where_its_key_allows_it_and_rejected_with_what_is_allowed() {
        for (key, value, written) in [
            ("memory_threshold", SettingValue::Number(80.5), "80.5"),
            ("memory_threshold", SettingValue::Number(80.0), "80"),
            ("percentile", SettingValue::Number(95.0), "0.95"),
            ("percentile", SettingValue::Number(0.57), "0.57"),
            ("opsgenie.tags", SettingValue::Texts(Vec::new()), "[]"),
            ("opsgenie.priority", SettingValue::Text("P2".into()), "\"P2\""),
            ("enabled", SettingValue::Flag(false), "false"),
            // Rounded it would be rejected.
            ("memory_threshold", SettingValue::Number(99.999_999_999_9), "99.9999999999"),
        ] {
            assert_eq!(Change::set(key, value).unwrap().to_string(), format!("{key} = {written}"));
        }
        for (key, value) in [
            ("memory_threshold", SettingValue::Number(100.0)),
            ("memory_threshold", SettingValue::Number(f64::NAN)),
            ("memory_threshold", SettingValue::Number(f64::INFINITY)),
            ("memory_threshold", SettingValue::Number(1e300)),
            ("memory_threshold", SettingValue::Text("80".into())),
            ("latency_window_size", SettingValue::Number(1.5)),
            ("opsgenie.priority", SettingValue::Text("P6".into())),
            ("opsgenie.tags", SettingValue::Texts(vec![String::new()])),
            ("no_such_key", SettingValue::Flag(true)),
            ("opsgenie", SettingValue::Flag(true)),
        ] {
            let rejected = Change::set(key, value).unwrap_err();
            assert!(rejected.key == key && !rejected.allowed.is_empty(), "{rejected}");
        }
    }

    #[test]
    fn of_two_changes_the_later_wins_for_each_key() {
        let first = Change::set("wait_time", 5.0).unwrap().and(Change::set("percentile", 0.9).unwrap());
        let both = first.and(Change::set("wait_time", 7.0).unwrap());
        assert_eq!(both.to_string(), "percentile = 0.9, wait_time = 7");
    }

    #[test]
    fn a_longer_wait_takes_the_longest_wait_along() {
        let mut config = Config::default();
        Change::set("wait_time", 900.0).unwrap().apply_to(&mut config);
        assert_eq!(config.breaker.policy.max_wait_time, config.breaker.policy.wait_time);
    }

    #[test]
    fn a_secret_is_not_shown_by_a_change() {
        let change = Change::set("opsgenie.api_key", "very-secret-key").unwrap();
        assert_eq!(format!("{change:?}"), "Change(opsgenie.api_key = ***)");
    }
}
