//! Memory sources.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod memory_cgroup;
#[cfg(all(feature = "cgroup", feature = "sysinfo"))]
mod memory_levels;
mod memory_machine;
#[cfg(all(target_os = "linux", feature = "cgroup", feature = "sysinfo"))]
mod memory_namespace;
#[cfg(all(feature = "cgroup", feature = "sysinfo"))]
mod memory_tree;
