//! The real binary with its alert service.
// Each test file uses a part of this module.
#![allow(dead_code, clippy::unwrap_used)]

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::alert_service::{AlertService, KEY, Manner};
use crate::support::{Launch, QUICK, Server, eventually};

/// The alias of the alert of an open breaker.
pub(crate) const ALIAS: &str = "shop/check out-circuit-open";
/// The alias of the second alert, for a service that cannot change the priority of an alert.
pub(crate) const SECOND: &str = "shop/check out-circuit-open/escalated";

/// A service, a folder that outlives the process, and the matching configuration.
pub(crate) struct Scene {
    pub(crate) service: AlertService,
    pub(crate) folder: TempDir,
    pub(crate) manner: Manner,
    /// Seconds to the second stage; 0 = one stage.
    pub(crate) escalates_after: u32,
    /// Additional keys of `[opsgenie]`, and further tables.
    pub(crate) more: String,
    /// Additional keys of the breaker.
    pub(crate) breaker: String,
}

impl Scene {
    pub(crate) fn new(service: AlertService, manner: Manner) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            service,
            folder,
            manner,
            escalates_after: 0,
            more: String::new(),
            breaker: format!("{QUICK}recovery_time = 1\n"),
        }
    }

    pub(crate) fn of(manner: Manner) -> Self {
        Self::new(AlertService::of(manner), manner)
    }

    pub(crate) fn escalates_after(self, seconds: u32) -> Self {
        Self { escalates_after: seconds, ..self }
    }

    /// Adds keys to `[opsgenie]`, or further tables.
    pub(crate) fn more(self, more: &str) -> Self {
        Self { more: more.to_owned(), ..self }
    }

    pub(crate) fn state_file(&self) -> std::path::PathBuf {
        self.folder.path().join("state/default/state.json")
    }

    pub(crate) fn launch(&self) -> Launch {
        let state = self.folder.path().join("state");
        let provider = match self.manner {
            Manner::OpsGenie => "opsgenie",
            Manner::Jsm => "jsm",
        };
        let config = format!(
            "state_dir = '{}'\n{}\n\
             [opsgenie]\nenabled = true\nprovider = \"{provider}\"\napi_url = \"{}\"\n\
             team = \"payments\"\nenvironment = \"production\"\nbookmaker_id = \"b-1\"\nhostname = \"h-1\"\n\
             api_namespace = \"shop\"\napi_name = \"check out\"\npriority = \"P2\"\n\
             alert_cooldown_seconds = 0\ntime_before_send_alert = {}\n{}",
            state.display(),
            self.breaker,
            self.service.url(),
            self.escalates_after,
            self.more,
        );
        Launch::new(&config).variable("OPSGENIE_API_KEY", KEY)
    }

    pub(crate) fn start(&self) -> Server {
        self.launch().start()
    }

    /// Waits until exactly these alerts are open: aliases with their priorities.
    #[track_caller]
    pub(crate) fn open_is(&self, expected: &[(&str, &str)]) {
        let mut open = Vec::new();
        eventually(&format!("open is {expected:?}"), || {
            open = self.service.open();
            open.sort();
            let same =
                open.iter().map(|(alias, priority)| (alias.as_str(), priority.as_str())).eq(expected.iter().copied());
            same.then_some(())
        });
    }

    /// Waits until the state on disk has nothing left to send. After an earlier kill a confirmed request would be sent
    /// again.
    #[track_caller]
    pub(crate) fn is_written_down(&self) {
        eventually("it is written down that everything was delivered", || {
            let state: Value = serde_json::from_slice(&fs::read(self.state_file()).ok()?).unwrap();
            let incidents = |lane: &Value| lane["incidents"].as_array().cloned().unwrap_or_default();
            let mut all = state["state"]["lanes"].as_array()?.iter().flat_map(incidents);
            all.all(|incident| incident["waiting"].is_null()).then_some(())
        });
    }

    /// Like [`Scene::open_is`], and no request in progress changes it.
    #[track_caller]
    pub(crate) fn settles_at(&self, server: &Server, expected: &[(&str, &str)]) {
        self.open_is(expected);
        nothing_waits(server);
        self.service.catch_up();
        self.open_is(expected);
    }
}

/// Checks that everything was delivered.
#[track_caller]
pub(crate) fn nothing_waits(server: &Server) {
    eventually("nothing waits", || (sum(server, "tripline_alerts_waiting") == 0.0).then_some(()));
}

/// The sum of all series of a metric.
#[track_caller]
pub(crate) fn sum(server: &Server, metric: &str) -> f64 {
    let text = server.get("/metrics").body;
    let values = text.lines().filter(|line| line.starts_with(&format!("{metric}{{")));
    values.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

/// Exhausts memory, so that the breaker opens.
#[track_caller]
pub(crate) fn trip(server: &Server) {
    server.trigger("memory_overload");
    eventually("the breaker opens", || (server.state() == "open").then_some(()));
}

/// Restores memory: the breaker closes, calls show that the service is healthy, and a little later the incident ends.
#[track_caller]
pub(crate) fn recover(server: &Server) {
    server.trigger("reset_normal");
    server.recovers();
    for _ in 0..10 {
        assert_eq!(server.get("/test").status, 200);
    }
}
