//! A server that records its requests, and responds as a test configures.
// Each test file uses a part of this module.
#![allow(dead_code)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path with the query.
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

/// A response.
pub(crate) enum Answer {
    Json(u16, Value),
    /// This text unchanged, then the end of the connection.
    Raw(String),
    /// Events, until the sender is dropped.
    Events(std::sync::mpsc::Receiver<String>),
}

pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Fake {
    /// Starts the server. Its threads end with the test.
    pub(crate) fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (answer, requests) = (Arc::new(answer), seen.clone());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answer, requests) = (answer.clone(), requests.clone());
                thread::spawn(move || serve(&stream, &requests, &*answer));
            }
        });
        Self { address, seen }
    }

    /// Responds to every request with `body` and 200.
    pub(crate) fn always(body: Value) -> Self {
        Self::start(move |_| Answer::Json(200, body.clone()))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// Runs `tripline ctl` against it.
    pub(crate) fn ctl(&self, arguments: &[&str]) -> crate::support::Finished {
        ctl(&self.url(), arguments)
    }
}

/// Runs `tripline ctl` against a server.
pub(crate) fn ctl(url: &str, arguments: &[&str]) -> crate::support::Finished {
    let mut all = vec!["ctl", "--url", url];
    all.extend(arguments);
    crate::support::run(Path::new(env!("CARGO_MANIFEST_DIR")), &all)
}

fn serve(stream: &TcpStream, requests: &Mutex<Vec<Request>>, answer: &dyn Fn(&Request) -> Answer) {
    let Some(request) = read(stream) else { return };
    requests.lock().unwrap().push(request.clone());
    let mut stream = stream;
    match answer(&request) {
        Answer::Json(status, body) => {
            let body = body.to_string();
            let length = body.len();
            let head =
                format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
            let _ = stream.write_all((head + &body).as_bytes());
        }
        Answer::Raw(text) => drop(stream.write_all(text.as_bytes())),
        Answer::Events(events) => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
            let _ = stream.write_all(head.as_bytes());
            for event in events {
                if stream.write_all(event.as_bytes()).is_err() {
                    break;
                }
            }
        }
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line.trim_end().to_owned())
    };
    let start = line()?;
    let mut words = start.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request { method, path, headers, body: String::new() };
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).ok()?;
    Some(request)
}

/// A status in this state, in the format of the API.
pub(crate) fn status(state: &str) -> Value {
    let triggered = matches!(state, "open" | "half_open" | "forced_open");
    json!({
        "name": "default", "enabled": state != "disabled", "triggered": triggered, "state": state,
        "trip_reason": triggered.then_some("latency_rising"), "retry_after_ms": null, "last_trip_time": null,
        "memory_ok": true, "current_memory_usage_mb": 512, "memory_threshold_percent": 80, "total_memory_mb": 1024,
        "memory_usage_percent": 50, "memory_exhausted_in_seconds": null, "latency_ok": true, "breach": false, "current_percentile_ms": 20.25,
        "latency_threshold_ms": 1500, "latency_percent_of_threshold": 1.35, "percentile_value": 0.95,
        "latency_window_size": 64, "samples": 3, "wait_time_seconds": 10, "recent_latencies_ms": [10, 20, 40],
        "trend_analysis_enabled": true, "trend_analysis_min_sample_count": 10, "has_positive_trend": false,
        "trend": "steady", "in_flight": 1, "stalled": 0, "memory_source": "mock", "supervisor": "running",
        "config_error": null
    })
}
