//! Alerts to `OpsGenie` and to its successor, Jira Service Management.
//!
//! An alert takes one or a few requests: see [`OpsGenieSink`]. Its texts are created apart from the requests and are
//! shortened to the limits of the API. The service responds before it acts. If it documents a way to query the outcome of a
//! request, the alert counts as delivered only after that query, for which the dispatcher calls again
//! ([`DeliveryError::Pending`]). A response that the API does not document is no delivery.

mod api;
mod content;
mod context;
mod delivery;
mod description;
mod details;
mod limits;
mod plan;
mod required_fields;
mod surf_transport;
pub(crate) mod system;
mod tags;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use event_listener::Event;
use tripline_runtime::{Alert, AlertSink, Clock, DeliveryError, DeliveryHistory, DeliveryStatus, Page, PageAction};

use super::classify::misconfigured;
use super::proxy::client_of;
use super::staged::PageRules;
use super::status::OpsGenieStatus;
use crate::config::{OpsGenie, Provider};
use crate::http_client::HyperClient;
use api::{Api, Seen, Sent};
use context::AlertContext;
use delivery::{AlertId, Deliveries, Delivery, Reached, Unconfirmed};
use plan::{Outcome, Plan, Step};
use surf_transport::SurfTransport;
use system::System;

/// Opens, escalates and closes alerts. Clones share everything.
///
/// An alert without a [`Page`] gets the one of the configuration, so that the sink works with and without
/// [`Staged`](super::Staged). An escalation raises the priority of the alert at `OpsGenie` and adds a note. At its
/// successor it opens a second alert, with `/escalated` after the alias, and adds a note to the first. A close covers
/// every alert that was sent or may have been sent, under the alias with which it was opened. While alerts are switched
/// off (`enabled`), nothing is opened or escalated, but alerts that are open are still closed.
#[derive(Debug, Clone)]
pub struct OpsGenieSink {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    client: HyperClient,
    deliveries: Deliveries,
    state: Mutex<State>,
    changed: Event,
    host: String,
}

#[derive(Debug)]
struct State {
    config: Arc<OpsGenie>,
    initialized: bool,
    last_error: Option<String>,
}

impl OpsGenieSink {
    /// Creates a sink for `config`, to which the environment has been applied. Sends nothing and never blocks.
    pub fn new(config: OpsGenie, client: HyperClient) -> Self {
        let shared = Shared {
            client,
            deliveries: Deliveries::default(),
            state: Mutex::new(State { config: Arc::new(config), initialized: false, last_error: None }),
            changed: Event::new(),
            host: system::host_name(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The current configuration.
    pub fn config(&self) -> Arc<OpsGenie> {
        self.state().config.clone()
    }

    /// Replaces the configuration from the next attempt on. An open alert keeps its alias.
    pub fn set_config(&self, config: OpsGenie) {
        let mut state = self.state();
        let known = |config: &OpsGenie| (config.provider, config.base_url().to_owned(), config.api_key.clone());
        if known(&state.config) != known(&config) {
            (state.initialized, state.last_error) = (false, None);
            self.shared.deliveries.start_over();
        }
        state.config = Arc::new(config);
        drop(state);
        self.shared.changed.notify(usize::MAX);
    }

    /// The configuration without secrets, whether the service was reached, and which required fields are missing.
    pub fn status(&self) -> OpsGenieStatus {
        let state = self.state();
        OpsGenieStatus::of(&state.config, state.initialized, state.last_error.clone())
    }

    /// Whether the service has accepted a request with the key, and why the last request failed, if it did.
    pub fn reachability(&self) -> (bool, Option<String>) {
        let state = self.state();
        (state.initialized, state.last_error.clone())
    }

    /// Checks in the background that the service knows the key, and again after each change of URL or key. The result
    /// appears in [`status`](Self::status) and in the log. Alerts do not wait for it. The future never ends; drop it to
    /// stop it.
    ///
    /// Each check is one `GET /v2/alerts?limit=1`, repeated with growing pauses until it is answered. The successor
    /// documents no request without side effects; there the first alert serves as the check.
    pub async fn keep_checking(self, clock: Arc<dyn Clock>) {
        const FIRST_PAUSE: Duration = Duration::from_secs(1);
        const MAX_PAUSE: Duration = Duration::from_secs(300);
        let mut pause = FIRST_PAUSE;
        loop {
            let changed = self.shared.changed.listen();
            let again = match self.check().await {
                Some(Err(DeliveryError::Retryable { after, .. })) => Some(pause.max(after.unwrap_or_default())),
                Some(Err(_)) => Some(MAX_PAUSE),
                Some(Ok(())) | None => None,
            };
            if let Some(wait) = again {
                pause = (pause * 2).min(MAX_PAUSE);
                let deadline = clock.now() + wait;
                smol::future::or(changed, clock.sleep_until(deadline)).await;
            } else {
                pause = FIRST_PAUSE;
                changed.await;
            }
        }
    }

    /// Runs one check if one is due.
    async fn check(&self) -> Option<Result<(), DeliveryError>> {
        let (config, initialized) = {
            let state = self.state();
            (state.config.clone(), state.initialized)
        };
        if initialized || !config.enabled || config.api_key.is_none() || config.provider != Provider::OpsGenie {
            return None;
        }
        let result = match self.api(&config) {
            Ok(api) => api.check().await,
            Err(error) => Err(error),
        };
        match &result {
            Ok(()) => self.reached(&config),
            Err(error) => self.failed(&config, error),
        }
        Some(result)
    }

    fn api<'a>(&self, config: &'a OpsGenie) -> Result<Api<'a>, DeliveryError> {
        let client = client_of(&self.shared.client, config.proxy.as_ref())
            .map_err(|error| misconfigured(&format!("opsgenie.{error}")))?;
        Api::of(config, SurfTransport::new(client))
    }

    /// Records that the service accepted a request.
    fn reached(&self, config: &Arc<OpsGenie>) {
        let mut state = self.state();
        // A response to an older configuration proves nothing about the current one.
        if Arc::ptr_eq(&state.config, config) {
            state.last_error = None;
            if !std::mem::replace(&mut state.initialized, true) {
                tracing::info!(provider = config.provider.as_str(), "the alert service answers");
            }
        }
    }

    /// Records that a request failed. The dispatcher logs failed alerts.
    fn failed(&self, config: &Arc<OpsGenie>, error: &DeliveryError) {
        let (DeliveryError::Retryable { reason, .. } | DeliveryError::Rejected { reason, .. }) = error else { return };
        let mut state = self.state();
        if Arc::ptr_eq(&state.config, config) {
            if !state.initialized && state.last_error.as_ref() != Some(reason) {
                tracing::warn!(provider = config.provider.as_str(), reason, "the alert service does not answer");
            }
            state.last_error = Some(reason.clone());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resumes the delivery of an alert after the last completed step.
    async fn go_on(
        &self,
        config: &Arc<OpsGenie>,
        page: &Page,
        context: &AlertContext<'_>,
        delivery: &mut Delivery,
    ) -> Result<(), DeliveryError> {
        let api = self.api(config)?;
        let alert = context.alert;
        let reached = Reached::of(alert);
        loop {
            if let Some(unconfirmed) = &mut delivery.unconfirmed {
                let outcome = look(&api, unconfirmed).await?;
                delivery.unconfirmed = None;
                // If newer state has arrived since, only the end of the older request matters.
                if delivery.stage == Some(reached) {
                    delivery.plan.settle(outcome)?;
                }
            }
            if delivery.stage != Some(reached) {
                let earlier = if delivery.withheld { DeliveryHistory::default() } else { alert.earlier };
                delivery.plan = Plan::new(config.provider, page, &delivery.alias, earlier);
                delivery.stage = Some(reached);
                delivery.withheld = false;
            }
            let Some(step) = delivery.plan.next() else { return Ok(()) };
            match api.send(step, context).await {
                // The delivery itself is complete by then.
                Err(DeliveryError::Rejected { reason, .. }) if matches!(step, Step::Note { .. }) => {
                    tracing::warn!(
                        alias = delivery.alias.as_str(),
                        reason,
                        "the alert service rejected a note; the alert stays as it is"
                    );
                    delivery.plan.settle(Outcome::Done)?;
                }
                Err(error) => return Err(error),
                Ok(Sent::Settled(outcome)) => {
                    self.reached(config);
                    delivery.plan.settle(outcome)?;
                }
                Ok(Sent::Accepted { request }) => {
                    self.reached(config);
                    let mut unconfirmed = Unconfirmed::new(request);
                    let after = unconfirmed.next_look().unwrap_or_default();
                    delivery.unconfirmed = Some(unconfirmed);
                    return Err(DeliveryError::Pending { after });
                }
            }
        }
    }
}

/// Queries the outcome once. A request whose outcome the service never reports counts as done, because it was accepted.
async fn look(api: &Api<'_>, unconfirmed: &mut Unconfirmed) -> Result<Outcome, DeliveryError> {
    let reason = match api.look(&unconfirmed.request).await? {
        Seen::Settled(outcome) => return Ok(outcome),
        Seen::NotYet(wait) => match unconfirmed.next_look() {
            Some(after) => return Err(DeliveryError::Pending { after: after.max(wait.unwrap_or_default()) }),
            None => "no outcome was found within the allowed number of attempts".to_owned(),
        },
        Seen::Never(reason) => reason,
    };
    tracing::warn!(
        reason,
        "the alert service accepted a request but did not report its outcome; the request counts as delivered"
    );
    Ok(Outcome::Done)
}

#[async_trait]
impl AlertSink for OpsGenieSink {
    fn name(&self) -> &'static str {
        "opsgenie"
    }

    fn alias(&self, alert: &Alert) -> Option<String> {
        let rules = PageRules::of(&self.config(), &self.shared.host);
        Some(rules.names.alias_of(alert))
    }

    fn keeps_open(&self) -> bool {
        self.config().enabled
    }

    async fn deliver(&self, alert: &Alert) -> Result<(), DeliveryError> {
        let config = self.config();
        let rules = PageRules::of(&config, &self.shared.host);
        let page = alert.page.clone().unwrap_or_else(|| rules.page(alert));
        let mut delivery = self.shared.deliveries.get(AlertId::of(alert), &page.alias);
        if let Some(alias) = &alert.alias {
            delivery.alias.clone_from(alias);
        }
        if !config.enabled && page.action != PageAction::Close {
            let never =
                alert.earlier.created == DeliveryStatus::NotSent && alert.earlier.escalated == DeliveryStatus::NotSent;
            delivery.withheld |= never && delivery.stage.is_none();
            self.shared.deliveries.put(delivery);
            return Ok(());
        }
        let system = System::now();
        let context = AlertContext::new(alert, &config, &rules.names, &system, &self.shared.host);
        let result = self.go_on(&config, &page, &context, &mut delivery).await;
        if let Err(error) = &result {
            self.failed(&config, error);
        }
        if result.is_ok() && page.action == PageAction::Close {
            self.shared.deliveries.forget(&delivery);
        } else {
            self.shared.deliveries.put(delivery);
        }
        result
    }
}
