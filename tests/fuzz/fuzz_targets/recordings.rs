//! See [`tripline_fuzz::recordings`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tripline_fuzz::recordings::run(data));
