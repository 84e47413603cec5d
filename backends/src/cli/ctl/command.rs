//! The arguments of `tripline ctl`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::parameter::{Parameter, help, parser};

#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub(in crate::cli) struct CtlArgs {
    /// The URL of the server.
    #[arg(long, global = true, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub(super) url: String,
    /// The file with the bearer token. Default: the value of `TRIPLINE_TOKEN`, if it is set.
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// The breaker that the command applies to. Default: the value of `TRIPLINE_BREAKER`, else the first of the configuration.
    /// A member of a family is NAME/KEY. Commands about the whole server ignore it: fleet, and scenario without a name.
    #[arg(long, global = true, value_name = "NAME[/KEY]")]
    pub(super) breaker: Option<String>,
    /// Apply enable, disable or reset to this breaker in all replicas of the server's fleet, and wait until they have done it.
    #[arg(long, global = true)]
    pub(super) fleet: bool,
    /// Print the body of the response as received.
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) command: CtlCommand,
}

const HELP: &str = "\
Exit codes: 0 the breaker is closed or disabled (status, list, watch, request), or the command is done; 2 it, or any of \
several, is open, half-open or forced open (status, list, watch, request); 3 a changed setting is in force and is not saved in a configuration file (set, enable, \
disable, opsgenie); 1 an error, whose text says what is wrong and what is allowed.

The token is sent in the header Authorization and nowhere else; redirects are not followed. NO_COLOR is respected.";

#[derive(Debug, Subcommand)]
pub(super) enum CtlCommand {
    /// Show the state and the figures of the breaker, or a table of several; exit code 2 if one is open, half-open or
    /// forced open.
    Status,
    /// List the breakers, or with --breaker the keys of this family; exit code 2 if any is open, half-open or forced open.
    List {
        /// List only breakers or keys that are open, half-open or forced open.
        #[arg(long)]
        open: bool,
    },
    /// Show the status live until Ctrl-C; without a terminal print a line for each change.
    ///
    /// A change is a new state, reason, breach, trend, memory condition, setting or configuration problem, or the first
    /// or last stalled call; for several breakers a new state or reason. Changing figures alone print no line.
    Watch,
    /// Print one parameter or configuration key, or all of them.
    Get {
        /// A parameter, as in `latency`, or a configuration key, as in `trip_confidence`. Default: all of them.
        #[arg(value_parser = parser(), hide_possible_values = true)]
        name: Option<Parameter>,
    },
    /// Change one parameter or configuration key in the running breaker and, where possible, in its configuration file.
    #[command(after_long_help = help())]
    Set {
        /// A parameter, as in `latency`, or a configuration key, as in `trip_confidence`.
        #[arg(value_parser = parser(), hide_possible_values = true)]
        name: Parameter,
        /// The new value; several for lists.
        #[arg(required = true, allow_negative_numbers = true)]
        value: Vec<String>,
    },
    /// Enable the breaker.
    Enable,
    /// Disable the breaker: it admits every call and records none.
    Disable,
    /// Close the breaker; forget its window, its simulations and its incident.
    Reset {
        /// Reset without asking for confirmation.
        #[arg(long, short)]
        yes: bool,
    },
    /// Print the latencies in the window above a threshold, in milliseconds, one per line.
    Latencies {
        /// The threshold in milliseconds. Default: the configured one.
        #[arg(long, value_name = "MS")]
        above: Option<u32>,
    },
    /// Show memory in use and its limit.
    Memory,
    /// Show the fleet: whether its engine is reachable, its members, and how many replicas of each breaker are open.
    Fleet,
    /// Open the breaker as if a limit were exceeded, until restore or reset.
    Trigger {
        /// The limit.
        what: Trigger,
    },
    /// End a simulation of trigger; the breaker then recovers by itself.
    Restore,
    /// Reject every call until reset.
    ForceOpen,
    /// Show the alerts that wait for their next stage.
    StagedAlerts,
    /// Test the delivery of alerts.
    Alert {
        #[command(subcommand)]
        command: AlertCommand,
    },
    /// Show or change the settings of alerts.
    Opsgenie {
        #[command(subcommand)]
        command: OpsgenieCommand,
    },
    /// Print the server's events as they arrive, until Ctrl-C: those of all breakers, or of the named one.
    Events,
    /// Make one request to the protected demo endpoint; exit code 2 if the breaker rejects it.
    Request,
    /// Set the delay of the demo endpoint, behind all breakers, the named one, or a member of a family.
    Delay {
        /// The delay, such as 500ms or 2s.
        delay: String,
    },
    /// Start a scenario of the demo endpoint, behind all breakers, the named one, or a member of a family; or list the scenarios.
    Scenario {
        /// The scenario. Default: list all scenarios.
        name: Option<String>,
    },
    /// Print a completion script for the whole of tripline.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Trigger {
    /// Simulate exhausted memory.
    Memory,
    /// Simulate slow calls.
    Latency,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub(super) enum AlertCommand {
    /// Open and close a test alert at every enabled receiver; exit code 1 if one does not accept it.
    Test,
}

#[derive(Debug, Subcommand)]
pub(super) enum OpsgenieCommand {
    /// Show the settings of alerts, and which required fields are missing.
    Status,
    /// Switch sending alerts on or off; show it if no value is given.
    Toggle {
        /// on or off.
        value: Option<String>,
    },
    /// Set the priority of alerts without stages; show it if no value is given.
    Priority {
        /// P1 to P5.
        value: Option<String>,
    },
    /// Set which events send alerts, as in open=on memory=off; show it if no value is given.
    Triggers {
        /// open, reset, memory or latency, with on or off; other events keep their setting.
        value: Vec<String>,
    },
    /// Replace the tags of every alert; show them if no value is given.
    Tags {
        /// The tags; one empty text for none.
        value: Vec<String>,
    },
    /// Set the delay of the first alert of the next incident; show it if no value is given.
    Cooldown {
        /// In seconds; 0 for no delay.
        #[arg(allow_negative_numbers = true)]
        value: Option<String>,
    },
}
