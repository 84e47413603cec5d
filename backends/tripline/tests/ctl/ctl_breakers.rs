//! Many named breakers in one process: over HTTP, from the shell, and in the file.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::fake_server;
use crate::support;

use std::fs;

use fake_server::ctl;
use serde_json::{Value, json};
use support::{Finished, QUICK, Server, run, tripline};

fn three() -> String {
    format!(
        "name = \"shop\"\n{QUICK}\n[templates.slow]\nlatency_threshold = 3000 # slow\n\n\
         [breakers.search]\n\n[breakers.checkout] # money\ninherit = \"slow\"\n\n[breakers.shop]\nwait_time = 7\n"
    )
}

fn ctl_of(server: &Server, arguments: &[&str]) -> Finished {
    ctl(&format!("http://{}", server.address), arguments)
}

fn names(body: &Value) -> Vec<&str> {
    body["breakers"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

#[test]
fn each_breaker_has_its_routes_and_opens_alone() {
    let server = Server::start(&three());
    assert_eq!(names(&server.get("/breakers").json()), ["search", "checkout", "shop"]);
    // Without a name it is the first in the file.
    let first = server.get("/breaker/status");
    assert_eq!((&first.json()["name"], first.header("x-tripline-breaker")), (&json!("search"), Some("search")));
    let named = server.get("/breakers/checkout/status");
    assert_eq!((&named.json()["name"], named.header("x-tripline-breaker")), (&json!("checkout"), Some("checkout")));
    assert_eq!(named.json()["latency_threshold_ms"], 3000);
    assert_eq!(server.get("/breakers/%63heckout/latency").json()["latency"], 3000, "percent-encoded");
    let query = "/breakers/shop/settings?describe=1";
    assert_eq!(server.get(query).json()["wait_time"]["value"], 7);

    // One opens, and the others continue.
    assert_eq!(server.post("/breakers/checkout/force-open", "").status, 200);
    assert_eq!(server.get("/test/checkout").status, 503);
    assert_eq!(server.get("/test/checkout").json()["breaker"], "checkout");
    for path in ["/test", "/test/search", "/test/shop"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    assert_eq!(server.metric("tripline_state{breaker=\"checkout\",state=\"forced_open\"}"), 1.0);
    assert_eq!(server.metric("tripline_state{breaker=\"search\",state=\"closed\"}"), 1.0);
    assert_eq!(names(&server.get("/breakers?state=forced_open").json()), ["checkout"]);
    assert_eq!(names(&server.get("/breakers?match=s*").json()), ["search", "shop"]);

    // One page after the other.
    let page = server.get("/breakers?limit=2").json();
    assert_eq!((names(&page), &page["next"]), (vec!["search", "checkout"], &json!("checkout")));
    let page = server.get("/breakers?limit=2&after=checkout").json();
    assert_eq!((names(&page), &page["next"]), (vec!["shop"], &Value::Null));

    // Errors list the allowed values.
    for (path, status, field) in [
        ("/breakers?state=shut", 400, Some("state")),
        ("/breakers?limit=0", 400, Some("limit")),
        ("/breakers?after=gone", 400, Some("after")),
        ("/breakers/gone/status", 404, None),
        ("/breakers/shop/nothing", 404, None),
        ("/test/gone", 404, None),
    ] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.json()["field"].as_str()), (status, field), "{path}");
    }
    assert!(server.get("/breakers/shop/nothing").json()["error"].as_str().unwrap().contains("/breakers/shop/nothing"));
}

#[test]
fn many_are_operated_at_once_only_where_it_is_confirmed() {
    let server = Server::start(&three());
    for name in ["search", "checkout", "shop"] {
        assert_eq!(server.post(&format!("/breakers/{name}/force-open"), "").status, 200);
    }
    assert_eq!(server.post("/breakers/reset", "{}").status, 400);
    assert_eq!(server.post("/breakers/reset", "{\"confirm\": true, \"match\": \"x*\"}").json()["field"], "match");
    let answer = server.post("/breakers/reset", "{\"confirm\": true, \"match\": \"s*\"}").json();
    assert_eq!(answer["breakers"], json!(["search", "shop"]));
    assert_eq!(names(&server.get("/breakers?state=forced_open").json()), ["checkout"]);
    server.post("/breakers/reset", "{\"confirm\": true}");

    let answer = server.post("/breakers/disable", "{\"confirm\": true, \"match\": \"s*\"}").json();
    assert_eq!((&answer["breakers"], &answer["saved"]), (&json!(["search", "shop"]), &json!(true)), "{answer}");
    assert_eq!(names(&server.get("/breakers?state=disabled").json()), ["search", "shop"]);
    let text = fs::read_to_string(server.folder().join("settings.toml")).unwrap();
    assert_eq!(text.matches("enabled = false").count(), 2, "{text}");
    let answer = server.post("/breakers/enable", "{\"confirm\": true}").json();
    assert_eq!(answer["breakers"], json!(["search", "checkout", "shop"]));
    assert_eq!(names(&server.get("/breakers?state=closed").json()), ["search", "checkout", "shop"]);
}

#[test]
fn a_change_goes_into_the_table_of_its_breaker() {
    let server = Server::start(&three());
    let answer =
        server.post("/breakers/checkout/settings", "{\"latency_threshold\": 2500, \"opsgenie.team\": \"pay\"}").json();
    assert_eq!((&answer["saved"], &answer["latency_threshold"]), (&json!(true), &json!(2500)), "{answer}");
    assert_eq!(answer["opsgenie.team"], "pay");
    assert_eq!(server.get("/breakers/search/latency").json()["latency"], 250);
    // Without a name: the first breaker.
    assert_eq!(server.post("/breaker/wait", "{\"wait_time\": 4}").json()["wait"], 4);
    let text = fs::read_to_string(server.folder().join("settings.toml")).unwrap();
    assert!(text.contains("latency_threshold = 3000 # slow\n"), "the template stays: {text}");
    assert!(text.contains("[breakers.checkout] # money\ninherit = \"slow\"\nlatency_threshold = 2500\n"), "{text}");
    assert!(text.contains("[breakers.checkout.alerts]\nteam = \"pay\"\n"), "{text}");
    assert!(text.contains("[breakers.search]\nwait_time = 4\n"), "{text}");
    // A setting shared by all breakers cannot be set for one.
    let shared = server.post("/breakers/checkout/settings", "{\"opsgenie.api_owner\": \"x\"}");
    assert_eq!(shared.status, 409, "{shared:?}");
    server.log_with("breakers.checkout.latency_threshold");
    // A restart reads the saved file.
    let finished = run(server.folder(), &["check", "--resolved", "settings.toml"]);
    let origin = "latency_threshold = 2500";
    let line = finished.stdout.lines().find(|line| line.starts_with(origin)).unwrap();
    assert!(line.ends_with("breakers.checkout.latency_threshold"), "{line}");
}

#[test]
fn the_shell_lists_names_and_operates_breakers() {
    let server = Server::start(&three());
    let finished = ctl_of(&server, &["list"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let lines: Vec<&str> = finished.stdout.lines().collect();
    assert!(
        lines.len() == 4 && lines[0].starts_with("NAME ") && lines[2].starts_with("checkout  closed"),
        "{finished:?}"
    );
    assert!(lines[2].contains("3000 ms"), "{finished:?}");
    assert_eq!(ctl_of(&server, &["status"]).stdout, finished.stdout, "several are a table");

    assert_eq!(ctl_of(&server, &["force-open", "--breaker", "checkout"]).code, Some(0));
    let finished = ctl_of(&server, &["list", "--open"]);
    assert_eq!((finished.code, finished.stdout.lines().count()), (Some(2), 2), "{finished:?}");
    assert_eq!(ctl_of(&server, &["status"]).code, Some(2));
    let finished = ctl_of(&server, &["status", "--breaker", "search"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.stdout.starts_with("search: "), "{finished:?}");
    assert_eq!(ctl_of(&server, &["request", "--breaker", "checkout"]).code, Some(2));
    assert_eq!(ctl_of(&server, &["request", "--breaker", "search"]).code, Some(0));
    let finished = ctl_of(&server, &["list", "--open", "--json"]);
    let body: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(names(&body), ["checkout"]);

    assert_eq!(ctl_of(&server, &["set", "latency", "2000", "--breaker", "shop"]).code, Some(0));
    assert_eq!(server.get("/breakers/shop/latency").json()["latency"], 2000);
    // The environment variable has the same effect.
    let output = tripline(server.folder())
        .env("TRIPLINE_BREAKER", "shop")
        .args(["ctl", "--url", &format!("http://{}", server.address), "get", "latency"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "2000");
    let finished = ctl_of(&server, &["status", "--breaker", "gone"]);
    assert!(finished.code == Some(1) && finished.stderr.contains("there is no breaker \"gone\""), "{finished:?}");
    let finished = ctl_of(&server, &["status", "--breaker", "a b"]);
    assert!(finished.code == Some(1) && finished.stderr.contains("allowed: 1 to 64"), "{finished:?}");
}

#[test]
fn a_reload_changes_the_breakers_that_it_names_and_a_bad_one_changes_nothing() {
    let server = Server::start(&three());
    let path = server.folder().join("settings.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("latency_threshold = 3000", "latency_threshold = 900")).unwrap();
    support::eventually("the reload", || {
        (server.get("/breakers/checkout/latency").json()["latency"] == 900).then_some(())
    });
    assert_eq!(server.get("/breakers/search/latency").json()["latency"], 250);
    fs::write(&path, text.replace("inherit = \"slow\"", "inherit = \"slwo\"")).unwrap();
    support::eventually("the problem", || {
        let status = server.get("/breakers/search/status").json();
        status["config_error"].as_str().is_some_and(|error| error.contains("did you mean slow?")).then_some(())
    });
    assert_eq!(server.get("/breakers/checkout/latency").json()["latency"], 900);
}
