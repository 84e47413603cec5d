//! Stages become due at their time of day, even if the process was killed meanwhile. A separate file with one test: for
//! a moment a child process holds all files that are open here, and thus the lock of the folder.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::alert_e2e;
use crate::alert_service;

use std::time::{Duration, SystemTime};

use alert_e2e::{ALIAS, Scene, nothing_waits, recover, trip};
use alert_service::{Manner, Reply, Request, Server as Receiver};
use futures_lite::future::block_on;
use tripline_backends::state_dir::StateDir;
use tripline_runtime::{BreakerName, StateStore as _};

const HOUR: Duration = Duration::from_secs(3_600);

/// Moves the start of the saved incident back by `ago`.
fn began(scene: &Scene, ago: Duration) -> SystemTime {
    let opened = StateDir::open(&scene.folder.path().join("state"), &BreakerName::default()).unwrap();
    let mut state = opened.state.unwrap();
    // State and API have millisecond precision.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
    let started_at = SystemTime::UNIX_EPOCH + Duration::from_millis(now) - ago;
    state.staging.open.as_mut().unwrap().started_at = started_at;
    block_on(opened.store.save(&state)).unwrap();
    started_at
}

#[test]
fn an_escalation_fires_at_its_time_of_day_after_a_restart_and_an_overdue_one_fires_once() {
    // Whether the second stage is sent, by the seconds between the start of the incident and the restart.
    for (ago, comes) in [(3_000, false), (3_598, true), (18_000, true)] {
        let receiver = Receiver::start(|_| Reply::new(200, ""), None);
        let more = format!("[webhook]\nenabled = true\nurl = \"{}/\"\n", receiver.url());
        let scene = Scene::of(Manner::OpsGenie).escalates_after(3_600).more(&more);
        let server = scene.start();
        trip(&server);
        scene.settles_at(&server, &[(ALIAS, "P3")]);
        scene.is_written_down();
        drop(server);
        let started_at = began(&scene, Duration::from_secs(ago));
        // Twice, to detect a stage that is sent again.
        for _ in 0..2 {
            let server = scene.start();
            scene.settles_at(&server, &[(ALIAS, if comes { "P1" } else { "P3" })]);
            scene.is_written_down();
        }
        let actions = scene.service.changes();
        let raised = actions.iter().filter(|line| line.contains("/priority")).count();
        assert_eq!((raised, scene.service.alerts()[0].count), (usize::from(comes), 1), "{actions:?}");
        let told: Vec<_> = receiver.requests().iter().map(Request::json).collect();
        assert_eq!(told.len(), 1 + usize::from(comes), "{told:?}");
        if comes {
            let time = |field: &str| humantime::parse_rfc3339(told[1][field].as_str().unwrap()).unwrap();
            assert_eq!((told[1]["stage"].as_str(), time("started_at")), (Some("escalated"), started_at));
            assert!(time("at") >= started_at + HOUR, "{}", told[1]);
        }
        let server = scene.start();
        nothing_waits(&server);
        recover(&server);
        scene.settles_at(&server, &[]);
    }
}
