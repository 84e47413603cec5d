//! Which connections the server holds, and which of them are closed first when there are too many.
//!
//! A connection is idle while no request of it is handled: between two requests, and before a head is complete. When the server
//! is full, a new connection takes the place of the idle one that is trusted least and idle for longest, at least half a second. Requests of clients
//! that are not trusted cannot take all places: an eighth is kept for requests that the server's owner trusts, half of which
//! clients on this machine may use too.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use event_listener::Event;
use smol::Timer;
use smol::channel::{Receiver, Sender, bounded};
use smol::future::or;

/// A connection keeps its place for so long after it became idle: its request may be on the way.
const MIN_IDLE: Duration = Duration::from_millis(500);

/// How far a client is trusted, in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trust {
    /// Any client.
    Unknown,
    /// It is on this machine.
    Local,
    /// The owner of the server trusts a request of it.
    Trusted,
}

impl Trust {
    /// The trust in a client by its address.
    pub(super) fn of(address: SocketAddr) -> Self {
        if address.ip().to_canonical().is_loopback() { Self::Local } else { Self::Unknown }
    }
}

/// All places of a server. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Places {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    max: usize,
    table: Mutex<Table>,
    /// A connection ended, or became idle.
    changed: Event,
}

#[derive(Debug, Default)]
struct Table {
    connections: HashMap<u64, Connection>,
    /// Idle connections with the time since which they are idle; the one to close first comes first.
    idle: BTreeMap<(Trust, u64), (u64, Instant)>,
    busy: usize,
    evicting: usize,
    next: u64,
}

#[derive(Debug)]
struct Connection {
    trust: Trust,
    activity: Activity,
    /// Closed when the connection must close to admit another.
    evict: Option<Sender<()>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Activity {
    /// Since this number.
    Idle(u64),
    /// With this many requests whose responses are not dropped yet.
    Busy(u32),
    /// It is about to close to admit another.
    Evicted,
}

/// The place of one connection, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    shared: Arc<Shared>,
    id: u64,
}

/// A request that is handled; its connection is idle again when this is dropped.
#[derive(Debug)]
pub(super) struct Busy {
    place: Arc<Place>,
}

/// Why a request is not handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// Clients that are trusted as far as this one, or less, have too many requests in flight.
    Full,
    /// The connection is being closed to admit another.
    Evicted,
}

impl Places {
    pub(super) fn new(max: usize) -> Self {
        Self { shared: Arc::new(Shared { max, table: Mutex::default(), changed: Event::new() }) }
    }

    /// A place for a new connection, and a future that resolves (with an error) when the connection must close to admit another. Waits while every connection is
    /// busy.
    pub(super) async fn enter(&self, trust: Trust) -> (Arc<Place>, Receiver<()>) {
        loop {
            let changed = self.shared.changed.listen();
            if let Some(entered) = self.try_enter(trust, Instant::now()) {
                return entered;
            }
            let grown_old = async {
                Timer::after(MIN_IDLE).await;
            };
            or(changed, grown_old).await;
        }
    }

    fn try_enter(&self, trust: Trust, now: Instant) -> Option<(Arc<Place>, Receiver<()>)> {
        let mut table = self.shared.lock();
        if table.connections.len() >= self.shared.max {
            if table.evicting == 0 {
                table.evict(now.checked_sub(MIN_IDLE));
            }
            return None;
        }
        let (evict, evicted) = bounded(1);
        let id = table.number();
        table.connections.insert(id, Connection { trust, activity: Activity::Idle(id), evict: Some(evict) });
        table.idle.insert((trust, id), (id, now));
        Some((Arc::new(Place { shared: self.shared.clone(), id }), evicted))
    }

    /// Closes the idle connection that is first in order; without effect where none is idle.
    pub(super) fn evict_one(&self) {
        self.shared.lock().evict(Some(Instant::now()));
    }
}

impl Shared {
    /// How many requests of clients of this trust are handled at a time.
    fn max_busy(&self, trust: Trust) -> usize {
        let kept = self.max / 8;
        match trust {
            Trust::Unknown => self.max - kept,
            Trust::Local => self.max - kept / 2,
            Trust::Trusted => self.max,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // No code panics while it holds the lock.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Closes the first connection in order that is idle since `latest` or longer.
    fn evict(&mut self, latest: Option<Instant>) {
        let oldest = [Trust::Unknown, Trust::Local, Trust::Trusted].into_iter();
        let mut oldest = oldest.filter_map(|trust| self.idle.range((trust, 0)..=(trust, u64::MAX)).next());
        let Some((&key, &(id, _))) = oldest.find(|(_, (_, since))| latest.is_some_and(|latest| *since <= latest))
        else {
            return;
        };
        self.idle.remove(&key);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.activity = Activity::Evicted;
            connection.evict = None;
            self.evicting += 1;
        }
    }
}

impl Place {
    /// Begins a request, of a client that is trusted this far.
    pub(super) fn begin(self: &Arc<Self>, trust: Trust) -> Result<Busy, NoPlace> {
        let mut table = self.shared.lock();
        let busy = table.busy;
        let Some(connection) = table.connections.get_mut(&self.id) else { return Err(NoPlace::Evicted) };
        let trust = connection.trust.max(trust);
        match connection.activity {
            Activity::Evicted => return Err(NoPlace::Evicted),
            Activity::Idle(_) if busy >= self.shared.max_busy(trust) => return Err(NoPlace::Full),
            Activity::Idle(since) => {
                let key = (connection.trust, since);
                connection.trust = trust;
                connection.activity = Activity::Busy(1);
                table.idle.remove(&key);
                table.busy += 1;
            }
            // One request at a time is handled, but the body of the last response may not be dropped yet.
            Activity::Busy(requests) => {
                connection.activity = Activity::Busy(requests + 1);
                table.busy += 1;
            }
        }
        Ok(Busy { place: self.clone() })
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut table = self.place.shared.lock();
        table.busy -= 1;
        let now = table.number();
        let connection = table.connections.get_mut(&self.place.id);
        if let Some(Connection { trust, activity: activity @ Activity::Busy(_), .. }) = connection {
            match activity {
                Activity::Busy(requests) if *requests > 1 => *requests -= 1,
                _ => {
                    *activity = Activity::Idle(now);
                    let key = (*trust, now);
                    table.idle.insert(key, (self.place.id, Instant::now()));
                }
            }
        }
        drop(table);
        self.place.shared.changed.notify(usize::MAX);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.shared.lock();
        if let Some(connection) = table.connections.remove(&self.id) {
            match connection.activity {
                Activity::Idle(since) => {
                    table.idle.remove(&(connection.trust, since));
                }
                Activity::Evicted => table.evicting -= 1,
                Activity::Busy(_) => {}
            }
        }
        drop(table);
        self.shared.changed.notify(usize::MAX);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_evicted(evicted: &Receiver<()>) -> bool {
        evicted.is_closed()
    }

    #[test]
    fn the_least_trusted_and_longest_idle_connection_gives_way() {
        let (places, start) = (Places::new(3), Instant::now());
        let later = start + 10 * MIN_IDLE;
        let (trusted, trusted_end) = places.try_enter(Trust::Unknown, start).unwrap();
        let (first, first_end) = places.try_enter(Trust::Unknown, start).unwrap();
        let (second, second_end) = places.try_enter(Trust::Unknown, start).unwrap();
        drop(trusted.begin(Trust::Trusted).unwrap());
        // Idle again only now, so the second one is idle for longer.
        drop(first.begin(Trust::Unknown).unwrap());
        assert!(
            places.try_enter(Trust::Unknown, start).is_none() && !is_evicted(&second_end),
            "it is idle for a moment only"
        );
        assert!(places.try_enter(Trust::Unknown, later).is_none());
        assert_eq!([&trusted_end, &first_end, &second_end].map(is_evicted), [false, false, true]);
        assert_eq!(second.begin(Trust::Unknown).unwrap_err(), NoPlace::Evicted);
        assert!(places.try_enter(Trust::Unknown, later).is_none(), "the place is free when the connection is closed");
        assert!(!is_evicted(&first_end), "one at a time gives way");
        drop(second);
        assert!(places.try_enter(Trust::Unknown, later).is_some());
    }

    #[test]
    fn a_share_is_kept_for_those_who_are_trusted() {
        let (places, start) = (Places::new(16), Instant::now());
        let entered: Vec<_> = (0..16).map(|_| places.try_enter(Trust::Unknown, start).unwrap().0).collect();
        let begin = |trust| entered.iter().map(move |place| place.begin(trust)).collect::<Vec<_>>();
        let count = |busy: &[Result<Busy, NoPlace>]| busy.iter().filter(|busy| busy.is_ok()).count();
        assert_eq!(count(&begin(Trust::Unknown)), 14);
        assert_eq!(count(&begin(Trust::Local)), 15);
        assert_eq!(count(&begin(Trust::Trusted)), 16);
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Enter(Trust),
        Leave(usize),
        Begin(usize, Trust),
        Finish(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let trust = || prop_oneof![Just(Trust::Unknown), Just(Trust::Local), Just(Trust::Trusted)];
        let step = prop_oneof![
            trust().prop_map(Step::Enter),
            any::<usize>().prop_map(Step::Leave),
            (any::<usize>(), trust()).prop_map(|(at, trust)| Step::Begin(at, trust)),
            any::<usize>().prop_map(Step::Finish),
        ];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        #[test]
        fn counts_add_up_whatever_happens(max in 1_usize..20, steps in steps()) {
            let places = Places::new(max);
            let mut open: Vec<(Arc<Place>, Receiver<()>)> = Vec::new();
            let mut busy: Vec<Busy> = Vec::new();
            for step in steps {
                match step {
                    Step::Enter(trust) => open.extend(places.try_enter(trust, Instant::now() + 10 * MIN_IDLE)),
                    Step::Leave(at) if !open.is_empty() => {
                        let (place, _) = open.swap_remove(at % open.len());
                        busy.retain(|busy| busy.place.id != place.id);
                    }
                    Step::Begin(at, trust) if !open.is_empty() => {
                        let place = &open[at % open.len()].0;
                        busy.extend(place.begin(trust).ok());
                    }
                    Step::Finish(at) if !busy.is_empty() => drop(busy.swap_remove(at % busy.len())),
                    _ => {}
                }
                let table = places.shared.lock();
                prop_assert!(table.connections.len() <= max);
                prop_assert_eq!(table.connections.len(), open.len());
                prop_assert_eq!(table.busy, busy.len());
                let evicted = open.iter().filter(|(_, end)| is_evicted(end)).count();
                prop_assert_eq!(table.evicting, evicted);
                let idle = open.iter().filter(|(place, end)| !is_evicted(end) && busy.iter().all(|busy| busy.place.id != place.id));
                prop_assert_eq!(table.idle.len(), idle.count());
            }
        }
    }
}
