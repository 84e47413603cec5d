//! The processes of a fleet, their server and their alert service.

use std::time::{Duration, Instant};

use crate::alert_service::{AlertService, Held, KEY};
use crate::redis_server::RedisServer;
use crate::support::{Launch, QUICK, Server, eventually};

/// What the alert of the fleet is called: without a host.
pub(crate) const ALIAS: &str = "shop/checkout-circuit-open";

pub(crate) struct Replicas {
    pub(crate) service: AlertService,
    pub(crate) servers: Vec<Option<Server>>,
    url: String,
    escalates_after: u32,
    /// More keys of `[fleet]`.
    pub(crate) fleet_lines: String,
    /// Tables of breakers.
    pub(crate) tables: String,
}

impl Replicas {
    /// So many processes, each a member of the fleet. They have been there for long enough that a page need not wait for others.
    pub(crate) fn start(redis: &RedisServer, count: usize, escalates_after: u32) -> Self {
        let mut replicas = Self::none(&redis.url(), escalates_after);
        replicas.start_more(count);
        replicas
    }

    /// Starts so many more, and waits until all are members.
    pub(crate) fn start_more(&mut self, count: usize) {
        self.start_processes(count);
        let count = self.servers.len();
        self.until(30, "all are members", |it| it.member_count() == count);
    }

    /// Starts so many more.
    pub(crate) fn start_processes(&mut self, count: usize) {
        for number in self.servers.len()..self.servers.len() + count {
            let server = self.launch(number).start();
            self.servers.push(Some(server));
        }
    }

    pub(crate) fn none(url: &str, escalates_after: u32) -> Self {
        Self {
            service: AlertService::opsgenie(),
            servers: Vec::new(),
            url: url.to_owned(),
            escalates_after,
            fleet_lines: String::new(),
            tables: String::new(),
        }
    }

    pub(crate) fn launch(&self, number: usize) -> Launch {
        self.launch_at(number, &self.url)
    }

    /// `alert_scope` is `host`: the fleet's alias has none all the same.
    pub(crate) fn launch_at(&self, number: usize, url: &str) -> Launch {
        let config = format!(
            "{QUICK}recovery_time = 1\n[fleet]\nengine = \"redis\"\nservice = \"checkout\"\nfallback_after = 5\n\
             {}[opsgenie]\nenabled = true\napi_url = \"{}\"\nalert_scope = \"host\"\n\
             team = \"payments\"\nenvironment = \"production\"\nbookmaker_id = \"b-1\"\nhostname = \"h-{number}\"\n\
             api_namespace = \"shop\"\napi_name = \"checkout\"\npriority = \"P2\"\n\
             alert_cooldown_seconds = 0\ntime_before_send_alert = {}\n{}",
            self.fleet_lines,
            self.service.url(),
            self.escalates_after,
            self.tables,
        );
        let launch = Launch::new(&config).variable("OPSGENIE_API_KEY", KEY).variable("TRIPLINE_FLEET_URL", url);
        launch.variable("POD_NAME", format!("web-{number}"))
    }

    pub(crate) fn of(&self, number: usize) -> &Server {
        self.servers[number].as_ref().unwrap()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, number: usize) {
        self.servers[number] = None;
    }

    pub(crate) fn alive(&self) -> impl Iterator<Item = &Server> {
        self.servers.iter().flatten()
    }

    /// Whether a metric of this replica has this value.
    pub(crate) fn shows(&self, number: usize, metric: &str, value: u32) -> bool {
        (self.of(number).metric(metric) - f64::from(value)).abs() < 0.5
    }

    /// Whether all that run count so many members.
    pub(crate) fn all_count(&self, members: usize) -> bool {
        self.member_count() == members
    }

    fn member_count(&self) -> usize {
        let count = |server: &Server| server.metric("tripline_fleet_members") as usize;
        self.alive().map(count).min().unwrap_or_default()
    }

    #[track_caller]
    pub(crate) fn trip(&self, number: usize) {
        let server = self.of(number);
        server.trigger("memory_overload");
        eventually("the breaker opens", || (server.state() == "open").then_some(()));
    }

    /// The breaker closes, and calls show that the incident is over.
    #[track_caller]
    pub(crate) fn recover(&self, number: usize) {
        let server = self.of(number);
        server.trigger("reset_normal");
        server.recovers();
        for _ in 0..10 {
            assert_eq!(server.get("/test").status, 200);
        }
    }

    /// The alerts that were ever opened under the fleet's alias.
    pub(crate) fn alerts(&self) -> Vec<Held> {
        let alerts = self.service.alerts();
        assert!(alerts.iter().all(|alert| alert.alias == ALIAS), "{alerts:?}");
        alerts
    }

    pub(crate) fn is_open(&self) -> bool {
        self.service.catch_up();
        self.alerts().iter().any(|alert| alert.open)
    }

    /// Waits until it holds, for so many seconds at the longest.
    #[track_caller]
    pub(crate) fn until(&self, seconds: u64, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        while !holds(self) {
            assert!(Instant::now() < deadline, "not within {seconds} s: {what}; {:?}", self.service.alerts());
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// All recover, and the one alert is closed.
    #[track_caller]
    pub(crate) fn all_recover(&self, numbers: impl IntoIterator<Item = usize>) {
        numbers.into_iter().for_each(|number| self.recover(number));
        self.until(60, "the alert is closed", |it| !it.is_open());
    }

    /// How many stages each replica has claimed; 0 for one that was killed.
    pub(crate) fn claims(&self) -> Vec<f64> {
        let of = |server: &Option<Server>| server.as_ref().map_or(0.0, |it| it.metric("tripline_fleet_claims_total"));
        self.servers.iter().map(of).collect()
    }

    /// How far the incident has come, as this replica knows; empty where there is none or it was killed.
    pub(crate) fn stage(&self, number: usize) -> String {
        let Some(server) = &self.servers[number] else { return String::new() };
        server.get("/fleet").json()["breakers"][0]["stage"].as_str().unwrap_or_default().to_owned()
    }

    /// How many requests to close an alert came.
    pub(crate) fn closes(&self) -> usize {
        self.service.changes().iter().filter(|line| line.contains("/close")).count()
    }

    /// The number of the replica that has claimed a stage.
    #[track_caller]
    pub(crate) fn claimant(&self) -> usize {
        let claims = |server: &Server| server.metric("tripline_fleet_claims_total") > 0.0;
        eventually("a replica has a claim", || self.servers.iter().position(|it| it.as_ref().is_some_and(claims)))
    }
}
