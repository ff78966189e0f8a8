//! Where each rule stands.

use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{Branch, Condition, Then};
use hinoban_event::{Class, Doing};
use hinoban_reading::{MetricName, Now, Stamp, Unit, Value};
use serde::Serialize;

use crate::limit::Tally;
use crate::record::State;
use crate::watched::Watched;
use crate::wording::Tongue;
use crate::{change, rules, sight, wording};

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
    /// Whether what it tells is that something changed, and it has told so.
    pub changed: bool,
    /// Since when it fails, or, if it holds, since when it is known to.
    pub since: Option<Stamp>,
    /// What was last seen, in words; empty if nothing.
    pub last: String,
    /// What is compared, where the rule compares a reading.
    pub limit: Option<LimitView>,
    /// How often it must fail, or for how long, in words: `for 3 cycles`, `2 times within 5 cycles`, `for 2 min`; empty:
    /// once.
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
    /// It was seen failing, but not yet for as long as is asked for.
    Lasting {
        /// How long all looks have seen so.
        time: Duration,
        /// How long it takes.
        of: Duration,
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
    /// It fails, and was seen holding, but not yet for as long as is asked for.
    Holding {
        /// How long all looks have seen so.
        time: Duration,
        /// How long it takes.
        of: Duration,
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
pub(super) fn view(watched: &Watched, r: usize, now: Now, tongue: Tongue<'_>) -> RuleView {
    let service = &watched.service;
    let rule = &service.rules[r];
    let (state, since) = stands(watched, r, now);
    let counted = !matches!(rule.when, Condition::Restarts { .. }) || watched.tally != Tally::default();
    let sight = watched.judged[r].filter(|_| counted).and_then(|_| sight::sight(watched, r, tongue));
    RuleView {
        text: watched.texts()[r].clone(),
        class: watched.class(r),
        state,
        failed: watched.fails(r),
        changed: change::is_news(rule)
            && watched.records[r].as_ref().is_some_and(|record| record.state != State::Unsure),
        since,
        last: sight.map(|s| s.text).unwrap_or_default(),
        limit: limit(watched, &rule.when),
        rate: wording::often(&rule.fail),
        then: rules::doing(&rule.fail, service.mode),
        program: program(&rule.fail),
        recovery: rules::doing(&rule.ok, service.mode),
    }
}

/// The first program that a branch runs.
fn program(branch: &Branch) -> Option<String> {
    branch.also.iter().chain([&branch.then]).find_map(|then| match then {
        Then::Exec { program, .. } => super::path(Some(program)),
        _ => None,
    })
}

fn stands(watched: &Watched, r: usize, now: Now) -> (RuleState, Option<Stamp>) {
    let (fail, ok) = (&watched.service.rules[r].fail, &watched.service.rules[r].ok);
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
    let lasted = record.lasted(now.moment);
    if record.state == State::Failed {
        return match (record.count(false, ok.rate), ok.lasting, lasted) {
            (_, Some(of), Some(time)) => (RuleState::Holding { time, of }, since),
            (0, ..) | (_, Some(_), None) => (RuleState::Fails, since),
            (seen, ..) => (RuleState::Recovering { seen, of: ok.rate.count.into() }, since),
        };
    }
    let since = if record.state == State::Recovered { since } else { watched.judged[r] };
    match (record.count(true, fail.rate), fail.lasting, lasted) {
        (_, Some(of), Some(time)) => (RuleState::Lasting { time, of }, since),
        (0, ..) | (_, Some(_), None) => (RuleState::Holds, since),
        (seen, ..) => (RuleState::Counting { seen, of: fail.rate.count.into() }, since),
    }
}

fn limit(watched: &Watched, when: &Condition) -> Option<LimitView> {
    let Condition::Compare { metric, operator, limit } = when else { return None };
    let seen = watched.subject.seen.as_ref();
    Some(LimitView {
        metric: wording::known_name(metric).map_or_else(|| metric.clone().into(), Into::into),
        unit: sight::unit(watched, metric),
        value: seen.and_then(|s| s.get(metric)),
        operator: operator.sign(),
        limit: limit.clone(),
    })
}
