//! The processes of a fleet, their Redis server and their alert service.

use std::time::{Duration, Instant};

use crate::alert_service::{AlertService, Held, KEY};
use crate::redis_server::RedisServer;
use crate::support::{Launch, QUICK, Server, eventually};

/// The alias of the fleet's alert, which contains no host.
pub(crate) const ALIAS: &str = "shop/checkout-circuit-open";

pub(crate) struct Replicas {
    pub(crate) service: AlertService,
    pub(crate) servers: Vec<Option<Server>>,
    url: String,
    escalates_after: u32,
    /// Additional lines for `[fleet]`.
    pub(crate) fleet_lines: String,
    /// Tables of named breakers.
    pub(crate) tables: String,
}

impl Replicas {
    /// Starts `count` processes and waits until all are members of the fleet, so that a page need not wait for others.
    pub(crate) fn start(redis: &RedisServer, count: usize, escalates_after: u32) -> Self {
        let mut replicas = Self::none(&redis.url(), escalates_after);
        replicas.start_more(count);
        replicas
    }

    /// Starts `count` more processes, and waits until all are members.
    pub(crate) fn start_more(&mut self, count: usize) {
        self.start_processes(count);
        let count = self.servers.len();
        self.until(30, "all are members", |it| it.member_count() == count);
    }

    /// Starts `count` more processes.
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

    /// Prepares a process whose `alert_scope` is `host`; the fleet's alias contains no host nevertheless.
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

    /// Kills a process with SIGKILL.
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

    /// Whether every running process counts this many members.
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

    /// Ends the overload, waits until the breaker closes, and makes calls that end the incident.
    #[track_caller]
    pub(crate) fn recover(&self, number: usize) {
        let server = self.of(number);
        server.trigger("reset_normal");
        server.recovers();
        for _ in 0..10 {
            assert_eq!(server.get("/test").status, 200);
        }
    }

    /// All alerts that were opened so far, which must have the fleet's alias.
    pub(crate) fn alerts(&self) -> Vec<Held> {
        let alerts = self.service.alerts();
        assert!(alerts.iter().all(|alert| alert.alias == ALIAS), "{alerts:?}");
        alerts
    }

    pub(crate) fn is_open(&self) -> bool {
        self.service.catch_up();
        self.alerts().iter().any(|alert| alert.open)
    }

    /// Waits until `holds` is true, for at most this many seconds.
    #[track_caller]
    pub(crate) fn until(&self, seconds: u64, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        while !holds(self) {
            assert!(Instant::now() < deadline, "not within {seconds} s: {what}; {:?}", self.service.alerts());
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// Lets these processes recover, and waits until the alert is closed.
    #[track_caller]
    pub(crate) fn all_recover(&self, numbers: impl IntoIterator<Item = usize>) {
        numbers.into_iter().for_each(|number| self.recover(number));
        self.until(60, "the alert is closed", |it| !it.is_open());
    }

    /// Number of stages that each replica has claimed; 0 for a killed one.
    pub(crate) fn claims(&self) -> Vec<f64> {
        let of = |server: &Option<Server>| server.as_ref().map_or(0.0, |it| it.metric("tripline_fleet_claims_total"));
        self.servers.iter().map(of).collect()
    }

    /// The stage of the incident as this replica knows it; empty without an incident, or if the replica was killed.
    pub(crate) fn stage(&self, number: usize) -> String {
        let Some(server) = &self.servers[number] else { return String::new() };
        server.get("/fleet").json()["breakers"][0]["stage"].as_str().unwrap_or_default().to_owned()
    }

    /// Number of close requests that the alert service received.
    pub(crate) fn closes(&self) -> usize {
        self.service.changes().iter().filter(|line| line.contains("/close")).count()
    }

    /// Waits until a replica has claimed a stage, and returns its number.
    #[track_caller]
    pub(crate) fn claimant(&self) -> usize {
        let claims = |server: &Server| server.metric("tripline_fleet_claims_total") > 0.0;
        eventually("a replica has a claim", || self.servers.iter().position(|it| it.as_ref().is_some_and(claims)))
    }
}
