//! The parts of a breaker.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use tripline_core::{Breaker as Core, CapacityError, Policy};

use crate::breaker::Breaker;
use crate::breaker::allowed_calls::AllowedCalls;
use crate::breaker::inner::BreakerInner;
use crate::breaker::name::BreakerName;
use crate::breaker::rejection_counters::RejectionCounters;
use crate::breaker::supervision::SupervisionRecord;
use crate::clock::Clock;
use crate::hot_path::gate::Gate;
use crate::hot_path::handoff::HandoffCell;
use crate::hot_path::owned::ExclusiveState;
use crate::hot_path::shared::Shared;
use crate::hot_path::stripe_claims::{CLAIMS_AFTER, StripeCount};
use crate::sync::{Arc, AtomicU64, Mutex};

/// Makes a [`Breaker`]; from [`Breaker::builder`].
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
    seed: u64,
}

impl Builder {
    /// The name in every event, alert and metric label. Default: `"default"`.
    pub fn name(mut self, name: BreakerName) -> Self {
        self.name = name;
        self
    }

    /// The settings. Default: [`Policy::default`].
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Whether calls in flight are tracked, so that calls that hang count before they finish: about 4 ns for each call. Default: true.
    pub fn stall_detection(mut self, on: bool) -> Self {
        self.stall_detection = on;
        self
    }

    /// Whether [`Breaker::latency_histogram`] is kept: 1 to 2 ns more for each call, and 136 bytes. Default: false.
    pub fn latency_histogram(mut self, on: bool) -> Self {
        self.latency_histogram = on;
        self
    }

    /// Over how many stripes the threads are spread that record calls: the largest power of two that is at most `stripes`, 64 and
    /// the number of cores. Threads on different stripes make good calls without touching the same cache lines; each stripe takes
    /// 1.25 KiB. One is right for a breaker that few calls pass. Default: as many as possible.
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

    /// The seed of the jitter of waits; give each replica another one. Default: 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The file that the settings came from, for [`Breaker::config_file`].
    pub fn config_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.config_file = Some(path.into());
        self
    }

    /// Makes the breaker.
    ///
    /// # Errors
    /// [`CapacityError`] where the policy's window is larger than [`MAX_WINDOW`](crate::MAX_WINDOW).
    pub fn build(self) -> Result<Breaker, CapacityError> {
        let core = Core::new(self.policy, self.seed)?;
        let shared = Shared::new(Gate::new(&core, self.stall_detection), self.stripes, self.claims_after);
        Ok(Breaker {
            inner: Arc::new(BreakerInner {
                name: self.name,
                clock: self.clock,
                config_file: self.config_file,
                stall_detection: self.stall_detection,
                cell: HandoffCell::new(ExclusiveState::new(core, self.stall_detection, self.latency_histogram), shared),
                allowed_calls: AllowedCalls::default(),
                rejection_counters: RejectionCounters::new(),
                reports_dropped: AtomicU64::new(0),
                supervision: SupervisionRecord::default(),
                operations: Mutex::default(),
                forecast: Mutex::new(None),
                memory_level: Mutex::new(None),
                incident: Mutex::default(),
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
    /// A builder of a breaker on this clock.
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
            seed: 0,
        }
    }
}
