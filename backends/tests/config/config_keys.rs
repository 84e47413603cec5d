//! Every key, with values that it accepts and values that it rejects.
#![cfg(feature = "config")]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use crate::config_keys_proxy::PROXY_CASES;
use tripline_backends::config::{Config, key_names, parse};
use tripline_runtime::core::{Backoff, Confidence, Latency, MemoryThreshold, Percentile, Policy, Ratio, TripAfter};

pub(crate) struct Case {
    key: &'static str,
    good: &'static [&'static str],
    bad: &'static [&'static str],
    allowed: &'static str,
}

const FLAG: (&[&str], &[&str], &str) =
    (&["true", "false"], &["1", "\"true\"", "[]", "1979-05-27", "nan"], "true or false");
const LINE: (&[&str], &[&str]) = (&["\"\"", "\"two words\"", "'ü'"], &["1", "true", "[\"x\"]", "{}", "@1001"]);
const PRIORITY: (&[&str], &[&str], &str) = (
    &["\"P1\"", "\"P2\"", "\"P3\"", "\"P4\"", "\"P5\""],
    &["\"P0\"", "\"P6\"", "\"p1\"", "\"\"", "1"],
    r#""P1", "P2", "P3", "P4", "P5""#,
);
const TEXTS: (&[&str], &[&str], &str) = (
    &["[]", "[\"a\", \"b:c\"]", "['ü']"],
    &["\"a\"", "[1]", "[\"\"]", "[[\"a\"]]", "[\"a\", true]"],
    "up to 100 texts, each 1 to 1000 characters",
);
/// Values that no number accepts.
const NO_NUMBER: &[&str] = &[
    "\"10\"",
    "true",
    "nan",
    "-nan",
    "inf",
    "-inf",
    "-1",
    "-0.1",
    "1e308",
    "99999999999999999999999999",
    "[10]",
    "{}",
];

pub(crate) const fn case(
    key: &'static str,
    good: &'static [&'static str],
    bad: &'static [&'static str],
    allowed: &'static str,
) -> Case {
    Case { key, good, bad, allowed }
}

pub(crate) const fn flag(key: &'static str) -> Case {
    case(key, FLAG.0, FLAG.1, FLAG.2)
}

const fn text(key: &'static str) -> Case {
    case(key, LINE.0, LINE.1, "text of at most 1000 characters")
}

/// A text with its own maximum length; `@n` stands for n characters.
const fn short(
    key: &'static str,
    good: &'static [&'static str],
    bad: &'static [&'static str],
    allowed: &'static str,
) -> Case {
    case(key, good, bad, allowed)
}

const fn texts(key: &'static str) -> Case {
    case(key, TEXTS.0, TEXTS.1, TEXTS.2)
}

const fn priority(key: &'static str) -> Case {
    case(key, PRIORITY.0, PRIORITY.1, PRIORITY.2)
}

const PROXY: &str = "\"none\", or http://[user:password@]host[:port], or https";
const DAY: &str = "1 to 86400 (seconds)";
const WEEK: &str = "0 to 604800 (seconds, whole)";
const SAMPLES: &str = "1 to 1024 (samples, whole)";

const CASES: &[Case] = &[
    case(
        "name",
        &["\"a\"", "\"pay.ments_2-x\""],
        &["\"\"", "\"a b\"", "\"..\"", "1"],
        "1 to 64 characters of a-z A-Z 0-9 . _ -, and not . or ..",
    ),
    flag("enabled"),
    case(
        "latency_threshold",
        &["1", "1.5", "1500", "1500.0", "4_294_967", "0x5DC"],
        &["0", "0.999", "4294967.1", "4294968"],
        "1 to 4294967 (milliseconds)",
    ),
    case(
        "percentile",
        &["0.95", "1", "1.0", "1e-3", "50", "95", "99.9", "100"],
        &["0", "0.0", "1.01", "49.99", "100.1"],
        "a ratio 0 < x <= 1, or 50 to 100 (percent)",
    ),
    case("latency_window_size", &["1", "64", "64.0", "1024"], &["0", "1025", "1.5"], SAMPLES),
    case("latency_max_age", &["2", "2.5", "86400"], &["0", "0.9", "86401"], DAY),
    case("minimum_samples", &["1", "1024"], &["0", "1025", "2.5"], SAMPLES),
    flag("trend_analysis_enabled"),
    case("trend_analysis_min_sample_count", &["1", "10", "1024"], &["0", "1025", "3.3"], SAMPLES),
    case("trip_confidence", &["0", "0.0", "0.99", "0.999999"], &["1", "1.0", "1.5"], "0 <= x < 1 (ratio)"),
    case(
        "trip_after",
        &["\"auto\"", "0", "1500", "60000"],
        &["\"never\"", "-1", "1.5", "60001"],
        "\"auto\", or 0 to 60000 (milliseconds, whole)",
    ),
    case("warm_up", &["0", "10", "2.5", "3600"], &["-1", "3601"], "0 to 3600 (seconds)"),
    case("failure_rate_threshold", &["0", "0.5", "1"], &["1.1", "50"], "0 to 1 (ratio)"),
    flag("stall_detection"),
    case("wait_time", &["1", "10", "10.5", "3600"], &["0", "0.5", "3601"], "1 to 3600 (seconds)"),
    case("wait_backoff", &["1", "1.5", "100"], &["0", "0.99", "100.5"], "1 to 100 (factor)"),
    case("max_wait_time", &["10", "300", "86400"], &["0", "86401"], DAY),
    case("wait_jitter", &["0", "0.1", "1"], &["1.1"], "0 to 1 (ratio)"),
    case("half_open_max_calls", &["0", "5", "1000"], &["1001", "1.5"], "0 to 1000 (calls, whole)"),
    case("recovery_time", &["1", "60", "86400"], &["0", "86401"], DAY),
    case(
        "memory_threshold",
        &["80", "80.0", "80.5", "0.1", "99.9"],
        &["0", "0.0", "100", "100.0"],
        "0 < x < 100 (percent)",
    ),
    case("memory_hysteresis", &["0", "5", "7.5", "50"], &["51"], "0 to 50 (percentage points)"),
    case("memory_horizon", &["0", "0.5", "60", "300.0", "86400"], &["86400.5", "86401"], "0 to 86400 (seconds)"),
    flag("memory_horizon_trips"),
    case(
        "memory_source",
        &["\"auto\"", "\"cgroup\"", "\"sysinfo\"", "\"mock\""],
        &["\"Auto\"", "\"\"", "1"],
        r#""auto", "cgroup", "sysinfo", "mock""#,
    ),
    case(
        "memory_used",
        &["\"unreclaimable\"", "\"working-set\""],
        &["\"working_set\"", "\"\"", "true"],
        r#""unreclaimable", "working-set""#,
    ),
    case("sample_interval_ms", &["10", "500", "60000"], &["9", "60001"], "10 to 60000 (milliseconds)"),
    short("state_dir", &["\"\"", "\"state\"", "\"a/b c\""], &["1", "\"a\\u0000\"", "@4097"], "a path"),
    case(
        "http.listen",
        &["\"127.0.0.1:8080\"", "\"[::1]:0\"", "\"0.0.0.0:80\""],
        &["\"localhost:80\"", "\":80\"", "\"127.0.0.1\"", "\"127.0.0.1:65536\"", "\"\"", "8080"],
        "an IP address with a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\"",
    ),
    case(
        "http.allowed_hosts",
        &["[]", "[\"ops.example.org\", \"::1\"]"],
        &["\"a\"", "[1]"],
        "up to 100 texts, each 1 to 1000 characters",
    ),
    case("fleet.engine", &["\"off\"", "\"redis\""], &["\"nats\"", "true"], r#""off", "redis""#),
    short(
        "fleet.url",
        &["\"\"", "\"redis://a\"", "\"rediss://u:p@a:6380/3\""],
        &["\"http://a\"", "\"redis://a,b\"", "\"redis://a/x\"", "\"redis+sentinel://a/m\"", "1"],
        "redis://[user:password@]host[:port][/number], or rediss:// for TLS; one server, neither Sentinel nor Cluster",
    ),
    short("fleet.namespace", &["@100"], &["@101", "1"], "text of at most 100 characters"),
    short("fleet.service", &["@100"], &["@101", "1"], "text of at most 100 characters"),
    case(
        "fleet.page_at",
        &["1", "37", "\"5%\"", "\"0.5 %\"", "\"100%\""],
        &["0", "1.5", "\"0%\"", "\"101%\"", "\"5\"", "\"auto\""],
        "1 to 1000000 (replicas, whole), or a share above 0 and up to 100, as \"5%\"",
    ),
    case("fleet.fallback_after", &["5", "15", "3600"], &["4", "3601"], "5 to 3600 (seconds)"),
    flag("fleet.fallback_close"),
    case("fleet.probe_share", &["0", "0.01", "1"], &["-0.1", "1.1", "\"1%\""], "0 to 1 (a ratio)"),
    flag("fleet.commands"),
    short("http.token_file", &["\"\"", "\"token\""], &["true"], "a path"),
    case(
        "log.level",
        &["\"error\"", "\"warn\"", "\"info\"", "\"debug\"", "\"trace\""],
        &["\"off\"", "3"],
        r#""error", "warn", "info", "debug", "trace""#,
    ),
    case("log.format", &["\"text\"", "\"json\""], &["\"xml\"", "true"], r#""text", "json""#),
    case("webhook.enabled", &["false"], FLAG.1, FLAG.2),
    case(
        "webhook.url",
        &["\"\"", "\"https://h/x?y=z\"", "\"http://127.0.0.1:1/\""],
        &["\"h\"", "\"ftp://h\"", "\"http://\"", "1"],
        "an http or https address",
    ),
    case("webhook.name", &["\"chat\""], &["\"a b\"", "1"], "1 to 64 characters of a-z A-Z 0-9 . _ -, and not . or .."),
    case(
        "webhook.format",
        &["\"slack\"", "\"teams\"", "\"discord\"", "\"pagerduty\""],
        &["\"xml\"", "1"],
        r#""json", "slack", "teams", "discord", "pagerduty""#,
    ),
    short(
        "webhook.routing_key",
        &["\"\"", "\"0f1e\"", "\"${KEY}\""],
        &["\"a b\"", "5"],
        "letters, digits and punctuation of ASCII, without spaces",
    ),
    short("webhook.body", &["\"\"", "'{\"a\": \"{{headline}}\"}'"], &["1"], "text of at most 20000 characters"),
    case(
        "webhook.headers",
        &["{ X-A = 'b', Authorization = \"Bearer ${T}\" }"],
        &["\"a\"", "[]", "{ a = 1 }"],
        "a table of up to 100 names with texts, each 1 to 1000 characters",
    ),
    case("webhook.proxy", &["\"none\"", "\"http://u:p@h:3128\"", "\"\""], &["\"socks5://h\"", "\"h:1\"", "1"], PROXY),
    flag("opsgenie.enabled"),
    case("opsgenie.proxy", &["\"none\"", "\"http://u:p@h:3128\"", "\"\""], &["\"socks5://h\"", "\"h:1\"", "1"], PROXY),
    short("opsgenie.service_id", &["\"\"", "@50"], &["@51", "1"], "text of at most 50 characters"),
    case("opsgenie.provider", &["\"opsgenie\"", "\"jsm\""], &["\"jira\"", "1"], r#""opsgenie", "jsm""#),
    short(
        "opsgenie.api_key",
        &["\"\"", "\"0f-k/ey+=\""],
        &["\"a b\"", "\"ü\"", "\"a\\nb\"", "5"],
        "letters, digits and punctuation of ASCII, without spaces",
    ),
    case("opsgenie.region", &["\"us\"", "\"eu\""], &["\"mars\"", "\"\"", "false"], r#""us", "eu""#),
    case(
        "opsgenie.api_url",
        &["\"\"", "\"https://h\"", "\"http://127.0.0.1:1\"", "\"http://localhost:1/x\""],
        &["\"http://h\"", "\"https://u:p@h\"", "\"h\"", "1"],
        "an https address, or http on a loopback address, without user, password, query and fragment",
    ),
    priority("opsgenie.priority"),
    short("opsgenie.source", &["@100"], &["@101", "1"], "text of at most 100 characters"),
    case("opsgenie.alert_scope", &["\"service\"", "\"host\""], &["\"all\"", "1"], r#""service", "host""#),
    short("opsgenie.team", &["@100"], &["@101", "1"], "text of at most 100 characters"),
    short("opsgenie.environment", &["\"\"", "@20"], &["@21", "1"], "text of at most 20 characters"),
    short("opsgenie.bookmaker_id", &["\"\"", "@50"], &["@51", "1"], "text of at most 50 characters"),
    short("opsgenie.project_id", &["@50"], &["@51", "1"], "text of at most 50 characters"),
    short("opsgenie.hostname", &["@255"], &["@256", "1"], "text of at most 255 characters"),
    short("opsgenie.host_override", &["@255"], &["@256", "1"], "text of at most 255 characters"),
    short("opsgenie.business", &["@100"], &["@101", "1"], "text of at most 100 characters"),
    short("opsgenie.business_unit", &["@100"], &["@101", "1"], "text of at most 100 characters"),
    text("opsgenie.additional_context"),
    text("opsgenie.service_tier"),
    flag("opsgenie.trigger_on_breaker_open"),
    flag("opsgenie.trigger_on_breaker_reset"),
    flag("opsgenie.trigger_on_memory_threshold"),
    flag("opsgenie.trigger_on_latency_threshold"),
    flag("opsgenie.include_latency_metrics"),
    flag("opsgenie.include_memory_metrics"),
    flag("opsgenie.include_system_info"),
    case("opsgenie.alert_cooldown_seconds", &["0", "300", "604800"], &["604801", "1.5"], WEEK),
    case("opsgenie.time_before_send_alert", &["0", "60", "604800"], &["604801", "1.5"], WEEK),
    priority("opsgenie.initial_alert_priority"),
    priority("opsgenie.escalated_alert_priority"),
    texts("opsgenie.tags"),
    text("opsgenie.api_name"),
    text("opsgenie.api_version"),
    text("opsgenie.api_namespace"),
    text("opsgenie.api_description"),
    text("opsgenie.api_owner"),
    text("opsgenie.api_priority"),
    texts("opsgenie.api_dependencies"),
    texts("opsgenie.api_endpoints"),
    case(
        "opsgenie.api_custom_attributes",
        &["{}", "{ a = \"b\", \"c d\" = 'e' }"],
        &["\"a\"", "[]", "{ a = 1 }", "{ a = { b = \"c\" } }"],
        "a table of up to 100 names with texts, each 1 to 1000 characters",
    ),
    text("opsgenie.contact_details.primary_contact"),
    text("opsgenie.contact_details.escalation_team"),
    text("opsgenie.contact_details.slack_channel"),
    text("opsgenie.contact_details.phone_number"),
    texts("opsgenie.contact_details.additional_emails"),
];

fn cases() -> impl Iterator<Item = &'static Case> {
    CASES.iter().chain(PROXY_CASES)
}

/// The value as TOML: `@n` is a text of n characters of more than one byte each.
fn value(written: &str) -> String {
    match written.strip_prefix('@') {
        Some(length) => format!("\"{}\"", "é".repeat(length.parse().unwrap())),
        None => written.to_owned(),
    }
}

#[test]
fn every_key_has_a_case_here() {
    let names = key_names();
    let known: HashSet<&str> = names.iter().map(String::as_str).collect();
    let tried: HashSet<&str> = cases().map(|case| case.key).collect();
    assert_eq!(known, tried);
    assert_eq!(known.len(), names.len(), "a key is there twice");
}

#[test]
fn every_key_takes_its_good_values() {
    for case in cases() {
        for good in case.good {
            let text = format!("{} = {}\n", case.key, value(good));
            let (_, warnings) = parse(&text, "f").unwrap_or_else(|errors| panic!("{errors}"));
            assert!(warnings.iter().all(|warning| !warning.message.contains("unknown")), "{text}: {warnings:?}");
        }
    }
}

#[test]
fn every_key_rejects_its_bad_values_and_says_what_is_allowed() {
    for case in cases() {
        let is_number = case.allowed.contains('(');
        for bad in case.bad.iter().chain(NO_NUMBER.iter().filter(|_| is_number)) {
            let text = format!("\n{} = {}\n", case.key, value(bad));
            let Err(errors) = parse(&text, "f") else { panic!("taken: {text}") };
            let problem = &errors.problems()[0];
            assert_eq!(errors.problems().len(), 1, "{errors}");
            assert_eq!((problem.line, problem.allowed()), (Some(2), Some(case.allowed)), "{text}");
            assert!(problem.key.starts_with(case.key), "{errors}");
        }
    }
}

#[test]
fn every_key_at_the_top_is_also_read_in_circuit_breaker_but_not_in_both() {
    for case in cases().filter(|case| !case.key.contains('.')) {
        let (key, good) = (case.key, value(case.good[0]));
        let in_table = format!("[circuit_breaker]\n{key} = {good}\n");
        assert_eq!(parse(&in_table, "f").unwrap().0, parse(&format!("{key} = {good}"), "f").unwrap().0, "{in_table}");
        let both = format!("{key} = {good}\n\n{in_table}");
        let errors = parse(&both, "f").unwrap_err();
        assert_eq!(
            errors.to_string(),
            format!("f:4: circuit_breaker.{key} = {good}: set twice; it is also {key} on line 1"),
        );
    }
}

/// The lines of a configuration's `Debug` form that differ from the defaults.
fn changed_lines(text: &str) -> Vec<String> {
    let default = format!("{:#?}", Config::default());
    let config = format!("{:#?}", parse(text, "f").unwrap_or_else(|errors| panic!("{errors}")).0);
    let count = |text: &str, line: &str| text.lines().filter(|other| *other == line).count();
    config.lines().filter(|line| count(&config, line) > count(&default, line)).map(str::to_owned).collect()
}

#[test]
fn every_key_of_a_table_sets_the_field_of_its_name() {
    // A certificate requires its key.
    let alone = |case: &&Case| !case.key.starts_with("proxy.tls.");
    for case in cases().filter(|case| case.key.contains('.') && case.allowed != FLAG.2).filter(alone) {
        let field = format!("{}: ", case.key.rsplit('.').next().unwrap());
        let hit = case.good.iter().any(|good| {
            let lines = changed_lines(&format!("{} = {}", case.key, value(good)));
            lines.iter().any(|line| line.trim_start().starts_with(&field))
        });
        assert!(hit, "{} does not set {field}", case.key);
    }
}

#[test]
fn every_flag_sets_its_own_field() {
    for case in cases().filter(|case| case.key.starts_with("opsgenie.") && case.allowed == FLAG.2) {
        // The triggers form a group of their own.
        let name = case.key.trim_start_matches("opsgenie.").trim_start_matches("trigger_on_");
        for flag in ["true", "false"] {
            let opsgenie = parse(&format!("{} = {flag}", case.key), "f").unwrap().0.breaker.opsgenie;
            let shown = format!("{opsgenie:?}");
            assert!([",", " }"].iter().any(|end| shown.contains(&format!(" {name}: {flag}{end}"))), "{name}: {shown}");
        }
    }
    assert!(parse("webhook = { enabled = true, url = \"https://h\" }", "f").unwrap().0.breaker.webhook.enabled);
}

#[test]
fn every_key_at_the_top_sets_its_own_field() {
    let config = parse(
        "name = \"n\"\nenabled = false\nlatency_threshold = 1\npercentile = 0.5\nlatency_window_size = 100\n\
         latency_max_age = 3\nminimum_samples = 40\ntrend_analysis_enabled = true\n\
         trend_analysis_min_sample_count = 12\ntrip_confidence = 0.9\ntrip_after = 700\nwarm_up = 21\nfailure_rate_threshold = 0.4\n\
         stall_detection = false\nwait_time = 4\nwait_backoff = 3\nmax_wait_time = 6\nwait_jitter = 0.2\n\
         half_open_max_calls = 7\nrecovery_time = 8\nmemory_threshold = 60\nmemory_hysteresis = 9\n\
         memory_horizon = 13.5\nmemory_horizon_trips = true\n\
         memory_source = \"mock\"\nmemory_used = \"working-set\"\nsample_interval_ms = 11\nstate_dir = \"s\"\n",
        "f",
    )
    .unwrap()
    .0;
    assert_eq!(config.breaker.memory_used.as_str(), "working-set");
    assert_eq!((config.breaker.name.as_str(), config.breaker.memory_source.as_str()), ("n", "mock"));
    assert_eq!(config.state_dir.as_deref(), Some(Path::new("s")));
    assert!(!config.breaker.stall_detection);
    let mut expected = Policy::default();
    expected.enabled = false;
    expected.latency_threshold = Latency::from_millis(1);
    expected.percentile = Percentile::new(0.5).unwrap();
    expected.latency_window_size = 100.try_into().unwrap();
    expected.latency_max_age = Duration::from_secs(3);
    expected.minimum_samples = Some(40);
    expected.trend_analysis = true;
    expected.trend_minimum_samples = 12;
    expected.trip_confidence = Confidence::new(0.9).unwrap();
    expected.trip_after = TripAfter::Millis(700);
    expected.warm_up = Duration::from_secs(21);
    expected.failure_rate_threshold = Ratio::new(0.4).unwrap();
    expected.wait_time = Duration::from_secs(4);
    expected.wait_backoff = Backoff::new(3.0).unwrap();
    expected.max_wait_time = Duration::from_secs(6);
    expected.wait_jitter = Ratio::new(0.2).unwrap();
    expected.half_open_max_calls = 7;
    expected.recovery_time = Duration::from_secs(8);
    expected.memory_threshold = MemoryThreshold::new(0.6).unwrap();
    expected.memory_hysteresis = Ratio::new(0.09).unwrap();
    expected.memory_horizon = Duration::from_millis(13_500);
    expected.memory_horizon_trips = true;
    expected.sample_interval = Duration::from_millis(11);
    assert_eq!(config.breaker.policy, expected);
}
