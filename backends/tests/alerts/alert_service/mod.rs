//! An alert service for tests: real sockets, alerts with counts, responses before effects, and every kind of fault.
//! Each request is validated against the schema and the lengths of the API.
// Each test file uses a part of this module.
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

/// The service. It stops when it is dropped.
pub(crate) struct AlertService {
    server: Server,
    store: Arc<Mutex<Store>>,
}

impl AlertService {
    /// Behaves like `OpsGenie`: accepts a request and processes it later.
    pub(crate) fn opsgenie() -> Self {
        Self::start(Manner::OpsGenie, None)
    }

    /// Behaves like its successor: knows only the documented requests.
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

    /// The base URL, including the path of the service if it has one.
    pub(crate) fn url(&self) -> String {
        format!("{}{}", self.server.url(), lock(&self.store).base_path())
    }

    /// Sets the fault of the next request; further calls apply to the following requests in order.
    pub(crate) fn trouble(&self, fault: Fault) {
        self.server.trouble(fault);
    }

    /// Sets the fault of all requests without one of their own; [`Fault::None`] removes it.
    pub(crate) fn standing_trouble(&self, fault: Fault) {
        self.server.standing_trouble(fault);
    }

    /// Number of requests that will never get a response.
    pub(crate) fn hanging(&self) -> usize {
        self.server.hanging()
    }

    /// Processes all accepted requests.
    pub(crate) fn catch_up(&self) {
        lock(&self.store).catch_up();
    }

    /// Reports each request as pending for `looks` status queries and then processes it.
    pub(crate) fn done_after_looks(&self, looks: u32) {
        lock(&self.store).looks = looks;
    }

    /// Accepts the next request and then fails it with this message.
    pub(crate) fn reject_next(&self, words: &str) {
        lock(&self.store).refusals.push_back(words.to_owned());
    }

    /// Closes an alert, as a user would.
    pub(crate) fn close_by_hand(&self, alias: &str) {
        lock(&self.store).close(alias);
    }

    /// All alerts that were ever opened, in order.
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

    /// The log without status queries.
    pub(crate) fn changes(&self) -> Vec<String> {
        self.log().into_iter().filter(|line| !line.starts_with("GET ")).collect()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.server.requests()
    }
}

impl Drop for AlertService {
    /// Fails the test if a request violated the API.
    fn drop(&mut self) {
        let violations: Vec<String> = self.server.requests().iter().flat_map(check::violations).collect();
        assert!(violations.is_empty() || std::thread::panicking(), "against the API: {violations:#?}");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

/// Polls until the condition holds, for at most 30 s.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
