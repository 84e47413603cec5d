//! Alerts from an incident to their sink: stages, delivery, durable records, outdated inputs.
#![cfg(feature = "test-util")]

mod delivery;
mod durable;
mod family_per_key;
mod outdated_inputs;
mod rejections;
mod support;
