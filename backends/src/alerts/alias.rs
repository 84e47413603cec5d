//! The alias of an alert at the service that pages people: the same for all stages of one incident's alert.

use tripline_runtime::{Alert, AlertKind, BreakerName};

use crate::alert_subject::alert_subject;

/// Maximum length of an alias, in characters.
pub const ALIAS_CHARS: usize = 512;
/// Suffix of the alias of the second alert, for a provider without priority updates.
pub(crate) const ESCALATED: &str = "/escalated";

/// The parts of an alias. An empty text counts as not set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AliasNames {
    /// The namespace within which the name of the API is unique.
    pub namespace: String,
    /// Name of the protected API. If not set: the name of the breaker.
    pub api: String,
    /// The host, if each host has an alert of its own.
    pub host: String,
}

impl AliasNames {
    /// The subject of an alert, for people: `[namespace/]api[-breaker]`. The breaker is left out if it is called
    /// `default`, or if the API is named after it.
    pub fn subject(&self, breaker: &BreakerName) -> String {
        alert_subject(&self.namespace, &self.api, breaker)
    }

    /// The subject of `alert`, which names the member of a family whose own incident it is: `[namespace/]api[-breaker][/key]`.
    pub fn subject_of(&self, alert: &Alert) -> String {
        let subject = self.subject(&alert.breaker);
        alert.key.as_ref().map_or_else(|| subject.clone(), |key| format!("{subject}/{key}"))
    }

    /// The alias of `alert`. An alert about a fleet has the same alias on all hosts.
    pub fn alias_of(&self, alert: &Alert) -> String {
        Self::whole(&self.subject_of(alert), alert.kind, if alert.fleet.is_none() { &self.host } else { "" })
    }

    /// `[namespace/]api[-breaker]-kind[@host]`, at most [`ALIAS_CHARS`] characters including the suffix of a second
    /// alert. A longer one keeps its beginning and ends in a hash of the whole name.
    pub fn alias(&self, breaker: &BreakerName, kind: AlertKind) -> String {
        Self::whole(&self.subject(breaker), kind, &self.host)
    }

    fn whole(subject: &str, kind: AlertKind, host: &str) -> String {
        let host = if host.is_empty() { String::new() } else { format!("@{host}") };
        let whole = format!("{subject}-{}{host}", kind.as_str());
        // URLs lose control characters in transit.
        fit(&whole.replace(char::is_control, " "), ALIAS_CHARS - ESCALATED.len())
    }
}

/// Limits a name to `max` characters, at least 17. A longer name keeps its beginning and ends in a hash of the whole
/// name.
pub(crate) fn fit(name: &str, max: usize) -> String {
    if name.chars().count() <= max {
        return name.to_owned();
    }
    let mark = format!("~{}", digits(name));
    let kept: String = name.chars().take(max.saturating_sub(mark.len())).collect();
    kept + &mark
}

/// Returns the hash of a text with any characters, as 16 hexadecimal digits.
pub(crate) fn digits(text: &str) -> String {
    format!("{:016x}", fnv1a(text))
}

/// FNV-1a hash of 64 bits: stable over versions of this program and of the compiler.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(namespace: &str, api: &str, host: &str) -> AliasNames {
        AliasNames { namespace: namespace.into(), api: api.into(), host: host.into() }
    }

    fn breaker(name: &str) -> BreakerName {
        BreakerName::new(name).unwrap_or_default()
    }

    #[test]
    fn an_alias_names_namespace_api_breaker_kind_and_host_and_leaves_out_what_is_not_set() {
        let alias = |names: AliasNames, name: &str| names.alias(&breaker(name), AlertKind::CircuitOpen);
        assert_eq!(alias(names("payment", "Payment API", ""), "default"), "payment/Payment API-circuit-open");
        assert_eq!(alias(names("payment", "api", "h1"), "eu"), "payment/api-eu-circuit-open@h1");
        assert_eq!(alias(names("", "", ""), "default"), "default-circuit-open");
        assert_eq!(alias(names("", "", ""), "orders"), "orders-circuit-open");
        assert_eq!(names("", "a", "").alias(&breaker("x"), AlertKind::MemoryThreshold), "a-x-memory-threshold");
    }

    #[test]
    fn a_long_alias_fits_with_what_comes_behind_it_and_stays_its_own() {
        let long = |host: &str| names(&"ü".repeat(1_000), "api", host).alias(&breaker("b"), AlertKind::CircuitOpen);
        let (one, other) = (long("h1"), long("h2"));
        assert_eq!(one.chars().count() + ESCALATED.len(), ALIAS_CHARS);
        assert_ne!(one, other);
        assert_eq!(one, long("h1"));
    }
}
