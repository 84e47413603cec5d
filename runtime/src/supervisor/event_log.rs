//! The log of a family's members.

use tripline_core::{Event, EventKind};

use crate::breaker::Breaker;

/// Logs a state change of a member; its status and metrics show all other events.
pub(crate) fn log_transition(member: &Breaker, event: &Event) {
    let EventKind::Transition { from, to, cause } = event.kind else { return };
    tracing::info!(
        breaker = member.name().as_str(),
        key = member.key(),
        from = from.as_str(),
        to = to.as_str(),
        cause = cause.as_str(),
        "state changed"
    );
}
