//! The word of the gate, which every call reads.

use tripline_core::Generation;

/// The word. From the lowest bit: three bits of mode, 32 of generation, and while open the index of the reason in
/// [`TripReason::ALL`](tripline_core::TripReason::ALL).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Admission(pub(crate) u64);

pub(crate) const MODE_BITS: u32 = 3;
pub(crate) const MODE_MASK: u64 = (1 << MODE_BITS) - 1;
/// Closed, without tracking of calls in flight.
pub(crate) const CLOSED: u64 = 0;
pub(crate) const DISABLED: u64 = 1;
/// Modes below this one admit a call without further work.
const FIRST_WITH_MORE: u64 = 2;
/// Closed, with tracking of calls in flight.
pub(crate) const CLOSED_TRACKED: u64 = 2;
pub(crate) const HALF_OPEN: u64 = 3;
pub(crate) const FORCED_OPEN: u64 = 4;
pub(crate) const OPEN: u64 = 5;
/// Memory or a simulation keeps it open after its wait.
pub(crate) const HELD_OPEN: u64 = 1 << 36;
pub(crate) const REASON_SHIFT: u32 = 40;

impl Admission {
    /// Whether the call is admitted without further work.
    #[inline]
    pub(crate) const fn is_free(self) -> bool {
        self.0 & MODE_MASK < FIRST_WITH_MORE
    }

    /// Whether the call is admitted and must be tracked.
    #[inline]
    pub(crate) const fn is_tracked(self) -> bool {
        self.0 & MODE_MASK == CLOSED_TRACKED
    }

    #[inline]
    pub(crate) const fn generation(self) -> Generation {
        Generation::new((self.0 >> MODE_BITS) as u32)
    }
}
