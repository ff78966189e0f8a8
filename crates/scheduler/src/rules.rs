//! What a look means: rules are judged, records kept, and actions begun.

use std::time::Duration;

use hinoban_config::{Condition, Mode, Rate, Then};
use hinoban_event::{Because, Class, Doing, Event, Fact, Failure, Recovery};
use hinoban_reading::{How, Now, Value, metrics};

use crate::machine::{Out, Scheduler};
use crate::record::{Record, State, Step};
use crate::watched::Watched;
use crate::{Act, Effect, Part, Remembered, Watching, condition_name, sight, wording};

/// Time for an action that an embedder registered.
const CUSTOM_LIMIT: Duration = Duration::from_secs(60);

/// Time for whoever ended a process in order to start it again himself.
const GRACE: Duration = Duration::from_secs(2);

impl Scheduler {
    /// Judges what the last look at the subject saw. Later rules come first, as they do in Monit: those about existence
    /// before the one about the type, and that before those about readings.
    pub(crate) fn judge_subject(&mut self, now: Now, i: usize, early: bool, out: &mut Out) {
        let service = self.services[i].service.clone();
        let Some(seen) = &self.services[i].subject.seen else { return };
        let (up, there) = (seen.standing.is_up(), wording::is_there(seen));
        if !there && self.gives_grace(now, i) {
            return;
        }
        let stages = [Stage::Existence, Stage::Type, Stage::Reading];
        let backwards = |stage| (0..service.rules.len()).rev().map(move |rule| (stage, rule));
        for (stage, rule) in stages.into_iter().flat_map(backwards) {
            if !stage.holds(&service.rules[rule].when) {
                continue;
            }
            self.judge(now, i, rule, early, out);
            if self.halted(i) {
                return;
            }
        }
        if !up {
            self.services[i].generation += 1;
        }
    }

    /// Judges by what the rule's look last saw, if that says anything.
    fn judge(&mut self, now: Now, i: usize, rule: usize, early: bool, out: &mut Out) {
        if let Some(failed) = sight::fails(&self.services[i], rule) {
            self.sample(now, i, rule, failed, early, out);
        }
    }

    /// Whether to wait before a missing process is judged: it ended in order, by an exit without error or a signal that
    /// asks to end, so somebody may just be restarting it, and a second start would be in the way.
    fn gives_grace(&mut self, now: Now, i: usize) -> bool {
        let watched = &mut self.services[i];
        let until = match watched.grace {
            Some(until) => until,
            None if watched.last_ending().is_some_and(|e| is_orderly(&e.how)) => now.moment + GRACE,
            None => return false,
        };
        watched.grace = Some(until);
        if now.moment < until {
            watched.recheck = Some(until);
        }
        now.moment < until
    }

    /// Judges what a test last saw.
    pub(crate) fn judge_test(&mut self, now: Now, i: usize, rule: usize, early: bool, out: &mut Out) {
        if sight::fails(&self.services[i], rule) == Some(true) && self.is_young(now, i) {
            return;
        }
        self.judge(now, i, rule, early, out);
    }

    /// Whether the service was born so recently that its tests may fail without blame: within the time its start
    /// program has. A test that passes counts all the same.
    fn is_young(&self, now: Now, i: usize) -> bool {
        let watched = &self.services[i];
        let Some(start) = &watched.service.start else { return false };
        match self.dialect {
            hinoban_config::Dialect::Monit => {
                let uptime = watched.subject.seen.as_ref().and_then(|o| o.get(&metrics::UPTIME.name));
                uptime.and_then(Value::as_f64).is_some_and(|up| up <= start.timeout.as_secs_f64())
            }
            hinoban_config::Dialect::Toml => watched.confirm.is_some_and(|c| now.moment < c.until),
        }
    }

    /// Whether judging must end: something is being done to the service, or it is no longer watched.
    fn halted(&self, i: usize) -> bool {
        let watched = &self.services[i];
        watched.task.is_some() || watched.watching == Watching::No
    }

    /// One rule has seen something.
    fn sample(&mut self, now: Now, i: usize, rule: usize, failed: bool, early: bool, out: &mut Out) {
        let dialect = self.dialect;
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
            Then::Exec { program, repeat }
                if fresh || repeat.is_some_and(|n| n > 0 && times.is_multiple_of(n)) =>
            {
                self.act(now, i, Act::Exec { rule, recovery }, program.timeout, event.clone(), out);
                let command = Some(program.line());
                let fact = Fact::Began { doing: Doing::Exec, command, because: because(&event) };
                self.emit(now, i, fact, out);
            }
            Then::Custom(name) if fresh => {
                self.act(now, i, Act::Custom(name.clone()), CUSTOM_LIMIT, event.clone(), out);
            }
            Then::Unmonitor => self.unwatch(now, i, out),
            then if watched.may_act(then) => match watched.held_until(now.moment).filter(|_| early) {
                Some(until) => watched.recheck = Some(until),
                None => {
                    watched.acts(then, now.moment);
                    self.begin(now, i, shown(then, Mode::Active), because(&event), event.clone(), out);
                }
            },
            _ => {}
        }
        // The event comes before what it led to, but after the act itself has left.
        let at =
            out[tell..].iter().position(|e| matches!(e, Effect::Emit(_))).map_or(out.len(), |p| tell + p);
        out.insert(at, Effect::Emit(event));
    }

    /// Sends an act on its way that nothing waits for.
    fn act(&mut self, now: Now, i: usize, act: Act, limit: Duration, cause: Event, out: &mut Out) {
        let intent = self.next_intent();
        let watched = &self.services[i];
        let doing = match &act {
            Act::Custom(name) => Doing::Custom(name.clone()),
            _ => Doing::Exec,
        };
        let service = watched.service.name.clone();
        out.push(Effect::Remember(Remembered::Intent {
            intent,
            service,
            doing,
            at: now.stamp,
            whole: None,
            by: None,
        }));
        out.push(Effect::Act { intent, service: watched.id, act, limit, cause });
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

/// Whether a process ended as one does that is asked to.
fn is_orderly(how: &How) -> bool {
    const ASKED: [u8; 4] = [1, 2, 3, 15]; // SIGHUP, SIGINT, SIGQUIT, SIGTERM
    match how {
        How::Exited { status } => *status == 0,
        How::Signalled { signal, core } => ASKED.contains(signal) && !core,
        _ => false,
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
        Condition::Test { .. } => Class::Connection,
        Condition::Compare { metric, .. } if *metric == metrics::SIZE.name => Class::Size,
        Condition::Compare { metric, .. } if *metric == metrics::UPTIME.name => Class::Uptime,
        _ => Class::Resource,
    }
}

/// The order in which rules about the subject are judged.
#[derive(Clone, Copy)]
enum Stage {
    Existence,
    Type,
    Reading,
}

impl Stage {
    fn holds(self, when: &Condition) -> bool {
        match self {
            Stage::Existence => matches!(when, Condition::Missing | Condition::Exists),
            Stage::Type => matches!(when, Condition::WrongType),
            Stage::Reading => matches!(when, Condition::Compare { .. }),
        }
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

fn because(event: &Event) -> Because {
    Because::Rule { text: event.description() }
}
