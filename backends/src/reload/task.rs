//! The task that owns the configuration.

use std::sync::Arc;
use std::time::Duration;

use smol::channel::Receiver;
use smol::future::{or, pending};
use tripline_runtime::Clock;
use tripline_runtime::core::Instant;

use super::config_actor::ConfigActor;
use super::outcome::{Applied, ChangeError};
use super::store::WatchedPath;
use crate::config::Change;

/// A request to the task.
pub(super) enum Message {
    Change {
        change: Change,
        who: String,
        reply: smol::channel::Sender<Result<Applied, ChangeError>>,
    },
    /// The file may have another text.
    Touched,
    /// An operator asks for it: what the file names may have changed as well.
    Reload,
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

/// Runs until it is stopped.
pub(super) async fn run(
    mut actor: ConfigActor,
    inbox: Receiver<Message>,
    mut watch: Option<Box<dyn WatchedPath>>,
    clock: Arc<dyn Clock>,
) {
    let clock = &*clock;
    let mut follow = || watch.as_mut().is_some_and(|watch| watch.follow());
    let watches_file = actor.store.is_some();
    let mut next_check = clock.now();
    let mut first_touch: Option<Instant> = None;
    let mut is_asked = false;
    if watches_file {
        follow();
    }
    loop {
        // A clock that was set back must not put off the next check.
        next_check = next_check.min(clock.now() + SLOW_CHECK);
        let message = async { Some(inbox.recv().await.unwrap_or(Message::Stop)) };
        let due = async {
            if !watches_file {
                pending::<()>().await;
            }
            clock.sleep_until(next_check).await;
            None
        };
        match or(message, due).await {
            Some(Message::Change { change, who, reply }) => {
                // The caller may be gone; the change holds all the same.
                let _ = reply.try_send(actor.change(change, &who));
            }
            Some(Message::Reload) if !watches_file => actor.refresh(),
            Some(message @ (Message::Touched | Message::Reload)) => {
                is_asked |= matches!(message, Message::Reload);
                let now = clock.now();
                let first = *first_touch.get_or_insert(now);
                next_check = (now + QUIET).min(first + MAX_QUIET);
            }
            Some(Message::Stop) => return,
            None => {}
        }
        if watches_file && clock.now() >= next_check {
            // First the path, then the text: a change in between is seen.
            let has_events = follow();
            let is_changed = actor.check();
            if is_asked && !is_changed {
                actor.refresh();
            }
            (first_touch, is_asked) = (None, false);
            next_check = clock.now() + if has_events { SLOW_CHECK } else { QUICK_CHECK };
        }
    }
}
