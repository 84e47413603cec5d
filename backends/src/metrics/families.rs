//! Families: how many members there are and how many are open, and which ones, up to a number.

use tripline_runtime::{Breaker, Family};

use super::encoder::Encoder;

/// The key of the series for all members without one of their own.
const OTHER: &str = "_other";

/// The families of a process, each with the number of members that have a series of their own, in the Prometheus text format 0.0.4.
/// O(members).
pub fn render_families(families: &[(Family, usize)]) -> String {
    let mut text = Encoder::default();
    if families.is_empty() {
        return text.into_string();
    }
    let name = |family: &Family| family.name().to_string();
    let mut keys = text.gauge("tripline_keys", "Members of a family, the shared one not counted.");
    for (family, _) in families {
        keys.sample(&[("breaker", &name(family))], family.len());
    }
    let mut overflow =
        text.counter("tripline_keys_overflow_total", "Calls that went to the shared member for want of room.");
    for (family, _) in families {
        overflow.sample(&[("breaker", &name(family))], family.overflows());
    }
    let mut open =
        text.gauge("tripline_key_open", "Members that are not closed, by key; those beyond a number together.");
    for (family, shown) in families {
        let breaker = name(family);
        let open_members: Vec<Breaker> =
            family.members().into_iter().filter(|member| member.state().is_triggered()).collect();
        for member in open_members.iter().take(*shown) {
            open.sample(&[("breaker", &breaker), ("key", member.key().unwrap_or(OTHER))], 1_u8);
        }
        open.sample(&[("breaker", &breaker), ("key", OTHER)], open_members.len().saturating_sub(*shown));
    }
    text.into_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tripline_runtime::FamilyLimits;
    use tripline_runtime::test_util::ManualClock;

    #[test]
    fn only_so_many_open_members_have_a_series_whatever_the_keys_are() {
        let members = Breaker::builder(Arc::new(ManualClock::default())).name("tenants".parse().unwrap());
        let family = Family::new(members, FamilyLimits::default()).unwrap();
        for number in 0..200 {
            family.get(&format!("t\"{number:03}")).unwrap().force_open();
        }
        let text = render_families(&[(family, 20)]);
        assert_eq!(text.lines().filter(|line| line.starts_with("tripline_key_open{")).count(), 21);
        assert!(text.contains("tripline_keys{breaker=\"tenants\"} 200\n"), "{text}");
        assert!(text.contains("tripline_key_open{breaker=\"tenants\",key=\"t\\\"000\"} 1\n"), "{text}");
        assert!(text.contains("tripline_key_open{breaker=\"tenants\",key=\"_other\"} 180\n"), "{text}");
        assert_eq!(render_families(&[]), "");
    }
}
