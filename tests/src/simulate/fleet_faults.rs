//! The faults of the fleet that a process is in.

use std::time::Duration;

use super::fleet_script::FleetFault;
use super::script::What;
use super::seen::Seen;
use super::settings::BREAKERS;
use super::state::Simulation;

impl Simulation {
    /// Applies the lasting faults of the fleet, where the process is in one.
    pub(super) fn apply_fleet(&mut self, active: &[What]) {
        let (now, Some(peer)) = (self.world.now(), &self.peer) else { return };
        for breaker in 0..BREAKERS.len() {
            peer.set_unwell(breaker, active.contains(&What::Peer { breaker }), now);
        }
        let fault = active.iter().rev().find_map(|what| match what {
            What::Fleet(FleetFault::Engine(fault)) => Some(*fault),
            _ => None,
        });
        if fault.is_some() || self.seen.is_engine_faulty {
            self.seen.engine_faulty_at = Some(now);
        }
        self.seen.is_engine_faulty = fault.is_some();
        self.platform.set_engine_fault(fault);
    }

    /// The engine loses its contents.
    pub(super) fn forget_fleet(&mut self) {
        self.seen.engine_faulty_at = Some(self.world.now());
        self.platform.engine.forget();
    }

    /// Whether the engine worked for the last `span`.
    pub(super) fn is_engine_calm(&self, span: Duration) -> bool {
        !self.seen.is_engine_faulty && !Seen::is_recent(self.seen.engine_faulty_at, self.world.now(), span)
    }
}
