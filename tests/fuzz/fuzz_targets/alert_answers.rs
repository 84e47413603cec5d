//! See [`tripline_fuzz::alert_answers`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tripline_fuzz::alert_answers::run(data));
