//! Sources of memory readings.
//!
//! | source | used | limit |
//! |---|---|---|
//! | [`Cgroup`] | of each level with a limit: usage less what the kernel takes back under pressure | the limit of the worst level, at most the machine's memory |
//! | [`Sysinfo`] | the machine's memory less what is available and the ZFS cache above its minimum | the machine's memory less huge pages set aside |
//! | [`MockMemory`] | the value that was set | the value that was set |
//!
//! [`open`] opens the source of a [`MemorySourceKind`]; [`MemoryUsed`] selects the figure. [`ResidentMemory`] is not a
//! source: it shows how much of the memory belongs to this process.
//!
//! `Cgroup` requires the feature `cgroup`, `Sysinfo` the feature `sysinfo`, and everything else except
//! [`MemorySourceKind`] and [`MemoryUsed`] either of them.
//!
#![doc = include_str!("../../docs/memory.md")]

#[cfg(feature = "cgroup")]
mod cgroup;
#[cfg(any(feature = "cgroup", feature = "sysinfo"))]
mod kernel_file;
mod kind;
#[cfg(feature = "sysinfo")]
mod machine;
#[cfg(any(feature = "cgroup", feature = "sysinfo"))]
mod open;
#[cfg(any(feature = "cgroup", feature = "sysinfo"))]
mod parse;
#[cfg(any(feature = "cgroup", feature = "sysinfo"))]
mod pressure;
#[cfg(any(feature = "cgroup", feature = "sysinfo"))]
mod resident;
#[cfg(feature = "sysinfo")]
mod sysinfo;
mod used;

#[cfg(feature = "cgroup")]
pub use cgroup::Cgroup;
pub use kind::{MemorySourceKind, UnknownMemorySource};
#[cfg(any(feature = "cgroup", feature = "sysinfo"))]
pub use open::{open, open_counting};
#[cfg(any(feature = "cgroup", feature = "sysinfo"))]
pub use resident::ResidentMemory;
#[cfg(feature = "sysinfo")]
pub use sysinfo::Sysinfo;
#[cfg(any(feature = "cgroup", feature = "sysinfo"))]
pub use tripline_runtime::MockMemory;
pub use used::{MemoryUsed, UnknownMemoryUsed};
