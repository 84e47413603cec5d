//! The Tripline circuit breaker for servers.
#![deny(unsafe_code)]

mod clock;
mod memory;
mod name;

pub use clock::{Clock, SystemClock};
pub use memory::{MemoryError, MemorySource};
pub use name::{BreakerName, InvalidName};
pub use tripline_core as core;
