//! Families: `key` and the keys that belong to it.

use std::time::Duration;

use tripline_backends::config::{KeySource, configuration_reference, differences, parse, resolved};

#[test]
fn a_breaker_with_a_key_is_a_family_and_templates_can_hold_its_keys() {
    let text = "[templates.many]\nmax_keys = 50\nidle_time = 60\n\n[breakers.tenants]\ninherit = \"many\"\nkey = \"header:X-Tenant\"\n\
                metrics_keys = 5\n[breakers.tenants.alerts]\nper_key = true\n\n[breakers.default]\n";
    let (config, warnings) = parse(text, "f").unwrap();
    let family = &config.settings_of("tenants").unwrap().family;
    assert_eq!(family.key, Some(KeySource::Header("x-tenant".into())));
    assert_eq!((family.max_keys, family.metrics_keys, family.alerts_per_key), (50, 5, true));
    assert_eq!(family.limits().idle_time, Duration::from_secs(60));
    assert!(config.settings_of("tenants").unwrap().is_family() && !config.settings_of("default").unwrap().is_family());
    assert!(warnings.is_empty(), "{warnings:?}");
    let all = resolved(text, "f").unwrap();
    let keys = |at: usize| all[at].settings.iter().filter(|setting| setting.key == "max_keys").count();
    assert_eq!((keys(0), keys(1)), (1, 0), "only a family shows the keys of one");
    let per_key = |at: usize| all[at].settings.iter().filter(|setting| setting.key == "alerts.per_key").count();
    assert_eq!((per_key(0), per_key(1)), (1, 0));
}

#[test]
fn bad_keys_of_a_family_are_reported_with_line_and_remedy() {
    let text = "latency_window_size = 256\n[breakers.a]\nkey = \"cookie:x\"\n[breakers.b]\nkey = \"host\"\nmax_keys = 0\n\
                [breakers.c]\nkey = \"path:1\"\n";
    let errors = parse(text, "f").unwrap_err().to_string();
    for part in [
        "f:3: breakers.a.key = \"cookie:x\": allowed: \"header:NAME\", \"host\", \"path:N\"",
        "f:6: breakers.b.max_keys = 0: allowed: 1 to 100000",
        "f:1: latency_window_size = 256: allowed: at most 64 in a family; set latency_window_size in [breakers.c]",
    ] {
        assert!(errors.contains(part), "{part} in\n{errors}");
    }
}

#[test]
fn keys_of_a_family_without_one_are_pointed_out() {
    let (_, warnings) = parse("name = \"a\"\nmax_keys = 5\n[breakers.a]\nidle_time = 9\n", "f").unwrap();
    let words: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(words.len(), 2, "{words:?}");
    assert!(
        words[0].contains("f:2: max_keys: unknown key, ignored; did you mean max_keys in [breakers.NAME]?"),
        "{words:?}"
    );
    assert!(words[1].contains("f:4: breakers.a.idle_time: has no effect without key"), "{words:?}");
}

#[test]
fn incidents_of_members_are_pointed_out_where_they_have_no_effect_or_share_an_alias() {
    let words = |text: &str| parse(text, "f").unwrap().1.iter().map(ToString::to_string).collect::<Vec<_>>();
    let found = words("name = \"a\"\n[breakers.a.alerts]\nper_key = true\n");
    assert!(
        found.len() == 1 && found[0].contains("f:3: breakers.a.alerts.per_key: has no effect without key"),
        "{found:?}"
    );
    let found = words(
        "name = \"a\"\n[fleet]\nengine = \"redis\"\nurl = \"redis://127.0.0.1\"\n[breakers.a]\nkey = \"host\"\n\
         [breakers.a.alerts]\nper_key = true\n",
    );
    assert!(
        found.iter().any(|word| word.contains("f:8: breakers.a.alerts.per_key: a fleet does not share")),
        "{found:?}"
    );

    let text = "[breakers.a]\nkey = \"host\"\nalerts.per_key = true\nalerts.api_name = \"shop\"\n\
                [breakers.b]\nalerts.api_name = \"shop-a/x\"\n";
    let errors = parse(text, "f").unwrap_err().to_string();
    assert!(
        errors.contains(
            "f:5: breakers.b: its alerts would have the alias of those of a member of breakers.a on line 1, shop-a/x-b"
        ),
        "{errors}"
    );
    let (config, _) = parse(&text.replace("alerts.per_key = true\n", ""), "f").unwrap();
    assert_eq!(config.breakers.len(), 2);
}

#[test]
fn a_change_of_per_key_needs_a_restart() {
    let text = |on: bool| format!("[breakers.default]\nkey = \"host\"\n[breakers.default.alerts]\nper_key = {on}\n");
    let config = |on| parse(&text(on), "f").unwrap().0;
    let found = differences(&config(false), &config(true));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].key.as_str(), found[0].restart_required), ("breakers.default.alerts.per_key", true));
}

#[test]
fn the_reference_has_the_keys_of_a_family() {
    let text = configuration_reference();
    for key in ["| `key` |", "| `max_keys` |", "| `idle_time` |", "| `metrics_keys` |", "`per_key`"] {
        assert!(text.contains(key), "{key}");
    }
}
