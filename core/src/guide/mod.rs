//! Guides: how the breaker decides, and how to use it in firmware.

pub mod embedded;
pub mod trip_decision;
