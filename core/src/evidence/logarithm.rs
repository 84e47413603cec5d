//! The natural logarithm in fixed point, rounded up.

/// Number of fractional bits of a logarithm.
const LOG_BITS: u32 = 16;

/// Returns ln `x` with [`LOG_BITS`] fractional bits, for 1 ≤ x < 2¹²⁷. The result is never below the exact value, and
/// exceeds it by less than 1.02 units of the last bit.
///
/// With x = m·2ᵉ and 1 ≤ m < 2, repeatedly squaring m, and halving it if the square is 2 or more, yields the binary
/// digits of log₂ m (D. E. Knuth, *The Art of Computer Programming*, vol. 1, 1.2.2). It needs less than half of the
/// code of `libm::log`.
#[inline(never)] // one copy is enough
pub(super) fn log_rounded_up(x: f64) -> u32 {
    const DIGITS: u32 = 24;
    const FRACTION_BITS_OF_M: u32 = 30;
    /// ln 2 with 32 fractional bits, rounded up.
    const LN_2: u64 = 0xB172_17F8;
    let (half_of_m, exponent) = libm::frexpf(x as f32);
    let mut m = (half_of_m * (2_u32 << FRACTION_BITS_OF_M) as f32) as u32;
    let mut log2 = exponent.wrapping_sub(1) as u32;
    for _ in 0..DIGITS {
        let square = (u64::from(m).wrapping_mul(u64::from(m)) >> FRACTION_BITS_OF_M) as u32;
        let digit = square >> (FRACTION_BITS_OF_M + 1);
        m = square >> digit;
        log2 = log2 << 1 | digit;
    }
    // The remainder of m is below one unit of the last digit, and so are its roundings together, and the first
    // rounding.
    u64::from(log2.wrapping_add(3)).wrapping_mul(LN_2).div_ceil(1 << (DIGITS + 32 - LOG_BITS)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the excess of the fixed-point logarithm over the exact one.
    fn excess(x: f64) -> f64 {
        f64::from(log_rounded_up(x)) - x.ln() * 65_536.0
    }

    #[track_caller]
    fn assert_rounded_up(x: f64) {
        let excess = excess(x);
        // The last digit of the library's logarithm is 10⁻⁹ at ln 2⁷⁰, in these units.
        assert!((-1e-8..1.02).contains(&excess), "ln {x:e} is off by {excess}");
    }

    #[test]
    fn the_logarithm_is_never_too_low_nor_more_than_a_step_too_high() {
        // Every power of two with its neighbours, where the exponent changes and m may round up to 2.
        for exponent in 0..127 {
            let power = f64::from_bits((1_023 + exponent) << 52);
            assert_rounded_up(power);
            assert_rounded_up(power.next_up());
            assert_rounded_up(power.next_down().max(1.0));
            assert_rounded_up((power * 2.0).next_down());
        }
        // Both sides of every step up to ln 2⁷⁰, where the smallest error changes the result.
        for score in 1..(70.0 * 2.0_f64.ln() * 65_536.0) as u32 {
            for beside in [-1e-6, 1e-6] {
                assert_rounded_up(((f64::from(score) + beside) / 65_536.0).exp());
            }
        }
    }

    #[test]
    fn the_logarithm_never_falls() {
        let logs = (0..1 << 20).map(|step| log_rounded_up(1.0 + f64::from(step) / 1e6));
        assert!(logs.is_sorted());
    }
}
