//! Rules about change: the value that the next look is compared with.
//!
//! The first value read is no sample: there is nothing to compare it with. Each one after it is, and takes the place of the
//! one before. That nothing changed can be said of a whole cycle only, so a look before its turn is a sample if it found a
//! change, and none otherwise. What is gone has no value; the last one it had is waiting for it when it is back.
//!
//! Rules may also ask for a difference from the first value. That one stays until the configuration is loaded again: who
//! reloads takes what is there for right.
//!
//! A process that we start ourselves is another one, and nobody need be told; what an operator or something else starts
//! beside us is told of. Values outlive the supervisor, but for those of processes and the options of mounts, as in Monit.

use hinoban_config::{Change, Condition, Dialect, Kind, Rate, Rule, Service};
use hinoban_reading::{Now, Value, metrics};

use crate::machine::{Out, Scheduler};
use crate::watched::Watched;
use crate::{Effect, Remembered, condition_name};

/// What a rule about change has seen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Baseline {
    /// With what the next value is compared.
    pub(crate) value: Value,
    /// With what it was compared itself; `None`: with nothing yet.
    pub(crate) before: Option<Value>,
}

impl Baseline {
    /// Whether the last sample found a change; `None`: there was none yet.
    pub(crate) fn changed(&self) -> Option<bool> {
        self.before.as_ref().map(|before| *before != self.value)
    }
}

/// What a rule is about, if that is change.
pub(crate) fn of(rule: &Rule) -> Option<(&str, Change)> {
    match &rule.when {
        Condition::Changed { metric, expect } => Some((metric, *expect)),
        _ => None,
    }
}

/// What a rule is about, if that is a difference from the first value.
fn of_first(rule: &Rule) -> Option<&str> {
    match &rule.when {
        Condition::Differs { metric } => Some(metric),
        _ => None,
    }
}

/// Whether what this rule tells is that something changed, or was written: that is over by itself.
pub(crate) fn is_news(rule: &Rule) -> bool {
    let changed = of(rule).is_some_and(|(_, expect)| expect == Change::Changed);
    changed || matches!(rule.when, Condition::Content { .. })
}

/// Room for what the rules of a service are to remember; none if none compares with what was before.
pub(crate) fn room(service: &Service) -> Option<Box<[Option<Baseline>]>> {
    service
        .rules
        .iter()
        .any(|rule| of(rule).is_some() || of_first(rule).is_some())
        .then(|| vec![None; service.rules.len()].into())
}

/// Whether a value is that of one process, and of no other.
fn of_process(kind: &Kind, metric: &str) -> bool {
    matches!(kind, Kind::Process { .. }) || metric == metrics::PID.name || metric == metrics::PPID.name
}

/// Whether a value is worth comparing with when the supervisor has been away.
fn outlives(kind: &Kind, metric: &str) -> bool {
    !of_process(kind, metric) && metric != metrics::FILESYSTEM_FLAGS.name
}

impl Watched {
    pub(crate) fn baseline(&self, rule: usize) -> Option<&Baseline> {
        self.changes.as_ref()?.get(rule)?.as_ref()
    }

    /// Another process takes the place of the one whose values are known.
    pub(crate) fn other_process(&mut self) {
        let service = &self.service;
        let Some(changes) = &mut self.changes else { return };
        for (rule, baseline) in service.rules.iter().zip(changes) {
            if of(rule).is_some_and(|(metric, _)| of_process(&service.kind, metric)) {
                *baseline = None;
            }
        }
    }

    /// Whether this rule is about a value of a process, and none of the one that is there now is known yet.
    pub(crate) fn awaits_other(&self, rule: usize) -> bool {
        let of_process =
            of(&self.service.rules[rule]).is_some_and(|(metric, _)| of_process(&self.service.kind, metric));
        of_process && self.baseline(rule).is_none()
    }

    /// What is there from now on is right for rules that ask for a difference from the first value, and under a control file
    /// for rules about changed checksums too: Monit computes those while it reads that file.
    pub(crate) fn forget_first(&mut self, dialect: Dialect) {
        let Some(changes) = &mut self.changes else { return };
        let sums = [metrics::CHECKSUM_MD5, metrics::CHECKSUM_SHA1, metrics::CHECKSUM_SHA256];
        let is_sum = |metric: &str| sums.iter().any(|sum| sum.name == metric);
        for (rule, baseline) in self.service.rules.iter().zip(changes) {
            let sum = dialect == Dialect::Monit && of(rule).is_some_and(|(metric, _)| is_sum(metric));
            if sum || of_first(rule).is_some() {
                *baseline = None;
            }
        }
    }

    /// Takes what an earlier life of the supervisor saw last.
    pub(crate) fn restore_baseline(&mut self, condition: &str, value: &Value) {
        let service = &self.service;
        let Some(changes) = &mut self.changes else { return };
        for (rule, baseline) in service.rules.iter().zip(changes) {
            let metric = of(rule).map(|(metric, _)| metric).or_else(|| of_first(rule));
            let same = metric.is_some_and(|metric| outlives(&service.kind, metric));
            if same && condition_name(&rule.when) == condition {
                *baseline = Some(Baseline { value: value.clone(), before: None });
            }
        }
    }

    /// Compares what was last read with what was known, and knows that from now on. Whether it is a sample.
    fn compare(&mut self, rule: usize, early: bool) -> Option<bool> {
        let written = &self.service.rules[rule];
        let (metric, expect) = of(written)?;
        let seen = self.subject.seen.as_ref().filter(|seen| seen.standing.is_up())?;
        let value = seen.get(metric)?;
        let known = self.changes.as_mut()?.get_mut(rule)?;
        let Some(baseline) = known else {
            *known = Some(Baseline { value, before: None });
            return Some(false);
        };
        let changed = baseline.value != value;
        let branch = if expect == Change::Changed { &written.fail } else { &written.ok };
        if early && !(changed && branch.rate == Rate::ONCE) {
            return None;
        }
        baseline.before = Some(if changed { std::mem::replace(&mut baseline.value, value) } else { value });
        Some(true)
    }
}

impl Scheduler {
    /// Takes what was last read as the first value of a rule that asks whether it is still so, unless it has one. Under a
    /// control file that is forgotten with the supervisor, as in Monit, which takes it when it reads that file.
    pub(crate) fn learn_first(&mut self, i: usize, rule: usize, out: &mut Out) {
        let watched = &mut self.services[i];
        let service = watched.service.clone();
        let Some(metric) = of_first(&service.rules[rule]) else { return };
        let seen = watched.subject.seen.as_ref().filter(|seen| seen.standing.is_up());
        let Some(value) = seen.and_then(|seen| seen.get(metric)) else { return };
        let Some(first @ None) = watched.changes.as_mut().and_then(|changes| changes.get_mut(rule)) else {
            return;
        };
        *first = Some(Baseline { value: value.clone(), before: None });
        if self.dialect == Dialect::Toml && outlives(&service.kind, metric) {
            out.push(Effect::Remember(Remembered::Baseline {
                service: service.name.clone(),
                condition: condition_name(&service.rules[rule].when),
                value,
            }));
        }
    }

    /// Judges a rule about change by what was last read.
    pub(crate) fn judge_change(&mut self, now: Now, i: usize, rule: usize, early: bool, out: &mut Out) {
        let watched = &mut self.services[i];
        let Some(sample) = watched.compare(rule, early) else { return };
        let Some(changed) = watched.baseline(rule).map(Baseline::changed) else { return };
        let service = watched.service.clone();
        let Some((metric, expect)) = of(&service.rules[rule]) else { return };
        if sample {
            let failed = changed.is_some_and(|changed| changed == (expect == Change::Changed));
            self.sample(now, i, rule, failed, early, out);
        }
        // Last: a crash before it tells twice, and not never.
        if changed != Some(false) && outlives(&service.kind, metric) {
            let Some(baseline) = self.services[i].baseline(rule) else { return };
            out.push(Effect::Remember(Remembered::Baseline {
                service: service.name.clone(),
                condition: condition_name(&service.rules[rule].when),
                value: baseline.value.clone(),
            }));
        }
    }
}
