//! An alert service for tests: real sockets, alerts with counts, responses before effects, and every kind of fault.
//! Each request is validated against the schema and the lengths of the API.
// Each test file uses its part of this.
#![allow(dead_code, unused_imports, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod check;
mod http;
mod sample;
mod store;
mod swagger;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

pub(crate) use http::{Fault, Reply, Request, Server, Tls};
pub(crate) use sample::{KEY, alert, config, deliver, impatient, patient, stage};
pub(crate) use store::{Held, Manner};

use store::Store;

/// The service. It stops with the value.
pub(crate) struct AlertService {
    server: Server,
    store: Arc<Mutex<Store>>,
}

impl AlertService {
    /// As `OpsGenie`: it takes a request, and does it later.
    pub(crate) fn opsgenie() -> Self {
        Self::start(Manner::OpsGenie, None)
    }

    /// As its successor: it knows the documented requests only.
    pub(crate) fn jsm() -> Self {
        Self::start(Manner::Jsm, None)
    }

    pub(crate) fn of(manner: Manner) -> Self {
        Self::start(manner, None)
    }

    pub(crate) fn with_tls(tls: &Tls) -> Self {
        Self::start(Manner::OpsGenie, Some(tls))
    }

    fn start(manner: Manner, tls: Option<&Tls>) -> Self {
        let store = Arc::new(Mutex::new(Store::new(manner)));
        let handler = {
            let store = store.clone();
            move |request: &Request| lock(&store).answer(request)
        };
        Self { server: Server::start(handler, tls), store }
    }

    /// Base address, with a path where the service has one.
    pub(crate) fn url(&self) -> String {
        format!("{}{}", self.server.url(), lock(&self.store).base_path())
    }

    /// What happens to the next request, and the ones after it in order.
    pub(crate) fn trouble(&self, fault: Fault) {
        self.server.trouble(fault);
    }

    /// What happens from now on to every request that nothing else is told of; [`Fault::None`] = nothing again.
    pub(crate) fn standing_trouble(&self, fault: Fault) {
        self.server.standing_trouble(fault);
    }

    /// Requests that wait for an answer which never comes.
    pub(crate) fn hanging(&self) -> usize {
        self.server.hanging()
    }

    /// Does all that was taken and is not done yet.
    pub(crate) fn catch_up(&self) {
        lock(&self.store).catch_up();
    }

    /// The status of every request from now on is "not there yet" for so many looks, and then its effect comes.
    pub(crate) fn done_after_looks(&self, looks: u32) {
        lock(&self.store).looks = looks;
    }

    /// The next request is taken, and then fails with these words.
    pub(crate) fn reject_next(&self, words: &str) {
        lock(&self.store).refusals.push_back(words.to_owned());
    }

    /// Somebody closes an alert by hand.
    pub(crate) fn close_by_hand(&self, alias: &str) {
        lock(&self.store).close(alias);
    }

    /// All that was ever opened, in order.
    pub(crate) fn alerts(&self) -> Vec<Held> {
        lock(&self.store).alerts.clone()
    }

    /// Aliases with their priorities.
    pub(crate) fn open(&self) -> Vec<(String, String)> {
        let alerts = self.alerts();
        alerts.into_iter().filter(|alert| alert.open).map(|alert| (alert.alias, alert.priority)).collect()
    }

    /// Method and path of every request.
    pub(crate) fn log(&self) -> Vec<String> {
        self.server.requests().iter().map(|request| format!("{} {}", request.method, request.target)).collect()
    }

    /// The log without looks at requests.
    pub(crate) fn changes(&self) -> Vec<String> {
        self.log().into_iter().filter(|line| !line.starts_with("GET ")).collect()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.server.requests()
    }
}

impl Drop for AlertService {
    /// No test may send what the API does not take.
    fn drop(&mut self) {
        let violations: Vec<String> = self.server.requests().iter().flat_map(check::violations).collect();
        assert!(violations.is_empty() || std::thread::panicking(), "against the API: {violations:#?}");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

/// Asks again and again until it holds; no test waits for longer than half a minute.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
