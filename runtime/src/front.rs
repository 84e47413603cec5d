//! What those see who do not own the core, and what its owner does for them.

use event_listener::{Event as Notification, EventListener};
use tripline_core::{Generation, Instant, Latency, Outcome, Refusal};

use crate::admission::Gate;
use crate::driver::{Driver, Ending, Report};
use crate::entrance::Entrance;
use crate::stalls::Now;
use crate::sync::{AtomicBool, Ordering};
use crate::ticket::{Apply, Owner, Record};
use crate::token::Token;

/// What those see who do not own the core.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) gate: Gate,
    pub(crate) entrance: Entrance,
    /// Something has happened that those who wait were not told of yet.
    has_news: AtomicBool,
    changed: Notification,
}

/// The owner of a breaker's core.
pub(crate) type CoreOwner<'a> = Owner<'a, Driver, Front>;

/// The long way of a finished call.
#[inline(never)]
pub(crate) fn finish_as(mut owner: CoreOwner<'_>, token: Token, end: Instant, latency: Latency, outcome: Outcome) {
    let front = owner.applier();
    owner.value(|driver| {
        driver.handle(Report { token, end, ending: Ending::Finished(outcome, latency) }, &front.entrance);
        front.publish(driver);
    });
    drop(owner);
    front.tell();
}

impl Apply<Driver> for Front {
    fn apply(&self, driver: &mut Driver, record: Record) {
        let report = driver.unpack(record);
        driver.handle(report, &self.entrance);
        self.publish(driver);
    }

    fn released(&self) {
        self.tell();
    }
}

impl Front {
    pub(crate) fn new(gate: Gate) -> Self {
        let changed = Notification::new();
        // The first notification allocates; after this none does.
        changed.notify(0);
        Self { gate, entrance: Entrance::new(), has_news: AtomicBool::new(false), changed }
    }

    /// Asks the core.
    pub(crate) fn admit(&self, driver: &mut Driver, now: Instant) -> Result<Generation, Refusal> {
        if let Some(latest) = self.gate.refused_later_than(now)
            && latest > driver.core.on_clock(driver.core.latest())
        {
            // The clock was set back. What it showed before is a reading that the core has not seen.
            driver.core.handle_time(latest);
        }
        driver.count_stalled(Now::Clock(now), &self.entrance);
        let answer = driver.core.try_admit(now);
        self.publish(driver);
        answer
    }

    /// A call that starts `now` comes in after an epoch that is long enough, or after the clock was set back.
    pub(crate) fn begin_epoch(&self, driver: &mut Driver, now: Instant) {
        if self.entrance.is_set_back(now) {
            driver.core.handle_time(now);
            self.publish(driver);
        }
        let _ = driver.look(Now::Clock(now), &self.entrance);
    }

    /// Before anybody else can own the core: what came of it is seen by those who ask.
    #[inline]
    pub(crate) fn publish(&self, driver: &mut Driver) {
        if driver.has_news() {
            self.publish_news(driver);
        }
    }

    #[cold]
    fn publish_news(&self, driver: &mut Driver) {
        driver.news_told();
        // Calls of the new generation must not come in among those of the one before.
        let now = driver.core.on_clock(driver.core.latest());
        let _ = driver.look(Now::EndOfCall(now), &self.entrance);
        self.gate.publish(&driver.core);
        // Release pairs with the Acquire swap in `tell`.
        self.has_news.store(true, Ordering::Release);
    }

    /// After the core was let go: wakes those who wait for a change, if there was one. A waker is code of somebody else, which
    /// may look at the breaker.
    #[inline]
    pub(crate) fn tell(&self) {
        // Relaxed: who published is told by its own look, here or in `released`.
        if self.has_news.load(Ordering::Relaxed) {
            self.tell_news();
        }
    }

    #[cold]
    fn tell_news(&self) {
        // Acquire pairs with the Release store in `publish_news`.
        if self.has_news.swap(false, Ordering::Acquire) {
            self.wake();
        }
    }

    pub(crate) fn wake(&self) {
        self.changed.notify(usize::MAX);
    }

    pub(crate) fn listen(&self) -> EventListener {
        self.changed.listen()
    }
}
