//! All breakers of a process, by name.

use std::collections::BTreeMap;
use std::fmt;

use crate::breaker::Breaker;
use crate::breaker::name::BreakerName;
use crate::sync::{Arc, Mutex, lock};

/// The breakers of a process, by name. Clones share the same breakers.
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
    pub fn add(&self, breaker: Breaker) -> Result<(), DuplicateName> {
        let mut breakers = lock(&self.breakers);
        if breakers.contains_key(breaker.name()) {
            return Err(DuplicateName { name: breaker.name().clone() });
        }
        breakers.insert(breaker.name().clone(), breaker);
        Ok(())
    }

    /// The breaker of this name.
    pub fn find(&self, name: &str) -> Option<Breaker> {
        lock(&self.breakers).get(name).cloned()
    }

    /// All breakers, sorted by name.
    pub fn all(&self) -> Vec<Breaker> {
        lock(&self.breakers).values().cloned().collect()
    }
}

/// There is a breaker of this name already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuplicateName {
    /// The name.
    pub name: BreakerName,
}

impl fmt::Display for DuplicateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is a breaker named {} already; names must differ", self.name)
    }
}

impl std::error::Error for DuplicateName {}
