//! The tower layer around services of every kind.
#![cfg(feature = "tower")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::type_complexity)]

use std::convert::Infallible;
use std::future::{Future, Ready, pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_lite::future::block_on;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame};
use tower::{Layer, Service, ServiceExt, service_fn};
use tripline_backends::tower::{BreakerLayer, CallError, GrpcClassify, PathPatterns, service_unavailable};
use tripline_runtime::Breaker;
use tripline_runtime::core::{Counts, Latency, Outcome, Policy, StateKind};
use tripline_runtime::test_util::{ManualClock, World};

fn breaker() -> (Breaker, Arc<ManualClock>) {
    let world = World::new(1);
    let mut policy = Policy::default();
    policy.trip_confidence = tripline_runtime::core::Confidence::ZERO;
    policy.latency_threshold = Latency::from_millis(300);
    (Breaker::builder(world.clock()).policy(policy).build().unwrap(), world.clock())
}

fn counts(breaker: &Breaker) -> Counts {
    breaker.read(|core| *core.counts())
}

fn latencies_ms(breaker: &Breaker) -> Vec<u32> {
    breaker.read(|core| core.latencies().map(Latency::as_millis).collect())
}

fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn status(code: StatusCode) -> Response<Frames> {
    let mut response = Response::new(Frames::default());
    *response.status_mut() = code;
    response
}

/// A body of these frames; at `None` it waits forever.
#[derive(Debug, Default)]
struct Frames(std::collections::VecDeque<Option<Result<Frame<&'static [u8]>, &'static str>>>);

impl Frames {
    fn of(frames: impl IntoIterator<Item = Result<Frame<&'static [u8]>, &'static str>>) -> Self {
        Self(frames.into_iter().map(Some).collect())
    }
}

impl Body for Frames {
    type Data = &'static [u8];
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match self.0.pop_front() {
            Some(Some(frame)) => Poll::Ready(Some(frame)),
            Some(None) => Poll::Pending,
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }
}

/// A service that responds after `latency_ms` of manual time.
fn slow(
    clock: &Arc<ManualClock>,
    latency_ms: u64,
) -> impl Service<(), Response = Response<Frames>, Error = Infallible, Future: Send> + Clone + use<> {
    let clock = clock.clone();
    service_fn(move |()| {
        let clock = clock.clone();
        async move {
            clock.advance(Duration::from_millis(latency_ms));
            Ok(status(StatusCode::OK))
        }
    })
}

#[test]
fn a_call_is_measured_from_call_to_the_head_of_the_response() {
    let (breaker, clock) = breaker();
    let service = BreakerLayer::new(breaker.clone()).layer(slow(&clock, 120));
    block_on(service.oneshot(())).unwrap();
    assert_eq!(latencies_ms(&breaker), [120]);
    assert_eq!(counts(&breaker).ok, 1);
}

#[test]
fn slow_calls_open_the_breaker_and_the_next_one_is_rejected_without_being_made() {
    let (breaker, clock) = breaker();
    let made = Arc::new(AtomicUsize::new(0));
    let inner = slow(&clock, 400);
    let counting = made.clone();
    let service = BreakerLayer::new(breaker.clone()).layer(service_fn(move |()| {
        counting.fetch_add(1, Ordering::Relaxed);
        inner.clone().oneshot(())
    }));
    while breaker.read(|core| core.state().kind()) == StateKind::Closed {
        block_on(service.clone().oneshot(())).unwrap();
    }
    let before = made.load(Ordering::Relaxed);
    match block_on(service.oneshot(())) {
        Err(CallError::Rejected(rejection)) => assert_eq!(rejection.retry_after, Some(Duration::from_secs(10))),
        other => panic!("{other:?}"),
    }
    assert_eq!(made.load(Ordering::Relaxed), before);
}

#[test]
fn errors_and_server_errors_are_failed_and_client_errors_are_not() {
    let (breaker, _) = breaker();
    let layer = BreakerLayer::new(breaker.clone());
    for answer in [Ok(StatusCode::NOT_FOUND), Ok(StatusCode::BAD_GATEWAY), Err("broken")] {
        let service = layer.layer(service_fn(move |()| ready(answer.map(status))));
        let seen = block_on(service.oneshot(()));
        match answer {
            Ok(code) => assert_eq!(seen.unwrap().status(), code),
            Err(error) => assert_eq!(seen.unwrap_err(), CallError::Failed(error)),
        }
    }
    assert_eq!((counts(&breaker).ok, counts(&breaker).failed), (1, 2));
}

#[test]
fn a_function_can_classify_any_response() {
    let (breaker, _) = breaker();
    let classify = |result: Result<&u32, &()>| match result {
        Ok(0) => Outcome::Ignored,
        Ok(_) => Outcome::Ok,
        Err(()) => Outcome::Failed,
    };
    let service = BreakerLayer::new(breaker.clone()).classify(classify).layer(service_fn(|n: u32| ready(Ok(n))));
    for n in [0, 1, 2] {
        block_on(service.clone().oneshot(n)).unwrap();
    }
    assert_eq!((counts(&breaker).ok, counts(&breaker).ignored), (2, 1));
}

#[test]
fn being_ready_asks_nothing_and_takes_no_place() {
    let (breaker, clock) = breaker();
    breaker.simulate_latency();
    breaker.undo_simulations();
    clock.advance(Duration::from_secs(10));
    let mut ready_services: Vec<_> =
        (0..20).map(|_| BreakerLayer::new(breaker.clone()).layer(slow(&clock, 1))).collect();
    for service in &mut ready_services {
        assert!(service.poll_ready(&mut Context::from_waker(Waker::noop())).is_ready());
    }
    assert_eq!(breaker.read(|core| core.state().kind()), StateKind::Open);
    assert_eq!(breaker.in_flight(), 0);
    for service in &mut ready_services {
        block_on(service.call(())).unwrap();
    }
    assert_eq!(breaker.read(|core| core.state().kind()), StateKind::Closed);
}

/// A service whose clones are not ready, like one behind a limit: only a polled instance may be called.
#[derive(Debug, Default)]
struct OnlyOnceReady {
    ready: bool,
}

impl Clone for OnlyOnceReady {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Service<()> for OnlyOnceReady {
    type Response = Response<Frames>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Frames>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        assert!(self.ready, "called without having been polled ready");
        self.ready = false;
        ready(Ok(status(StatusCode::OK)))
    }
}

#[test]
fn the_service_that_was_polled_ready_is_the_one_that_is_called() {
    let (breaker, _) = breaker();
    let mut service = BreakerLayer::new(breaker.clone()).layer(OnlyOnceReady::default());
    for _ in 0..3 {
        block_on(service.ready()).unwrap();
        block_on(service.call(())).unwrap();
    }
    assert_eq!(counts(&breaker).ok, 3);
}

#[test]
fn a_rejection_can_be_a_response() {
    let (breaker, clock) = breaker();
    breaker.simulate_latency();
    breaker.undo_simulations();
    let service = BreakerLayer::new(breaker)
        .respond_with(service_unavailable::<String>)
        .layer(service_fn(|()| ready(Ok::<_, Infallible>(Response::new(String::new())))));
    clock.advance(Duration::from_millis(100));
    let response = block_on(service.oneshot(())).unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "10");
    assert_eq!(
        response.into_body(),
        r#"{"error":"breaker default rejected the call: latency, retry after 9.9 s","breaker":"default","reason":"latency","retry_after_ms":9900}"#
    );
}

#[test]
fn where_no_wait_is_known_the_header_says_one_second_and_the_body_null() {
    let (breaker, _) = breaker();
    breaker.force_open();
    let rejection = breaker.try_start().unwrap_err();
    let response = service_unavailable::<String>(&rejection);
    assert_eq!(response.headers()["retry-after"], "1");
    assert!(response.body().ends_with(r#""reason":"forced_open","retry_after_ms":null}"#), "{}", response.body());
}

#[test]
fn a_call_dropped_early_is_neutral_and_one_dropped_late_is_slow() {
    let (breaker, clock) = breaker();
    let service =
        BreakerLayer::new(breaker.clone()).layer(service_fn(|()| pending::<Result<Response<Frames>, Infallible>>()));
    for (latency_ms, slow) in [(299, 0), (301, 1)] {
        {
            let mut call = pin!(service.clone().oneshot(()));
            assert!(poll_once(call.as_mut()).is_pending());
            clock.advance(Duration::from_millis(latency_ms));
        }
        assert_eq!(counts(&breaker).slow, slow, "dropped after {latency_ms} ms");
    }
    assert_eq!((counts(&breaker).dropped, breaker.in_flight()), (1, 0));
}

#[test]
fn a_panic_is_failed_at_once_even_if_the_future_outlives_it() {
    let (breaker, _) = breaker();
    let panics_when_polled = service_fn(|()| async { panic!("as the test wants") });
    let mut service = BreakerLayer::new(breaker.clone()).layer(panics_when_polled);
    let mut call: Pin<Box<dyn Future<Output = Result<Response<Frames>, CallError<Infallible>>>>> =
        Box::pin(service.call(()));
    assert!(catch_unwind(AssertUnwindSafe(|| poll_once(call.as_mut()).is_ready())).is_err());
    assert_eq!(counts(&breaker).failed, 1);

    let panics_when_called =
        service_fn(|()| -> Ready<Result<Response<Frames>, Infallible>> { panic!("as the test wants") });
    let mut service = BreakerLayer::new(breaker.clone()).layer(panics_when_called);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(service.call(())))).is_err());
    assert_eq!((counts(&breaker).failed, breaker.in_flight()), (2, 0));
}

fn measured(
    breaker: &Breaker,
    body: Frames,
) -> Pin<Box<impl Body<Data = &'static [u8], Error = &'static str> + use<>>> {
    let mut body = Some(body);
    let inner = service_fn(move |()| ready(Ok::<_, Infallible>(Response::new(body.take().unwrap_or_default()))));
    let mut service = BreakerLayer::new(breaker.clone()).classify(GrpcClassify).measure_body().layer(inner);
    Box::pin(block_on(service.call(())).unwrap().into_body())
}

fn next<B: Body>(body: &mut Pin<Box<B>>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
    body.as_mut().poll_frame(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_measured_body_ends_the_call_with_the_last_frame() {
    let (breaker, clock) = breaker();
    let mut body = measured(&breaker, Frames::of([Ok(Frame::data(&b"a"[..])), Ok(Frame::data(&b"b"[..]))]));
    assert_eq!((counts(&breaker).ok, breaker.in_flight()), (0, 1));
    clock.advance(Duration::from_millis(50));
    assert!(next(&mut body).is_ready());
    assert_eq!(breaker.in_flight(), 1);
    clock.advance(Duration::from_millis(50));
    assert!(next(&mut body).is_ready());
    // The last frame is known to be the last: servers do not poll again.
    assert_eq!((latencies_ms(&breaker), breaker.in_flight()), (vec![100], 0));
}

#[test]
fn a_measured_call_with_an_empty_body_ends_with_the_head() {
    let (breaker, _) = breaker();
    let _body = measured(&breaker, Frames::default());
    assert_eq!((counts(&breaker).ok, breaker.in_flight()), (1, 0));
}

#[test]
fn grpc_trailers_decide_the_outcome_of_a_measured_call() {
    let (breaker, _) = breaker();
    for (status, failed) in [("0", 0), ("14", 1)] {
        let trailers =
            HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), HeaderValue::from_static(status))]);
        let mut body = measured(&breaker, Frames::of([Ok(Frame::data(&b"a"[..])), Ok(Frame::trailers(trailers))]));
        while let Poll::Ready(Some(_)) = next(&mut body) {}
        assert_eq!(counts(&breaker).failed, failed, "grpc-status {status}");
    }
    assert_eq!(counts(&breaker).ok, 1);
}

#[test]
fn a_body_that_breaks_off_is_failed() {
    let (breaker, _) = breaker();
    let mut body = measured(&breaker, Frames::of([Ok(Frame::data(&b"a"[..])), Err("reset")]));
    while let Poll::Ready(Some(_)) = next(&mut body) {}
    assert_eq!((counts(&breaker).failed, counts(&breaker).ok), (1, 0));
}

#[test]
fn a_body_dropped_early_is_neutral_and_one_dropped_late_is_slow() {
    let (breaker, clock) = breaker();
    for (latency_ms, slow) in [(299, 0), (301, 1)] {
        let mut body = measured(&breaker, Frames([None, None].into()));
        assert!(next(&mut body).is_pending());
        clock.advance(Duration::from_millis(latency_ms));
        drop(body);
        assert_eq!(counts(&breaker).slow, slow, "dropped after {latency_ms} ms");
    }
    assert_eq!((counts(&breaker).dropped, breaker.in_flight()), (1, 0));
}

#[test]
fn a_rejection_as_response_goes_through_a_measured_service_unmeasured() {
    let (breaker, _) = breaker();
    breaker.force_open();
    let mut service = BreakerLayer::new(breaker.clone())
        .measure_body()
        .respond_with(|_| status(StatusCode::SERVICE_UNAVAILABLE))
        .layer(service_fn(|()| ready(Ok::<_, Infallible>(status(StatusCode::OK)))));
    let response = block_on(service.call(())).unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(counts(&breaker).ok, 0);
}

#[cfg(feature = "api")]
#[test]
fn an_axum_router_takes_the_layer_and_its_bodies_are_measured() {
    use axum::{Router, body::to_bytes, routing::get};

    let (breaker, clock) = breaker();
    let layer = BreakerLayer::new(breaker.clone()).measure_body().respond_with(service_unavailable::<axum::body::Body>);
    let slowly = clock.clone();
    let router = Router::new()
        .route(
            "/",
            get(|| async move {
                slowly.advance(Duration::from_millis(120));
                "hello"
            }),
        )
        .layer(layer);
    let ask = || http::Request::get("/").body(axum::body::Body::empty()).unwrap();

    let body = block_on(async {
        let response = router.clone().oneshot(ask()).await.unwrap();
        clock.advance(Duration::from_millis(30));
        to_bytes(response.into_body(), 100).await.unwrap()
    });
    assert_eq!((&body[..], latencies_ms(&breaker)), (&b"hello"[..], vec![150]));

    breaker.force_open();
    let response = block_on(router.oneshot(ask())).unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[test]
fn a_classifier_can_depend_on_the_request() {
    let (breaker, _) = breaker();
    let only_reads_fail = |request: &http::Request<()>| {
        let is_read = request.method() == http::Method::GET;
        move |result: Result<&Response<Frames>, &Infallible>| match result {
            Ok(response) if is_read && response.status() == StatusCode::CONFLICT => Outcome::Failed,
            _ => Outcome::Ok,
        }
    };
    let conflict = service_fn(|_| ready(Ok::<_, Infallible>(status(StatusCode::CONFLICT))));
    for measured in [false, true] {
        let layer = BreakerLayer::new(breaker.clone()).classify_by_request(only_reads_fail);
        for method in [http::Method::GET, http::Method::PUT] {
            let request = http::Request::builder().method(method).body(()).unwrap();
            if measured {
                block_on(layer.clone().measure_body().layer(conflict).call(request)).unwrap();
            } else {
                block_on(layer.layer(conflict).call(request)).unwrap();
            }
        }
    }
    assert_eq!((counts(&breaker).failed, counts(&breaker).ok, breaker.in_flight()), (2, 2, 0));
}

#[test]
fn paths_that_are_not_guarded_pass_an_open_breaker_and_are_not_measured() {
    let (breaker, clock) = breaker();
    let patterns = PathPatterns::new(["/api/*"], ["*/poll"]);
    let layer = BreakerLayer::new(breaker.clone()).guard_paths(patterns).respond_with(service_unavailable::<String>);
    let sleeper = clock.clone();
    let service = layer.clone().layer(service_fn(move |request: http::Request<()>| {
        sleeper.advance(Duration::from_millis(if request.uri().path().ends_with("/poll") { 5_000 } else { 20 }));
        ready(Ok::<_, Infallible>(Response::new("done".to_owned())))
    }));
    let status_of = |uri: &str| {
        let request = http::Request::builder().uri(uri).body(()).unwrap();
        block_on(service.clone().oneshot(request)).unwrap().status()
    };
    for uri in ["/health", "/api/poll", "/api/chat/poll?since=3", "/apiary", "https://a.example/"] {
        assert_eq!((status_of(uri), breaker.in_flight()), (StatusCode::OK, 0), "{uri}");
    }
    assert_eq!(counts(&breaker).ok, 0);
    assert_eq!(status_of("/api/users?q=/poll"), StatusCode::OK);
    assert_eq!((counts(&breaker).ok, latencies_ms(&breaker)), (1, vec![20]));

    breaker.force_open();
    assert_eq!(status_of("/api/users"), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(status_of("/api/users/poll"), StatusCode::OK);

    // The body of an unguarded call is not measured either.
    let body = layer
        .measure_body()
        .layer(service_fn(|_: http::Request<()>| ready(Ok::<_, Infallible>(Response::new(String::new())))));
    assert_eq!(block_on(body.oneshot(http::Request::new(()))).unwrap().status(), StatusCode::OK);
    assert_eq!(counts(&breaker).ok, 1);
}
