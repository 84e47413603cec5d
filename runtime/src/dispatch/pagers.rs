//! Which sinks page people.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::incidents::alert::AlertSink;
use crate::sync::Arc;

/// Whether a sink keeps alerts open; true for one that panics.
pub(super) fn keeps_open(sink: &Arc<dyn AlertSink>) -> bool {
    catch_unwind(AssertUnwindSafe(|| sink.keeps_open())).unwrap_or(true)
}
