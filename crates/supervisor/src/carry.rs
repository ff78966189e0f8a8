//! Carrying out what the scheduler wants: looks, acts, and what must be remembered of them.

use std::sync::Arc;
use std::time::Duration;

use hinoban_action::{Action, Errand, Roll};
use hinoban_config::{Condition, Kind, Protocol, Service, Test};
use hinoban_event::{Doing, Event, Fact};
use hinoban_journal::{Branch, Entry, GivenUp, InFlight, Journal, Known, Repairs};
use hinoban_probe::ProbeError;
use hinoban_scheduler::{
    Act, Effect, Input, LookId, Part, Remembered, Resumed, Scheduler, ServiceId, Unbegun, Unfinished,
};

use crate::clock::Clock;
use crate::lateness::Lateness;
use crate::looks::{Effort, Looked};
use crate::plane::Owner;
use crate::registry::{Bound, Which};
use crate::run::{Loop, Note};

/// Longest look at a thing itself.
const SUBJECT_LIMIT: Duration = Duration::from_secs(10);

/// Longest look by a probe that an embedder registered.
const CUSTOM_LIMIT: Duration = Duration::from_secs(60);

/// What was put in its place of a service.
pub(crate) struct Placed {
    /// How many of its parts may be tests.
    tests: usize,
    /// Those of its programs that are made already.
    programs: Box<[(Which, Arc<dyn Action>)]>,
}

impl Loop {
    /// Gives inputs to the scheduler and carries out what it answers, until there is nothing left to do at once.
    ///
    /// What a look saw is heeded before the next look: whatever is wrong with one thing is put right before the others
    /// are looked at, and no more than one observation waits.
    pub(crate) fn feed(&mut self, inputs: impl IntoIterator<Item = Input>) {
        for input in inputs {
            let by_turn = matches!(input, Input::Tick);
            let mut wanted = vec![self.scheduler.handle(self.clock.now(), input).into_iter()];
            loop {
                let depth = wanted.len();
                let Some(effects) = wanted.last_mut() else { break };
                let Some(effect) = effects.next() else {
                    wanted.pop();
                    continue;
                };
                let effects = effects.as_slice();
                if by_turn && depth == 1 {
                    count_lateness(&mut self.lateness, &self.scheduler, &self.clock, &effect);
                }
                if let Some(input) = self.carry_out(effect, effects) {
                    wanted.push(self.scheduler.handle(self.clock.now(), input).into_iter());
                }
            }
            self.keep_memories();
        }
    }

    /// Gives what came of it at once.
    fn carry_out(&mut self, effect: Effect, following: &[Effect]) -> Option<Input> {
        match effect {
            Effect::Remember(remembered) => {
                let unwatched = match &remembered {
                    Remembered::Monitoring { service, on: false, .. } => self.scheduler.find(service),
                    _ => None,
                };
                self.enter(remembered, following);
                if let Some(id) = unwatched {
                    self.let_go(id);
                }
                None
            }
            Effect::Act { intent, service, act, limit, cause } => {
                self.act(intent, service, act, limit, cause)
            }
            Effect::Look { look, early } => self.look(look, early),
            Effect::Emit(event) => {
                if matches!(event.fact, Fact::Ended { .. }) {
                    self.conclude(&event, following);
                }
                self.fallen.note(&event, self.clock.now().moment);
                self.tell(event);
                None
            }
            _ => None,
        }
    }

    fn look(&mut self, id: LookId, early: bool) -> Option<Input> {
        let service = self.scheduler.service(id.service);
        let limit = service.map_or(SUBJECT_LIMIT, |s| limit(s, id.part));
        let effort = match (id.part, service.map(|s| &s.kind)) {
            (Part::Test(_), _) => Effort::Network,
            (Part::Subject, Some(Kind::Program { .. })) => Effort::Program,
            (Part::Subject, _) => Effort::Little,
        };
        match self.looks.begin(id, early, limit, effort, &self.clock) {
            Ok(Some(looked)) => Some(self.settle(looked)),
            Ok(None) => None,
            Err(()) => Some(Input::Observed { look: id, result: Err("there is no probe for it".to_owned()) }),
        }
    }

    pub(crate) fn looked(&mut self, looked: Looked) {
        let input = self.settle(looked);
        self.feed([input]);
    }

    /// Puts a probe back, and asks it what may wake us and what it cannot do.
    fn settle(&mut self, looked: Looked) -> Input {
        let id = looked.id;
        let owner = (id.service, id.part);
        if self.scheduler.service(id.service).is_none() {
            let result = looked.result.map_err(|e| e.to_string());
            return Input::Observed { look: id, result };
        }
        let saw = looked.result.is_ok();
        let (mut result, (wakes, limits, memory)) = self.looks.settle(looked, |probe, own| {
            (probe.wakes(), probe.limits(), (saw && own).then(|| probe.memory()))
        });
        if let Some(memory) = memory {
            self.learn(owner, memory);
        }
        let troubles = self.plane.as_mut().map(|plane| plane.watch(owner, &wakes)).unwrap_or_default();
        let limits: Vec<String> = limits.into_iter().chain(troubles).collect();
        for what in &limits {
            self.limited(id.service, what.clone());
        }
        if limits.is_empty() {
            self.unseen.remove(&owner);
        } else {
            self.unseen.insert(owner, limits);
        }
        if let (Ok(seen), Some(service), Part::Subject) =
            (&mut result, self.scheduler.service(id.service), id.part)
        {
            self.fallen.add_to(seen, &service.kind, self.clock.now().moment);
        }
        if let (Some(recorder), Ok(seen)) = (&mut self.recorder, &result)
            && let Some(service) = self.scheduler.service(id.service)
        {
            recorder.observe(owner, service, seen, self.clock.now());
        }
        if matches!(result, Err(ProbeError::Panicked(_))) {
            self.rebuild(owner);
        }
        Input::Observed { look: id, result: result.map_err(|e| e.to_string()) }
    }

    /// Tells what a probe cannot do here, once for each text.
    pub(crate) fn limited(&mut self, service: ServiceId, what: String) {
        if self.limits.insert(what.clone()) {
            let name = self.scheduler.service(service).map_or(self.host.clone(), |s| s.name.as_str().into());
            let event = self.scheduler.tell(self.clock.now(), name, Fact::Limited { what });
            self.tell(event);
        }
    }

    /// Nobody looks at a file any more, so it is not held open either: an open log keeps its room on the disk when it is
    /// removed, and its file system from being unmounted. The next probe begins at the end of what is there by then, for what
    /// is written while nobody watches is told to nobody. Processes keep theirs: how one ended is learnt all the same.
    fn let_go(&mut self, id: ServiceId) {
        let Some(service) = self.scheduler.service(id).filter(|s| matches!(s.kind, Kind::File { .. })) else {
            return;
        };
        let owner = (id, Part::Subject);
        if let Some(Ok(probe)) = self.registry.subject(&service.clone()) {
            self.looks.remove(&owner);
            self.looks.put(owner, probe);
            if let Some(plane) = &mut self.plane {
                plane.watch(owner, &[]);
            }
        }
    }

    /// A probe that panicked is not trusted any more.
    fn rebuild(&mut self, owner: Owner) {
        let Some(service) = self.scheduler.service(owner.0).cloned() else { return };
        let made = match owner.1 {
            Part::Subject => self.registry.subject(&service),
            Part::Test(rule) => match &service.rules[rule].when {
                Condition::Test { test, .. } => Some(self.registry.test(test)),
                _ => None,
            },
        };
        if let Some(Ok(mut probe)) = made {
            self.recall(owner, &mut *probe);
            self.looks.remove(&owner);
            self.looks.put(owner, probe);
        }
    }

    fn act(&mut self, intent: u64, id: ServiceId, act: Act, limit: Duration, cause: Event) -> Option<Input> {
        let service = self.scheduler.service(id)?.clone();
        let (action, doing) = match &act {
            Act::Start => (self.program(id, &service, Which::Start), Doing::Start),
            Act::Stop => (self.program(id, &service, Which::Stop), Doing::Stop),
            Act::Restart => (self.program(id, &service, Which::Restart), Doing::Restart),
            &Act::Exec { rule, recovery, nth } => {
                (self.program(id, &service, Which::Exec { rule, recovery, nth }), Doing::Exec)
            }
            Act::Kill(process) => (self.registry.kill(*process), Doing::Stop),
            Act::End(program) => (self.ends(*program), Doing::Stop),
            Act::Custom(name) => (self.registry.named(name), Doing::Custom(name.clone())),
        };
        let Some(action) = action else {
            let trouble = Some("this program knows no way to do that".to_owned());
            let report = hinoban_event::Report { trouble, ..Default::default() };
            return Some(Input::ActionDone { intent, report, verdict: hinoban_scheduler::Verdict::Failed });
        };
        let mut errand = Errand::new(service.name.as_str(), doing, self.clock.after(limit));
        errand.intent = intent;
        errand.host = self.host.clone();
        errand.readings = self.scheduler.seen(id).map(|o| o.readings).unwrap_or_default();
        let notes = self.notes.0.clone();
        errand.spawned = Some(Arc::new(move |identity| {
            let _ = notes.send(Note::Spawned(intent, identity));
        }));
        let limited = matches!(act, Act::Start | Act::Restart);
        errand.roll = self.journal.file().map(|log| Roll { log, line: Journal::spawned_line(intent) });
        self.acts.begin(action, cause, errand, limit, limited);
        None
    }

    /// What runs a program of a service.
    fn program(&self, id: ServiceId, service: &Service, which: Which) -> Option<Arc<dyn Action>> {
        let made = self.placed.get(&id).and_then(|placed| placed.programs.iter().find(|(w, _)| *w == which));
        made.map(|(_, action)| action.clone()).or_else(|| self.registry.program(service, which))
    }

    /// What ends the program that runs for an intent.
    fn ends(&self, intent: u64) -> Option<Arc<dyn Action>> {
        let mut in_flight = self.journal.state().in_flight();
        let process = *in_flight.find(|flight| flight.id == intent)?.processes.last()?;
        self.registry.kill(process)
    }

    /// Takes up what an earlier life of the supervisor had begun: waits for its program, instead of starting a second one.
    pub(crate) fn resume(&mut self, flight: InFlight) {
        let InFlight { id: intent, service, doing, at, whole, by, part_of, processes, .. } = flight;
        let unfinished = Unfinished {
            intent,
            service: service.to_string(),
            whole,
            doing: doing.clone(),
            at,
            by,
            part_of,
            started: !processes.is_empty(),
        };
        let unfinished =
            Unfinished { started: unfinished.started && self.registry.sees_through(), ..unfinished };
        match self.scheduler.resume(self.clock.now(), &unfinished) {
            Resumed::Waits { left, cause, .. } => {
                let Some(action) = self.registry.leftover(processes) else { return };
                let mut errand = Errand::new(service, doing, self.clock.after(left));
                errand.intent = intent;
                errand.host = self.host.clone();
                self.acts.begin(action, *cause, errand, left, false);
            }
            // Its end is remembered with the end of what it is part of now.
            Resumed::AskedAgain => {}
            Resumed::Over => self.remember(Entry::Done { intent, ok: false }),
        }
    }

    /// Runs what a rule was about to run when an earlier life ended. Its intent stays open until that has begun.
    pub(crate) fn run_unbegun(&mut self, flight: InFlight) {
        let InFlight { id: intent, service, at, branch, .. } = flight;
        let effects = branch.and_then(|branch| {
            let Branch { rule, condition, recovery, nth, text } = *branch;
            let service = service.to_string();
            let unbegun = Unbegun { intent, service, rule, condition, recovery, nth, text, at };
            self.scheduler.run_unbegun(self.clock.now(), &unbegun)
        });
        let Some(effects) = effects else { return self.remember(Entry::Done { intent, ok: false }) };
        let inputs: Vec<Input> =
            effects.into_iter().filter_map(|effect| self.carry_out(effect, &[])).collect();
        self.feed(inputs);
    }

    /// Puts the probes and actions of a service in their places.
    pub(crate) fn place(&mut self, id: ServiceId, bound: Bound) {
        let Bound { subject, tests, programs } = bound;
        self.placed.insert(id, Placed { tests: tests.len(), programs });
        if let Some(mut probe) = subject {
            self.recall((id, Part::Subject), &mut *probe);
            self.looks.put((id, Part::Subject), probe);
        }
        for (rule, probe) in tests.into_iter().enumerate() {
            if let Some(mut probe) = probe {
                self.recall((id, Part::Test(rule)), &mut *probe);
                self.looks.put((id, Part::Test(rule)), probe);
            }
        }
    }

    pub(crate) fn displace(&mut self, id: ServiceId) {
        if let Some(placed) = self.placed.remove(&id) {
            let parts = (0..placed.tests).map(Part::Test).chain([Part::Subject]);
            for owner in parts.map(|part| (id, part)) {
                self.looks.remove(&owner);
                self.unseen.remove(&owner);
                self.memories.remove(&owner);
                if let Some(recorder) = &mut self.recorder {
                    recorder.forget(&owner);
                }
                if let Some(plane) = &mut self.plane {
                    plane.watch(owner, &[]);
                }
            }
        }
    }
}

/// Counts how late a look begins whose turn has come.
fn count_lateness(lateness: &mut Lateness, scheduler: &Scheduler, clock: &Clock, effect: &Effect) {
    if let Effect::Look { look, early: false } = effect
        && let Some(turn) = scheduler.turn(look.service)
    {
        lateness.count(clock.moment().since(turn));
    }
}

/// The time a look may take at most; tests keep their own, shorter time-outs.
fn limit(service: &Service, part: Part) -> Duration {
    let test = match part {
        Part::Subject if matches!(service.kind, Kind::Custom { .. }) => return CUSTOM_LIMIT,
        // It ends by itself when its own time is over; the rest is for what does not heed that.
        Part::Subject if let Kind::Program { program, .. } = &service.kind => {
            return program.timeout + SUBJECT_LIMIT;
        }
        Part::Subject => return SUBJECT_LIMIT,
        Part::Test(rule) => service.rules.get(rule).map(|r| &r.when),
    };
    match test {
        // Resolving, connecting, TLS, the answer and its body have the time-out each.
        Some(Condition::Test { test: Test::Port(port), .. }) => {
            let phases = 4 + steps(&port.protocol);
            port.timeout.saturating_mul(phases.saturating_mul(port.retry.max(1))) + SUBJECT_LIMIT
        }
        Some(Condition::Test { test: Test::Unix(unix), .. }) => {
            let phases = 1 + steps(&unix.protocol);
            unix.timeout.saturating_mul(phases.saturating_mul(unix.retry.max(1))) + SUBJECT_LIMIT
        }
        // A name may have two addresses of either family or more; the resolver has the time-out, too.
        Some(Condition::Test { test: Test::Ping(ping), .. }) => {
            ping.timeout.saturating_mul(ping.count.saturating_mul(4).saturating_add(1)) + SUBJECT_LIMIT
        }
        Some(Condition::Test { test: Test::Url(url), .. }) => url.timeout * url.retry.max(1) + SUBJECT_LIMIT,
        _ => CUSTOM_LIMIT,
    }
}

/// How many waits a conversation may have.
fn steps(protocol: &Protocol) -> u32 {
    match protocol {
        Protocol::Generic(steps) => u32::try_from(steps.len()).unwrap_or(u32::MAX),
        _ => 1,
    }
}

pub(crate) fn entry(remembered: Remembered) -> Option<Entry> {
    Some(match remembered {
        Remembered::Monitoring { service, on, why } => Entry::Monitoring { service: service.into(), on, why },
        Remembered::Restarts { service, restarts, cycles } => {
            Entry::Restarts { service: service.into(), restarts, cycles }
        }
        Remembered::Repairs { service, repairs } => {
            let hinoban_scheduler::Repairs { lived, gone, at, open, tried, helped, gave_up, spent, held } =
                repairs;
            let gave_up = gave_up.map(|given_up| {
                let hinoban_scheduler::GivenUp { doing, text, since, told, times, lived, gone } = *given_up;
                Box::new(GivenUp { doing, text, since, told, times, lived, gone })
            });
            let repairs = Repairs { lived, gone, at, open, tried, helped, gave_up, spent, held };
            Entry::Repairs { service: service.into(), repairs }
        }
        Remembered::Baseline { service, condition, value } => {
            Entry::Baseline { service: service.into(), condition, value: Some(Known(value)) }
        }
        Remembered::Intent { intent, service, doing, at, whole, by, part_of } => {
            Entry::Intent { id: intent, service: service.into(), doing, at, whole, by, part_of, branch: None }
        }
        Remembered::Reaction { intent, service, doing, at, rule, condition, recovery, nth, text } => {
            let branch = Some(Box::new(Branch { rule, condition, recovery, nth, text }));
            let (whole, by, part_of) = (None, None, None);
            Entry::Intent { id: intent, service: service.into(), doing, at, whole, by, part_of, branch }
        }
        Remembered::Done { intent, ok } => Entry::Done { intent, ok },
        Remembered::Failed { service, rule, class, since, condition } => {
            let condition = Some(condition);
            Entry::Failed { service: service.into(), rule, class, since, message_id: None, condition }
        }
        Remembered::Recovered { service, rule, class } => {
            Entry::Recovered { service: service.into(), rule, class }
        }
        _ => return None,
    })
}

/// What an earlier life entered of repairs.
pub(crate) fn repairs(repairs: &Repairs) -> hinoban_scheduler::Repairs {
    let Repairs { lived, gone, at, open, tried, helped, gave_up, spent, held } = repairs.clone();
    let gave_up = gave_up.map(|given_up| {
        let GivenUp { doing, text, since, told, times, lived, gone } = *given_up;
        Box::new(hinoban_scheduler::GivenUp { doing, text, since, told, times, lived, gone })
    });
    hinoban_scheduler::Repairs { lived, gone, at, open, tried, helped, gave_up, spent, held }
}
