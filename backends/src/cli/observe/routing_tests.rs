//! Several breakers that follow one log, against each alone on its own lines.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tripline_runtime::core::{Ratio, StateKind};
use tripline_runtime::test_util::ManualClock;
use tripline_runtime::{Breaker, Family, Mode};

use super::routing::{Choice, LogRouting, RoutingError};
use crate::circuit::{Circuit, Circuits};
use crate::config::{Config, parse};
use crate::replay::Reading;
use crate::replay::follow::{FollowClock, Follower, LogRequest, Routing as _};

const POLICY: &str =
    "latency_threshold = 300\nwarm_up = 0\ntrip_after = 1000\nwait_time = 2\nlatency_window_size = 64\n";
const ROUTES: &str = "[upstreams.up]\nurl = \"http://127.0.0.1:9\"\n[breakers.a]\n[breakers.b]\n[breakers.c]\n\
                      [[routes]]\npath = \"/a\"\nupstream = \"up\"\nbreaker = \"a\"\n\
                      [[routes]]\npath = \"/b\"\nupstream = \"up\"\nbreaker = \"b\"\n\
                      [[routes]]\nhost = \"c.example\"\nmethods = [\"POST\"]\nupstream = \"up\"\nbreaker = \"c\"\n";
const ALL: Choice = Choice { breaker: None, has_key_field: false };
/// Where the logs begin, in milliseconds since 1970.
const BEGINNING: u64 = 1_790_000_000_000;
/// Where the history ends and following begins.
const HISTORY_MS: u64 = 90_000;
const END_MS: u64 = 150_000;

struct Followed {
    system: Arc<ManualClock>,
    circuits: Circuits,
    follower: Follower,
}

fn config(text: &str) -> Config {
    parse(&format!("{POLICY}{text}"), "test").unwrap().0
}

fn circuits(config: &Config, clock: &Arc<FollowClock>) -> Circuits {
    let circuits = Circuits::new();
    for settings in config.all_breakers() {
        let mut policy = settings.policy.clone();
        policy.wait_jitter = Ratio::ZERO;
        let builder = Breaker::builder(clock.clone()).name(settings.name.clone()).policy(policy);
        let builder = builder.mode(Mode::Observe).stall_detection(false);
        let circuit = if settings.is_family() {
            Circuit::of_family(Family::new(builder, settings.family.limits()).unwrap())
        } else {
            Circuit::builder(builder.build().unwrap())
        };
        circuits.insert(circuit.config(settings.clone()).build()).unwrap();
    }
    circuits
}

fn follow(text: &str, choice: &Choice) -> Followed {
    let system = Arc::new(ManualClock::default());
    let clock = Arc::new(FollowClock::new(system.clone()));
    let config = config(text);
    let circuits = circuits(&config, &clock);
    let routing = LogRouting::new(choice, &config, &circuits, None).unwrap();
    let follower = Follower::new(clock, Arc::new(routing), &Reading::default());
    Followed { system, circuits, follower }
}

/// A call: its end and its latency in milliseconds, and its breaker.
#[derive(Debug, Clone, Copy)]
struct Call {
    end: u64,
    latency: u64,
    of: usize,
}

impl Call {
    fn line(&self) -> String {
        let (host, request) =
            [("c.example", "GET /a/x"), ("b.example:80", "POST /b?c"), ("C.example:443", "POST /")][self.of];
        let at = BEGINNING + self.end;
        format!(
            "{{\"msec\":\"{}.{:03}\",\"request_time\":\"{}.{:03}\",\"status\":200,\"http_host\":\"{host}\",\"request\":\"{request} HTTP/1.1\"}}\n",
            at / 1_000,
            at % 1_000,
            self.latency / 1_000,
            self.latency % 1_000
        )
    }
}

/// Calls of three breakers that are slow at different times. All begin and end together, as does the history, so that the clock
/// of each alone shows the same.
fn calls(slow: &[(u64, u64)], noise: &[u64]) -> Vec<Call> {
    let mut calls = Vec::new();
    for (of, (from, length)) in slow.iter().enumerate() {
        let every = 50 + 30 * of as u64;
        let mut start = 0;
        while start < END_MS {
            let is_slow = (*from..from + length).contains(&start);
            let noise = noise[start as usize / 10 % noise.len()] / 10 * 10;
            let latency = if is_slow { 600 + noise } else { noise };
            calls.push(Call { end: start + latency, latency, of });
            start += every / 10 * 10;
        }
        calls.push(Call { end: HISTORY_MS, latency: 10, of });
        calls.push(Call { end: END_MS + 5_000, latency: 10, of });
    }
    calls.sort_by_key(|call| call.end);
    calls
}

/// Follows the calls, first as history and then as they are written. Returns what a replay prints of the history.
fn run(followed: &mut Followed, calls: &[Call]) -> Vec<String> {
    let follower = &mut followed.follower;
    let mut rest = calls.iter().peekable();
    while let Some(call) = rest.next_if(|call| call.end <= HISTORY_MS) {
        follower.feed(call.line().as_bytes());
    }
    follower.drive_history().unwrap();
    let summaries = follower.go_live(Duration::ZERO).unwrap();
    for now in (HISTORY_MS..END_MS + 15_000).step_by(10) {
        while let Some(call) = rest.next_if(|call| call.end <= now) {
            follower.feed(call.line().as_bytes());
        }
        follower.play().unwrap();
        followed.system.advance(Duration::from_millis(10));
    }
    summaries.into_iter().map(|(_, summary)| summary).collect()
}

/// What can be seen of a breaker.
fn seen(breaker: &Breaker) -> String {
    let (state, counts) = breaker.read(|core| (core.state().kind(), *core.counts()));
    let latencies: Vec<_> = breaker.read(|core| core.latencies().collect());
    format!("{state:?} {counts:?} {latencies:?} would reject {}", breaker.would_reject())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn several_breakers_decide_as_each_alone_on_its_own_lines(
        slow in proptest::collection::vec((0_u64..END_MS, 0_u64..20_000), 3),
        noise in proptest::collection::vec(0_u64..250, 7),
    ) {
        let calls = calls(&slow, &noise);
        let mut all = follow(ROUTES, &ALL);
        let summaries = run(&mut all, &calls);
        prop_assert_eq!(all.follower.usage().unrouted.total(), 0);
        for (of, name) in ["a", "b", "c"].into_iter().enumerate() {
            let own: Vec<Call> = calls.iter().filter(|call| call.of == of).copied().collect();
            let mut alone = follow(ROUTES, &Choice { breaker: Some(name.into()), has_key_field: false });
            let expected = run(&mut alone, &own);
            prop_assert_eq!(&summaries[of..=of], expected.as_slice());
            let breaker = |followed: &Followed| seen(followed.circuits.get(name).unwrap().breaker());
            prop_assert_eq!(breaker(&all), breaker(&alone), "{}", name);
        }
    }

    #[test]
    fn members_of_a_family_decide_as_a_breaker_alone_on_the_lines_of_its_key(
        slow in proptest::collection::vec((0_u64..END_MS, 0_u64..20_000), 3),
        noise in proptest::collection::vec(0_u64..250, 7),
    ) {
        let calls = calls(&slow, &noise);
        let mut all = follow("[breakers.hosts]\nkey = \"host\"\n", &ALL);
        // The hosts of `a` and `c` are the same.
        let calls: Vec<Call> = calls.into_iter().filter(|call| call.of != 2).collect();
        run(&mut all, &calls);
        let family = all.circuits.family("hosts").unwrap();
        prop_assert_eq!(family.len(), 2);
        for (of, key) in ["c.example", "b.example"].into_iter().enumerate() {
            let own: Vec<Call> = calls.iter().filter(|call| call.of == of).copied().collect();
            let mut alone = follow("", &ALL);
            run(&mut alone, &own);
            let expected = seen(alone.circuits.first().unwrap().breaker());
            prop_assert_eq!(seen(&family.member(key).unwrap()), expected, "{}", key);
        }
    }
}

#[test]
fn one_of_several_opens_and_what_is_slow_in_the_test_trips() {
    let calls = calls(&[(100_000, 20_000), (0, 0), (0, 0)], &[20]);
    let mut all = follow(ROUTES, &ALL);
    run(&mut all, &calls);
    let would_reject = |name: &str| all.circuits.get(name).unwrap().breaker().would_reject();
    assert!(would_reject("a") > 20, "{}", would_reject("a"));
    assert_eq!((would_reject("b"), would_reject("c")), (0, 0));
}

#[test]
fn the_time_of_a_breaker_whose_calls_begin_late_goes_on_where_the_log_ends() {
    let routes = ROUTES.replace("[breakers.a]", "[breakers.a]\nwait_time = 60\nmax_wait_time = 600");
    let mut all = follow(&routes, &ALL);
    let fast = (0..1_000).map(|n| Call { end: n * 100, latency: 20, of: 1 });
    let slow = (0..200).map(|n| Call { end: 200_600 + n * 40, latency: 600, of: 0 });
    let mut calls: Vec<Call> = fast.chain(slow).collect();
    calls.sort_by_key(|call| call.end);
    for call in &calls {
        all.follower.feed(call.line().as_bytes());
    }
    all.follower.drive_history().unwrap();
    all.follower.go_live(Duration::ZERO).unwrap();
    let breaker = all.circuits.get("a").unwrap().breaker().clone();
    assert_eq!(breaker.state(), StateKind::Open);
    // It opened a few seconds before the end of the log, and its wait is not over.
    let before = breaker.would_reject();
    drop(breaker.try_start());
    assert_eq!(breaker.would_reject(), before + 1);
    all.system.advance(Duration::from_secs(60));
    drop(breaker.try_start());
    assert_eq!(
        (breaker.state(), breaker.would_reject()),
        (StateKind::HalfOpen, before + 1),
        "the next call is a probe"
    );
}

/// A line of a call of tenant `key`, which ended at `end` milliseconds.
fn tenant(key: &str, end: u64) -> String {
    let at = BEGINNING + end;
    format!(
        "{{\"msec\":\"{}.{:03}\",\"request_time\":\"0.005\",\"status\":200,\"request\":\"GET /{key}/x HTTP/1.1\"}}\n",
        at / 1_000,
        at % 1_000
    )
}

#[test]
fn a_family_stays_within_its_keys_and_an_idle_member_makes_room() {
    let text = "[breakers.tenants]\nkey = \"path:1\"\nmax_keys = 3\n";
    for is_history in [true, false] {
        let mut followed = follow(text, &ALL);
        if !is_history {
            followed.follower.go_live(Duration::ZERO).unwrap();
        }
        for n in 0..400_u64 {
            // Ten minutes apart, so that each key is idle long before the next.
            let end = n * 600_000 / 10;
            followed.follower.feed(tenant(&format!("t{}", n / 10), end).as_bytes());
            if is_history {
                followed.follower.drive_history().unwrap();
            } else {
                followed.follower.play().unwrap();
                followed.system.advance(Duration::from_millis(60_000));
            }
        }
        if is_history {
            followed.follower.go_live(Duration::ZERO).unwrap();
        } else {
            followed.system.advance(Duration::from_secs(120));
            followed.follower.play().unwrap();
        }
        let family = followed.circuits.family("tenants").unwrap();
        assert!(family.len() <= 3 && family.member("t39").is_some(), "{is_history} {:?}", family.members());
        assert_eq!(family.overflows(), 0, "{is_history}");
        assert_eq!(family.shared().read(|core| core.counts().ok), 0, "{is_history}");
    }
}

#[test]
fn a_member_without_calls_makes_room_at_once() {
    for is_history in [true, false] {
        let mut followed = follow("[breakers.tenants]\nkey = \"path:1\"\nmax_keys = 2\n", &ALL);
        if !is_history {
            followed.follower.go_live(Duration::ZERO).unwrap();
        }
        for second in 0..910_u64 {
            followed.follower.feed(tenant("busy", second * 1_000).as_bytes());
            if second % 91 < 20 {
                followed.follower.feed(tenant(&format!("t{}", second / 91), second * 1_000 + 500).as_bytes());
            }
            if is_history {
                followed.follower.drive_history().unwrap();
            } else {
                followed.system.advance(Duration::from_secs(1));
                followed.follower.play().unwrap();
            }
        }
        let family = followed.circuits.family("tenants").unwrap();
        assert_eq!((family.len(), family.overflows()), (2, 0), "{is_history}");
    }
}

#[test]
fn keys_beyond_the_maximum_at_the_same_time_share_a_member() {
    let mut followed = follow("[breakers.tenants]\nkey = \"path:1\"\nmax_keys = 3\n", &ALL);
    for n in 0..200_u64 {
        followed.follower.feed(tenant(&format!("t{}", n % 10), n * 10).as_bytes());
    }
    followed.follower.drive_history().unwrap();
    followed.follower.go_live(Duration::ZERO).unwrap();
    let family = followed.circuits.family("tenants").unwrap();
    assert_eq!(family.len(), 3);
    let calls: u64 = family.members().iter().map(|member| member.read(|core| core.counts().ok)).sum();
    assert_eq!(calls, 200);
    assert_eq!(family.shared().state(), StateKind::Closed);
}

fn request<'a>(host: Option<&'a str>, path: &'a str, method: Option<&'a str>) -> LogRequest<'a> {
    let bytes = |text: &'a str| text.as_bytes().into();
    LogRequest { host: host.map(bytes), path: Some(bytes(path)), method: method.map(bytes), key: None }
}

#[test]
fn a_part_that_the_log_lacks_is_not_guessed() {
    let clock = Arc::new(FollowClock::new(Arc::new(ManualClock::default())));
    let config = config(ROUTES);
    let routing = LogRouting::new(&ALL, &config, &circuits(&config, &clock), None).unwrap();
    let wanted = routing.wanted();
    assert!(wanted.host && wanted.method && !wanted.key);
    let chosen = |request: LogRequest<'_>| match routing.destination(&request, None) {
        Ok((destination, _)) => destination.target.breaker.name().to_string(),
        Err(reason) => reason.as_str().to_owned(),
    };
    for (host, path, method, expected) in [
        (None, "/a", None, "a"),
        (None, "/ab", None, "no_host"),
        (None, "/", Some("GET"), "no_route"),
        (Some("c.example"), "/", None, "no_method"),
        (Some("C.EXAMPLE:8443"), "/b%62", Some("POST"), "c"),
        (Some("[::1]:80"), "/", Some("POST"), "no_route"),
    ] {
        assert_eq!(chosen(request(host, path, method)), expected, "{host:?} {path} {method:?}");
    }
}

#[test]
fn failed_is_what_the_upstream_of_a_route_says() {
    let routes = ROUTES.replace(
        "[[routes]]\npath = \"/a\"\nupstream = \"up\"",
        "[upstreams.strict]\nurl = \"http://127.0.0.1:9\"\nfailure_statuses = [\"429\"]\n[[routes]]\npath = \"/a\"\nupstream = \"strict\"",
    );
    let mut followed = follow(&routes, &ALL);
    for (n, status) in [200_u64, 429, 500, 501, 504, 499].into_iter().enumerate() {
        for of in [0, 1] {
            let line = Call { end: n as u64 * 100, latency: 10, of }.line();
            followed.follower.feed(line.replace("\"status\":200", &format!("\"status\":{status}")).as_bytes());
        }
    }
    followed.follower.drive_history().unwrap();
    followed.follower.go_live(Duration::ZERO).unwrap();
    let counts = |name: &str| followed.circuits.get(name).unwrap().breaker().read(|core| *core.counts());
    assert_eq!((counts("a").ok, counts("a").failed), (3, 2), "429 and 504");
    assert_eq!((counts("b").ok, counts("b").failed), (3, 2), "500 and 504, but not 501");
}

#[test]
fn what_no_log_has_is_an_error_at_the_start() {
    let clock = Arc::new(FollowClock::new(Arc::new(ManualClock::default())));
    let build = |text: &str, choice: &Choice| {
        let config = config(text);
        LogRouting::new(choice, &config, &circuits(&config, &clock), None).map(|_| ())
    };
    let with_key = Choice { has_key_field: true, ..ALL };
    let family = "[breakers.tenants]\nkey = \"header:x-tenant\"\n";
    let error = build(family, &ALL).unwrap_err();
    assert!(
        error.to_string().starts_with("breakers.tenants.key = \"header:x-tenant\": an access log has no"),
        "{error}"
    );
    assert_eq!(build(family, &with_key), Ok(()));
    let two = "[upstreams.up]\nurl = \"http://127.0.0.1:9\"\n[breakers.a]\nkey = \"header:x-a\"\n[breakers.b]\nkey = \"header:x-b\"\n\
               [[routes]]\npath = \"/a\"\nupstream = \"up\"\nbreaker = \"a\"\n[[routes]]\nupstream = \"up\"\nbreaker = \"b\"\n";
    assert!(matches!(build(two, &with_key), Err(RoutingError::Keys { .. })));
    let one = Choice { breaker: Some("b".into()), ..with_key.clone() };
    assert_eq!(build(two, &one), Ok(()));
    let none = Choice { breaker: Some("x".into()), ..ALL };
    assert!(matches!(build(ROUTES, &none), Err(RoutingError::Unknown { .. })));
    assert!(matches!(build("[breakers.a]\n[breakers.b]\n", &ALL), Err(RoutingError::Several { .. })));
}

#[test]
fn a_breaker_that_stays_keeps_its_calls_when_the_routes_change() {
    let mut followed = follow(ROUTES, &ALL);
    for n in 0..100 {
        followed.follower.feed(Call { end: n * 10, latency: 5, of: (n % 2) as usize }.line().as_bytes());
    }
    followed.follower.drive_history().unwrap();
    followed.follower.go_live(Duration::ZERO).unwrap();
    // Every call goes to the breaker `b` from now on.
    let changed = config("[upstreams.b]\nurl = \"http://127.0.0.1:9\"\n[breakers.b]\n[[routes]]\nupstream = \"b\"\n");
    let before = followed.circuits.get("b").unwrap();
    let routing = LogRouting::new(&ALL, &changed, &followed.circuits, None).unwrap();
    assert_eq!(routing.circuits().map(|circuit| circuit.name().as_str()).collect::<Vec<_>>(), ["b"]);
    let again = LogRouting::new(&ALL, &changed, &followed.circuits, Some(&routing)).unwrap();
    assert!(Arc::ptr_eq(&routing.targets()[0], &again.targets()[0]), "its lane stays");
    followed.follower.set_routing(Arc::new(routing));
    for n in 100..200 {
        followed.follower.feed(Call { end: n * 10, latency: 5, of: 0 }.line().as_bytes());
        followed.system.advance(Duration::from_millis(10));
        followed.follower.play().unwrap();
    }
    followed.system.advance(Duration::from_secs(10));
    followed.follower.play().unwrap();
    followed.system.advance(Duration::from_secs(10));
    followed.follower.play().unwrap();
    assert_eq!(before.breaker().read(|core| core.counts().ok), 150);
}
