//! A sharded map from keys to members, which makes room for new ones.
//!
//! A known key costs one read lock of one shard. Members are made and removed under one lock, that of the *order*, which holds them in the
//! order of their last use as far as it is known: using a member only stores the instant beside it. A member whose entry in
//! the order is outdated goes back to its right place when it comes to the front, so the front whose entry is not outdated is the one
//! that was not used for longest.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tripline_core::Instant;

use crate::sync::{Arc, AtomicU64, Mutex, Ordering, RwLock, lock, read, write};

/// Shards. Threads that use members of different shards do not meet.
const SHARDS: usize = if cfg!(tripline_loom) { 1 } else { 32 };
/// A member that could not go is looked at again after so long.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// For one new member so many others are looked at, at most.
const MAX_LOOKS: usize = 256;

/// What a map holds.
pub(crate) trait Member: Clone {
    /// Whether it may be removed now: it is not in use, and nothing would be lost. Called while no other thread can get it.
    fn may_go(&self) -> bool;
}

/// Members by key.
#[derive(Debug)]
pub(crate) struct ShardedMap<V> {
    shards: Box<[Shard<V>]>,
    order: Mutex<UseOrder>,
}

#[derive(Debug)]
struct Shard<V> {
    members: RwLock<HashMap<Arc<str>, Used<V>>>,
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
    /// Those that could not go, by the instant at which they are looked at again; with their last use.
    staying: BTreeSet<(Instant, Instant, Arc<str>)>,
}

/// What came of asking for a member.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<V> {
    /// It was there.
    Known(V),
    /// It was made; the keys are of those that made room for it.
    Added(V, Vec<Arc<str>>),
    /// There is no room, and no member may go.
    Full,
}

impl<V: Member> ShardedMap<V> {
    pub(crate) fn new() -> Self {
        let shard = |_| Shard { members: RwLock::new(HashMap::new()) };
        Self { shards: (0..SHARDS).map(shard).collect(), order: Mutex::default() }
    }

    /// The member of `key`, which is used at `now`.
    #[inline]
    pub(crate) fn get(&self, key: &str, now: Instant) -> Option<V> {
        let members = read(&self.shard(key).members);
        let used = members.get(key)?;
        // Relaxed: read under the shard's lock for writing, which orders it.
        used.at_nanos.store(now.as_nanos(), Ordering::Relaxed);
        Some(used.member.clone())
    }

    /// As [`ShardedMap::get`], and does not count as a use.
    pub(crate) fn peek(&self, key: &str) -> Option<V> {
        read(&self.shard(key).members).get(key).map(|used| used.member.clone())
    }

    /// The member of `key`, made where there is none and fewer than `limit` members are there, or one of them may go.
    pub(crate) fn get_or_add(
        &self,
        key: &str,
        now: Instant,
        limit: usize,
        make: impl FnOnce(Arc<str>) -> V,
    ) -> Found<V> {
        let mut order = lock(&self.order);
        // Another thread may have made it meanwhile.
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

    /// Removes the member that was not used for longest of those that may go.
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

    /// Removes the members that were not used since `before` and may go.
    pub(crate) fn remove_unused(&self, now: Instant, before: Instant) -> Vec<Arc<str>> {
        let order = &mut *lock(&self.order);
        order.look_again(now);
        let mut gone = Vec::new();
        while let Some(oldest) = self.oldest(order, before) {
            gone.extend(self.remove_or_keep(order, now, oldest));
        }
        gone
    }

    /// Takes the member that was not used for longest out of the order, if that was before `before`.
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
        // Relaxed: one that is stored meanwhile is seen under the lock for writing.
        members.get(key).map(|used| Instant::from_nanos(used.at_nanos.load(Ordering::Relaxed)))
    }

    /// Removes a member that is out of the order, or puts it back.
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
            // A member's end may take a while, and does so without the lock.
            drop(gone);
            order.len = order.len.saturating_sub(1);
            return Some(key);
        }
        drop(members);
        order.staying.insert((now + AGAIN_AFTER, noted, key));
        None
    }

    /// How many members there are.
    pub(crate) fn len(&self) -> usize {
        lock(&self.order).len
    }

    /// The members of this moment, sorted by key. O(n log n).
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
        // Who chooses keys of one shard slows that shard down, and no more; inside, the map's hash is secret.
        let mixed = key.bytes().fold(0_u32, |mixed, byte| mixed.wrapping_mul(31).wrapping_add(byte.into()));
        &self.shards[(mixed.wrapping_mul(0x9E37_79B9) >> 16) as usize % SHARDS]
    }
}

impl UseOrder {
    /// Those that could not go some time ago may go now.
    fn look_again(&mut self, now: Instant) {
        while let Some((due, _, _)) = self.staying.first()
            && *due <= now
            && let Some((_, noted, key)) = self.staying.pop_first()
        {
            self.by_use.insert((noted, key));
        }
    }
}

#[cfg(all(test, not(tripline_loom)))]
mod tests;
