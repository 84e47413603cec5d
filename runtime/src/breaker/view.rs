//! Reading a breaker.

use std::path::Path;

use tripline_core::{Latency, RejectionReason, StateKind};

use crate::breaker::Breaker;
use crate::breaker::mode::Mode;
use crate::breaker::name::BreakerName;
use crate::clock::Clock;
use crate::hot_path::histogram::LatencyHistogram;
use crate::hot_path::owned::ExclusiveState;
use crate::hot_path::samples::SharedCore;
use crate::sync::{Arc, Ordering};

/// Reading.
impl Breaker {
    /// The name.
    pub fn name(&self) -> &BreakerName {
        &self.inner.name
    }

    /// The key, of a member of a [`Family`](crate::Family).
    pub fn key(&self) -> Option<&str> {
        self.inner.key.as_deref()
    }

    /// Whether this is the only handle of its breaker.
    pub(crate) fn is_only_handle(&self) -> bool {
        Arc::strong_count(&self.inner) == 1
    }

    /// The clock.
    #[inline]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// The file that the settings came from; `None` for a [compact](crate::Builder::compact) breaker.
    pub fn config_file(&self) -> Option<&Path> {
        self.inner.rare_if_used()?.config_file.as_deref()
    }

    /// Whether the caller carries rejections out.
    pub fn mode(&self) -> Mode {
        self.inner.mode.get()
    }

    /// Whether calls in flight are tracked.
    pub fn detects_stalls(&self) -> bool {
        self.inner.stall_detection
    }

    /// The state now. An open breaker whose wait is over stays open until the next call asks.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use tripline_runtime::core::StateKind;
    /// # use tripline_runtime::{Breaker, SystemClock};
    /// # let breaker = Breaker::builder(Arc::new(SystemClock::new())).build()?;
    /// assert_eq!(breaker.state(), StateKind::Closed);
    /// breaker.force_open();
    /// assert_eq!(breaker.state(), StateKind::ForcedOpen);
    /// # Ok::<(), tripline_runtime::core::CapacityError>(())
    /// ```
    pub fn state(&self) -> StateKind {
        self.read(|core| core.state().kind())
    }

    /// Calls in flight; 0 where they are not tracked.
    pub fn in_flight(&self) -> usize {
        usize::try_from(self.inner.with_exclusive(ExclusiveState::in_flight)).unwrap_or(usize::MAX)
    }

    /// Reports of calls that were dropped because there was no room for more while another thread owned the core.
    pub fn reports_dropped(&self) -> u64 {
        // Relaxed: a statistic.
        self.inner.reports_dropped.load(Ordering::Relaxed)
    }

    /// The age from which a call in flight is slow.
    #[inline]
    pub fn slow_after(&self) -> Latency {
        self.inner.shared().gate.slow_after()
    }

    /// Calls that were rejected since the breaker was made, without [those](Self::would_reject) of [`Mode::Observe`](crate::Mode).
    pub fn rejected(&self) -> u64 {
        self.inner.rare_if_used().map_or(0, |rare| rare.rejection_counters.all())
    }

    /// The part of [`Breaker::rejected`] with this reason.
    pub fn rejected_for(&self, reason: RejectionReason) -> u64 {
        self.inner.rare_if_used().map_or(0, |rare| rare.rejection_counters.of(reason))
    }

    /// Calls that would have been rejected since the breaker was made: those that asked in vain in
    /// [`Mode::Observe`](crate::Mode::Observe).
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use tripline_runtime::{Breaker, Mode, SystemClock};
    /// let breaker = Breaker::builder(Arc::new(SystemClock::new())).mode(Mode::Observe).build()?;
    /// breaker.force_open();
    /// assert!(breaker.try_start().is_err());
    /// assert_eq!((breaker.rejected(), breaker.would_reject()), (0, 1));
    /// # Ok::<(), tripline_runtime::core::CapacityError>(())
    /// ```
    pub fn would_reject(&self) -> u64 {
        self.inner.rare_if_used().map_or(0, |rare| rare.would_reject_counters.all())
    }

    /// The part of [`Breaker::would_reject`] with this reason.
    pub fn would_reject_for(&self, reason: RejectionReason) -> u64 {
        self.inner.rare_if_used().map_or(0, |rare| rare.would_reject_counters.of(reason))
    }

    /// How long calls took since the breaker was made; `None` without
    /// [`latency_histogram`](crate::Builder::latency_histogram). All its figures are of the same moment.
    pub fn latency_histogram(&self) -> Option<LatencyHistogram> {
        self.inner.with_exclusive(|exclusive, _| exclusive.histogram.as_deref().copied())
    }

    /// Reads from the core, after letting time pass to now. While `read` runs, other threads wait for the core or leave their
    /// reports to it: keep it short. It must not use this breaker, or it waits for itself.
    pub fn read<R>(&self, read: impl FnOnce(&SharedCore) -> R) -> R {
        self.inner.read(read)
    }
}
