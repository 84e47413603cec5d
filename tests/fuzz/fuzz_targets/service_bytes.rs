//! See [`tripline_fuzz::service_bytes`].
#![no_main]

use std::sync::OnceLock;

use async_signal::{Signal, Signals};

/// The fuzzer starts without Rust's runtime, which ignores this signal: a write to a connection that the client has closed would end the
/// process.
static BROKEN_PIPES: OnceLock<Option<Signals>> = OnceLock::new();

libfuzzer_sys::fuzz_target!(
    init: {
        BROKEN_PIPES.get_or_init(|| Signals::new([Signal::Pipe]).ok());
    },
    |data: &[u8]| tripline_fuzz::service_bytes::run(data)
);
