//! The parts of a breaker that most breakers never use.

use std::path::PathBuf;

use tripline_core::MemoryForecast;

use crate::breaker::allowed_calls::AllowedCalls;
use crate::breaker::operator_record::Operations;
use crate::breaker::rejection_counters::RejectionCounters;
use crate::incidents::alert_stager::AlertStager;
use crate::sync::Mutex;

/// What most breakers never use. A breaker of very many makes it with the first use, any other at once.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    pub(crate) config_file: Option<PathBuf>,
    /// Calls that were admitted by `allow`, which hands out no permit.
    pub(crate) allowed_calls: AllowedCalls,
    pub(crate) rejection_counters: RejectionCounters,
    /// Rejections that the caller does not carry out.
    pub(crate) would_reject_counters: RejectionCounters,
    pub(crate) operations: Mutex<Operations>,
    /// Only while the policy has a `memory_horizon`.
    pub(crate) forecast: Mutex<Option<Box<MemoryForecast>>>,
    /// Which alerts were staged. Here and not in the supervisor, so that a new supervisor goes on from it.
    pub(crate) incident: Mutex<AlertStager>,
}
