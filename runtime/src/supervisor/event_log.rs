//! What a supervisor logs of a family's member.

use tripline_core::{Event, EventKind};

use crate::breaker::Breaker;

/// Logs a change of state of a member; what else happens to members is in their status and metrics.
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
