//! One service as the scheduler keeps it.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hinoban_config::{Condition, Kind, Mode, Service, Then};
use hinoban_event::{Class, Doing};
use hinoban_reading::{Ending, Identity, Moment, Observation, Stamp, metrics};

use crate::change::{self, Baseline};
use crate::kept::Kept;
use crate::limit::Tally;
use crate::patience::Trial;
use crate::record::{Record, State};
use crate::rest::Rest;
use crate::task::Task;
use crate::turns::Turn;
use crate::wish::Wish;
use crate::{LastAction, Part, ServiceId, Watching, rules, wording};

/// A process that lived this long after its start is no crash loop.
const STABLE: Duration = Duration::from_secs(60);

/// The state of one service.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) id: ServiceId,
    pub(crate) name: Arc<str>,
    pub(crate) service: Arc<Service>,
    pub(crate) every: Duration,
    pub(crate) watching: Watching,
    /// When its next cycle is due.
    pub(crate) due: Moment,
    /// Whether the cycles that come are its turn; nothing for what has a turn in each.
    pub(crate) turn: Option<Box<Turn>>,
    /// A leap of a clock has moved `due`.
    pub(crate) leapt: bool,
    /// How many periods before `due` the cycle was due that began last.
    pub(crate) passed: u32,
    /// Counts its cycles.
    pub(crate) cycle: u64,
    /// When a rule last started or restarted it, and in which cycle.
    pub(crate) acted: Option<(Moment, u64)>,
    /// How often in a row it was started and died soon after.
    pub(crate) short_lives: u32,
    /// Its process ended in order, as when somebody restarts it by hand: until then that somebody has time to.
    pub(crate) grace: Option<Moment>,
    /// A look at the subject is wanted then, before its turn.
    pub(crate) recheck: Option<Moment>,
    pub(crate) generation: u32,
    pub(crate) subject: Looks,
    /// One for each rule; those that are tests have one.
    pub(crate) tests: Vec<Option<Box<Looks>>>,
    /// One for each rule.
    pub(crate) records: Vec<Option<Box<Record>>>,
    /// One for each rule: since when it has been judged.
    pub(crate) judged: Box<[Option<Stamp>]>,
    /// One for each rule, if any is about change: what that has seen.
    pub(crate) changes: Option<Box<[Option<Baseline>]>>,
    /// One for each rule, if one is about content.
    pub(crate) contents: Option<Box<crate::content::Contents>>,
    /// One for each rule: its words, once somebody has asked for them.
    pub(crate) texts: OnceLock<Box<[Arc<str>]>>,
    /// What is being done to it.
    pub(crate) task: Option<Box<Task>>,
    /// What was last done to it.
    pub(crate) last_action: Option<Box<LastAction>>,
    /// What an operator asked for while something else was being done: the newest wish only.
    pub(crate) pending: Option<Box<Wish>>,
    /// Watching was switched on or off by an operator since the task began, under this intent: the end of the task does
    /// not switch it back.
    pub(crate) switched: Option<(bool, u64)>,
    /// A reload removed it while something was being done to it, which comes to its end. Nobody sees it any more.
    pub(crate) leaving: bool,
    /// Its process, when last seen alive.
    pub(crate) alive: Option<Alive>,
    pub(crate) ending: Option<Box<Ending>>,
    /// Since when it is up, or not up.
    pub(crate) since: Option<(bool, Stamp)>,
    /// What was done to it since it last was all right: a sentence each.
    pub(crate) done: Vec<String>,
    pub(crate) restarts: u32,
    /// Its restarts, as its limits count them.
    pub(crate) tally: Tally,
    /// How repairs by rules are repeated; nothing for what had none that needs to be known.
    pub(crate) trial: Option<Box<Trial>>,
    /// Why a rule has ended the watching.
    pub(crate) gave_up: Option<Arc<str>>,
    /// After a start: looks at its tests before their turn, until they pass.
    pub(crate) confirm: Option<Box<Confirm>>,
    /// A look that was put off because of what it depends on.
    pub(crate) rest: Rest,
    /// The turn that was put off has been counted.
    pub(crate) counted: bool,
    /// Its process stirred while its looks rested, and nobody has looked since.
    pub(crate) stirred: bool,
    /// What was last seen of it may be so no longer, and a look is under way: others wait for that.
    pub(crate) unsure: bool,
    /// Whether others depend on it.
    pub(crate) leads: bool,
}

/// Looks at one part.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    /// The look under way.
    pub(crate) flying: Option<Flight>,
    /// Another one is wanted as soon as it ends.
    pub(crate) again: bool,
    pub(crate) seen: Option<Kept>,
    pub(crate) at: Option<Stamp>,
    pub(crate) not_seen: Option<String>,
}

/// A look under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flight {
    pub(crate) generation: u32,
    pub(crate) early: bool,
}

/// A process seen alive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Alive {
    pub(crate) identity: Option<Identity>,
    /// When it was seen first.
    pub(crate) seen: Moment,
    /// How old it was then. Kept apart: most processes are older than our clock, which began with us.
    pub(crate) age: Duration,
}

/// Early looks at the tests of a service that was just started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Confirm {
    pub(crate) since: Stamp,
    pub(crate) next: Moment,
    pub(crate) pause: Duration,
    pub(crate) until: Moment,
}

impl Watched {
    pub(crate) fn new(id: ServiceId, service: Arc<Service>, every: Duration, due: Moment, on: bool) -> Self {
        let rules = service.rules.len();
        Self {
            id,
            name: service.name.as_str().into(),
            every,
            watching: if on { Watching::Initializing } else { Watching::No },
            due,
            turn: None,
            leapt: false,
            passed: 0,
            cycle: 0,
            acted: None,
            short_lives: 0,
            grace: None,
            recheck: None,
            generation: 0,
            subject: Looks::default(),
            tests: service.rules.iter().map(|r| is_test(&r.when).then(Box::default)).collect(),
            records: (0..rules).map(|_| None).collect(),
            judged: vec![None; rules].into(),
            changes: change::room(&service),
            contents: crate::content::room(&service),
            texts: OnceLock::new(),
            task: None,
            last_action: None,
            pending: None,
            switched: None,
            leaving: false,
            alive: None,
            ending: None,
            since: None,
            done: Vec::new(),
            restarts: 0,
            tally: Tally::default(),
            trial: None,
            gave_up: None,
            confirm: None,
            rest: Rest::None,
            counted: false,
            stirred: false,
            unsure: false,
            leads: false,
            service,
        }
    }

    pub(crate) fn looks(&mut self, part: Part) -> Option<&mut Looks> {
        match part {
            Part::Subject => Some(&mut self.subject),
            Part::Test(rule) => self.tests.get_mut(rule)?.as_deref_mut(),
        }
    }

    /// The looks of the test of this rule, if it has one.
    pub(crate) fn test(&self, rule: usize) -> Option<&Looks> {
        self.tests.get(rule)?.as_deref()
    }

    /// Whether it has a look of its own. A host has not: it is only tested.
    pub(crate) fn has_subject(&self) -> bool {
        !matches!(self.service.kind, Kind::Host { .. })
    }

    /// Its rules in words.
    pub(crate) fn texts(&self) -> &[Arc<str>] {
        self.texts_among(&mut HashSet::new())
    }

    /// The same. Words that are `known` already are not kept twice: many services have the same rules.
    pub(crate) fn texts_among(&self, known: &mut HashSet<Arc<str>>) -> &[Arc<str>] {
        self.texts.get_or_init(|| {
            let words = self.service.rules.iter().map(|rule| wording::rule(&self.service.kind, rule));
            let shared = words.map(|text| match known.get(text.as_str()) {
                Some(same) => same.clone(),
                None => {
                    let text: Arc<str> = text.into();
                    known.insert(text.clone());
                    text
                }
            });
            shared.collect()
        })
    }

    /// Whether a start is judged by looking whether it is there.
    pub(crate) fn is_process(&self) -> bool {
        matches!(self.service.kind, Kind::Process { .. } | Kind::Custom { .. })
    }

    /// Whether the last look found it up. A host always is.
    pub(crate) fn is_up(&self) -> bool {
        !self.has_subject() || self.subject.seen.as_ref().is_some_and(|o| o.standing.is_up())
    }

    pub(crate) fn test_rules(&self) -> impl Iterator<Item = usize> + use<> {
        let service = self.service.clone();
        (0..service.rules.len()).filter(move |i| is_test(&service.rules[*i].when))
    }

    /// Whether this is asked for in vain: a start of what is seen to be up.
    pub(crate) fn finds_up(&self, then: &Then) -> bool {
        let seen = self.subject.not_seen.is_none() && self.is_up();
        *then == Then::Start && self.is_process() && seen
    }

    /// Whether a rule may begin this. Repairs are for active services that have a program for them, one at a time.
    pub(crate) fn may_act(&self, then: &Then) -> bool {
        let repair = matches!(then, Then::Start | Then::Restart | Then::Stop);
        let way = (*then == Then::Stop || self.able(then)) && !self.finds_up(then);
        repair && way && self.service.mode == Mode::Active && self.task.is_none()
    }

    /// Whether the service has the programs that this needs. A stop without one ends the watching all the same.
    pub(crate) fn able(&self, then: &Then) -> bool {
        let service = &self.service;
        match then {
            Then::Start => service.start.is_some(),
            // Of what others depend on, a restart is one of those too.
            Then::Restart => {
                let own = service.restart.is_some() || service.start.is_some() || service.stop.is_some();
                own || self.leads && !self.is_process()
            }
            Then::Stop => service.stop.is_some(),
            _ => true,
        }
    }

    /// Until when an early look may not begin a repair again: the first in a cycle is made at once, and so is one of what
    /// has lived for a while; what dies soon after each start is started with growing pauses within a cycle. What lives,
    /// and fails all the same, may need more than a moment to show that it helped, and of what is no process nobody knows
    /// what a start does to it: these have one in a cycle. Who has patience of its own has no other.
    pub(crate) fn held_until(&self, now: Moment) -> Option<Moment> {
        if self.service.patience.is_some() {
            return self.trial.as_ref()?.until.filter(|until| *until > now);
        }
        let again = self.acted.is_some_and(|(_, cycle)| cycle == self.cycle);
        let pause = match self.short_lives {
            _ if !self.is_process() || self.is_up() => {
                return again.then_some(self.due).filter(|due| *due > now);
            }
            0 => return None,
            n => Duration::from_secs(1) * 2u32.saturating_pow((n - 1).min(16)),
        };
        let (at, _) = self.acted.filter(|(_, cycle)| *cycle == self.cycle)?;
        Some(at + pause).filter(|until| *until > now)
    }

    /// A rule begins a repair now.
    pub(crate) fn acts(&mut self, now: Moment) {
        self.acted = Some((now, self.cycle));
        self.grace = None;
    }

    /// How the process ended that was there last.
    pub(crate) fn last_ending(&self) -> Option<Ending> {
        let identity = self.alive?.identity?;
        self.ending.as_deref().filter(|e| e.identity == identity).cloned()
    }

    /// How long its process had lived at `now`, if it is one.
    pub(crate) fn lived(&self, now: Moment) -> Option<Duration> {
        self.alive.filter(|alive| alive.identity.is_some()).map(|alive| alive.age + now.since(alive.seen))
    }

    /// Takes note of what a look at the subject saw.
    pub(crate) fn note(&mut self, seen: Observation, now: Moment, at: Stamp) {
        let up = seen.standing.is_up();
        if !up && self.since.is_some_and(|(was, _)| was) {
            let short = self.acted.is_some_and(|(at, _)| now.since(at) < STABLE);
            self.short_lives = if short { self.short_lives.saturating_add(1) } else { 0 };
        }
        if up {
            self.grace = None;
            let uptime = seen.get(&metrics::UPTIME.name).and_then(|v| v.as_f64()).unwrap_or(0.0).max(0.0);
            let same = self.alive.is_some_and(|a| a.identity == seen.identity);
            if !same {
                let age = Duration::try_from_secs_f64(uptime).unwrap_or_default();
                self.alive = Some(Alive { identity: seen.identity, seen: now, age });
            }
        }
        if self.since.is_none_or(|(was, _)| was != up) {
            self.since = Some((up, at));
        }
        self.hear(&seen);
        Kept::replace(&mut self.subject.seen, seen);
        self.subject.at = Some(at);
    }

    /// Something was done about what fails: a sentence for whoever reads of the recovery.
    pub(crate) fn did(&mut self, sentence: String) {
        if self.done.last() != Some(&sentence) {
            self.done.push(sentence);
            let excess = self.done.len().saturating_sub(20);
            self.done.drain(..excess);
        }
    }

    /// The rules that fail now: position and class.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (usize, Class)> {
        let fails = |rule: &usize| self.fails(*rule);
        (0..self.records.len()).filter(fails).map(|rule| (rule, self.class(rule)))
    }

    /// The class of what a rule failed of last; until then, that of its events.
    pub(crate) fn class(&self, rule: usize) -> Class {
        let flaw = self.records[rule].as_ref().and_then(|record| record.class);
        flaw.unwrap_or_else(|| rules::class_in(&self.service.kind, &self.service.rules[rule].when))
    }

    /// What somebody asked for that has not been begun.
    pub(crate) fn asked(&self) -> Option<&Doing> {
        let begun = self.task.as_ref().filter(|task| !task.has_begun());
        self.pending.as_ref().map(|wish| &wish.doing).or_else(|| begun.map(|task| &task.doing))
    }

    /// Its looks, the one at itself first.
    pub(crate) fn all_looks(&self) -> impl Iterator<Item = &Looks> {
        std::iter::once(&self.subject).chain(self.tests.iter().flatten().map(|looks| &**looks))
    }

    /// What was being done to it is over: if it is not watched, a look that was still asked for that is of no use any more.
    pub(crate) fn lets_alone(&mut self) {
        if self.watching == Watching::No {
            self.generation += 1;
        }
    }

    /// Forgets what rules remember, and what could not be seen: when watching begins or ends. Whoever tells people
    /// forgets at the same moment.
    pub(crate) fn forget(&mut self) {
        self.subject.not_seen = None;
        self.tests.iter_mut().flatten().for_each(|looks| looks.not_seen = None);
        self.records.iter_mut().for_each(|r| *r = None);
        self.judged.fill(None);
        self.other_process();
        self.forget_content();
        self.done.clear();
        self.confirm = None;
    }

    pub(crate) fn fails(&self, rule: usize) -> bool {
        self.records[rule].as_ref().is_some_and(|r| r.state == State::Failed)
    }

    /// Whether what was last seen of it may be so no longer, and somebody will look: something stirred while its looks
    /// rested, or something was done to what cannot be seen to be there at once.
    pub(crate) fn is_doubtful(&self) -> bool {
        let stirred = matches!(self.rest, Rest::Early | Rest::Both);
        self.has_subject() && (stirred || self.is_unsure())
    }

    /// The same where somebody is just looking.
    pub(crate) fn is_unsure(&self) -> bool {
        self.has_subject() && self.unsure && self.subject.flying.is_some()
    }

    /// Whether something that is asked of it or done to it is remembered under this number.
    pub(crate) fn stands_for(&self, intent: u64) -> bool {
        let task = self.task.as_ref().and_then(|task| task.open);
        let wish = self.pending.as_ref().map(|wish| wish.intent);
        let numbers = [task.map(|(number, _)| number), wish, self.switched.map(|(_, number)| number)];
        numbers.contains(&Some(intent))
    }

    /// Whether it was seen to be gone, which a rule of it would fail by.
    pub(crate) fn is_gone(&self) -> bool {
        let seen = self.subject.seen.as_ref().filter(|_| self.subject.not_seen.is_none());
        let gone = seen.is_some_and(|seen| !wording::is_there(&seen.standing));
        gone && self.service.rules.iter().any(|rule| rule.when == Condition::Missing)
    }

    /// Whether the last cycle was not its turn.
    pub(crate) fn waits(&self) -> bool {
        self.turn.as_ref().is_some_and(|turn| turn.waits)
    }

    /// When it next wants to be called, without anything happening.
    pub(crate) fn deadline(&self) -> Moment {
        let due = if self.watching == Watching::No { None } else { Some(self.due) };
        let task = self.task.as_ref().and_then(|task| task.deadline());
        let confirm = self.confirm.as_ref().filter(|_| self.task.is_none()).map(|c| c.next);
        let trial = self.trial.as_ref().filter(|_| self.watching != Watching::No);
        let trial = trial.and_then(|trial| trial.deadline(self.task.is_some()));
        [due, task, confirm, trial, self.recheck]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(Moment::new(Duration::MAX))
    }
}

fn is_test(when: &Condition) -> bool {
    matches!(when, Condition::Test { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There is one for each service, and a host may have thousands.
    #[test]
    fn a_service_takes_little_room() {
        assert!(size_of::<Watched>() <= 768, "{} bytes", size_of::<Watched>());
    }
}
