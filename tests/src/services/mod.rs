//! Services by mechanism: queues, pauses, bursts and failures, from which the latencies follow. The trip decision is
//! scored on them.
//!
//! Every service is drawn from its seed: within a kind no two are alike. A service is a fixed trace: rejecting its
//! calls does not relieve it, which is pessimistic for every breaker.

mod failing;
mod harsh;
mod healthy;
pub mod judge;
mod life;
pub mod methods;
mod parts;
mod pool;
pub mod report;
mod trace;

pub use failing::Failing;
pub use harsh::Harsh;
pub use healthy::Healthy;
pub use life::Life;
pub use trace::{Call, SECOND_US};

/// A kind of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Must not cause a page.
    Healthy(Healthy),
    /// Healthy, but with hiccups that resemble a failure.
    Harsh(Harsh),
    /// Fails from its onset on.
    Failing(Failing),
}

impl Kind {
    /// All kinds of the three groups.
    pub fn all() -> impl Iterator<Item = Self> {
        let healthy = Healthy::ALL.into_iter().map(Self::Healthy);
        let harsh = Harsh::ALL.into_iter().map(Self::Harsh);
        healthy.chain(harsh).chain(Failing::ALL.into_iter().map(Self::Failing))
    }
}

/// A service's calls in the order of their starts.
#[derive(Debug, Clone)]
pub struct Service {
    /// The kind of service.
    pub kind: Kind,
    /// Calls per second in normal operation.
    pub rate: f64,
    /// All of its calls.
    pub calls: Vec<Call>,
    /// Observation time.
    pub length_us: u64,
    /// The onset of its failure.
    pub onset_us: Option<u64>,
}

impl Service {
    /// Draws the service of this kind, rate and seed. A healthy one is observed for `length_s` seconds, a failing one
    /// until three minutes (longer at low rates) after its onset.
    pub fn new(kind: Kind, rate: f64, seed: u64, length_s: f64) -> Self {
        let seed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ rate.to_bits().rotate_left(17);
        let trace = match kind {
            Kind::Healthy(kind) => healthy::trace(kind, rate, seed, length_s),
            Kind::Harsh(kind) => harsh::trace(kind, rate, seed, length_s),
            Kind::Failing(kind) => failing::trace(kind, rate, seed),
        };
        Self { kind, rate, calls: trace.calls, length_us: trace.length_us, onset_us: trace.onset_us }
    }

    /// Returns the 95th percentile of its calls before it fails, in microseconds, without the first tenth.
    pub fn p95_us(&self) -> u32 {
        let until = self.onset_us.unwrap_or(self.length_us);
        let healthy = self.calls.iter().filter(|call| (until / 10..until).contains(&call.start_us));
        let mut latencies: Vec<u32> = healthy.map(|call| call.latency_us).collect();
        latencies.sort_unstable();
        latencies.get(latencies.len() * 95 / 100).copied().unwrap_or(1)
    }
}
