//! The stages of alerts at the webhook.

use std::collections::BTreeMap;

use tripline_core::Instant;

/// The stages that the webhook has received from the present process.
#[derive(Debug, Default)]
pub(super) struct Stages {
    /// By breaker, incident and kind.
    pub(super) received: BTreeMap<(String, u64, String), Vec<(String, Instant)>>,
    /// The last first stage of each breaker and kind.
    pub(super) first: BTreeMap<(String, String), Instant>,
}
