//! Operation: policy, simulations, reset, and forced opening.

use std::time::Duration;

use tripline_core::{CapacityError, Instant, Policy};

use crate::breaker::Breaker;
use crate::breaker::mode::Mode;
use crate::fleet::local::Opening;
use crate::hot_path::samples::SharedCore;
use crate::hot_path::stall_detector::Now;
use crate::sync::lock;

/// Operation. Each method takes effect before it returns.
impl Breaker {
    /// Applies a new policy to the running breaker. The window is kept.
    ///
    /// # Errors
    /// [`CapacityError`] if the window is larger than [`MAX_WINDOW`](crate::MAX_WINDOW). Nothing changes then.
    pub fn set_policy(&self, policy: &Policy) -> Result<(), CapacityError> {
        let now = self.inner.clock.now();
        self.inner.with_exclusive(|exclusive, epochs| {
            let now = self.inner.confirm(exclusive, now);
            exclusive.core.handle_policy(now, policy)?;
            // Stalled calls are compared with the new threshold before any rule is evaluated.
            exclusive.count_stalled(Now::Clock(now), epochs);
            if policy.enabled {
                self.switched_on();
            }
            Ok(())
        })?;
        // Wakes the supervisor, which applies the new intervals to memory readings and stalled calls.
        self.inner.shared().wake();
        Ok(())
    }

    /// Closes the breaker, clears the window, removes simulations and ends the incident. A disabled breaker stays
    /// disabled.
    pub fn reset(&self) {
        self.inner.operate(SharedCore::reset);
    }

    /// Closes a disabled breaker. Any other breaker is unchanged.
    pub fn enable(&self) {
        self.inner.operate(|core, now| {
            core.enable(now);
            self.switched_on();
        });
    }

    /// Admits every call and records none until [`Breaker::enable`].
    pub fn disable(&self) {
        self.inner.operate(|core, now| {
            core.disable(now);
            lock(&self.inner.rare().operations).is_disabled = true;
        });
    }

    /// Rejects every call until [`Breaker::reset`]. Returns false, without effect, if the breaker is disabled.
    pub fn force_open(&self) -> bool {
        self.inner.operate(SharedCore::force_open)
    }

    /// Records that the service asks for no calls for `wait`, as by a `Retry-After`. A breaker that opens meanwhile stays open until that
    /// time is over, or for the policy's `max_wait_time`.
    pub fn handle_retry_after(&self, wait: Duration) {
        self.inner.operate(|core, now| core.handle_retry_after(now, wait));
    }

    /// Sets whether the caller enforces rejections from now on. This affects only how they are counted.
    pub fn set_mode(&self, mode: Mode) {
        self.inner.mode.set(mode);
    }

    /// Simulates exhausted memory until [`Breaker::undo_simulations`] or [`Breaker::reset`]. Returns false, without
    /// effect, if the breaker is disabled or forced open.
    pub fn simulate_memory(&self) -> bool {
        self.simulate(SharedCore::simulate_memory)
    }

    /// Simulates a latency breach as [`Breaker::simulate_memory`] simulates exhausted memory.
    pub fn simulate_latency(&self) -> bool {
        self.simulate(SharedCore::simulate_latency)
    }

    /// Removes both simulations. A trip that they caused stays a drill as long as it lasts.
    pub fn undo_simulations(&self) {
        self.inner.operate(SharedCore::undo_simulations);
    }

    /// Delays the first probe of an open breaker, as [`tripline_core::Breaker::hold_wait`] does.
    pub(crate) fn hold_wait(&self, opening: Opening, hold: Option<Duration>) {
        let now = self.inner.clock.now();
        self.inner.with_exclusive(|exclusive, _| {
            let now = self.inner.confirm(exclusive, now);
            if exclusive.core.hold_wait(now, opening.generation, opening.until, hold) {
                // The core emits no event for it.
                self.inner.shared().gate.publish(&exclusive.core);
            }
        });
    }

    /// Records that no operator keeps the breaker disabled.
    fn switched_on(&self) {
        if let Some(rare) = self.inner.rare_if_used() {
            lock(&rare.operations).is_disabled = false;
        }
    }

    /// A simulation trips at once or not at all: a trip during it is a drill.
    fn simulate(&self, act: impl FnOnce(&mut SharedCore, Instant) -> bool) -> bool {
        self.inner.operate(|core, now| {
            let before = core.last_trip();
            let done = act(core, now);
            let after = core.last_trip();
            if after != before {
                lock(&self.inner.rare().operations).drill = after;
            }
            done
        })
    }
}
