//! The loop.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use hinoban_action::{Errand, Message};
use hinoban_config::{Condition, Config, Service, Test};
use hinoban_event::{Doing, Event, Fact};
use hinoban_incident::Incidents;
use hinoban_journal::{Compacted, Entry, InFlight, Journal};
use hinoban_probe::ProbeError;
use hinoban_reading::{Identity, Stamp};
use hinoban_scheduler::{Act, Effect, Input, LookId, Part, Remembered, Scheduler, ServiceId, Unfinished};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::acts::Acts;
use crate::builder::Listener;
use crate::clock::Clock;
use crate::courier::Courier;
use crate::handle::{CommandError, Handle, Request, Status};
use crate::looks::{Looked, Looks};
use crate::plane::{Owner, Plane};
use crate::registry::{Bound, Programs, Registry};

/// Longest look at a thing itself.
const SUBJECT_LIMIT: Duration = Duration::from_secs(10);

/// Longest look by a probe that an embedder registered.
const CUSTOM_LIMIT: Duration = Duration::from_secs(60);

/// How long the courier may take to end.
const FAREWELL: Duration = Duration::from_secs(8);

/// Why the supervisor ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to.
    Stopped,
    /// Everything has been looked at once, and the configuration asks for no more.
    Once,
}

/// Everything the loop owns.
pub(crate) struct Loop {
    pub(crate) clock: Clock,
    pub(crate) config: Config,
    pub(crate) registry: Registry,
    pub(crate) scheduler: Scheduler,
    pub(crate) bound: HashMap<ServiceId, Bound>,
    pub(crate) looks: Looks,
    pub(crate) acts: Acts,
    pub(crate) plane: Option<Plane>,
    pub(crate) journal: Journal,
    pub(crate) incidents: Incidents,
    pub(crate) zone: jiff::tz::TimeZone,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) handle: Handle,
    pub(crate) requests: mpsc::UnboundedReceiver<Request>,
    pub(crate) post: Option<mpsc::UnboundedSender<(Stamp, Message)>>,
    pub(crate) couriers: JoinSet<()>,
    pub(crate) compacting: JoinSet<std::io::Result<Compacted>>,
    pub(crate) notes: (mpsc::UnboundedSender<Note>, mpsc::UnboundedReceiver<Note>),
    /// What probes cannot do here, as far as it has been told.
    pub(crate) limits: HashSet<String>,
    pub(crate) who: String,
    pub(crate) host: Arc<str>,
    pub(crate) since: Stamp,
    pub(crate) journal_broken: bool,
}

/// What tasks and threads tell the loop in passing.
pub(crate) enum Note {
    /// A process was started for an intent.
    Spawned(u64, Identity),
    /// Something about the messages to people went wrong.
    Trouble(String),
}

/// What the loop wakes up for.
enum Stir {
    Request(Option<Request>),
    Looked(Looked),
    Input(Input),
    Owners(std::collections::BTreeSet<Owner>),
    Note(Note),
    Compacted(std::io::Result<Compacted>),
    Due,
}

impl Loop {
    pub(crate) async fn run(mut self) -> Ended {
        self.tell_of_host(Fact::Started { who: self.who.clone() });
        let ended = loop {
            match self.next().await {
                Stir::Request(Some(Request::Stop)) | Stir::Request(None) => break Ended::Stopped,
                Stir::Request(Some(request)) => self.request(request),
                Stir::Looked(looked) => self.looked(looked),
                Stir::Input(input) => self.feed([input]),
                Stir::Owners(owners) => {
                    self.feed(owners.into_iter().map(|(service, part)| Input::Woken { service, part }));
                }
                Stir::Note(note) => self.note(note),
                Stir::Compacted(compacted) => {
                    // The long log goes on if there is no shorter one; the next try comes when it has grown further.
                    let _ = self.journal.adopt(compacted);
                }
                Stir::Due => self.feed([Input::Tick]),
            }
            if self.config.every.is_none() && self.scheduler.settled() && self.acts.is_empty() {
                break Ended::Once;
            }
        };
        self.farewell().await;
        ended
    }

    /// Waits for whatever comes first. What ends a life comes before what goes by the clock.
    async fn next(&mut self) -> Stir {
        let due = self.scheduler.next_deadline().and_then(|at| self.clock.instant(at));
        let plane = self.plane.as_mut();
        tokio::select! {
            biased;
            owners = async { match plane { Some(plane) => plane.stirred().await, None => std::future::pending().await } } => Stir::Owners(owners),
            input = self.acts.next() => Stir::Input(input),
            request = self.requests.recv() => Stir::Request(request),
            looked = self.looks.next() => Stir::Looked(looked),
            Some(note) = self.notes.1.recv() => Stir::Note(note),
            Some(Ok(compacted)) = self.compacting.join_next() => Stir::Compacted(compacted),
            () = async { match due { Some(due) => tokio::time::sleep_until(due).await, None => std::future::pending().await } } => Stir::Due,
        }
    }

    /// Gives inputs to the scheduler and carries out what it answers, until there is nothing left to do at once.
    pub(crate) fn feed(&mut self, inputs: impl IntoIterator<Item = Input>) {
        let mut inputs: VecDeque<Input> = inputs.into_iter().collect();
        while let Some(input) = inputs.pop_front() {
            for effect in self.scheduler.handle(self.clock.now(), input) {
                match effect {
                    Effect::Remember(remembered) => {
                        if let Some(entry) = entry(remembered) {
                            self.remember(entry);
                        }
                    }
                    Effect::Act { intent, service, act, limit, cause } => {
                        if let Some(done) = self.act(intent, service, act, limit, cause) {
                            inputs.push_back(done);
                        }
                    }
                    Effect::Look { look, early } => inputs.extend(self.look(look, early)),
                    Effect::Emit(event) => self.tell(event),
                    _ => {}
                }
            }
        }
    }

    fn look(&mut self, id: LookId, early: bool) -> Option<Input> {
        let limit = self.scheduler.service(id.service).map_or(SUBJECT_LIMIT, |s| limit(s, id.part));
        match self.looks.begin(id, early, limit, &self.clock) {
            Ok(Some(looked)) => Some(self.settle(looked)),
            Ok(None) => None,
            Err(()) => Some(Input::Observed { look: id, result: Err("there is no probe for it".to_owned()) }),
        }
    }

    fn looked(&mut self, looked: Looked) {
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
        let (result, (wakes, limits)) = self.looks.settle(looked, |probe| (probe.wakes(), probe.limits()));
        let troubles = self.plane.as_mut().map(|plane| plane.watch(owner, &wakes)).unwrap_or_default();
        for what in limits.into_iter().chain(troubles) {
            self.limited(id.service, what);
        }
        if matches!(result, Err(ProbeError::Panicked(_))) {
            self.rebuild(owner);
        }
        Input::Observed { look: id, result: result.map_err(|e| e.to_string()) }
    }

    /// Tells what a probe cannot do here, once for each text.
    fn limited(&mut self, service: ServiceId, what: String) {
        if self.limits.insert(what.clone()) {
            let name = self.scheduler.service(service).map_or(self.host.clone(), |s| s.name.as_str().into());
            let event = self.scheduler.tell(self.clock.now(), name, Fact::Limited { what });
            self.tell(event);
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
        if let Some(Ok(probe)) = made {
            self.looks.remove(&owner);
            self.looks.put(owner, probe);
        }
    }

    fn act(&mut self, intent: u64, id: ServiceId, act: Act, limit: Duration, cause: Event) -> Option<Input> {
        let service = self.scheduler.service(id)?.clone();
        let bound = self.bound.get(&id);
        let (action, doing) = match &act {
            Act::Start => (bound.and_then(|b| b.start.clone()), Doing::Start),
            Act::Stop => (bound.and_then(|b| b.stop.clone()), Doing::Stop),
            Act::Restart => (bound.and_then(|b| b.restart.clone()), Doing::Restart),
            Act::Exec { rule, recovery } => {
                let programs = bound.and_then(|b| b.execs.get(*rule));
                let pick = |p: &Programs| {
                    if *recovery { p.recovery.clone() } else { p.failure.clone() }
                };
                (programs.and_then(pick), Doing::Exec)
            }
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
        errand.readings = self.scheduler.seen(id).map(|o| o.readings.clone()).unwrap_or_default();
        let notes = self.notes.0.clone();
        errand.spawned = Some(Arc::new(move |identity| {
            let _ = notes.send(Note::Spawned(intent, identity));
        }));
        let limited = matches!(act, Act::Start | Act::Restart);
        self.acts.begin(action, cause, errand, limit, limited);
        None
    }

    fn note(&mut self, note: Note) {
        match note {
            Note::Spawned(intent, identity) => self.remember(Entry::Spawned { intent, identity }),
            Note::Trouble(what) => self.tell_of_host(Fact::Limited { what }),
        }
    }

    /// Writes down. A disk that refuses is told once, and supervision goes on.
    pub(crate) fn remember(&mut self, entry: Entry) {
        match self.journal.append(&entry) {
            Ok(()) => {
                self.journal_broken = false;
                if let Some(compaction) = self.journal.compaction() {
                    self.compacting.spawn_blocking(move || compaction.run());
                }
            }
            Err(_) if self.journal_broken => {}
            Err(error) => {
                self.journal_broken = true;
                let what = format!(
                    "cannot write the state file ({error}): what is stopped or being done now would be forgotten by a \
                     restart; make room for it"
                );
                self.tell_of_host(Fact::Limited { what });
            }
        }
    }

    /// Tells everybody.
    pub(crate) fn tell(&mut self, event: Event) {
        for listener in &self.listeners {
            listener(&event);
        }
        for delivery in self.incidents.handle(&event) {
            let id = delivery.id.clone();
            let Some(post) = &self.post else { continue };
            let _ = post.send((event.at, message(delivery)));
            if let Fact::Failed(failure) = &event.fact {
                let (rule, class, since) = (failure.rule, failure.class, failure.since);
                let service = event.service.clone();
                self.remember(Entry::Failed { service, rule, class, since, message_id: Some(id) });
            }
        }
        self.handle.publish(Arc::new(event));
    }

    pub(crate) fn tell_of_host(&mut self, fact: Fact) {
        let event = self.scheduler.tell(self.clock.now(), self.host.clone(), fact);
        self.tell(event);
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Status(answer) => {
                let _ = answer.send(self.status());
            }
            Request::Command { names, doing, by, answer } => {
                let ids: Result<Vec<ServiceId>, CommandError> = names
                    .iter()
                    .map(|name| {
                        self.scheduler.find(name).ok_or_else(|| CommandError::NoSuchService(name.clone()))
                    })
                    .collect();
                match ids {
                    Ok(ids) => {
                        let inputs: Vec<Input> = ids
                            .into_iter()
                            .map(|service| Input::Command { service, doing: doing.clone(), by: by.clone() })
                            .collect();
                        let _ = answer.send(Ok(()));
                        self.feed(inputs);
                    }
                    Err(error) => {
                        let _ = answer.send(Err(error));
                    }
                }
            }
            Request::Wake => self.feed([Input::WakeAll]),
            Request::Reload { config, courier, answer } => {
                let _ = answer.send(self.reload(*config, courier));
            }
            Request::Stop => {}
        }
    }

    fn status(&self) -> Status {
        Status {
            host: self.host.clone(),
            since: self.since,
            now: self.clock.now().stamp,
            every: self.config.every.unwrap_or_default(),
            start_delay: self.config.start_delay,
            services: self.scheduler.view(),
        }
    }

    /// Gives messages to this courier from now on; the one before ends with what it has.
    pub(crate) fn employ(&mut self, courier: Option<Box<dyn Courier>>) {
        self.post = courier.map(|courier| {
            let (post, messages) = mpsc::unbounded_channel();
            let notes = self.notes.0.clone();
            let trouble = Box::new(move |text| {
                let _ = notes.send(Note::Trouble(text));
            });
            self.couriers.spawn(async move { courier.carry(messages, trouble).await });
            post
        });
    }

    /// Says goodbye, and lets the last messages leave.
    async fn farewell(&mut self) {
        self.tell_of_host(Fact::Stopped { who: self.who.clone() });
        self.post = None;
        let all = async { while self.couriers.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(FAREWELL, all).await;
        let _ = self.journal.sync();
    }

    /// Takes up what an earlier life of the supervisor had begun: waits for its program, instead of starting a second one.
    pub(crate) fn resume(&mut self, flight: InFlight) {
        let InFlight { id: intent, service, doing, at, whole, by, processes } = flight;
        let unfinished = Unfinished {
            intent,
            service: service.to_string(),
            whole: whole.unwrap_or_else(|| doing.clone()),
            doing: doing.clone(),
            at,
            by,
            started: !processes.is_empty(),
        };
        let action = self.registry.leftover(processes);
        let resumed = action.and_then(|a| Some((a, self.scheduler.resume(self.clock.now(), &unfinished)?)));
        match resumed {
            Some((action, (_, left, cause))) => {
                let mut errand = Errand::new(service, doing, self.clock.after(left));
                errand.intent = intent;
                errand.host = self.host.clone();
                self.acts.begin(action, cause, errand, left, false);
            }
            None => self.remember(Entry::Done { intent, ok: false }),
        }
    }

    /// Puts the probes and actions of a service in their places.
    pub(crate) fn place(&mut self, id: ServiceId, mut bound: Bound) {
        if let Some(probe) = bound.subject.take() {
            self.looks.put((id, Part::Subject), probe);
        }
        for (rule, probe) in bound.tests.iter_mut().enumerate() {
            if let Some(probe) = probe.take() {
                self.looks.put((id, Part::Test(rule)), probe);
            }
        }
        self.bound.insert(id, bound);
    }

    pub(crate) fn displace(&mut self, id: ServiceId) {
        if let Some(bound) = self.bound.remove(&id) {
            let parts = (0..bound.tests.len()).map(Part::Test).chain([Part::Subject]);
            for owner in parts.map(|part| (id, part)) {
                self.looks.remove(&owner);
                if let Some(plane) = &mut self.plane {
                    plane.watch(owner, &[]);
                }
            }
        }
    }
}

/// The time a look may take at most; tests keep their own, shorter time-outs.
fn limit(service: &Service, part: Part) -> Duration {
    let test = match part {
        Part::Subject if matches!(service.kind, hinoban_config::Kind::Custom { .. }) => return CUSTOM_LIMIT,
        Part::Subject => return SUBJECT_LIMIT,
        Part::Test(rule) => service.rules.get(rule).map(|r| &r.when),
    };
    match test {
        // Resolving, connecting, TLS, the answer and its body have the time-out each.
        Some(Condition::Test { test: Test::Port(port), .. }) => {
            port.timeout * 5 * port.retry.max(1) + SUBJECT_LIMIT
        }
        Some(Condition::Test { test: Test::Url(url), .. }) => url.timeout * url.retry.max(1) + SUBJECT_LIMIT,
        _ => CUSTOM_LIMIT,
    }
}

fn entry(remembered: Remembered) -> Option<Entry> {
    Some(match remembered {
        Remembered::Monitoring { service, on } => Entry::Monitoring { service: service.into(), on },
        Remembered::Intent { intent, service, doing, at, whole, by } => {
            Entry::Intent { id: intent, service: service.into(), doing, at, whole, by }
        }
        Remembered::Done { intent, ok } => Entry::Done { intent, ok },
        Remembered::Failed { service, rule, class, since } => {
            Entry::Failed { service: service.into(), rule, class, since, message_id: None }
        }
        Remembered::Recovered { service, rule, class } => {
            Entry::Recovered { service: service.into(), rule, class }
        }
        _ => return None,
    })
}

fn message(delivery: hinoban_incident::Delivery) -> Message {
    let hinoban_incident::Delivery { id, from, reply_to, to, subject, body } = delivery;
    Message { id, from, reply_to, to, subject, body }
}
