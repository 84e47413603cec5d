//! The view of alerts that the API was given.

use std::fmt;
use std::sync::Arc;

use crate::alerts::AlertsView;

/// A shared [`AlertsView`] that can be shown.
#[derive(Clone)]
pub(super) struct Alerts(pub(super) Arc<dyn AlertsView>);

impl fmt::Debug for Alerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Alerts")
    }
}
