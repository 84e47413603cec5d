//! The supervisor's access to a breaker's lanes.

use crate::dispatch::fleet_outbox::FleetOutbox;
use crate::dispatch::mailbox::Mailbox;
use crate::incidents::alert::Alert;
use crate::incidents::records::BreakerRecord;
use crate::sync::Arc;

/// The supervisor's access to a breaker's lanes. Sending never waits.
#[derive(Debug)]
pub(crate) struct Outbox {
    mailbox: Arc<Mailbox>,
}

impl Outbox {
    pub(super) fn new(mailbox: Arc<Mailbox>) -> Self {
        Self { mailbox }
    }

    /// Hands over alerts (possibly none) and the staging record after them, in one step. An unchanged record costs
    /// nothing.
    pub(crate) fn record(&self, alerts: &[Alert], record: BreakerRecord) {
        self.mailbox.push(alerts, record);
    }

    /// Returns a fleet's access to the same lanes.
    pub(crate) fn of_fleet(&self) -> FleetOutbox {
        self.mailbox.set_known();
        FleetOutbox::new(self.mailbox.clone())
    }

    pub(super) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// Whether no alert waits or is open at a sink, and everything is saved.
    pub(crate) fn is_idle(&self) -> bool {
        self.mailbox.is_idle()
    }

    /// Closes the lanes: no more alerts will arrive.
    pub(crate) fn close(&self) {
        self.mailbox.close();
    }
}

impl Drop for Outbox {
    /// A dropped supervisor sends no more alerts.
    fn drop(&mut self) {
        self.close();
    }
}
