//! The thread that owns the configuration.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::config_actor::ConfigActor;
use super::outcome::{Applied, ChangeError};
use super::watch::Watch;
use crate::config::Change;

/// A request to the thread.
pub(super) enum Message {
    Change {
        change: Change,
        who: String,
        reply: smol::channel::Sender<Result<Applied, ChangeError>>,
    },
    /// The file may have another text.
    Touched,
    Stop,
}

/// After the last event of a change the file is read when it has been quiet for so long,
const QUIET: Duration = Duration::from_millis(50);
/// or at the latest so long after the first.
const MAX_QUIET: Duration = Duration::from_millis(500);
/// The file is read so often also without any event: one may be lost.
const SLOW_CHECK: Duration = Duration::from_secs(5);
/// The same where no events are to be expected.
const QUICK_CHECK: Duration = Duration::from_secs(1);

pub(super) fn run(mut actor: ConfigActor, inbox: &Receiver<Message>, mut watch: Option<Watch>) {
    let mut follow = || watch.as_mut().is_some_and(Watch::follow);
    let watches_file = actor.file.is_some();
    let mut next_check = Instant::now();
    let mut first_touch: Option<Instant> = None;
    if watches_file {
        follow();
    }
    loop {
        let wait = if watches_file { next_check.saturating_duration_since(Instant::now()) } else { SLOW_CHECK };
        match inbox.recv_timeout(wait) {
            Ok(Message::Change { change, who, reply }) => {
                // The caller may be gone; the change holds all the same.
                let _ = reply.try_send(actor.change(change, &who));
            }
            Ok(Message::Touched) => {
                let now = Instant::now();
                let first = *first_touch.get_or_insert(now);
                next_check = (now + QUIET).min(first + MAX_QUIET);
            }
            Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if watches_file && Instant::now() >= next_check {
            // First the path, then the text: a change in between is seen.
            let has_events = follow();
            actor.check();
            first_touch = None;
            next_check = Instant::now() + if has_events { SLOW_CHECK } else { QUICK_CHECK };
        }
    }
}
