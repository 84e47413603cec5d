//! Opens a memory source by its kind.

use std::sync::Arc;

use tripline_runtime::{MemoryError, MemorySource};

#[cfg(feature = "cgroup")]
use super::Cgroup;
#[cfg(feature = "sysinfo")]
use super::Sysinfo;
use super::{MemorySourceKind, MemoryUsed, MockMemory};

/// Opens the source of this kind, with the default [`MemoryUsed`].
///
/// [`Auto`](MemorySourceKind::Auto) is `cgroup` if a limit exists now, otherwise `sysinfo`; the choice is made once.
/// Built without the feature `sysinfo` it is always `cgroup`. The name of the source shows the choice.
///
/// To set a [`MockMemory`] later, create it directly and keep a clone.
///
/// # Errors
/// [`MemoryError`] if the source cannot be read here, or if this program was built without it.
pub fn open(kind: MemorySourceKind) -> Result<Arc<dyn MemorySource>, MemoryError> {
    open_counting(kind, MemoryUsed::default())
}

/// Like [`open`], with a choice of [`MemoryUsed`], which does not apply to [`Mock`](MemorySourceKind::Mock).
///
/// ```
/// use tripline_backends::memory::{MemorySourceKind, MemoryUsed, open_counting};
///
/// match open_counting(MemorySourceKind::Auto, MemoryUsed::WorkingSet).and_then(|source| source.read()) {
///     Ok(reading) => println!("{:?} of {:?} at {:?}", reading.sample.used, reading.sample.limit, reading.level),
///     Err(error) => eprintln!("memory is unknown: {error}"),
/// }
/// ```
///
/// # Errors
/// As [`open`].
pub fn open_counting(kind: MemorySourceKind, figure: MemoryUsed) -> Result<Arc<dyn MemorySource>, MemoryError> {
    match kind {
        MemorySourceKind::Auto => auto(figure),
        MemorySourceKind::Cgroup => cgroup(figure),
        MemorySourceKind::Sysinfo => sysinfo(figure),
        MemorySourceKind::Mock => Ok(Arc::new(MockMemory::default())),
    }
}

#[cfg(feature = "sysinfo")]
fn auto(figure: MemoryUsed) -> Result<Arc<dyn MemorySource>, MemoryError> {
    if let Ok(group) = cgroup(figure)
        && group.sample().is_ok_and(|sample| sample.limit.is_some())
    {
        return Ok(group);
    }
    sysinfo(figure)
}

#[cfg(not(feature = "sysinfo"))]
fn auto(figure: MemoryUsed) -> Result<Arc<dyn MemorySource>, MemoryError> {
    cgroup(figure)
}

#[cfg(feature = "cgroup")]
fn cgroup(figure: MemoryUsed) -> Result<Arc<dyn MemorySource>, MemoryError> {
    Ok(Arc::new(Cgroup::discover()?.counting(figure)))
}

#[cfg(not(feature = "cgroup"))]
fn cgroup(_: MemoryUsed) -> Result<Arc<dyn MemorySource>, MemoryError> {
    Err(built_without("cgroup"))
}

#[cfg(feature = "sysinfo")]
fn sysinfo(figure: MemoryUsed) -> Result<Arc<dyn MemorySource>, MemoryError> {
    Ok(Arc::new(Sysinfo::new()?.counting(figure)))
}

#[cfg(not(feature = "sysinfo"))]
fn sysinfo(_: MemoryUsed) -> Result<Arc<dyn MemorySource>, MemoryError> {
    Err(built_without("sysinfo"))
}

#[cfg(not(all(feature = "cgroup", feature = "sysinfo")))]
fn built_without(feature: &'static str) -> MemoryError {
    let error =
        std::io::Error::new(std::io::ErrorKind::Unsupported, format!("built without the feature \"{feature}\""));
    MemoryError::Unreadable { what: format!("memory source {feature}"), error }
}
