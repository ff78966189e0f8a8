//! What rules run beside the service's own programs: nothing waits for it, but how it ended is told.

use std::sync::Arc;
use std::time::Duration;

use hinoban_config::Then;
use hinoban_event::{Because, Doing, Event, Fact, Failure, Recovery, Report};
use hinoban_reading::{How, Now, Stamp};

use crate::machine::{Out, Scheduler};
use crate::{Act, Effect, LastAction, Remembered, Verdict, Watching, change, condition_name, rules};

/// Time for an action that an embedder registered.
const CUSTOM_LIMIT: Duration = Duration::from_secs(60);

/// One program or action that runs because of a rule.
#[derive(Debug)]
pub(crate) struct Errand {
    /// The service's name: a reload may give it another id meanwhile.
    service: Arc<str>,
    doing: Doing,
    /// The command line, or the name of the action.
    what: String,
    /// The program without its arguments, which may hold secrets.
    program: String,
    because: Because,
    limit: Duration,
}

impl Errand {
    /// Whose it is, and what runs: the path of a program, or the name of an action.
    pub(crate) fn shown(&self) -> (&str, &str) {
        (&self.service, &self.program)
    }
}

/// A program that a rule was about to run when an earlier life of the supervisor ended, and that was never begun.
#[derive(Debug, Clone, PartialEq)]
pub struct Unbegun {
    /// Number of its intent, which stays open until the program has begun.
    pub intent: u64,
    /// The service's name.
    pub service: String,
    /// Position that the rule had then.
    pub rule: usize,
    /// What the rule asks: its [`condition_name`]. By it the rule is found where it stands now.
    pub condition: String,
    /// Whether the rule held again.
    pub recovery: bool,
    /// Which of the programs of that branch, as in [`Act::Exec`].
    pub nth: usize,
    /// What had been seen.
    pub text: String,
    /// When that was decided.
    pub at: Stamp,
}

impl Scheduler {
    /// Sends a program or an action of a rule's branch on its way: of which rule, which branch, and which of them.
    pub(crate) fn send(
        &mut self,
        now: Now,
        i: usize,
        (rule, recovery, nth): (usize, bool, usize),
        event: &Event,
        out: &mut Out,
    ) {
        let service = self.services[i].service.clone();
        let intent = self.next_intent();
        let (name, text) = (service.name.clone(), event.description());
        let Some((act, errand)) = self.errand(i, (rule, recovery, nth), text.clone()) else { return };
        let remembered = Remembered::Reaction {
            intent,
            service: name,
            doing: errand.doing.clone(),
            at: now.stamp,
            rule,
            condition: condition_name(&service.rules[rule].when),
            recovery,
            nth,
            text,
        };
        out.push(Effect::Remember(remembered));
        self.depart(now, i, intent, act, errand, event.clone(), out);
    }

    /// Runs what an earlier life was about to run. Gives what is to be done; `None`: nobody asks for it any more, and the
    /// intent is over.
    pub fn run_unbegun(&mut self, now: Now, unbegun: &Unbegun) -> Option<Vec<Effect>> {
        let i = self.find(&unbegun.service).and_then(|id| self.position(id))?;
        if self.services[i].watching == Watching::No {
            return None;
        }
        let service = self.services[i].service.clone();
        let same = |rule: &usize| {
            service.rules.get(*rule).is_some_and(|r| condition_name(&r.when) == unbegun.condition)
        };
        let rule = Some(unbegun.rule).filter(same).or_else(|| (0..service.rules.len()).find(same))?;
        let (act, errand) = self.errand(i, (rule, unbegun.recovery, unbegun.nth), unbegun.text.clone())?;
        let (class, text) = (rules::class_in(&service.kind, &service.rules[rule].when), unbegun.text.clone());
        let (then, since) = (errand.doing.clone(), unbegun.at);
        let fact = match unbegun.recovery {
            true => {
                let (done, ending, compared) = (Vec::new(), None, None);
                Fact::Recovered(Recovery { rule, class, text, then, since, done, ending, compared })
            }
            false => Fact::Failed(Failure {
                rule,
                class,
                reason: None,
                text,
                changed: change::is_news(&service.rules[rule]),
                detail: None,
                then,
                able: true,
                since,
                times: 1,
                ending: None,
                lived: None,
                compared: None,
                dependants: Vec::new(),
            }),
        };
        // It is told what happened then.
        let cause = Event { at: unbegun.at, ..self.note(now, i, fact) };
        let mut out = Vec::new();
        self.depart(now, i, unbegun.intent, act, errand, cause, &mut out);
        Some(out)
    }

    /// What this branch of a rule runs.
    fn errand(
        &self,
        i: usize,
        (rule, recovery, nth): (usize, bool, usize),
        text: String,
    ) -> Option<(Act, Errand)> {
        let watched = &self.services[i];
        let rule_of = &watched.service.rules[rule];
        let branch = if recovery { &rule_of.ok } else { &rule_of.fail };
        let (service, because) = (watched.name.clone(), Because::Rule { text });
        let then = match nth.checked_sub(1) {
            Some(beside) => branch.also.get(beside)?,
            None => &branch.then,
        };
        match then {
            Then::Exec { program, .. } => {
                let (doing, what, limit) = (Doing::Exec, program.line(), program.timeout);
                let program = program.words.first().cloned().unwrap_or_default();
                Some((
                    Act::Exec { rule, recovery, nth },
                    Errand { service, doing, what, program, because, limit },
                ))
            }
            Then::Custom(name) => {
                let (doing, what, limit) = (Doing::Custom(name.clone()), name.clone(), CUSTOM_LIMIT);
                let program = name.clone();
                Some((Act::Custom(name.clone()), Errand { service, doing, what, program, because, limit }))
            }
            _ => None,
        }
    }

    #[allow(clippy::too_many_arguments)] // what an effect holds, and where it goes
    fn depart(
        &mut self,
        now: Now,
        i: usize,
        intent: u64,
        act: Act,
        errand: Errand,
        cause: Event,
        out: &mut Out,
    ) {
        let (service, limit) = (self.services[i].id, errand.limit);
        out.push(Effect::Act { intent, service, act, limit, cause });
        if errand.doing == Doing::Exec {
            let (command, because) = (Some(errand.what.clone()), errand.because.clone());
            self.emit(now, i, Fact::Began { doing: Doing::Exec, command, because }, out);
        }
        self.errands.insert(intent, errand);
    }

    /// It ended. Success is no news, unless it failed the last time.
    pub(crate) fn errand_done(
        &mut self,
        now: Now,
        intent: u64,
        mut report: Report,
        verdict: Verdict,
        out: &mut Out,
    ) {
        let Some(errand) = self.errands.remove(&intent) else { return };
        let fine = match report.exit {
            Some(How::Exited { status }) => status == 0,
            Some(How::Signalled { .. }) => false,
            _ => true,
        };
        let ok = verdict == Verdict::Ran && fine;
        let done = Effect::Remember(Remembered::Done { intent, ok });
        let Some(i) = self.find(&errand.service).and_then(|id| self.position(id)) else {
            return out.push(done);
        };
        let Errand { service, doing, what, program, because, limit } = errand;
        let key = (service, what);
        if ok {
            if self.failed_errands.remove(&key) {
                self.emit(now, i, Fact::Ended { doing, because, ok, report }, out);
            }
        } else if verdict == Verdict::TimedOut && doing == Doing::Exec {
            let what = format!(
                "exec: '{program}' has not ended within {} s: it goes on running, and nobody waits for it any more",
                limit.as_secs_f64()
            );
            self.emit(now, i, Fact::Limited { what }, out);
        } else {
            if report.trouble.is_none() {
                report.trouble = Some(format!("the program '{program}' failed"));
            }
            let watched = &mut self.services[i];
            let text = format!("failed to {}{}", doing.word(), report.failure());
            let (at, took) = (now.stamp, report.took);
            if watched.done.last() != Some(&text) && watched.done.len() < 20 {
                watched.done.push(text.clone());
            }
            watched.last_action =
                Some(Box::new(LastAction { doing: doing.clone(), ok, at, took, by: None, text }));
            self.failed_errands.insert(key);
            self.emit(now, i, Fact::Ended { doing, because, ok, report }, out);
        }
        out.push(done);
    }
}
