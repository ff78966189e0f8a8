//! What a rule makes of the last look. Words are made when somebody wants them: most looks find that all is well, and
//! nobody asks.

use hinoban_config::{Change, Condition, Dialect, Expect, Test};
use hinoban_event::Comparison;
use hinoban_reading::{ReasonKind, Standing, Unit, Value, metrics};

use crate::flaw::{self, Flaw};
use crate::rules;
use crate::watched::Watched;
use crate::wording::{self, Changed, Compared, Differing, Tongue};

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
        Condition::Missing => seen.map(|seen| !wording::is_there(&seen.standing)),
        Condition::Exists => seen.map(|seen| wording::is_there(&seen.standing)),
        Condition::WrongType => {
            let there = seen.filter(|s| wording::is_there(&s.standing));
            there.map(|s| wording::is_wrong_type(&s.standing))
        }
        Condition::Compare { metric, operator, limit } => {
            let value = seen.filter(|s| s.standing.is_up())?.get(metric)?;
            Some(match (value, limit) {
                (Value::Int(a), Value::Int(b)) => operator.holds(a, *b),
                // As Monit compares it: upper and lower case are the same.
                (Value::Text(a), Value::Text(b)) if *metric == *metrics::SECURITY.name => {
                    operator.holds(a.to_lowercase(), b.to_lowercase())
                }
                (Value::Text(a), Value::Text(b)) => operator.holds(&a, b),
                (a, b) => matches!((a.as_f64(), b.as_f64()), (Some(a), Some(b)) if operator.holds(a, b)),
            })
        }
        Condition::Differs { metric } => {
            let value = seen.filter(|s| s.standing.is_up())?.get(metric)?;
            Some(watched.baseline(rule)?.value != value)
        }
        Condition::Changed { metric, expect } => {
            seen.filter(|s| s.standing.is_up())?.reading(metric)?;
            Some(watched.baseline(rule)?.changed()? == (*expect == Change::Changed))
        }
        Condition::Matches { metric, pattern, fails_on_match } => {
            match seen.filter(|s| s.standing.is_up())?.get(metric)? {
                Value::Text(text) => Some(pattern.is_match(&text) == *fails_on_match),
                _ => None,
            }
        }
        Condition::Test { test, expect } => {
            let seen = watched.test(rule)?.seen.as_ref()?;
            Some(match (seen.standing.is_up(), expect) {
                (up, Expect::Succeeded) => up,
                (up, Expect::Failed) => !up || flaw::of(test, |metric| seen.get(metric)).is_some(),
            })
        }
        Condition::Content { .. } => watched.content(rule).map(|(_, failed)| failed),
        Condition::Restarts { count, within } => Some(watched.tally.reaches(*count, *within)),
        _ => None,
    }
}

/// What is wrong with what was last seen, if the connection stands all the same.
pub(crate) fn flaw(watched: &Watched, rule: usize) -> Option<Flaw> {
    let Condition::Test { test, expect: Expect::Failed } = &watched.service.rules[rule].when else {
        return None;
    };
    let seen = watched.test(rule)?.seen.as_ref().filter(|seen| seen.standing.is_up())?;
    flaw::of(test, |metric| seen.get(metric))
}

/// The connection in words, whatever else is wrong.
pub(crate) fn connection(watched: &Watched, rule: usize) -> Option<String> {
    let Condition::Test { test, .. } = &watched.service.rules[rule].when else { return None };
    Some(wording::test(test, &watched.test(rule)?.seen.as_ref()?.open()))
}

/// The same in words.
pub(crate) fn sight(watched: &Watched, rule: usize, tongue: Tongue<'_>) -> Option<Sight> {
    let dialect = tongue.dialect;
    let failed = fails(watched, rule)?;
    let kind = &watched.service.kind;
    let when = &watched.service.rules[rule].when;
    if let Condition::Test { test, .. } = when {
        let seen = watched.test(rule)?.seen.as_ref()?.open();
        let (text, reason) = match flaw(watched, rule) {
            Some(flaw) => (flaw.text(), Some(flaw.reason())),
            None => (wording::test(test, &seen), seen.standing.reason().map(|r| r.kind)),
        };
        let detail = match (test, &seen.standing) {
            (Test::Ping(_), Standing::Down(why)) => Some(why.text.clone()),
            _ => None,
        };
        return Some(Sight { text, reason, detail, ..Sight::default() });
    }
    if let Condition::Restarts { .. } = when {
        let then = rules::shown(&watched.service.rules[rule].fail.then, watched.service.mode);
        let text = wording::limit(watched.tally, failed, watched.is_process(), &then, dialect);
        let detail = if failed { wording::given_up(&then, &watched.name) } else { None };
        return Some(Sight { text, detail, ..Sight::default() });
    }
    if let Condition::Content { metric, pattern, fails_on_match } = when {
        let (text, _) = watched.content(rule)?;
        let content =
            wording::Content { metric, pattern: pattern.shown(), fails_on_match: *fails_on_match, text };
        return Some(Sight { text: wording::content(content, failed, dialect), ..Sight::default() });
    }
    let seen = &watched.subject.seen.as_ref()?.open();
    let reason = seen.standing.reason().map(|r| r.kind);
    match when {
        Condition::Missing | Condition::Exists => {
            let text = wording::existence(kind, seen, *when == Condition::Missing, dialect);
            Some(Sight { text, detail: wording::detail(seen, dialect), reason, compared: None })
        }
        Condition::WrongType => {
            let text = wording::wrong_type(kind, seen, dialect);
            Some(Sight { text, detail: wording::detail(seen, dialect), reason, compared: None })
        }
        Condition::Compare { metric, operator, limit } => {
            let reading = seen.readings.iter().find(|r| r.name == *metric)?;
            let (unit, value, operator) = (reading.unit, &reading.value, *operator);
            let text = wording::outcome(kind, metric, seen, failed, dialect).unwrap_or_else(|| {
                let service = &*watched.name;
                let told = Compared { service, kind, metric, unit, operator, value, limit };
                let attribute = wording::attribute(told, seen, failed, tongue);
                let attribute = attribute.or_else(|| wording::link(told, seen, failed, dialect));
                attribute.unwrap_or_else(|| wording::compare(told, failed, dialect))
            });
            // That there is an error is not a matter of how much.
            let measured = *metric != *metrics::RUN_ERROR.name;
            let compared = measured.then(|| {
                Box::new(Comparison {
                    metric: reading.name.clone(),
                    unit,
                    value: value.clone(),
                    operator: operator.sign().into(),
                    limit: limit.clone(),
                })
            });
            Some(Sight { text, detail: None, reason: None, compared })
        }
        Condition::Changed { metric, .. } => {
            let unit = unit(watched, metric)?;
            let baseline = watched.baseline(rule)?;
            let (before, value) = (baseline.before.as_ref()?, &baseline.value);
            let text = match dialect {
                Dialect::Monit if *metric == *metrics::EXIT_STATUS.name => {
                    wording::status_changed(seen, before, value)
                }
                _ => wording::change(Changed { kind, metric, unit, before, value }, tongue),
            };
            Some(Sight { text, ..Sight::default() })
        }
        Condition::Differs { metric } => {
            let reading = seen.readings.iter().find(|r| r.name == *metric)?;
            let (unit, value, first) = (reading.unit, &reading.value, &watched.baseline(rule)?.value);
            let text = wording::differing(Differing { metric, unit, first, value }, failed, tongue);
            Some(Sight { text, ..Sight::default() })
        }
        Condition::Matches { metric, pattern, fails_on_match } => {
            let value = seen.get(metric)?;
            let text = match value {
                Value::Text(text) if *metric == *metrics::OUTPUT.name => {
                    let fails_on_match = *fails_on_match;
                    let content = wording::Content { metric, pattern: pattern.shown(), fails_on_match, text };
                    wording::content(content, failed, dialect)
                }
                _ => wording::outcome(kind, metric, seen, failed, dialect).unwrap_or_else(|| {
                    wording::matched(metric, value, pattern.text(), failed == *fails_on_match)
                }),
            };
            Some(Sight { text, ..Sight::default() })
        }
        _ => None,
    }
}

/// The unit of a metric that a rule of the service compares, as far as it is known.
pub(crate) fn unit(watched: &Watched, metric: &str) -> Option<Unit> {
    let read = watched.subject.seen.as_ref().and_then(|s| s.reading(metric));
    read.map(|r| r.unit).or_else(|| wording::unit_of(metric))
}
