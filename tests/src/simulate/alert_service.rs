//! The alert services: what `OpsGenie`'s API does with requests, and a receiver of webhooks.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};
use tripline_backends::http_client::{ClientRequest, ClientResponse};
use tripline_core::Instant;

use super::settings::API_KEY;

/// The contents of the services.
#[derive(Debug, Default)]
pub(super) struct AlertService {
    alerts: Vec<PagerAlert>,
    requests: BTreeMap<String, (bool, &'static str)>,
    taken: u64,
    /// Messages to the webhook that were not checked yet.
    pub(super) new_hooks: Vec<Hook>,
}

/// On whose behalf an alert is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// Of a process that is in no fleet.
    Own,
    /// Of one replica that does not reach the engine.
    Alone,
    /// Of all replicas. The engine numbers its incidents.
    Fleet,
}

impl Scope {
    /// `text` says which part of the fleet an alert is about.
    fn of(text: &str) -> Self {
        match text {
            "" => Self::Own,
            "fleet engine unreachable; seen by this replica" => Self::Alone,
            _ => Self::Fleet,
        }
    }
}

/// An alert of the pager.
#[derive(Debug, Clone)]
pub(super) struct PagerAlert {
    pub(super) alias: String,
    pub(super) breaker: String,
    /// The member of the family whose own alert it is; empty for all others.
    pub(super) key: String,
    pub(super) incident: u64,
    pub(super) kind: String,
    pub(super) scope: Scope,
    pub(super) is_open: bool,
    /// The process that opened it could not save that before it ended, so that no process knows of it.
    pub(super) is_lost: bool,
}

impl PagerAlert {
    /// Whether an operator opened it to test the path to the pager.
    pub(super) fn is_test(&self) -> bool {
        self.alias.ends_with("/test")
    }

    /// Whether the number of its incident is known, and no other incident has it: several may have lost theirs, and a member that
    /// comes back to its family counts from 1.
    pub(super) fn is_numbered(&self) -> bool {
        self.incident != 0 && self.key.is_empty()
    }
}

/// A message to the webhook.
#[derive(Debug, Clone)]
pub(super) struct Hook {
    pub(super) at: Instant,
    pub(super) breaker: String,
    /// The member of the family whose own alert it is; empty for all others.
    pub(super) key: String,
    pub(super) incident: u64,
    pub(super) kind: String,
    pub(super) stage: String,
    pub(super) delivery: String,
    pub(super) scope: Scope,
}

impl Hook {
    /// Whether it is about an alert that was sent before, without a page.
    pub(super) fn is_note(&self) -> bool {
        self.delivery.contains(":note-")
    }

    /// The breaker, or that of the fleet, whose incidents have numbers of their own.
    pub(super) fn numbered_by(&self) -> String {
        if self.scope == Scope::Fleet { format!("{} of the fleet", self.breaker) } else { self.breaker.clone() }
    }
}

/// Maximum number of stored alerts and request outcomes.
const MAX_REMEMBERED: usize = 400;

impl AlertService {
    /// Handles a request and returns the response.
    pub(super) fn answer(&mut self, now: Instant, request: &ClientRequest) -> ClientResponse {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        if request.url.host_str() == Some("hook.sim") {
            self.take_hook(now, &body);
            return ClientResponse::new(200, Vec::new());
        }
        let key = format!("GenieKey {API_KEY}");
        if request.headers.get("authorization").and_then(|value| value.to_str().ok()) != Some(key.as_str()) {
            return answer(401, &json!({"message": "the key is not known"}));
        }
        let path = request.url.path().to_owned();
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match (request.method.clone(), parts.as_slice()) {
            (Method::GET, ["v2", "alerts"]) => answer(200, &json!({"data": [], "took": 0.1, "requestId": "list"})),
            (Method::GET, ["v2", "alerts", "requests", id]) => match self.requests.get(*id) {
                Some((done, status)) => answer(
                    200,
                    &json!({"data": {"isSuccess": done, "status": status, "alertId": "x"}, "took": 0.1, "requestId": id}),
                ),
                None => answer(404, &json!({"message": "Request not found", "requestId": "x"})),
            },
            (Method::POST, ["v2", "alerts"]) => {
                let outcome = self.create(&body);
                self.accept(outcome)
            }
            (Method::POST, ["v2", "alerts", alias, "close"]) => {
                let outcome = self.close(&decoded(alias));
                self.accept(outcome)
            }
            (Method::POST, ["v2", "alerts", alias, "notes"]) | (Method::PUT, ["v2", "alerts", alias, "priority"]) => {
                let outcome = self.find(&decoded(alias)).map_or(MISSING, |_| (true, "Done"));
                self.accept(outcome)
            }
            _ => answer(404, &json!({"message": "no such path", "requestId": "x"})),
        }
    }

    /// The alerts that are open at the pager.
    pub(super) fn open(&self) -> impl Iterator<Item = &PagerAlert> {
        self.alerts.iter().filter(|alert| alert.is_open)
    }

    /// Clears the number of each alert whose incident is newer than the last one on disk: the next process uses these
    /// numbers again. `is_excused` selects the alerts of incidents that the process could not save.
    pub(super) fn forget_after(&mut self, last: impl Fn(&str) -> u64, is_excused: impl Fn(&PagerAlert) -> bool) {
        let unknown = |alert: &&mut PagerAlert| {
            alert.scope != Scope::Fleet && alert.key.is_empty() && alert.incident > last(&alert.breaker)
        };
        for alert in self.alerts.iter_mut().filter(unknown) {
            alert.is_lost = is_excused(alert);
            alert.incident = 0;
        }
    }

    /// Marks open alerts that no process knows of.
    pub(super) fn lose(&mut self, is_unknown: impl Fn(&PagerAlert) -> bool) {
        for alert in self.alerts.iter_mut().filter(|alert| alert.is_open) {
            alert.is_lost |= is_unknown(alert);
        }
    }

    /// Returns how often an alert was opened, as far as it is stored.
    pub(super) fn opened(&self, alert: &PagerAlert) -> usize {
        let same = |other: &&PagerAlert| {
            (&other.breaker, other.incident, &other.kind, other.scope)
                == (&alert.breaker, alert.incident, &alert.kind, alert.scope)
        };
        self.alerts.iter().filter(same).count()
    }

    fn find(&mut self, alias: &str) -> Option<&mut PagerAlert> {
        self.alerts.iter_mut().rev().find(|alert| alert.is_open && alert.alias == alias)
    }

    fn create(&mut self, body: &Value) -> (bool, &'static str) {
        let alias = body["alias"].as_str().unwrap_or_default().to_owned();
        let detail = |name: &str| body["details"][name].as_str().unwrap_or_default().to_owned();
        if let Some(alert) = self.find(&alias) {
            // A process that opens it again knows of it.
            if std::mem::take(&mut alert.is_lost) {
                alert.incident = detail("Incident").parse().unwrap_or_default();
                alert.scope = Scope::of(&detail("Fleet"));
            }
            return (true, "Counted");
        }
        if self.alerts.len() >= MAX_REMEMBERED {
            self.alerts.remove(0);
        }
        self.alerts.push(PagerAlert {
            alias,
            breaker: detail("Breaker"),
            key: detail("Key"),
            incident: detail("Incident").parse().unwrap_or_default(),
            kind: detail("Alert Type"),
            scope: Scope::of(&detail("Fleet")),
            is_open: true,
            is_lost: false,
        });
        (true, "Created alert")
    }

    fn close(&mut self, alias: &str) -> (bool, &'static str) {
        match self.find(alias) {
            Some(alert) => {
                alert.is_open = false;
                (true, "Closed alert")
            }
            None => MISSING,
        }
    }

    fn accept(&mut self, outcome: (bool, &'static str)) -> ClientResponse {
        self.taken += 1;
        let id = format!("r{:08}", self.taken);
        self.requests.insert(id.clone(), outcome);
        if self.requests.len() > MAX_REMEMBERED {
            self.requests.pop_first();
        }
        answer(202, &json!({"result": "Request will be processed", "took": 0.1, "requestId": id}))
    }

    fn take_hook(&mut self, now: Instant, body: &Value) {
        if body["test"] == true {
            return;
        }
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        self.new_hooks.push(Hook {
            at: now,
            breaker: text("breaker"),
            key: text("key"),
            incident: body["incident"].as_u64().unwrap_or_default(),
            kind: text("kind"),
            stage: text("stage"),
            delivery: text("delivery_id"),
            scope: Scope::of(&text("fleet")),
        });
    }
}

const MISSING: (bool, &str) = (false, "Alert does not exist");

fn answer(status: u16, body: &Value) -> ClientResponse {
    ClientResponse::new(status, body.to_string().into_bytes())
}

/// Decodes an alias, in which only slashes, colons and spaces are escaped.
fn decoded(part: &str) -> String {
    part.replace("%2F", "/").replace("%3A", ":").replace("%20", " ")
}
