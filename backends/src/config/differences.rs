//! The keys in which two configurations differ.

use super::keys::{Key, entries};
use super::model::Config;
use super::secret::HIDDEN;

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
    /// It takes effect only after a restart.
    pub restart_required: bool,
}

/// Every key in which `new` differs from `old`, in the order of the recommended file.
pub fn differences(old: &Config, new: &Config) -> Vec<Difference> {
    let changed = entries().filter(|entry| entry.key.field.value(old) != entry.key.field.value(new));
    changed
        .map(|entry| Difference {
            key: entry.path(),
            old: shown(entry.key, old),
            new: shown(entry.key, new),
            restart_required: entry.key.restart_required,
        })
        .collect()
}

fn shown(key: &Key<Config>, config: &Config) -> String {
    if key.is_sensitive() {
        return HIDDEN.into();
    }
    key.field.show(config).unwrap_or_else(|| "not set".into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::{Change, Secret};

    #[test]
    fn differences_name_each_key_and_never_show_a_secret() {
        let (old, mut new) = (Config::default(), Config::default());
        new.breaker.opsgenie.api_key = Some(Secret::new("abc"));
        Change::set("wait_time", 7.0).unwrap().apply_to(&mut new);
        let found = differences(&old, &new);
        assert_eq!(
            found.iter().map(|d| (d.key.as_str(), d.new.as_str())).collect::<Vec<_>>(),
            [("wait_time", "7"), ("opsgenie.api_key", "***")]
        );
        assert!(differences(&new, &new).is_empty());
        let mut other = new.clone();
        other.breaker.opsgenie.api_key = Some(Secret::new("abd"));
        assert_eq!(differences(&new, &other).len(), 1, "one secret for another");
    }

    #[test]
    fn a_difference_says_whether_it_needs_a_restart() {
        let (old, mut new) = (Config::default(), Config::default());
        new.breaker.stall_detection = !old.breaker.stall_detection;
        new.breaker.policy.trend_analysis = !old.breaker.policy.trend_analysis;
        let found: Vec<_> = differences(&old, &new).into_iter().map(|d| (d.key, d.restart_required)).collect();
        assert_eq!(found, [("trend_analysis_enabled".to_owned(), false), ("stall_detection".to_owned(), true)]);
    }
}
