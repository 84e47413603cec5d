//! Environment variables, which override a configuration file.

use super::error::{ConfigErrors, Problem, Reason, Warning, WarningKind};
use super::keys::{Key, WEBHOOKS, section};
use super::model::Config;
use super::opsgenie::OpsGenie;
use super::secret::{HIDDEN, Secret};
use super::source::shorten;
use super::text::TextRule;

/// The name of the environment in problems and warnings.
const PLACE: &str = "environment";
/// The bearer token of the management API.
const TOKEN: &str = "TRIPLINE_TOKEN";
/// The address of a fleet's server.
const FLEET_URL: &str = "TRIPLINE_FLEET_URL";

/// Variables that win over the file, with the key in `[opsgenie]` that they set.
const OVERRIDES: [(&str, &str); 4] = [
    ("OPSGENIE_API_KEY", "api_key"),
    ("OPSGENIE_REGION", "region"),
    ("OPSGENIE_API_URL", "api_url"),
    ("Environment", "environment"),
];

/// Variables for keys that the file leaves empty; the first that is set counts.
struct Fallback {
    key: &'static str,
    variables: &'static [&'static str],
    is_empty: fn(&OpsGenie) -> bool,
}

const FALLBACKS: [Fallback; 5] = [
    Fallback { key: "team", variables: &["OPSGENIE_TEAM"], is_empty: |o| o.team.is_empty() },
    Fallback { key: "environment", variables: &["DEPLOYMENT_ENV"], is_empty: |o| o.environment.is_empty() },
    Fallback {
        key: "service_id",
        variables: &["BOOKMAKER_ID", "PROJECT_ID", "CLIENT_ID", "SERVICE_ID"],
        is_empty: |o| o.service_id().is_empty(),
    },
    Fallback {
        key: "hostname",
        variables: &["HOSTNAME", "HOST", "CONTAINER_NAME", "POD_NAME"],
        is_empty: |o| o.host().is_empty(),
    },
    Fallback {
        key: "business",
        variables: &["BUSINESS_UNIT", "BUSINESS", "DEPARTMENT"],
        is_empty: |o| o.business.is_empty() && o.business_unit.is_empty(),
    },
];

/// Looks up a variable of the process's environment. What is not UTF-8 in it is replaced by U+FFFD, so that a key that
/// allows only ASCII rejects it.
///
/// ```
/// use tripline_backends::config::{Config, apply_environment, process_variable};
///
/// apply_environment(&mut Config::default(), &process_variable)?;
/// # Ok::<(), tripline_backends::config::ConfigErrors>(())
/// ```
pub fn process_variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// Overrides `config` by environment variables: `variable` looks one up, as [`process_variable`] does. An empty variable counts as
/// not set, except for `TRIPLINE_TOKEN`, where it is an error.
///
/// `OPSGENIE_API_KEY`, `OPSGENIE_REGION`, `OPSGENIE_API_URL` and `Environment` win over the file; `TRIPLINE_TOKEN` sets
/// the bearer token and `TRIPLINE_FLEET_URL` the address of the fleet's server; team, environment, service, host and business fall back to variables only where the file leaves
/// them empty. The warnings name what alerts still lack when they are enabled.
///
/// # Errors
/// [`ConfigErrors`] with every variable that has a value its key does not allow; `config` is then as it was.
pub fn apply_environment(
    config: &mut Config,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Warning>, ConfigErrors> {
    let mut changed = config.clone();
    let mut problems = overlay(&mut changed, variable);
    // What they inherit is what the root has; a problem with the environment is the same for all, and reported once.
    for at in 0..changed.breakers.len() {
        let Some(mut view) = changed.breakers.get(at).map(|breaker| changed.view_of(breaker)) else { continue };
        let found = overlay(&mut view, variable);
        problems.extend(found.into_iter().filter(|problem| !problems.contains(problem)).collect::<Vec<_>>());
        if let Some(breaker) = changed.breakers.get_mut(at) {
            *breaker = view.breaker;
        }
    }
    // An empty token is an error: a server that was meant to ask for one would ask for none.
    if let Some(value) = variable(TOKEN) {
        if value.is_empty() {
            problems.push(problem(TOKEN, "\"\"".into(), &format!("{}, or no such variable", TextRule::Token)));
        } else if TextRule::Token.fits(&value) {
            changed.http.token = Some(Secret::new(value));
        } else {
            problems.push(problem(TOKEN, HIDDEN.into(), &TextRule::Token));
        }
    }
    if let Some(value) = variable(FLEET_URL).filter(|value| !value.is_empty()) {
        if TextRule::RedisUrl.fits(&value) {
            changed.fleet.url = Some(Secret::new(value));
        } else {
            problems.push(problem(FLEET_URL, HIDDEN.into(), &TextRule::RedisUrl));
        }
    }
    if let Some(errors) = ConfigErrors::of(problems) {
        return Err(errors);
    }
    *config = changed;
    let of_key = "not set, nor is OPSGENIE_API_KEY: no alert can be delivered";
    let of_field = "mandatory for alerts, and set neither in the file nor here";
    Ok(lacking_of_all(config, |opsgenie| lacking(opsgenie, PLACE, of_key, of_field)))
}

/// Lays the variables for alerts over the root of `config`; gives the problems.
fn overlay(config: &mut Config, variable: &dyn Fn(&str) -> Option<String>) -> Vec<Problem> {
    let set = |name: &'static str| variable(name).filter(|value| !value.is_empty()).map(|value| (name, value));
    let mut problems = Vec::new();
    for (name, key) in OVERRIDES {
        if let Some((name, value)) = set(name) {
            problems.extend(put(config, key, name, &value));
        }
    }
    for fallback in FALLBACKS {
        let first = fallback.variables.iter().find_map(|name| set(name));
        if let Some((name, value)) = first.filter(|_| (fallback.is_empty)(&config.breaker.opsgenie)) {
            problems.extend(put(config, fallback.key, name, &value));
        }
    }
    problems.extend(expand_webhooks(config, variable));
    problems
}

/// The warnings about every breaker, each once.
fn lacking_of_all(config: &Config, lacking: impl Fn(&OpsGenie) -> Vec<Warning>) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = Vec::new();
    for breaker in config.all_breakers() {
        for warning in lacking(&breaker.opsgenie) {
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
    }
    warnings
}

/// What alerts need, where they are enabled, and a file does not set: the warnings say that the environment, which is not
/// looked at, may do so. `file` is what they call the configuration.
pub fn left_to_environment(config: &Config, file: &str) -> Vec<Warning> {
    let of_key = "not set: no alert can be delivered without it, unless OPSGENIE_API_KEY is set in the environment";
    let of_field = "mandatory for alerts, and not set; the environment, which is not looked at here, may set it";
    let mut warnings = lacking_of_all(config, |opsgenie| lacking(opsgenie, file, of_key, of_field));
    let listed =
        config.breaker.webhooks.iter().enumerate().map(|(index, webhook)| (format!("{WEBHOOKS}[{index}]"), webhook));
    for (key, webhook) in std::iter::once(("webhook".to_owned(), &config.breaker.webhook)).chain(listed) {
        let variables = webhook.variables();
        if webhook.enabled && !variables.is_empty() {
            let message = format!("needs {} of the environment, which is not looked at here", variables.join(", "));
            warnings.push(Warning { file: file.into(), line: None, key, message, kind: WarningKind::Unlikely });
        }
    }
    warnings
}

/// Fills in the variables of the webhooks that are enabled; gives those that are not set, and values that do not fit.
fn expand_webhooks(config: &mut Config, variable: &dyn Fn(&str) -> Option<String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let listed = config
        .breaker
        .webhooks
        .iter_mut()
        .enumerate()
        .map(|(index, webhook)| (format!("{WEBHOOKS}[{index}]"), webhook));
    let all = std::iter::once(("webhook".to_owned(), &mut config.breaker.webhook)).chain(listed);
    for (table, webhook) in all.filter(|(_, webhook)| webhook.enabled) {
        let because = |key: String, words: String| Problem {
            file: PLACE.into(),
            line: None,
            column: None,
            key,
            value: None,
            reason: Reason::Because(words),
        };
        if let Err((key, name)) = webhook.expand(variable) {
            problems.push(because(name, format!("not set, and {table}.{key} needs it")));
            continue;
        }
        if webhook.url.as_ref().is_some_and(|url| !TextRule::SecretUrl.fits(url.expose())) {
            problems.push(because(format!("{table}.url"), format!("filled in, it is not {}", TextRule::SecretUrl)));
        }
        let found = webhook.problems().into_iter();
        problems.extend(found.map(|(key, words)| because(format!("{table}.{key}"), format!("filled in: {words}"))));
    }
    problems
}

/// Sets one key of `[opsgenie]`, or gives the problem with it.
fn put(config: &mut Config, key: &str, variable: &str, value: &str) -> Option<Problem> {
    let Key { field, .. } = section("opsgenie")?.key(key)?;
    let shown = if field.hides(value) { HIDDEN.to_owned() } else { shorten(value) };
    if field.set_text(config, value).is_some() { None } else { Some(problem(variable, shown, field)) }
}

fn problem(variable: &str, value: String, allowed: &dyn std::fmt::Display) -> Problem {
    let reason = Reason::Allowed(allowed.to_string());
    Problem { file: PLACE.into(), line: None, column: None, key: variable.into(), value: Some(value), reason }
}

/// The required fields of alerts that are missing while alerts are enabled.
fn lacking(opsgenie: &OpsGenie, file: &str, of_key: &str, of_field: &str) -> Vec<Warning> {
    if !opsgenie.enabled {
        return Vec::new();
    }
    let warning = |key: &str, message: &str| {
        let earlier_name =
            if key == "service_id" { "; opsgenie.bookmaker_id is its earlier name and is read too" } else { "" };
        Warning {
            file: file.into(),
            line: None,
            key: format!("opsgenie.{key}"),
            message: format!("{message}{earlier_name}"),
            kind: WarningKind::Unlikely,
        }
    };
    let key = opsgenie.api_key.is_none().then(|| warning("api_key", of_key));
    let fields = opsgenie.missing_fields().into_iter().map(|field| warning(field, of_field));
    key.into_iter().chain(fields).collect()
}
