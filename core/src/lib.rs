//! The decision logic of the Tripline circuit breaker, for any target.
//!
//! [`Breaker`] opens *before* a service fails: if a latency percentile of the last calls is above its threshold
//! (optionally only if it rises or is confirmed by evidence), if too many calls fail or hang, or if memory runs out.
//! This crate is `no_std`, allocates nothing, starts no thread, reads no clock and does not panic. Time and
//! measurements are arguments; decisions and [events](Event) are results. `tripline-runtime` wraps it in a shared
//! handle for servers. [`guide::trip_decision`] explains how it decides, [`guide::embedded`] how to use it in firmware
//! and its cost there.
//!
//! | task | types |
//! |---|---|
//! | decide | [`Breaker`], [`Policy`], [`Generation`], [`Outcome`], [`Rejection`] |
//! | pass values with their units | [`Latency`], [`Instant`], [`MonotonicInstant`], [`Percentile`], [`Ratio`], [`Confidence`], [`TripAfter`], [`TickExtender`] |
//! | explain a trip | [`State`], [`TripReason`], [`Trip`], [`TripEvidence`], [`Tolerance`], [`Counts`] |
//! | follow what happens | [`Event`], [`EventKind`], [`IncidentCause`], [`IncidentEnd`] |
//! | watch memory | [`MemorySample`], [`MemoryState`] |
//!
//! | word | meaning |
//! |---|---|
//! | sample | one finished call: latency and outcome |
//! | window | the last `latency_window_size` samples that are not older than `latency_max_age` |
//! | above | the percentile of the window exceeds the threshold |
//! | breach | above, and with `trip_confidence` > 0 [evidence](guide::trip_decision) that has lasted |
//! | tolerance | how long evidence must last: learned, or set by `trip_after` |
//! | false trip | a trip that its first probes contradict: all of them are good |
//! | stalled | a call in flight for longer than the threshold |
//! | probe | a call admitted while half-open |
//! | generation | the period between two transitions; a late result of an earlier one changes nothing |
//! | incident | from a trip until the breaker has been closed and healthy for `recovery_time` |
//!
//! # Features
#![cfg_attr(feature = "document-features", doc = document_features::document_features!())]
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::arithmetic_side_effects
)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::arithmetic_side_effects))]

#[cfg(test)]
extern crate std;

#[cfg(feature = "embedded-hal")]
mod alarm;
mod breaker;
mod counts;
#[cfg(feature = "escalation")]
mod escalation;
mod event;
mod evidence;
#[cfg(feature = "fleet")]
pub mod fleet;
#[cfg(feature = "forecast")]
mod forecast;
mod generation;
pub mod guide;
mod incident;
mod memory;
mod monotonic;
mod open_backoff;
mod outcome;
mod packed_policy;
#[doc(hidden)]
pub mod planted;
mod policy;
mod ring;
mod rules;
#[cfg(feature = "serde")]
mod serde_duration;
mod state;
mod ticks;
mod time;
#[cfg(feature = "trend")]
mod trend;
mod units;
mod window;

#[cfg(feature = "embedded-hal")]
pub use alarm::Alarm;
pub use breaker::{Breaker, CapacityError, Rejection, RejectionReason, Trip, TripEvidence};
pub use counts::{Counter, Counts};
#[cfg(feature = "escalation")]
pub use escalation::{
    AlertKind, AlertTransition, Escalation, EscalationPolicy, Observation, Pending, SavedEscalation, SavedIncident,
    Stage, Triggers,
};
pub use event::{EVENT_CAPACITY, Event, EventKind, IncidentCause, IncidentEnd};
pub use evidence::{EvidenceTest, Tolerance, ToleranceSource};
#[cfg(feature = "forecast")]
pub use forecast::MemoryForecast;
pub use generation::Generation;
#[cfg(feature = "escalation")]
pub use incident::Incident;
pub use memory::{MemorySample, MemoryState};
pub use monotonic::MonotonicInstant;
pub use outcome::Outcome;
pub use policy::{Policy, TripAfter, WARM_UP};
pub use state::{Cause, State, StateKind, TripReason, is_legal};
pub use ticks::TickExtender;
pub use time::Instant;
#[cfg(feature = "trend")]
pub use trend::Trend;
pub use units::{Backoff, Confidence, Latency, MemoryThreshold, OutOfRange, Percentile, Ratio};
pub use window::{Sample, SampleStore};
