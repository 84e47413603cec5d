//! What an alert is called at the service that pages people: the same for all of one incident, and for no other.

use std::fmt;

use tripline_runtime::{AlertKind, BreakerName};

/// Longest alias that services take, in characters.
pub const ALIAS_CHARS: usize = 512;
/// What the second alert of a provider without priority updates has behind its alias.
pub(crate) const ESCALATED: &str = "/escalated";

/// What aliases are made of. An empty text is one that is not set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AliasNames {
    /// What the API's name is unique within.
    pub namespace: String,
    /// Name of the protected API. Not set: the breaker's name.
    pub api: String,
    /// The host, where each host has an alert of its own.
    pub host: String,
}

impl AliasNames {
    /// What the alert is about, as people read it: `[namespace/]api[-breaker]`. The breaker is left out where it is
    /// called `default`, or gives the API its name.
    pub fn subject(&self, breaker: &BreakerName) -> String {
        let breaker = breaker.as_str();
        let namespace = if self.namespace.is_empty() { String::new() } else { format!("{}/", self.namespace) };
        match self.api.as_str() {
            "" => format!("{namespace}{breaker}"),
            api if breaker == BreakerName::default().as_str() => format!("{namespace}{api}"),
            api => format!("{namespace}{api}-{breaker}"),
        }
    }

    /// `[namespace/]api[-breaker]-kind[@host]`, at most [`ALIAS_CHARS`] long, with room for what a second alert has
    /// behind it. One that would be longer keeps its beginning and gets a number that tells it from others.
    pub fn alias(&self, breaker: &BreakerName, kind: AlertKind) -> String {
        let host = if self.host.is_empty() { String::new() } else { format!("@{}", self.host) };
        let whole = format!("{}-{}{host}", self.subject(breaker), kind.as_str());
        // Addresses lose control characters on the way.
        let whole = whole.replace(char::is_control, " ");
        let most = ALIAS_CHARS - ESCALATED.len();
        if whole.chars().count() <= most {
            return whole;
        }
        let mark = format!("~{:016x}", fnv1a(&whole));
        let kept: String = whole.chars().take(most - mark.len()).collect();
        kept + &mark
    }
}

/// A number that stays the same over versions of this program and of the compiler (FNV-1a, 64 bits).
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Two breakers would page people under one alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SameAlias {
    /// The alias.
    pub alias: String,
    /// The breakers.
    pub breakers: [BreakerName; 2],
}

impl fmt::Display for SameAlias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b] = &self.breakers;
        write!(
            f,
            "the breakers {a} and {b} would share the alert {:?}, and one would close the other's; \
             give them another api_name or api_namespace",
            self.alias
        )
    }
}

impl std::error::Error for SameAlias {}

/// Makes sure that no two breakers of one process share an alias.
///
/// # Errors
/// [`SameAlias`] with the first two that do.
pub fn check_aliases<'a>(
    breakers: impl IntoIterator<Item = (&'a BreakerName, &'a AliasNames)>,
) -> Result<(), SameAlias> {
    let mut seen: Vec<(String, &BreakerName)> = Vec::new();
    for (breaker, names) in breakers {
        let alias = names.alias(breaker, AlertKind::CircuitOpen);
        if let Some((_, other)) = seen.iter().find(|(known, _)| *known == alias) {
            return Err(SameAlias { alias, breakers: [(*other).clone(), breaker.clone()] });
        }
        seen.push((alias, breaker));
    }
    Ok(())
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

    #[test]
    fn breakers_that_would_close_each_others_alerts_are_an_error() {
        let (a_b, b, plain) = (breaker("a-b"), breaker("b"), breaker("default"));
        let (with_api, without) = (names("", "a", ""), names("", "", ""));
        assert_eq!(check_aliases([(&a_b, &without), (&plain, &without)]), Ok(()));
        let error = check_aliases([(&a_b, &without), (&plain, &without), (&b, &with_api)]);
        assert_eq!(error, Err(SameAlias { alias: "a-b-circuit-open".into(), breakers: [a_b.clone(), b.clone()] }));
    }
}
