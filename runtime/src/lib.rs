//! The Tripline circuit breaker for servers: shared handles, a supervisor, alert dispatch, on any executor.
//!
//! - [`Breaker`] is what requests use: ask, call, finish. Asking a closed breaker takes no lock and no clock.
//! - [`supervise`] gives two futures for any executor: the [`Supervisor`] samples memory, sees calls that hang and turns
//!   incidents into alerts; the [`Dispatcher`] delivers those. Without them latency rules and recovery still work, but
//!   memory and alerts do not, and a hanging call is seen only when some other call finishes.
//! - [`EscalationPolicy`] says which alerts an incident makes, and when; a [`StagingControl`] changes it while everything runs.
//! - [`Clock`], [`MemorySource`] and [`AlertSink`] are what you can plug in. The feature `test-util` brings one of each for
//!   tests, and a world that runs everything on virtual time.
//!
//! All decisions are made by [`core`], which is re-exported.
#![deny(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod breaker;
mod clock;
mod dispatch;
mod hot_path;
mod incidents;
mod memory;
mod supervisor;
mod sync;
#[cfg(feature = "test-util")]
pub mod test_util;

pub use breaker::Breaker;
pub use breaker::builder::Builder;
pub use breaker::explanation::TripExplanation;
pub use breaker::name::{BreakerName, InvalidName};
pub use breaker::permit::{OwnedPermit, OwnedTimedPermit, Permit, PermitOn, TimedPermit, TimedPermitOn};
pub use breaker::registry::{DuplicateName, Registry};
pub use breaker::rejection::{CallError, Rejection};
#[cfg(feature = "tsc")]
pub use clock::tsc::TscClock;
pub use clock::{Clock, SystemClock};
pub use dispatch::durable::{DurableState, IncidentRecord, LaneRecord, StateStore};
pub use dispatch::{DeliveryCount, DeliveryStats, Dispatcher, DrainReport, StoreCount};
pub use hot_path::histogram::LatencyHistogram;
pub use hot_path::owned::MAX_WINDOW;
pub use incidents::alert::{
    Alert, AlertSink, DeliveryError, DeliveryHistory, DeliveryStatus, Page, PageAction, Priority, Snapshot,
};
pub use incidents::records::{CreatedAlert, OpenAlert, OpenIncident, StagingRecord};
pub use incidents::staging_control::{PendingAlert, StagingControl};
pub use memory::mock::MockMemory;
pub use memory::{MemoryError, MemorySource};
#[cfg(feature = "smol")]
pub use supervisor::background::Background;
pub use supervisor::shutdown::ShutdownHandle;
pub use supervisor::target::SupervisedBreaker;
pub use supervisor::{Supervisor, supervise};
pub use tripline_core as core;
pub use tripline_core::{AlertKind, EscalationPolicy, Stage, Triggers};
