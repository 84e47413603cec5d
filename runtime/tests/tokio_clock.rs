//! A breaker, its supervisor and its dispatcher on tokio's time, which is paused.
#![cfg(all(feature = "tokio", feature = "test-util"))]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tripline_runtime::core::{Outcome, Policy, Ratio, StateKind};
use tripline_runtime::test_util::RecordingSink;
use tripline_runtime::{Breaker, Clock as _, MockMemory, SupervisedBreaker, TokioClock, supervise};

const HOUR: Duration = Duration::from_secs(3_600);
const ALMOST_AN_HOUR: Duration = Duration::from_secs(3_590);

#[tokio::test(start_paused = true)]
async fn hours_pass_at_once_for_breaker_supervisor_and_dispatcher() {
    let clock = Arc::new(TokioClock::new());
    let mut policy = Policy::default();
    policy.wait_time = HOUR;
    policy.max_wait_time = HOUR;
    policy.wait_jitter = Ratio::ZERO;
    policy.half_open_max_calls = 1;
    let breaker = Breaker::builder(clock.clone()).policy(policy).build().unwrap();
    let (memory, alerts) = (MockMemory::default(), Arc::new(RecordingSink::default()));
    let target = SupervisedBreaker::new(breaker.clone()).memory(Arc::new(memory.clone())).sink(alerts.clone());
    let (supervisor, dispatcher, stop) = supervise(clock.clone(), [target], 1);
    let tasks = (tokio::spawn(supervisor.run()), tokio::spawn(dispatcher.run()));

    memory.set_percent(95);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(breaker.state(), StateKind::Open);
    assert_eq!(alerts.all().len(), 1);
    memory.set_percent(10);
    tokio::time::sleep(ALMOST_AN_HOUR).await;
    assert!(breaker.try_start().is_err());
    tokio::time::sleep(Duration::from_secs(10)).await;
    breaker.try_start().unwrap().finish(Outcome::Ok);
    assert_eq!(breaker.state(), StateKind::Closed);

    stop.stop(Duration::ZERO);
    tasks.0.await.unwrap();
    tasks.1.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn clock_and_time_of_day_pass_together() {
    let clock = TokioClock::new();
    let (now, wall) = (clock.now(), clock.system_time());
    clock.sleep_until(now + HOUR).await;
    assert!(clock.now() >= now + HOUR);
    let passed = clock.system_time().duration_since(wall).unwrap();
    let a_little_more = HOUR + Duration::from_secs(60);
    assert!((ALMOST_AN_HOUR..a_little_more).contains(&passed), "{passed:?}");
    // A deadline that has passed is no wait.
    let before = clock.now();
    clock.sleep_until(now).await;
    assert!(clock.now().since(before) <= Duration::from_millis(1));
}

#[test]
fn outside_of_a_runtime_it_shows_the_time() {
    let clock = TokioClock::new();
    let off = clock.system_time().duration_since(SystemTime::now()).unwrap_or_else(|error| error.duration());
    assert!(off < Duration::from_secs(1), "{off:?}");
}
