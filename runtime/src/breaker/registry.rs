//! All breakers of a process, by name.

use std::collections::BTreeMap;
use std::fmt;

use tripline_core::CapacityError;

use crate::breaker::Breaker;
use crate::breaker::builder::Builder;
use crate::breaker::name::BreakerName;
use crate::sync::{Arc, Mutex, lock};

/// The breakers of a process, by name. Clones share the same breakers. Every method takes a lock for O(log n), and none is on the
/// path of a call.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    breakers: Arc<Mutex<BTreeMap<BreakerName, Breaker>>>,
}

impl Registry {
    /// A registry without breakers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a breaker under its name.
    ///
    /// # Errors
    /// [`DuplicateName`] where there is one of that name; it stays.
    pub fn insert(&self, breaker: Breaker) -> Result<(), DuplicateName> {
        let mut breakers = lock(&self.breakers);
        if breakers.contains_key(breaker.name()) {
            return Err(DuplicateName { name: breaker.name().clone() });
        }
        breakers.insert(breaker.name().clone(), breaker);
        Ok(())
    }

    /// The breaker of this name; where there is none, the one that `builder` describes is made and added under the name. `builder` runs
    /// at most once, while other threads wait for the registry, which it must not use.
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
    /// That of [`Builder::build`]; then nothing is added.
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

    /// Removes the breaker of this name. Handles of it, and its supervisor, go on.
    pub fn remove(&self, name: &str) -> Option<Breaker> {
        lock(&self.breakers).remove(name)
    }

    /// The breaker of this name.
    pub fn get(&self, name: &str) -> Option<Breaker> {
        lock(&self.breakers).get(name).cloned()
    }

    /// All breakers, sorted by name.
    pub fn breakers(&self) -> Vec<Breaker> {
        lock(&self.breakers).values().cloned().collect()
    }
}

/// A breaker of this name exists already.
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
