//! A sharded map from keys to members, which evicts members to make room for new ones.
//!
//! A lookup of a known key takes one read lock of one shard. Members are added and removed under one lock, that of the
//! *order*, which holds them approximately in the order of their last use: a use only stores the instant beside the
//! member. A member with an outdated entry moves to its correct position when it reaches the front, so the first entry
//! that is not outdated is the least recently used member.

use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasher as _;
use std::time::Duration;

use foldhash::fast::RandomState;
use tripline_core::Instant;

use crate::sync::modelled::{Mutex, RwLock, lock, read, write};
use crate::sync::{Arc, AtomicU64, Ordering};

/// Number of shards. Threads that use members of different shards do not contend.
const SHARDS: usize = if cfg!(tripline_loom) { 1 } else { 32 };
/// Delay after which a member that could not be removed is checked again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Maximum number of other members that are checked for one new member.
const MAX_LOOKS: usize = 256;

/// A value of the map.
pub(crate) trait Member: Clone {
    /// Whether it may be removed now: it is not in use, and no state would be lost. Called while no other thread can get
    /// it.
    fn may_go(&self) -> bool;
}

/// Members by key.
#[derive(Debug)]
pub(crate) struct ShardedMap<V> {
    shards: Box<[Shard<V>]>,
    order: Mutex<UseOrder>,
    /// Chooses the shard. Seeded at random, as the hash inside the shards is, so a client cannot choose keys of one shard or bucket
    /// without knowing the seed. The number of members bounds what a collision can cost.
    hash: RandomState,
}

#[derive(Debug)]
struct Shard<V> {
    members: RwLock<HashMap<Arc<str>, Used<V>, RandomState>>,
}

/// A member with the instant of its last use.
#[derive(Debug)]
struct Used<V> {
    member: V,
    at_nanos: AtomicU64,
}

/// The members in the order of their last use.
#[derive(Debug, Default)]
struct UseOrder {
    len: usize,
    by_use: BTreeSet<(Instant, Arc<str>)>,
    /// Members that could not be removed, by the instant at which they are checked again, with their last use.
    staying: BTreeSet<(Instant, Instant, Arc<str>)>,
}

/// The result of a lookup.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<V> {
    /// The member existed.
    Known(V),
    /// The member was added; the keys are those of members that were removed for it.
    Added(V, Vec<Arc<str>>),
    /// The map is full, and no member may be removed.
    Full,
}

impl<V: Member> ShardedMap<V> {
    pub(crate) fn new() -> Self {
        let shard = |_| Shard { members: RwLock::new(HashMap::default()) };
        Self {
            shards: (0..SHARDS).map(shard).collect(),
            order: Mutex::new(UseOrder::default()),
            hash: RandomState::default(),
        }
    }

    /// Returns the member of `key` and records its use at `now`.
    #[inline]
    pub(crate) fn get(&self, key: &str, now: Instant) -> Option<V> {
        let members = read(&self.shard(key).members);
        let used = members.get(key)?;
        // Relaxed: read under the shard's lock for writing, which orders it.
        used.at_nanos.store(now.as_nanos(), Ordering::Relaxed);
        Some(used.member.clone())
    }

    /// Does the same as [`ShardedMap::get`] without recording a use.
    pub(crate) fn peek(&self, key: &str) -> Option<V> {
        read(&self.shard(key).members).get(key).map(|used| used.member.clone())
    }

    /// Returns the member of `key`. If there is none, adds it if there are fewer than `limit` members or one of them
    /// may be removed.
    pub(crate) fn get_or_add(
        &self,
        key: &str,
        now: Instant,
        limit: usize,
        make: impl FnOnce(Arc<str>) -> V,
    ) -> Found<V> {
        let mut order = lock(&self.order);
        // Another thread may have added it since.
        if let Some(member) = self.get(key, now) {
            return Found::Known(member);
        }
        let mut gone = Vec::new();
        while order.len >= limit {
            match self.make_room(&mut order, now) {
                Some(key) => gone.push(key),
                None => return Found::Full,
            }
        }
        let key: Arc<str> = key.into();
        let member = make(key.clone());
        let used = Used { member: member.clone(), at_nanos: AtomicU64::new(now.as_nanos()) };
        write(&self.shard(&key).members).insert(key.clone(), used);
        order.by_use.insert((now, key));
        order.len += 1;
        Found::Added(member, gone)
    }

    /// Removes the least recently used member that may be removed.
    fn make_room(&self, order: &mut UseOrder, now: Instant) -> Option<Arc<str>> {
        order.look_again(now);
        for _ in 0..MAX_LOOKS {
            let oldest = self.oldest(order, Instant::MAX)?;
            if let Some(key) = self.remove_or_keep(order, now, oldest) {
                return Some(key);
            }
        }
        None
    }

    /// Removes the members that were not used since `before` and may be removed.
    pub(crate) fn remove_unused(&self, now: Instant, before: Instant) -> Vec<Arc<str>> {
        let order = &mut *lock(&self.order);
        order.look_again(now);
        let mut gone = Vec::new();
        while let Some(oldest) = self.oldest(order, before) {
            gone.extend(self.remove_or_keep(order, now, oldest));
        }
        gone
    }

    /// Removes the least recently used member from the order if it was last used before `before`.
    fn oldest(&self, order: &mut UseOrder, before: Instant) -> Option<(Instant, Arc<str>)> {
        loop {
            let (noted, _) = order.by_use.first()?;
            if *noted >= before {
                return None;
            }
            let (noted, key) = order.by_use.pop_first()?;
            let Some(used) = self.last_use(&key) else { continue };
            if used <= noted {
                return Some((noted, key));
            }
            order.by_use.insert((used, key));
        }
    }

    fn last_use(&self, key: &str) -> Option<Instant> {
        let members = read(&self.shard(key).members);
        // Relaxed: a later store is read under the write lock.
        members.get(key).map(|used| Instant::from_nanos(used.at_nanos.load(Ordering::Relaxed)))
    }

    /// Removes a member that is no longer in the order, or puts it back.
    fn remove_or_keep(
        &self,
        order: &mut UseOrder,
        now: Instant,
        (noted, key): (Instant, Arc<str>),
    ) -> Option<Arc<str>> {
        let mut members = write(&self.shard(&key).members);
        let used = members.get(&key)?;
        // Relaxed: ordered by the shard's lock.
        let at = Instant::from_nanos(used.at_nanos.load(Ordering::Relaxed));
        if at > noted {
            drop(members);
            order.by_use.insert((at, key));
            return None;
        }
        if used.member.may_go() {
            let gone = members.remove(&key);
            drop(members);
            // Dropping a member may take a while, so it is done without the lock.
            drop(gone);
            order.len = order.len.saturating_sub(1);
            return Some(key);
        }
        drop(members);
        order.staying.insert((now + AGAIN_AFTER, noted, key));
        None
    }

    /// Number of members.
    pub(crate) fn len(&self) -> usize {
        lock(&self.order).len
    }

    /// Returns the present members, sorted by key. O(n log n).
    pub(crate) fn members(&self) -> Vec<(Arc<str>, V)> {
        let mut all: Vec<_> = self
            .shards
            .iter()
            .flat_map(|shard| {
                let members = read(&shard.members);
                members.iter().map(|(key, used)| (key.clone(), used.member.clone())).collect::<Vec<_>>()
            })
            .collect();
        all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        all
    }

    #[inline]
    fn shard(&self, key: &str) -> &Shard<V> {
        // The upper half: the lower one is where the map inside begins to look.
        &self.shards[(self.hash.hash_one(key) >> 32) as usize % SHARDS]
    }
}

impl UseOrder {
    /// Moves members that could not be removed back into the order once they are due.
    fn look_again(&mut self, now: Instant) {
        while let Some((due, _, _)) = self.staying.first()
            && *due <= now
            && let Some((_, noted, key)) = self.staying.pop_first()
        {
            self.by_use.insert((noted, key));
        }
    }
}

#[cfg(all(test, tripline_loom))]
mod loom_tests;
#[cfg(all(test, not(tripline_loom)))]
mod tests;
