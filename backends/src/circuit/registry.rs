//! The circuits of a process, by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tripline_runtime::{Breaker, BreakerName, DuplicateName, Family};

use super::{Circuit, EventLog};
#[cfg(feature = "proxy")]
use crate::config::{Guard, Route};
use crate::metrics::KeySeries;

/// The circuits of a process, by name and in the order in which they were inserted. Clones share the same circuits.
///
/// A lookup takes a read lock and `O(log n)` comparisons of names.
#[derive(Debug, Clone)]
pub struct Circuits {
    inner: Arc<RwLock<Inner>>,
    events: EventLog,
    followers: Followers,
}

/// What happened to the circuits of a process.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CircuitChange<'c> {
    /// It came.
    Inserted(&'c Circuit),
    /// It went.
    Removed(&'c Circuit),
}

type Follower = Box<dyn Fn(CircuitChange<'_>) + Send + Sync>;

/// What is called with every change.
#[derive(Clone, Default)]
struct Followers(Arc<RwLock<Vec<Follower>>>);

impl Followers {
    fn call(&self, change: CircuitChange<'_>) {
        // Nothing can panic while it holds the lock for writing.
        self.0.read().unwrap_or_else(PoisonError::into_inner).iter().for_each(|follower| follower(change));
    }
}

impl fmt::Debug for Followers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Followers").finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Inner {
    by_name: BTreeMap<BreakerName, Circuit>,
    order: Vec<BreakerName>,
}

impl Circuits {
    /// No circuits.
    pub fn new() -> Self {
        Self { inner: Arc::default(), events: EventLog::combined(), followers: Followers::default() }
    }

    /// The circuit of this name.
    pub fn get(&self, name: &str) -> Option<Circuit> {
        self.read().by_name.get(name).cloned()
    }

    /// The family of this name; `None` for a single breaker too.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use tripline_backends::circuit::{Circuit, Circuits};
    /// use tripline_runtime::{Breaker, Family, FamilyLimits, test_util::ManualClock};
    ///
    /// let members = Breaker::builder(Arc::new(ManualClock::default())).name("tenants".parse()?);
    /// let family = Family::new(members, FamilyLimits::default())?;
    /// let circuits = Circuits::from(Circuit::of_family(family).build());
    ///
    /// let tenants = circuits.family("tenants").ok_or("there is no such family")?;
    /// assert!(tenants.get("acme")?.try_acquire().is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn family(&self, name: &str) -> Option<Family> {
        self.read().by_name.get(name).and_then(|circuit| circuit.family().cloned())
    }

    /// The families of this moment, each with its `metrics_keys` and the series of its members.
    pub(crate) fn families(&self) -> Vec<(Family, usize, KeySeries)> {
        let family = |circuit: Circuit| {
            let limit = circuit.config().family.metrics_keys.into();
            Some((circuit.family()?.clone(), limit, circuit.key_series().clone()))
        };
        self.iter().filter_map(family).collect()
    }

    /// Adds a circuit behind the others. Its events appear in the log of these circuits from now on, and in that of no others.
    ///
    /// # Errors
    /// [`DuplicateName`] where there is one of that name; it stays.
    pub fn insert(&self, circuit: Circuit) -> Result<(), DuplicateName> {
        let name = circuit.name().clone();
        {
            let mut inner = self.write();
            if inner.by_name.contains_key(&name) {
                return Err(DuplicateName { name });
            }
            circuit.events().forward_to(&name, &self.events);
            inner.order.push(name.clone());
            inner.by_name.insert(name.clone(), circuit);
        }
        if let Some(circuit) = self.get(name.as_str()) {
            self.followers.call(CircuitChange::Inserted(&circuit));
        }
        Ok(())
    }

    /// Removes the circuit of this name. Clones of it remain usable. O(n).
    pub fn remove(&self, name: &str) -> Option<Circuit> {
        let removed = {
            let mut inner = self.write();
            let removed = inner.by_name.remove(name)?;
            inner.order.retain(|other| other.as_str() != name);
            removed
        };
        self.followers.call(CircuitChange::Removed(&removed));
        Some(removed)
    }

    /// Calls `follower` for every circuit that is inserted or removed from now on.
    pub(crate) fn follow(&self, follower: impl Fn(CircuitChange<'_>) + Send + Sync + 'static) {
        self.followers.0.write().unwrap_or_else(PoisonError::into_inner).push(Box::new(follower));
    }

    /// Sorts the circuits into this order; those without a place in it follow. O(n log n).
    #[cfg(feature = "app")]
    pub(crate) fn arrange<'n>(&self, order: impl Iterator<Item = &'n BreakerName>) {
        let places: BTreeMap<&BreakerName, usize> = order.enumerate().map(|(place, name)| (name, place)).collect();
        self.write().order.sort_by_key(|name| places.get(name).copied().unwrap_or(usize::MAX));
    }

    /// The circuit that was inserted first, to which routes and commands without a name apply.
    pub fn first(&self) -> Option<Circuit> {
        let inner = self.read();
        inner.order.first().and_then(|name| inner.by_name.get(name)).cloned()
    }

    /// The circuit that guards `route`; `None` where none does.
    ///
    /// # Errors
    /// The name of the breaker that is not there.
    #[cfg(feature = "proxy")]
    pub(crate) fn guarding(&self, route: &Route) -> Result<Option<Circuit>, String> {
        let (name, circuit) = match &route.guard {
            Guard::Off => return Ok(None),
            Guard::First => ("default", self.first()),
            Guard::Breaker(name) => (name.as_str(), self.get(name.as_str())),
            Guard::Upstream => (route.upstream.as_str(), self.get(&route.upstream)),
        };
        circuit.map(Some).ok_or_else(|| name.to_owned())
    }

    /// The current circuits, in the order in which they were inserted.
    pub fn iter(&self) -> impl Iterator<Item = Circuit> + use<> {
        let inner = self.read();
        let all: Vec<Circuit> = inner.order.iter().filter_map(|name| inner.by_name.get(name)).cloned().collect();
        all.into_iter()
    }

    /// The current breakers, sorted by name.
    pub fn breakers(&self) -> Vec<Breaker> {
        self.read().by_name.values().map(|circuit| circuit.breaker().clone()).collect()
    }

    /// The last 1,000 events of all circuits.
    pub(crate) fn events(&self) -> &EventLog {
        &self.events
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        // Nothing can panic while it holds the lock.
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Circuits {
    fn default() -> Self {
        Self::new()
    }
}

/// One circuit.
impl From<Circuit> for Circuits {
    fn from(circuit: Circuit) -> Self {
        let circuits = Self::new();
        // There is no other of its name.
        let _ = circuits.insert(circuit);
        circuits
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tripline_runtime::test_util::ManualClock;

    fn circuit(name: &str) -> Circuit {
        let builder = Breaker::builder(Arc::new(ManualClock::default())).name(BreakerName::new(name).unwrap());
        Circuit::new(builder.build().unwrap())
    }

    fn names(circuits: impl Iterator<Item = Circuit>) -> Vec<String> {
        circuits.map(|circuit| circuit.name().to_string()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Against a vector of names.
        #[test]
        fn insertion_order_is_kept(steps in proptest::collection::vec((any::<bool>(), 0..6_usize), 0..30)) {
            let all = ["a", "b", "c", "d", "e", "f"];
            let circuits = Circuits::new();
            let mut model: Vec<&str> = Vec::new();
            for (is_insertion, which) in steps {
                let name = all[which];
                if is_insertion {
                    prop_assert_eq!(circuits.insert(circuit(name)).is_ok(), !model.contains(&name));
                    if !model.contains(&name) {
                        model.push(name);
                    }
                } else {
                    prop_assert_eq!(circuits.remove(name).is_some(), model.contains(&name));
                    model.retain(|other| *other != name);
                }
                prop_assert_eq!(&names(circuits.iter()), &model);
                let first = circuits.first().map(|circuit| circuit.name().to_string());
                prop_assert_eq!(first.as_deref(), model.first().copied());
                prop_assert!(all.iter().all(|name| circuits.get(name).is_some() == model.contains(name)));
                prop_assert!(circuits.breakers().is_sorted_by_key(|breaker| breaker.name().clone()));
            }
        }
    }
}
