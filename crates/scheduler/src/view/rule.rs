//! Where each rule stands.

use std::sync::Arc;

use hinoban_config::{Condition, Dialect, Then};
use hinoban_event::{Class, Doing};
use hinoban_reading::{MetricName, Stamp, Unit, Value};
use serde::Serialize;

use crate::limit::Tally;
use crate::record::State;
use crate::watched::Watched;
use crate::{rules, sight, wording};

/// A rule, and where it stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleView {
    /// The rule in words. Holds no secret.
    pub text: Arc<str>,
    /// The class of its failures.
    pub class: Class,
    /// Where it stands.
    pub state: RuleState,
    /// Whether it fails.
    pub failed: bool,
    /// Since when it fails, or, if it holds, since when it is known to.
    pub since: Option<Stamp>,
    /// What was last seen, in words; empty if nothing.
    pub last: String,
    /// What is compared, where the rule compares a reading.
    pub limit: Option<LimitView>,
    /// How often it must fail, in words: `for 3 cycles`, `2 times within 5 cycles`; empty: once.
    pub rate: String,
    /// What is done when it fails. A service that is only watched has alerts in place of repairs.
    pub then: Doing,
    /// The path of the program that is run then, where it is one.
    pub program: Option<String>,
    /// What is done when it holds again.
    pub recovery: Doing,
}

/// Where a rule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleState {
    /// No look has said anything about it yet.
    Unknown,
    /// All is well.
    Holds,
    /// It was seen failing, but not yet as often as is asked for.
    Counting {
        /// Failing looks that count.
        seen: u32,
        /// How many of them make a failure.
        of: u32,
    },
    /// It fails.
    Fails,
    /// It fails, and was seen holding, but not yet as often as is asked for.
    Recovering {
        /// Looks that found all well.
        seen: u32,
        /// How many of them make a recovery.
        of: u32,
    },
}

/// A reading and its limit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LimitView {
    /// Name of the metric.
    pub metric: MetricName,
    /// Unit of both numbers; `None`: not known before the first reading.
    pub unit: Option<Unit>,
    /// What was last read; `None`: nothing yet, or nothing now.
    pub value: Option<Value>,
    /// `>`, `>=`, `<`, `<=`, `=` or `!=`: the rule fails while the value stands so to the limit.
    pub operator: &'static str,
    /// The limit.
    pub limit: Value,
}

/// One rule, to be shown.
pub(super) fn view(watched: &Watched, r: usize, dialect: Dialect) -> RuleView {
    let service = &watched.service;
    let rule = &service.rules[r];
    let (state, since) = stands(watched, r);
    let counted = !matches!(rule.when, Condition::Restarts { .. }) || watched.tally != Tally::default();
    let sight = watched.judged[r].filter(|_| counted).and_then(|_| sight::sight(watched, r, dialect));
    RuleView {
        text: watched.texts()[r].clone(),
        class: rules::class(&rule.when),
        state,
        failed: watched.fails(r),
        since,
        last: sight.map(|s| s.text).unwrap_or_default(),
        limit: limit(watched, &rule.when),
        rate: wording::rate(rule.fail.rate),
        then: rules::shown(&rule.fail.then, service.mode),
        program: match &rule.fail.then {
            Then::Exec { program, .. } => super::path(Some(program)),
            _ => None,
        },
        recovery: rules::shown(&rule.ok.then, service.mode),
    }
}

fn stands(watched: &Watched, r: usize) -> (RuleState, Option<Stamp>) {
    let (fail, ok) = (watched.service.rules[r].fail.rate, watched.service.rules[r].ok.rate);
    if let Condition::Restarts { count, .. } = watched.service.rules[r].when
        && watched.tally.restarts > 0
        && !watched.fails(r)
    {
        let seen = watched.tally.restarts.min(count);
        return (RuleState::Counting { seen, of: count }, watched.judged[r]);
    }
    let Some(record) = &watched.records[r] else {
        let first = watched.judged[r];
        return (if first.is_some() { RuleState::Holds } else { RuleState::Unknown }, first);
    };
    let since = Some(record.since);
    if record.state == State::Failed {
        return match record.count(false, ok) {
            0 => (RuleState::Fails, since),
            seen => (RuleState::Recovering { seen, of: ok.count.into() }, since),
        };
    }
    let since = if record.state == State::Recovered { since } else { watched.judged[r] };
    match record.count(true, fail) {
        0 => (RuleState::Holds, since),
        seen => (RuleState::Counting { seen, of: fail.count.into() }, since),
    }
}

fn limit(watched: &Watched, when: &Condition) -> Option<LimitView> {
    let Condition::Compare { metric, operator, limit } = when else { return None };
    let seen = watched.subject.seen.as_ref();
    Some(LimitView {
        metric: wording::known_name(metric).map_or_else(|| metric.clone().into(), Into::into),
        unit: sight::unit(watched, metric),
        value: seen.and_then(|s| s.get(metric)).cloned(),
        operator: operator.sign(),
        limit: limit.clone(),
    })
}
