//! The number of an epoch, and the words around it.

use crate::sync::AtomicU64;

/// When the epoch began, and when it is long enough.
#[derive(Debug)]
pub(super) struct Times {
    pub(super) opened_at: AtomicU64,
    pub(super) closes_at: AtomicU64,
}

impl Times {
    pub(super) fn new() -> Self {
        Self { opened_at: AtomicU64::new(0), closes_at: AtomicU64::new(0) }
    }
}

/// The start of a call that read no clock.
pub(super) const UNKNOWN: u64 = u64::MAX;

/// The supervisor is parked because no calls are in flight; the next call wakes it.
pub(super) const UNWATCHED: u64 = 1 << 63;
pub(super) const EPOCH_MASK: u32 = u32::MAX >> 1;

/// The number of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Epoch(pub(crate) u32);

/// The low bits of the number of an epoch, which a call stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EpochMark(pub(crate) u32);

impl EpochMark {
    pub(crate) const BITS: u32 = 24;

    /// The lowest bits of `bits`.
    pub(crate) const fn new(bits: u64) -> Self {
        Self(bits as u32 & ((1 << Self::BITS) - 1))
    }

    pub(crate) const fn get(self) -> u64 {
        self.0 as u64
    }
}

impl Epoch {
    /// Number of epochs since the one with this mark.
    pub(crate) fn since(self, mark: EpochMark) -> u32 {
        self.0.wrapping_sub(mark.0) & ((1 << EpochMark::BITS) - 1)
    }

    pub(crate) fn next(self) -> Self {
        Self(self.0.wrapping_add(1) & EPOCH_MASK)
    }

    pub(crate) fn before(self, epochs: u32) -> Self {
        Self(self.0.wrapping_sub(epochs) & EPOCH_MASK)
    }

    pub(crate) fn is_at_or_after(self, other: Self) -> bool {
        self.0.wrapping_sub(other.0) & EPOCH_MASK <= EPOCH_MASK / 2
    }
}
