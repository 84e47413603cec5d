//! Metrics of families: the number of members, the number that are open, and the calls of some members by key.

use tripline_runtime::Family;

use super::encoder::Encoder;
use super::key_series::{KeyFigures, KeySeries, Selected};

/// The key of the series that covers all members without a series of their own.
const OTHER: &str = "_other";

/// Renders the families of a process in the Prometheus text format 0.0.4, each with the maximum number of members that have series of
/// their own. O(n log n) in the number of members.
pub fn render_families(families: &[(Family, usize, KeySeries)]) -> String {
    let mut text = Encoder::default();
    if families.is_empty() {
        return text.into_string();
    }
    let name = |family: &Family| family.name().to_string();
    let mut keys = text.gauge("tripline_keys", "Members of a family, without the shared one.");
    for (family, ..) in families {
        keys.sample(&[("breaker", &name(family))], family.len());
    }
    let mut overflow = text
        .counter("tripline_keys_overflow_total", "Calls assigned to the shared member because the family was full.");
    for (family, ..) in families {
        overflow.sample(&[("breaker", &name(family))], family.overflows());
    }
    let scrape = |(family, limit, series): &(Family, usize, KeySeries)| (name(family), series.scrape(family, *limit));
    let scraped: Vec<(String, Selected)> = families.iter().map(scrape).collect();
    let each = |mut metric: super::encoder::Family<'_>, value: fn(&KeyFigures) -> u64| {
        for (breaker, selected) in &scraped {
            for (key, figures) in &selected.shown {
                metric.sample(&[("breaker", breaker), ("key", key)], value(figures));
            }
            metric.sample(&[("breaker", breaker), ("key", OTHER)], value(&selected.other));
        }
    };
    let help = "Members that are not closed, by key.";
    each(text.gauge("tripline_key_open", help), |figures| figures.open as u64);
    let help = "Calls that were made, by key.";
    each(text.counter("tripline_key_calls_total", help), |figures| figures.totals.calls);
    let help = "Calls that were rejected, by key.";
    each(text.counter("tripline_key_rejected_calls_total", help), |figures| figures.totals.rejected);
    text.into_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tripline_runtime::test_util::ManualClock;
    use tripline_runtime::{Breaker, FamilyLimits};

    #[test]
    fn only_so_many_open_members_have_a_series_whatever_the_keys_are() {
        let members = Breaker::builder(Arc::new(ManualClock::default())).name("tenants".parse().unwrap());
        let family = Family::new(members, FamilyLimits::default()).unwrap();
        for number in 0..200 {
            family.get(&format!("t\"{number:03}")).unwrap().force_open();
        }
        let text = render_families(&[(family, 20, KeySeries::default())]);
        for name in ["tripline_key_open{", "tripline_key_calls_total{", "tripline_key_rejected_calls_total{"] {
            assert_eq!(text.lines().filter(|line| line.starts_with(name)).count(), 21, "{name}");
        }
        assert!(text.contains("tripline_keys{breaker=\"tenants\"} 200\n"), "{text}");
        assert!(text.contains("tripline_key_open{breaker=\"tenants\",key=\"t\\\"000\"} 1\n"), "{text}");
        assert!(text.contains("tripline_key_open{breaker=\"tenants\",key=\"_other\"} 180\n"), "{text}");
        assert_eq!(render_families(&[]), "");
    }
}
