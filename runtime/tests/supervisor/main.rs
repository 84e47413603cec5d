//! The supervisor, families under it, and the decorators with faults.
#![cfg(feature = "test-util")]

mod family_supervision;
mod faults;
mod supervision;
