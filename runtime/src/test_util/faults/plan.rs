//! Plans of faults.

use std::ops::Range;
use std::time::Duration;

use tripline_core::{Instant, Ratio};

/// A kind of fault; the table in [`faults`](super) describes its effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The operation is lost.
    Drop,
    /// The operation is delayed by up to this time.
    Delay(Duration),
    /// The operation is done twice.
    Duplicate,
    /// The operation fails at once.
    Fail,
    /// The operation does not respond for this time, then fails.
    Hang(Duration),
    /// The response is unreadable. A reading is malformed. A call or a delivery takes effect, but its answer is lost. A save stores nothing
    /// and reports an error. Stored bytes are never damaged.
    Corrupt,
    /// The write is cut off after it took effect: the new state is stored whole, and an error is reported. Where nothing is written, as
    /// [`Corrupt`](Fault::Corrupt).
    TornWrite,
    /// The disk is full.
    FullDisk,
}

/// A plan of faults, drawn from a seed.
///
/// ```
/// use std::time::Duration;
/// use tripline_runtime::core::{Instant, Ratio};
/// use tripline_runtime::test_util::faults::{Fault, FaultPlan};
///
/// let noon = Instant::ZERO + Duration::from_secs(12 * 3_600);
/// let mut plan = FaultPlan::new(1).during(noon..noon + Duration::from_secs(60), Fault::FullDisk, Ratio::ONE);
/// assert_eq!(plan.draw(Instant::ZERO), None);
/// assert_eq!(plan.draw(noon), Some(Fault::FullDisk));
/// # let _ = Ratio::new(0.5)?;
/// # Ok::<(), tripline_runtime::core::OutOfRange>(())
/// ```
#[derive(Debug, Clone)]
pub struct FaultPlan {
    seed: u64,
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    window: Range<Instant>,
    fault: Fault,
    share: f64,
    random: fastrand::Rng,
}

impl FaultPlan {
    /// Creates a plan without faults.
    pub fn new(seed: u64) -> Self {
        Self { seed, rules: Vec::new() }
    }

    /// Adds a fault for this share of all operations.
    #[must_use]
    pub fn with(self, fault: Fault, share: Ratio) -> Self {
        self.during(Instant::ZERO..Instant::from_nanos(u64::MAX), fault, share)
    }

    /// Adds a fault for this share of the operations in `window`. Faults are drawn independently; if several apply to an operation, the one
    /// that was added first wins.
    #[must_use]
    pub fn during(mut self, window: Range<Instant>, fault: Fault, share: Ratio) -> Self {
        // Each rule has its own generator, so that an added rule does not change the others.
        let alike = self.rules.iter().filter(|rule| rule.window == window).count() as u64;
        let window_seed = window.start.as_nanos().rotate_left(17) ^ window.end.as_nanos();
        let seed = self.seed ^ window_seed ^ alike.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.rules.push(Rule { window, fault, share: share.get(), random: fastrand::Rng::with_seed(seed) });
        self
    }

    /// Draws the fault of an operation at `now`. A delay is uniform from 0 to its maximum. O(number of faults of the plan).
    pub fn draw(&mut self, now: Instant) -> Option<Fault> {
        let active = self.rules.iter_mut().filter(|rule| rule.window.contains(&now));
        let hit: Vec<Fault> = active.filter_map(Rule::draw).collect();
        hit.into_iter().next()
    }

    /// Whether an operation at `now` may have a fault.
    pub fn is_active(&self, now: Instant) -> bool {
        self.rules.iter().any(|rule| rule.window.contains(&now))
    }
}

impl Rule {
    /// Every operation draws the same number of times.
    fn draw(&mut self) -> Option<Fault> {
        let (hit, length) = (self.random.f64(), self.random.f64());
        let fault = match self.fault {
            Fault::Delay(up_to) => Fault::Delay(up_to.mul_f64(length)),
            other => other,
        };
        (hit < self.share).then_some(fault)
    }
}
