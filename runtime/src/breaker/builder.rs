//! The builder of a breaker.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use tripline_core::{CapacityError, Instant, Policy};

use crate::breaker::Breaker;
use crate::breaker::inner::BreakerInner;
use crate::breaker::mode::{CurrentMode, Mode};
use crate::breaker::name::BreakerName;
use crate::breaker::rare::Rare;
use crate::breaker::size::BreakerSize;
use crate::clock::Clock;
use crate::hot_path::gate::Gate;
use crate::hot_path::handoff::HandoffCell;
use crate::hot_path::owned::ExclusiveState;
use crate::hot_path::samples::{HeapSamples, SharedCore};
use crate::hot_path::shared::Shared;
use crate::hot_path::stripe_claims::{CLAIMS_AFTER, StripeCount};
use crate::hot_path::stripes::Stripes;
use crate::sync::{Arc, AtomicU64, Mutex};

/// Builds a [`Breaker`]; created by [`Breaker::builder`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `build`"]
pub struct Builder {
    name: BreakerName,
    clock: Arc<dyn Clock>,
    policy: Policy,
    config_file: Option<PathBuf>,
    stall_detection: bool,
    latency_histogram: bool,
    stripes: StripeCount,
    claims_after: u8,
    mode: Mode,
    seed: u64,
    warm_up_since: Option<Instant>,
    key: Option<Arc<str>>,
    size: BreakerSize,
}

impl Builder {
    /// Sets the name used in every event, alert and metric label. Default: `"default"`.
    pub fn name(mut self, name: BreakerName) -> Self {
        self.name = name;
        self
    }

    /// Sets the policy. Default: [`Policy::default`].
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets whether calls in flight are tracked, so that hanging calls count before they finish. Cost: about 4 ns per
    /// call. Default: true.
    pub fn stall_detection(mut self, on: bool) -> Self {
        self.stall_detection = on;
        self
    }

    /// Sets whether [`Breaker::latency_histogram`] is recorded. Cost: 1 to 2 ns per call, and 136 bytes. Default:
    /// false.
    pub fn latency_histogram(mut self, on: bool) -> Self {
        self.latency_histogram = on;
        self
    }

    /// Sets the number of stripes: the largest power of two that is at most `stripes`, 64 and the number of cores. Threads
    /// on different stripes record good calls without sharing cache lines. Each stripe takes 1.25 KiB; set 1 for a breaker
    /// that handles few calls. Default: as many as possible. A [compact](Builder::compact) breaker has one.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use tripline_runtime::{Breaker, SystemClock};
    /// let breaker = Breaker::builder(Arc::new(SystemClock::new())).stripes(1).build()?;
    /// # Ok::<(), tripline_runtime::core::CapacityError>(())
    /// ```
    pub fn stripes(mut self, stripes: usize) -> Self {
        self.stripes = StripeCount::at_most(stripes.min(of_machine().get()));
        self
    }

    /// As many stripes as a model or test needs, whatever the machine has, claimed by the first call of a thread.
    #[cfg(test)]
    pub(crate) fn exact_stripes(mut self, stripes: usize) -> Self {
        self.stripes = StripeCount::at_most(stripes);
        self.claims_after = 0;
        self
    }

    /// Sets whether the caller enforces rejections. Default: [`Mode::Enforce`].
    ///
    /// With [`Mode::Observe`] rejections count in [`Breaker::would_reject`] instead of [`Breaker::rejected`], and
    /// status, metrics and dashboard show that no call is rejected.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets the seed for the jitter of waits; give each replica a different one. Default: 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the file of the settings, for [`Breaker::config_file`].
    pub fn config_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.config_file = Some(path.into());
        self
    }

    /// Sets when the `warm_up` of the process began, on the clock. For a breaker that is created while its process
    /// already serves calls. Default: it begins with the breaker's first call.
    pub fn warm_up_since(mut self, began_at: Instant) -> Self {
        self.warm_up_since = Some(began_at);
        self
    }

    /// Builds the member `key` of a family, with its own jitter.
    pub(crate) fn member(mut self, key: Arc<str>) -> Self {
        let mut hasher = DefaultHasher::new();
        (self.seed, &*key).hash(&mut hasher);
        self.seed = hasher.finish();
        self.key = Some(key);
        self
    }

    /// Begins the `warm_up` now if it has not begun before.
    pub(crate) fn warming_up(mut self) -> Self {
        self.warm_up_since.get_or_insert(self.clock.now());
        self
    }

    /// The current policy.
    pub(crate) fn policy_in_force(&self) -> &Policy {
        &self.policy
    }

    /// Sets whether the breaker is small: about 2.3 KiB with a window of 64, for one of very many breakers. Its
    /// decisions are the same. Fewer reports can wait while another thread owns its core (8, not 32 to 64), and a hanging
    /// call may count up to an eighth of the threshold later. Rarely used parts, such as the counters of rejections,
    /// take 0.7 KiB on first use. Default: false.
    pub fn compact(mut self, on: bool) -> Self {
        self.size = if on { BreakerSize::COMPACT } else { BreakerSize::FULL };
        self
    }

    /// Builds the breaker.
    ///
    /// # Errors
    /// [`CapacityError`] if the policy's window is larger than [`MAX_WINDOW`](crate::MAX_WINDOW).
    pub fn build(self) -> Result<Breaker, CapacityError> {
        let mut core = SharedCore::with_samples(HeapSamples::default(), &self.policy, self.seed)?;
        if let Some(began_at) = self.warm_up_since {
            core.warm_up_since(began_at, self.clock.now());
        }
        let is_full = self.size == BreakerSize::FULL;
        let stripes = if is_full { self.stripes } else { StripeCount::ONE };
        // Half as many, for the bound of memory: good calls wait in the stripes.
        let waiting_reports = self.size.waiting_reports / if stripes == StripeCount::ONE { 1 } else { 2 };
        let gate = Gate::new(&core, self.stall_detection, Stripes::new(stripes, self.claims_after), is_full);
        let shared = Shared::new(gate, self.size, stripes);
        let stalls = self.stall_detection.then_some(self.size.epochs);
        let exclusive = ExclusiveState::new(core, stalls, self.latency_histogram);
        let rare = OnceLock::new();
        if is_full {
            // Allocated now, so that no call allocates.
            let _ = rare.set(Box::new(Rare { config_file: self.config_file, ..Rare::default() }));
        }
        Ok(Breaker {
            inner: Arc::new(BreakerInner {
                name: self.name,
                key: self.key,
                clock: self.clock,
                stall_detection: self.stall_detection,
                cell: HandoffCell::new(exclusive, shared, waiting_reports),
                mode: CurrentMode::new(self.mode),
                rare,
                reports_dropped: AtomicU64::new(0),
                memory_level: Mutex::new(None),
            }),
        })
    }
}

/// As many stripes as this process may use cores, rounded down.
fn of_machine() -> StripeCount {
    /// 0 = not read yet: reading it opens files.
    static CORES: AtomicUsize = AtomicUsize::new(0);
    if cfg!(tripline_loom) {
        // A model asks for as many as it needs.
        return StripeCount::ONE;
    }
    // Relaxed: a number for itself. Threads that come at the same time read the same one.
    let cores = match CORES.load(Ordering::Relaxed) {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        known => known,
    };
    CORES.store(cores, Ordering::Relaxed);
    StripeCount::at_most(cores)
}

impl Breaker {
    /// Creates a builder of a breaker on this clock.
    pub fn builder(clock: Arc<dyn Clock>) -> Builder {
        Builder {
            name: BreakerName::default(),
            clock,
            policy: Policy::default(),
            config_file: None,
            stall_detection: true,
            latency_histogram: false,
            stripes: of_machine(),
            claims_after: CLAIMS_AFTER,
            mode: Mode::Enforce,
            seed: 0,
            warm_up_since: None,
            key: None,
            size: BreakerSize::FULL,
        }
    }
}
