//! Fault injection: decorators that make a sink, a store, a memory source or a fleet engine fail according to a [`FaultPlan`], and a clock
//! that jumps, lags and drifts ([`SkewedClock`]).
//!
//! A plan is drawn from a seed: the same seed and the same order of operations give the same faults, so a failed test is reproducible. Waits
//! and windows are on the clock that the decorator gets, which is virtual in a [`World`](super::World).
//!
//! | fault | [`FaultySink`] | [`FaultyStore`] | [`FaultyMemory`] | [`FaultyEngine`] |
//! |---|---|---|---|---|
//! | [`Drop`](Fault::Drop) | the alert is lost on its way; retryable | reports success, stores nothing | repeats the last reading, if there is one | the call is lost; unreachable |
//! | [`Delay`](Fault::Delay) | delivers later | saves later | as `Drop` | calls later |
//! | [`Duplicate`](Fault::Duplicate) | delivers twice | saves twice | reads twice | calls twice |
//! | [`Fail`](Fault::Fail) | rejects with status 422, which is retried slowly | an I/O error, stores nothing | cannot be read | rejects |
//! | [`Hang`](Fault::Hang) | no answer, then retryable | no result, then an I/O error; stores nothing | cannot be read | no answer, then unreachable |
//! | [`Corrupt`](Fault::Corrupt) | delivers, and the answer is lost; retryable | an I/O error (`InvalidData`), stores nothing | a malformed file | calls, and the answer is lost |
//! | [`TornWrite`](Fault::TornWrite) | as `Corrupt` | stores the new state, and reports an I/O error | as `Corrupt` | as `Corrupt` |
//! | [`FullDisk`](Fault::FullDisk) | no fault: delivers | an I/O error (`StorageFull`), stores nothing | no fault: reads | rejects |
//!
//! A delay passes before the operation: if the caller gives up meanwhile, it does not take effect. A reading takes no time, so [`FaultyMemory`]
//! ignores durations.
//!
//! [`FaultyStore`] damages no bytes: it sees states, not files, and a [`StateStore`](crate::StateStore) replaces a state as a whole. A
//! write that is cut off leaves the old state ([`Fail`](Fault::Fail)) or the new one ([`TornWrite`](Fault::TornWrite)). To test a start
//! from damaged bytes, damage them where your store keeps them, and decode them as the process does.
//!
//! A sink that loses alerts, rejects them and delivers them late, and its state after it has recovered:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use tripline_runtime::core::{Latency, Outcome, Policy, Ratio};
//! use tripline_runtime::test_util::faults::{Fault, FaultPlan, FaultySink};
//! use tripline_runtime::test_util::{RecordingSink, World};
//! use tripline_runtime::{Breaker, SupervisedBreaker};
//!
//! let world = World::new(7);
//! let mut policy = Policy::default();
//! policy.latency_threshold = Latency::from_millis(300);
//! let breaker = Breaker::builder(world.clock()).policy(policy).build()?;
//!
//! let hour = world.now()..world.now() + Duration::from_secs(3_600);
//! let plan = FaultPlan::new(7)
//!     .during(hour.clone(), Fault::Drop, Ratio::new(0.3)?)
//!     .during(hour.clone(), Fault::Fail, Ratio::new(0.2)?)
//!     .during(hour, Fault::Delay(Duration::from_secs(30)), Ratio::new(0.5)?);
//! let service = Arc::new(RecordingSink::default());
//! let pager = Arc::new(FaultySink::new(service.clone(), world.clock(), plan));
//! let stop = world.supervise([SupervisedBreaker::new(breaker.clone()).sink(pager.clone())]);
//!
//! for call in 0..100 {
//!     let latency = Duration::from_millis(if call < 50 { 900 } else { 20 });
//!     world.request(&breaker, latency, Outcome::Ok);
//!     world.advance(Duration::from_secs(60));
//! }
//! world.advance(Duration::from_secs(3_600));
//! assert!(pager.injected() > 0);
//! assert!(!service.all().is_empty(), "people are paged");
//! assert!(service.open().is_empty(), "what was opened is closed");
//! # stop.stop(Duration::ZERO);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod clock;
mod engine;
mod memory;
mod plan;
mod sink;
mod store;

pub use clock::SkewedClock;
pub use engine::FaultyEngine;
pub use memory::FaultyMemory;
pub use plan::{Fault, FaultPlan};
pub use sink::FaultySink;
pub use store::FaultyStore;
