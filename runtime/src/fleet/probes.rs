//! The probe budget: an open breaker probes when the fleet permits it.

use std::time::Duration;

use tripline_core::Instant;
use tripline_core::fleet::{Probe, Terms};

use crate::breaker::Breaker;
use crate::breaker::name::BreakerName;
use crate::fleet::local::{Entry, Held, Local, Opening};
use crate::fleet::shared::{Inner, Reach};

/// Duration of one hold, longer than the interval of reports. If the runner stops, the hold expires.
const HOLD: Duration = Duration::from_secs(12);
/// Minimum interval between two requests for permission, varied by up to the same again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Minimum time after an unused permission before the next request, varied by up to the same again.
const REST: Duration = Duration::from_secs(20);

/// The hold to apply to a breaker after the lock is released.
pub(super) struct Hold {
    breaker: Breaker,
    opening: Opening,
    span: Option<Duration>,
}

impl Hold {
    pub(super) fn apply(self) {
        self.breaker.hold_wait(self.opening, self.span);
    }
}

impl Entry {
    /// Records the opening. Returns true if it is new, or if probing began or ended.
    pub(super) fn note_probing(&mut self, before: Local) -> bool {
        let opening = self.local.opening;
        let is_same = self.held.map(|held| held.opening.generation) == opening.map(|opening| opening.generation);
        if !is_same {
            self.held = opening.map(|opening| Held { opening, asks_at: opening.until_on_clock, grant_ends: None });
        }
        !is_same || before.is_probing != self.local.is_probing
    }

    /// The probe state to report at `now`.
    pub(super) fn probe(&self, now: Instant) -> Probe {
        match self.held {
            _ if self.local.is_probing => Probe::Probing,
            Some(Held { grant_ends: Some(ends), .. }) if now >= ends => Probe::None,
            Some(held) if now >= held.asks_at => Probe::Asks,
            _ => Probe::None,
        }
    }

    /// Takes the response to a report sent at `began`. Returns when to report next.
    pub(super) fn take_permission(
        &mut self,
        has_asked: bool,
        may_probe: bool,
        began: Instant,
        random: f64,
    ) -> Option<Instant> {
        let held = self.held.as_mut()?;
        let varied = |span: Duration| span + span.mul_f64(random);
        match (has_asked, may_probe) {
            (true, true) => {
                let ends = began + Duration::from_millis(Terms::default().probe_grant_ms);
                Some(*held.grant_ends.get_or_insert(ends))
            }
            (true, false) => {
                (held.grant_ends, held.asks_at) = (None, began + varied(ASK_AGAIN));
                Some(held.asks_at)
            }
            (false, _) => {
                if held.grant_ends.take_if(|ends| began >= *ends).is_some() {
                    held.asks_at = began + varied(REST);
                }
                Some(held.asks_at.max(began))
            }
        }
    }

    /// The hold that applies at `now`.
    pub(super) fn hold(&self, now: Instant, is_engine_up: bool) -> Option<Hold> {
        let held = self.held?;
        let may_probe = !is_engine_up || held.grant_ends.is_some_and(|ends| now < ends);
        Some(Hold { breaker: self.breaker.clone(), opening: held.opening, span: (!may_probe).then_some(HOLD) })
    }
}

impl Inner {
    /// Applies the hold of one breaker.
    pub(super) fn hold_probes_of(&self, name: &BreakerName) {
        let now = self.clock.now();
        let state = self.state();
        let is_up = matches!(state.reach, Reach::Up);
        let hold = state.breakers.get(name).and_then(|entry| entry.hold(now, is_up));
        drop(state);
        hold.into_iter().for_each(Hold::apply);
    }

    /// Ends all holds, because the engine is unreachable.
    pub(super) fn let_all_probe(&self) {
        let now = self.clock.now();
        let holds: Vec<Hold> = self.state().breakers.values().filter_map(|entry| entry.hold(now, false)).collect();
        holds.into_iter().for_each(Hold::apply);
    }
}
