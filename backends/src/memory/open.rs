//! From the name of a source to the source.

use std::sync::Arc;

use tripline_runtime::{MemoryError, MemorySource};

#[cfg(feature = "cgroup")]
use super::Cgroup;
#[cfg(feature = "sysinfo")]
use super::Sysinfo;
use super::{MemorySourceKind, MockMemory};

/// Opens the source of this kind.
///
/// [`Auto`](MemorySourceKind::Auto) is `cgroup` where a limit exists at this moment, else `sysinfo`; it does not choose
/// again later. Built without the feature `sysinfo` it is `cgroup` in any case. The source's name says what was chosen.
///
/// To set a [`MockMemory`] later, make it yourself and keep a clone.
///
/// # Errors
/// [`MemoryError`] where the source cannot be read here, or where this program was built without it.
pub fn open(kind: MemorySourceKind) -> Result<Arc<dyn MemorySource>, MemoryError> {
    match kind {
        MemorySourceKind::Auto => auto(),
        MemorySourceKind::Cgroup => cgroup(),
        MemorySourceKind::Sysinfo => sysinfo(),
        MemorySourceKind::Mock => Ok(Arc::new(MockMemory::default())),
    }
}

#[cfg(feature = "sysinfo")]
fn auto() -> Result<Arc<dyn MemorySource>, MemoryError> {
    if let Ok(group) = cgroup()
        && group.sample().is_ok_and(|sample| sample.limit.is_some())
    {
        return Ok(group);
    }
    sysinfo()
}

#[cfg(not(feature = "sysinfo"))]
fn auto() -> Result<Arc<dyn MemorySource>, MemoryError> {
    cgroup()
}

#[cfg(feature = "cgroup")]
fn cgroup() -> Result<Arc<dyn MemorySource>, MemoryError> {
    Ok(Arc::new(Cgroup::discover()?))
}

#[cfg(not(feature = "cgroup"))]
fn cgroup() -> Result<Arc<dyn MemorySource>, MemoryError> {
    Err(built_without("cgroup"))
}

#[cfg(feature = "sysinfo")]
fn sysinfo() -> Result<Arc<dyn MemorySource>, MemoryError> {
    Ok(Arc::new(Sysinfo::new()?))
}

#[cfg(not(feature = "sysinfo"))]
fn sysinfo() -> Result<Arc<dyn MemorySource>, MemoryError> {
    Err(built_without("sysinfo"))
}

#[cfg(not(all(feature = "cgroup", feature = "sysinfo")))]
fn built_without(feature: &'static str) -> MemoryError {
    let error =
        std::io::Error::new(std::io::ErrorKind::Unsupported, format!("built without the feature \"{feature}\""));
    MemoryError::Unreadable { what: format!("memory source {feature}"), error }
}
