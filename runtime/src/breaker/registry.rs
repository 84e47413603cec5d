//! The breakers of a process, by name.

use std::collections::BTreeMap;
use std::fmt;

use tripline_core::CapacityError;

use crate::breaker::Breaker;
use crate::breaker::builder::Builder;
use crate::breaker::name::BreakerName;
use crate::sync::{Arc, Mutex, lock};

/// The breakers of a process, by name. Clones share the same breakers. Every method takes a lock for O(log n). No
/// method is on the path of a call.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    breakers: Arc<Mutex<BTreeMap<BreakerName, Breaker>>>,
}

impl Registry {
    /// Creates an empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a breaker under its name.
    ///
    /// # Errors
    /// [`DuplicateName`] if a breaker of that name exists; that one is kept.
    pub fn insert(&self, breaker: Breaker) -> Result<(), DuplicateName> {
        let mut breakers = lock(&self.breakers);
        if breakers.contains_key(breaker.name()) {
            return Err(DuplicateName { name: breaker.name().clone() });
        }
        breakers.insert(breaker.name().clone(), breaker);
        Ok(())
    }

    /// Returns the breaker of this name. If there is none, builds the one of `builder` and adds it under the name.
    /// `builder` runs at most once, with the registry locked; it must not use the registry.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use tripline_runtime::{Breaker, Registry, SystemClock};
    ///
    /// let registry = Registry::new();
    /// let clock = Arc::new(SystemClock::new());
    /// let first = registry.get_or_insert_with("tenant-7".parse()?, || Breaker::builder(clock.clone()))?;
    /// first.force_open();
    /// let second = registry.get_or_insert_with("tenant-7".parse()?, || Breaker::builder(clock.clone()))?;
    /// assert!(second.try_start().is_err(), "it is the same breaker");
    /// assert!(registry.remove("tenant-7").is_some() && registry.get("tenant-7").is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The error of [`Builder::build`]. Nothing is added then.
    pub fn get_or_insert_with(
        &self,
        name: BreakerName,
        builder: impl FnOnce() -> Builder,
    ) -> Result<Breaker, CapacityError> {
        let mut breakers = lock(&self.breakers);
        if let Some(breaker) = breakers.get(&name) {
            return Ok(breaker.clone());
        }
        let breaker = builder().name(name.clone()).build()?;
        breakers.insert(name, breaker.clone());
        Ok(breaker)
    }

    /// Removes the breaker of this name. Its handles and its supervisor continue to work.
    pub fn remove(&self, name: &str) -> Option<Breaker> {
        lock(&self.breakers).remove(name)
    }

    /// Returns the breaker of this name.
    pub fn get(&self, name: &str) -> Option<Breaker> {
        lock(&self.breakers).get(name).cloned()
    }

    /// Returns all breakers, sorted by name.
    pub fn breakers(&self) -> Vec<Breaker> {
        lock(&self.breakers).values().cloned().collect()
    }
}

/// Returned if a breaker of this name exists already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuplicateName {
    /// The name.
    pub name: BreakerName,
}

impl fmt::Display for DuplicateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a breaker named {} exists already; names must differ", self.name)
    }
}

impl std::error::Error for DuplicateName {}
