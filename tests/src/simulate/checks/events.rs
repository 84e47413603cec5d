//! Invariants of the event stream.

use std::time::Duration;

use super::super::settings::BREAKERS;
use super::super::state::Simulation;
use super::super::violation::{Check, hold};

/// Time within which a reader must know of a transition. A heartbeat comes after 5 s and brings late events too, so
/// that the limit is shorter.
const DELIVERED_WITHIN: Duration = Duration::from_secs(2);

/// Checks that each connected reader knows the state of its breaker, some time after that has changed.
pub(super) fn after_event(simulation: &Simulation) -> Check {
    if simulation.process.is_none() || simulation.seen.is_stopping {
        return Ok(());
    }
    let now = simulation.world.now();
    for reader in &simulation.readers {
        let reader = reader.borrow();
        let truth = &simulation.truths[reader.breaker];
        let (Some(connected), Some((kind, _))) = (reader.connected_since, truth.seen) else { continue };
        let is_due = now > connected.max(truth.changed) + DELIVERED_WITHIN;
        hold(!is_due || reader.state.as_deref() == Some(kind.as_str()), "events arrive", || {
            let name = BREAKERS[reader.breaker];
            format!("{name} is {kind} since {:?}, and a reader knows of {:?}", truth.changed, reader.state)
        })?;
    }
    Ok(())
}
