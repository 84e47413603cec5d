//! The scenarios and the invalid inputs of the firmware, on the host: both targets must decide the same.
#![allow(clippy::unwrap_used, unreachable_pub, reason = "the firmware shares these files")]

#[path = "../firmware/src/bad_input.rs"]
mod bad_input;
#[path = "../firmware/src/scenarios.rs"]
mod scenarios;

type Check = Result<(), &'static str>;
type Named = (&'static str, fn() -> Check);

macro_rules! ensure {
    ($condition:expr) => {
        if !$condition {
            return Err(concat!(file!(), ":", line!(), ": ", stringify!($condition)));
        }
    };
}
use ensure;

#[test]
fn every_scenario_holds() {
    assert_eq!(scenarios::ALL.len(), 10);
    for (name, scenario) in scenarios::ALL {
        assert_eq!(scenario(), Ok(()), "{name}");
    }
}

#[test]
fn bad_input_is_defined() {
    assert_eq!(bad_input::ALL.len(), 11);
    for (name, check) in bad_input::ALL {
        assert_eq!(check(), Ok(()), "{name}");
    }
}
