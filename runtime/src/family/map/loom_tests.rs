//! The map under loom, on loom's locks.

use loom::sync::atomic::AtomicU32;
use loom::thread;

use super::*;

/// A member of which a user holds a handle while it is used.
#[derive(Debug, Clone)]
struct Held(Arc<AtomicU32>);

impl Member for Held {
    fn may_go(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

fn member() -> Held {
    Held(Arc::new(AtomicU32::new(0)))
}

fn use_key(map: &ShardedMap<Held>, key: &str, now: Instant) -> bool {
    let found = map.get(key, now).or_else(|| match map.get_or_add(key, now, 1, |_| member()) {
        Found::Known(member) | Found::Added(member, _) => Some(member),
        Found::Full => None,
    });
    let Some(member) = found else { return false };
    // Relaxed: nothing else is shared.
    member.0.fetch_add(1, Ordering::Relaxed);
    true
}

#[test]
fn two_threads_that_ask_for_one_key_get_one_member() {
    loom::model(|| {
        let map = Arc::new(ShardedMap::<Held>::new());
        let other = map.clone();
        let thread = thread::spawn(move || assert!(use_key(&other, "a", Instant::from_millis(1))));
        assert!(use_key(&map, "a", Instant::from_millis(2)));
        thread.join().unwrap();
        assert_eq!((map.len(), map.peek("a").unwrap().0.load(Ordering::Relaxed)), (1, 2));
    });
}

#[test]
fn a_member_that_is_held_does_not_go() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(|| {
        let map = Arc::new(ShardedMap::<Held>::new());
        assert!(use_key(&map, "a", Instant::from_millis(1)));
        let other = map.clone();
        let thread = thread::spawn(move || use_key(&other, "b", Instant::from_millis(3)));
        if let Some(held) = map.get("a", Instant::from_millis(2)) {
            assert!(map.peek("a").is_some_and(|found| Arc::ptr_eq(&found.0, &held.0)), "it went while it was held");
        }
        thread.join().unwrap();
        assert_eq!(map.len(), 1);
    });
}
