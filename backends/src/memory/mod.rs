//! Where memory readings come from.
//!
//! | source | used | limit |
//! |---|---|---|
//! | [`Cgroup`] | the group's working set | the smallest limit from the group up, at most the machine's memory |
//! | [`Sysinfo`] | the machine's total memory minus what is available | the machine's total memory |
//! | [`MockMemory`] | whatever it was set to | whatever it was set to |
//!
//! [`open`] makes the one that a [`MemorySourceKind`] names. [`ResidentMemory`] is no source: it is a figure to show
//! beside one, how much of the memory is this process's own.
//!
//! A breaker that opened because memory ran out closes only when memory is given back to the system. Some allocators
//! keep what they once had, and then memory alone never brings the breaker back: the operator's `reset` does, or a
//! restart.
//!
//! `Cgroup` needs the feature `cgroup`, `Sysinfo` the feature `sysinfo`, and everything else but [`MemorySourceKind`]
//! either of them.

#[cfg(feature = "cgroup")]
mod cgroup;
mod kind;
#[cfg(any(feature = "cgroup", feature = "sysinfo"))]
mod open;
#[cfg(any(feature = "cgroup", feature = "sysinfo"))]
mod parse;
#[cfg(any(feature = "cgroup", feature = "sysinfo"))]
mod reread;
#[cfg(any(feature = "cgroup", feature = "sysinfo"))]
mod resident;
#[cfg(feature = "sysinfo")]
mod sysinfo;

#[cfg(feature = "cgroup")]
pub use cgroup::Cgroup;
pub use kind::{MemorySourceKind, UnknownMemorySource};
#[cfg(any(feature = "cgroup", feature = "sysinfo"))]
pub use open::open;
#[cfg(any(feature = "cgroup", feature = "sysinfo"))]
pub use resident::ResidentMemory;
#[cfg(feature = "sysinfo")]
pub use sysinfo::Sysinfo;
#[cfg(any(feature = "cgroup", feature = "sysinfo"))]
pub use tripline_runtime::MockMemory;
