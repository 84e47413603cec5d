//! A breaker for each key: one per tenant, host or route.

pub(crate) mod key;
mod map;

use std::fmt;
use std::time::Duration;

use tripline_core::planted::planted;
use tripline_core::{CapacityError, Instant, Policy, StateKind};

use crate::breaker::Breaker;
use crate::breaker::builder::Builder;
use crate::breaker::name::BreakerName;
use crate::clock::Clock;
use crate::family::key::{InvalidKey, SHARED, check, known_by};
use crate::family::map::{Found, Member, ShardedMap};
use crate::supervisor::agenda::{Agenda, Task};
use crate::sync::{Arc, AtomicU64, Mutex, Ordering, RwLock, lock, read, write};

/// The largest window of a family's members, in samples.
pub const MAX_FAMILY_WINDOW: u16 = 128;

/// How many members a family has, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FamilyLimits {
    /// Members at most, the shared one not counted; at least 1. Default: 1,000.
    pub max_keys: usize,
    /// A member that was not used for so long goes, if it may. Default: 10 minutes.
    pub idle_time: Duration,
}

impl Default for FamilyLimits {
    fn default() -> Self {
        Self { max_keys: 1_000, idle_time: Duration::from_secs(600) }
    }
}

impl FamilyLimits {
    /// So many members at most.
    #[must_use]
    pub const fn max_keys(self, max_keys: usize) -> Self {
        Self { max_keys, ..self }
    }

    /// A member that was not used for so long goes.
    #[must_use]
    pub const fn idle_time(self, idle_time: Duration) -> Self {
        Self { idle_time, ..self }
    }
}

/// Breakers of one kind by key, each made by the first call for its key. Clones share the same members.
///
/// - A call without a key goes to the shared member `*`, which is a breaker like any other.
/// - At [`max_keys`](FamilyLimits::max_keys) the member that was not used for longest makes room for a new one, if it is closed, has
///   no incident and no evidence, and nothing holds a handle of it. Where there is none, the call goes to the shared member,
///   and [`Family::overflows`] counts it. So memory is bounded, every call is guarded, and no open breaker is lost.
/// - A key has at most 64 bytes; a longer one is known by its first 40 and a hash.
/// - `warm_up` runs from the start of the family, or from the builder's [`warm_up_since`](Builder::warm_up_since), and not anew for each
///   member.
///
/// A known key costs one read lock of a shard and one reading of the clock beyond the breaker itself. A member takes about 2.4 KiB
/// with a window of 64.
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
    /// What members are made of.
    settings: RwLock<Settings>,
    members: ShardedMap<Breaker>,
    shared: Breaker,
    overflows: AtomicU64,
    supervisor: Mutex<Option<(usize, Arc<Agenda>)>>,
}

#[derive(Clone)]
struct Settings {
    builder: Builder,
    limits: FamilyLimits,
}

impl Family {
    /// A family without members but the shared one. `members` describes each; it is made [compact](Builder::compact).
    ///
    /// # Errors
    /// [`CapacityError`] where the policy's window is larger than [`MAX_FAMILY_WINDOW`].
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
            }),
        })
    }

    /// The name, which every member has.
    pub fn name(&self) -> &BreakerName {
        &self.inner.name
    }

    /// The breaker of `key`, made where there is none; the shared one where the key is empty, and where there is no room.
    ///
    /// Drop the handle after the call: a member of which there is a handle stays.
    ///
    /// # Errors
    /// [`InvalidKey`] where the key has control characters.
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
        let now = inner.clock.now();
        let Settings { builder, limits } = read(&inner.settings).clone();
        // A window that does not fit was rejected before.
        let make = |key: Arc<str>| builder.member(key).build().unwrap_or_else(|_| inner.shared.clone());
        match inner.members.get_or_add(known_by, now, limits.max_keys.max(1), make) {
            Found::Known(member) => Ok(member),
            Found::Added(member, gone) => {
                let is_planted = planted("family: new members are not supervised");
                if let Some((place, agenda)) = lock(&inner.supervisor).as_ref().filter(|_| !is_planted) {
                    watch(*place, agenda, &member);
                    for key in gone {
                        agenda.call(Task::Member(*place, key));
                    }
                }
                Ok(member)
            }
            Found::Full => {
                // Relaxed: a statistic.
                inner.overflows.fetch_add(1, Ordering::Relaxed);
                Ok(inner.shared.clone())
            }
        }
    }

    /// The shared member `*`, for calls without a key.
    pub fn shared(&self) -> &Breaker {
        &self.inner.shared
    }

    /// The member of `key`, if there is one. It does not count as used.
    pub fn member(&self, key: &str) -> Option<Breaker> {
        let known = known_by(key);
        if known == SHARED { Some(self.inner.shared.clone()) } else { self.inner.members.peek(&known) }
    }

    /// The members of this moment, sorted by key, and the shared one first. O(n log n).
    pub fn members(&self) -> Vec<Breaker> {
        let members = self.inner.members.members().into_iter().map(|(_, member)| member);
        std::iter::once(self.inner.shared.clone()).chain(members).collect()
    }

    /// How many members there are, the shared one not counted.
    pub fn len(&self) -> usize {
        self.inner.members.len()
    }

    /// Whether there is no member but the shared one.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls that went to the shared member because there was no room.
    pub fn overflows(&self) -> u64 {
        // Relaxed: a statistic.
        self.inner.overflows.load(Ordering::Relaxed)
    }

    /// The limits in force.
    pub fn limits(&self) -> FamilyLimits {
        read(&self.inner.settings).limits
    }

    /// Applies other limits. Where there are more members than allowed, new ones take the place of old ones until there are not.
    pub fn set_limits(&self, limits: FamilyLimits) {
        write(&self.inner.settings).limits = limits;
    }

    /// Applies new settings to every member and to those to come; windows are kept. O(n). A member that an operator has switched on or
    /// off stays so, unless `policy` changes whether the family is enabled.
    ///
    /// # Errors
    /// As [`Family::new`]; then nothing changes.
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

    /// A supervisor looks after the members from now on, and after those to come.
    pub(crate) fn supervise(&self, place: usize, agenda: &Arc<Agenda>) {
        let mut supervisor = lock(&self.inner.supervisor);
        *supervisor = Some((place, agenda.clone()));
        for member in self.members().iter().skip(1) {
            watch(place, agenda, member);
        }
    }

    /// The supervisor of this agenda has ended.
    pub(crate) fn leave(&self, agenda: &Arc<Agenda>) {
        let mut supervisor = lock(&self.inner.supervisor);
        supervisor.take_if(|(_, other)| Arc::ptr_eq(other, agenda));
        self.members().iter().for_each(|member| member.watchers().remove(agenda));
    }

    /// Removes the members that were not used for [`idle_time`](FamilyLimits::idle_time) and may go. A supervisor does this.
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
    let Some(key) = member.key() else { return };
    let task = Task::Member(place, key.into());
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
