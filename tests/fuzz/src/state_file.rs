//! `state.json`: for any content the breaker starts, and unusable content is quarantined. An input that begins with `=`
//! is the state itself, with a valid checksum; any other is the whole file.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::block_on;
use tripline_backends::state_dir::StateDir;
use tripline_core::{AlertKind, Outcome, Policy};
use tripline_runtime::test_util::{RecordingSink, World};
use tripline_runtime::{Breaker, BreakerName, DurableState, Family, FamilyLimits, StateStore as _, SupervisedBreaker};

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
    let Some(state) = opened.state else { return };
    assert_eq!(state.breaker, name);
    block_on(opened.store.save(&state)).unwrap();
    // The folder is locked as long as the store is there.
    drop(opened.store);
    assert_eq!(
        StateDir::open(root.path(), &name).unwrap().state.as_ref(),
        Some(&state),
        "a saved state is read as it was"
    );
    resume(&state, false);
    resume(&state, true);
}

/// Resumes the state in a breaker or in a family with incidents per key, for an hour of virtual time without a bad call.
fn resume(state: &DurableState, is_family: bool) {
    let world = World::new(1);
    let mut policy = Policy::default();
    policy.recovery_time = Duration::from_secs(10);
    let builder = Breaker::builder(world.clock()).policy(policy);
    let pager = Arc::new(RecordingSink::named("opsgenie"));
    let family = is_family.then(|| Family::new(builder.clone(), FamilyLimits::default()).unwrap());
    let breaker = builder.build().unwrap();
    let target = match &family {
        Some(family) => SupervisedBreaker::family(family).per_key(true),
        None => SupervisedBreaker::new(breaker.clone()),
    };
    let stop = world.supervise([target.resume(state.clone()).sink(pager.clone())]);
    for _ in 0..60 {
        world.advance(Duration::from_secs(60));
        // A half-open breaker closes after good calls only.
        let members = family.as_ref().map(Family::members);
        for breaker in members.iter().flatten().chain([&breaker]) {
            world.request(breaker, Duration::from_millis(10), Outcome::Ok);
        }
    }
    // What waits is sent once, and each incident has few stages of each kind.
    let waits = |state: &DurableState| state.lanes.iter().map(|lane| lane.incidents.len()).sum::<usize>();
    let waiting: usize = waits(state) + state.members.iter().map(waits).sum::<usize>();
    let most = waiting + (1 + state.members.len()) * AlertKind::ALL.len() * 3;
    assert!(pager.all().len() <= most, "{} pages", pager.all().len());
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
