//! The contents of the service, and its handling of requests.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::http::{Reply, Request};
use super::sample::KEY;

/// The emulated service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    OpsGenie,
    Jsm,
}

/// An alert as the service stores it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Held {
    pub(crate) alias: String,
    pub(crate) open: bool,
    pub(crate) count: u32,
    pub(crate) priority: String,
    pub(crate) notes: Vec<String>,
    pub(crate) created: Value,
}

/// An accepted request.
struct Taken {
    id: String,
    looks_left: u32,
    refusal: Option<String>,
    request: Request,
    /// Once it is processed: whether it succeeded, and the message.
    done: Option<(bool, String)>,
}

pub(super) struct Store {
    manner: Manner,
    pub(super) alerts: Vec<Held>,
    pub(super) looks: u32,
    pub(super) refusals: VecDeque<String>,
    taken: Vec<Taken>,
}

impl Store {
    pub(super) fn new(manner: Manner) -> Self {
        Self { manner, alerts: Vec::new(), looks: 0, refusals: VecDeque::new(), taken: Vec::new() }
    }

    pub(super) fn base_path(&self) -> &'static str {
        match self.manner {
            Manner::OpsGenie => "",
            Manner::Jsm => "/jsm/ops/integration",
        }
    }

    pub(super) fn answer(&mut self, request: &Request) -> Reply {
        if request.header("authorization") != Some(&format!("GenieKey {KEY}")) {
            let said = request.header("authorization").unwrap_or("nothing");
            return failure(401, &format!("The key is not known: {said}"));
        }
        let Some(path) = request.target.strip_prefix(self.base_path()) else { return failure(404, "No such path") };
        let path = path.split('?').next().unwrap_or_default().to_owned();
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["v2", "alerts"]) if self.manner == Manner::OpsGenie => {
                Reply::new(200, r#"{"data": [], "took": 0.1, "requestId": "list"}"#)
            }
            ("GET", ["v2", "alerts", "requests", id]) if self.manner == Manner::OpsGenie => self.status(id),
            ("PUT", ["v2", "alerts", _, "priority"]) if self.manner == Manner::OpsGenie => self.take(request),
            ("POST", ["v2", "alerts"] | ["v2", "alerts", _, "notes" | "close"]) => match self.manner {
                Manner::OpsGenie => self.take(request),
                Manner::Jsm => self.at_once(request),
            },
            _ => failure(404, "No such path"),
        }
    }

    fn take(&mut self, request: &Request) -> Reply {
        let id = format!("request-{}", self.taken.len());
        let refusal = self.refusals.pop_front();
        self.taken.push(Taken {
            id: id.clone(),
            looks_left: self.looks,
            refusal,
            request: request.clone(),
            done: None,
        });
        accepted(&id)
    }

    fn at_once(&mut self, request: &Request) -> Reply {
        match self.refusals.pop_front().map_or_else(|| self.apply(request), Err) {
            Ok(_) => accepted("never-asked-for"),
            Err(words) => failure(404, &words),
        }
    }

    fn status(&mut self, id: &str) -> Reply {
        let Some(index) = self.taken.iter().position(|taken| taken.id == id) else {
            return failure(404, "Request not found");
        };
        if self.taken[index].looks_left > 0 {
            self.taken[index].looks_left -= 1;
            return failure(404, "Request not found. It might not be processed, yet.");
        }
        self.do_up_to(index);
        let (success, words) = self.taken[index].done.clone().unwrap();
        let data = json!({"isSuccess": success, "status": words, "action": "any", "alias": "any", "alertId": ""});
        Reply::new(200, &json!({"data": data, "took": 0.1, "requestId": id}).to_string())
    }

    pub(super) fn catch_up(&mut self) {
        if let Some(last) = self.taken.len().checked_sub(1) {
            self.do_up_to(last);
        }
    }

    /// Processes requests in the order of their arrival.
    fn do_up_to(&mut self, last: usize) {
        for index in 0..=last {
            if self.taken[index].done.is_none() {
                let request = self.taken[index].request.clone();
                let done = self.taken[index].refusal.clone().map_or_else(|| self.apply(&request), Err);
                self.taken[index].done = Some(match done {
                    Ok(words) => (true, words),
                    Err(words) => (false, words),
                });
            }
        }
    }

    fn apply(&mut self, request: &Request) -> Result<String, String> {
        let body = request.json();
        let path = request.target.split('?').next().unwrap_or_default();
        let mut parts: Vec<String> = path.split('/').map(decoded).collect();
        let action = parts.pop().unwrap_or_default();
        if action == "alerts" {
            self.create(&body);
            return Ok("Created alert".to_owned());
        }
        let alias = parts.pop().unwrap_or_default();
        let held = self.alerts.iter_mut().find(|held| held.open && held.alias == alias);
        let held = held.ok_or("Alert does not exist")?;
        if let Some(note) = body["note"].as_str() {
            held.notes.push(note.to_owned());
        }
        match action.as_str() {
            "close" => held.open = false,
            "priority" => held.priority = body["priority"].as_str().unwrap_or_default().into(),
            _ => {}
        }
        Ok("Done".to_owned())
    }

    fn create(&mut self, body: &Value) {
        let alias = body["alias"].as_str().unwrap_or_default();
        if let Some(held) = self.alerts.iter_mut().find(|held| held.open && held.alias == alias) {
            held.count += 1;
            return;
        }
        self.alerts.push(Held {
            alias: alias.to_owned(),
            open: true,
            count: 1,
            priority: body["priority"].as_str().unwrap_or("P3").to_owned(),
            notes: Vec::new(),
            created: body.clone(),
        });
    }

    pub(super) fn close(&mut self, alias: &str) {
        for held in self.alerts.iter_mut().filter(|held| held.alias == alias) {
            held.open = false;
        }
    }
}

fn accepted(id: &str) -> Reply {
    Reply::new(202, &json!({"result": "Request will be processed", "took": 0.1, "requestId": id}).to_string())
}

fn failure(status: u16, message: &str) -> Reply {
    Reply::new(status, &json!({"message": message, "took": 0.1, "requestId": "failed"}).to_string())
}

/// Decodes a part of a path.
pub(super) fn decoded(part: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = part.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = tail.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        if let Some(byte) = escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            bytes.push(byte);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).unwrap()
}
