//! A change of some keys, and what two configurations differ in.

use std::fmt;

use toml::de::DeTable;

use super::keys::{Key, SECTIONS, Section, WEBHOOKS, join};
use super::model::Config;
use super::secret::HIDDEN;
use super::source::shorten;
use super::text::quoted;

/// A value for a key, of whichever type the key takes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SettingValue {
    /// True or false.
    Flag(bool),
    /// A number; a percentile may be a ratio or percent.
    Number(f64),
    /// A text, or one of a few words.
    Text(String),
    /// A list of texts.
    Texts(Vec<String>),
}

/// New values for some keys, each of which the key allows.
///
/// ```
/// use tripline_backends::config::Change;
///
/// let change = Change::set("percentile", 99.0)?.and(Change::set("opsgenie.tags", vec!["Team:shop".to_owned()])?);
/// assert_eq!(change.to_string(), "percentile = 0.99, opsgenie.tags = [\"Team:shop\"]");
/// assert_eq!(Change::set("wait_time", 0.0).unwrap_err().to_string(), "wait_time = 0: allowed: 1 to 3600 (seconds)");
/// # Ok::<(), tripline_backends::config::RefusedValue>(())
/// ```
#[derive(Clone)]
pub struct Change {
    settings: Vec<Setting>,
}

/// One key with its new value as it stands in a file.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) section: &'static Section,
    pub(crate) key: &'static Key,
    pub(crate) toml: String,
}

/// A value that its key does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedValue {
    /// The key with its section.
    pub key: String,
    /// The value as TOML, shortened; `***` for a secret.
    pub value: String,
    /// What is allowed instead.
    pub allowed: String,
}

impl Change {
    /// Sets `key`, named with its section as in [`key_names`](super::key_names), to `value`.
    ///
    /// # Errors
    /// [`RefusedValue`] where the key does not allow the value, and where there is no such key.
    pub fn set(key: &str, value: impl Into<SettingValue>) -> Result<Self, RefusedValue> {
        let written = value.into().toml();
        let found = SECTIONS.iter().find_map(|section| {
            let name = if section.path.is_empty() { key } else { key.strip_prefix(section.path)?.strip_prefix('.')? };
            Some((section, section.key(name)?))
        });
        let Some((section, found)) = found else {
            let allowed = "the keys of the configuration".into();
            return Err(RefusedValue { key: shorten(key), value: shorten(&written), allowed });
        };
        let mut scratch = Config::default();
        if put(found, &mut scratch, &written).is_none() {
            let value = if found.field.hides(&written) { HIDDEN.into() } else { shorten(&written) };
            return Err(RefusedValue { key: key.into(), value, allowed: found.field.to_string() });
        }
        // A percentile is written as a ratio, and a number without the traces of arithmetic.
        let shown = found.field.show(&scratch).filter(|shown| put(found, &mut scratch, shown).is_some());
        let toml = shown.unwrap_or(written);
        Ok(Self { settings: vec![Setting { section, key: found, toml }] })
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

    /// Puts the values into `config`. A longest wait that lies below a new wait follows it.
    pub fn apply_to(&self, config: &mut Config) {
        for setting in &self.settings {
            // Each value was taken before, so none is refused now.
            let _ = put(setting.key, config, &setting.toml);
        }
        config.policy.max_wait_time = config.policy.max_wait_time.max(config.policy.wait_time);
    }
}

impl Setting {
    /// The key with its section.
    pub(crate) fn name(&self) -> String {
        join(self.section.path, self.key.name)
    }
}

/// `key = value, …` as in a file; secrets are hidden.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, setting) in self.settings.iter().enumerate() {
            let value = if setting.key.field.hides(&setting.toml) { HIDDEN } else { &setting.toml };
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

impl fmt::Display for RefusedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: allowed: {}", self.key, self.value, self.allowed)
    }
}

impl std::error::Error for RefusedValue {}

/// Puts a value, as it is written in a file, into `config`; `None` where it is refused.
fn put(key: &Key, config: &mut Config, written: &str) -> Option<()> {
    let line = format!("x = {written}");
    let table = DeTable::parse(&line).ok()?;
    key.field.set(config, table.get_ref().get("x")?).ok()
}

impl SettingValue {
    fn toml(&self) -> String {
        match self {
            Self::Flag(flag) => flag.to_string(),
            // Whole numbers are written without a point; NaN and infinities are no TOML, and so are refused.
            Self::Number(x) => x.to_string(),
            Self::Text(text) => quoted(text),
            Self::Texts(texts) => {
                format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

impl From<bool> for SettingValue {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<f64> for SettingValue {
    fn from(x: f64) -> Self {
        Self::Number(x)
    }
}

impl From<u32> for SettingValue {
    fn from(x: u32) -> Self {
        Self::Number(f64::from(x))
    }
}

impl From<&str> for SettingValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Vec<String>> for SettingValue {
    fn from(texts: Vec<String>) -> Self {
        Self::Texts(texts)
    }
}

/// A key that two configurations differ in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The key with its section.
    pub key: String,
    /// The earlier value as TOML: `***` for a secret, `not set` where there is none.
    pub old: String,
    /// The later value, in the same way.
    pub new: String,
}

/// Every key in which `new` differs from `old`, in the order of the recommended file.
pub fn differences(old: &Config, new: &Config) -> Vec<Difference> {
    let shown = |key: &Key, config: &Config| key.field.show(config).unwrap_or_else(|| "not set".into());
    let mut found = Vec::new();
    for section in &SECTIONS {
        for key in section.keys {
            let name = join(section.path, key.name);
            let (before, after) = match secret_differs(&name, old, new) {
                Some(false) => continue,
                Some(true) => (HIDDEN.to_owned(), HIDDEN.to_owned()),
                None => (shown(key, old), shown(key, new)),
            };
            if before != after || before == HIDDEN {
                found.push(Difference { key: name, old: before, new: after });
            }
        }
    }
    if old.webhooks != new.webhooks {
        let shown = |config: &Config| format!("{} entries", config.webhooks.len());
        found.push(Difference { key: WEBHOOKS.to_owned(), old: shown(old), new: shown(new) });
    }
    found
}

/// Secrets are never shown, so they are compared where they are; `None` for any other key.
fn secret_differs(name: &str, old: &Config, new: &Config) -> Option<bool> {
    match name {
        "opsgenie.api_key" => Some(old.opsgenie.api_key != new.opsgenie.api_key),
        "opsgenie.proxy" => Some(old.opsgenie.proxy != new.opsgenie.proxy),
        "webhook.url" => Some(old.webhook.url != new.webhook.url),
        "webhook.routing_key" => Some(old.webhook.routing_key != new.webhook.routing_key),
        "webhook.headers" => Some(old.webhook.headers != new.webhook.headers),
        "webhook.proxy" => Some(old.webhook.proxy != new.webhook.proxy),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[test]
    fn a_value_is_taken_where_its_key_allows_it_and_refused_with_what_is_allowed() {
        for (key, value, written) in [
            ("memory_threshold", SettingValue::Number(80.5), "80.5"),
            ("memory_threshold", SettingValue::Number(80.0), "80"),
            ("percentile", SettingValue::Number(95.0), "0.95"),
            ("percentile", SettingValue::Number(0.57), "0.57"),
            ("opsgenie.tags", SettingValue::Texts(Vec::new()), "[]"),
            ("opsgenie.priority", SettingValue::Text("P2".into()), "\"P2\""),
            ("enabled", SettingValue::Flag(false), "false"),
            // Rounded it would be refused.
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
            let refused = Change::set(key, value).unwrap_err();
            assert!(refused.key == key && !refused.allowed.is_empty(), "{refused}");
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
        assert_eq!(config.policy.max_wait_time, config.policy.wait_time);
    }

    #[test]
    fn differences_name_each_key_and_never_show_a_secret() {
        let (old, mut new) = (Config::default(), Config::default());
        new.opsgenie.api_key = Some(Secret::new("abc"));
        Change::set("wait_time", 7.0).unwrap().apply_to(&mut new);
        let found = differences(&old, &new);
        assert_eq!(
            found.iter().map(|d| (d.key.as_str(), d.new.as_str())).collect::<Vec<_>>(),
            [("wait_time", "7"), ("opsgenie.api_key", "***")]
        );
        assert!(differences(&new, &new).is_empty());
    }

    #[test]
    fn a_secret_is_not_shown_by_a_change() {
        let change = Change::set("opsgenie.api_key", "very-secret-key").unwrap();
        assert_eq!(format!("{change:?}"), "Change(opsgenie.api_key = ***)");
    }
}
