//! The right to make one call. It reports one outcome, or is dropped.

use std::borrow::Borrow;
use std::fmt;

use tripline_core::{Generation, Instant, Latency, Outcome};

use crate::breaker::Breaker;
use crate::hot_path::call_token::CallToken;

/// An untimed permit, borrowed from its breaker: the caller gives both instants.
pub type Permit<'a> = PermitOn<&'a Breaker>;
/// An untimed permit that owns a handle: `'static` and `Send`, for one more reference count.
pub type OwnedPermit = PermitOn<Breaker>;
/// A timed permit, borrowed from its breaker.
pub type TimedPermit<'a> = TimedPermitOn<&'a Breaker>;
/// A timed permit that owns a handle: `'static` and `Send`, for one more reference count.
pub type OwnedTimedPermit = TimedPermitOn<Breaker>;

/// The right to make one call, whose start and end the caller gives. Dropped, it is neutral; a probe gives its place back.
#[must_use = "a permit that is dropped at once is a call that was never made"]
pub struct PermitOn<B: Borrow<Breaker>> {
    breaker: B,
    token: CallToken,
}

impl<B: Borrow<Breaker>> PermitOn<B> {
    #[inline]
    pub(crate) fn new(breaker: B, token: CallToken) -> Self {
        Self { breaker, token }
    }

    /// The call started at `start` and ended at `end`, both on the breaker's clock; an end before the start counts as no
    /// latency. `end` is the time of the decision: no other clock is read.
    #[inline]
    pub fn finish(mut self, start: Instant, end: Instant, outcome: Outcome) {
        if let Some(token) = self.token.spend() {
            self.breaker.borrow().finish(token, end, Latency::between(start, end), outcome);
        }
    }

    /// The generation that admitted the call.
    #[inline]
    pub fn generation(&self) -> Generation {
        self.token.generation()
    }
}

impl<B: Borrow<Breaker>> Drop for PermitOn<B> {
    #[inline]
    fn drop(&mut self) {
        if let Some(token) = self.token.spend() {
            self.breaker.borrow().give_up(token);
        }
    }
}

impl<B: Borrow<Breaker>> fmt::Debug for PermitOn<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("breaker", self.breaker.borrow().name()).field("token", &self.token).finish()
    }
}

/// The right to make one call that has just started.
///
/// Dropped without [`finish`](TimedPermitOn::finish) it is neutral while it is younger than the threshold; older, it counts as a
/// slow call; dropped by a panic, as a failed one.
#[must_use = "a permit that is dropped at once is a call that was never made"]
pub struct TimedPermitOn<B: Borrow<Breaker>> {
    breaker: B,
    token: CallToken,
    start: Instant,
}

impl<B: Borrow<Breaker>> TimedPermitOn<B> {
    #[inline]
    pub(crate) fn new(breaker: B, token: CallToken, start: Instant) -> Self {
        Self { breaker, token: token.while_panicking(std::thread::panicking()), start }
    }

    /// When the call started.
    #[inline]
    pub fn start(&self) -> Instant {
        self.start
    }

    /// The call ends now.
    #[inline]
    pub fn finish(mut self, outcome: Outcome) {
        let end = self.breaker.borrow().clock().now();
        self.end(end, outcome);
    }

    /// The call ended at `end` on the breaker's clock.
    #[inline]
    pub fn finish_at(mut self, end: Instant, outcome: Outcome) {
        self.end(end, outcome);
    }

    #[inline]
    fn end(&mut self, end: Instant, outcome: Outcome) {
        if let Some(token) = self.token.spend() {
            self.breaker.borrow().finish(token, end, Latency::between(self.start, end), outcome);
        }
    }
}

impl<B: Borrow<Breaker>> Drop for TimedPermitOn<B> {
    #[inline]
    fn drop(&mut self) {
        let Some(token) = self.token.spend() else { return };
        let breaker = self.breaker.borrow();
        let end = breaker.clock().now();
        let latency = Latency::between(self.start, end);
        if std::thread::panicking() && !token.was_panicking() {
            breaker.finish(token, end, latency, Outcome::Failed);
        } else if latency > breaker.slow_after() {
            breaker.finish(token, end, latency, Outcome::Ok);
        } else {
            breaker.give_up(token);
        }
    }
}

impl<B: Borrow<Breaker>> fmt::Debug for TimedPermitOn<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimedPermit")
            .field("breaker", self.breaker.borrow().name())
            .field("token", &self.token)
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}
