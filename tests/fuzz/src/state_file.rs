//! `state.json`: for any content the breaker starts, and unusable content is quarantined. An input that begins with `=`
//! is the state itself, with a valid checksum; any other is the whole file.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tripline_backends::state_dir::StateDir;
use tripline_core::Policy;
use tripline_runtime::test_util::World;
use tripline_runtime::{Breaker, BreakerName, DurableState, SupervisedBreaker};

use super::memory_folder;

pub fn run(data: &[u8]) {
    let root = memory_folder();
    let name = BreakerName::default();
    let folder: PathBuf = root.path().join(name.as_str());
    fs::create_dir_all(&folder).unwrap();
    let text = match data {
        [b'=', state @ ..] => with_checksum(state),
        file => file.to_vec(),
    };
    fs::write(folder.join("state.json"), &text).unwrap();
    let opened = StateDir::open(root.path(), &name).unwrap();
    assert!(opened.state.is_some() == opened.problems.is_empty(), "used or set aside: {opened:?}");
    let is_aside = !folder.join("state.json").exists();
    assert_eq!(is_aside, opened.state.is_none(), "what is of no use does not stay in its place");
    if let Some(state) = opened.state {
        assert_eq!(state.breaker, name);
        live(state);
    }
}

/// A breaker goes on with this state: an hour of virtual time.
fn live(state: DurableState) {
    let world = World::new(1);
    let mut policy = Policy::default();
    policy.recovery_time = Duration::from_secs(10);
    let breaker = Breaker::builder(world.clock()).policy(policy).build().unwrap();
    let stop = world.supervise([SupervisedBreaker::new(breaker.clone()).resume(state)]);
    for _ in 0..60 {
        world.advance(Duration::from_secs(60));
        world.request(&breaker, Duration::from_millis(10), tripline_core::Outcome::Ok);
    }
    drop(stop);
}

fn with_checksum(state: &[u8]) -> Vec<u8> {
    // FNV-1a, as the file has it.
    let sum = state
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let version = DurableState::VERSION;
    let head = format!("{{\"format\":\"tripline-state\",\"version\":{version},\"checksum\":\"{sum:016x}\",\"state\":");
    [head.as_bytes(), state, b"}"].concat()
}
