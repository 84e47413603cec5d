//! Inheritance against a naive model: a breaker uses its own settings, then those of its template, then those of the
//! root.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;
use tripline_backends::config::{parse, resolved};

const KEYS: [&str; 4] = ["wait_time", "recovery_time", "latency_threshold", "latency_max_age"];

/// The keys that one table sets.
type Values = BTreeMap<usize, u32>;

#[derive(Debug, Clone)]
struct Table {
    values: Values,
    /// An earlier template, so that there is no cycle.
    inherit: Option<prop::sample::Index>,
}

fn values() -> impl Strategy<Value = Values> {
    prop::collection::btree_map(0..KEYS.len(), 1..300_u32, 0..KEYS.len())
}

fn table() -> impl Strategy<Value = Table> {
    (values(), prop::option::of(any::<prop::sample::Index>())).prop_map(|(values, inherit)| Table { values, inherit })
}

fn write(text: &mut String, values: &Values) {
    for (key, value) in values {
        writeln!(text, "{} = {value}", KEYS[*key]).unwrap();
    }
}

/// The template of a table, if there is an earlier one.
fn parent(table: &Table, templates_before: usize) -> Option<usize> {
    table.inherit.filter(|_| templates_before > 0).map(|index| index.index(templates_before))
}

/// The naive model, by recursion.
fn expected(table: &Table, before: usize, templates: &[Table], root: &Values, key: usize) -> Option<u32> {
    table.values.get(&key).copied().or_else(|| match parent(table, before) {
        Some(at) => expected(&templates[at], at, templates, root, key),
        None => root.get(&key).copied(),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_setting_is_that_of_the_nearest_table(
        root in values(),
        templates in prop::collection::vec(table(), 0..4),
        breakers in prop::collection::vec(table(), 1..5),
    ) {
        // At most three templates, so that no chain is too long.
        let templates = &templates[..templates.len().min(3)];
        let mut text = String::from("trip_confidence = 0.95\n");
        write(&mut text, &root);
        for (at, breaker) in breakers.iter().enumerate() {
            writeln!(text, "[breakers.b{at}]").unwrap();
            if let Some(parent) = parent(breaker, templates.len()) {
                writeln!(text, "inherit = \"t{parent}\"").unwrap();
            }
            write(&mut text, &breaker.values);
        }
        for (at, template) in templates.iter().enumerate() {
            writeln!(text, "[templates.t{at}]").unwrap();
            if let Some(parent) = parent(template, at) {
                writeln!(text, "inherit = \"t{parent}\"").unwrap();
            }
            write(&mut text, &template.values);
        }
        let (config, _) = parse(&text, "f").unwrap();
        let origins = resolved(&text, "f").unwrap();
        prop_assert_eq!(config.breakers.len(), breakers.len());
        for (at, breaker) in breakers.iter().enumerate() {
            let policy = &config.breakers[at].policy;
            let seconds = |time: std::time::Duration| u32::try_from(time.as_secs()).unwrap();
            let found = [
                seconds(policy.wait_time),
                seconds(policy.recovery_time),
                policy.latency_threshold.as_millis(),
                seconds(policy.latency_max_age),
            ];
            let default = tripline_runtime::core::Policy::default();
            let defaults = [
                seconds(default.wait_time),
                seconds(default.recovery_time),
                default.latency_threshold.as_millis(),
                seconds(default.latency_max_age),
            ];
            for key in 0..KEYS.len() {
                let wanted = expected(breaker, templates.len(), templates, &root, key);
                prop_assert_eq!(found[key], wanted.unwrap_or(defaults[key]), "b{} {}\n{}", at, KEYS[key], text);
                let setting = origins[at].settings.iter().find(|setting| setting.key == KEYS[key]).unwrap();
                prop_assert_eq!(setting.value.clone(), Some(found[key].to_string()));
                let is_default = setting.origin.to_string() == "default";
                prop_assert_eq!(is_default, wanted.is_none());
            }
        }
    }

    /// No text causes a panic, and every valid text resolves.
    #[test]
    fn no_text_panics(
        tables in prop::collection::vec(
            ("(breakers|templates|\\[breakers)", "[a-cA-C.]{1,2}", "(inherit|wait_time|alerts|alerts.team)", "(\"[a-c]\"|3|\\{\\}|-1)"),
            0..8,
        ),
    ) {
        let mut text = String::new();
        for (kind, name, key, value) in tables {
            writeln!(text, "[{kind}.{name}]\n{key} = {value}").unwrap();
        }
        prop_assert_eq!(parse(&text, "f").is_ok(), resolved(&text, "f").is_ok());
    }
}
