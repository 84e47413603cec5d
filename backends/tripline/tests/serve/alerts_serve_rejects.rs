//! The binary with a pager that rejects: the reported problem, the retries, and the alias of the close.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::thread;

use crate::alert_e2e::{ALIAS, Scene, recover, trip};
use crate::alert_service::{Fault, KEY, Manner, Reply, Server as Receiver};
use crate::support::{Launch, QUICK, Server, eventually};
use serde_json::Value;

fn alert_problem(server: &Server) -> Option<String> {
    let status: Value = serde_json::from_str(&server.get("/breaker/status").body).unwrap();
    status["alert_problem"].as_str().map(str::to_owned)
}

#[test]
fn a_pager_that_rejects_is_shown_everywhere_and_pages_once_it_is_well() {
    let (opsgenie, jsm) = (Manner::OpsGenie, Manner::Jsm);
    thread::scope(|scope| {
        for (manner, reply, problem) in [
            (
                opsgenie,
                Reply::new(403, r#"{"message": "No access"}"#),
                "403 (opsgenie, circuit-open: status 403: No access)",
            ),
            (jsm, Reply::new(404, "<html>nothing here</html>"), "404 (opsgenie, circuit-open: "),
            (jsm, Reply::new(200, "<html>Please sign in</html>"), "200 (opsgenie, circuit-open: not the answer of"),
            (opsgenie, Reply::new(302, ""), "302 (opsgenie, circuit-open: status 302)"),
        ] {
            scope.spawn(move || rejected_and_then_well(manner, reply, &format!("pager rejects: {problem}")));
        }
    });
}

fn rejected_and_then_well(manner: Manner, reply: Reply, problem: &str) {
    let scene = Scene::of(manner);
    scene.service.standing_trouble(Fault::Reply(reply));
    let server = scene.start();
    trip(&server);
    let shown = eventually("it is shown", || alert_problem(&server).filter(|shown| shown.contains("rejects")));
    assert!(shown.starts_with(problem), "{shown}");
    let rejecting = r#"tripline_alert_sink_rejecting{breaker="default",sink="opsgenie"}"#;
    assert_eq!(server.metric(rejecting) as u32, 1);
    server.log_with("pager rejects the alert");
    let staged = server.get("/breaker/staged-alerts").body;
    assert!(staged.contains("pager rejects") && server.get("/breaker/opsgenie/status").body.contains("last_error"));
    assert!(scene.service.open().is_empty());
    scene.service.standing_trouble(Fault::None);
    scene.open_is(&[(ALIAS, "P2")]);
    recover(&server);
    scene.settles_at(&server, &[]);
    assert_eq!(alert_problem(&server), None);
    assert_eq!(server.metric(rejecting) as u32, 0);
}

#[test]
fn what_was_opened_under_one_name_is_closed_under_it_after_a_restart_with_another() {
    let host = |name: &str| format!("alert_scope = \"host\"\nhost_override = \"{name}\"\n");
    for signal in ["KILL", "TERM"] {
        let scene = Scene::of(Manner::OpsGenie).more(&host("pod-a"));
        let mut server = scene.start();
        trip(&server);
        scene.open_is(&[("shop/check out-circuit-open@pod-a", "P2")]);
        scene.is_written_down();
        server.signal(signal);
        server.ended();
        let scene = scene.more(&host("pod-b"));
        let server = scene.start();
        recover(&server);
        scene.settles_at(&server, &[]);
        assert_eq!(scene.service.alerts().len(), 1, "{signal}");
    }
}

#[test]
fn a_webhook_names_an_alert_alike_to_its_end_also_over_a_restart() {
    let receiver = Receiver::start(|_| Reply::new(204, ""), None);
    let folder = tempfile::tempdir().unwrap();
    let launch = |api: &str| {
        Launch::new(&format!(
            "state_dir = '{}'\n{QUICK}recovery_time = 1\n[opsgenie]\napi_name = \"{api}\"\nalert_cooldown_seconds = 0\n\
             [[webhooks]]\nname = \"w\"\nurl = \"{}\"\n",
            folder.path().display(),
            receiver.url()
        ))
    };
    let aliases = || -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let requests = receiver.requests().into_iter().map(|request| request.json());
        requests.map(|body| (text(&body["stage"]), text(&body["alias"]))).collect()
    };
    let mut server = launch("first").start();
    trip(&server);
    eventually("the page", || (aliases().len() == 1).then_some(()));
    server.signal("TERM");
    server.ended();
    let log = server.log_with("stays open over the stop");
    assert!(log.contains("first-circuit-open"), "{log}");
    let server = launch("second").start();
    recover(&server);
    eventually("the end", || (aliases().len() == 2).then_some(()));
    let alias = "first-circuit-open".to_owned();
    assert_eq!(aliases(), [("single".to_owned(), alias.clone()), ("resolved".to_owned(), alias)]);
}

#[test]
fn a_stop_without_state_names_what_stays_open_and_the_start_warned_of_it() {
    let receiver = Receiver::start(|_| Reply::new(204, ""), None);
    let config = format!("{QUICK}\n[webhook]\nenabled = true\nurl = \"{}\"\n", receiver.url());
    let mut server = Launch::new(&config).variable("OPSGENIE_API_KEY", KEY).start();
    trip(&server);
    eventually("the page", || (receiver.requests().len() == 1).then_some(()));
    server.signal("TERM");
    server.ended();
    let log = server.log_with("an alert stays open at the stop and no state is kept");
    assert!(log.contains("a pager is on and state_dir is not set"), "{log}");
    assert!(
        log.lines().any(|line| line.contains("an alert stays open at the stop and no state is kept")
            && line.contains("default-circuit-open")
            && line.contains("webhook")),
        "{log}"
    );
    assert_eq!(log.matches("an alert stays open at the stop").count(), 1, "the log is no pager: {log}");
}
