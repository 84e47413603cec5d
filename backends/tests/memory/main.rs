//! Memory sources.

mod memory_cgroup;
#[cfg(all(feature = "cgroup", feature = "sysinfo"))]
mod memory_levels;
mod memory_machine;
#[cfg(all(target_os = "linux", feature = "cgroup", feature = "sysinfo"))]
mod memory_namespace;
#[cfg(all(feature = "cgroup", feature = "sysinfo"))]
mod memory_tree;
