//! Named breakers and templates: their meaning, their problems and their warnings.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;

use tripline_backends::config::{Change, Config, Origin, Priority, apply_environment, differences, parse, resolved};

const FILE: &str = "\
name = \"shop\"
latency_threshold = 300
wait_time = 5
[opsgenie]
enabled = true
team = \"platform\"
tags = [\"a\", \"b\"]
[webhook]
enabled = true
url = \"https://hooks.example/1\"

[templates.slow]
latency_threshold = 3000
[templates.slower]
inherit = \"slow\"
wait_time = 20

[breakers.checkout]
inherit = \"slower\"
failure_rate_threshold = 0.2
[breakers.checkout.alerts]
team = \"payments\"
tags = []
initial_alert_priority = \"P2\"
[breakers.batch]
alerts.enabled = false
[breakers.shop]
";

fn config(text: &str) -> Config {
    parse(text, "f").unwrap().0
}

fn problems(text: &str) -> Vec<String> {
    parse(text, "f").unwrap_err().problems().iter().map(ToString::to_string).collect()
}

fn warnings(text: &str) -> Vec<String> {
    parse(text, "f").unwrap().1.iter().map(ToString::to_string).collect()
}

#[test]
fn breakers_inherit_from_their_templates_and_the_root_in_the_order_of_the_file() {
    let config = config(FILE);
    let names: Vec<&str> = config.all_breakers().iter().map(|breaker| breaker.name.as_str()).collect();
    assert_eq!(names, ["checkout", "batch", "shop"]);
    let checkout = config.settings_of("checkout").unwrap();
    assert_eq!(checkout.policy.latency_threshold.as_millis(), 3_000);
    assert_eq!(checkout.policy.wait_time.as_secs(), 20);
    assert!((checkout.policy.failure_rate_threshold.get() - 0.2).abs() < 1e-9);
    assert_eq!(checkout.opsgenie.team, "payments");
    assert!(checkout.opsgenie.tags.is_empty(), "an array replaces the inherited one as a whole");
    assert_eq!(checkout.opsgenie.initial_alert_priority, Priority::P2);
    assert!(checkout.opsgenie.enabled && checkout.webhook.enabled);
    let shop = config.settings_of("shop").unwrap();
    assert_eq!(*shop, config.breaker, "a breaker without settings is the root");
    assert!(config.settings_of("slow").is_none(), "a template is no breaker");
}

#[test]
fn alerts_of_one_breaker_can_be_off() {
    let config = config(FILE);
    let batch = config.settings_of("batch").unwrap();
    assert!(!batch.opsgenie.enabled && !batch.webhook.enabled && !batch.alerts_enabled);
    assert!(config.breaker.opsgenie.enabled && config.breaker.webhook.enabled);
    // The nearer table wins.
    let text = "[opsgenie]\nenabled = true\n[templates.quiet.alerts]\nenabled = false\n[breakers.a]\ninherit = \"quiet\"\n\
                [breakers.b]\ninherit = \"quiet\"\nalerts.enabled = true\n";
    let (config, _) = parse(text, "f").unwrap();
    let enabled: Vec<bool> = config.breakers.iter().map(|breaker| breaker.opsgenie.enabled).collect();
    assert_eq!(enabled, [false, true]);
}

#[test]
fn the_environment_is_laid_over_every_breaker() {
    let mut config = config(FILE);
    apply_environment(&mut config, &|name| {
        let value = match name {
            "OPSGENIE_API_KEY" => "key",
            "OPSGENIE_TEAM" => "of-the-environment",
            _ => return None,
        };
        Some(value.to_owned())
    })
    .unwrap();
    for breaker in &config.breakers {
        assert_eq!(breaker.opsgenie.api_key.as_ref().unwrap().expose(), "key", "{}", breaker.name);
    }
    assert_eq!(config.settings_of("checkout").unwrap().opsgenie.team, "payments");
}

#[test]
fn without_named_breakers_the_root_is_the_only_one() {
    let config = config("name = \"shop\"\n[templates.slow]\nwait_time = 3\n");
    assert_eq!(config.all_breakers(), std::slice::from_ref(&config.breaker));
    assert_eq!(config.settings_of("whatever").unwrap().name.as_str(), "shop");
}

#[test]
fn a_root_that_is_no_longer_a_breaker_is_said() {
    let text = FILE.replace("[breakers.shop]\n", "");
    let found = warnings(&text);
    assert_eq!(found[0], "f:1: breakers: the root is no longer a breaker; add [breakers.shop] to keep it");
    assert!(!warnings(FILE).iter().any(|warning| warning.contains("no longer")));
    let found = warnings("wait_time = 5\n[breakers.a]\n");
    assert_eq!(found[0], "f:2: breakers: the root is no longer a breaker; add [breakers.default] to keep it");
}

#[test]
fn an_inherited_doubt_is_said_once_and_where_it_was_set() {
    let text = "trip_confidence = 0.95\nminimum_samples = 100\n[breakers.default]\n[breakers.a]\n[breakers.b]\n\
                latency_window_size = 32\n";
    let found: Vec<String> = warnings(text).into_iter().filter(|warning| warning.contains("counts as")).collect();
    assert_eq!(
        found,
        [
            "f:2: minimum_samples: counts as latency_window_size, 64",
            "f:2: minimum_samples: counts as latency_window_size, 32"
        ]
    );
}

/// Each bad input yields one error with its line and a remedy, all at once.
#[test]
fn all_problems_of_breakers_come_together() {
    let text = "\
wait_time = 5
[templates.a]
inherit = \"b\"
[templates.b]
inherit = \"a\"
[templates.c]
inherit = 7
[breakers.Orders]
inherit = \"tempalte\"
name = \"x\"
state_dir = \"y\"
latency_treshold = 5
wait_time = 0
[breakers.orders]
inherit = \"Orders\"
[breakers.orders.alerts]
teem = \"x\"
api_owner = \"x\"
priority = \"P9\"
[breakers.orders.opsgenie]
team = \"x\"
[breakers.orders.http]
[breakers.events]
[breakers.\"a b\"]
[breakers]
flat = 1
";
    assert_eq!(
        problems(text),
        [
            "f:2: templates.a: inherits itself: a -> b -> a; remove one inherit",
            "f:7: templates.c.inherit = 7: allowed: the name of a template, at most 4 tables in a row",
            "f:9: breakers.Orders.inherit = \"tempalte\": no such template; add [templates.tempalte], or remove the key",
            "f:10: breakers.Orders.name: a breaker is called what its table is called; remove the key, or rename the table",
            "f:11: breakers.Orders.state_dir: is one for the whole process, with a folder for each breaker; set it at the top of the file",
            "f:12: breakers.Orders.latency_treshold: unknown key; did you mean latency_threshold?",
            "f:13: breakers.Orders.wait_time = 0: allowed: 1 to 3600 (seconds)",
            "f:14: breakers.orders: differs only by case from breakers.Orders on line 8; rename one of them",
            "f:15: breakers.orders.inherit = \"Orders\": is a breaker, and only templates are inherited; move what both share into [templates.Orders]",
            "f:17: breakers.orders.alerts.teem: unknown key; did you mean team?",
            "f:18: breakers.orders.alerts.api_owner: is one for all breakers; set it in [opsgenie]",
            "f:19: breakers.orders.alerts.priority = \"P9\": allowed: \"P1\", \"P2\", \"P3\", \"P4\", \"P5\"",
            "f:20: breakers.orders.opsgenie: is one for all breakers; set [opsgenie] at the top of the file, and what differs in the table alerts here",
            "f:22: breakers.orders.http: belongs to the whole process; set [http] at the top of the file",
            "f:23: breakers.events: is reserved for the API; allowed: any name but events, reset, enable, disable",
            "f:24: breakers.\"a b\": allowed: a name of 1 to 64 characters of a-z A-Z 0-9 . _ -, and not . or ..",
            "f:26: breakers.flat: allowed: a table, [breakers.NAME]",
        ]
    );
    assert_eq!(
        problems("[breakers.a]\ninherit = \"\""),
        ["f:2: breakers.a.inherit = \"\": allowed: the name of a template, at most 4 tables in a row"]
    );
    assert_eq!(
        warnings("inherit = \"slow\""),
        ["f:1: inherit: unknown key, ignored; it belongs into [breakers.NAME] or [templates.NAME]"]
    );
    assert_eq!(problems("breakers = 3"), ["f:1: breakers: allowed: tables, [breakers.NAME]"]);
    assert_eq!(
        problems("[breakers.a]\nwait_time = 1\n[breakers.a]\n")[0],
        "f:3: not valid TOML: duplicate key: a is set twice"
    );
}

#[test]
fn at_most_four_tables_in_a_row() {
    let chain = |templates: usize| {
        let mut text = String::from("[templates.t0]\nwait_time = 7\n");
        for n in 1..templates {
            writeln!(text, "[templates.t{n}]\ninherit = \"t{}\"", n - 1).unwrap();
        }
        text + &format!("[breakers.default]\ninherit = \"t{}\"\n", templates - 1)
    };
    assert_eq!(config(&chain(3)).breakers[0].policy.wait_time.as_secs(), 7);
    assert_eq!(
        problems(&chain(4)),
        [
            "f:9: breakers.default: inherits through 5 tables, breakers.default -> templates.t3 -> templates.t2 -> templates.t1 -> templates.t0; allowed: at most 4, its own included"
        ]
    );
    assert_eq!(problems(&chain(500)).len(), 1);
}

#[test]
fn breakers_whose_alerts_would_share_an_alias_are_a_problem() {
    let text = "[breakers.a-b]\nalerts.api_name = \"shop\"\n[breakers.b]\nalerts.api_name = \"shop-a\"\n";
    assert_eq!(
        problems(text),
        [
            "f:3: breakers.b: its alerts would have the alias of those of breakers.a-b on line 1, shop-a-b; give one of the two another alerts.api_name, or another name"
        ]
    );
}

#[test]
fn the_longest_wait_follows_the_wait_of_each_breaker() {
    let config = config("[breakers.default]\n[breakers.a]\nwait_time = 900\n");
    let longest: Vec<u64> = config.breakers.iter().map(|breaker| breaker.policy.max_wait_time.as_secs()).collect();
    assert_eq!(longest, [60, 900]);
    assert_eq!(
        problems("max_wait_time = 60\n[breakers.default]\nwait_time = 90\n"),
        [
            "f:3: breakers.default.wait_time = 90: allowed: wait_time at most max_wait_time, and that at most 86400 (seconds); breakers.default has wait_time = 90 and max_wait_time = 60"
        ]
    );
}

#[test]
fn resolved_settings_say_where_they_come_from() {
    let all = resolved(FILE, "f").unwrap();
    let setting = |breaker: usize, key: &str| {
        let found = all[breaker].settings.iter().find(|setting| setting.key == key).unwrap();
        (found.value.clone(), found.origin.to_string())
    };
    assert_eq!(
        setting(0, "latency_threshold"),
        (Some("3000".into()), "line 13, templates.slow.latency_threshold".into())
    );
    assert_eq!(setting(0, "wait_time"), (Some("20".into()), "line 16, templates.slower.wait_time".into()));
    assert_eq!(
        setting(0, "alerts.team"),
        (Some("\"payments\"".into()), "line 22, breakers.checkout.alerts.team".into())
    );
    assert_eq!(setting(1, "wait_time"), (Some("5".into()), "line 3, wait_time".into()));
    assert_eq!(setting(1, "alerts.team"), (Some("\"platform\"".into()), "line 6, opsgenie.team".into()));
    assert_eq!(setting(1, "percentile"), (Some("0.95".into()), Origin::Default.to_string()));
    assert_eq!(setting(1, "alerts.enabled").0, Some("false".into()));
    let root = resolved("name = \"x\"\nwait_time = 3\n", "f").unwrap();
    assert_eq!((root.len(), root[0].name.as_str()), (1, "x"));
}

#[test]
fn differences_and_changes_name_the_breaker() {
    let old = config(FILE);
    let new =
        config(&FILE.replace("wait_time = 20", "wait_time = 25").replace("[breakers.batch]", "[breakers.nightly]"));
    let found: Vec<_> = differences(&old, &new).into_iter().map(|found| (found.key, found.new)).collect();
    let expected = [("breakers.checkout.wait_time", "25"), ("breakers.nightly", "set"), ("breakers.batch", "not set")];
    assert_eq!(found, expected.map(|(key, new)| (key.to_owned(), new.to_owned())));

    let name = old.breakers[0].name.clone();
    let change = Change::set("wait_time", 9.0).unwrap().and(Change::set("opsgenie.team", "x").unwrap());
    let change = change.of_breaker(&name).unwrap();
    assert_eq!(change.to_string(), "breakers.checkout.wait_time = 9, breakers.checkout.alerts.team = \"x\"");
    let mut changed = old.clone();
    change.apply_to(&mut changed);
    assert_eq!(changed.breakers[0].policy.wait_time.as_secs(), 9);
    assert_eq!((&changed.breaker, &changed.breakers[1..]), (&old.breaker, &old.breakers[1..]));
    let shared = Change::set("opsgenie.api_owner", "x").unwrap().of_breaker(&name).unwrap_err();
    assert!(shared.to_string().contains("the keys of a breaker"), "{shared}");
}
