//! The record of one request.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::header::{REFERER, USER_AGENT};
use http::{HeaderMap, HeaderName, Request, StatusCode, Version};
use tripline_runtime::Breaker;

use super::access_log::Line;
use super::flag::Flag;
use super::worker::{Client, Worker};

/// The status of a request whose client disconnected, as in nginx.
const CLIENT_CLOSED: u16 = 499;

/// The state of a request so far. It is counted and logged once, at the end.
#[derive(Debug)]
pub(super) struct Record {
    worker: Arc<Worker>,
    flag: Flag,
    /// `None` without an access log.
    entry: Option<Box<Entry>>,
}

/// The fields of a request's line.
#[derive(Debug)]
struct Entry {
    client: String,
    method: String,
    target: String,
    protocol: &'static str,
    referer: Vec<u8>,
    user_agent: Vec<u8>,
    begun: Instant,
    waited: Duration,
    /// The start of the upstream's latency.
    placed: Instant,
    /// Its end, if that is before the end of the response.
    measured: Option<Instant>,
    status: u16,
    bytes: u64,
    breaker: String,
    state: &'static str,
}

impl Record {
    /// Creates the record of a request whose head has arrived.
    pub(super) fn new<B>(worker: &Arc<Worker>, client: &Client, request: &Request<B>) -> Self {
        let entry = worker.shared.access_log.is_some().then(|| Box::new(Entry::new(client, request)));
        Self { worker: worker.clone(), flag: Flag::None, entry }
    }

    /// Sets the flag; the first one counts.
    pub(super) fn flag(&mut self, flag: Flag) {
        if self.flag == Flag::None {
            self.flag = flag;
        }
    }

    /// Sets the breaker that admits or rejects the request.
    pub(super) fn guarded_by(&mut self, breaker: &Breaker) {
        if let Some(entry) = &mut self.entry {
            entry.breaker = breaker.name().to_string();
            entry.state = breaker.state().as_str();
        }
    }

    /// Records that the request has a slot in the pool: the upstream's latency begins.
    pub(super) fn placed(&mut self) {
        if let Some(entry) = &mut self.entry {
            entry.placed = Instant::now();
            entry.waited = entry.placed.saturating_duration_since(entry.begun);
        }
    }

    /// Ends the latency now, and not with the body.
    pub(super) fn measured(&mut self) {
        if let Some(entry) = &mut self.entry {
            entry.measured = Some(Instant::now());
        }
    }

    /// Sets the status for the client.
    pub(super) fn status(&mut self, status: StatusCode) {
        if let Some(entry) = &mut self.entry {
            entry.status = status.as_u16();
        }
    }

    /// Adds to the number of bytes of the body that were sent.
    pub(super) fn sent(&mut self, bytes: u64) {
        if let Some(entry) = &mut self.entry {
            entry.bytes += bytes;
        }
    }

    /// Counts the request and writes its line.
    pub(super) fn write(&mut self) {
        let shared = &self.worker.shared;
        shared.figures.count(self.flag);
        if let (Some(log), Some(entry)) = (&shared.access_log, self.entry.take()) {
            log.write(&entry.line(self.flag));
        }
    }
}

impl Entry {
    fn new<B>(client: &Client, request: &Request<B>) -> Self {
        let now = Instant::now();
        let headers = request.headers();
        let path = request.uri().path_and_query().map_or_else(|| request.uri().to_string(), ToString::to_string);
        Self {
            client: client.address.to_string(),
            method: request.method().to_string(),
            target: path,
            protocol: match request.version() {
                Version::HTTP_10 => "HTTP/1.0",
                Version::HTTP_2 => "HTTP/2.0",
                _ => "HTTP/1.1",
            },
            referer: bytes_of(headers, &REFERER),
            user_agent: bytes_of(headers, &USER_AGENT),
            begun: now,
            waited: Duration::ZERO,
            placed: now,
            measured: None,
            status: 0,
            bytes: 0,
            breaker: "-".to_owned(),
            state: "-",
        }
    }

    fn line(&self, flag: Flag) -> Line<'_> {
        let end = Instant::now();
        let status = if flag == Flag::ClientGone && self.measured.is_none() { CLIENT_CLOSED } else { self.status };
        Line {
            at: SystemTime::now(),
            client: self.client.clone(),
            method: &self.method,
            target: &self.target,
            protocol: self.protocol,
            status,
            bytes: self.bytes,
            referer: &self.referer,
            user_agent: &self.user_agent,
            upstream: self.measured.unwrap_or(end).saturating_duration_since(self.placed),
            waited: self.waited,
            total: end.saturating_duration_since(self.begun),
            breaker: &self.breaker,
            state: self.state,
            flag: flag.as_str(),
        }
    }
}

fn bytes_of(headers: &HeaderMap, name: &HeaderName) -> Vec<u8> {
    headers.get(name).map(|value| value.as_bytes().to_vec()).unwrap_or_default()
}
