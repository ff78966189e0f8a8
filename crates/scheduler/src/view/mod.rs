//! What the scheduler knows of each service, for whoever shows it.

mod patience;
mod rule;

use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{Condition, Dialect, Kind, Mode, OnReboot, Program, Test, Turns};
use hinoban_event::{Class, Doing};
use hinoban_reading::{Ending, Identity, Moment, Now, Observation, Stamp};
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::kept::Kept;
use crate::watched::Watched;
use crate::wording::Tongue;
use crate::{rules, turns};

pub use patience::PatienceView;
pub use rule::{LimitView, RuleState, RuleView};

/// One service, as it stands.
#[derive(Debug, Clone)]
pub struct ServiceView {
    /// Its name.
    pub name: Arc<str>,
    /// What it is.
    pub kind: Kind,
    /// Groups it is in.
    pub groups: Vec<String>,
    /// Whether it is repaired.
    pub mode: Mode,
    /// Whether it is watched after a boot.
    pub on_reboot: OnReboot,
    /// Whether it is watched.
    pub watching: Watching,
    /// Classes of the rules that fail now, in the order of [`Class::ALL`]; of what was seen gone while it waits for what it
    /// depends on, that too, though no rule has been judged.
    pub failing: Vec<Class>,
    /// What has been asked for and not yet been done.
    pub pending: Option<Doing>,
    /// What is being done right now.
    pub doing: Option<Doing>,
    /// When it was last looked at.
    pub looked_at: Option<Stamp>,
    /// What the last look at it saw.
    pub observation: Option<Observation>,
    /// Why it could not be looked at, if so.
    pub not_seen: Option<String>,
    /// Since when it has been up, or not.
    pub since: Option<Stamp>,
    /// The process behind it.
    pub identity: Option<Identity>,
    /// How its process last ended.
    pub ending: Option<Ending>,
    /// Rules that have tests, in the order written.
    pub tests: Vec<TestView>,
    /// The rules, in the order written.
    pub rules: Vec<RuleView>,
    /// How often it was started or restarted by a rule in this life of the supervisor.
    pub restarts: u32,
    /// How repairs by rules are repeated; `None`: there has been none that patience holds for.
    pub patience: Option<PatienceView>,
    /// The programs it has.
    pub programs: Programs,
    /// Time between looks.
    pub every: Duration,
    /// In which of the cycles that this makes it is looked at.
    pub turns: Turns,
    /// Whether the last cycle was not its turn.
    pub waiting: bool,
    /// Cycles that were not its turn since the last that was.
    pub passed_over: u32,
    /// Why a rule has ended the watching, if one has.
    pub gave_up: Option<Arc<str>>,
    /// When it is next looked at, if nothing happens before; `None`: it is not watched, or nobody can say.
    pub next_look: Option<Stamp>,
    /// When what is being done to it was begun.
    pub doing_since: Option<Stamp>,
    /// What was last done to it, in this life of the supervisor.
    pub last_action: Option<LastAction>,
    /// Names of what it depends on itself.
    pub depends_on: Vec<Arc<str>>,
    /// Names of what depends on it itself.
    pub dependants: Vec<Arc<str>>,
    /// Names of those it depends on, however far, that are not well: until they are, it is neither looked at nor started.
    pub waits_for: Vec<Arc<str>>,
}

/// Paths of the programs that a service has. Without their arguments, which may hold secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Programs {
    /// Of the one that starts it.
    pub start: Option<String>,
    /// Of the one that stops it.
    pub stop: Option<String>,
    /// Of the one that restarts it; without one it is stopped and started.
    pub restart: Option<String>,
}

/// Whether a service is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Watching {
    /// No.
    No,
    /// Yes, but nothing is known yet.
    Initializing,
    /// Yes.
    Yes,
}

/// A test, and what it last saw.
#[derive(Debug, Clone)]
pub struct TestView {
    /// Which rule of the service it belongs to.
    pub rule: usize,
    /// The test.
    pub test: Test,
    /// What it last saw; `None` before its first result.
    pub observation: Option<Observation>,
    /// Why it could not be looked at, if so.
    pub not_seen: Option<String>,
}

/// Something that was done to a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastAction {
    /// What.
    pub doing: Doing,
    /// Whether it reached its aim.
    pub ok: bool,
    /// When it ended.
    pub at: Stamp,
    /// How long it took.
    pub took: Duration,
    /// Who had asked for it; `None`: a rule.
    pub by: Option<String>,
    /// What came of it: `restarted in 312 ms`, `failed to start after 2040 ms (exit status 3) -- no memory`.
    pub text: String,
}

/// One service, to be shown.
pub(crate) fn view(watched: &Watched, now: Now, dialect: Dialect, zone: &TimeZone) -> ServiceView {
    let service = &watched.service;
    let doing = watched.task.as_ref().map(|t| t.doing.clone());
    let pending: Option<Doing> =
        watched.pending.as_ref().map(|wish| wish.doing.clone()).or_else(|| doing.clone());
    let tests = watched.test_rules().filter_map(|rule| match &service.rules[rule].when {
        Condition::Test { test, .. } => Some(TestView {
            rule,
            test: without_secrets(test),
            observation: watched.test(rule)?.seen.as_ref().map(Kept::open),
            not_seen: watched.test(rule)?.not_seen.clone(),
        }),
        _ => None,
    });
    let rules = (0..service.rules.len()).map(|r| rule::view(watched, r, now, Tongue { dialect, zone }));
    // On the wall clock as it was when anything last happened.
    let ahead =
        |at: Moment| Stamp::from_micros(now.stamp.micros().saturating_add(micros(at.since(now.moment))));
    let ago = |at: Moment| Stamp::from_micros(now.stamp.micros() - micros(now.moment.since(at)));
    ServiceView {
        name: watched.name.clone(),
        kind: service.kind.clone(),
        groups: service.groups.clone(),
        mode: service.mode,
        on_reboot: service.on_reboot,
        watching: watched.watching,
        failing: rules::failing(watched),
        pending,
        doing,
        looked_at: watched.subject.at.or_else(|| watched.tests.iter().flatten().filter_map(|t| t.at).max()),
        observation: watched.subject.seen.as_ref().map(Kept::open),
        not_seen: watched.subject.not_seen.clone(),
        since: watched.since.map(|s| s.1),
        identity: watched.subject.seen.as_ref().and_then(|o| o.identity),
        ending: watched.ending.as_deref().cloned(),
        tests: tests.collect(),
        rules: rules.collect(),
        restarts: watched.restarts,
        patience: watched.trial.as_deref().map(|trial| patience::view(watched, trial, ahead)),
        programs: Programs {
            start: path(service.start.as_ref()),
            stop: path(service.stop.as_ref()),
            restart: path(service.restart.as_ref()),
        },
        every: watched.every,
        turns: service.turns.clone(),
        waiting: watched.watching != Watching::No && watched.waits(),
        passed_over: watched.turn.as_ref().map_or(0, |turn| turn.passed()),
        gave_up: watched.gave_up.clone(),
        next_look: (watched.watching != Watching::No)
            .then(|| next_look(watched, zone, ahead(watched.due)))
            .flatten(),
        doing_since: watched.task.as_ref().map(|t| ago(t.begun)),
        last_action: watched.last_action.as_deref().cloned(),
        depends_on: Vec::new(),
        dependants: Vec::new(),
        waits_for: Vec::new(),
    }
}

/// The first cycle that is its turn, if the next cycle is at `due`.
fn next_look(watched: &Watched, zone: &TimeZone, due: Stamp) -> Option<Stamp> {
    let (cycles, from) = turns::next_turn(watched, zone, due)?;
    let period = micros(watched.every).max(1);
    let wait = from.since(due).as_micros().div_ceil(u128::from(period.unsigned_abs()));
    let cycles = i64::from(cycles).max(i64::try_from(wait).unwrap_or(i64::MAX));
    Some(Stamp::from_micros(due.micros().saturating_add(cycles.saturating_mul(period))))
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// What is tested, without what only the probe may know: passwords, and header fields, which may hold tokens.
fn without_secrets(test: &Test) -> Test {
    let mut test = test.clone();
    match &mut test {
        Test::Port(port) => {
            port.protocol = port.protocol.without_secrets();
        }
        Test::Unix(unix) => unix.protocol = unix.protocol.without_secrets(),
        Test::Url(url) => {
            let end = |rest: &str| rest.find(['/', '?', '#']).unwrap_or(rest.len());
            if let Some((scheme, rest)) = url.url.split_once("://")
                && let Some(at) = rest[..end(rest)].rfind('@')
            {
                url.url = format!("{scheme}://{}", &rest[at + 1..]);
            }
        }
        // Whoever registered the kind knows what its options are; we do not.
        Test::Custom { options, .. } => options.clear(),
        _ => {}
    }
    test
}

fn path(program: Option<&Program>) -> Option<String> {
    program?.words.first().cloned()
}
