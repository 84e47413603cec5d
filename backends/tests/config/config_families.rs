//! Families: `key` and the related keys.

use std::time::Duration;

use tripline_backends::config::{KeySource, configuration_reference, parse, resolved};

#[test]
fn a_breaker_with_a_key_is_a_family_and_templates_can_hold_its_keys() {
    let text = "[templates.many]\nmax_keys = 50\nidle_time = 60\n\n[breakers.tenants]\ninherit = \"many\"\nkey = \"header:X-Tenant\"\n\
                metrics_keys = 5\n[breakers.default]\n";
    let (config, warnings) = parse(text, "f").unwrap();
    let family = &config.settings_of("tenants").unwrap().family;
    assert_eq!(family.key, Some(KeySource::Header("x-tenant".into())));
    assert_eq!((family.max_keys, family.metrics_keys), (50, 5));
    assert_eq!(family.limits().idle_time, Duration::from_secs(60));
    assert!(config.settings_of("tenants").unwrap().is_family() && !config.settings_of("default").unwrap().is_family());
    assert!(warnings.is_empty(), "{warnings:?}");
    let all = resolved(text, "f").unwrap();
    let keys = |at: usize| all[at].settings.iter().filter(|setting| setting.key == "max_keys").count();
    assert_eq!((keys(0), keys(1)), (1, 0), "only a family shows the keys of one");
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
fn the_reference_has_the_keys_of_a_family() {
    let text = configuration_reference();
    for key in ["| `key` |", "| `max_keys` |", "| `idle_time` |", "| `metrics_keys` |"] {
        assert!(text.contains(key), "{key}");
    }
}
