//! Checks the map against a vector of members.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

#[derive(Debug, Clone)]
struct Fake {
    may_go: Arc<AtomicBool>,
}

impl Member for Fake {
    fn may_go(&self) -> bool {
        self.may_go.load(Ordering::Relaxed)
    }
}

/// A member of the naive model.
#[derive(Debug)]
struct Model {
    key: String,
    used: Instant,
    may_go: Arc<AtomicBool>,
    /// When it is checked again after it could not be removed.
    again_at: Option<Instant>,
}

impl Model {
    fn can_go(&self, now: Instant) -> bool {
        self.again_at.is_none_or(|at| at <= now) && self.may_go.load(Ordering::Relaxed)
    }
}

/// Removes members that were not used since `before`, least recently used first, until `enough` are removed.
fn remove(model: &mut Vec<Model>, now: Instant, before: Instant, enough: usize) -> Vec<String> {
    model.sort_by(|one, other| (one.used, &one.key).cmp(&(other.used, &other.key)));
    let mut gone = Vec::new();
    for member in model.iter_mut().filter(|member| member.used < before) {
        if gone.len() == enough {
            break;
        }
        if member.can_go(now) {
            gone.push(member.key.clone());
        } else if member.again_at.is_none_or(|at| at <= now) {
            member.again_at = Some(now + AGAIN_AFTER);
        }
    }
    model.retain(|member| !gone.contains(&member.key));
    gone
}

#[test]
fn the_one_that_was_not_used_for_longest_makes_room_if_it_may_go() {
    for seed in 0..400 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (map, mut model, mut now) = (ShardedMap::<Fake>::new(), Vec::<Model>::new(), Instant::from_millis(1_000));
        let limit = random.usize(1..8);
        for _ in 0..200 {
            now = now + Duration::from_millis(random.u64(0..400));
            let key = format!("k{}", random.u8(0..12));
            match random.u8(0..10) {
                0 => {
                    if let Some(member) = model.get(random.usize(0..model.len().max(1))) {
                        member.may_go.fetch_xor(true, Ordering::Relaxed);
                    }
                }
                1 => {
                    let before = Instant::from_nanos(now.as_nanos().saturating_sub(1_500_000_000));
                    let mut expected = remove(&mut model, now, before, usize::MAX);
                    let mut gone: Vec<String> =
                        map.remove_unused(now, before).iter().map(ToString::to_string).collect();
                    expected.sort();
                    gone.sort();
                    assert_eq!(gone, expected, "seed {seed}");
                }
                _ if map.get(&key, now).is_some() => {
                    let known = model.iter_mut().find(|member| member.key == key);
                    known.unwrap_or_else(|| panic!("seed {seed}: {key} should be gone")).used = now;
                }
                _ => {
                    let may_go = Arc::new(AtomicBool::new(true));
                    assert!(model.iter().all(|member| member.key != key), "seed {seed}: {key} is lost");
                    let expected = if model.len() < limit { Some(Vec::new()) } else { None };
                    let expected = expected
                        .or_else(|| Some(remove(&mut model, now, Instant::MAX, 1)).filter(|gone| !gone.is_empty()));
                    match map.get_or_add(&key, now, limit, |_| Fake { may_go: may_go.clone() }) {
                        Found::Added(_, gone) => {
                            let gone: Vec<String> = gone.iter().map(ToString::to_string).collect();
                            assert_eq!(Some(gone), expected, "seed {seed}");
                            model.push(Model { key, used: now, may_go, again_at: None });
                        }
                        Found::Full => assert_eq!(expected, None, "seed {seed}"),
                        Found::Known(_) => panic!("seed {seed}: it was not known"),
                    }
                }
            }
            assert_eq!((map.len(), map.members().len()), (model.len(), model.len()), "seed {seed}");
            assert!(map.len() <= limit);
        }
    }
}

#[test]
fn threads_that_add_keep_within_the_limit() {
    let map = ShardedMap::<Fake>::new();
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let map = &map;
            scope.spawn(move || {
                for step in 0..2_000_u64 {
                    let key = format!("{}", (step * 7 + thread * 13) % 100);
                    let now = Instant::from_millis(step);
                    if map.get(&key, now).is_none() {
                        let _ = map.get_or_add(&key, now, 20, |_| Fake { may_go: Arc::new(AtomicBool::new(true)) });
                    }
                    assert!(map.len() <= 20);
                }
            });
        }
    });
    assert_eq!(map.len(), map.members().len());
}
