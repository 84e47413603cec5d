//! The keys in which two configurations differ.

use std::collections::{HashMap, HashSet};

use super::breaker::BreakerConfig;
use super::breakers::BREAKERS;
use super::keys::{ALERTS, Entry, FAMILY, Key, alert_key, entries, family_key, join};
use super::model::Config;
use super::secret::HIDDEN;

/// Stands for a key without a value and for an absent breaker.
const NOT_SET: &str = "not set";
/// Stands for a breaker that is present.
const SET: &str = "set";

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

/// Every key in which `new` differs from `old`, in the order of the recommended file; then those of the named breakers, each
/// under `breakers.NAME`. A breaker that is added or removed differs in one key, `breakers.NAME`.
pub fn differences(old: &Config, new: &Config) -> Vec<Difference> {
    let mut found: Vec<_> = changed_keys(old, new)
        .map(|entry| Difference {
            key: entry.path(),
            old: shown(entry.key, old),
            new: shown(entry.key, new),
            restart_required: entry.key.restart_required,
        })
        .collect();
    if !old.breakers.is_empty() || !new.breakers.is_empty() {
        of_breakers(old, new, &mut found);
    }
    found
}

fn of_breakers(old: &Config, new: &Config, found: &mut Vec<Difference>) {
    let before: HashMap<&str, &BreakerConfig> = old.breakers.iter().map(|b| (b.name.as_str(), b)).collect();
    let is_kept: HashSet<&str> = new.breakers.iter().map(|b| b.name.as_str()).collect();
    let presence = |name: &str, was: &str, is: &str| Difference {
        key: join(BREAKERS, name),
        old: was.into(),
        new: is.into(),
        restart_required: false,
    };
    for breaker in &new.breakers {
        let name = breaker.name.as_str();
        let Some(earlier) = before.get(name) else {
            found.push(presence(name, NOT_SET, SET));
            found.extend(of_kind(old, new, breaker, old.settings_of(name)));
            continue;
        };
        if **earlier == *breaker {
            continue;
        }
        let (was, is) = (old.view_of(earlier), new.view_of(breaker));
        let of_breaker = changed_keys(&was, &is).filter_map(|entry| Some((entry, entry.path_in(name)?)));
        let of_family = FAMILY.iter().map(|key| (key, key.name.to_owned()));
        let of_family = of_family.chain(alert_key("per_key").map(|alert| (alert.key, join(ALERTS, alert.key.name))));
        let of_family = of_family.filter(|(key, _)| key.field.value(&was) != key.field.value(&is));
        found.extend(of_family.map(|(key, path)| Difference {
            key: join(BREAKERS, &join(name, &path)),
            old: shown(key, &was),
            new: shown(key, &is),
            restart_required: key.restart_required,
        }));
        found.extend(of_breaker.map(|(entry, key)| Difference {
            key,
            old: shown(entry.key, &was),
            new: shown(entry.key, &is),
            restart_required: entry.key.restart_required,
        }));
    }
    let removed = old.breakers.iter().filter(|breaker| !is_kept.contains(breaker.name.as_str()));
    for breaker in removed {
        found.push(presence(breaker.name.as_str(), SET, NOT_SET));
        if let Some(root) = new.settings_of(breaker.name.as_str()) {
            found.extend(of_kind(old, new, root, Some(breaker)));
        }
    }
}

/// The `key` of a breaker that is the root in one of the two, if it is a family in the other.
fn of_kind(old: &Config, new: &Config, is: &BreakerConfig, was: Option<&BreakerConfig>) -> Option<Difference> {
    // A root has one name.
    let was = was.filter(|was| was.name == is.name)?;
    let key = family_key("key").filter(|_| was.is_family() != is.is_family())?;
    Some(Difference {
        key: join(BREAKERS, &join(is.name.as_str(), key.name)),
        old: shown(key, &old.view_of(was)),
        new: shown(key, &new.view_of(is)),
        restart_required: true,
    })
}

fn changed_keys<'c>(old: &'c Config, new: &'c Config) -> impl Iterator<Item = Entry> + use<'c> {
    entries().filter(move |entry| entry.key.field.value(old) != entry.key.field.value(new))
}

fn shown(key: &Key<Config>, config: &Config) -> String {
    if key.is_sensitive() {
        return HIDDEN.into();
    }
    key.field.show(config).unwrap_or_else(|| NOT_SET.into())
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
