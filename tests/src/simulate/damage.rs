//! Damage of stored bytes: what a disk that lies or ages makes of a file.

use super::random::Random;

/// Damages a state file: it ends early, a part of it was never written, or one bit is flipped. Its last byte, a newline, does not count.
pub(super) fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len().saturating_sub(1));
    match random.below(6) {
        0 => bytes.truncate(at),
        1 => bytes.iter_mut().skip(at).for_each(|byte| *byte = 0),
        _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << random.below(7)),
    }
}
