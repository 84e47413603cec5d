//! The supervisor's end of a breaker's lanes.

use crate::alert::Alert;
use crate::dispatch::post::Post;
use crate::staging_record::StagingRecord;
use crate::sync::Arc;

/// The supervisor's end of a breaker's lanes. Sending never waits.
#[derive(Debug)]
pub(crate) struct Outbox {
    post: Arc<Post>,
}

impl Outbox {
    pub(super) fn new(post: Arc<Post>) -> Self {
        Self { post }
    }

    /// Hands over alerts (maybe none), and what staging is to remember once they are handed over, in one step. What changes
    /// nothing costs nothing.
    pub(crate) fn record(&self, alerts: &[Alert], staging: StagingRecord) {
        self.post.push(alerts, staging);
    }

    /// Nothing more will come.
    pub(crate) fn close(&self) {
        self.post.close();
    }
}

impl Drop for Outbox {
    /// A supervisor that is dropped sends nothing more either.
    fn drop(&mut self) {
        self.close();
    }
}
