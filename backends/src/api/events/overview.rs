//! The events of all breakers: their rows beside the log of all circuits.

use std::future::Future;

use smol::future::or;
use tripline_runtime::Clock;

use super::publishers::Publishers;
use super::rows::TICK;
use super::subscriber::Source;
use crate::api::breaker_row::Row;
use crate::api::scope::LiveHandle;
use crate::circuit::{Circuits, EventLog};

/// The events of all breakers.
#[derive(Debug)]
pub(super) struct Overview {
    circuits: Circuits,
    live: LiveHandle,
    publishers: Publishers,
}

impl Overview {
    pub(super) const fn new(circuits: Circuits, live: LiveHandle, publishers: Publishers) -> Self {
        Self { circuits, live, publishers }
    }

    /// The row of each circuit. A circuit that came since is recorded from now on.
    fn draw(&self) -> Vec<(String, Row)> {
        let fleet = self.live.fleet_summaries();
        let rows = self.circuits.iter().map(|circuit| {
            self.publishers.record(&circuit, &self.live);
            (circuit.name().to_string(), Row::of(&circuit, fleet.get(circuit.name()).cloned()))
        });
        rows.collect()
    }
}

impl Source for Overview {
    type Seen = u64;

    fn clock(&self) -> &dyn Clock {
        self.publishers.clock()
    }

    fn log(&self) -> &EventLog {
        self.circuits.events()
    }

    fn news(&self) -> impl Future<Output = ()> + Send {
        let changed = self.log().changed();
        let clock = self.clock();
        or(changed, clock.sleep_until(clock.now() + TICK))
    }

    fn write_newer(&self, seen: &mut u64, text: &mut String) -> bool {
        let mut rows = self.publishers.rows().lock();
        rows.refresh(self.clock().now(), self.log().count(), || self.draw());
        rows.write_newer(seen, text);
        true
    }
}
