//! Closed-loop simulation of a service with faults, its callers, and a breaker between them: rejected calls, admitted slow calls,
//! and time to recover.
//!
//! A rejected call is not made, does not load the service and is not seen by the breaker; only the simulator knows its latency.
//! All contestants see the same callers, latencies and faults, which are drawn from a seed.

mod contestant;
mod fault;
mod parties;
mod score;
mod service;
mod simulation;
mod table;

pub use contestant::{Admitted, Contestant, NoBreaker, Tripline};
pub use fault::{Callers, Fault, Scenario, scenarios};
pub use parties::{Consecutive, FixedWait};
pub use score::{Medians, Opening, Score};
pub use service::Service;
pub use simulation::simulate;
pub use table::{HEADER, row};
