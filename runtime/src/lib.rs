//! A latency-aware circuit breaker for servers, for any executor: shared handles, a supervisor, and alert delivery.
//!
//! A [`Breaker`] protects calls to a dependency. It opens when calls get too slow, hang or fail, or when memory runs
//! out, and probes until the dependency has recovered. Admission to a closed breaker takes no lock and reads no clock;
//! recording a call takes two atomic operations. All decisions are made by [`core`], which is re-exported and needs no
//! operating system.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use tripline_runtime::core::{Latency, Policy, StateKind};
//! use tripline_runtime::{Background, Breaker, CallError, SupervisedBreaker, SystemClock, supervise};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut policy = Policy::default();
//! policy.latency_threshold = Latency::from_millis(300);
//! let clock = Arc::new(SystemClock::new());
//! let breaker = Breaker::builder(clock.clone()).name("payments".parse()?).policy(policy).build()?;
//!
//! // The supervisor finds hanging calls, samples memory and stages alerts. Here it runs on its own thread.
//! let (supervisor, dispatcher, stop) = supervise(clock, [SupervisedBreaker::new(breaker.clone())], 1);
//! let background = Background::spawn(supervisor, dispatcher, stop)?;
//!
//! match breaker.call(|| "42".parse::<u32>()) {
//!     Ok(answer) => assert_eq!(answer, 42),
//!     Err(CallError::Rejected(rejection)) => println!("use a fallback: {rejection}"),
//!     Err(CallError::Failed(error)) => println!("the call was made, and failed: {error}"),
//! }
//! assert_eq!(breaker.state(), StateKind::Closed);
//!
//! let left = background.stop(Duration::from_secs(1));
//! assert_eq!(left.undelivered, 0);
//! # Ok(())
//! # }
//! ```
//!
//! # Without a supervisor
//!
//! Latency rules, failure rules and recovery work without a supervisor. Memory and alerts do not, and a hanging call is
//! found only when another call finishes. [`Breaker::supervision`] shows whether a supervisor runs and keeps up.
//!
//! # Features
//!
#![doc = document_features::document_features!()]
//!
//! # Main types by task
//!
//! | task | types |
//! |---|---|
//! | protect calls | [`Breaker`], [`Builder`], [`BreakerName`], [`Registry`] for many, [`Family`] for one per key |
//! | make a call | [`Breaker::call`], [`Breaker::call_async`], or a permit: [`TimedPermit`], [`OwnedTimedPermit`], [`Permit`], [`OwnedPermit`] |
//! | handle a rejection | [`Rejection`], [`CallError`] |
//! | run it in the background | [`supervise`], [`SupervisedBreaker`], [`Supervisor`], [`Dispatcher`], [`Background`], [`ShutdownHandle`], [`Supervision`] |
//! | read the time | [`Clock`]: [`SystemClock`], `TokioClock`, `TscClock`, [`ManualClock`] |
//! | measure memory | [`MemorySource`], [`MockMemory`] |
//! | send alerts | [`AlertSink`], [`Alert`], [`Page`], [`DeliveryError`] |
//! | escalate | [`EscalationPolicy`], [`StagingControl`], [`PendingAlert`] |
//! | survive a restart | [`StateStore`], [`DurableState`] |
//! | share incidents with other replicas | [`Fleet`], [`FleetEngine`], [`FleetRunner`] |
//! | observe | [`Breaker::read`], [`Breaker::changed`], [`LatencyHistogram`], [`DeliveryStats`] |
//! | test | `test_util::World`, `test_util::Traffic`, `test_util::faults`, [`ManualClock`] |
#![deny(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod breaker;
mod clock;
mod dispatch;
mod family;
mod fleet;
mod hot_path;
mod incidents;
mod memory;
mod supervisor;
mod sync;
#[cfg(feature = "test-util")]
pub mod test_util;

pub use breaker::Breaker;
pub use breaker::builder::Builder;
pub use breaker::explanation::{LastingEvidence, TripExplanation};
pub use breaker::mode::Mode;
pub use breaker::name::{BreakerName, InvalidName};
pub use breaker::operator_record::OperatorRecord;
pub use breaker::permit::{OwnedPermit, OwnedTimedPermit, Permit, PermitOn, TimedPermit, TimedPermitOn};
pub use breaker::registry::{DuplicateName, Registry};
pub use breaker::rejection::{CallError, Rejection};
pub use breaker::supervision::Supervision;
pub use clock::manual::ManualClock;
#[cfg(feature = "tokio")]
pub use clock::tokio::TokioClock;
#[cfg(feature = "tsc")]
pub use clock::tsc::TscClock;
pub use clock::{Clock, SystemClock};
pub use dispatch::durable::{DurableState, IncidentRecord, LaneRecord, StateStore};
pub use dispatch::{DeliveryCount, DeliveryStats, Dispatcher, DrainReport, SinkRejection, StoreCount};
pub use family::key::InvalidKey;
pub use family::{Family, FamilyLimits, MAX_FAMILY_WINDOW};
pub use fleet::commands::CommandError;
pub use fleet::engine::{Beat, CommandProgress, EngineError, FleetEngine, Heartbeat};
pub use fleet::part::FleetPart;
pub use fleet::runner::FleetRunner;
pub use fleet::settings::FleetSettings;
pub use fleet::shared::{Fleet, MAX_CALL};
pub use fleet::status::{FleetBreaker, FleetStatus};
pub use hot_path::histogram::LatencyHistogram;
pub use hot_path::samples::{HeapSamples, MAX_WINDOW, SharedCore};
pub use incidents::alert::{
    Alert, AlertSink, DeliveryError, DeliveryHistory, DeliveryStatus, FamilySummary, Page, PageAction, Priority,
    Snapshot,
};
pub use incidents::records::{CreatedAlert, OpenAlert, OpenIncident, StagingRecord};
pub use incidents::staging_control::{PendingAlert, StagingControl};
pub use memory::mock::MockMemory;
pub use memory::{MemoryError, MemoryReading, MemorySource};
pub use supervisor::arrivals::SupervisionHandle;
#[cfg(feature = "smol")]
pub use supervisor::background::Background;
pub use supervisor::shutdown::ShutdownHandle;
pub use supervisor::target::SupervisedBreaker;
pub use supervisor::{Supervisor, supervise};
pub use tripline_core as core;
pub use tripline_core::{AlertKind, EscalationPolicy, Stage, Triggers};
