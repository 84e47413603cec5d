//! Permits of all kinds, `Breaker::call`, and the interface of go-breaker.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::error::Error as _;
use std::future::Future as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tripline_runtime::core::{
    Confidence, Instant, Latency, MemorySample, Outcome, Percentile, Policy, Ratio, RejectionReason, StateKind,
    TripReason,
};
use tripline_runtime::test_util::ManualClock;
use tripline_runtime::{
    Breaker, BreakerName, CallError, Dispatcher, OwnedPermit, OwnedTimedPermit, Registry, Rejection, SupervisedBreaker,
    Supervisor, supervise,
};

const FAST: Duration = Duration::from_millis(10);
const SLOW: Duration = Duration::from_millis(150);

fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.latency_threshold = Latency::from_millis(100);
    policy.minimum_samples = Some(5);
    policy.trip_confidence = Confidence::ZERO;
    policy
}

fn breaker_with(policy: Policy) -> (Arc<ManualClock>, Breaker) {
    let clock = Arc::new(ManualClock::default());
    let breaker = Breaker::builder(clock.clone()).policy(policy).build().unwrap();
    (clock, breaker)
}

fn breaker() -> (Arc<ManualClock>, Breaker) {
    breaker_with(policy())
}

fn opened() -> (Arc<ManualClock>, Breaker) {
    let (clock, breaker) = breaker();
    for _ in 0..5 {
        let start = now(&breaker);
        breaker.try_acquire().unwrap().finish(start, start + SLOW, Outcome::Ok);
    }
    assert_eq!(kind(&breaker), StateKind::Open);
    (clock, breaker)
}

fn now(breaker: &Breaker) -> Instant {
    breaker.clock().now()
}

fn kind(breaker: &Breaker) -> StateKind {
    breaker.read(|core| core.state().kind())
}

/// (samples, above, failed, dropped)
fn seen(breaker: &Breaker) -> (u16, u16, u16, u64) {
    breaker.read(|core| (core.samples(), core.samples_above(), core.samples_failed(), core.counts().dropped))
}

#[test]
fn an_untimed_permit_takes_both_instants_from_its_caller() {
    let (_, breaker) = breaker();
    let start = now(&breaker);
    breaker.try_acquire().unwrap().finish(start, start + SLOW, Outcome::Ok);
    breaker.try_acquire_owned().unwrap().finish(start, start + FAST, Outcome::Failed);
    assert_eq!(seen(&breaker), (2, 1, 1, 0));
    assert_eq!(breaker.read(|core| core.latencies().collect::<Vec<_>>()), [Latency::from(SLOW)]);
}

/// Fault 6: negative latencies are stored.
#[test]
fn an_end_before_the_start_is_no_latency() {
    let (_, breaker) = breaker();
    let start = now(&breaker);
    breaker.try_acquire().unwrap().finish(start, Instant::ZERO, Outcome::Ok);
    breaker.allow();
    breaker.done(start, Instant::ZERO);
    assert_eq!(breaker.read(|core| core.latencies().collect::<Vec<_>>()), [Latency::ZERO; 2]);
}

#[test]
fn an_untimed_permit_is_neutral_when_it_is_dropped_however_old() {
    let (clock, breaker) = breaker();
    let borrowed = breaker.try_acquire().unwrap();
    let owned = breaker.try_acquire_owned().unwrap();
    clock.advance(SLOW);
    drop((borrowed, owned));
    assert_eq!((seen(&breaker), breaker.in_flight()), ((0, 0, 0, 2), 0));
}

#[test]
fn a_timed_permit_takes_the_time_itself() {
    let (clock, breaker) = breaker();
    let borrowed = breaker.try_start().unwrap();
    let owned = breaker.try_start_owned().unwrap();
    assert_eq!((borrowed.start(), breaker.in_flight()), (now(&breaker), 2));
    clock.advance(FAST);
    borrowed.finish(Outcome::Ok);
    let end = owned.start() + SLOW;
    owned.finish_at(end, Outcome::Ok);
    let latencies = breaker.read(|core| core.latencies().collect::<Vec<_>>());
    assert_eq!(latencies, [Latency::from(FAST), Latency::from(SLOW)]);
}

#[test]
fn a_timed_permit_dropped_young_is_neutral_and_old_is_slow() {
    let (clock, breaker) = breaker();
    let young = breaker.try_start().unwrap();
    let old = breaker.try_start_owned().unwrap();
    clock.advance(FAST);
    drop(young);
    assert_eq!(seen(&breaker), (0, 0, 0, 1));
    clock.advance(SLOW);
    drop(old);
    assert_eq!(seen(&breaker), (1, 1, 0, 1));
}

#[test]
fn a_panic_inside_a_call_counts_as_failed() {
    let (_, breaker) = breaker();
    let call = || breaker.call(|| -> Result<(), ()> { std::panic::panic_any("told to") });
    assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
    assert_eq!((seen(&breaker), breaker.in_flight()), ((1, 0, 1, 0), 0));
}

/// A call made by a destructor while something else panics is not that panic's victim.
#[test]
fn a_permit_that_is_taken_and_dropped_while_panicking_is_neutral() {
    struct AsksWhenDropped(Breaker);
    impl Drop for AsksWhenDropped {
        fn drop(&mut self) {
            drop(self.0.try_start());
        }
    }
    let (_, breaker) = breaker();
    let guard = AsksWhenDropped(breaker.clone());
    let panics = move || {
        let _guard = guard;
        std::panic::panic_any("told to")
    };
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    assert_eq!(seen(&breaker), (0, 0, 0, 1));
}

#[test]
fn a_call_gives_its_value_or_its_own_error_or_the_rejection() {
    let (_, breaker) = breaker();
    assert_eq!(breaker.call(|| Ok::<_, String>(42)), Ok(42));
    assert_eq!(breaker.call(|| Err::<(), _>("no".to_owned())), Err(CallError::Failed("no".to_owned())));
    assert_eq!(seen(&breaker), (2, 0, 1, 0));
    breaker.force_open();
    let mut made = false;
    let rejected = breaker.call(|| {
        made = true;
        Ok::<_, String>(())
    });
    assert!(matches!(rejected, Err(CallError::Rejected(_))) && !made);
}

#[test]
fn a_classified_call_has_the_outcome_that_its_caller_says() {
    let (_, breaker) = breaker();
    let ignored = breaker.call_classified(|| Err::<(), _>("not found"), |_| Outcome::Ignored);
    assert_eq!((ignored, seen(&breaker)), (Err(CallError::Failed("not found")), (0, 0, 0, 0)));
    let failed = breaker.call_classified(|| Ok::<_, ()>(503), |_| Outcome::Failed);
    assert_eq!((failed, seen(&breaker)), (Ok(503), (1, 0, 1, 0)));
}

#[test]
fn an_awaited_call_finishes_and_a_dropped_one_is_neutral_while_young_and_slow_when_old() {
    let (clock, breaker) = breaker();
    let mut context = Context::from_waker(Waker::noop());
    {
        let mut done = pin!(breaker.call_async(async { Ok::<_, ()>(7) }));
        assert_eq!(done.as_mut().poll(&mut context), Poll::Ready(Ok(7)));
    }
    assert_eq!(seen(&breaker), (1, 0, 0, 0));
    for (age, expected) in [(FAST, (1, 0, 0, 1)), (SLOW, (2, 1, 0, 1))] {
        let mut hanging = Box::pin(breaker.call_async(std::future::pending::<Result<(), ()>>()));
        assert!(hanging.as_mut().poll(&mut context).is_pending());
        assert_eq!(breaker.in_flight(), 1);
        clock.advance(age);
        drop(hanging);
        assert_eq!((seen(&breaker), breaker.in_flight()), (expected, 0), "{age:?}");
    }
}

#[test]
fn an_awaited_call_that_is_never_polled_is_not_made() {
    let (_, breaker) = breaker();
    drop(breaker.call_async(async { Ok::<_, ()>(()) }));
    assert_eq!((seen(&breaker), breaker.in_flight()), ((0, 0, 0, 0), 0));
}

#[test]
fn a_rejection_says_who_why_and_how_long() {
    let (clock, breaker) = opened();
    clock.advance(SLOW);
    clock.advance(Duration::from_millis(2_500));
    let rejection = breaker.try_start().unwrap_err();
    assert_eq!(rejection.reason, RejectionReason::Open(TripReason::Latency));
    assert_eq!(rejection.to_string(), "breaker default rejected the call: latency, retry after 7.5 s");
    assert!(rejection.source().is_none());
    let wrapped: CallError<std::io::Error> = CallError::Rejected(rejection.clone());
    assert_eq!(wrapped.to_string(), rejection.to_string());
    assert_eq!(wrapped.source().and_then(|source| source.downcast_ref::<Rejection>()), Some(&rejection));
    breaker.force_open();
    let forced = breaker.try_acquire().unwrap_err();
    assert_eq!(forced.to_string(), "breaker default rejected the call: forced_open");
    let failed: CallError<std::io::Error> = CallError::Failed(std::io::Error::other("broken"));
    assert_eq!(failed.to_string(), "broken");
    assert!(failed.source().is_some_and(<dyn std::error::Error>::is::<std::io::Error>));
}

#[test]
fn a_registry_rejects_a_second_breaker_of_a_name_and_keeps_the_first() {
    let named = |name: &str| {
        Breaker::builder(Arc::new(ManualClock::default())).name(BreakerName::new(name).unwrap()).build().unwrap()
    };
    let registry = Registry::new();
    registry.insert(named("payments")).unwrap();
    registry.clone().insert(named("orders")).unwrap();
    registry.get("payments").unwrap().force_open();
    let error = registry.insert(named("payments")).unwrap_err();
    assert_eq!(error.name.as_str(), "payments");
    assert!(error.to_string().contains("payments"));
    assert_eq!(kind(&registry.get("payments").unwrap()), StateKind::ForcedOpen);
    assert!(registry.get("stock").is_none());
    let sorted: Vec<_> = registry.breakers().iter().map(|breaker| breaker.name().to_string()).collect();
    assert_eq!(sorted, ["orders", "payments"]);
}

#[test]
fn the_originals_interface_counts_trips_and_recovers() {
    let (clock, breaker) = breaker();
    for _ in 0..5 {
        assert!(breaker.allow());
        let start = now(&breaker);
        clock.advance(SLOW);
        breaker.done(start, now(&breaker));
    }
    assert!(breaker.triggered() && !breaker.allow());
    assert_eq!(breaker.in_flight(), 0);
    clock.advance(Duration::from_secs(10));
    for _ in 0..5 {
        assert!(breaker.allow());
        let start = now(&breaker);
        clock.advance(FAST);
        breaker.done(start, now(&breaker));
    }
    assert!(!breaker.triggered());
    assert!(breaker.enabled());
    breaker.disable();
    assert!(!breaker.enabled() && breaker.allow());
}

#[test]
fn a_place_that_allow_took_is_freed_by_the_next_done_of_its_generation() {
    let (clock, breaker) = opened();
    clock.advance(Duration::from_secs(11));
    let start = now(&breaker);
    assert_eq!((0..20).filter(|_| breaker.allow()).count(), 5);
    clock.advance(FAST);
    // Of an earlier generation: it frees no place here.
    breaker.done(Instant::ZERO, now(&breaker));
    assert!(!breaker.allow());
    (0..5).for_each(|_| breaker.done(start, now(&breaker)));
    assert_eq!((kind(&breaker), breaker.in_flight()), (StateKind::Closed, 0));
}

#[test]
fn a_done_without_an_allow_counts_in_the_generation_in_force_at_its_start() {
    let (clock, breaker) = breaker();
    let before_reset = now(&breaker);
    clock.advance(FAST);
    breaker.reset();
    breaker.done(before_reset, now(&breaker));
    assert_eq!(seen(&breaker), (0, 0, 0, 0));
    breaker.done(now(&breaker), now(&breaker) + SLOW);
    assert_eq!(seen(&breaker), (1, 1, 0, 0));
}

#[test]
fn latencies_above_a_threshold_come_oldest_first_and_without_the_threshold_itself() {
    let (_, breaker) = breaker();
    let start = now(&breaker);
    for millis in [30, 90, 50, 70, 51] {
        breaker.try_acquire().unwrap().finish(start, start + Duration::from_millis(millis), Outcome::Ok);
    }
    let above: Vec<_> = breaker.latencies_above(Latency::from_millis(50)).iter().map(|l| l.as_millis()).collect();
    assert_eq!(above, [90, 70, 51]);
}

/// Fault 7: `LatencyOK` uses a fixed p99 and a strict `<`, whatever is configured.
#[test]
fn latency_ok_uses_the_configured_percentile_and_the_threshold_itself_is_ok() {
    let mut median = policy();
    median.percentile = Percentile::new(0.5).unwrap();
    let (_, breaker) = breaker_with(median);
    let start = now(&breaker);
    let finish = |span| breaker.try_acquire().unwrap().finish(start, start + span, Outcome::Ok);
    (0..6).for_each(|_| finish(Duration::from_millis(100)));
    (0..4).for_each(|_| finish(SLOW));
    assert!(breaker.latency_ok(), "the median is the threshold; the 99th percentile is above it");
    breaker.set_policy(&policy()).unwrap();
    assert!(!breaker.latency_ok());
}

#[test]
fn memory_ok_is_unknown_until_something_was_read() {
    let (_, breaker) = breaker();
    assert_eq!(breaker.memory_ok(), None);
    let read = |used, limit| breaker.handle_memory(now(&breaker), Some(MemorySample { used, limit }));
    read(50, Some(100));
    assert_eq!(breaker.memory_ok(), Some(true));
    read(80, Some(100));
    assert_eq!(breaker.memory_ok(), Some(false));
    read(80, None);
    assert_eq!(breaker.memory_ok(), None);
}

#[test]
fn a_breaker_names_the_file_of_its_settings() {
    let clock = Arc::new(ManualClock::default());
    let breaker = Breaker::builder(clock.clone()).config_file("breakers.toml").build().unwrap();
    assert_eq!(breaker.config_file(), Some(Path::new("breakers.toml")));
    assert_eq!(Breaker::builder(clock).build().unwrap().config_file(), None);
}

#[test]
fn failures_trip_at_their_rate_and_fast_ones_are_not_fast() {
    let mut with_rule = policy();
    with_rule.failure_rate_threshold = Ratio::new(0.4).unwrap();
    let (_, breaker) = breaker_with(with_rule);
    (0..3).for_each(|_| drop(breaker.call(|| Ok::<_, ()>(()))));
    assert!(breaker.call(|| Err::<(), _>(())).is_err());
    assert_eq!(kind(&breaker), StateKind::Closed);
    assert!(breaker.call(|| Err::<(), _>(())).is_err());
    let trip = breaker.read(|core| core.last_trip().map(|trip| trip.reason));
    assert_eq!((kind(&breaker), trip), (StateKind::Open, Some(TripReason::Failures)));
}

#[test]
fn reading_is_nothing_that_happens() {
    let (_, breaker) = opened();
    let changed = breaker.changed();
    breaker.read(tripline_runtime::core::Breaker::samples);
    let mut changed = pin!(changed);
    assert!(changed.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

fn is_send_and_static<T: Send + 'static>(_: T) {}

#[test]
fn futures_and_owned_permits_go_to_any_executor() {
    fn run(supervisor: Supervisor, dispatcher: Dispatcher) {
        is_send_and_static(supervisor.run());
        is_send_and_static(dispatcher.run());
    }
    let (clock, breaker) = breaker();
    let (supervisor, dispatcher, _) = supervise(clock, [SupervisedBreaker::new(breaker.clone())], 1);
    run(supervisor, dispatcher);
    is_send_and_static::<OwnedTimedPermit>(breaker.try_start_owned().unwrap());
    is_send_and_static::<OwnedPermit>(breaker.try_acquire_owned().unwrap());
    is_send_and_static(breaker.call_async(async { Ok::<_, ()>(()) }));
}
