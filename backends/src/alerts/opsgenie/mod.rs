//! Alerts to `OpsGenie` and to its successor, Jira Service Management.
//!
//! An alert is one or a few requests: see [`OpsGenieSink`]. The text of an alert is made apart from how it is sent, and is
//! shortened to the API's lengths. The service answers before it acts; where it documents a way to ask for the outcome of a
//! request, the alert counts as delivered only then, and the dispatcher comes back for that ([`DeliveryError::Pending`]). An
//! answer that the API does not document is no delivery.

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

/// Opens, escalates and closes alerts. Cloning shares everything.
///
/// An alert that lacks a [`Page`] gets the one that the configuration means, so that the sink works with and without
/// [`Staged`](super::Staged). At `OpsGenie` the escalation raises the alert's priority and adds a note; at its successor
/// it opens a second alert, with `/escalated` behind the alias, and adds a note to the first. What is closed is what was,
/// or may have been, sent, under the alias that it was opened with. While alerts are switched off (`enabled`), nothing is
/// opened or escalated, and what was opened before is still closed.
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
    /// A sink for `config`, with the environment applied to it. Nothing is sent, and nothing is waited for.
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

    /// The configuration in force.
    pub fn config(&self) -> Arc<OpsGenie> {
        self.state().config.clone()
    }

    /// The next attempt goes by `config`. An alert that is open keeps its alias.
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

    /// Configuration without secrets, whether the service was reached, and what the configuration lacks.
    pub fn status(&self) -> OpsGenieStatus {
        let state = self.state();
        OpsGenieStatus::of(&state.config, state.initialized, state.last_error.clone())
    }

    /// Whether the service has taken a request with the key, and why the last request failed, if it did.
    pub fn reachability(&self) -> (bool, Option<String>) {
        let state = self.state();
        (state.initialized, state.last_error.clone())
    }

    /// Makes sure in the background that the service knows the key, and again after each change of address or key, for
    /// [`status`](Self::status) and the log. Alerts do not wait for it. It never ends; drop it to stop it.
    ///
    /// It is one `GET /v2/alerts?limit=1`, repeated with growing pauses until it is answered. The successor documents no
    /// request that changes nothing: there the first alert shows it.
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

    /// One check, if there is something to check.
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

    /// The service has taken a request.
    fn reached(&self, config: &Arc<OpsGenie>) {
        let mut state = self.state();
        // The answer to an older configuration says nothing of this one.
        if Arc::ptr_eq(&state.config, config) {
            state.last_error = None;
            if !std::mem::replace(&mut state.initialized, true) {
                tracing::info!(provider = config.provider.as_str(), "the alert service answers");
            }
        }
    }

    /// A request failed; the dispatcher logs those of alerts.
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

    /// Goes on with an alert where the last attempt stopped.
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
                // Where newer state has come meanwhile, it only matters that the older request is out of the way.
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
                // The delivery itself is done by then.
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

/// Asks once for the outcome. A request whose outcome the service never reports counts as done, because it was accepted.
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
