//! Environment variables override a file.
#![cfg(feature = "config")]
#![allow(clippy::unwrap_used)]

use tripline_backends::config::{Config, Region, apply_environment, left_to_environment, parse};

fn apply(text: &str, variables: &[(&str, &str)]) -> (Config, Result<Vec<String>, String>) {
    let mut config = parse(text, "f").unwrap().0;
    let look_up = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    let result = apply_environment(&mut config, &look_up);
    (config, result.map(|found| found.iter().map(ToString::to_string).collect()).map_err(|errors| errors.to_string()))
}

const FILE: &str = "[opsgenie]\napi_key = \"file\"\nregion = \"us\"\napi_url = \"https://file\"\n\
                    environment = \"file\"\n\
                    team = \"file\"\nproject_id = \"file\"\nhostname = \"file\"\nbusiness_unit = \"file\"\n";

#[test]
fn four_variables_win_over_the_file() {
    let variables = [
        ("OPSGENIE_API_KEY", "env"),
        ("OPSGENIE_REGION", "eu"),
        ("OPSGENIE_API_URL", "http://127.0.0.1:9"),
        ("Environment", "env"),
    ];
    for text in ["", FILE] {
        let opsgenie = apply(text, &variables).0.breaker.opsgenie;
        assert_eq!(opsgenie.api_key.as_ref().unwrap().expose(), "env");
        assert_eq!(opsgenie.region, Region::Eu);
        assert_eq!(opsgenie.base_url(), "http://127.0.0.1:9");
        assert_eq!(opsgenie.environment, "env");
    }
}

#[test]
fn fallbacks_count_only_where_the_file_leaves_the_field_empty_and_in_order() {
    let groups: [&[&str]; 5] = [
        &["OPSGENIE_TEAM"],
        &["DEPLOYMENT_ENV"],
        &["BOOKMAKER_ID", "PROJECT_ID", "CLIENT_ID", "SERVICE_ID"],
        &["HOSTNAME", "HOST", "CONTAINER_NAME", "POD_NAME"],
        &["BUSINESS_UNIT", "BUSINESS", "DEPARTMENT"],
    ];
    for (i, group) in groups.into_iter().enumerate() {
        for first in 0..group.len() {
            let variables: Vec<(&str, &str)> = group[first..].iter().map(|name| (*name, *name)).collect();
            let field = |config: Config| {
                let o = config.breaker.opsgenie;
                [&o.team, &o.environment, o.service_id(), o.host(), o.business()][i].to_owned()
            };
            assert_eq!(field(apply("", &variables).0), group[first]);
            assert_eq!(field(apply(FILE, &variables).0), "file");
        }
    }
    assert_eq!(apply("", &[]).0.breaker.opsgenie.business(), "internal");
    let both = [("Environment", "a"), ("DEPLOYMENT_ENV", "b")];
    assert_eq!(apply("", &both).0.breaker.opsgenie.environment, "a");
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let variables = [
        ("OPSGENIE_API_KEY", ""),
        ("OPSGENIE_REGION", ""),
        ("OPSGENIE_API_URL", ""),
        ("Environment", ""),
        ("HOSTNAME", ""),
        ("HOST", "second"),
    ];
    assert_eq!(apply(FILE, &variables).0, parse(FILE, "f").unwrap().0);
    assert_eq!(apply("", &variables).0.breaker.opsgenie.host(), "second");
}

#[test]
fn a_token_that_is_empty_or_not_utf_8_is_an_error_that_does_not_show_it() {
    for (value, shown) in [("", "\"\""), ("hush-hush-hush-hush-\u{fffd}", "***")] {
        let mut config = parse("", "f").unwrap().0;
        let errors = apply_environment(&mut config, &|name| (name == "TRIPLINE_TOKEN").then(|| value.to_owned()));
        let text = errors.unwrap_err().to_string();
        assert!(text.starts_with(&format!("environment: TRIPLINE_TOKEN = {shown}: allowed: ")), "{text}");
        assert!(!text.contains("hush"), "{text}");
        assert_eq!(config.http.token, None);
    }
}

#[test]
fn every_bad_variable_is_named_and_nothing_is_changed() {
    let variables = [
        ("OPSGENIE_API_KEY", "hush hush"),
        ("OPSGENIE_REGION", "mars"),
        ("OPSGENIE_API_URL", "https://user:hush@elsewhere.example"),
        ("Environment", "an-environment-of-many-letters"),
        ("OPSGENIE_TEAM", "team"),
        ("TRIPLINE_TOKEN", "hush\nhush"),
    ];
    let (config, result) = apply("", &variables);
    assert_eq!(config, Config::default());
    assert_eq!(
        result.unwrap_err(),
        "environment: OPSGENIE_API_KEY = ***: allowed: letters, digits and punctuation of ASCII, without spaces\n\
         environment: OPSGENIE_REGION = mars: allowed: \"us\", \"eu\"\n\
         environment: OPSGENIE_API_URL = ***: allowed: an https address, or http on a loopback \
         address, without user, password, query and fragment\n\
         environment: Environment = an-environment-of-many-letters: allowed: text of at most 20 characters\n\
         environment: TRIPLINE_TOKEN = ***: allowed: letters, digits and punctuation of ASCII, without spaces"
    );
}

#[test]
fn the_token_comes_from_the_environment_and_is_not_shown() {
    let config = apply("", &[("TRIPLINE_TOKEN", "hush-hush-hush-hush")]).0;
    assert_eq!(config.http.token.as_ref().unwrap().expose(), "hush-hush-hush-hush");
    assert!(!format!("{config:?}").contains("hush"));
}

#[test]
fn what_alerts_still_lack_is_a_warning_only_where_they_are_enabled() {
    assert_eq!(apply("", &[]).1, Ok(vec![]));
    let found = apply("opsgenie.enabled = true", &[("HOST", "h")]).1.unwrap();
    let keys: Vec<&str> = found.iter().map(|line| line.split(": ").nth(1).unwrap()).collect();
    assert_eq!(keys, ["opsgenie.api_key", "opsgenie.team", "opsgenie.environment", "opsgenie.service_id"]);
    let all =
        [("OPSGENIE_API_KEY", "k"), ("OPSGENIE_TEAM", "t"), ("Environment", "e"), ("CLIENT_ID", "c"), ("HOST", "h")];
    assert_eq!(apply("opsgenie.enabled = true", &all).1, Ok(vec![]));
}

#[test]
fn what_a_file_leaves_to_the_environment_is_reported_under_its_own_name() {
    assert_eq!(left_to_environment(&parse("", "f").unwrap().0, "f"), []);
    let found = left_to_environment(&parse("opsgenie.enabled = true", "f").unwrap().0, "f");
    let keys: Vec<&str> = found.iter().map(|warning| warning.key.as_str()).collect();
    assert_eq!(
        keys,
        ["opsgenie.api_key", "opsgenie.team", "opsgenie.environment", "opsgenie.service_id", "opsgenie.hostname"]
    );
    assert!(found.iter().all(|warning| warning.file == "f" && warning.message.contains("environment")), "{found:?}");
}
