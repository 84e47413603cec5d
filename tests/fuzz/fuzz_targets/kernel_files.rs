//! See [`tripline_fuzz::kernel_files`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tripline_fuzz::kernel_files::run(data));
