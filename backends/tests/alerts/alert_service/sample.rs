//! Alerts, configurations and deliveries for tests.

use std::time::Duration;

use tripline_backends::config::{OpsGenie, Secret};
use tripline_backends::http_client::{ClientLimits, HyperClient};
use tripline_runtime::test_util::World;
use tripline_runtime::{Alert, AlertSink, DeliveryError, DeliveryStatus, Stage};

/// A secret that only the service may receive.
pub(crate) const KEY: &str = "k3y-0f-4ll-k3y5";

/// An alert of a breaker that has actually opened, at this stage, with nothing sent before.
pub(crate) fn alert(stage: Stage) -> Alert {
    let mut alert = World::sample_alert(Duration::from_millis(400)).unwrap();
    alert.at = alert.started_at + Duration::from_secs(60);
    alert.stage = stage;
    alert
}

/// The same alert at another stage, after `created` and `escalated`.
pub(crate) fn stage(alert: &Alert, stage: Stage, created: DeliveryStatus, escalated: DeliveryStatus) -> Alert {
    let mut alert = alert.clone();
    (alert.stage, alert.earlier.created, alert.earlier.escalated) = (stage, created, escalated);
    alert
}

/// Delivers like the dispatcher when nothing fails: repeats as long as the sink asks for it. Returns the number of
/// repetitions.
pub(crate) fn deliver(sink: &dyn AlertSink, alert: &Alert) -> Result<usize, DeliveryError> {
    for pending in 0..100 {
        match futures_lite::future::block_on(sink.deliver(alert)) {
            Ok(()) => return Ok(pending),
            Err(DeliveryError::Pending { after }) => assert!(after > Duration::ZERO),
            Err(error) => return Err(error),
        }
    }
    panic!("it never ends")
}

/// A client with time limits that are long enough on a busy machine.
pub(crate) fn patient() -> HyperClient {
    HyperClient::default()
}

/// A client with a short time limit for the head of a response.
pub(crate) fn impatient() -> HyperClient {
    let mut limits = ClientLimits::default();
    limits.head = Duration::from_millis(200);
    HyperClient::new(limits)
}

/// A configuration with all required fields.
pub(crate) fn config(url: &str) -> OpsGenie {
    let mut config = OpsGenie::default();
    config.enabled = true;
    config.api_key = Some(Secret::new(KEY));
    config.api_url = url.into();
    config.team = "payments".into();
    config.environment = "production".into();
    config.bookmaker_id = "b-1".into();
    config.hostname = "h-1".into();
    config.api_namespace = "shop".into();
    config.api_name = "check out".into();
    config.priority = tripline_backends::config::Priority::P2;
    config
}
