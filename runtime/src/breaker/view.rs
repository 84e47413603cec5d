//! Read-only views of a breaker.

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
    /// Returns the name.
    pub fn name(&self) -> &BreakerName {
        &self.inner.name
    }

    /// Returns the key of a member of a [`Family`](crate::Family).
    pub fn key(&self) -> Option<&str> {
        self.inner.key.as_deref()
    }

    /// Does the same as [`Breaker::key`], for a holder that keeps the key.
    pub(crate) fn shared_key(&self) -> Option<Arc<str>> {
        self.inner.key.clone()
    }

    /// Number of handles of this breaker, this one included.
    pub fn handles(&self) -> usize {
        Arc::strong_count(&self.inner)
    }

    /// What distinguishes it from every other breaker that there is.
    pub(crate) fn id(&self) -> usize {
        Arc::as_ptr(&self.inner).addr()
    }

    pub(crate) fn is_only_handle(&self) -> bool {
        Arc::strong_count(&self.inner) == 1
    }

    /// Returns the clock.
    #[inline]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// Returns the file of the settings; `None` for a [compact](crate::Builder::compact) breaker.
    pub fn config_file(&self) -> Option<&Path> {
        self.inner.rare_if_used()?.config_file.as_deref()
    }

    /// Whether the caller enforces rejections.
    pub fn mode(&self) -> Mode {
        self.inner.mode.get()
    }

    /// Whether calls in flight are tracked.
    pub fn detects_stalls(&self) -> bool {
        self.inner.stall_detection
    }

    /// Returns the present state. An open breaker whose wait has ended stays open until the next call.
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

    /// Number of calls in flight; 0 if they are not tracked.
    pub fn in_flight(&self) -> usize {
        usize::try_from(self.inner.with_exclusive(ExclusiveState::in_flight)).unwrap_or(usize::MAX)
    }

    /// Number of reports that were dropped because there was no room for them while another thread owned the core.
    pub fn reports_dropped(&self) -> u64 {
        // Relaxed: a statistic.
        self.inner.reports_dropped.load(Ordering::Relaxed)
    }

    /// The age from which a call in flight counts as slow.
    #[inline]
    pub fn slow_after(&self) -> Latency {
        self.inner.shared().gate.slow_after()
    }

    /// Number of calls rejected since the breaker was created, without [those](Self::would_reject) of
    /// [`Mode::Observe`](crate::Mode).
    pub fn rejected(&self) -> u64 {
        self.inner.rare_if_used().map_or(0, |rare| rare.rejection_counters.all())
    }

    /// Number of calls rejected for this reason, a part of [`Breaker::rejected`].
    pub fn rejected_for(&self, reason: RejectionReason) -> u64 {
        self.inner.rare_if_used().map_or(0, |rare| rare.rejection_counters.of(reason))
    }

    /// Number of calls that would have been rejected since the breaker was created: those without a permit in
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

    /// Number of calls that would have been rejected for this reason, a part of [`Breaker::would_reject`].
    pub fn would_reject_for(&self, reason: RejectionReason) -> u64 {
        self.inner.rare_if_used().map_or(0, |rare| rare.would_reject_counters.of(reason))
    }

    /// Returns the histogram of latencies since the breaker was created; `None` without
    /// [`latency_histogram`](crate::Builder::latency_histogram). All its values are of the same instant.
    pub fn latency_histogram(&self) -> Option<LatencyHistogram> {
        self.inner.with_exclusive(|exclusive, _| exclusive.histogram.as_deref().copied())
    }

    /// Reads from the core, after advancing time to now. While `read` runs, other threads wait for the core or leave
    /// their reports for it, so keep it short. `read` must not use this breaker: it would wait for itself.
    pub fn read<R>(&self, read: impl FnOnce(&SharedCore) -> R) -> R {
        self.inner.read(read)
    }
}
