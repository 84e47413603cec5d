//! Memory of breakers and families, counted by the allocator.
#![cfg(feature = "test-util")]
#![allow(unsafe_code, clippy::unwrap_used, clippy::panic)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::num::NonZeroU16;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::{block_on, poll_once};
use tripline_runtime::core::{Outcome, Policy, StateKind, TripAfter};
use tripline_runtime::test_util::ManualClock;
use tripline_runtime::{Breaker, Clock as _, Family, FamilyLimits, MAX_FAMILY_WINDOW, SupervisedBreaker, supervise};

thread_local! {
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, which counts the bytes that this thread holds.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is passed on as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = BYTES.try_with(|bytes| bytes.set(bytes.get().wrapping_add(layout.size() as u64)));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let _ = BYTES.try_with(|bytes| bytes.set(bytes.get().wrapping_sub(layout.size() as u64)));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// The bytes that `make` leaves allocated, and what it makes.
fn bytes<T>(make: impl FnOnce() -> T) -> (u64, T) {
    let before = BYTES.with(Cell::get);
    let made = make();
    (BYTES.with(Cell::get).wrapping_sub(before), made)
}

fn breaker(window: u16, is_compact: bool, stripes: usize) -> u64 {
    let clock = Arc::new(ManualClock::default());
    let mut policy = Policy::default();
    policy.latency_window_size = NonZeroU16::new(window).unwrap();
    let (bytes, breaker) =
        bytes(|| Breaker::builder(clock).policy(policy).compact(is_compact).stripes(stripes).build().unwrap());
    assert!(breaker.try_acquire().is_ok());
    println!("a breaker with a window of {window}, compact {is_compact}, {stripes} stripes: {bytes} bytes");
    bytes
}

#[test]
fn a_breaker_takes_memory_for_the_window_that_its_policy_asks_for() {
    assert!(breaker(64, false, 1) <= 6 * 1_024);
    for stripes in [1, 2, 4] {
        assert!(breaker(1_024, false, stripes) <= 12 * 1_024 + 1_280 * stripes as u64);
    }
}

#[test]
fn a_compact_breaker_takes_two_and_a_half_kibibytes_at_most() {
    assert!(breaker(MAX_FAMILY_WINDOW, true, 1) <= 2_560);
}

const CAP: usize = 1_000;

fn family(clock: &Arc<ManualClock>) -> Family {
    family_of(clock, CAP)
}

fn family_of(clock: &Arc<ManualClock>, max_keys: usize) -> Family {
    let mut policy = Policy::default();
    policy.latency_window_size = NonZeroU16::new(MAX_FAMILY_WINDOW).unwrap();
    policy.warm_up = Duration::ZERO;
    policy.trip_after = TripAfter::Millis(0);
    let members = Breaker::builder(clock.clone()).name("tenants".parse().unwrap()).policy(policy);
    Family::new(members, FamilyLimits::default().max_keys(max_keys)).unwrap()
}

#[test]
fn a_supervised_member_with_the_longest_key_takes_two_and_a_half_kibibytes_at_most() {
    // The map has room for more members than it contains; the share of each depends on their number.
    for count in [200, 500, 1_000, 1_400] {
        let clock = Arc::new(ManualClock::default());
        let family = family_of(&clock, count);
        let (supervisor, dispatcher, stop) = supervise(clock.clone(), [SupervisedBreaker::family(&family)], 1);
        let mut supervisor = pin!(supervisor.run());
        let mut poll = || assert!(block_on(poll_once(supervisor.as_mut())).is_none());
        poll();
        let (taken, ()) = bytes(|| {
            for number in 0..count {
                let member = family.get(&format!("{number:064}")).unwrap();
                // Calls of several epochs are in flight together.
                let calls: Vec<_> = (0..4)
                    .map(|_| {
                        clock.advance(Duration::from_millis(100));
                        member.try_start().unwrap()
                    })
                    .collect();
                for call in calls {
                    call.finish(Outcome::Ok);
                }
            }
            poll();
        });
        println!("{count} members: {} bytes each", taken / count as u64);
        // With its key, and its places in the map, the order of use and the timers.
        assert!(taken <= count as u64 * 2_560, "{count}: {taken}");
        assert_eq!(family.len(), count);
        drop((dispatcher, stop));
    }
}

/// Calls of this member that all hang or fail, until it opens.
fn open(family: &Family, clock: &ManualClock, key: &str) {
    for _ in 0..200 {
        let member = family.get(key).unwrap();
        let Ok(permit) = member.try_start() else { return };
        clock.advance(Duration::from_millis(5));
        permit.finish_at(clock.now() + Duration::from_secs(10), Outcome::Ok);
        clock.advance(Duration::from_secs(10));
    }
    panic!("{key} did not open");
}

#[test]
fn a_million_new_keys_stay_within_the_cap_guarded_and_lose_no_open_breaker() {
    let clock = Arc::new(ManualClock::default());
    let (taken, family) = bytes(|| {
        let family = family(&clock);
        for victim in ["a", "b", "c"] {
            open(&family, &clock, victim);
        }
        for number in 0..CAP * 2 {
            drop(family.get(&format!("first-{number}")).unwrap().try_start());
        }
        family
    });
    println!("{CAP} members: {taken} bytes, {} each", taken / CAP as u64);
    // With keys and the map.
    assert!(taken <= CAP as u64 * 2_560, "{taken}");
    assert_eq!(family.len(), CAP);

    let (more, rejected) = bytes(|| {
        let mut rejected = 0;
        for number in 0..1_000_000_u32 {
            let member = family.get(&format!("attacker-{number}")).unwrap();
            if let Ok(permit) = member.try_start() {
                permit.finish(Outcome::Ok);
            } else {
                rejected += 1;
            }
            if number % 4_096 == 0 {
                clock.advance(Duration::from_micros(10));
                assert_eq!(family.len(), CAP);
            }
        }
        rejected
    });
    assert_eq!(family.len(), CAP);
    assert!(more <= 512 * 1_024 || more > u64::MAX / 2, "the million keys left {more} bytes");
    assert_eq!((rejected, family.overflows()), (0, 0), "closed members made room");
    for victim in ["a", "b", "c"] {
        assert!(family.member(victim).unwrap().state() != StateKind::Closed, "{victim} was lost");
    }
}

#[test]
fn calls_go_to_the_shared_member_where_no_member_may_go() {
    let clock = Arc::new(ManualClock::default());
    let family = family(&clock);
    let held: Vec<Breaker> = (0..CAP).map(|number| family.get(&number.to_string()).unwrap()).collect();
    for number in 0..10_000 {
        let member = family.get(&format!("new-{number}")).unwrap();
        assert_eq!(member.key(), Some("*"));
    }
    assert_eq!((family.len(), family.overflows()), (CAP, 10_000));
    open(&family, &clock, "*");
    assert!(family.get("new").unwrap().try_start().is_err(), "the shared member is a breaker like any other");
    drop(held);
    clock.advance(Duration::from_secs(2));
    assert_eq!(family.get("new").unwrap().key(), Some("new"));
}

#[test]
fn idle_members_go_and_others_stay() {
    let clock = Arc::new(ManualClock::default());
    let family = family(&clock);
    open(&family, &clock, "bad");
    for key in ["old", "used"] {
        drop(family.get(key).unwrap());
    }
    clock.advance(Duration::from_secs(590));
    drop(family.get("used").unwrap());
    clock.advance(Duration::from_secs(20));
    family.remove_idle();
    let keys: Vec<String> = family.members().iter().filter_map(|member| member.key().map(str::to_owned)).collect();
    assert_eq!(keys, ["*", "bad", "used"]);
    assert!(family.member("old").is_none() && family.get("x\ny").is_err());
}

#[test]
fn settings_apply_to_members_and_to_those_to_come() {
    let clock = Arc::new(ManualClock::default());
    let family = family(&clock);
    drop(family.get("a").unwrap());
    let switched_off = family.get("off").unwrap();
    switched_off.disable();
    drop(switched_off);
    let mut policy = Policy::default();
    policy.wait_time = Duration::from_secs(77);
    family.set_policy(&policy).unwrap();
    drop(family.get("b").unwrap());
    let waits = |key: &str| family.member(key).unwrap().read(|core| core.policy().wait_time.as_secs());
    assert_eq!(["*", "a", "b", "off"].map(waits), [77; 4]);
    assert!(!family.member("off").unwrap().enabled() && family.member("a").unwrap().enabled());
    policy.latency_window_size = NonZeroU16::new(MAX_FAMILY_WINDOW + 1).unwrap();
    assert_eq!(family.set_policy(&policy).unwrap_err().capacity, MAX_FAMILY_WINDOW.into());
}
