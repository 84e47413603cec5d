//! The fleet of a server, and commands to all its replicas.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use smol::Timer;
use tripline_runtime::core::fleet::Action;

use super::client::{Answer, Client, CtlError};
use super::command::CtlCommand;
use super::show::{aligned, plain, scalar};
use crate::cli::output::CliError;

/// Time limit for all replicas. They execute a command within about 6 s.
const MAX_WAIT: Duration = Duration::from_secs(20);
/// Interval between two queries of the progress.
const BETWEEN: Duration = Duration::from_millis(500);

/// Returns the action for all replicas; `None` for a command that is for one process only.
pub(super) const fn command_to_all(command: &CtlCommand) -> Option<Action> {
    match command {
        CtlCommand::Disable => Some(Action::Disable),
        CtlCommand::Enable => Some(Action::Enable),
        CtlCommand::Reset { .. } => Some(Action::Reset),
        _ => None,
    }
}

/// Sends a command to all replicas and waits until they have executed it. Returns the last response, and a line for people.
pub(super) async fn command_all(client: &Client, action: Action) -> Result<(Answer, String), CliError> {
    const COMMAND: &str = "/breaker/fleet-command";
    let unexpected = |path: &str| CliError::from(CtlError::Unexpected { path: path.to_owned() });
    let body = json!({"action": action.as_str(), "confirm": true});
    let answer = client.post(COMMAND, Some(&body)).await?.body;
    let number = answer.get("number").and_then(Value::as_u64).ok_or_else(|| unexpected(COMMAND))?;
    let path = format!("/fleet/command?number={number}");
    let asked_at = Instant::now();
    loop {
        let answer = client.get(&path).await?;
        let count = |name: &str| answer.body.get(name).and_then(Value::as_u64);
        let (done, members) = count("done").zip(count("members")).ok_or_else(|| unexpected(&path))?;
        let text = format!("{}: done by {done} of {members} replicas", action.as_str());
        if done >= members {
            return Ok((answer, text));
        }
        if asked_at.elapsed() > MAX_WAIT {
            let seconds = MAX_WAIT.as_secs();
            return Err(CliError::new(format!(
                "{text} within {seconds} s; a replica with fleet.commands off, or that does not reach the engine within a \
                 minute, does not execute it"
            )));
        }
        Timer::after(BETWEEN).await;
    }
}

/// The fleet for people: the replica and its engine, followed by a line for each breaker.
pub(super) fn text(body: &Value) -> Option<String> {
    let word = |name: &str| body.get(name).and_then(scalar).map(|text| plain(&text));
    let engine = match (body.get("up")?.as_bool()?, body.get("alone")?.as_bool()?) {
        (true, _) => "reached".to_owned(),
        (false, alone) => {
            let error = word("error").unwrap_or_default();
            format!("{error}{}", if alone { "; this replica pages alone" } else { "" })
        }
    };
    let mut rows = vec![
        ("replica".to_owned(), word("replica")?),
        ("engine".to_owned(), engine),
        ("members".to_owned(), word("members")?),
    ];
    for breaker in body.get("breakers")?.as_array()? {
        let text = |name: &str| breaker.get(name).and_then(Value::as_str).map(plain);
        rows.push((text("name")?, text("summary")?));
    }
    Some(aligned(&rows))
}
