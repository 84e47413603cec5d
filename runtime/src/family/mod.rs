//! Families: one breaker per key, for example per tenant, host or route.

pub(crate) mod key;
mod map;

use std::fmt;
use std::time::Duration;

use tripline_core::planted::planted;
use tripline_core::{CapacityError, Incident, Instant, Policy, StateKind};

use crate::breaker::Breaker;
use crate::breaker::builder::Builder;
use crate::breaker::name::BreakerName;
use crate::clock::Clock;
use crate::family::key::{InvalidKey, SHARED, check, known_by};
use crate::family::map::{Found, Member, ShardedMap};
use crate::supervisor::agenda::{Agenda, Task};
use crate::sync::{Arc, AtomicU64, Mutex, Ordering, RwLock, lock, read, write};

/// The largest window of a family's members, in samples: with it a member takes less than 2.5 KiB.
pub const MAX_FAMILY_WINDOW: u16 = 64;

/// The limits of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FamilyLimits {
    /// Maximum number of members, without the shared one; at least 1. Default: 1,000.
    pub max_keys: usize,
    /// A member that was not used for this long is removed if possible. Default: 10 minutes.
    pub idle_time: Duration,
}

impl Default for FamilyLimits {
    fn default() -> Self {
        Self { max_keys: 1_000, idle_time: Duration::from_secs(600) }
    }
}

impl FamilyLimits {
    /// Sets the maximum number of members.
    #[must_use]
    pub const fn max_keys(self, max_keys: usize) -> Self {
        Self { max_keys, ..self }
    }

    /// Sets the time after which an unused member is removed.
    #[must_use]
    pub const fn idle_time(self, idle_time: Duration) -> Self {
        Self { idle_time, ..self }
    }
}

/// Breakers of one kind by key, each created by the first call for its key. Clones share the same members.
///
/// - A call without a key goes to the shared member `*`, a breaker like any other.
/// - At [`max_keys`](FamilyLimits::max_keys) a new member replaces the least recently used one that is closed, has no
///   incident and no evidence, and of which no handle exists. If there is none, the call goes to the shared member, and
///   [`Family::overflows`] counts it. Memory is therefore bounded, every call is protected, and no open breaker is
///   lost.
/// - A key has at most 64 bytes; a longer one is identified by its first 40 bytes and a hash.
/// - `warm_up` runs once, from the start of the family or from the builder's [`warm_up_since`](Builder::warm_up_since),
///   not for each member.
///
/// A known key costs one read lock of a shard and one reading of the clock beyond the breaker itself. A member takes at
/// most 2.5 KiB, with its key and its place in the map.
///
/// ```
/// use std::sync::Arc;
/// use tripline_runtime::core::Policy;
/// use tripline_runtime::{Breaker, Family, FamilyLimits, SystemClock};
///
/// let members = Breaker::builder(Arc::new(SystemClock::new())).name("tenants".parse()?).policy(Policy::default());
/// let tenants = Family::new(members, FamilyLimits::default().max_keys(500))?;
///
/// let acme = tenants.get("acme")?;
/// acme.force_open();
/// assert!(tenants.get("acme")?.try_start().is_err());
/// assert!(tenants.get("globex")?.try_start().is_ok(), "another tenant is not rejected");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Family {
    inner: Arc<Inner>,
}

struct Inner {
    name: BreakerName,
    clock: Arc<dyn Clock>,
    /// The settings of new members.
    settings: RwLock<Settings>,
    members: ShardedMap<Breaker>,
    shared: Breaker,
    overflows: AtomicU64,
    supervisor: Mutex<Option<(usize, Arc<Agenda>)>>,
    /// The incident that the members have together; the last one, where none is on. Here, so that a new supervisor goes on from it.
    incident: Mutex<Option<Incident>>,
}

#[derive(Clone)]
struct Settings {
    builder: Builder,
    limits: FamilyLimits,
}

impl Family {
    /// Creates a family with only the shared member. `members` configures each member, which is
    /// [compact](Builder::compact).
    ///
    /// # Errors
    /// [`CapacityError`] if the policy's window is larger than [`MAX_FAMILY_WINDOW`].
    pub fn new(members: Builder, limits: FamilyLimits) -> Result<Self, CapacityError> {
        let builder = members.compact(true).warming_up();
        check_window(builder.policy_in_force())?;
        let shared = builder.clone().member(SHARED.into()).build()?;
        Ok(Self {
            inner: Arc::new(Inner {
                name: shared.name().clone(),
                clock: shared.clock().clone(),
                settings: RwLock::new(Settings { builder, limits }),
                members: ShardedMap::new(),
                shared,
                overflows: AtomicU64::new(0),
                supervisor: Mutex::new(None),
                incident: Mutex::new(None),
            }),
        })
    }

    /// Returns the name, which all members have.
    pub fn name(&self) -> &BreakerName {
        &self.inner.name
    }

    /// Returns the breaker of `key`, created if necessary; the shared one if the key is empty or there is no room.
    ///
    /// Drop the handle after the call: a member with a handle is not removed.
    ///
    /// # Errors
    /// [`InvalidKey`] if the key contains control characters.
    #[inline]
    pub fn get(&self, key: &str) -> Result<Breaker, InvalidKey> {
        let now = self.inner.clock.now();
        let known = known_by(key);
        match self.inner.members.get(&known, now) {
            Some(member) => Ok(member),
            None => self.add(key, &known),
        }
    }

    #[cold]
    fn add(&self, key: &str, known_by: &str) -> Result<Breaker, InvalidKey> {
        check(key)?;
        let inner = &*self.inner;
        if known_by == SHARED {
            return Ok(inner.shared.clone());
        }
        let max_keys = self.limits().max_keys.max(1);
        Ok(self.get_or_add(known_by, max_keys).unwrap_or_else(|| {
            // Relaxed: a statistic.
            inner.overflows.fetch_add(1, Ordering::Relaxed);
            inner.shared.clone()
        }))
    }

    /// Returns the member of this key, created if necessary; `None` if there is no room within `limit`.
    fn get_or_add(&self, known_by: &str, limit: usize) -> Option<Breaker> {
        let inner = &*self.inner;
        let builder = read(&inner.settings).builder.clone();
        // A window that does not fit was rejected before.
        let make = |key: Arc<str>| builder.member(key).build().unwrap_or_else(|_| inner.shared.clone());
        match inner.members.get_or_add(known_by, inner.clock.now(), limit, make) {
            Found::Known(member) => Some(member),
            Found::Added(member, gone) => {
                let is_planted = planted("family: new members are not supervised");
                if let Some((place, agenda)) = lock(&inner.supervisor).as_ref().filter(|_| !is_planted) {
                    watch(*place, agenda, &member);
                    for key in gone {
                        agenda.call(Task::Member(*place, key));
                    }
                }
                Some(member)
            }
            Found::Full => None,
        }
    }

    /// Number of handles of this family, this one included.
    pub fn handles(&self) -> usize {
        Arc::strong_count(&self.inner)
    }

    /// The shared member `*`, for calls without a key.
    pub fn shared(&self) -> &Breaker {
        &self.inner.shared
    }

    /// Returns the member of `key`, if there is one, without recording a use.
    pub fn member(&self, key: &str) -> Option<Breaker> {
        let known = known_by(key);
        if known == SHARED { Some(self.inner.shared.clone()) } else { self.inner.members.peek(&known) }
    }

    /// Returns the member of `key`, created if necessary even above the maximum; `None` if `key` is not valid.
    pub(crate) fn restore(&self, key: &str) -> Option<Breaker> {
        check(key).ok()?;
        let known = known_by(key);
        if known == SHARED {
            return Some(self.inner.shared.clone());
        }
        self.get_or_add(&known, usize::MAX)
    }

    /// Returns the present members, sorted by key, the shared one first. O(n log n).
    pub fn members(&self) -> Vec<Breaker> {
        let members = self.inner.members.members().into_iter().map(|(_, member)| member);
        std::iter::once(self.inner.shared.clone()).chain(members).collect()
    }

    /// Number of members, without the shared one.
    pub fn len(&self) -> usize {
        self.inner.members.len()
    }

    /// Whether the shared member is the only one.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of calls that went to the shared member because there was no room.
    pub fn overflows(&self) -> u64 {
        // Relaxed: a statistic.
        self.inner.overflows.load(Ordering::Relaxed)
    }

    /// Returns the limits in force.
    pub fn limits(&self) -> FamilyLimits {
        read(&self.inner.settings).limits
    }

    /// Applies other limits. Above the new maximum, new members replace old ones until it is reached.
    pub fn set_limits(&self, limits: FamilyLimits) {
        write(&self.inner.settings).limits = limits;
    }

    /// Applies a new policy to all present and future members; windows are kept. O(n). A member that an operator has
    /// enabled or disabled stays so, unless `policy` changes whether the family is enabled.
    ///
    /// # Errors
    /// [`CapacityError`] as for [`Family::new`]. Nothing changes then.
    pub fn set_policy(&self, policy: &Policy) -> Result<(), CapacityError> {
        check_window(policy)?;
        let before = {
            let mut settings = write(&self.inner.settings);
            let before = settings.builder.policy_in_force().enabled;
            settings.builder = settings.builder.clone().policy(policy.clone());
            before
        };
        for member in self.members() {
            let mut policy = policy.clone();
            if policy.enabled == before {
                policy.enabled = member.enabled();
            }
            member.set_policy(&policy)?;
        }
        Ok(())
    }

    /// Adds all present and future members to a supervisor.
    pub(crate) fn supervise(&self, place: usize, agenda: &Arc<Agenda>) {
        let mut supervisor = lock(&self.inner.supervisor);
        *supervisor = Some((place, agenda.clone()));
        for member in self.members().iter().skip(1) {
            watch(place, agenda, member);
        }
    }

    /// Removes the supervisor of this agenda.
    pub(crate) fn leave(&self, agenda: &Arc<Agenda>) {
        let mut supervisor = lock(&self.inner.supervisor);
        supervisor.take_if(|(_, other)| Arc::ptr_eq(other, agenda));
        self.members().iter().for_each(|member| member.watchers().remove(agenda));
    }

    /// The incident that the members have together, or had last.
    pub(crate) fn incident(&self) -> Option<Incident> {
        *lock(&self.inner.incident)
    }

    pub(crate) fn set_incident(&self, incident: Option<Incident>) {
        *lock(&self.inner.incident) = incident;
    }

    /// Removes the members that were not used for [`idle_time`](FamilyLimits::idle_time) and may be removed. A
    /// supervisor calls this.
    pub fn remove_idle(&self) {
        if planted("family: idle members stay") {
            return;
        }
        let now = self.inner.clock.now();
        let idle_nanos = u64::try_from(self.limits().idle_time.as_nanos()).unwrap_or(u64::MAX);
        let before = Instant::from_nanos(now.as_nanos().saturating_sub(idle_nanos));
        self.inner.members.remove_unused(now, before);
    }
}

impl fmt::Debug for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family").field("name", &self.inner.name).field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Member for Breaker {
    fn may_go(&self) -> bool {
        self.is_only_handle()
            && self.read(|core| {
                let is_off = core.state().kind() == StateKind::Disabled && !self.operator_record(core).disabled;
                if planted("family: an open member makes room") {
                    return true;
                }
                (core.state().kind() == StateKind::Closed || is_off)
                    && core.stalled() == 0
                    && !core.is_held_open()
                    && !core.is_in_incident()
                    && !core.is_breach()
                    && core.evidence().test.is_none()
            })
    }
}

fn watch(place: usize, agenda: &Arc<Agenda>, member: &Breaker) {
    let Some(key) = member.shared_key() else { return };
    let task = Task::Member(place, key);
    member.watchers().add(task.clone(), agenda);
    agenda.call(task);
}

fn check_window(policy: &Policy) -> Result<(), CapacityError> {
    let latency_window_size = policy.latency_window_size.get();
    if latency_window_size > MAX_FAMILY_WINDOW {
        return Err(CapacityError { latency_window_size, capacity: MAX_FAMILY_WINDOW.into() });
    }
    Ok(())
}
