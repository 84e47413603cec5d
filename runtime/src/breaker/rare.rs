//! The parts of a breaker that most breakers do not use.

use std::path::PathBuf;

use tripline_core::MemoryForecast;

use crate::breaker::allowed_calls::AllowedCalls;
use crate::breaker::operator_record::Operations;
use crate::breaker::rejection_counters::RejectionCounters;
use crate::incidents::alert_stager::AlertStager;
use crate::sync::Mutex;

/// Parts that most breakers do not use. A compact breaker allocates them on first use, any other when it is built.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    pub(crate) config_file: Option<PathBuf>,
    /// Calls admitted by `allow`, which returns no permit.
    pub(crate) allowed_calls: AllowedCalls,
    pub(crate) rejection_counters: RejectionCounters,
    /// Rejections that the caller does not enforce.
    pub(crate) would_reject_counters: RejectionCounters,
    pub(crate) operations: Mutex<Operations>,
    /// Present only while the policy has a `memory_horizon`.
    pub(crate) forecast: Mutex<Option<Box<MemoryForecast>>>,
    /// The staged alerts. They are stored here and not in the supervisor, so that a new supervisor continues from them.
    pub(crate) incident: Mutex<AlertStager>,
}
