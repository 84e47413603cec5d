//! Test utilities: a manual clock, settable memory and alerts, [`faults`], and a [`World`] that runs everything on
//! virtual time.
//!
//! ```
//! use std::time::Duration;
//! use tripline_runtime::core::{Latency, Outcome, Policy, StateKind};
//! use tripline_runtime::test_util::World;
//!
//! let world = World::new(1);
//! let mut policy = Policy::default();
//! policy.latency_threshold = Latency::from_millis(300);
//! let subject = world.breaker(policy)?;
//!
//! for _ in 0..100 {
//!     world.request(&subject.breaker, Duration::from_millis(400), Outcome::Ok);
//!     world.advance(Duration::from_millis(100));
//! }
//! assert_eq!(subject.breaker.state(), StateKind::Open);
//! assert_eq!(subject.alerts.all().len(), 1);
//! # Ok::<(), tripline_runtime::core::CapacityError>(())
//! ```

mod executor;
pub mod faults;
mod fleet;
mod sink;
mod store;
mod traffic;
mod world;

pub use crate::clock::manual::ManualClock;
pub use crate::clock::schedule::{Place, Schedule};
pub use fleet::{FleetStep, MemoryFleet, ReplicaTimes, SavedFleet, StepHook};
pub use sink::RecordingSink;
pub use store::MemoryStore;
pub use traffic::{Traffic, TrafficCall};
pub use world::{Subject, TrafficAnswers, World};
