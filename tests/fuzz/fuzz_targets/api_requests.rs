//! See [`tripline_fuzz::api_requests`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tripline_fuzz::api_requests::run(data));
