//! The other replica of a process in a fleet. It has no pager.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use tripline_backends::alerts::staging_policy;
use tripline_backends::config::parse;
use tripline_core::fleet::{FleetStage, Known, Report, Terms, text};
use tripline_core::{AlertKind, IncidentCause, Instant, TripReason};
use tripline_runtime::test_util::{ManualClock, MemoryFleet, World};
use tripline_runtime::{Beat, BreakerName, Clock as _, EngineError, FleetEngine as _};

use super::random::Random;
use super::settings::{self, BREAKERS};

/// The other replica. It reaches the engine at all times.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    /// Since when it is unwell, in the order of [`BREAKERS`].
    unwell_since: Rc<RefCell<[Option<Instant>; BREAKERS.len()]>>,
}

impl Peer {
    /// Runs it, if the configuration of this seed has a fleet.
    pub(super) fn join(world: &World, engine: &MemoryFleet, seed: u64) -> Option<Self> {
        let config = parse(&settings::text(seed), "file").ok()?.0;
        let settings = config.settings_of(BREAKERS[0]).filter(|_| settings::has_fleet(seed))?;
        let (policy, staging) = (&settings.policy, staging_policy(&settings.opsgenie));
        let mut terms = Terms::default();
        terms.hold_ms = terms.ttl_ms.max(policy.recovery_time.as_millis() as u64);
        terms.escalate_after_ms = staging.escalate_after.as_millis() as u64;
        terms.cooldown_ms = staging.cooldown.as_millis() as u64;
        terms.page_at = config.fleet.page_at;
        let peer = Self { unwell_since: Rc::default() };
        world.spawn(peer.clone().run(world.clock(), engine.clone(), terms, Random::new(seed, 14)));
        Some(peer)
    }

    /// Since when it is unwell.
    pub(super) fn unwell_since(&self, breaker: usize) -> Option<Instant> {
        self.unwell_since.borrow().get(breaker).copied().flatten()
    }

    /// Sets whether it is unwell.
    pub(super) fn set_unwell(&self, breaker: usize, is_unwell: bool, now: Instant) {
        if let Some(since) = self.unwell_since.borrow_mut().get_mut(breaker) {
            *since = is_unwell.then(|| since.unwrap_or(now));
        }
    }

    async fn run(self, clock: Arc<ManualClock>, engine: MemoryFleet, terms: Terms, mut random: Random) {
        let mut known = [(Known::default(), Instant::ZERO); BREAKERS.len()];
        loop {
            // It reaches the engine; an error could only be one of the simulation.
            let _ = self.beat(&clock, &engine, &terms, &mut known).await;
            clock.sleep_until(clock.now() + random.millis(4_500, 5_500)).await;
        }
    }

    /// Beats, and reports as a replica does: while it is unwell, and while its incident runs.
    async fn beat(
        &self,
        clock: &ManualClock,
        engine: &MemoryFleet,
        terms: &Terms,
        all_known: &mut [(Known, Instant); BREAKERS.len()],
    ) -> Result<(), EngineError> {
        let replica = text("peer-b2c3");
        let in_incident = engine.beat(&Beat::of(&replica)).await?.in_incident;
        for (index, (known, learned_at)) in all_known.iter_mut().enumerate() {
            let Ok(breaker) = BREAKERS[index].parse::<BreakerName>() else { continue };
            let is_unwell = self.unwell_since(index).is_some();
            let is_running = known.active || known.stage == FleetStage::Resolved;
            if !is_unwell && !is_running && !in_incident.contains(&breaker) {
                continue;
            }
            let now = clock.now();
            let mut report = Report::of(&replica);
            report.open = is_unwell;
            report.unwell = is_unwell.then_some(AlertKind::CircuitOpen);
            report.cause = text(IncidentCause::Trip(TripReason::Latency).as_str());
            report.known = Known { age_ms: known.age_ms + now.since(*learned_at).as_millis() as u64, ..*known };
            report.can_deliver = false;
            (*known, *learned_at) = (engine.sync(&breaker, &report, terms).await?.known, now);
        }
        Ok(())
    }
}
