//! Alerts of many breakers at the alert service: settings of each breaker, and incidents of single members of a family.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::alert_e2e;
use crate::alert_service;
use crate::support;

use std::fs;

use alert_e2e::Scene;
use alert_service::{Held, Manner};
use serde_json::{Value, json};
use support::{Server, eventually};

const FAMILY: &str = "[breakers.tenants]\nkey = \"header:x-tenant\"\n[breakers.tenants.alerts]\n";
const ACME: &str = "shop/check out-tenants/acme-circuit-open";
const GLOBEX: &str = "shop/check out-tenants/globex-circuit-open";

fn call(server: &Server, tenant: &str) -> u16 {
    server.client().exchange("GET", "/test/tenants", &format!("x-tenant: {tenant}\r\n"), "").unwrap().status
}

fn trip(server: &Server, breaker: &str) {
    let answer = server.post(&format!("/breakers/{breaker}/trigger-by-latency"), "");
    assert_eq!(answer.status, 200, "{answer:?}");
}

fn of_alias<'a>(alerts: &'a [Held], alias: &str) -> &'a Held {
    alerts.iter().find(|alert| alert.alias == alias).unwrap_or_else(|| panic!("no {alias} in {alerts:#?}"))
}

#[test]
fn team_priority_name_and_tags_of_one_breaker_reach_the_service_and_no_other_breaker() {
    let own = "team = \"search team\"\npriority = \"P4\"\napi_name = \"search api\"\ntags = [\"colour:blue\", \"place:edge\"]\n";
    let more = format!(
        "tags = [\"of:all\"]\n[breakers.checkout]\n[breakers.search]\n[breakers.search.alerts]\n{own}\
         [breakers.quiet]\n[breakers.quiet.alerts]\nenabled = false\n"
    );
    let scene = Scene::of(Manner::OpsGenie).more(&more);
    let server = scene.start();
    for breaker in ["quiet", "search", "checkout"] {
        trip(&server, breaker);
    }
    let (search, checkout) = ("shop/search api-search-circuit-open", "shop/check out-checkout-circuit-open");
    scene.settles_at(&server, &[(checkout, "P2"), (search, "P4")]);
    let alerts = scene.service.alerts();
    assert_eq!(alerts.len(), 2, "the alerts of one are off: {alerts:#?}");
    let (search, checkout) = (of_alias(&alerts, search), of_alias(&alerts, checkout));
    assert_eq!(search.created["responders"], json!([{"type": "team", "name": "search team"}]));
    assert_eq!(checkout.created["responders"], json!([{"type": "team", "name": "payments"}]));
    let has = |alert: &Held, tag: &str| alert.created["tags"].as_array().unwrap().contains(&json!(tag));
    assert!(has(search, "colour:blue") && has(search, "place:edge") && !has(search, "of:all"), "{search:#?}");
    assert!(has(checkout, "of:all") && !has(checkout, "colour:blue"), "{checkout:#?}");
    assert_eq!(search.created["details"]["API Name"], "search api");
}

/// Waits until the state on disk has both members, and nothing of them to send.
fn members_are_written_down(scene: &Scene, expected: &[&str]) {
    let file = scene.folder.path().join("state/tenants/state.json");
    eventually("it is written down that everything was delivered", || {
        let state: Value = serde_json::from_slice(&fs::read(&file).ok()?).unwrap();
        let members = state["state"]["members"].as_array()?;
        let keys: Vec<&str> = members.iter().map(|member| member["key"].as_str().unwrap()).collect();
        let lanes = members.iter().flat_map(|member| member["lanes"].as_array().unwrap());
        let mut incidents = lanes.flat_map(|lane| lane["incidents"].as_array().unwrap());
        (keys == expected && incidents.all(|incident| incident["waiting"].is_null())).then_some(())
    });
}

#[test]
fn members_have_alerts_of_their_own_which_survive_a_kill_and_end_with_the_family() {
    let scene = Scene::of(Manner::OpsGenie).more(&format!("{FAMILY}per_key = true\n[breakers.other]\n"));
    let server = scene.start();
    for tenant in ["acme", "globex", "initech"] {
        assert_eq!(call(&server, tenant), 200);
    }
    trip(&server, "tenants/keys/acme");
    scene.open_is(&[(ACME, "P2")]);
    trip(&server, "tenants/keys/globex");
    scene.settles_at(&server, &[(ACME, "P2"), (GLOBEX, "P2")]);
    let created = of_alias(&scene.service.alerts(), ACME).created.clone();
    assert!(created["message"].as_str().unwrap().ends_with("shop/check out-tenants/acme"), "{created:#}");
    assert_eq!(created["details"]["Key"], "acme");
    assert_eq!((call(&server, "acme"), call(&server, "initech")), (503, 200));
    members_are_written_down(&scene, &["acme", "globex"]);
    drop(server);

    let server = scene.start();
    scene.settles_at(&server, &[(ACME, "P2"), (GLOBEX, "P2")]);
    let alerts = scene.service.alerts();
    assert!(alerts.len() == 2 && alerts.iter().all(|alert| alert.count == 1), "nothing is sent twice: {alerts:#?}");
    let keys = server.get("/breakers/tenants/keys").json();
    let keys: Vec<&str> = keys["keys"].as_array().unwrap().iter().map(|row| row["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["*", "acme", "globex"], "members in an incident are there again");
    assert_eq!(server.post("/breakers/tenants/keys/acme/reset", "{\"confirm\": true}").status, 200);
    scene.settles_at(&server, &[(GLOBEX, "P2")]);
    assert_eq!(call(&server, "acme"), 200);

    // The family leaves the file: what is open is closed.
    let path = server.folder().join("settings.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace(FAMILY, "").replace("per_key = true\n", "")).unwrap();
    scene.settles_at(&server, &[]);
    assert_eq!(scene.service.alerts().len(), 2);
    assert_eq!(server.get("/test/tenants").status, 404);
}

#[test]
fn a_family_has_one_alert_that_names_the_worst_member_unless_set_otherwise() {
    let scene = Scene::of(Manner::OpsGenie).more(&format!("{FAMILY}[breakers.other]\n"));
    let server = scene.start();
    for tenant in ["acme", "globex", "initech"] {
        assert_eq!(call(&server, tenant), 200);
    }
    trip(&server, "tenants/keys/globex");
    let alias = "shop/check out-tenants-circuit-open";
    scene.settles_at(&server, &[(alias, "P2")]);
    trip(&server, "tenants/keys/acme");
    let created = of_alias(&scene.service.alerts(), alias).created.clone();
    let description = created["description"].as_str().unwrap();
    assert!(description.contains("1 of 3 keys open; worst: globex."), "{description}");
    for key in ["globex", "acme"] {
        scene.settles_at(&server, &[(alias, "P2")]);
        assert_eq!(server.post(&format!("/breakers/tenants/keys/{key}/reset"), "{\"confirm\": true}").status, 200);
    }
    scene.settles_at(&server, &[]);
    assert_eq!(scene.service.alerts().len(), 1);
}
