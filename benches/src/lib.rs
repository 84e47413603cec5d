//! Benches of the hot path; see `benches/hot_path`.
