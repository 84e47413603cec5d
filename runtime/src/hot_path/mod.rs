//! The lock-free path of a call: the gate that admits it, the stripes in which good calls wait, the handoff that gives the core
//! to one owner at a time, and the count of calls in flight.

pub(crate) mod call_token;
pub(crate) mod gate;
pub(crate) mod gate_word;
pub(crate) mod handoff;
pub(crate) mod histogram;
pub(crate) mod in_flight;
#[cfg(all(test, tripline_loom))]
mod loom_tests;
pub(crate) mod owned;
pub(crate) mod samples;
pub(crate) mod shared;
pub(crate) mod stall_detector;
pub(crate) mod stripe_claims;
pub(crate) mod stripes;
pub(crate) mod thread_number;
