//! What the scheduler knows of each service, for whoever shows it.

use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{Condition, Kind, Mode, OnReboot, Program, Test};
use hinoban_event::{Class, Doing};
use hinoban_reading::{Ending, Identity, Observation, Stamp};
use serde::Serialize;

use crate::watched::Watched;
use crate::{rules, wording};

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
    /// Classes of the rules that fail now, in the order of [`Class::ALL`].
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
    /// The programs it has.
    pub programs: Programs,
    /// Time between looks.
    pub every: Duration,
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

/// A rule, and where it stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleView {
    /// The rule in words.
    pub text: String,
    /// Whether it fails.
    pub failed: bool,
    /// Since when, if it fails.
    pub since: Option<Stamp>,
    /// What was last seen, in words; empty if nothing.
    pub last: String,
}

/// One service, to be shown.
pub(crate) fn view(watched: &Watched) -> ServiceView {
    let service = &watched.service;
    let doing = watched.task.as_ref().map(|t| t.doing.clone());
    let pending: Option<Doing> = watched.pending.as_ref().map(|p| p.0.clone()).or_else(|| doing.clone());
    let tests = watched.test_rules().filter_map(|rule| match &service.rules[rule].when {
        Condition::Test { test, .. } => Some(TestView {
            rule,
            test: test.clone(),
            observation: watched.tests[rule].seen.clone(),
            not_seen: watched.tests[rule].not_seen.clone(),
        }),
        _ => None,
    });
    let rules = service.rules.iter().enumerate().map(|(r, rule)| RuleView {
        text: wording::rule(rule),
        failed: watched.fails(r),
        since: watched.records[r].as_ref().filter(|_| watched.fails(r)).map(|record| record.since),
        last: watched.last_text[r].clone(),
    });
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
        looked_at: watched.subject.at.or_else(|| watched.tests.iter().filter_map(|t| t.at).max()),
        observation: watched.subject.seen.clone(),
        not_seen: watched.subject.not_seen.clone(),
        since: watched.since.map(|s| s.1),
        identity: watched.subject.seen.as_ref().and_then(|o| o.identity),
        ending: watched.ending.clone(),
        tests: tests.collect(),
        rules: rules.collect(),
        restarts: watched.restarts,
        programs: Programs {
            start: path(service.start.as_ref()),
            stop: path(service.stop.as_ref()),
            restart: path(service.restart.as_ref()),
        },
        every: watched.every,
    }
}

fn path(program: Option<&Program>) -> Option<String> {
    program?.words.first().cloned()
}
