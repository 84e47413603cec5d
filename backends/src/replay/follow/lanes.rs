//! The breakers that follow one log, each with the calls that are for it.
//!
//! All share one clock. During the history each breaker lives through its own calls by its own driver, so one may be a minute ahead of
//! another; none sees time go back, because a breaker looks at the clock only while its own driver has set it. When following begins, the
//! clock goes on from the newest call of all.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tripline_runtime::core::Instant;
use tripline_runtime::{Breaker, BreakerName, Clock as _, Family};

use super::clock::FollowClock;
use super::playout::Playout;
use crate::replay::access_log::{Destination, Target};
use crate::replay::clock::ReplayClock as _;
use crate::replay::driver::Driver;
use crate::replay::error::ReplayError;
use crate::replay::limits::MAX_RECORDS_HELD;
use crate::replay::output::Summary;
use crate::replay::record::Record;
use crate::replay::replayed_breaker::ReplayedBreaker;

const SECOND: i64 = 1_000_000_000;
/// The key of the lane of a single breaker.
const NO_KEY: &str = "";
/// A log whose last line is older than this says nothing of how its service is now.
const MAX_SILENCE: Duration = Duration::from_secs(600);

/// The breakers that follow a log.
#[derive(Debug)]
pub(super) struct Lanes {
    clock: Arc<FollowClock>,
    longest: i64,
    groups: BTreeMap<BreakerName, Group>,
    /// `None` from the moment on at which the clock goes by itself.
    history: Option<History>,
    /// When idle members were last let go of, in the time of the calls.
    swept_at: i64,
    /// Calls that all lanes hold together at most; beyond that, time goes faster.
    pub(super) max_held: usize,
    /// So many calls may come before those that are held are counted.
    counted_after: usize,
}

/// The extent of the history so far, in the time of the log.
#[derive(Debug, Default)]
struct History {
    /// The earliest start of a call, where time begins, and the newest end.
    extent: Option<(i64, i64)>,
}

/// A breaker, or the members of a family.
#[derive(Debug)]
struct Group {
    target: Arc<Target>,
    /// By the key of the member, which is [`NO_KEY`] for a single breaker.
    lanes: HashMap<Box<str>, Lane>,
    /// When members were last let go of for others, in the time of the log.
    made_room_at: i64,
    /// The history of members that were let go of.
    summary: Summary,
    /// Of members that were let go of.
    unplaced: u64,
}

/// The calls of one breaker.
#[derive(Debug)]
enum Lane {
    History(Box<Driver<Summary>>),
    Live(Box<Playout>),
}

impl Lanes {
    /// Begins with the history.
    pub(super) fn new(clock: Arc<FollowClock>, longest: i64, targets: &[Arc<Target>]) -> Self {
        let history = Some(History::default());
        let mut lanes = Self {
            clock,
            longest,
            groups: BTreeMap::new(),
            history,
            swept_at: i64::MIN,
            max_held: MAX_RECORDS_HELD,
            counted_after: 0,
        };
        lanes.set_targets(targets);
        lanes
    }

    /// Keeps the calls of these breakers, and drops those of all others.
    pub(super) fn set_targets(&mut self, targets: &[Arc<Target>]) {
        let is_kept = |group: &Group| targets.iter().any(|target| Arc::ptr_eq(target, &group.target));
        self.groups.retain(|_, group| is_kept(group));
        for target in targets {
            let name = target.breaker.name().clone();
            if self.groups.contains_key(&name) {
                continue;
            }
            let lane = new_lane(&self.clock, self.longest, self.history.is_some(), target, &target.breaker);
            let lanes = HashMap::from([(target.breaker.key().unwrap_or(NO_KEY).into(), lane)]);
            let (target, summary) = (target.clone(), Summary::default());
            self.groups.insert(name, Group { target, lanes, made_room_at: i64::MIN, summary, unplaced: 0 });
        }
    }

    /// Takes a call of the history, and drives its breaker.
    pub(super) fn drive(&mut self, record: &Record) -> Result<(), ReplayError> {
        let Some(history) = &mut self.history else { return Ok(()) };
        let latency = record.call.map_or(0, |call| call.latency);
        let start = record.at.saturating_sub(latency.min(self.longest));
        let (origin, newest) = history.extent.unwrap_or((start, record.at));
        let (origin, newest) = (origin.min(start), newest.max(record.at));
        history.extent = Some((origin, newest));
        self.sweep(record.at)?;
        match self.lane_of(record)? {
            Some(Lane::History(driver)) => {
                driver.share_origin(origin);
                driver.take(record)?;
                self.bound_held(record.at)
            }
            _ => Ok(()),
        }
    }

    /// Takes a call that is played `distance` after its own time.
    pub(super) fn take(&mut self, record: &Record, distance: i64) -> Result<(), ReplayError> {
        if let Some(Lane::Live(playout)) = self.lane_of(record)? {
            playout.take(record, distance);
        }
        self.bound_held(record.at.saturating_add(distance))
    }

    /// Calls that all lanes hold.
    pub(super) fn held(&self) -> usize {
        self.groups.values().flat_map(|group| group.lanes.values()).map(Lane::held).sum()
    }

    /// Lets all lanes live through the older part of the calls that they hold where these are too many, of which `newest` is the
    /// last. They are counted now and then only, because there may be thousands of lanes.
    fn bound_held(&mut self, newest: i64) -> Result<(), ReplayError> {
        if self.counted_after > 0 {
            self.counted_after -= 1;
            return Ok(());
        }
        let mut held = self.held();
        while held > self.max_held {
            let lanes = || self.groups.values().flat_map(|group| group.lanes.values());
            let Some(oldest) = lanes().filter_map(Lane::oldest).min() else { break };
            let middle = oldest.saturating_add(newest.saturating_sub(oldest).max(0) / 2);
            for lane in self.groups.values_mut().flat_map(|group| group.lanes.values_mut()) {
                lane.force_to(middle)?;
            }
            held = self.held();
        }
        self.counted_after = self.max_held.saturating_sub(held).max(self.max_held / 64);
        Ok(())
    }

    /// Plays what is due at `now`; returns whether calls are waiting for their turn.
    pub(super) fn play(&mut self, now: i64) -> Result<bool, ReplayError> {
        let mut is_waiting = false;
        for lane in self.groups.values_mut().flat_map(|group| group.lanes.values_mut()) {
            if let Lane::Live(playout) = lane {
                playout.play(now);
                is_waiting |= playout.next_due().is_some();
            }
        }
        self.sweep(now)?;
        Ok(is_waiting)
    }

    /// Ends the history: nothing was written for `silence`. From now on the clock goes by itself. Returns the totals of each breaker, in
    /// the order of their names.
    pub(super) fn go_live(&mut self, silence: Duration) -> Result<Vec<(BreakerName, Summary)>, ReplayError> {
        let Some(history) = self.history.take() else { return Ok(Vec::new()) };
        let mut totals = Vec::new();
        let mut breakers = Vec::new();
        for (name, group) in &mut self.groups {
            let mut total = std::mem::take(&mut group.summary);
            for (key, lane) in group.lanes.drain() {
                let Lane::History(driver) = lane else { continue };
                let (summary, _, replayed) = driver.finish_with_breaker()?;
                total.add(summary);
                breakers.push((name.clone(), key, replayed));
            }
            totals.push((name.clone(), total));
        }
        if let Some((origin, newest)) = history.extent {
            self.clock.set(ReplayedBreaker::instant_since(origin, newest));
        }
        self.clock.go_live(history.extent.map_or(Duration::ZERO, |_| silence));
        let now = self.clock.now();
        for breaker in self.groups.values().flat_map(|group| group.target.breakers()) {
            breaker.handle_timeout(now);
            if silence > MAX_SILENCE && breaker.state().is_triggered() {
                breaker.reset();
            }
        }
        for (name, key, replayed) in breakers {
            if let Some(group) = self.groups.get_mut(&name) {
                group.lanes.insert(key, Lane::Live(Box::new(Playout::new(replayed, self.longest, nanos_of(now)))));
            }
        }
        self.swept_at = i64::MIN;
        Ok(totals)
    }

    /// Calls of the breaker of this name whose place was not known in time.
    pub(super) fn unplaced(&self, name: &str) -> u64 {
        self.groups.get(name).map_or(0, |group| {
            let unplaced = |lane: &Lane| if let Lane::Live(playout) = lane { playout.unplaced } else { 0 };
            group.unplaced + group.lanes.values().map(unplaced).sum::<u64>()
        })
    }

    /// The lane of a call's breaker; `None` where nothing follows the log for it any more.
    fn lane_of(&mut self, record: &Record) -> Result<Option<&mut Lane>, ReplayError> {
        let Some(Destination { target, key }) = record.to.as_deref() else { return Ok(None) };
        let is_followed = |group: &&mut Group| Arc::ptr_eq(&group.target, target);
        let Some(group) = self.groups.get_mut(target.breaker.name()).filter(is_followed) else { return Ok(None) };
        let Some(family) = &target.family else { return Ok(group.lanes.get_mut(NO_KEY)) };
        if family.len() >= family.limits().max_keys && family.member(key).is_none() {
            group.make_room(record.at)?;
        }
        // The call counts as a use of the member. Invalid keys were left out before.
        let member = family.get(key).unwrap_or_else(|_| target.breaker.clone());
        let key = member.key().unwrap_or(NO_KEY);
        if !group.lanes.contains_key(key) {
            let lane = new_lane(&self.clock, self.longest, self.history.is_some(), target, &member);
            group.lanes.insert(key.into(), lane);
        }
        Ok(group.lanes.get_mut(key))
    }

    /// Lets go of members without calls now and then, so that their family can remove those that are idle.
    fn sweep(&mut self, at: i64) -> Result<(), ReplayError> {
        if at.saturating_sub(self.swept_at) < self.longest {
            return Ok(());
        }
        self.swept_at = at;
        for group in self.groups.values_mut() {
            let Some(family) = group.target.family.clone() else { continue };
            group.let_go(at, self.longest)?;
            if self.history.is_some() {
                // Later the supervisor does.
                family.remove_idle();
            }
        }
        Ok(())
    }
}

impl Group {
    /// Lets go of every member without calls, at most once a second.
    fn make_room(&mut self, at: i64) -> Result<(), ReplayError> {
        if at.saturating_sub(self.made_room_at) < SECOND {
            return Ok(());
        }
        self.made_room_at = at;
        self.let_go(at, 0)
    }

    /// Lets go of the members without calls: in the history of those that no call before `at` is for, later of those that had none for
    /// `patience`.
    fn let_go(&mut self, at: i64, patience: i64) -> Result<(), ReplayError> {
        for (key, mut lane) in std::mem::take(&mut self.lanes) {
            if let Lane::History(driver) = &mut lane {
                driver.pass_to(at)?;
            }
            match lane {
                Lane::History(driver) if driver.held() == 0 => self.summary.add(driver.finish()?.0),
                Lane::Live(playout) if playout.is_idle(patience) => self.unplaced += playout.unplaced,
                lane => {
                    self.lanes.insert(key, lane);
                }
            }
        }
        Ok(())
    }
}

impl Lane {
    /// Calls that are held.
    fn held(&self) -> usize {
        match self {
            Self::History(driver) => driver.held(),
            Self::Live(playout) => playout.held(),
        }
    }

    /// When the first of these is dealt with.
    fn oldest(&self) -> Option<i64> {
        match self {
            Self::History(driver) => driver.oldest(),
            Self::Live(playout) => playout.next_due(),
        }
    }

    /// Deals with what is held up to `at` now.
    fn force_to(&mut self, at: i64) -> Result<(), ReplayError> {
        match self {
            Self::History(driver) => driver.force_to(at)?,
            Self::Live(playout) => playout.play(at),
        }
        Ok(())
    }
}

impl Target {
    /// Its breaker; of a family every member.
    fn breakers(&self) -> Vec<Breaker> {
        self.family.as_ref().map_or_else(|| vec![self.breaker.clone()], Family::members)
    }
}

fn new_lane(clock: &Arc<FollowClock>, longest: i64, is_history: bool, target: &Target, breaker: &Breaker) -> Lane {
    let replayed = ReplayedBreaker::on(breaker.clone(), clock.clone(), target.stall_detection);
    if is_history {
        let counts_for = replayed.stalls_count_for();
        Lane::History(Box::new(Driver::of(replayed, MAX_RECORDS_HELD, counts_for, longest, Summary::default())))
    } else {
        Lane::Live(Box::new(Playout::new(replayed, longest, nanos_of(clock.now()))))
    }
}

pub(super) fn nanos_of(at: Instant) -> i64 {
    i64::try_from(at.as_nanos()).unwrap_or(i64::MAX)
}
