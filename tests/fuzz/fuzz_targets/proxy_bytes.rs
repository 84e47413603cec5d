//! See [`tripline_fuzz::proxy_bytes`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tripline_fuzz::proxy_bytes::run(data));
