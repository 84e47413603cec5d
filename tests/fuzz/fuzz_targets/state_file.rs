//! See [`tripline_fuzz::state_file`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tripline_fuzz::state_file::run(data));
