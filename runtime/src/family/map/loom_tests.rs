//! Models of the map, run by loom through every interleaving of its locks (up to a bound of preemptions): get-or-add beside eviction and
//! removal.

use loom::thread;

use super::*;

/// A member that may be removed while no call holds it and it is not open. As a breaker's, its state is read by owning it.
#[derive(Debug, Clone)]
struct Handle(Arc<Mutex<bool>>);

impl Handle {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(false)))
    }

    fn open(&self) {
        *lock(&self.0) = true;
    }

    fn is_open(&self) -> bool {
        *lock(&self.0)
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Member for Handle {
    fn may_go(&self) -> bool {
        Arc::strong_count(&self.0) == 1 && !self.is_open()
    }
}

/// A member that may be removed while a call holds it.
#[derive(Debug, Clone)]
struct Careless(Handle);

impl Member for Careless {
    fn may_go(&self) -> bool {
        true
    }
}

fn now() -> Instant {
    Instant::from_millis(100_000)
}

/// Gets the member of a key as a family does; `None` if the map is full.
fn acquire<V: Member>(map: &ShardedMap<V>, key: &str, limit: usize, make: impl FnOnce() -> V) -> Option<V> {
    if let Some(member) = map.get(key, now()) {
        return Some(member);
    }
    match map.get_or_add(key, now(), limit, |_| make()) {
        Found::Known(member) | Found::Added(member, _) => Some(member),
        Found::Full => None,
    }
}

/// Makes a call: while it holds the member, the map has that member under the key, and no other.
fn call(map: &ShardedMap<Handle>, key: &str, limit: usize) -> Option<Handle> {
    let member = acquire(map, key, limit, Handle::new)?;
    assert!(map.peek(key).is_some_and(|present| present.is(&member)), "a call is on a member that is not in the map");
    Some(member)
}

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// No member is counted twice or lost.
fn is_consistent(map: &ShardedMap<Handle>, limit: usize) {
    assert_eq!(map.len(), map.members().len());
    assert!(map.len() <= limit);
}

#[test]
fn two_calls_for_a_new_key_get_the_same_member() {
    check(|| {
        let map = Arc::new(ShardedMap::new());
        let other = map.clone();
        let thread = thread::spawn(move || call(&other, "a", 2));
        let (one, other) = (call(&map, "a", 2).unwrap(), thread.join().unwrap().unwrap());
        assert!(one.is(&other));
        assert_eq!(map.len(), 1);
        is_consistent(&map, 2);
    });
}

#[test]
fn a_member_in_a_call_is_not_evicted_for_another_key() {
    check(|| {
        let map = Arc::new(ShardedMap::new());
        drop(call(&map, "a", 1));
        let other = map.clone();
        let thread = thread::spawn(move || drop(call(&other, "b", 1)));
        drop(call(&map, "a", 1));
        thread.join().unwrap();
        is_consistent(&map, 1);
    });
}

#[test]
fn a_member_in_a_call_is_not_removed_as_idle() {
    check(|| {
        let map = Arc::new(ShardedMap::new());
        drop(call(&map, "a", 1));
        let other = map.clone();
        let thread = thread::spawn(move || other.remove_unused(now(), Instant::MAX).len());
        drop(call(&map, "a", 1));
        assert!(thread.join().unwrap() <= 1);
        is_consistent(&map, 1);
    });
}

#[test]
fn an_open_member_is_neither_evicted_nor_removed() {
    check(|| {
        let map = Arc::new(ShardedMap::new());
        drop(call(&map, "a", 1));
        let other = map.clone();
        let thread = thread::spawn(move || {
            drop(call(&other, "b", 1));
            other.remove_unused(now(), Instant::MAX);
        });
        let opened = call(&map, "a", 1).inspect(Handle::open);
        let is_opened = opened.is_some();
        drop(opened);
        thread.join().unwrap();
        if is_opened {
            assert!(map.peek("a").is_some_and(|member| member.is_open()), "an open member was lost");
        }
        is_consistent(&map, 1);
    });
}

/// The canary: with members that are removed during a call, the same model must fail.
#[test]
#[should_panic(expected = "not in the map")]
fn a_member_that_is_removed_during_a_call_is_found() {
    check(|| {
        let map = Arc::new(ShardedMap::new());
        let other = map.clone();
        let thread = thread::spawn(move || drop(acquire(&other, "b", 1, || Careless(Handle::new()))));
        let member = acquire(&map, "a", 1, || Careless(Handle::new())).unwrap();
        let present = map.peek("a").is_some_and(|present| present.0.is(&member.0));
        thread.join().unwrap();
        assert!(present, "a call is on a member that is not in the map");
    });
}
