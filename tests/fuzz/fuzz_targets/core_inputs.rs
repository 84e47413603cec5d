//! See [`tripline_fuzz::core_inputs`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tripline_fuzz::core_inputs::run(data));
