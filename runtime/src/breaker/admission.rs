//! Admission: through the gate while closed, otherwise by the core.

use tripline_core::{Generation, Instant, Rejection as CoreRejection};

use crate::breaker::Breaker;
use crate::breaker::inner::BreakerInner;
use crate::breaker::mode::Mode;
use crate::breaker::permit::{OwnedPermit, OwnedTimedPermit, Permit, TimedPermit};
use crate::breaker::rejection::Rejection;
use crate::hot_path::call_token::CallToken;
use crate::hot_path::gate_word::Admission;
use crate::hot_path::in_flight::EpochMark;
use crate::sync::spin_loop;

/// Admission.
impl Breaker {
    /// Admits or rejects a call whose start and end the caller passes later. Reads no clock while the breaker is
    /// closed.
    ///
    /// # Errors
    /// [`Rejection`] with the reason and the time to wait.
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit<'_>, Rejection> {
        Ok(Permit::new(self, self.admit(None)?))
    }

    /// Admits or rejects a call that starts now. Reads the clock once.
    ///
    /// # Errors
    /// [`Rejection`] with the reason and the time to wait.
    #[inline]
    pub fn try_start(&self) -> Result<TimedPermit<'_>, Rejection> {
        let start = self.inner.clock.now();
        Ok(TimedPermit::new(self, self.admit(Some(start))?, start))
    }

    /// Does the same as [`Breaker::try_acquire`] for a permit that owns a handle, at about 10 ns more.
    ///
    /// # Errors
    /// [`Rejection`] with the reason and the time to wait.
    #[inline]
    pub fn try_acquire_owned(&self) -> Result<OwnedPermit, Rejection> {
        let token = self.admit(None)?;
        Ok(OwnedPermit::new(self.clone(), token))
    }

    /// Does the same as [`Breaker::try_start`] for a permit that owns a handle, at about 10 ns more.
    ///
    /// # Errors
    /// [`Rejection`] with the reason and the time to wait.
    #[inline]
    pub fn try_start_owned(&self) -> Result<OwnedTimedPermit, Rejection> {
        let start = self.inner.clock.now();
        let token = self.admit(Some(start))?;
        Ok(OwnedTimedPermit::new(self.clone(), token, start))
    }

    /// `start` is given if a clock was read; otherwise one is read only if the breaker is not closed.
    #[inline]
    pub(crate) fn admit(&self, start: Option<Instant>) -> Result<CallToken, Rejection> {
        let admission = self.inner.shared().gate.admission();
        if admission.is_free() {
            return Ok(CallToken::free(admission));
        }
        if let Some(token) = self.inner.admit_on_stripe(admission, start) {
            return Ok(token);
        }
        self.inner.admit_tracked(admission, start)
    }
}

impl BreakerInner {
    /// Admits a call while closed and counts it on the stripe of this thread; `None` where more is to be done.
    #[inline(never)] // keeps the inlined part small, and its result fits into registers
    fn admit_on_stripe(&self, admission: Admission, start: Option<Instant>) -> Option<CallToken> {
        let shared = self.shared();
        let stripe = shared.gate.stripes()?.claims.of_this_thread()?;
        if !admission.is_tracked() || start.is_some_and(|start| shared.epochs.is_due(start)) {
            return None;
        }
        let (epoch, is_over) = shared.epochs.try_increment(stripe, start)?;
        // As in `admit_tracked`.
        if is_over || shared.gate.admission() != admission {
            return self.cancel(epoch);
        }
        Some(CallToken::tracked(admission.generation(), epoch))
    }

    /// Cancels a call that was counted in an epoch that is over, or of another generation.
    #[cold]
    #[inline(never)] // a tail call, so `admit_on_stripe` saves no registers
    fn cancel(&self, epoch: EpochMark) -> Option<CallToken> {
        self.shared().epochs.cancel(epoch);
        None
    }

    #[inline(never)] // keeps the inlined part small
    fn admit_tracked(&self, mut admission: Admission, start: Option<Instant>) -> Result<CallToken, Rejection> {
        loop {
            let generation = if admission.is_tracked() { admission.generation() } else { self.ask(start)? };
            if !self.stall_detection {
                return Ok(CallToken::untracked(generation));
            }
            let epoch = self.enter(start);
            // The Acquire addition in `increment` pairs with the Release in `InFlightEpochs::begin`: a call that is
            // counted in an epoch of a later generation observes here that the generation has changed.
            admission = self.shared().gate.admission();
            if admission.generation() == generation {
                return Ok(CallToken::tracked(generation, epoch));
            }
            // The generation has changed since: the call may be counted in another one. Tries again.
            self.shared().epochs.cancel(epoch);
        }
    }

    #[inline]
    fn enter(&self, start: Option<Instant>) -> EpochMark {
        if let Some(start) = start
            && self.shared().epochs.is_due(start)
        {
            self.begin_epoch(start);
        }
        let stripe = self.shared().gate.stripes().and_then(|stripes| stripes.claims.of_this_thread());
        let (epoch, wake) = self.shared().epochs.increment(stripe, start);
        if wake {
            self.shared().wake();
        }
        epoch
    }

    #[cold]
    fn begin_epoch(&self, now: Instant) {
        // If another thread owns the core, that thread may do it; a slightly longer epoch has no effect on decisions.
        let _ = self.cell.try_with(|exclusive| {
            self.shared().flush(exclusive);
            let now = self.confirm(exclusive, now);
            self.shared().begin_epoch(exclusive, now);
        });
        self.shared().notify_if_changed();
    }

    #[cold]
    fn ask(&self, start: Option<Instant>) -> Result<Generation, Rejection> {
        let now = start.unwrap_or_else(|| self.clock.now());
        let answer = self.shared().gate.rejection(now).map_or_else(|| self.ask_core(now), Err);
        answer.map_err(|rejection| {
            let counters = match self.mode.get() {
                Mode::Enforce => &self.rare().rejection_counters,
                Mode::Observe => &self.rare().would_reject_counters,
            };
            counters.count(rejection.reason);
            Rejection::new(&self.name, rejection)
        })
    }

    /// Acquires a probe. Never waits: while other threads keep owning the core, they acquire the probes.
    fn ask_core(&self, now: Instant) -> Result<Generation, CoreRejection> {
        for _ in 0..TRIES {
            let answer = self.cell.try_with(|exclusive| {
                self.shared().flush(exclusive);
                let now = self.confirm(exclusive, now);
                self.shared().admit(exclusive, now)
            });
            if let Some(answer) = answer {
                self.shared().notify_if_changed();
                if answer.is_ok() && !self.stall_detection {
                    // A probe has a deadline, also where calls that hang are not looked for.
                    self.shared().wake();
                }
                return answer;
            }
            spin_loop();
        }
        Err(self.shared().gate.rejection_while_busy())
    }
}

/// Attempts to own the core. A thread that is not descheduled owns it for about ten nanoseconds.
const TRIES: u32 = if cfg!(tripline_loom) { 2 } else { 32 };
