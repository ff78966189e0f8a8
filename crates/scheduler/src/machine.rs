//! The state machine itself: whose turn it is, and where each input goes.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{Budget, Dialect, Service};
use hinoban_event::{Class, Event, Fact};
use hinoban_reading::{Identity, Moment, Now, Observation};
use jiff::tz::TimeZone;

use crate::budget::Host;
use crate::errand::Errand;
use crate::kept::Kept;
use crate::positions::Positions;
use crate::queue::{Queue, distance};
use crate::rest::Rest;
use crate::task::Step;
use crate::ties::Ties;
use crate::watched::{Flight, Watched};
use crate::wording::Tongue;
use crate::{Effect, Input, LookId, Part, ServiceId, ServiceView, Watching, view};

/// What is to be done, as it gathers.
pub(crate) type Out = Vec<Effect>;

/// Decides for all services. See the [crate's documentation](crate).
#[derive(Debug)]
pub struct Scheduler {
    /// In the order of the configuration; behind them those that leave.
    pub(crate) services: Vec<Watched>,
    pub(crate) dialect: Dialect,
    /// In which patterns of the calendar are meant.
    pub(crate) zone: TimeZone,
    pub(crate) positions: Positions,
    /// When each service next wants to be called.
    pub(crate) queue: Queue,
    /// Intents whose end is waited for.
    pub(crate) running: HashMap<u64, ServiceId>,
    /// What runs because of rules.
    pub(crate) errands: HashMap<u64, Errand>,
    /// Processes that are just being killed: of which service, and which; none for a stop program that is ended.
    pub(crate) kills: HashMap<u64, (Arc<str>, Option<Identity>)>,
    /// What of that failed the last time: service, and command line or name.
    pub(crate) failed_errands: HashSet<(Arc<str>, String)>,
    /// Services for which a wish of an earlier life waits.
    pub(crate) asked_before: Vec<ServiceId>,
    /// What is being done comes to its end, and nothing new is begun.
    pub(crate) ending: bool,
    /// What depends on what.
    pub(crate) ties: Ties,
    /// Services with a look that was put off.
    pub(crate) resting: Vec<ServiceId>,
    /// Services whose task waits for what is done to others.
    pub(crate) waiting: Vec<ServiceId>,
    /// How many restarts of what lives the host is to bear.
    pub(crate) budget: Option<Budget>,
    /// What it has borne lately.
    pub(crate) host: Host,
    pub(crate) default_every: Duration,
    pub(crate) next_service: u32,
    /// The first id given since the configuration was last taken on.
    pub(crate) first_fresh: u32,
    pub(crate) next_intent: u64,
    pub(crate) next_event: u64,
    /// The time of the last input …
    pub(crate) now: Now,
    /// … if there was one.
    pub(crate) woken: bool,
}

impl Scheduler {
    pub(crate) fn index(&mut self) {
        self.positions = Positions::of(&self.services);
        self.queue = Queue::of(self.services.iter().map(Watched::deadline));
        self.tie();
    }

    fn tie(&mut self) {
        self.ties = Ties::of(&self.services);
        for (i, watched) in self.services.iter_mut().enumerate() {
            watched.leads = !self.ties.children(i).is_empty();
        }
        let all = self.services.iter();
        self.resting = all.clone().filter(|w| w.rest != Rest::None).map(|w| w.id).collect();
        let waits = |w: &&Watched| w.task.as_ref().is_some_and(|task| task.waits_for_others());
        self.waiting = all.filter(waits).map(|w| w.id).collect();
    }

    /// Takes what happened; gives what is to be done, in order. Looks come last: what they show may be handed in at once,
    /// before the next effect is carried out.
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Effect> {
        let mut out = Vec::new();
        let slept = self.has_slept(now);
        self.now = now;
        if slept {
            self.spread(now);
        }
        let touched = match input {
            Input::Tick => {
                self.tick(now, &mut out);
                None
            }
            Input::WakeAll => {
                for (watched, n) in self.services.iter_mut().zip(0..) {
                    watched.due = now.moment + distance(n, watched.every);
                }
                self.index();
                self.tick(now, &mut out);
                None
            }
            Input::ClockJumped => {
                self.spread(now);
                None
            }
            Input::Observed { look, result } => {
                self.observed(now, look, result, &mut out);
                Some(look.service)
            }
            Input::Woken { service, part } => {
                if let Some(i) = self.position(service)
                    && (part != Part::Subject || self.services[i].has_subject())
                    && self.wants_looks(i, part)
                    && (self.services[i].task.is_some() || self.may_look_early(now, i))
                {
                    self.look_early(i, part, &mut out);
                }
                None
            }
            Input::ActionDone { intent, report, verdict } if self.errands.contains_key(&intent) => {
                self.errand_done(now, intent, report, verdict, &mut out);
                None
            }
            Input::ActionDone { intent, report, verdict } if self.kills.contains_key(&intent) => {
                self.killed(now, intent, &report, verdict, &mut out);
                None
            }
            Input::ActionDone { intent, report, verdict } => {
                let service = self.running.get(&intent).copied();
                self.action_done(now, intent, report, verdict, &mut out);
                service
            }
            Input::Command { service, doing, by } => {
                // What was asked for in an earlier life was asked for before this.
                self.ask_again(now, &mut out);
                if let Some(i) = self.position(service) {
                    self.command(now, i, doing, by, &mut out);
                }
                Some(service)
            }
        };
        if let Some(i) = touched.and_then(|id| self.position(id)) {
            self.weigh(now, i, &mut out);
            self.schedule(i);
        }
        self.advance(now, &mut out);
        if !self.resting.is_empty() {
            self.make_up(now, &mut out);
        }
        // Whoever carries this out may see at once what a look shows, and hand it in before he goes on with the rest. What
        // was decided here is decided before that: it is remembered and begun first.
        out.sort_by_key(|effect| matches!(effect, Effect::Look { .. }));
        out
    }

    /// When to call [`handle`](Self::handle) with [`Input::Tick`], if nothing happens before.
    pub fn next_deadline(&mut self) -> Option<Moment> {
        // A wish of an earlier life begins when the first looks are due, also where nothing is watched.
        let asked =
            self.asked_before.iter().filter_map(|id| self.position(*id)).map(|i| self.services[i].due);
        let asked = asked.min();
        self.next_turn().into_iter().chain(asked).min()
    }

    fn next_turn(&mut self) -> Option<Moment> {
        let services = &self.services;
        self.queue.next(|i| services[i].deadline())
    }

    /// The service of this name, upper and lower case being the same.
    pub fn find(&self, name: &str) -> Option<ServiceId> {
        self.present().find(|w| w.name.eq_ignore_ascii_case(name)).map(|w| w.id)
    }

    /// All services, in the order of the configuration: their ids and their configuration.
    pub fn services(&self) -> impl Iterator<Item = (ServiceId, &Arc<Service>)> {
        self.present().map(|w| (w.id, &w.service))
    }

    /// The services of the configuration.
    fn present(&self) -> impl Iterator<Item = &Watched> {
        self.services.iter().filter(|w| !w.leaving)
    }

    /// The configuration of a service: while it is in force, and of one that a reload removed, until what was being done
    /// to it is over.
    pub fn service(&self, id: ServiceId) -> Option<&Arc<Service>> {
        self.position(id).map(|i| &self.services[i].service)
    }

    /// Whether this rule of this service fails.
    pub fn fails(&self, id: ServiceId, rule: usize) -> bool {
        let watched = self.position(id).map(|i| &self.services[i]);
        watched.is_some_and(|w| rule < w.records.len() && w.fails(rule))
    }

    /// Whether a service is watched.
    pub fn is_watched(&self, id: ServiceId) -> bool {
        self.position(id).is_some_and(|i| self.services[i].watching != Watching::No)
    }

    /// When the cycle of a service was due that began last.
    pub fn turn(&self, id: ServiceId) -> Option<Moment> {
        let watched = &self.services[self.position(id)?];
        let passed = watched.every.checked_mul(watched.passed).filter(|time| !time.is_zero())?;
        Some(watched.due - passed)
    }

    /// What the last look at a service's subject saw.
    pub fn seen(&self, id: ServiceId) -> Option<Observation> {
        self.position(id).and_then(|i| self.services[i].subject.seen.as_ref()).map(Kept::open)
    }

    /// Whether every watched service has been looked at once, and nothing is being done.
    pub fn settled(&self) -> bool {
        self.services.iter().enumerate().all(|(i, w)| {
            // Who waits for another one waits until somebody does something about that.
            let held = match &w.task {
                Some(task) => matches!(task.step, Step::Held { .. }) && self.waits_above(i),
                None => w.rest != Rest::None && self.sits(i),
            };
            if held {
                return true;
            }
            let looked = w.subject.at.is_some() || w.subject.not_seen.is_some() || !w.has_subject();
            let tested = !w.is_up()
                || w.tests.iter().flatten().all(|looks| looks.at.is_some() || looks.not_seen.is_some());
            let waits = w.waits() && w.task.is_none();
            w.watching == Watching::No || waits || (w.task.is_none() && w.cycle > 0 && looked && tested)
        })
    }

    /// Numbers a fact about the service called `service`, or about the supervisor itself.
    pub fn tell(&mut self, now: Now, service: Arc<str>, fact: Fact) -> Event {
        self.next_event += 1;
        Event { id: self.next_event, at: now.stamp, service, fact }
    }

    /// Begins nothing new from now on: no look but those that what is being done needs, no repair, and nothing that is
    /// asked for. That waits for the next life of the supervisor, which finds it where it was remembered.
    pub fn end(&mut self) {
        self.ending = true;
    }

    /// Whether something is being done that is worth waiting for before the end: a program runs, or another is to follow.
    /// What was started and has yet to appear appears without us.
    pub fn under_way(&self) -> bool {
        self.services.iter().filter_map(|w| w.task.as_ref()).any(|task| task.is_under_way())
    }

    /// What would be left half done if all ended now: a sentence for each service.
    pub fn halfway(&self) -> Vec<String> {
        let stopped = self.services.iter().filter(|w| w.task.as_ref().is_some_and(|task| task.is_halfway()));
        let asked = self.services.iter().filter_map(|w| Some((w, w.asked()?)));
        let asked = asked.map(|(w, doing)| {
            format!(
                "a {} of {} was asked for and has not been begun; the next run begins it",
                doing.word(),
                w.name
            )
        });
        let stopped = stopped.map(|w| {
            format!(
                "{} was stopped for a restart and has not been started again; the next run goes on with it, and until \
                 then it is to be started by hand",
                w.name
            )
        });
        stopped.chain(asked).collect()
    }

    /// Every service as it stands, in the order of the configuration.
    pub fn view(&self) -> Vec<ServiceView> {
        self.view_of(0..self.services.len())
    }

    /// The same of some of them: those at these positions. Where there are many, all at once take a while. A position
    /// holds until the next reload; there are as many as [`positions`](Self::positions) says.
    pub fn view_of(&self, positions: Range<usize>) -> Vec<ServiceView> {
        // The words of rules are kept, and the rest of what is told is not: what stays is made first, so that no gaps are
        // left between it.
        let mut known = HashSet::new();
        for watched in positions.clone().filter_map(|i| self.services.get(i)) {
            watched.texts_among(&mut known);
        }
        let view = |i: usize| {
            let mut view = view::view(&self.services[i], self.now, self.dialect, &self.zone);
            let names = |of: &[usize]| of.iter().map(|at| self.services[*at].name.clone()).collect();
            view.depends_on = names(self.ties.parents(i));
            view.dependants = names(self.ties.children(i));
            view.waits_for = self.waits_for(i);
            self.notes_gone(i, &mut view);
            view
        };
        positions.filter(|i| self.services.get(*i).is_some_and(|w| !w.leaving)).map(view).collect()
    }

    /// What was seen gone while its looks rest has no rule that fails by it yet, and is gone all the same.
    pub(crate) fn notes_gone(&self, i: usize, view: &mut ServiceView) {
        let watched = &self.services[i];
        let idle = watched.watching == Watching::Yes && watched.task.is_none();
        if idle && !view.waits_for.is_empty() && watched.is_gone() && !view.failing.contains(&Class::NonExist)
        {
            view.failing.push(Class::NonExist);
            view.failing.sort();
        }
    }

    /// How many positions there are: one for each service, and a few for what leaves.
    pub fn positions(&self) -> usize {
        self.services.len()
    }

    /// In which words things are told.
    pub(crate) fn tongue(&self) -> Tongue<'_> {
        Tongue { dialect: self.dialect, zone: &self.zone }
    }

    pub(crate) fn position(&self, id: ServiceId) -> Option<usize> {
        self.positions.get(id)
    }

    pub(crate) fn next_intent(&mut self) -> u64 {
        self.next_intent += 1;
        self.next_intent
    }

    pub(crate) fn note(&mut self, now: Now, i: usize, fact: Fact) -> Event {
        let name = self.services[i].name.clone();
        self.tell(now, name, fact)
    }

    pub(crate) fn emit(&mut self, now: Now, i: usize, fact: Fact, out: &mut Out) -> Event {
        let event = self.note(now, i, fact);
        out.push(Effect::Emit(event.clone()));
        event
    }

    /// Asks for a look; if one is under way, for another one after it.
    pub(crate) fn look(&mut self, i: usize, part: Part, early: bool, out: &mut Out) {
        let watched = &mut self.services[i];
        let (service, generation) = (watched.id, watched.generation);
        // Of a host there is nothing to be seen but its tests; a stop of it that takes too long would look all the same.
        if part == Part::Subject && !watched.has_subject() {
            return;
        }
        let Some(looks) = watched.looks(part) else { return };
        match &mut looks.flying {
            // A due look that falls on one under way is that look, if it is not a stale one.
            Some(flight) if flight.generation == generation && !early => flight.early = false,
            Some(_) => looks.again = true,
            None => {
                looks.flying = Some(Flight { generation, early });
                out.push(Effect::Look { look: LookId { service, part, generation }, early });
            }
        }
    }

    pub(crate) fn wants_looks(&self, i: usize, part: Part) -> bool {
        let watched = &self.services[i];
        let watching = watched.watching != Watching::No && !self.ending;
        watching || (part == Part::Subject && watched.task.is_some())
    }

    pub(crate) fn schedule(&mut self, i: usize) {
        let watched = &self.services[i];
        self.queue.want(i, watched.deadline());
    }

    /// Serves everybody whose time has come, or comes so soon that waking again is not worth it.
    fn tick(&mut self, now: Now, out: &mut Out) {
        let most = Duration::from_millis(20);
        self.ask_again(now, out);
        let mut served = Vec::new();
        while let Some((at, i)) = self.queue.take(now.moment + most, |i| self.services[i].deadline()) {
            served.push(i);
            let slack = most.min(self.services[i].every / 50);
            if self.services[i].task.is_some() {
                self.tick_task(now, i, out);
            }
            if self.services[i].recheck.is_some_and(|at| at <= now.moment) {
                self.services[i].recheck = None;
                // What was begun in time is seen through; everything else has its time.
                let begun = self.services[i].task.is_some() || self.services[i].grace.is_some();
                match self.services[i].has_subject() {
                    _ if !self.wants_looks(i, Part::Subject) || !begun && !self.may_look_early(now, i) => {}
                    true => {
                        self.look_early(i, Part::Subject, out);
                        self.ask_what_lasts(now, i, out);
                    }
                    false if self.services[i].task.is_some() => self.not_awaited(now, i, out),
                    false if self.rests(i, false) => self.put_off(i, Rest::Early),
                    false => self.look_at_tests(i, true, out),
                }
            }
            self.tick_confirm(now, i, out);
            self.tick_patience(now, i, out);
            if at <= now.moment + slack && self.services[i].due <= now.moment + slack {
                self.cycle(now, i, out);
            }
        }
        for i in served {
            self.schedule(i);
        }
    }

    /// Begins what an earlier life had been asked for.
    fn ask_again(&mut self, now: Now, out: &mut Out) {
        for id in std::mem::take(&mut self.asked_before) {
            let Some(i) = self.position(id) else { continue };
            self.take_pending(now, i, out);
            self.schedule(i);
        }
    }

    /// One due look. The next one is due a period after this one was, not after it happened.
    fn cycle(&mut self, now: Now, i: usize, out: &mut Out) {
        let watched = &mut self.services[i];
        let behind = now.moment.since(watched.due);
        // In 64 bits: the division of 128 is a function far away from here, for which its part of the text stays mapped.
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let missed = micros(behind) / micros(watched.every).max(1);
        watched.passed = u32::try_from(missed.saturating_add(1)).unwrap_or(u32::MAX);
        watched.due = watched.due + watched.every * watched.passed;
        watched.leapt = false;
        if watched.watching == Watching::No || watched.task.is_some() || self.ending {
            return;
        }
        if !self.turn_comes(now, i) {
            return;
        }
        match self.rests(i, true) {
            true => {
                // One more than that which was put off.
                self.services[i].counted = false;
                self.put_off(i, Rest::Due);
            }
            false => self.round(now, i, out),
        }
    }

    /// The looks of one cycle.
    pub(crate) fn round(&mut self, now: Now, i: usize, out: &mut Out) {
        if !std::mem::take(&mut self.services[i].counted) {
            self.services[i].cycle += 1;
            if !self.within_limits(now, i, out) {
                return;
            }
        }
        let watched = &mut self.services[i];
        if watched.has_subject() {
            self.look(i, Part::Subject, false, out);
        } else {
            // What nobody tests is as well as it will ever be known to be.
            if watched.test_rules().next().is_none() {
                watched.watching = Watching::Yes;
            }
            self.look_at_tests(i, false, out);
        }
    }

    pub(crate) fn look_at_tests(&mut self, i: usize, early: bool, out: &mut Out) {
        for rule in self.services[i].test_rules() {
            self.look(i, Part::Test(rule), early, out);
        }
    }

    /// After a start: looks at the tests before their turn, so that "it works again" is known soon.
    fn tick_confirm(&mut self, now: Now, i: usize, out: &mut Out) {
        let watched = &mut self.services[i];
        if watched.watching == Watching::No || self.ending {
            // It would be due again and again.
            watched.confirm = None;
        }
        if watched.task.is_some() {
            return;
        }
        let Some(confirm) = &mut watched.confirm else { return };
        if now.moment < confirm.next {
            return;
        }
        confirm.pause = (confirm.pause * 2).min(Duration::from_secs(8));
        confirm.next = now.moment + confirm.pause;
        if now.moment >= confirm.until {
            watched.confirm = None;
        } else if self.services[i].is_up() && !self.closed(i) {
            self.look_at_tests(i, true, out);
        }
    }
}
