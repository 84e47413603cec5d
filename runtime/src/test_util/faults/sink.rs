//! A sink with faults.

use async_trait::async_trait;

use super::plan::{Fault, FaultPlan};
use crate::clock::Clock;
use crate::incidents::alert::{Alert, AlertSink, DeliveryError};
use crate::sync::{Arc, AtomicU64, Mutex, Ordering, lock};

/// A sink that fails according to a [`FaultPlan`].
#[derive(Debug)]
pub struct FaultySink {
    inner: Arc<dyn AlertSink>,
    clock: Arc<dyn Clock>,
    plan: Mutex<FaultPlan>,
    injected: AtomicU64,
}

impl FaultySink {
    /// Wraps `inner` with the faults of `plan` on this clock.
    pub fn new(inner: Arc<dyn AlertSink>, clock: Arc<dyn Clock>, plan: FaultPlan) -> Self {
        Self { inner, clock, plan: Mutex::new(plan), injected: AtomicU64::new(0) }
    }

    /// Replaces the plan, from the next operation on.
    pub fn set_plan(&self, plan: FaultPlan) {
        *lock(&self.plan) = plan;
    }

    /// Number of attempts for which the plan drew a fault, also one without effect here.
    pub fn injected(&self) -> u64 {
        // Relaxed: a statistic.
        self.injected.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl AlertSink for FaultySink {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn alias(&self, alert: &Alert) -> Option<String> {
        self.inner.alias(alert)
    }

    fn keeps_open(&self) -> bool {
        self.inner.keeps_open()
    }

    async fn deliver(&self, alert: &Alert) -> Result<(), DeliveryError> {
        let fault = lock(&self.plan).draw(self.clock.now());
        // Relaxed: a statistic.
        self.injected.fetch_add(u64::from(fault.is_some()), Ordering::Relaxed);
        let retryable = |reason: &str| Err(DeliveryError::Retryable { after: None, reason: reason.to_owned() });
        match fault {
            None | Some(Fault::FullDisk) => self.inner.deliver(alert).await,
            Some(Fault::Drop) => retryable("injected: lost"),
            Some(Fault::Delay(span)) => {
                self.clock.sleep_until(self.clock.now() + span).await;
                self.inner.deliver(alert).await
            }
            Some(Fault::Duplicate) => {
                self.inner.deliver(alert).await?;
                self.inner.deliver(alert).await
            }
            Some(Fault::Fail) => {
                Err(DeliveryError::Rejected { status: Some(422), reason: "injected: rejected".to_owned() })
            }
            Some(Fault::Hang(span)) => {
                self.clock.sleep_until(self.clock.now() + span).await;
                retryable("injected: no answer")
            }
            Some(Fault::Corrupt | Fault::TornWrite) => {
                self.inner.deliver(alert).await?;
                retryable("injected: the answer is lost")
            }
        }
    }
}
