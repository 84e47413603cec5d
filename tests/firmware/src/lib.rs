//! Shared parts of the firmware's binaries.
#![no_std]

pub mod bad_input;
pub mod measure;
pub mod report;
pub mod scenarios;
pub mod surface;
pub mod vectors;

/// What a check says: nothing, or the condition that does not hold.
pub type Check = Result<(), &'static str>;

/// A check and its name.
pub type Named = (&'static str, fn() -> Check);

/// Ends a check where a condition does not hold. It prints no values: formatting them would need more than the core does.
#[macro_export]
macro_rules! ensure {
    ($condition:expr) => {
        if !$condition {
            return Err(concat!(file!(), ":", line!(), ": ", stringify!($condition)));
        }
    };
}
