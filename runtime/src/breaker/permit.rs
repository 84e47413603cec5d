//! Permits: the right to make one call. A permit reports one outcome, or is dropped.

use std::borrow::Borrow;
use std::fmt;

use tripline_core::{Generation, Instant, Latency, Outcome};

use crate::breaker::Breaker;
use crate::breaker::inner::BreakerInner;
use crate::breaker::name::BreakerName;
use crate::hot_path::call_token::CallToken;

/// An untimed permit that borrows its breaker: the caller passes both instants.
pub type Permit<'a> = PermitOn<&'a Breaker>;
/// An untimed permit that owns a handle: `'static` and `Send`, at the cost of a reference count.
pub type OwnedPermit = PermitOn<Breaker>;
/// A timed permit that borrows its breaker.
pub type TimedPermit<'a> = TimedPermitOn<&'a Breaker>;
/// A timed permit that owns a handle: `'static` and `Send`, at the cost of a reference count.
pub type OwnedTimedPermit = TimedPermitOn<Breaker>;

/// The right to make one call, whose start and end the caller passes. A dropped permit is neutral; a probe releases its
/// slot.
#[must_use = "a permit that is dropped at once is a call that was never made"]
pub struct PermitOn<B: Borrow<Breaker>> {
    /// Taken when the call ends.
    breaker: Option<B>,
    token: CallToken,
}

impl<B: Borrow<Breaker>> PermitOn<B> {
    #[inline]
    pub(crate) fn new(breaker: B, token: CallToken) -> Self {
        Self { breaker: Some(breaker), token }
    }

    /// Reports a call from `start` to `end`, both on the breaker's clock. If `end` is before `start`, the latency is
    /// zero. `end` is the time of the decision: no other clock is read.
    #[inline]
    pub fn finish(mut self, start: Instant, end: Instant, outcome: Outcome) {
        if let Some(breaker) = self.breaker.take() {
            breaker.borrow().inner.finish(self.token, end, Latency::between(start, end), outcome);
        }
    }

    /// Returns the generation that admitted the call.
    #[inline]
    pub fn generation(&self) -> Generation {
        self.token.generation()
    }
}

impl<B: Borrow<Breaker>> Drop for PermitOn<B> {
    #[inline]
    fn drop(&mut self) {
        if let Some(breaker) = self.breaker.take() {
            breaker.borrow().inner.give_up(self.token);
        }
    }
}

impl<B: Borrow<Breaker>> fmt::Debug for PermitOn<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("breaker", &name(self.breaker.as_ref())).field("token", &self.token).finish()
    }
}

/// The right to make one call that has just started.
///
/// A permit that is dropped without [`finish`](TimedPermitOn::finish) is neutral while it is younger than the
/// threshold, and counts as a slow call if it is older. If a panic drops it, it counts as a failed call.
#[must_use = "a permit that is dropped at once is a call that was never made"]
pub struct TimedPermitOn<B: Borrow<Breaker>> {
    /// Taken when the call ends.
    breaker: Option<B>,
    token: CallToken,
    start: Instant,
}

impl<B: Borrow<Breaker>> TimedPermitOn<B> {
    #[inline]
    pub(crate) fn new(breaker: B, token: CallToken, start: Instant) -> Self {
        Self { breaker: Some(breaker), token: token.while_panicking(std::thread::panicking()), start }
    }

    /// Returns the start of the call.
    #[inline]
    pub fn start(&self) -> Instant {
        self.start
    }

    /// Reports the call as finished now.
    #[inline]
    pub fn finish(mut self, outcome: Outcome) {
        if let Some(breaker) = self.breaker.take() {
            let breaker = &breaker.borrow().inner;
            let end = breaker.clock.now();
            breaker.finish(self.token, end, Latency::between(self.start, end), outcome);
        }
    }

    /// Reports the call as finished at `end` on the breaker's clock.
    #[inline]
    pub fn finish_at(mut self, end: Instant, outcome: Outcome) {
        if let Some(breaker) = self.breaker.take() {
            breaker.borrow().inner.finish(self.token, end, Latency::between(self.start, end), outcome);
        }
    }
}

impl<B: Borrow<Breaker>> Drop for TimedPermitOn<B> {
    #[inline]
    fn drop(&mut self) {
        if let Some(breaker) = self.breaker.take() {
            drop_timed(&breaker.borrow().inner, self.token, self.start);
        }
    }
}

/// Ends the call of a permit that is dropped without an outcome. Takes values, so that a permit which reports an outcome stays in
/// registers.
#[inline(never)]
fn drop_timed(breaker: &BreakerInner, token: CallToken, start: Instant) {
    let end = breaker.clock.now();
    let latency = Latency::between(start, end);
    if std::thread::panicking() && !token.was_panicking() {
        breaker.finish(token, end, latency, Outcome::Failed);
    } else if latency > breaker.shared().gate.slow_after() {
        breaker.finish(token, end, latency, Outcome::Ok);
    } else {
        breaker.give_up(token);
    }
}

impl<B: Borrow<Breaker>> fmt::Debug for TimedPermitOn<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimedPermit")
            .field("breaker", &name(self.breaker.as_ref()))
            .field("token", &self.token)
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}

fn name<B: Borrow<Breaker>>(breaker: Option<&B>) -> Option<&BreakerName> {
    breaker.map(|breaker| breaker.borrow().name())
}
