//! Replicas that closed an alert while they could not reach the engine.

use super::*;

/// A page that may have been sent before a replica closed an alert alone is sent again, once, with a number of its own.
#[test]
fn a_page_that_a_replica_may_have_closed_alone_is_sent_again() {
    for (paged_at, closed_at, is_again) in [(5_000, 40_000, true), (30_000, 10_000, true), (30_001, 10_000, false)] {
        let mut engine = Engine::new();
        engine.terms.cooldown_ms = 300_000;
        engine.unwell(T, "b");
        let page = engine.unwell(T + paged_at, "b").claim.unwrap();
        engine.acknowledge(T + paged_at, "b", &page);
        // The report comes twice: the first response is lost.
        let mut report = |now: u64| {
            engine.sync(T + now, "a", |report| report.closed_alone_ms = Some(now - closed_at));
        };
        report(70_000);
        report(71_000);
        let again = engine.unwell(T + 76_000, "b").claim;
        let again = again.filter(|claim| claim.due == DueStage::Initial);
        assert_eq!(again.is_some(), is_again, "{paged_at} {closed_at}");
        let Some(again) = again else { continue };
        assert!(again.epoch > page.epoch, "receivers have taken the first number");
        engine.acknowledge(T + 76_001, "b", &again);
        engine.sync(T + 77_000, "a", |report| report.closed_alone_ms = Some(77_000 - closed_at));
        assert_eq!(engine.unwell(T + 90_000, "b").claim, None, "the new page is open");
    }
}

#[test]
fn a_close_alone_begins_no_incident_and_delays_no_page() {
    let mut engine = Engine::new();
    let close = |report: &mut Report<'_>| report.closed_alone_ms = Some(0);
    let known = engine.sync(T, "a", close).known;
    assert!(!known.active && known.stage == FleetStage::Settled);
    let epoch = engine.unwell(T, "b").known.epoch;
    // Nothing was sent. What others paged alone does not count, but the page is not late.
    assert!(engine.sync(T + 4_000, "a", close).known.epoch > epoch);
    let page = engine.unwell(T + 5_000, "b").claim.unwrap();
    // It may be on its way.
    assert!(engine.sync(T + 6_000, "a", close).known.epoch > page.epoch);
    assert!(!engine.acknowledge(T + 6_001, "b", &page));
    let again = engine.unwell(T + 25_000, "b").claim.unwrap();
    engine.acknowledge(T + 25_001, "b", &again);
    engine.well(T + 26_000, "b");
    let closing = engine.well(T + 36_000, "b").claim.unwrap();
    assert_eq!(closing.due, DueStage::Resolved);
    assert_eq!(engine.sync(T + 36_001, "a", close).known.epoch, closing.epoch, "the fleet closes it too");
}

/// A replica pages alone and is still unwell, and another one closes the alert, before the engine knows of either.
#[test]
fn a_page_that_another_replica_closed_alone_is_sent_again() {
    for is_closed_first in [true, false] {
        for knows in [true, false] {
            let mut engine = Engine::new();
            let known = if knows { engine.unwell(T, "b").known } else { Known::default() };
            let kinds = KindSet::default().with(CircuitOpen);
            let back = T + 100_000;
            let mut claims = Vec::new();
            for is_close in [is_closed_first, !is_closed_first] {
                let view = if is_close {
                    engine.sync(back, "a", |report| report.closed_alone_ms = Some(50_000))
                } else {
                    engine.sync(back, "b", |report| {
                        (report.open, report.unwell, report.known) = (true, Some(CircuitOpen), known);
                        report.paged = Some(Paged { kinds, confirmed: FleetStage::Escalated });
                    })
                };
                claims.extend(view.claim);
            }
            claims.extend(engine.unwell(back + 5_000, "b").claim);
            let is_paged = claims.iter().any(|claim| claim.due == DueStage::Initial);
            assert!(is_paged, "closed first: {is_closed_first}, knows: {knows}, {claims:?}");
        }
    }
}

#[test]
fn an_engine_that_lost_its_state_pages_again_whoever_reports_first() {
    for is_closed_first in [true, false] {
        let mut engine = Engine::paged("b");
        let known = engine.unwell(T + 6_000, "b").known;
        engine.state = FleetState::default();
        let mut claims = Vec::new();
        for is_close in [is_closed_first, !is_closed_first, false] {
            let view = engine.sync(T + 100_000, if is_close { "a" } else { "b" }, |report| {
                if is_close {
                    report.closed_alone_ms = Some(50_000);
                } else {
                    (report.open, report.unwell, report.known) = (true, Some(CircuitOpen), known);
                }
            });
            claims.extend(view.claim);
        }
        claims.extend(engine.unwell(T + 105_000, "b").claim);
        assert!(claims.iter().any(|claim| claim.due == DueStage::Initial), "closed first: {is_closed_first}");
    }
}
