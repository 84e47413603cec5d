//! Benchmarks of the hot path, in `benches/hot_path`; this library is empty.
