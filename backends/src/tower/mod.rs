//! A circuit breaker around any tower service.
//!
//! [`BreakerLayer`] asks the breaker when a call is made, never in `poll_ready`, and records the outcome of the call.
//! By default a call is measured to the head of the response; with [`measure_body`](BreakerLayer::measure_body) to the
//! last frame of its body. A [`Classify`] decides which calls are failed; it can depend on the request, see
//! [`classify_by_request`](BreakerLayer::classify_by_request). A rejected call ends with [`CallError::Rejected`], or
//! with a custom response, see [`respond_with`](BreakerLayer::respond_with). Requests of some paths pass unguarded with
//! [`guard_paths`](BreakerLayer::guard_paths).
//!
//! | the call | counts as |
//! |---|---|
//! | returned a response or an error | the classifier's outcome |
//! | panicked | failed |
//! | was dropped younger than the threshold | neutral |
//! | was dropped older than the threshold | slow |
//!
//! ```
//! use std::sync::Arc;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tripline_backends::tower::{BreakerLayer, CallError};
//! use tripline_runtime::{Breaker, test_util::ManualClock};
//!
//! let breaker = Breaker::builder(Arc::new(ManualClock::default())).build()?;
//! let service = ServiceBuilder::new()
//!     .layer(BreakerLayer::new(breaker.clone()))
//!     .service(service_fn(|name: &'static str| async move { Ok::<_, std::io::Error>(http::Response::new(name)) }));
//!
//! let answer = futures_lite::future::block_on(service.clone().oneshot("hello"));
//! assert_eq!(answer.map(http::Response::into_body).ok(), Some("hello"));
//!
//! breaker.force_open();
//! let answer = futures_lite::future::block_on(service.oneshot("hello"));
//! assert!(matches!(answer, Err(CallError::Rejected(_))));
//! # Ok::<(), tripline_runtime::core::CapacityError>(())
//! ```
//!
//! If the errors must stay those of the inner service, as in an axum router, respond with a response:
//!
//! ```
//! # use std::sync::Arc;
//! # use tripline_backends::tower::{BreakerLayer, service_unavailable};
//! # use tripline_runtime::{Breaker, test_util::ManualClock};
//! # let breaker = Breaker::builder(Arc::new(ManualClock::default())).build()?;
//! let layer = BreakerLayer::new(breaker).respond_with(service_unavailable::<String>);
//! # Ok::<(), tripline_runtime::core::CapacityError>(())
//! ```

mod body;
mod by_request;
mod classify;
mod future;
mod layer;
mod measure;
mod rejected;
mod service;

pub use body::MeasuredBody;
pub use by_request::{BreakerByRequest, ByRequest, ChooseBreaker, ClassifyRequest, EveryRequest, GuardedPaths};
#[cfg(feature = "proxy")]
pub(crate) use classify::grpc_outcome;
pub use classify::{Classify, GrpcClassify, HttpClassify};
pub use future::ResponseFuture;
pub use layer::BreakerLayer;
pub use measure::{Measure, ToEndOfBody, ToHead};
pub use rejected::{FailWithError, OnRejection, RespondWith, service_unavailable, service_unavailable_because};
pub use service::BreakerService;

pub use crate::text::PathPatterns;
pub use tripline_runtime::CallError;
