//! The Tripline circuit breaker for servers: shared handles, a supervisor, alert dispatch, on any executor.
//!
//! - [`Breaker`] is what requests use: ask, call, finish. Asking a closed breaker takes no lock and no clock.
//! - [`supervise`] gives two futures for any executor: the [`Supervisor`] samples memory, sees calls that hang and turns
//!   incidents into alerts; the [`Dispatcher`] delivers those. Without them latency rules and recovery still work, but
//!   memory and alerts do not, and a hanging call is seen only when some other call finishes.
//! - [`StagingPolicy`] says which alerts an incident makes, and when; a [`StagingControl`] changes it while everything runs.
//! - [`Clock`], [`MemorySource`] and [`AlertSink`] are what you can plug in. The feature `test-util` brings one of each for
//!   tests, and a world that runs everything on virtual time.
//!
//! All decisions are made by [`core`], which is re-exported.
#![deny(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod admission;
mod alert;
#[cfg(feature = "smol")]
mod background;
mod backoff;
mod breaker;
mod builder;
mod call;
mod classic;
mod clock;
mod dispatch;
mod driver;
mod durable;
mod entrance;
mod forecast;
mod front;
mod histogram;
mod incident_book;
mod memory;
mod mock_memory;
#[cfg(all(test, tripline_loom))]
mod models;
mod name;
mod permit;
mod refusals;
mod registry;
mod rejection;
mod staging_control;
mod staging_record;
mod stalls;
mod stop;
mod supervisor;
mod sync;
#[cfg(feature = "test-util")]
pub mod test_util;
mod ticket;
mod token;
#[cfg(feature = "tsc")]
mod tsc_clock;
#[cfg(feature = "serde")]
mod wall_time;
mod watch;

pub use alert::{Alert, AlertSink, Arrival, DeliveryError, Earlier, Page, PageAction, Priority, Snapshot};
#[cfg(feature = "smol")]
pub use background::Background;
pub use breaker::Breaker;
pub use builder::Builder;
pub use clock::{Clock, SystemClock};
pub use dispatch::{DeliveryCount, DeliveryStats, Dispatcher, DrainReport, StoreCount};
pub use driver::CAPACITY;
pub use durable::{DurableState, LaneRecord, StateStore, ToldRecord};
pub use histogram::LatencyHistogram;
pub use memory::{MemoryError, MemorySource};
pub use mock_memory::MockMemory;
pub use name::{BreakerName, InvalidName};
pub use permit::{OwnedPermit, OwnedTimed, Permit, PermitOn, Timed, TimedOn};
pub use registry::{DuplicateName, Registry};
pub use rejection::{CallError, Rejection};
pub use staging_control::{PendingAlert, StagingControl};
pub use staging_record::{CreatedAlert, OpenAlert, OpenIncident, StagingRecord};
pub use stop::Stop;
pub use supervisor::{Supervisor, supervise};
pub use tripline_core as core;
pub use tripline_core::{AlertKind, Stage, StagingPolicy, Triggers};
#[cfg(feature = "tsc")]
pub use tsc_clock::TscClock;
pub use watch::Watch;
