//! The public handle of a breaker. Its methods are grouped by topic, one file each.

mod admission;
mod allowed_calls;
pub(crate) mod builder;
mod call;
pub(crate) mod driver;
pub(crate) mod explanation;
mod go_breaker_compat;
mod inner;
mod memory;
pub(crate) mod mode;
pub(crate) mod name;
pub(crate) mod operations;
mod operator;
pub(crate) mod operator_record;
pub(crate) mod permit;
mod rare;
mod recording;
pub(crate) mod registry;
pub(crate) mod rejection;
mod rejection_counters;
pub(crate) mod size;
pub(crate) mod supervision;
mod view;

use std::fmt;

use crate::breaker::inner::BreakerInner;
use crate::sync::Arc;

/// A circuit breaker that threads share. Cloning is cheap, and all clones are the same breaker.
///
/// It stores a window of up to 1,024 samples of 8 bytes each; `latency_window_size` sets the number. Ask for a permit
/// before a call, and finish the permit after it:
///
/// ```
/// use std::sync::Arc;
/// use tripline_runtime::core::{Outcome, Policy};
/// use tripline_runtime::{Breaker, SystemClock};
///
/// let breaker = Breaker::builder(Arc::new(SystemClock::new())).policy(Policy::default()).build()?;
/// match breaker.try_start() {
///     Ok(permit) => {
///         // … the call …
///         permit.finish(Outcome::Ok);
///     }
///     Err(rejection) => eprintln!("{rejection}"),
/// }
/// # Ok::<(), tripline_runtime::core::CapacityError>(())
/// ```
#[derive(Clone)]
pub struct Breaker {
    pub(crate) inner: Arc<BreakerInner>,
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("name", &self.inner.name).finish_non_exhaustive()
    }
}
