//! `hinoban simulate --fail NAME`: what would be done about a failure, and who would be told. Nothing is executed, and
//! nothing but the configuration is read.

use std::process::ExitCode;
use std::time::Duration;

use hinoban::config::{Condition, Config, Kind, Service, Speech, Test, spelling, toml, units};
use hinoban::incident::{Incidents, Options};
use hinoban::scheduler::sim::{Mishap, rehearse};

use crate::load::told;
use crate::run::{self, Plan};
use crate::terminal::show;
use crate::timeline::{Subject, Timeline};

/// How long a failure lasts unless it is said otherwise.
const LASTS: Duration = Duration::from_secs(600);

/// Rehearses what the command line says, and prints what came of it.
///
/// # Errors
/// If a name, a reading or a time means nothing, or the configuration cannot be bound.
pub(crate) fn simulate(plan: &Plan) -> Result<ExitCode, String> {
    let config = &plan.loaded.config;
    if let [_, name, ..] = plan.flags.words.as_slice() {
        return Err(format!("simulate takes no name by itself; what fails: hinoban simulate --fail {name}"));
    }
    if plan.flags.fail.is_empty() {
        return Err("Say what fails: hinoban simulate --fail NAME, or --fail NAME:METRIC=VALUE".to_owned());
    }
    let lasts = match &plan.flags.lasts {
        None => LASTS,
        Some(text) => units::duration(text)
            .ok()
            .filter(|time| (Duration::from_millis(1)..=Duration::from_secs(30 * 86_400)).contains(time))
            .ok_or_else(|| format!("'{text}' is no time up to 30 days; write it with its unit: --for 10m"))?,
    };
    let mut subjects: Vec<Subject> = Vec::new();
    for text in &plan.flags.fail {
        let subject = subject(config, text)?;
        if subjects.iter().any(|known| known.service == subject.service && known.mishap == subject.mishap) {
            return Err(format!("'{text}' is said twice"));
        }
        subjects.push(subject);
    }
    run::bind(&plan.loaded).map_err(|mistakes| told(&mistakes))?;
    let mishaps: Vec<(String, Mishap)> =
        subjects.iter().map(|subject| (subject.service.clone(), subject.mishap.clone())).collect();
    let rehearsed = rehearse(config, &mishaps, lasts);
    let timeline = Timeline { config, subjects: &subjects, lasts, rehearsed: &rehearsed };
    show(&timeline.text(&mut incidents(config)));
    Ok(ExitCode::SUCCESS)
}

/// Tells people as the daemon does; what it would put on the wire leaves nobody.
fn incidents(config: &Config) -> Incidents {
    let host = config.system().map_or("localhost", |system| system.name.as_str()).to_owned();
    Incidents::new(Options::of(config, &host, jiff::tz::TimeZone::UTC))
}

/// What one `--fail` means: `NAME`, `NAME:tests`, or `NAME:METRIC=VALUE`.
fn subject(config: &Config, text: &str) -> Result<Subject, String> {
    let find = |name: &str| config.services.iter().find(|service| service.name.eq_ignore_ascii_case(name));
    // A name may hold a colon.
    let parts = text.match_indices(':').map(|(at, _)| (&text[..at], Some(&text[at + 1..])));
    let all = std::iter::once((text, None)).chain(parts);
    let Some((service, what)) = all.filter_map(|(name, what)| Some((find(name.trim())?, what))).next() else {
        let name = text.split(':').next().unwrap_or_default();
        let names = config.services.iter().map(|service| service.name.as_str());
        let near = spelling::nearest(name, names.clone());
        return Err(match near {
            Some(near) => format!("There is no service named \"{name}\"; did you mean \"{near}\"?"),
            None => {
                let names: Vec<&str> = names.collect();
                format!("There is no service named \"{name}\"; there are {}", names.join(", "))
            }
        });
    };
    let name = service.name.clone();
    let tests: Vec<&Test> = service
        .rules
        .iter()
        .filter_map(|rule| match &rule.when {
            Condition::Test { test, .. } => Some(test),
            _ => None,
        })
        .collect();
    let (mishap, words) = match what.map(str::trim) {
        None => match &service.kind {
            Kind::System => {
                return Err(format!(
                    "this machine cannot be gone; name a reading of it: {}",
                    suggestions(service)
                ));
            }
            Kind::Process { .. } => {
                (Mishap::Gone, format!("the process of {name} dies, and starting it does not help"))
            }
            Kind::File { path } => {
                (Mishap::Gone, format!("the file of {name}, {}, is missing", path.display()))
            }
            Kind::Directory { path } => {
                (Mishap::Gone, format!("the directory of {name}, {}, is missing", path.display()))
            }
            Kind::Fifo { path } => {
                (Mishap::Gone, format!("the named pipe of {name}, {}, is missing", path.display()))
            }
            Kind::Filesystem { path, .. } => {
                (Mishap::Gone, format!("the file system of {name}, {}, is not mounted", path.display()))
            }
            Kind::Network { .. } => (Mishap::Gone, format!("the link of {name} goes down")),
            Kind::Host { .. } => (Mishap::Gone, format!("{name} does not answer")),
            Kind::Program { speech: Speech::Nagios, .. } => reads(service, "state = critical")?,
            Kind::Program { .. } => reads(service, "exit status = 1")?,
            _ => (Mishap::Gone, format!("{name} is down, and starting it does not help")),
        },
        Some("test" | "tests") if tests.is_empty() => {
            return Err(format!("{name} has no test that could fail"));
        }
        Some("test" | "tests") => (Mishap::Silent, format!("{name} is there, and does not answer")),
        Some(reading) => reads(service, reading)?,
    };
    Ok(Subject { service: name, mishap, words })
}

/// `METRIC=VALUE`, as a rule of this service has it.
fn reads(service: &Service, text: &str) -> Result<(Mishap, String), String> {
    let name = &service.name;
    let Condition::Compare { metric, limit: value, .. } =
        toml::comparison(text, &service.kind).map_err(|why| format!("{name}: {why}"))?
    else {
        return Err(format!("'{text}' is no reading with a value; write {name}:METRIC=VALUE"));
    };
    if !about(service).contains(&metric.as_str()) {
        return Err(match about(service).is_empty() {
            true => format!("no rule of {name} is about a reading, so nothing would happen"),
            false => format!(
                "no rule of {name} is about {metric}, so nothing would happen; there are rules about {}",
                about(service).join(", ")
            ),
        });
    }
    let (_, written) = text.split_once('=').unwrap_or((text, ""));
    let words = format!("{metric} of {name} stands at {}", written.trim());
    Ok((Mishap::Reads { metric, value }, words))
}

/// The readings that rules of this service are about, each once.
fn about(service: &Service) -> Vec<&str> {
    let mut metrics: Vec<&str> = Vec::new();
    for rule in &service.rules {
        if let Condition::Compare { metric, .. }
        | Condition::Changed { metric, .. }
        | Condition::Content { metric, .. }
        | Condition::Matches { metric, .. } = &rule.when
            && !metrics.contains(&metric.as_str())
        {
            metrics.push(metric);
        }
    }
    metrics
}

fn suggestions(service: &Service) -> String {
    match about(service)[..] {
        [] => "there is no rule about any".to_owned(),
        ref metrics => {
            let name = &service.name;
            metrics.iter().map(|metric| format!("{name}:{metric}=VALUE")).collect::<Vec<_>>().join(", ")
        }
    }
}
