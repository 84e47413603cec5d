//! Memory sources.

mod memory_cgroup;
mod memory_machine;
