//! Whole configurations: their meaning, their problems and their warnings.
#![cfg(feature = "config")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::float_cmp)]

use std::time::Duration;

use tripline_backends::config::{Config, LogLevel, Priority, parse, recommended};

const ORIGINAL: &str = include_str!("../fixtures/config/original.toml");
const MANY_PROBLEMS: &str = include_str!("../fixtures/config/many_problems.toml");

fn config(text: &str) -> Config {
    parse(text, "breakers.toml").unwrap().0
}

fn problems(text: &str) -> Vec<String> {
    parse(text, "breakers.toml").unwrap_err().problems().iter().map(ToString::to_string).collect()
}

fn warnings(text: &str) -> Vec<String> {
    parse(text, "breakers.toml").unwrap().1.iter().map(ToString::to_string).collect()
}

#[test]
fn an_empty_file_means_the_defaults() {
    assert_eq!(config(""), Config::default());
    assert_eq!(config("[circuit_breaker]\n[opsgenie]\n[http]\n[log]\n[webhook]\n"), Config::default());
    assert_eq!(warnings(""), [""; 0]);
}

#[test]
fn the_originals_example_file_is_read_without_problems() {
    let config = config(ORIGINAL);
    // It has a pager, and a file of the original cannot have a state_dir.
    let found = warnings(ORIGINAL);
    assert!(found.len() == 1 && found[0].contains("state_dir is not set"), "{found:?}");
    assert_eq!(config.breaker.policy.memory_threshold.get(), 0.8);
    assert_eq!(config.breaker.policy.latency_threshold.as_millis(), 1_500);
    assert_eq!(config.breaker.policy.latency_window_size.get(), 64);
    assert_eq!(config.breaker.policy.percentile.get(), 0.95);
    assert_eq!(config.breaker.policy.wait_time, Duration::from_secs(10));
    assert!(config.breaker.policy.trend_analysis);
    let opsgenie = config.breaker.opsgenie;
    assert!(opsgenie.enabled && opsgenie.triggers.breaker_reset);
    assert_eq!((opsgenie.priority, opsgenie.escalated_alert_priority), (Priority::P2, Priority::P1));
    assert_eq!((opsgenie.alert_cooldown_seconds, opsgenie.time_before_send_alert), (300, 60));
    assert_eq!(opsgenie.tags.len(), 4);
    assert_eq!(opsgenie.api_endpoints, ["/payments", "/refunds", "/transactions"]);
    assert_eq!(opsgenie.missing_fields(), ["hostname"]);
}

#[test]
fn the_originals_tables_of_contacts_and_attributes_are_read() {
    let config = config(
        "[opsgenie.contact_details]\nprimary_contact = \"a\"\nadditional_emails = [\"b\", \"c\"]\n\
         [opsgenie.api_custom_attributes]\ntier = \"gold\"\n\"cost center\" = \"7\"\n[opsgenie]\nhost_override = \"h\"\n",
    );
    assert_eq!(config.breaker.opsgenie.contact_details.primary_contact, "a");
    assert_eq!(config.breaker.opsgenie.contact_details.additional_emails, ["b", "c"]);
    assert_eq!(config.breaker.opsgenie.api_custom_attributes["cost center"], "7");
    assert_eq!(config.breaker.opsgenie.host(), "h");
    assert_eq!(
        problems("[opsgenie.api_custom_attributes]\na = \"x\"\n\nb = 5\n"),
        [
            "breakers.toml:4: opsgenie.api_custom_attributes.b = 5: allowed: a table of up to 100 names with texts, each 1 \
             to 1000 characters"
        ]
    );
}

#[test]
fn numbers_keep_their_meaning_across_units() {
    let config = config(
        "latency_threshold = 1.5\npercentile = 95\nlatency_max_age = 2.5\nmemory_threshold = 80.5\n\
         memory_hysteresis = 7\nsample_interval_ms = 250\nopsgenie.alert_cooldown_seconds = 0",
    );
    assert_eq!(config.breaker.policy.latency_threshold.as_micros(), 1_500);
    assert_eq!(config.breaker.policy.percentile.get(), 0.95);
    assert_eq!(config.breaker.policy.latency_max_age, Duration::from_millis(2_500));
    assert_eq!(config.breaker.policy.memory_threshold.get(), 0.805);
    assert_eq!(config.breaker.policy.memory_hysteresis.get(), 0.07);
    assert_eq!(config.breaker.policy.sample_interval, Duration::from_millis(250));
    assert_eq!(config.breaker.opsgenie.alert_cooldown_seconds, 0);
}

#[test]
fn all_problems_come_together_with_their_places() {
    assert_eq!(
        problems(MANY_PROBLEMS),
        [
            r#"breakers.toml:2: name = "pay ments": allowed: 1 to 64 characters of a-z A-Z 0-9 . _ -, and not . or .."#,
            "breakers.toml:3: latency_threshold = -5: allowed: 1 to 4294967 (milliseconds)",
            "breakers.toml:4: percentile = 20: allowed: a ratio 0 < x <= 1, or 50 to 100 (percent)",
            "breakers.toml:5: latency_window_size = 0x800: allowed: 1 to 1024 (samples, whole)",
            r#"breakers.toml:8: enabled = "yes": allowed: true or false"#,
            "breakers.toml:12: circuit_breaker.wait_time = 10: set twice; it is also wait_time on line 6",
            "breakers.toml:13: circuit_breaker.wait_jitter = nan: allowed: 0 to 1 (ratio)",
            r#"breakers.toml:16: http.listen = "localhost:8080": allowed: an IP address with a port, such as "127.0.0.1:8080" or "[::1]:8080""#,
            "breakers.toml:20: breakers.orders.wait_tiem: unknown key; did you mean wait_time?",
            r#"breakers.toml:23: opsgenie.priority = "P9": allowed: "P1", "P2", "P3", "P4", "P5""#,
            "breakers.toml:24: opsgenie.api_key = ***: allowed: letters, digits and punctuation of ASCII, without spaces",
            "breakers.toml:25: opsgenie.tags[1] = 7: allowed: up to 100 texts, each 1 to 1000 characters",
        ]
    );
    let errors = parse(MANY_PROBLEMS, "breakers.toml").unwrap_err();
    let unknown: Vec<String> = errors.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(
        unknown,
        [
            "breakers.toml:9: memory_treshold: unknown key, ignored; did you mean memory_threshold?",
            "breakers.toml:17: http.token: unknown key, ignored",
            "breakers.toml:26: opsgenie.latency_threshold: unknown key, ignored; did you mean latency_threshold at the top of the file, above every [table]?",
        ]
    );
    assert_eq!(errors.problems()[1].column, Some(21));
}

#[test]
fn text_that_is_no_toml_is_one_problem_with_its_line() {
    let errors = problems("name = \"a\"\nwait_time = = 5\npercentile = 2\n");
    assert_eq!(errors.len(), 1);
    assert!(errors[0].starts_with("breakers.toml:2: not valid TOML: "), "{errors:?}");
    let twice = problems("wait_time = 5\nwait_time = 6\n");
    assert_eq!(twice, ["breakers.toml:2: not valid TOML: duplicate key: wait_time is set twice"]);
    let table = problems("[http]\n[log]\n[http]\n");
    assert_eq!(table, ["breakers.toml:3: not valid TOML: duplicate key: http is set twice"]);
}

#[test]
fn unknown_keys_are_warnings_that_name_what_is_near() {
    assert_eq!(
        warnings(
            "latency_treshold = 5\n[opsgeni]\nteam = \"x\"\n[opsgenie]\nteams = \"x\"\n[opsgenie.contact]\nx = 1\n"
        ),
        [
            "breakers.toml:1: latency_treshold: unknown key, ignored; did you mean latency_threshold?",
            "breakers.toml:2: opsgeni: unknown key, ignored; did you mean opsgenie?",
            "breakers.toml:5: opsgenie.teams: unknown key, ignored; did you mean opsgenie.team?",
            "breakers.toml:6: opsgenie.contact: unknown key, ignored",
        ]
    );
    assert_eq!(
        warnings(
            "region = \"eu\"\n\"\" = 1\n\"a\\nb\" = 2\n\"opsgenie.team\" = 1\n\"opsgenie.contact_details\" = {}\n"
        ),
        [
            "breakers.toml:1: region: unknown key, ignored; did you mean region in [opsgenie]?",
            "breakers.toml:2: \"\": unknown key, ignored",
            "breakers.toml:3: \"a b\": unknown key, ignored",
            "breakers.toml:4: \"opsgenie.team\": unknown key, ignored",
            "breakers.toml:5: \"opsgenie.contact_details\": unknown key, ignored",
        ]
    );
}

#[test]
fn a_flood_of_unknown_keys_is_counted() {
    use std::fmt::Write;
    let mut text = String::new();
    (0..1_000).for_each(|i| writeln!(text, "zz{i} = 1").unwrap());
    let warnings = warnings(&text);
    assert_eq!(warnings.len(), 51);
    assert!(warnings.contains(&"breakers.toml: 950 more unknown keys, ignored".to_owned()));
}

#[test]
fn a_table_must_be_a_table() {
    assert_eq!(problems("opsgenie = 5"), ["breakers.toml:1: opsgenie: allowed: a table"]);
    assert_eq!(problems("[[http]]\nlisten = \"x\"").len(), 1);
    assert_eq!(problems("circuit_breaker = []").len(), 1);
}

#[test]
fn the_longest_wait_follows_the_wait_unless_it_is_set() {
    assert_eq!(config("wait_time = 20").breaker.policy.max_wait_time, Duration::from_secs(60));
    assert_eq!(config("wait_time = 1000").breaker.policy.max_wait_time, Duration::from_secs(1_000));
    assert_eq!(config("wait_time = 20\nmax_wait_time = 20").breaker.policy.max_wait_time, Duration::from_secs(20));
    assert_eq!(
        problems("wait_time = 20\nmax_wait_time = 19.5"),
        ["breakers.toml:2: max_wait_time = 19.5: allowed: 20 (wait_time) to 86400 (seconds)"]
    );
    assert_eq!(problems("wait_time = 0\nmax_wait_time = 5").len(), 1, "the wait itself is the problem");
}

#[test]
fn a_webhook_needs_an_address() {
    assert_eq!(
        problems("[webhook]\nenabled = true"),
        ["breakers.toml:2: webhook.enabled = true: needs webhook.url, which is not set"]
    );
    assert_eq!(problems("[webhook]\nenabled = true\nurl = \"nowhere\"").len(), 1);
    let webhook = config("[webhook]\nenabled = true\nurl = \"https://h/secret\"").breaker.webhook;
    assert_eq!(webhook.url.unwrap().expose(), "https://h/secret");
}

#[test]
fn settings_that_hardly_mean_what_they_say_are_warnings() {
    let one = |text: &str, expected: &str| {
        let found = warnings(text);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{text}: {found:?}");
    };
    one(
        "trip_confidence = 0\nminimum_samples = 5",
        "breakers.toml:2: minimum_samples: one slow call among 5 is enough to trip",
    );
    one("trip_confidence = 0", "breakers.toml:1: trip_confidence: 2 slow calls among 21 are enough to trip");
    one("trip_after = 0", "breakers.toml:1: trip_after: opens at the first run of slow or failed calls");
    one(
        "trend_analysis_enabled = true\ntrip_confidence = 0\ntrip_after = 700",
        "breakers.toml:3: trip_after: has no effect",
    );
    one("failure_rate_threshold = 0", "breakers.toml:1: failure_rate_threshold: failed calls never open the breaker");
    one(
        "percentile = 1\ntrip_confidence = 0",
        "breakers.toml:1: percentile: one slow call among 64 is enough to trip; set trip_confidence = 0.995, or a percentile \
         below 1",
    );
    one(
        "minimum_samples = 50\npercentile = 1\ntrip_confidence = 0",
        "breakers.toml:2: percentile: one slow call among 50 is enough",
    );
    one(
        "latency_window_size = 10\ntrip_confidence = 0",
        "breakers.toml:2: trip_confidence: one slow call among 10 is enough",
    );
    one(
        "[circuit_breaker]\npercentile = 100\ntrip_confidence = 0",
        "breakers.toml:2: circuit_breaker.percentile: one slow call",
    );
    one("minimum_samples = 100", "breakers.toml:1: minimum_samples: counts as latency_window_size, 64");
    one(
        "trend_analysis_enabled = true\ntrend_analysis_min_sample_count = 2",
        "breakers.toml:2: trend_analysis_min_sample_count: counts as 3",
    );
    one(
        "trend_analysis_enabled = true\ntrend_analysis_min_sample_count = 65",
        "breakers.toml:2: trend_analysis_min_sample_count: counts as 64",
    );
    one("memory_threshold = 8\nmemory_hysteresis = 5", "breakers.toml:2: memory_hysteresis: counts as half");
    one("memory_horizon_trips = true", "breakers.toml:1: memory_horizon_trips: has no effect without memory_horizon");
    one("memory_horizon = 9.9", "breakers.toml:1: memory_horizon: too short to forecast anything");
    one("memory_horizon = 60", "breakers.toml:1: memory_horizon: no alert will be sent");
    one("latency_max_age = 1", "breakers.toml:1: latency_max_age: not longer than latency_threshold");
    one("[opsgenie]\napi_key = \"k\"", "breakers.toml:2: opsgenie.api_key: a secret in a file");
    one(
        "[opsgenie]\nprovider = \"jsm\"\nregion = \"eu\"",
        "breakers.toml:3: opsgenie.region: has no effect with provider",
    );
    one(
        "[opsgenie]\ntime_before_send_alert = 60\ninitial_alert_priority = \"P1\"\nescalated_alert_priority = \"P2\"",
        "breakers.toml:4: opsgenie.escalated_alert_priority: less urgent",
    );
    one(
        "state_dir = \"s\"\n[opsgenie]\nenabled = true\ntrigger_on_breaker_open = false\ntrigger_on_memory_threshold = false\n\
         trigger_on_latency_threshold = false",
        "breakers.toml:3: opsgenie.enabled: every trigger is off",
    );
    one("[opsgenie]\nenabled = true", "breakers.toml:2: opsgenie.enabled: a pager is on and state_dir is not set");
    one(
        "[webhook]\nenabled = true\nurl = \"https://h\"",
        "breakers.toml:2: webhook.enabled: a pager is on and state_dir is not set",
    );
    one("[[webhooks]]\nurl = \"https://h\"", "breakers.toml: webhooks: a pager is on and state_dir is not set");
    let in_a_fleet = "[[webhooks]]\nurl = \"https://h\"\n[fleet]\nengine = \"redis\"";
    assert_eq!(warnings(in_a_fleet), [""; 0]);
    one("state_dir = \"s\"\n[[webhooks]]\nurl = \"http://h\"", "breakers.toml: webhooks: plain http");
    one("[webhook]\nurl = \"http://h/\"", "breakers.toml:2: webhook.url: plain http");
    one(
        &format!("[opsgenie]\ntags = [\"{}\"]", "x".repeat(51)),
        "breakers.toml:2: opsgenie.tags: the service keeps 50",
    );
    one(
        &format!("[opsgenie]\ntags = [{}]", "\"x\",".repeat(12)),
        "breakers.toml:2: opsgenie.tags: the service keeps 20",
    );
    for fine in [
        "minimum_samples = 5\ntrip_confidence = 0.95",
        "percentile = 1\ntrend_analysis_enabled = true",
        "memory_horizon = 10\nmemory_horizon_trips = true",
        "memory_horizon = 61",
        "memory_horizon = 10\nrecovery_time = 5",
    ] {
        assert_eq!(warnings(fine), [""; 0], "{fine}");
    }
}

#[test]
fn the_recommended_text_promises_nothing_that_is_not_there() {
    let text = recommended();
    for absent in ["while the program runs", "dashboard", "not served"] {
        assert!(!text.contains(absent), "{absent}");
    }
    assert!(text.contains("A change of it takes effect within two seconds"));
    assert!(!text.contains("Still not served"), "{text}");
}

#[test]
fn secrets_are_never_shown() {
    let text = "[opsgenie]\napi_key = \"hush-1\"\n[webhook]\nurl = \"https://h/hush-2\"\n";
    let (config, warnings) = parse(text, "f").unwrap();
    assert_eq!(config.breaker.opsgenie.api_key.as_ref().unwrap().expose(), "hush-1");
    assert!(!format!("{config:?} {config:#?} {warnings:?}").contains("hush"));
    for bad in [
        "opsgenie.api_key = \"hush hush\"",
        "opsgenie.api_key = [\"hush\"]",
        "webhook.url = \"hush\"",
        "opsgenie.api_key = \"hush",
        "opsgenie.api_key = \"hush\"\nopsgenie.api_key = \"hush\"",
        "opsgenie.api_key = hush-hush",
        "opsgenie.api_key = \"hush\" hush",
        "opsgenie.api_key = \"hush\\q\"",
        "opsgenie.api_url = \"hush\"",
        "opsgenie.api_url = \"https://host/?key=hush\"",
        "opsgenie.api_url = \"https://host/#hush\"",
        "opsgenie.api_url = \"http://host.example/hush\"",
        "opsgenie.api_url = \"ftp://host.example/hush\"",
        "opsgenie.proxy = \"socks5://user:hush@host\"",
        "webhook.headers = { Authorization = [\"hush\"] }",
        "webhook.headers = { Authorization = \"hush\\u0001\" }",
        "webhook.routing_key = \"hush hush\"",
        "[[webhooks]]\nurl = \"hush\"",
        "[[webhooks]]\nurl = \"https://h/hush\"\nbody = \"{{\"\nheaders = { A = \"hush\" }",
        "webhooks = \"hush\"",
        "opsgenie.api_url = \"https://user:hush@host\"",
        "opsgenie.api_url = \"http://hush@host\"",
        "opsgenie.api_url = \"https://user:hush\\u0040host\"",
        "[[opsgenie]]\napi_key = \"hush\"",
        "opsgenie = [{ api_key = \"hush\" }]",
        "opsgenie.api_key = \"hush\"\n[circuit_breaker]\nopsgenie.api_key = \"hush\"\nwait_time = 0",
    ] {
        let errors = parse(bad, "f").unwrap_err();
        assert!(!format!("{errors} {errors:?} {:?}", errors.warnings()).contains("hush"), "{errors}");
    }
}

#[test]
fn the_recommended_configuration_is_valid_and_has_every_key() {
    let text = recommended();
    let (config, warnings) = parse(&text, "breakers.toml").unwrap();
    assert_eq!(warnings, []);
    assert_eq!(config, Config::default());
    assert_eq!(config.log.level, LogLevel::Info);

    let is_entry = |line: &str| {
        line.split_once(" = ").is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
    };
    let uncommented: String = text
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| is_entry(rest)).unwrap_or(line))
        .fold(String::new(), |text, line| text + line + "\n");
    let (_, warnings) = parse(&uncommented, "breakers.toml").unwrap();
    assert_eq!(warnings, [], "also with every key set");
    assert_eq!(uncommented.lines().filter(|line| is_entry(line)).count(), tripline_backends::config::key_names().len());
    assert!(text.lines().all(|line| line.chars().count() <= 120));
}
