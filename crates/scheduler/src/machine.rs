//! The state machine itself: whose turn it is, and where each input goes.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{Condition, Config, Dialect, OnReboot, Service};
use hinoban_event::{Class, Doing, Event, Fact};
use hinoban_reading::{Moment, Now, Observation, Stamp};

use crate::record::{Record, State};
use crate::watched::{Flight, Watched};
use crate::{
    Effect, Input, LookId, Part, RuleView, ServiceId, ServiceView, TestView, Watching, rules, wording,
};

/// What is to be done, as it gathers.
pub(crate) type Out = Vec<Effect>;

/// Decides for all services. See the [crate's documentation](crate).
#[derive(Debug)]
pub struct Scheduler {
    pub(crate) services: Vec<Watched>,
    pub(crate) dialect: Dialect,
    positions: HashMap<ServiceId, usize>,
    /// When each service next wants to be called; entries that are no longer true are passed over.
    heap: BinaryHeap<Reverse<(Moment, ServiceId)>>,
    /// Intents whose end is waited for.
    pub(crate) running: HashMap<u64, ServiceId>,
    /// Services for which a wish of an earlier life waits.
    pub(crate) asked_before: Vec<usize>,
    default_every: Duration,
    next_service: u32,
    next_intent: u64,
    next_event: u64,
}

/// What an earlier life of the supervisor left.
#[derive(Debug, Clone, Default)]
pub struct Restored {
    /// Whether the host was booted since.
    pub booted: bool,
    /// Which services were watched.
    pub monitored: HashMap<String, bool>,
    /// Rules that had failed: service, position of the rule, class, since when.
    pub failing: Vec<(String, usize, Class, Stamp)>,
    /// The highest number of an intent so far.
    pub last_intent: u64,
}

/// What a reload changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reload {
    /// Names of new services.
    pub added: Vec<String>,
    /// Names of services that are gone.
    pub removed: Vec<String>,
    /// Names of services whose configuration changed.
    pub changed: Vec<String>,
    /// Failures of changed services that end with the rules they were of: service, position of the rule, class.
    pub ended: Vec<(String, usize, Class)>,
}

impl Scheduler {
    /// A scheduler for this configuration, whose first looks are due at `first`.
    pub fn new(config: &Config, restored: &Restored, first: Moment) -> Self {
        let mut scheduler = Self {
            services: Vec::new(),
            dialect: config.dialect,
            positions: HashMap::new(),
            heap: BinaryHeap::new(),
            running: HashMap::new(),
            asked_before: Vec::new(),
            default_every: config.every.unwrap_or(Duration::MAX / 4),
            next_service: 0,
            next_intent: restored.last_intent,
            next_event: 0,
        };
        for service in &config.services {
            let mut watched =
                scheduler.fresh(Arc::new(service.clone()), first, is_watched(service, restored));
            for (_, rule, class, since) in restored.failing.iter().filter(|f| f.0 == service.name) {
                let same = service.rules.get(*rule).is_some_and(|r| rules::class(&r.when) == *class);
                if same && watched.watching != Watching::No {
                    watched.records[*rule] = Some(Record::failed(*since));
                }
            }
            scheduler.services.push(watched);
        }
        scheduler.index();
        scheduler
    }

    fn fresh(&mut self, service: Arc<Service>, due: Moment, on: bool) -> Watched {
        let id = ServiceId(self.next_service);
        self.next_service += 1;
        let every = service.every.unwrap_or(self.default_every);
        Watched::new(id, service, every, due, on)
    }

    fn index(&mut self) {
        self.positions = self.services.iter().enumerate().map(|(i, w)| (w.id, i)).collect();
        self.heap = self.services.iter().map(|w| Reverse((w.deadline(), w.id))).collect();
    }

    /// Takes what happened; gives what is to be done, in order.
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Effect> {
        let mut out = Vec::new();
        let touched = match input {
            Input::Tick => {
                self.tick(now, &mut out);
                None
            }
            Input::WakeAll => {
                for watched in &mut self.services {
                    watched.due = now.moment;
                }
                self.index();
                self.tick(now, &mut out);
                None
            }
            Input::Observed { look, result } => {
                self.observed(now, look, result, &mut out);
                Some(look.service)
            }
            Input::Woken { service, part } => {
                if let Some(i) = self.position(service)
                    && self.wants_looks(i)
                {
                    self.look(i, part, true, &mut out);
                }
                None
            }
            Input::ActionDone { intent, report, verdict } => {
                let service = self.running.get(&intent).copied();
                self.action_done(now, intent, report, verdict, &mut out);
                service
            }
            Input::Command { service, doing, by } => {
                if let Some(i) = self.position(service) {
                    self.command(now, i, doing, by, &mut out);
                }
                Some(service)
            }
        };
        if let Some(i) = touched.and_then(|id| self.position(id)) {
            self.schedule(i);
        }
        out
    }

    /// When to call [`handle`](Self::handle) with [`Input::Tick`], if nothing happens before.
    pub fn next_deadline(&mut self) -> Option<Moment> {
        while let Some(Reverse((at, id))) = self.heap.peek().copied() {
            match self.position(id) {
                Some(i) if self.services[i].deadline() == at && at.elapsed() < Duration::MAX => {
                    return Some(at);
                }
                _ => self.heap.pop(),
            };
        }
        None
    }

    /// The service of this name, upper and lower case being the same.
    pub fn find(&self, name: &str) -> Option<ServiceId> {
        self.services.iter().find(|w| w.name.eq_ignore_ascii_case(name)).map(|w| w.id)
    }

    /// All services, in the order of the configuration: their ids and their configuration.
    pub fn services(&self) -> impl Iterator<Item = (ServiceId, &Arc<Service>)> {
        self.services.iter().map(|w| (w.id, &w.service))
    }

    /// The configuration of a service, while it is in force.
    pub fn service(&self, id: ServiceId) -> Option<&Arc<Service>> {
        self.position(id).map(|i| &self.services[i].service)
    }

    /// What the last look at a service's subject saw.
    pub fn seen(&self, id: ServiceId) -> Option<&Observation> {
        self.position(id).and_then(|i| self.services[i].subject.seen.as_ref())
    }

    /// Whether every watched service has been looked at once, and nothing is being done.
    pub fn settled(&self) -> bool {
        self.services.iter().all(|w| {
            let looked = w.subject.at.is_some() || w.subject.not_seen.is_some() || !w.has_subject();
            let tested = !w.is_up()
                || w.test_rules().all(|r| w.tests[r].at.is_some() || w.tests[r].not_seen.is_some());
            w.watching == Watching::No || (w.task.is_none() && w.cycle > 0 && looked && tested)
        })
    }

    /// Numbers a fact about the service called `service`, or about the supervisor itself.
    pub fn tell(&mut self, now: Now, service: Arc<str>, fact: Fact) -> Event {
        self.next_event += 1;
        Event { id: self.next_event, at: now.stamp, service, fact }
    }

    /// Takes on a new configuration. Services that did not change keep their state and their [`ServiceId`]; changed ones
    /// keep whether they are watched and what is being done to them.
    pub fn reload(&mut self, now: Now, config: &Config) -> Reload {
        let mut report = Reload::default();
        self.dialect = config.dialect;
        self.default_every = config.every.unwrap_or(Duration::MAX / 4);
        let mut old: Vec<Option<Watched>> = self.services.drain(..).map(Some).collect();
        for service in &config.services {
            let every = service.every.unwrap_or(self.default_every);
            let slot = old
                .iter_mut()
                .find(|o| o.as_ref().is_some_and(|w| w.name.eq_ignore_ascii_case(&service.name)));
            let watched = match slot.and_then(Option::take) {
                Some(mut same) if *same.service == *service => {
                    if same.every != every {
                        same.every = every;
                        same.due = same.due.min(now.moment + every);
                    }
                    same
                }
                Some(other) => {
                    report.changed.push(service.name.clone());
                    let on = other.watching != Watching::No;
                    let mut new = self.fresh(Arc::new(service.clone()), now.moment, on);
                    new.generation = other.generation + 1;
                    for id in self.running.values_mut().filter(|id| **id == other.id) {
                        *id = new.id;
                    }
                    for (rule, record) in other.records.iter().enumerate() {
                        if record.as_ref().is_some_and(|r| r.state == State::Failed) {
                            let class = rules::class(&other.service.rules[rule].when);
                            report.ended.push((other.service.name.clone(), rule, class));
                        }
                    }
                    new.task = other.task;
                    new.pending = other.pending;
                    new.ending = other.ending;
                    new.alive = other.alive;
                    if let Some(task) = &mut new.task {
                        // The look it waited for was of the service as it was.
                        task.look_again();
                        new.recheck = Some(now.moment);
                    }
                    new
                }
                None => {
                    report.added.push(service.name.clone());
                    let on = service.on_reboot != OnReboot::NoStart;
                    self.fresh(Arc::new(service.clone()), now.moment, on)
                }
            };
            self.services.push(watched);
        }
        report.removed = old.into_iter().flatten().map(|w| w.service.name.clone()).collect();
        self.index();
        report
    }

    /// Every service as it stands, in the order of the configuration.
    pub fn view(&self) -> Vec<ServiceView> {
        self.services.iter().map(view).collect()
    }

    pub(crate) fn position(&self, id: ServiceId) -> Option<usize> {
        self.positions.get(&id).copied()
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

    fn wants_looks(&self, i: usize) -> bool {
        self.services[i].watching != Watching::No || self.services[i].task.is_some()
    }

    fn schedule(&mut self, i: usize) {
        let watched = &self.services[i];
        self.heap.push(Reverse((watched.deadline(), watched.id)));
    }

    /// Serves everybody whose time has come, or comes so soon that waking again is not worth it.
    fn tick(&mut self, now: Now, out: &mut Out) {
        let most = Duration::from_millis(20);
        for i in std::mem::take(&mut self.asked_before) {
            self.take_pending(now, i, out);
            self.schedule(i);
        }
        let mut served = Vec::new();
        while let Some(Reverse((at, id))) = self.heap.peek().copied() {
            if at > now.moment + most {
                break;
            }
            self.heap.pop();
            let Some(i) = self.position(id) else { continue };
            if self.services[i].deadline() != at {
                continue;
            }
            served.push(i);
            let slack = most.min(self.services[i].every / 50);
            if self.services[i].task.is_some() {
                self.tick_task(now, i, out);
            }
            if self.services[i].recheck.is_some_and(|at| at <= now.moment) {
                self.services[i].recheck = None;
                if self.wants_looks(i) {
                    self.look(i, Part::Subject, true, out);
                }
            }
            self.tick_confirm(now, i, out);
            if at <= now.moment + slack && self.services[i].due <= now.moment + slack {
                self.cycle(now, i, out);
            }
        }
        for i in served {
            self.schedule(i);
        }
    }

    /// One due look. The next one is due a period after this one was, not after it happened.
    fn cycle(&mut self, now: Now, i: usize, out: &mut Out) {
        let watched = &mut self.services[i];
        let behind = now.moment.since(watched.due);
        let missed = behind.as_nanos() / watched.every.as_nanos().max(1);
        watched.due = watched.due + watched.every * u32::try_from(missed + 1).unwrap_or(u32::MAX);
        if watched.watching == Watching::No || watched.task.is_some() {
            return;
        }
        watched.cycle += 1;
        if watched.has_subject() {
            self.look(i, Part::Subject, false, out);
        } else {
            watched.watching = Watching::Yes;
            self.look_at_tests(i, false, out);
        }
    }

    fn look_at_tests(&mut self, i: usize, early: bool, out: &mut Out) {
        for rule in self.services[i].test_rules() {
            self.look(i, Part::Test(rule), early, out);
        }
    }

    /// After a start: looks at the tests before their turn, so that "it works again" is known soon.
    fn tick_confirm(&mut self, now: Now, i: usize, out: &mut Out) {
        let watched = &mut self.services[i];
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
        } else if watched.is_up() {
            self.look_at_tests(i, true, out);
        }
    }

    fn observed(&mut self, now: Now, id: LookId, result: Result<Observation, String>, out: &mut Out) {
        let Some(i) = self.position(id.service) else { return };
        let watched = &mut self.services[i];
        let generation = watched.generation;
        let Some(looks) = watched.looks(id.part) else { return };
        let Some(flight) = looks.flying.take() else { return };
        let again = std::mem::take(&mut looks.again);
        let stale = id.generation != generation;
        match id.part {
            Part::Subject => self.observed_subject(now, i, result, flight.early, stale, out),
            Part::Test(rule) if !stale => self.observed_test(now, i, rule, result, flight.early, out),
            Part::Test(_) => {}
        }
        if again && self.wants_looks(i) && self.services[i].looks(id.part).is_some_and(|l| l.flying.is_none())
        {
            self.look(i, id.part, true, out);
        }
    }

    fn observed_subject(
        &mut self,
        now: Now,
        i: usize,
        result: Result<Observation, String>,
        early: bool,
        stale: bool,
        out: &mut Out,
    ) {
        match result {
            Ok(mut seen) => {
                self.could_not_look(now, i, Part::Subject, None, out);
                let watched = &mut self.services[i];
                if let Some(ending) = seen.ending.take() {
                    let late = !seen.standing.is_up() && watched.since.is_some_and(|(up, _)| !up)
                        || seen.standing.is_up();
                    watched.ending = Some(ending.clone());
                    if late {
                        self.emit(now, i, Fact::EndingLearned(ending), out);
                    }
                }
                self.services[i].note(seen, now.moment, now.stamp);
            }
            Err(why) => self.could_not_look(now, i, Part::Subject, Some(why), out),
        }
        let watched = &mut self.services[i];
        if watched.task.is_some() {
            // A look that began before the last step began shows what was, not what is.
            match stale {
                true => self.look(i, Part::Subject, true, out),
                false => self.looked_during_task(now, i, out),
            }
            return;
        }
        if watched.watching == Watching::No || watched.subject.not_seen.is_some() {
            return;
        }
        watched.watching = Watching::Yes;
        self.judge_subject(now, i, early, out);
        let watched = &self.services[i];
        if !early && watched.is_up() && watched.task.is_none() && watched.watching != Watching::No {
            self.look_at_tests(i, false, out);
        }
    }

    fn observed_test(
        &mut self,
        now: Now,
        i: usize,
        rule: usize,
        result: Result<Observation, String>,
        early: bool,
        out: &mut Out,
    ) {
        match result {
            Ok(seen) => {
                self.could_not_look(now, i, Part::Test(rule), None, out);
                let looks = &mut self.services[i].tests[rule];
                looks.at = Some(now.stamp);
                looks.seen = Some(seen.clone());
                let watched = &self.services[i];
                if watched.task.is_none() && watched.watching != Watching::No && watched.is_up() {
                    self.judge_test(now, i, rule, &seen, early, out);
                }
            }
            Err(why) => self.could_not_look(now, i, Part::Test(rule), Some(why), out),
        }
    }
}

/// Whether a service is watched when we begin.
fn is_watched(service: &Service, restored: &Restored) -> bool {
    let saved = restored.monitored.get(&service.name).copied();
    match service.on_reboot {
        OnReboot::Start if restored.booted => true,
        OnReboot::Start => saved.unwrap_or(true),
        OnReboot::NoStart if restored.booted => false,
        OnReboot::NoStart => saved.unwrap_or(false),
        OnReboot::LastState => saved.unwrap_or(true),
    }
}

fn view(watched: &Watched) -> ServiceView {
    let service = &watched.service;
    let doing = watched.task.as_ref().map(|t| t.doing.clone());
    let pending: Option<Doing> = watched.pending.as_ref().map(|p| p.0.clone()).or_else(|| doing.clone());
    let tests = watched.test_rules().filter_map(|rule| match &service.rules[rule].when {
        Condition::Test { test, .. } => Some(TestView {
            rule,
            test: test.clone(),
            observation: watched.tests[rule].seen.clone(),
            not_seen: watched.tests[rule].not_seen.clone(),
        }),
        _ => None,
    });
    let rules = service.rules.iter().enumerate().map(|(r, rule)| RuleView {
        text: wording::rule(rule),
        failed: watched.fails(r),
        since: watched.records[r].as_ref().filter(|_| watched.fails(r)).map(|record| record.since),
        last: watched.last_text[r].clone(),
    });
    ServiceView {
        name: watched.name.clone(),
        kind: service.kind.clone(),
        groups: service.groups.clone(),
        mode: service.mode,
        on_reboot: service.on_reboot,
        watching: watched.watching,
        failing: rules::failing(watched),
        pending,
        doing,
        looked_at: watched.subject.at.or_else(|| watched.tests.iter().filter_map(|t| t.at).max()),
        observation: watched.subject.seen.clone(),
        not_seen: watched.subject.not_seen.clone(),
        since: watched.since.map(|s| s.1),
        identity: watched.subject.seen.as_ref().and_then(|o| o.identity),
        ending: watched.ending.clone(),
        tests: tests.collect(),
        rules: rules.collect(),
        restarts: watched.restarts,
        every: watched.every,
    }
}
