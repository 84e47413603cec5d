//! A service with faults, its callers, and breakers between them: what each breaker turned away, what it let through, and
//! how soon it was back.
//!
//! The loop is closed: a refused call is not made, does not load the service and is not seen by the breaker; the simulator alone
//! knows how it would have gone. All contestants meet the same callers, the same latencies and the same faults; everything
//! is drawn from a seed.

mod contestant;
mod fault;
mod parties;
mod score;
mod service;
mod simulation;
mod table;

pub use contestant::{Admitted, Contestant, Nobody, Tripline};
pub use fault::{Callers, Fault, Scenario, scenarios};
pub use parties::{Consecutive, FixedWait};
pub use score::{Medians, Opening, Score};
pub use service::Service;
pub use simulation::simulate;
pub use table::{HEADER, row};
