//! Admission, call and report in one method.

use std::future::Future;

use tripline_core::Outcome;

use crate::breaker::Breaker;
use crate::breaker::rejection::CallError;

impl Breaker {
    /// Makes the call if it is admitted. An `Err` counts as failed, and so does a panic.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use tripline_runtime::{Breaker, CallError, SystemClock};
    /// # let breaker = Breaker::builder(Arc::new(SystemClock::new())).build()?;
    /// let answer = breaker.call(|| "42".parse::<u32>());
    /// assert_eq!(answer, Ok(42));
    /// # Ok::<(), tripline_runtime::core::CapacityError>(())
    /// ```
    ///
    /// # Errors
    /// [`CallError::Rejected`] if the call was not made, [`CallError::Failed`] with the call's own error.
    pub fn call<T, E>(&self, call: impl FnOnce() -> Result<T, E>) -> Result<T, CallError<E>> {
        self.call_classified(call, outcome_of)
    }

    /// Does the same as [`Breaker::call`], with an outcome chosen by `classify`.
    ///
    /// # Errors
    /// As [`Breaker::call`].
    pub fn call_classified<T, E>(
        &self,
        call: impl FnOnce() -> Result<T, E>,
        classify: impl FnOnce(&Result<T, E>) -> Outcome,
    ) -> Result<T, CallError<E>> {
        let permit = self.try_start().map_err(CallError::Rejected)?;
        let result = call();
        permit.finish(classify(&result));
        result.map_err(CallError::Failed)
    }

    /// Awaits the call if it is admitted. An `Err` counts as failed. A future that is dropped early is neutral while it
    /// is younger than the threshold, and slow afterwards.
    ///
    /// # Errors
    /// As [`Breaker::call`].
    pub fn call_async<T, E, F>(&self, call: F) -> impl Future<Output = Result<T, CallError<E>>> + use<T, E, F>
    where
        F: Future<Output = Result<T, E>>,
    {
        self.call_async_classified(call, outcome_of)
    }

    /// Does the same as [`Breaker::call_async`], with an outcome chosen by `classify`.
    ///
    /// # Errors
    /// As [`Breaker::call`].
    pub fn call_async_classified<T, E, F, C>(
        &self,
        call: F,
        classify: C,
    ) -> impl Future<Output = Result<T, CallError<E>>> + use<T, E, F, C>
    where
        F: Future<Output = Result<T, E>>,
        C: FnOnce(&Result<T, E>) -> Outcome,
    {
        let breaker = self.clone();
        async move {
            let permit = breaker.try_start_owned().map_err(CallError::Rejected)?;
            let result = call.await;
            permit.finish(classify(&result));
            result.map_err(CallError::Failed)
        }
    }
}

fn outcome_of<T, E>(result: &Result<T, E>) -> Outcome {
    if result.is_ok() { Outcome::Ok } else { Outcome::Failed }
}
