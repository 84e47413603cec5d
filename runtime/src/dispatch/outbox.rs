//! The supervisor's end of a breaker's lanes.

use crate::dispatch::fleet_outbox::FleetOutbox;
use crate::dispatch::mailbox::Mailbox;
use crate::incidents::alert::Alert;
use crate::incidents::records::BreakerRecord;
use crate::sync::Arc;

/// The supervisor's end of a breaker's lanes. Sending never waits.
#[derive(Debug)]
pub(crate) struct Outbox {
    mailbox: Arc<Mailbox>,
}

impl Outbox {
    pub(super) fn new(mailbox: Arc<Mailbox>) -> Self {
        Self { mailbox }
    }

    /// Hands over alerts (maybe none), and what staging is to remember once they are handed over, in one step. What changes
    /// nothing costs nothing.
    pub(crate) fn record(&self, alerts: &[Alert], record: BreakerRecord) {
        self.mailbox.push(alerts, record);
    }

    /// A fleet's end of the same lanes.
    pub(crate) fn of_fleet(&self) -> FleetOutbox {
        self.mailbox.set_known();
        FleetOutbox::new(self.mailbox.clone())
    }

    /// Nothing more will come.
    pub(crate) fn close(&self) {
        self.mailbox.close();
    }
}

impl Drop for Outbox {
    /// A supervisor that is dropped sends nothing more either.
    fn drop(&mut self) {
        self.close();
    }
}
