//! A rule, as programs get it.

use hinoban_reading::{Unit, Value};
use hinoban_supervisor::{LimitView, RuleState, RuleView};
use serde::Serialize;

use super::model::{At, sayable};

/// A rule.
#[derive(Serialize)]
pub(super) struct Ruled<'a> {
    text: &'a str,
    /// Filter word of its failures.
    class: &'static str,
    /// `unknown`, `holds`, `counting`, `lasting`, `fails`, `recovering`, `holding`.
    state: &'static str,
    /// Looks that count towards a failure or a recovery, where they are counted …
    counted: Option<u32>,
    /// … and how many it takes.
    needed: Option<u32>,
    /// For how long it has been failing, or holding again, where that is measured …
    lasted_seconds: Option<f64>,
    /// … and how long it takes.
    needed_seconds: Option<f64>,
    failed: bool,
    since: Option<At>,
    /// What it saw last, in words.
    last: Option<&'a str>,
    compared: Option<Compared<'a>>,
    /// What is done when it fails, and by which program, if it is one.
    then: &'a str,
    program: Option<&'a str>,
    /// What is done when it holds again.
    recovery: &'a str,
}

/// A reading and its limit: the rule fails while the value stands so to the limit.
#[derive(Serialize)]
struct Compared<'a> {
    metric: &'a str,
    unit: Option<Unit>,
    value: Option<&'a Value>,
    operator: &'static str,
    limit: Option<&'a Value>,
}

impl<'a> Ruled<'a> {
    pub(super) fn of(rule: &'a RuleView) -> Self {
        let (state, counted) = match rule.state {
            RuleState::Unknown => ("unknown", None),
            RuleState::Holds => ("holds", None),
            RuleState::Counting { seen, of } => ("counting", Some((seen, of))),
            RuleState::Lasting { .. } => ("lasting", None),
            RuleState::Fails => ("fails", None),
            RuleState::Recovering { seen, of } => ("recovering", Some((seen, of))),
            RuleState::Holding { .. } => ("holding", None),
        };
        let lasted = match rule.state {
            RuleState::Lasting { time, of } | RuleState::Holding { time, of } => Some((time, of)),
            _ => None,
        };
        Self {
            text: &rule.text,
            class: rule.class.filter(),
            state,
            counted: counted.map(|(seen, _)| seen),
            needed: counted.map(|(_, of)| of),
            lasted_seconds: lasted.map(|(time, _)| time.as_secs_f64()),
            needed_seconds: lasted.map(|(_, of)| of.as_secs_f64()),
            failed: rule.failed,
            since: rule.since.map(At),
            last: Some(&*rule.last).filter(|last| !last.is_empty()),
            compared: rule.limit.as_ref().map(Compared::of),
            then: rule.then.word(),
            program: rule.program.as_deref(),
            recovery: rule.recovery.word(),
        }
    }
}

impl<'a> Compared<'a> {
    fn of(view: &'a LimitView) -> Self {
        Self {
            metric: &view.metric,
            unit: view.unit,
            value: view.value.as_ref().and_then(sayable),
            operator: view.operator,
            limit: sayable(&view.limit),
        }
    }
}
