//! `tripline ctl`: all routes under `/breaker`, and the demo endpoint, from a shell.
//!
//! The table lists the commands of go-breaker's clients and their replacements. `set.sh` selects the server by `-e`,
//! `ctl` by `--url`.
//!
//! | go-breaker | here |
//! |---|---|
//! | `client.rb` `memory` | `ctl get memory` |
//! | `client.rb` `latency` | `ctl get latency` |
//! | `client.rb` `latency_window_size` | `ctl get latency-window-size` |
//! | `client.rb` `percentile` | `ctl get percentile` |
//! | `client.rb` `wait_time` | `ctl get wait` |
//! | `client.rb` `memory_usage` | `ctl memory` |
//! | `client.rb` `set_memory(85)` | `ctl set memory 85` |
//! | `client.rb` `set_latency(500)` | `ctl set latency 500` |
//! | `client.rb` `set_latency_window_size(64)` | `ctl set latency-window-size 64` |
//! | `client.rb` `set_percentile(0.95)` | `ctl set percentile 0.95` |
//! | `client.rb` `set_wait_time(10)` | `ctl set wait 10` |
//! | `client.rb` `get_latencies(1000)` | `ctl latencies --above 1000` |
//! | `client.rb` `reset` | `ctl reset --yes` |
//! | `client.rb` `request` | `ctl request` |
//! | `client.rb` `set_delay("500ms")` | `ctl delay 500ms` |
//! | `console.rb HOST PORT` | `ctl status --url http://HOST:PORT` |
//! | `set.sh -e ENV` | `ctl get --url http://127.0.0.1:8080` |
//! | `set.sh -a get` | `ctl get` |
//! | `set.sh -g NAME` | `ctl get latency` |
//! | `set.sh -a set -m 85` | `ctl set memory 85` |
//! | `set.sh -a set -l 800` | `ctl set latency 800` |
//! | `set.sh -a set -w 64` | `ctl set latency-window-size 64` |
//! | `set.sh -a set -p 95` | `ctl set percentile 95` |
//! | `set.sh -a set -w 10` | `ctl set wait 10` |

mod client;
mod command;
mod exit;
mod feed;
mod fleet;
mod list;
mod parameter;
mod screen;
mod setting;
mod show;
mod status;
mod stream;
mod style;
#[cfg(test)]
mod tests;
mod value;
mod watch;
mod watch_all;

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::process::ExitCode;

use serde_json::{Map, Value, json};
use tripline_runtime::core::fleet::Action;

use super::{CliError, eprint_line, print_line, print_styled};
use crate::config::Entry;
use client::{Answer, Client, CtlError};
pub(super) use command::CtlArgs;
use command::{AlertCommand, CtlCommand, OpsgenieCommand, Trigger};
use parameter::{Parameter, live_keys};
use setting::{Change, Setting};
use show::{aligned, fields, plain, scalar};

/// The route of all live configuration keys.
const SETTINGS: &str = "/breaker/settings";

/// Runs the command in `args` and returns its exit code. `whole` describes the whole command line, for completions.
pub(super) fn ctl(args: &CtlArgs, whole: fn() -> clap::Command) -> Result<ExitCode, CliError> {
    if let CtlCommand::Completions { shell } = args.command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut whole(), "tripline", &mut script);
        // A closed output is not a failure.
        let _ = io::stdout().write_all(&script);
        return Ok(ExitCode::SUCCESS);
    }
    if args.fleet && fleet::command_to_all(&args.command).is_none() {
        return Err(CliError::new("--fleet applies to enable, disable and reset only"));
    }
    let session = Session { is_for_all: args.fleet, client: Client::new(args)?, json: args.json };
    smol::block_on(session.run(&args.command))
}

struct Session {
    /// Whether commands apply to all replicas of the fleet.
    is_for_all: bool,
    client: Client,
    /// Whether response bodies are printed as received.
    json: bool,
}

impl Session {
    async fn run(&self, command: &CtlCommand) -> Result<ExitCode, CliError> {
        if let Some(action) = fleet::command_to_all(command).filter(|_| self.is_for_all) {
            return self.command_all(action, command).await;
        }
        match command {
            CtlCommand::Status => return self.status().await,
            CtlCommand::List { open } => return self.list(*open).await,
            CtlCommand::Watch => return self.watch().await,
            CtlCommand::Events => return watch::events(&self.client, self.several().await.is_some()).await,
            CtlCommand::Request => return self.request().await,
            CtlCommand::Get { name: Some(Parameter::Short(setting)) } => self.get(*setting).await?,
            CtlCommand::Get { name: Some(Parameter::Key(entry)) } => self.get_key(entry).await?,
            CtlCommand::Get { name: None } => self.get_all().await?,
            CtlCommand::Set { name: Parameter::Short(setting), value } => return self.set(*setting, value).await,
            CtlCommand::Set { name: Parameter::Key(entry), value } => return self.set_key(entry, value).await,
            CtlCommand::Enable => return self.set(Setting::Enabled, &["on".to_owned()]).await,
            CtlCommand::Disable => return self.set(Setting::Enabled, &["off".to_owned()]).await,
            CtlCommand::Reset { yes } => self.reset(*yes).await?,
            CtlCommand::Latencies { above } => self.latencies(*above).await?,
            CtlCommand::Memory => self.memory().await?,
            CtlCommand::Fleet => self.fleet().await?,
            CtlCommand::Trigger { what: Trigger::Memory } => self.operate("/breaker/trigger-by-memory", None).await?,
            CtlCommand::Trigger { what: Trigger::Latency } => self.operate("/breaker/trigger-by-latency", None).await?,
            CtlCommand::Restore => self.operate("/breaker/restore-memory-check", None).await?,
            CtlCommand::ForceOpen => self.operate("/breaker/force-open", None).await?,
            CtlCommand::StagedAlerts => self.show("/breaker/staged-alerts").await?,
            CtlCommand::Alert { command: AlertCommand::Test } => self.test_page().await?,
            CtlCommand::Opsgenie { command } => return self.opsgenie(command).await,
            CtlCommand::Delay { delay } => self.demo("/test/delay", json!({"delay": delay})).await?,
            CtlCommand::Scenario { name: None } => self.show("/test/scenarios").await?,
            CtlCommand::Scenario { name: Some(name) } => self.demo("/test/trigger", json!({"scenario": name})).await?,
            // Completions are handled before a client exists.
            CtlCommand::Completions { .. } => {}
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn list(&self, only_open: bool) -> Result<ExitCode, CliError> {
        let all = list::read_selected(&self.client).await?;
        print_line(if self.json { all.json(only_open) } else { all.table(only_open) });
        Ok(exit::of_state(all.any_open()))
    }

    /// All breakers, if there are several and none is named; otherwise `None`. A server of an earlier version has no list.
    /// Other errors are left to the status request, which reports them too.
    async fn several(&self) -> Option<list::List> {
        if self.client.breaker().is_some() {
            return None;
        }
        list::read(&self.client).await.ok().filter(list::List::is_several)
    }

    async fn watch(&self) -> Result<ExitCode, CliError> {
        match self.several().await {
            Some(all) => watch_all::watch(&self.client, all).await,
            None => watch::watch(&self.client).await,
        }
    }

    async fn status(&self) -> Result<ExitCode, CliError> {
        if let Some(all) = self.several().await {
            print_line(if self.json { all.json(false) } else { all.table(false) });
            return Ok(exit::of_state(all.any_open()));
        }
        let (seen, text) = feed::status(&self.client).await?;
        if self.json {
            print_line(text.trim_end());
        } else {
            let (columns, colours) = (screen::size().0, screen::wants_colours());
            for line in seen.lines(columns, false) {
                // The line is printed in full, except for the oldest latencies.
                print_styled(line.render(usize::MAX, colours));
            }
        }
        Ok(exit::of_state(seen.triggered))
    }

    async fn request(&self) -> Result<ExitCode, CliError> {
        match self.client.get("/test").await {
            Ok(answer) => {
                self.print(&answer, || fields(&answer.body));
                Ok(ExitCode::SUCCESS)
            }
            Err(CtlError::Rejected { status: 503, body, .. }) if body.is_object() => {
                print_line(if self.json { body.to_string() } else { fields(&body) });
                Ok(exit::of_state(true))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Prints a parameter in the form that `set` accepts, without a unit.
    async fn get(&self, setting: Setting) -> Result<(), CliError> {
        let path = setting.read_path();
        let answer = self.client.get(path).await?;
        let value = setting.value(&answer.body).ok_or_else(|| unexpected_response(path))?;
        self.print(&answer, || value);
        Ok(())
    }

    /// Prints a configuration key in the form that `set` accepts, without a unit.
    async fn get_key(&self, entry: &Entry) -> Result<(), CliError> {
        let answer = self.client.get(SETTINGS).await?;
        let value = answer.body.get(entry.path()).ok_or_else(|| unexpected_response(SETTINGS))?;
        let text = value::to_text(value).ok_or_else(|| unexpected_response(SETTINGS))?;
        print_line(if self.json { json!({ entry.path(): value }).to_string() } else { text });
        Ok(())
    }

    async fn set_key(&self, entry: &Entry, given: &[String]) -> Result<ExitCode, CliError> {
        let body = json!({ entry.path(): value::of_key(entry, given)? });
        let answer = self.client.post(SETTINGS, Some(&body)).await?;
        let value = answer.body.get(entry.path()).ok_or_else(|| unexpected_response(SETTINGS))?;
        let shown = value::shown(entry, value).ok_or_else(|| unexpected_response(SETTINGS))?;
        self.print(&answer, || format!("{}: {shown}{}", entry.path(), saved(&answer.body)));
        Ok(exit::of_change(&answer.body))
    }

    /// Prints the parameters with a short name, followed by the other live keys if the server has them. A parameter that
    /// the server does not have is listed as such.
    async fn get_all(&self) -> Result<(), CliError> {
        let (mut rows, mut bodies) = (Vec::new(), Map::new());
        let mut missing = None;
        for setting in Setting::ALL {
            let path = setting.read_path();
            let shown = match self.client.get(path).await {
                Ok(answer) => {
                    let shown = setting.shown(&answer.body).ok_or_else(|| unexpected_response(path))?;
                    bodies.insert(setting.name().to_owned(), answer.body);
                    shown
                }
                Err(error @ CtlError::Rejected { status: 404, .. }) => format!("({})", missing.insert(error)),
                Err(error) => return Err(error.into()),
            };
            rows.push((setting.name().to_owned(), shown));
        }
        match self.client.get(SETTINGS).await {
            Ok(answer) => {
                rows.extend(keys_without_short_name(&answer.body));
                bodies.insert("settings".to_owned(), answer.body);
            }
            Err(CtlError::Rejected { status: 404, .. }) => {}
            Err(error) => return Err(error.into()),
        }
        print_line(if self.json { Value::Object(bodies).to_string() } else { aligned(&rows) });
        missing.map_or(Ok(()), |error| Err(error.into()))
    }

    async fn set(&self, setting: Setting, value: &[String]) -> Result<ExitCode, CliError> {
        let Change { path, body } = setting.change(value)?;
        let answer = self.client.post(path, body.as_ref()).await?;
        let shown = setting.shown(&answer.body).ok_or_else(|| unexpected_response(path))?;
        self.print(&answer, || format!("{}: {shown}{}", setting.name(), saved(&answer.body)));
        Ok(exit::of_change(&answer.body))
    }

    async fn reset(&self, yes: bool) -> Result<(), CliError> {
        if !yes {
            self.confirm_reset("").await?;
        }
        self.operate("/breaker/reset", Some(json!({"confirm": true}))).await
    }

    /// Asks for confirmation of a reset. `of` names the other processes that are reset.
    async fn confirm_reset(&self, of: &str) -> Result<(), CliError> {
        if !io::stdin().is_terminal() {
            return Err(CliError::new("reset: standard input is not a terminal; --yes resets without a confirmation"));
        }
        let (seen, _) = feed::status(&self.client).await?;
        if !confirmed(&format!("Reset {}{of}, which is {}? It then admits every call.", seen.name, seen.state)) {
            return Err(CliError::new("not reset: it was not confirmed with yes; --yes confirms it"));
        }
        Ok(())
    }

    async fn operate(&self, path: &str, body: Option<Value>) -> Result<(), CliError> {
        let answer = self.client.post(path, body.as_ref()).await?;
        let state = answer.body.get("state").and_then(scalar).ok_or_else(|| unexpected_response(path))?;
        self.print(&answer, || format!("state: {}{}", state.replace('_', " "), saved(&answer.body)));
        Ok(())
    }

    async fn test_page(&self) -> Result<(), CliError> {
        let path = "/breaker/alerts/test";
        let answer = self.client.post(path, None).await?;
        let sinks = answer.body.get("sinks").and_then(Value::as_array).ok_or_else(|| unexpected_response(path))?;
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(plain).unwrap_or_default();
        let line = |sink: &Value| match sink.get("error").filter(|error| !error.is_null()) {
            Some(error) => format!("{}: {}", text(sink.get("sink")), text(Some(error))),
            None => format!("{}: delivered", text(sink.get("sink"))),
        };
        self.print(&answer, || sinks.iter().map(line).collect::<Vec<_>>().join("\n"));
        match (sinks.is_empty(), answer.body.get("delivered").and_then(Value::as_bool)) {
            (true, _) => Err(CliError::new("alert test: no pager is on; see [opsgenie] and [[webhooks]]")),
            (false, Some(true)) => Ok(()),
            _ => Err(CliError::new("alert test: a pager did not accept the test page")),
        }
    }

    async fn latencies(&self, above: Option<u32>) -> Result<(), CliError> {
        const PATH: &str = "/breaker/latencies-above-threshold";
        let path = above.map_or_else(|| PATH.to_owned(), |threshold| format!("{PATH}?threshold={threshold}"));
        let answer = self.client.get(&path).await?;
        let latencies =
            answer.body.get("latencies").and_then(Value::as_array).ok_or_else(|| unexpected_response(PATH))?;
        let lines: Vec<_> = latencies.iter().filter_map(scalar).collect();
        if lines.is_empty() && !self.json {
            // The message is for people, so it goes to standard error; a program that reads the output sees no line.
            eprint_line("no latency in the window is above the threshold");
        } else {
            self.print(&answer, || lines.join("\n"));
        }
        Ok(())
    }

    async fn memory(&self) -> Result<(), CliError> {
        const USAGE: &str = "/breaker/memory-usage";
        const LIMIT: &str = "/breaker/memory-limit";
        let usage = self.client.get(USAGE).await?.body;
        let limit = self.client.get(LIMIT).await?.body;
        let used = usage.get("memory_usage").ok_or_else(|| unexpected_response(USAGE))?;
        let limit = limit.get("memory_limit").ok_or_else(|| unexpected_response(LIMIT))?;
        if self.json {
            print_line(json!({"memory_usage": used, "memory_limit": limit}));
            return Ok(());
        }
        let mut rows = vec![("used".to_owned(), bytes(used)), ("limit".to_owned(), bytes(limit))];
        if let (Some(used), Some(limit)) = (used.as_f64(), limit.as_f64().filter(|limit| *limit > 0.0)) {
            rows.push(("share".to_owned(), format!("{} %", show::number(used / limit * 100.0))));
        }
        print_line(aligned(&rows));
        Ok(())
    }

    async fn fleet(&self) -> Result<(), CliError> {
        let path = "/fleet";
        let answer = self.client.get(path).await?;
        let text = fleet::text(&answer.body).ok_or_else(|| unexpected_response(path))?;
        self.print(&answer, || text);
        Ok(())
    }

    async fn command_all(&self, action: Action, command: &CtlCommand) -> Result<ExitCode, CliError> {
        if matches!(command, CtlCommand::Reset { yes: false }) {
            self.confirm_reset(" of all replicas").await?;
        }
        let (answer, text) = fleet::command_all(&self.client, action).await?;
        self.print(&answer, || text);
        Ok(ExitCode::SUCCESS)
    }

    async fn opsgenie(&self, command: &OpsgenieCommand) -> Result<ExitCode, CliError> {
        let one = |value: &Option<String>| value.iter().cloned().collect::<Vec<_>>();
        let (setting, value) = match command {
            OpsgenieCommand::Status => {
                return self.show("/breaker/opsgenie/status").await.map(|()| ExitCode::SUCCESS);
            }
            OpsgenieCommand::Toggle { value } => (Setting::OpsgenieToggle, one(value)),
            OpsgenieCommand::Priority { value } => (Setting::OpsgeniePriority, one(value)),
            OpsgenieCommand::Triggers { value } => (Setting::OpsgenieTriggers, value.clone()),
            OpsgenieCommand::Tags { value } => (Setting::OpsgenieTags, value.clone()),
            OpsgenieCommand::Cooldown { value } => (Setting::OpsgenieCooldown, one(value)),
        };
        if value.is_empty() {
            return self.get(setting).await.map(|()| ExitCode::SUCCESS);
        }
        self.set(setting, &value).await
    }

    async fn demo(&self, path: &str, mut body: Value) -> Result<(), CliError> {
        if let (Some(name), Some(fields)) = (self.client.breaker(), body.as_object_mut()) {
            fields.insert("breaker".to_owned(), name.into());
            fields.extend(self.client.key().map(|key| ("key".to_owned(), key.into())));
        }
        let answer = self.client.post(path, Some(&body)).await?;
        self.print(&answer, || fields(&answer.body));
        Ok(())
    }

    async fn show(&self, path: &str) -> Result<(), CliError> {
        let answer = self.client.get(path).await?;
        if !answer.body.is_object() {
            return Err(unexpected_response(path));
        }
        self.print(&answer, || fields(&answer.body));
        Ok(())
    }

    fn print(&self, answer: &Answer, for_people: impl FnOnce() -> String) {
        if self.json { print_line(answer.text.trim_end()) } else { print_line(for_people()) }
    }
}

fn unexpected_response(path: &str) -> CliError {
    CtlError::Unexpected { path: path.to_owned() }.into()
}

/// The live keys in the body of [`SETTINGS`] without a short name.
fn keys_without_short_name(body: &Value) -> Vec<(String, String)> {
    let has_short = |path: &str| {
        path.starts_with("opsgenie.trigger_on_") || Setting::ALL.iter().any(|setting| setting.key() == Some(path))
    };
    let keys = live_keys().filter(|entry| !has_short(&entry.path()));
    keys.filter_map(|entry| Some((entry.path(), value::shown(&entry, body.get(entry.path())?)?))).collect()
}

/// Whether the change is saved in the file, if the response reports it.
fn saved(body: &Value) -> String {
    let reason = body.get("reason").and_then(scalar).map_or_else(String::new, |reason| format!(": {reason}"));
    match body.get("saved").and_then(Value::as_bool) {
        Some(true) => ", saved".to_owned(),
        Some(false) => format!(", not saved{reason}"),
        None => String::new(),
    }
}

fn bytes(value: &Value) -> String {
    const MEBIBYTE: f64 = 1_048_576.0;
    let Some(bytes) = value.as_u64() else { return "unknown".to_owned() };
    format!("{} MiB ({bytes} bytes)", show::number(bytes as f64 / MEBIBYTE))
}

fn confirmed(question: &str) -> bool {
    let mut out = io::stderr();
    let mut answer = String::new();
    let asked = write!(out, "{} [y/N] ", plain(question)).and_then(|()| out.flush());
    asked.is_ok()
        && io::stdin().lock().read_line(&mut answer).is_ok()
        && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}
