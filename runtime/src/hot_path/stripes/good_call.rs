//! A good call that waits, and how it is packed into two words.

use tripline_core::{Generation, Instant, Latency};

use crate::hot_path::call_token::CallToken;

/// A good call that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GoodCall {
    pub(crate) token: CallToken,
    /// Before [`GoodCall::END_LIMIT`].
    pub(crate) end: Instant,
    pub(crate) latency: Latency,
}

/// Its first word: 56 bits of the end in nanoseconds, the lowest 8 of the generation. Its second: 32 bits of latency in
/// microseconds, 25 of the [tracking](CallToken::tracking), 7 more of the generation.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PackedCall(pub(super) [u64; 2]);

const GENERATION_LOW_BITS: u32 = 8;
const GENERATION_LOW_MASK: u32 = 0xFF;
const GENERATION_HIGH_MASK: u32 = 0x7F;
const GENERATION_MASK: u32 = GENERATION_HIGH_MASK << GENERATION_LOW_BITS | GENERATION_LOW_MASK;
const TRACKING_SHIFT: u32 = 7;
const LATENCY_SHIFT: u32 = 32;

impl GoodCall {
    /// Ends from here on do not fit into a record: 2.28 years.
    pub(crate) const END_LIMIT: Instant = Instant::from_nanos(1 << (u64::BITS - GENERATION_LOW_BITS));

    #[inline]
    pub(super) fn pack(self) -> PackedCall {
        let generation = self.token.generation().get();
        let high = generation >> GENERATION_LOW_BITS & GENERATION_HIGH_MASK;
        let tracking = self.token.tracking() << TRACKING_SHIFT;
        PackedCall([
            self.end.as_nanos() << GENERATION_LOW_BITS | u64::from(generation & GENERATION_LOW_MASK),
            u64::from(self.latency.as_micros()) << LATENCY_SHIFT | u64::from(tracking | high),
        ])
    }
}

/// A token as a record stores it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PackedToken {
    generation_low: u8,
    rest: u32,
}

impl PackedToken {
    pub(crate) fn new(token: CallToken) -> Self {
        let PackedCall([first, second]) = GoodCall { token, end: Instant::ZERO, latency: Latency::ZERO }.pack();
        Self { generation_low: first as u8, rest: second as u32 }
    }
}

impl PackedCall {
    #[inline]
    pub(super) fn has(self, token: PackedToken) -> bool {
        let Self([first, second]) = self;
        first as u8 == token.generation_low && second as u32 == token.rest
    }

    #[inline]
    pub(super) fn latency(self) -> Latency {
        Latency::from_micros((self.0[1] >> LATENCY_SHIFT) as u32)
    }

    #[inline]
    pub(super) fn end(self) -> Instant {
        Instant::from_nanos(self.0[0] >> GENERATION_LOW_BITS)
    }

    /// The generation is the current one or a past one. A thread would have to be descheduled in the middle of `push` or `supersede` for 32,768
    /// transitions to be taken for one of this generation.
    #[inline]
    pub(super) fn unpack(self, current: Generation) -> GoodCall {
        let Self([first, second]) = self;
        let bits = (second as u32 & GENERATION_HIGH_MASK) << GENERATION_LOW_BITS | first as u32 & GENERATION_LOW_MASK;
        let is_current = bits == current.get() & GENERATION_MASK;
        let generation = if is_current { current } else { Generation::new(current.get().wrapping_sub(1)) };
        GoodCall {
            token: CallToken::with_tracking(generation, second as u32 >> TRACKING_SHIFT),
            end: self.end(),
            latency: self.latency(),
        }
    }
}
