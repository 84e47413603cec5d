//! Bytes of a connection to the API: heads and bodies of requests, valid or hostile.

use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use tower_service::Service as _;
use tripline_backends::api::{ApiState, router};
use tripline_backends::circuit::Circuit;
use tripline_core::{Outcome, Policy};
use tripline_runtime::test_util::{Subject, World};

/// A stream of events never ends.
const MAX_POLLS: usize = 200;

thread_local! {
    /// To build it takes longer than to answer.
    static API: Api = Api::new();
}

struct Api {
    world: World,
    subject: Subject,
    router: Router,
}

impl Api {
    fn new() -> Self {
        let world = World::new(1);
        let subject = world.breaker(Policy::default()).unwrap();
        let circuit = Circuit::builder(subject.breaker.clone()).memory(subject.memory.clone()).build();
        let state = ApiState::new(circuit, ([127, 0, 0, 1], 8080).into());
        Self { router: router(state).unwrap(), world, subject }
    }

    /// Whatever the input before this one did is undone.
    fn restore(&self) {
        let breaker = &self.subject.breaker;
        breaker.enable();
        breaker.undo_simulations();
        breaker.reset();
        breaker.set_policy(&Policy::default()).unwrap();
    }
}

pub fn run(data: &[u8]) {
    API.with(|api| {
        api.restore();
        answer(api, data);
    });
}

fn answer(Api { world, subject, router }: &Api, data: &[u8]) {
    let answered = Arc::new(Mutex::new(Vec::new()));
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let (mut router, answered) = (router.clone(), answered.clone());
        async move {
            let answer = router.call(request).await;
            if let Ok(answer) = &answer {
                answered.lock().unwrap().push(answer.status().as_u16());
            }
            answer
        }
    });
    let mut builder = http1::Builder::new();
    builder.half_close(true).auto_date_header(false).max_buf_size(16 * 1_024).max_headers(64);
    {
        let mut connection = pin!(builder.serve_connection(Bytes { left: data }, service));
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..MAX_POLLS {
            if connection.as_mut().poll(&mut context).is_ready() {
                break;
            }
            world.run_until_idle();
        }
    }
    for status in answered.lock().unwrap().iter() {
        // 501: this breaker has no configuration to save and no alerts. 503: what `/test` answers while it is open.
        assert!((200..500).contains(status) || matches!(status, 501 | 503), "status {status}");
    }
    // Whatever was set, the breaker works: nothing panics in a minute.
    world.request(&subject.breaker, Duration::from_millis(20), Outcome::Ok);
    world.advance(Duration::from_secs(60));
}

/// A client that sends everything at once, closes its sending half and reads all answers.
struct Bytes<'a> {
    left: &'a [u8],
}

impl Read for Bytes<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, mut to: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let length = self.left.len().min(to.remaining());
        let (now, later) = self.left.split_at(length);
        to.put_slice(now);
        self.left = later;
        Poll::Ready(Ok(()))
    }
}

impl Write for Bytes<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(from.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
