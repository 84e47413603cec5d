//! A family in a fleet, and breakers that a configuration reload adds and removes.

use std::fs;

use crate::redis_server::RedisServer;
use crate::replicas::Replicas;
use crate::support::{eventually, exchange};

const TENANTS: &str = "[breakers.tenants]\nkey = \"header:x-tenant\"\n";
const LATE: &str = "[breakers.late]\n";

/// Whether the alert of this breaker is open; `None` if it was never opened.
fn alert_of(replicas: &Replicas, breaker: &str) -> Option<bool> {
    replicas.service.catch_up();
    let alias = format!("shop/checkout-{breaker}-circuit-open");
    let alerts = replicas.service.alerts();
    alerts.iter().find(|alert| alert.alias == alias).map(|alert| alert.open)
}

fn post(replicas: &Replicas, number: usize, path: &str) {
    let response = replicas.of(number).post(path, r#"{"confirm": true}"#);
    assert_eq!(response.status, 200, "{path}: {response:?}");
}

/// The breakers of this replica: those in the fleet if `path` is `/fleet`.
fn names(replicas: &Replicas, number: usize, path: &str) -> Vec<String> {
    let body = replicas.of(number).get(path).json();
    body["breakers"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

/// Replaces one table in this replica's configuration, and waits until it has the `expected` breakers.
fn reload(replicas: &Replicas, number: usize, from: &str, to: &str, expected: &[&str]) {
    let file = replicas.of(number).folder().join("settings.toml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(&file, text.replacen(from, to, 1)).unwrap();
    eventually("the reload", || (names(replicas, number, "/breakers") == expected).then_some(()));
}

#[test]
fn a_family_and_an_added_breaker_take_part_and_a_removed_one_resolves_its_share() {
    let Some(redis) = RedisServer::start_in_ci("a family, and breakers of a reload") else { return };
    let mut replicas = Replicas::none(&redis.url(), 0);
    replicas.tables = TENANTS.to_owned();
    replicas.start_more(2);
    let call = exchange(replicas.of(1).address, "GET", "/test/tenants", "x-tenant: acme\r\n", "");
    assert_eq!(call.status, 200);
    post(&replicas, 1, "/breakers/tenants/keys/acme/trigger-by-latency");
    replicas.until(30, "the family pages", |it| alert_of(it, "tenants") == Some(true));
    let message = replicas.service.alerts()[0].created["message"].as_str().unwrap().to_owned();
    assert!(message.ends_with("1 of 2 replicas open, first: web-1"), "{message}");

    for number in 0..2 {
        reload(&replicas, number, TENANTS, &[TENANTS, LATE].concat(), &["tenants", "late"]);
    }
    post(&replicas, 0, "/breakers/late/trigger-by-latency");
    replicas.until(30, "the added breaker pages", |it| alert_of(it, "late") == Some(true));
    reload(&replicas, 0, LATE, "", &["tenants"]);
    replicas.until(40, "its alert is closed", |it| alert_of(it, "late") == Some(false));
    assert_eq!(alert_of(&replicas, "tenants"), Some(true));
    replicas.until(30, "it is settled", |it| names(it, 0, "/fleet") == ["tenants"]);
    assert_eq!(names(&replicas, 1, "/fleet"), ["late", "tenants"]);

    post(&replicas, 1, "/breakers/tenants/keys/acme/reset");
    replicas.until(40, "the alert of the family is closed", |it| alert_of(it, "tenants") == Some(false));
    assert!(replicas.service.alerts().iter().all(|alert| alert.count == 1));
}
