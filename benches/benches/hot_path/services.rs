//! Services that are ready at once, called without an executor.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::hint::{black_box, spin_loop};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use http::Response;
use tower::Service;
use tower::util::ServiceFn;

type Answer = Ready<Result<Response<()>, Infallible>>;

/// A minimal service.
pub(crate) type Bare = ServiceFn<fn(()) -> Answer>;

pub(crate) fn bare() -> Bare {
    tower::service_fn(|()| ready(Ok(black_box(Response::new(())))))
}

/// Waits until the service is ready, and makes one call.
#[inline]
pub(crate) fn call<S: Service<()>>(service: &mut S) -> Result<S::Response, S::Error> {
    let mut context = Context::from_waker(Waker::noop());
    while service.poll_ready(&mut context)?.is_pending() {
        spin_loop();
    }
    let mut call = pin!(service.call(()));
    loop {
        if let Poll::Ready(answer) = call.as_mut().poll(&mut context) {
            return answer;
        }
        spin_loop();
    }
}
