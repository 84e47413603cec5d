//! Runs the real binary, and speaks HTTP to it over loopback.
// Each test file uses a part of this module.
#![allow(dead_code, unused_imports)]

mod client;
mod log;
mod process;
mod server;

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use client::{Client, Response, exchange, get, post, post_json};
pub(crate) use log::{gzipped, log_fixture};
pub(crate) use process::{Finished, run, run_with_input, tripline, tripline_unread, wait};
pub(crate) use server::{Launch, QUICK, Server};

/// Time limit of a test. No test comes near it unless something is wrong.
pub(crate) const TOO_LONG: Duration = Duration::from_secs(30);

/// Polls until there is a result; a timeout reports `what`.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + TOO_LONG;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {TOO_LONG:?}: {what}");
        pause();
    }
}

/// Checks for a while that a condition holds.
#[track_caller]
pub(crate) fn all_the_while(what: &str, span: Duration, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + span;
    while Instant::now() < end {
        assert!(holds(), "not all the while: {what}");
        pause();
    }
}

/// The pause between two polls, so that polling takes no CPU time from the process under test.
fn pause() {
    let (_keep, never) = mpsc::channel::<()>();
    let _ = never.recv_timeout(Duration::from_millis(10));
}

/// Runs `work` on this many threads at once, and returns the results.
pub(crate) fn at_once<T: Send>(threads: usize, work: impl Fn() -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(&work)).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}
