//! Invariants of the process: its responses, its configuration, its metrics.

use std::fmt::Write as _;
use std::time::Duration;

use smol::block_on;
use tripline_backends::config::{Config, apply_environment, parse};
use tripline_runtime::DrainReport;

use super::super::operator::{Command, get};
use super::super::seen::{CALM, Seen};
use super::super::settings::{BREAKERS, environment};
use super::super::state::{MINUTE, Sent, Simulation};
use super::super::violation::{Check, clock_time, hold};

/// Time within which an edit of the file must be in force.
const RELOADED_WITHIN: Duration = Duration::from_secs(12);

/// Time within which a command must be answered: a test page waits for the alert services.
const ANSWERED_WITHIN: Duration = Duration::from_secs(120);

/// So long after the last change what the process says of itself is still read every minute.
const QUIET: Duration = Duration::from_secs(150);
/// And in every tenth minute all the time.
const LOOK_EVERY: u64 = 10;

/// Checks the responses of the API, received and missing ones.
pub(super) fn answers(simulation: &mut Simulation) -> Check {
    if simulation.sent.is_empty() {
        return Ok(());
    }
    let now = simulation.world.now();
    let all = std::mem::take(&mut simulation.sent);
    let (answered, waiting): (Vec<Sent>, Vec<Sent>) = all.into_iter().partition(|sent| sent.answer.get().is_some());
    for Sent { at, breaker, command, .. } in &waiting {
        hold(now.since(*at) < ANSWERED_WITHIN, "nothing waits for ever", || {
            format!("{}: {command:?} was sent at {}", BREAKERS[*breaker], clock_time(*at))
        })?;
    }
    simulation.sent = waiting;
    answered.iter().try_for_each(|sent| answer(simulation, sent))?;
    test_pages(simulation, &answered)
}

/// Checks that a test page that was delivered is closed. One that was not may be open: it is tried once, and its
/// response reports the error. One that waits for its response may be open too.
fn test_pages(simulation: &Simulation, answered: &[Sent]) -> Check {
    for (index, name) in BREAKERS.iter().enumerate() {
        let is_test = |sent: &&Sent| sent.breaker == index && sent.command == Command::TestPage;
        let is_delivered = |sent: &Sent| sent.answer.get().is_some_and(|answer| answer.json()["delivered"] == true);
        let mut tests = answered.iter().filter(is_test).peekable();
        let is_waiting = simulation.sent.iter().any(|sent| is_test(&sent));
        if is_waiting || tests.peek().is_none() || !tests.all(is_delivered) {
            continue;
        }
        let network = simulation.platform.network.state();
        let is_open = network.service.open().any(|alert| alert.breaker == *name && alert.is_test());
        hold(!is_open, "a test page is closed", || format!("{name}: it was delivered, and is open"))?;
    }
    Ok(())
}

fn answer(simulation: &mut Simulation, sent: &Sent) -> Check {
    let Some(answer) = sent.answer.get() else { return Ok(()) };
    let name = BREAKERS[sent.breaker];
    simulation.note(|| format!("{name}: {:?} is answered with {} {}", sent.command, answer.status, answer.text));
    let is_expected = if Command::TO_ALL.contains(&sent.command) {
        answer.status == 200 || (answer.status == 503 && !simulation.is_engine_calm(ANSWERED_WITHIN))
    } else {
        answer.status == 200 || (answer.status == 409 && !sent.must_work)
    };
    hold(is_expected, "answers", || format!("{name}: {:?}: {} {}", sent.command, answer.status, answer.text))?;
    let Some(process) = &simulation.process else { return Ok(()) };
    if answer.status != 200 || simulation.world.now() != sent.at {
        return Ok(());
    }
    if Command::TO_ALL.contains(&sent.command) {
        simulation.truths[sent.breaker].commanded = Some((sent.command, sent.at));
        return Ok(());
    }
    let breaker = &process.breakers[sent.breaker];
    let policy = breaker.read(|core| core.policy().clone());
    let in_force = match sent.command {
        Command::SetThreshold => policy.latency_threshold.as_millis() == 400,
        Command::SetWait => policy.wait_time == Duration::from_secs(7),
        Command::SetWindow => policy.latency_window_size.get() == 30,
        Command::SetSettings => policy.minimum_samples == Some(6),
        _ => true,
    };
    hold(in_force, "answered means in force", || format!("{name}: {:?}", sent.command))?;
    if answer.json()["saved"] == true {
        let text = simulation.file.state().text.clone();
        let (config, _) = parse(&text, "file").map_err(|errors| ("the file is whole", errors.to_string()))?;
        let saved = config.settings_of(name).map(|settings| settings.policy.clone());
        let same = saved.is_some_and(|saved| {
            (saved.latency_threshold, saved.wait_time, saved.latency_window_size)
                == (policy.latency_threshold, policy.wait_time, policy.latency_window_size)
        });
        hold(same, "saved means in the file", || format!("{name}: {:?}", sent.command))?;
        let is_kept = text.contains("# as agreed") && text.contains("# a dependency");
        hold(is_kept, "comments are kept", || text.clone())?;
    }
    Ok(())
}

/// Parses the configuration in the file.
fn meant(text: &str) -> Option<Config> {
    let (mut config, _) = parse(text, "file").ok()?;
    apply_environment(&mut config, &environment).ok()?;
    Some(config).filter(|_| !text.trim().is_empty())
}

pub(super) fn every_minute(simulation: &mut Simulation) -> Check {
    let now = simulation.world.now();
    let minute = now.as_nanos() / MINUTE.as_nanos() as u64;
    // To read everything takes longer than all else that happens in a quiet minute.
    if now.since(simulation.seen.changed) > QUIET && !minute.is_multiple_of(LOOK_EVERY) {
        return Ok(());
    }
    let Some(process) = &simulation.process else { return Ok(()) };
    let live = process.live.config();
    if now.since(simulation.seen.file_changed) > RELOADED_WITHIN
        && !Seen::is_recent(simulation.seen.restarted, now, RELOADED_WITHIN)
    {
        let text = simulation.file.state().text.clone();
        let is_in_force = meant(&text).is_some_and(|meant| meant == *live);
        let error = process.live.config_error();
        hold(is_in_force || error.is_some(), "the file is in force", || "and the status says nothing".to_owned())?;
    }
    let mut summary = String::new();
    for (breaker, name) in process.breakers.iter().zip(BREAKERS) {
        let policy = breaker.read(|core| core.policy().clone());
        if let Some(settings) = live.settings_of(name) {
            let mut configured = settings.policy.clone();
            configured.enabled = policy.enabled;
            hold(configured == policy, "settings in force", || {
                format!("{name}: {policy:?}, configured {configured:?}")
            })?;
        }
        let kind = breaker.read(|core| core.state().kind());
        let status = block_on(get(process.router.clone(), &format!("/breakers/{name}/status")));
        hold(status.status == 200, "status", || format!("{name}: {} {}", status.status, status.text))?;
        hold(status.json()["state"] == kind.as_str(), "status", || format!("{name} is {kind}: {}", status.text))?;
        // Writing into a String cannot fail.
        let _ = write!(summary, " {name} {kind} {} calls,", breaker.read(|core| core.counts().ok));
    }
    let metrics = block_on(get(process.router.clone(), "/metrics"));
    for (breaker, name) in process.breakers.iter().zip(BREAKERS) {
        let kind = breaker.read(|core| core.state().kind());
        let line = format!("tripline_state{{breaker=\"{name}\",state=\"{kind}\"}} 1\n");
        hold(metrics.text.contains(&line), "metrics", || format!("no {line}"))?;
    }
    let health = block_on(get(process.router.clone(), "/health"));
    hold(health.status == 200, "health", || format!("{} {}", health.status, health.text))?;
    let exchanges = simulation.platform.network.state().exchanges;
    simulation.note(|| format!("minute:{summary} {exchanges} exchanges"));
    Ok(())
}

/// Checks the process after a quiet quarter of an hour.
pub(super) fn settled(simulation: &mut Simulation) -> Check {
    let Some(process) = &simulation.process else { return Ok(()) };
    let error = process.live.config_error();
    hold(error.is_none(), "settled", || format!("the configuration: {error:?}"))?;
    let text = simulation.file.state().text.clone();
    hold(meant(&text).is_some_and(|meant| meant == *process.live.config()), "the file is in force", || text.clone())?;
    for name in BREAKERS {
        let staging = block_on(get(process.router.clone(), &format!("/breakers/{name}/staging")));
        let pending = staging.json()["pending_alerts_count"].as_u64();
        hold(pending.unwrap_or(0) == 0, "settled", || format!("{name}: {}", staging.text))?;
    }
    Ok(())
}

/// Checks that it stopped in time, and that nothing is left if alerts could be sent.
pub(super) fn stopped(simulation: &mut Simulation, report: Option<DrainReport>) -> Check {
    let now = simulation.world.now();
    let faulty_at = simulation.platform.network.state().faulty_at;
    let Some(report) = report else { return Err(("nothing waits for ever", "it does not stop".to_owned())) };
    let is_calm = !Seen::is_recent(faulty_at, now, CALM)
        && !Seen::is_recent(simulation.seen.disk_faulty_at, now, CALM)
        && !simulation.seen.is_disk_faulty
        && simulation.is_engine_calm(CALM);
    hold(!is_calm || report.undelivered == 0, "drained", || format!("{} alerts are left", report.undelivered))
}

/// Checks that it starts if the file is valid.
pub(super) fn not_started(simulation: &mut Simulation, why: &str) -> Check {
    let text = simulation.file.state().text.clone();
    hold(meant(&text).is_none(), "it starts", || why.to_owned())
}
