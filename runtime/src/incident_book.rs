//! What people were told of, for whoever tells them next.

use tripline_core::IncidentCause;

/// The number of the incident that people were told of, and its cause while it is on.
#[derive(Debug, Default)]
pub(crate) struct IncidentBook {
    number: u64,
    cause: Option<IncidentCause>,
}

/// An incident as it stands in alerts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ToldIncident {
    pub(crate) number: u64,
    pub(crate) cause: IncidentCause,
}

impl IncidentBook {
    pub(crate) fn begin(&mut self, cause: IncidentCause) -> ToldIncident {
        self.number = self.number.saturating_add(1);
        self.cause = Some(cause);
        ToldIncident { number: self.number, cause }
    }

    /// `None` where nobody was told of its beginning.
    pub(crate) fn end(&mut self) -> Option<ToldIncident> {
        self.cause.take().map(|cause| ToldIncident { number: self.number, cause })
    }
}
