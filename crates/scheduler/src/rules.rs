//! What follows when a rule fails or holds: records are kept, people told, and actions begun.

use hinoban_config::{Condition, Mode, Rate, Then};
use hinoban_event::{Because, Class, Doing, Event, Fact, Failure, Recovery};
use hinoban_reading::{Now, metrics};

use crate::machine::{Out, Scheduler};
use crate::record::{Record, State, Step};
use crate::watched::Watched;
use crate::{Effect, Part, Remembered, condition_name, sight, wording};

impl Scheduler {
    /// One rule has seen something.
    pub(crate) fn sample(
        &mut self,
        now: Now,
        i: usize,
        rule: usize,
        failed: bool,
        early: bool,
        out: &mut Out,
    ) {
        let dialect = self.dialect;
        let dependants = if failed { self.dependants(i) } else { Vec::new() };
        let watched = &mut self.services[i];
        let service = watched.service.clone();
        let written = &service.rules[rule];
        let rate = if failed { written.fail.rate } else { written.ok.rate };
        watched.judged[rule].get_or_insert(now.stamp);
        if early && rate != Rate::ONCE {
            return;
        }
        // What is known to fail, and seen again before its turn, is news only if something can be done about it now.
        let known = watched.records[rule].as_ref().is_some_and(|r| r.state == State::Failed);
        if early && failed && known {
            if !watched.may_act(&written.fail.then) {
                return;
            }
            if let Some(until) = watched.held_until(now.moment) {
                watched.recheck = Some(until);
                return;
            }
        }
        let record = match &mut watched.records[rule] {
            Some(record) => record,
            None if failed => watched.records[rule].insert(Record::new(now.stamp)),
            None => return,
        };
        let failed_since = record.since;
        let step = record.sample(failed, written.fail.rate, written.ok.rate, now.stamp);
        let (times, since) = (record.times, record.since);
        let class = class(&written.when);
        let name = service.name.clone();
        if step == Step::Quiet {
            return;
        }
        let sight = sight::sight(watched, rule, dialect).unwrap_or_default();
        match step {
            Step::Quiet => {}
            Step::Doubt | Step::Fail | Step::StillFailing => {
                let failure = Failure {
                    rule,
                    class,
                    reason: sight.reason,
                    text: sight.text,
                    detail: sight.detail,
                    then: shown(&written.fail.then, service.mode),
                    able: watched.able(&written.fail.then),
                    since,
                    times,
                    ending: if class == Class::NonExist { watched.last_ending() } else { None },
                    lived: if class == Class::NonExist { watched.lived(now.moment) } else { None },
                    compared: sight.compared,
                    dependants,
                };
                if step == Step::Doubt {
                    self.emit(now, i, Fact::Doubted(failure), out);
                    return;
                }
                if step == Step::Fail {
                    let condition = condition_name(&written.when);
                    let failed = Remembered::Failed { service: name, rule, class, since, condition };
                    out.push(Effect::Remember(failed));
                }
                self.react(now, i, rule, step, Fact::Failed(failure), early, out);
            }
            Step::Recover => {
                out.push(Effect::Remember(Remembered::Recovered { service: name, rule, class }));
                let recovery = Recovery {
                    rule,
                    class,
                    text: sight.text,
                    then: shown(&written.ok.then, service.mode),
                    since: failed_since,
                    done: watched.done.clone(),
                    ending: if class == Class::NonExist { watched.ending.clone() } else { None },
                    compared: sight.compared,
                };
                if (0..service.rules.len()).all(|r| !watched.fails(r)) {
                    watched.done.clear();
                    watched.confirm = None;
                }
                self.react(now, i, rule, step, Fact::Recovered(recovery), early, out);
            }
        }
    }

    /// Tells, and begins what the rule asks for. The act leaves before the telling.
    #[allow(clippy::too_many_arguments)] // one step of one rule: naming a struct for it would hide more than it shows
    fn react(&mut self, now: Now, i: usize, rule: usize, step: Step, fact: Fact, early: bool, out: &mut Out) {
        let event = self.note(now, i, fact);
        let tell = out.len();
        let watched = &mut self.services[i];
        let service = watched.service.clone();
        let recovery = step == Step::Recover;
        let branch = if recovery { &service.rules[rule].ok } else { &service.rules[rule].fail };
        let times = watched.records[rule].as_ref().map_or(1, |r| r.times);
        let fresh = step != Step::StillFailing;
        match &branch.then {
            Then::Nothing | Then::Alert => {}
            Then::Exec { repeat, .. }
                if fresh || repeat.is_some_and(|n| n > 0 && times.is_multiple_of(n)) =>
            {
                self.send(now, i, rule, recovery, &event, out);
            }
            Then::Custom(_) if fresh => self.send(now, i, rule, recovery, &event, out),
            Then::Unmonitor => self.unwatch_all(now, i, Some(&event), out),
            Then::Start | Then::Restart | Then::Stop => {
                self.repair(now, i, rule, &branch.then, &event, early, out);
            }
            _ => {}
        }
        // The event comes before what it led to, but after the act itself has left.
        let at =
            out[tell..].iter().position(|e| matches!(e, Effect::Emit(_))).map_or(out.len(), |p| tell + p);
        out.insert(at, Effect::Emit(event));
    }

    /// A rule wants the service started, restarted or stopped, now. Whether that is done is decided here alone.
    #[allow(clippy::too_many_arguments)] // one step of one rule, as in `react`
    fn repair(
        &mut self,
        now: Now,
        i: usize,
        _rule: usize,
        then: &Then,
        event: &Event,
        early: bool,
        out: &mut Out,
    ) {
        let watched = &mut self.services[i];
        if self.ending || watched.task.is_some() {
            return;
        }
        if !watched.may_act(then) {
            // A repair that is not made, because of the mode or for want of a program, counts as one.
            if *then != Then::Stop {
                self.count_restart(i, out);
            }
            return;
        }
        if let Some(until) = watched.held_until(now.moment).filter(|_| early) {
            watched.recheck = Some(until);
            return;
        }
        watched.acts(now.moment);
        if *then != Then::Stop {
            self.count_restart(i, out);
        }
        self.begin(now, i, shown(then, Mode::Active), because(event), event.clone(), None, out);
    }

    /// A look ended without having seen anything, or sees again.
    pub(crate) fn could_not_look(
        &mut self,
        now: Now,
        i: usize,
        part: Part,
        why: Option<String>,
        out: &mut Out,
    ) {
        let Some(looks) = self.services[i].looks(part) else { return };
        match (looks.not_seen.clone(), why) {
            (None, Some(why)) => {
                looks.not_seen = Some(why.clone());
                self.emit(now, i, Fact::NotSeen { why }, out);
            }
            (Some(_), Some(why)) => looks.not_seen = Some(why),
            (Some(_), None) => {
                looks.not_seen = None;
                self.emit(now, i, Fact::Seen, out);
            }
            (None, None) => {}
        }
    }
}

/// Classes that fail now.
pub(crate) fn failing(watched: &Watched) -> Vec<Class> {
    let mut classes: Vec<Class> = watched.failures().map(|(_, class)| class).collect();
    if watched.subject.not_seen.is_some() || watched.tests.iter().flatten().any(|t| t.not_seen.is_some()) {
        classes.push(Class::Data);
    }
    classes.sort();
    classes.dedup();
    classes
}

/// The class of the events of a rule.
pub(crate) fn class(when: &Condition) -> Class {
    match when {
        Condition::Missing => Class::NonExist,
        Condition::Exists => Class::Exist,
        Condition::WrongType => Class::Invalid,
        Condition::Restarts { .. } => Class::Timeout,
        Condition::Test { .. } => Class::Connection,
        Condition::Compare { metric, .. } if *metric == metrics::SIZE.name => Class::Size,
        Condition::Compare { metric, .. } if *metric == metrics::UPTIME.name => Class::Uptime,
        _ => Class::Resource,
    }
}

/// What is told of a branch: a passive service is not repaired, only told about.
pub(crate) fn shown(then: &Then, mode: Mode) -> Doing {
    let active = mode == Mode::Active;
    match then {
        Then::Nothing => Doing::Nothing,
        Then::Start if active => Doing::Start,
        Then::Stop if active => Doing::Stop,
        Then::Restart if active => Doing::Restart,
        Then::Unmonitor => Doing::Unmonitor,
        Then::Exec { .. } => Doing::Exec,
        Then::Custom(name) => Doing::Custom(name.clone()),
        _ => Doing::Alert,
    }
}

/// Why a rule has ended the watching of a service, its own or of what that depends on, and what to do next.
pub(crate) fn given_up(service: &str, event: &Event, then: &Doing) -> String {
    let text = match &event.fact {
        Fact::Failed(failure) => failure.text.clone(),
        Fact::Recovered(recovery) => recovery.text.clone(),
        _ => event.description(),
    };
    let text = match *event.service == *service {
        true => text,
        false => format!("went with {}, which it depends on: {text}", event.service),
    };
    match wording::given_up(then, service) {
        Some(next) => format!("{text} -- {next}"),
        None => text,
    }
}

fn because(event: &Event) -> Because {
    Because::Rule { text: event.description() }
}
