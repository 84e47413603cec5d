//! Whether the threads that record are spread over stripes at present.
//!
//! A record that waits in a stripe is written once and read once more than one that is handled at once: 4 to 6 ns, which only
//! pays where threads would meet at the core. So the owner of the core turns the stripes on when another thread has met it, and
//! off when one stripe was full several times while all others were empty: a single thread records. With one stripe they stay
//! off.

/// Whether good calls wait in stripes at present. Part of what the owner of the core owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spread {
    /// One stripe: never.
    Never,
    /// While threads meet.
    Adaptive {
        /// Fallen to 0, they do not wait.
        left: u8,
    },
    /// For tests and models.
    #[cfg(test)]
    Always,
}

/// Full stripes in a row, with all others empty, until a thread counts as alone.
const FULL_STRIPES: u8 = 8;

impl Spread {
    pub(crate) const OFF: Self = Self::Adaptive { left: 0 };

    #[inline]
    pub(crate) const fn is_on(self) -> bool {
        match self {
            Self::Never => false,
            Self::Adaptive { left } => left > 0,
            #[cfg(test)]
            Self::Always => true,
        }
    }

    /// A thread met the owner of the core, or two stripes held records.
    pub(crate) const fn threads_meet(&mut self) {
        if let Self::Adaptive { left } = self {
            *left = FULL_STRIPES;
        }
    }

    /// One stripe was full, and all others empty.
    pub(crate) const fn one_is_alone(&mut self) {
        if let Self::Adaptive { left } = self {
            *left = left.saturating_sub(1);
        }
    }
}

#[cfg(all(test, not(tripline_loom)))]
mod tests {
    use super::*;

    #[test]
    fn it_is_on_from_when_threads_meet_until_one_is_alone_for_a_while() {
        let mut spread = Spread::OFF;
        spread.one_is_alone();
        assert!(!spread.is_on());
        spread.threads_meet();
        for _ in 0..FULL_STRIPES {
            assert!(spread.is_on());
            spread.one_is_alone();
        }
        assert!(!spread.is_on());
        let mut never = Spread::Never;
        never.threads_meet();
        assert!(!never.is_on());
    }
}
