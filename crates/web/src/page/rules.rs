//! The rules of a service, and where each stands.

use std::borrow::Cow;
use std::time::Duration;

use hinoban_event::Doing;
use hinoban_reading::{Unit, Value};
use hinoban_supervisor::{LimitView, Mode, RuleState, RuleView, ServiceView, Watching};
use jiff::tz::TimeZone;

use super::seen::rows;
use super::{Clock, When, units};
use crate::standing::State;

/// A rule on a service's page.
pub(super) struct Rule<'a> {
    pub(super) text: &'a str,
    /// What its text leaves open; empty: nothing.
    pub(super) note: String,
    /// Where it stands, in words.
    pub(super) stands: Cow<'static, str>,
    pub(super) class: &'static str,
    pub(super) sign: &'static str,
    pub(super) seen: Cow<'a, str>,
    pub(super) since: Option<When<'a>>,
}

pub(super) fn rules<'a>(clock: Clock<'a>, view: &'a ServiceView) -> Vec<Rule<'a>> {
    let rule = |(position, rule): (usize, &'a RuleView)| {
        let (stands, state) = stands(view, rule);
        let compared = rule.limit.as_ref().and_then(|limit| compared(limit, clock.zone));
        let tested = || tested(view, position, clock.zone).map(|read| format!("{} · {read}", rule.last));
        Rule {
            text: &rule.text,
            note: note(view, rule),
            stands,
            class: state.class(),
            sign: state.sign(),
            seen: compared.or_else(tested).map_or(rule.last.as_str().into(), Cow::Owned),
            since: rule.since.map(|stamp| clock.at(stamp)),
        }
    };
    view.rules.iter().enumerate().map(rule).collect()
}

fn stands(view: &ServiceView, rule: &RuleView) -> (Cow<'static, str>, State) {
    if view.watching == Watching::No {
        return ("Rests".into(), State::NotMonitored);
    }
    match rule.state {
        RuleState::Unknown => ("Nothing seen yet".into(), State::Unknown),
        RuleState::Holds => ("Holds".into(), State::Up),
        RuleState::Counting { seen, of } => {
            (format!("Not counted yet, {seen} of {of}").into(), State::Failing)
        }
        RuleState::Lasting { time, of } => {
            (format!("Failing for {} of {}", span(time), span(of)).into(), State::Failing)
        }
        RuleState::Fails => ("Fails".into(), State::Failing),
        RuleState::Recovering { seen, of } => (format!("Fails; held {seen} of {of}").into(), State::Failing),
        RuleState::Holding { time, of } => {
            (format!("Fails; held for {} of {}", span(time), span(of)).into(), State::Failing)
        }
    }
}

/// Whole seconds of a time that passes.
fn span(time: Duration) -> String {
    Unit::Seconds.show(&Value::Int(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))).to_string()
}

/// The value last read beside the limit.
fn compared(view: &LimitView, zone: &TimeZone) -> Option<String> {
    let unit = view.unit.unwrap_or(Unit::Count);
    let mut out = String::new();
    units::value(&mut out, &view.metric, unit, view.value.as_ref()?, zone).ok()?;
    out += &format!(" (fails if {} ", view.operator);
    units::value(&mut out, &view.metric, unit, &view.limit, zone).ok()?;
    out.push(')');
    Some(out)
}

/// What the test of a rule read last.
fn tested(view: &ServiceView, position: usize, zone: &TimeZone) -> Option<String> {
    let test = view.tests.iter().find(|test| test.rule == position && test.not_seen.is_none())?;
    let rows = rows(test.observation.as_ref()?, zone);
    let read: Vec<_> = rows.iter().map(|row| format!("{} {}", row.label.to_lowercase(), row.value)).collect();
    (!read.is_empty()).then(|| read.join(" · "))
}

fn note(view: &ServiceView, rule: &RuleView) -> String {
    let mut parts = Vec::new();
    match (&rule.program, &rule.then) {
        (Some(program), _) => parts.push(format!("Runs {program}.")),
        (None, Doing::Alert) if view.mode == Mode::Passive && !rule.text.ends_with("alert") => {
            parts.push("It is passive: people are told, nothing is done.".to_owned());
        }
        _ => (),
    }
    if !matches!(rule.recovery, Doing::Alert | Doing::Nothing) {
        parts.push(format!("When it holds again: {}.", rule.recovery.word()));
    }
    parts.join(" ")
}
