//! What a rule makes of the last look. Words are made when somebody wants them: most looks find that all is well, and
//! nobody asks.

use hinoban_config::{Condition, Dialect, Expect};
use hinoban_event::Comparison;
use hinoban_reading::{ReasonKind, Unit, Value};

use crate::rules;
use crate::watched::Watched;
use crate::wording::{self, Compared};

/// What one rule saw in one look, in words.
#[derive(Debug, Default)]
pub(crate) struct Sight {
    pub(crate) text: String,
    pub(crate) detail: Option<String>,
    pub(crate) reason: Option<ReasonKind>,
    pub(crate) compared: Option<Box<Comparison>>,
}

/// Whether the rule fails by what was last seen; `None`: that has nothing to say of it.
pub(crate) fn fails(watched: &Watched, rule: usize) -> Option<bool> {
    let seen = watched.subject.seen.as_ref();
    match &watched.service.rules[rule].when {
        Condition::Missing => seen.map(|seen| !wording::is_there(seen)),
        Condition::Exists => seen.map(wording::is_there),
        Condition::WrongType => seen.filter(|s| wording::is_there(s)).map(wording::is_wrong_type),
        Condition::Compare { metric, operator, limit } => {
            let value = seen.filter(|s| s.standing.is_up())?.get(metric)?;
            Some(match (value, limit) {
                (Value::Int(a), Value::Int(b)) => operator.holds(*a, *b),
                (Value::Text(a), Value::Text(b)) => operator.holds(a, b),
                (a, b) => matches!((a.as_f64(), b.as_f64()), (Some(a), Some(b)) if operator.holds(a, b)),
            })
        }
        Condition::Test { expect, .. } => {
            let seen = watched.test(rule)?.seen.as_ref()?;
            Some(seen.standing.is_up() == (*expect == Expect::Succeeded))
        }
        Condition::Restarts { count, within } => Some(watched.tally.reaches(*count, *within)),
        _ => None,
    }
}

/// The same in words.
pub(crate) fn sight(watched: &Watched, rule: usize, dialect: Dialect) -> Option<Sight> {
    let failed = fails(watched, rule)?;
    let kind = &watched.service.kind;
    let when = &watched.service.rules[rule].when;
    if let Condition::Test { test, .. } = when {
        let seen = watched.test(rule)?.seen.as_ref()?;
        let reason = seen.standing.reason().map(|r| r.kind);
        return Some(Sight { text: wording::test(test, seen), reason, ..Sight::default() });
    }
    if let Condition::Restarts { .. } = when {
        let then = rules::shown(&watched.service.rules[rule].fail.then, watched.service.mode);
        let text = wording::limit(watched.tally, failed, watched.is_process(), &then, dialect);
        let detail = if failed { wording::given_up(&then, &watched.name) } else { None };
        return Some(Sight { text, detail, ..Sight::default() });
    }
    let seen = watched.subject.seen.as_ref()?;
    let reason = seen.standing.reason().map(|r| r.kind);
    match when {
        Condition::Missing | Condition::Exists => {
            let text = wording::existence(kind, seen, *when == Condition::Missing, dialect);
            Some(Sight { text, detail: wording::detail(seen, dialect), reason, compared: None })
        }
        Condition::WrongType => {
            let text = wording::wrong_type(seen, dialect);
            Some(Sight { text, detail: wording::detail(seen, dialect), reason, compared: None })
        }
        Condition::Compare { metric, operator, limit } => {
            let reading = seen.readings.iter().find(|r| r.name == *metric)?;
            let (unit, value, operator) = (reading.unit, &reading.value, *operator);
            let text =
                wording::compare(Compared { kind, metric, unit, operator, value, limit }, failed, dialect);
            let compared = Some(Box::new(Comparison {
                metric: reading.name.clone(),
                unit,
                value: value.clone(),
                operator: operator.sign().into(),
                limit: limit.clone(),
            }));
            Some(Sight { text, detail: None, reason: None, compared })
        }
        _ => None,
    }
}

/// The unit of a metric that a rule of the service compares, as far as it is known.
pub(crate) fn unit(watched: &Watched, metric: &str) -> Option<Unit> {
    let read = watched.subject.seen.as_ref().and_then(|s| s.readings.iter().find(|r| r.name == metric));
    read.map(|r| r.unit).or_else(|| wording::unit_of(metric))
}
