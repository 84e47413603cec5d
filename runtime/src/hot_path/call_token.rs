//! The call of a permit, in one word.

use tripline_core::Generation;

use crate::hot_path::gate_word::Admission;
use crate::hot_path::in_flight::EpochMark;

/// The call of a permit, in one word so that it is passed in a register. From the lowest bit: 3 bits of the mode that
/// admitted it, 32 of generation, whether it is tracked with 24 bits of its epoch, and whether the thread was
/// panicking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CallToken(u64);

const GENERATION_SHIFT: u32 = 3;
const TRACKED_SHIFT: u32 = 35;
const TRACKED: u64 = 1 << TRACKED_SHIFT;
const EPOCH_SHIFT: u32 = TRACKED_SHIFT + 1;
const PANICKING: u64 = 1 << 60;

impl CallToken {
    /// A call that is admitted without further work.
    #[inline]
    pub(crate) const fn free(admission: Admission) -> Self {
        Self(admission.0)
    }

    /// Whether it was [free](CallToken::free) and would still be.
    #[inline]
    pub(crate) const fn is_still(self, admission: Admission) -> bool {
        self.0 & !PANICKING == admission.0
    }

    /// A call that is not counted as in flight.
    #[inline]
    pub(crate) const fn untracked(generation: Generation) -> Self {
        Self((generation.get() as u64) << GENERATION_SHIFT)
    }

    #[inline]
    pub(crate) const fn tracked(generation: Generation, epoch: EpochMark) -> Self {
        Self(TRACKED | epoch.get() << EPOCH_SHIFT | (generation.get() as u64) << GENERATION_SHIFT)
    }

    #[inline]
    pub(crate) const fn generation(self) -> Generation {
        Generation::new((self.0 >> GENERATION_SHIFT) as u32)
    }

    /// All of it. Different from that of another call of the same generation and epoch only if the thread was panicking.
    #[inline]
    pub(crate) const fn word(self) -> u64 {
        self.0
    }

    /// Returns the epoch; `None` if calls in flight are not tracked.
    #[inline]
    pub(crate) const fn epoch(self) -> Option<EpochMark> {
        if self.0 & TRACKED == 0 { None } else { Some(EpochMark::new(self.0 >> EPOCH_SHIFT)) }
    }

    /// Whether the call is tracked (the lowest bit), and its epoch.
    #[inline]
    pub(crate) const fn tracking(self) -> u32 {
        (self.0 >> TRACKED_SHIFT) as u32 & Self::TRACKING_MASK
    }

    /// All bits of [`CallToken::tracking`].
    pub(crate) const TRACKING_MASK: u32 = (1 << (EpochMark::BITS + 1)) - 1;

    /// Returns the epoch of a [`CallToken::tracking`].
    pub(crate) const fn epoch_of_tracking(tracking: u32) -> EpochMark {
        EpochMark::new((tracking >> 1) as u64)
    }

    /// Returns a call with this [`CallToken::tracking`].
    #[inline]
    pub(crate) const fn with_tracking(generation: Generation, tracking: u32) -> Self {
        let tracking = (tracking & Self::TRACKING_MASK) as u64;
        Self(tracking << TRACKED_SHIFT | (generation.get() as u64) << GENERATION_SHIFT)
    }

    /// Returns the same call in another generation.
    pub(crate) const fn moved_to(self, generation: Generation) -> Self {
        match self.epoch() {
            Some(epoch) => Self::tracked(generation, epoch),
            None => Self::untracked(generation),
        }
    }

    /// Records whether the thread was already panicking at admission.
    #[inline]
    pub(crate) const fn while_panicking(self, is_panicking: bool) -> Self {
        if is_panicking { Self(self.0 | PANICKING) } else { self }
    }

    #[inline]
    pub(crate) const fn was_panicking(self) -> bool {
        self.0 & PANICKING != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_keeps_what_it_was_made_of() {
        let generation = Generation::new(u32::MAX);
        let mark = EpochMark::new(0x00FF_FFFF);
        let token = CallToken::tracked(generation, mark);
        assert_eq!((token.generation(), token.epoch()), (generation, Some(mark)));
        assert_eq!(token.moved_to(Generation::new(7)).generation(), Generation::new(7));
        assert_eq!(token.moved_to(Generation::new(7)).epoch(), Some(mark));
        assert_eq!(CallToken::untracked(generation).epoch(), None);
    }
}
