//! A simulated world: services whose processes die, start slowly, hang or refuse, on a clock that jumps from one
//! happening to the next. Years pass in seconds, and every run is the same.

mod behaviour;
mod bounds;
mod crash;
mod dice;
mod generate;
mod proof;
mod rehearsal;
mod script;
mod shown;
mod situation;
mod trial;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{Config, Kind};
use hinoban_event::{Doing, Event, Report};
use hinoban_reading::{
    Ending, How, Identity, Moment, Observation, Reason, ReasonKind, Source, Standing, metrics,
};

use crate::{Act, Effect, Input, Part, Remembered, Restored, Scheduler, ServiceId, Verdict};

pub use behaviour::Behaviour;
pub use dice::Dice;
pub use proof::{Broken, Visits};
pub use rehearsal::{Left, Mishap, Rehearsed, rehearse};
pub use script::{Fault, Script, Step};
pub use situation::{Meets, Situation};
pub use trial::Outcome;

/// Something the scheduler had done, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Deed {
    /// When it began.
    pub at: Moment,
    /// To which service.
    pub service: String,
    /// What.
    pub act: Act,
}

/// A death is known after this time.
const HEARD: Duration = Duration::from_millis(1);

/// The simulated host. Time moves only in [`run`](World::run).
#[derive(Debug)]
pub struct World {
    /// The machine under simulation.
    pub scheduler: Scheduler,
    /// How each service behaves, by name.
    pub behaviour: BTreeMap<String, Behaviour>,
    /// Everything told so far.
    pub events: Vec<Event>,
    /// Everything done so far.
    pub deeds: Vec<Deed>,
    /// Services that were started while they ran, or were about to: nothing but a fault of ours does that.
    pub doubled: Vec<String>,
    /// Everything to be remembered so far.
    pub remembered: Vec<Remembered>,
    /// Services that were started although a process that they depend on had been gone for longer than it takes to hear
    /// of it.
    pub unready: Vec<String>,
    /// Whether looks at the things themselves end at once; see [`Script::inline`].
    pub inline: bool,
    /// When each process was last there.
    died: BTreeMap<String, Moment>,
    now: Moment,
    processes: BTreeMap<String, Identity>,
    /// What each pidfile says.
    named: BTreeMap<String, u32>,
    /// Processes that live on without a pidfile.
    lingering: BTreeMap<String, Identity>,
    endings: BTreeMap<String, Ending>,
    queue: BinaryHeap<Reverse<(Moment, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    busy: BTreeMap<String, u64>,
    /// The highest number of an intent so far.
    last_intent: u64,
    /// Numbers of all programs that were run.
    begun: HashSet<u64>,
    /// What the wall clock was set forward by, in microseconds.
    skew: i64,
    /// A crash that is to come between two effects.
    doom: Option<Doom>,
    /// Time stands still when a service is found in this situation: which one.
    ambush: Option<Situation>,
    caught: Option<String>,
    /// Whoever checks everything that happens.
    proof: Option<Box<proof::Proof>>,
    count: u64,
    pid: u32,
}

/// The supervisor is to be killed when it has carried out a part of what it next decides.
#[derive(Debug, Clone)]
struct Doom {
    config: Arc<Config>,
    /// Of so many effects the remainder by one more than there are is carried out.
    effects: usize,
    /// Not while a command is being accepted: until that has happened, whoever gave it knows that it is not.
    spares_commands: bool,
}

#[derive(Debug)]
enum Happening {
    Input(Input),
    Looked(crate::LookId),
    Appear(String),
    Stopped(String),
    Gone(String),
    Killed(String, Identity),
    ActionOver { service: String, input: Input },
    Leap(i64),
}

impl World {
    /// A world with the services of `config`, none of them running. First looks are due after `first`.
    pub fn new(config: &Config, first: Duration) -> Self {
        Self {
            scheduler: Scheduler::new(config, &Restored::default(), Moment::new(first)),
            behaviour: BTreeMap::new(),
            events: Vec::new(),
            deeds: Vec::new(),
            doubled: Vec::new(),
            remembered: Vec::new(),
            unready: Vec::new(),
            died: BTreeMap::new(),
            now: Moment::ZERO,
            processes: BTreeMap::new(),
            named: BTreeMap::new(),
            lingering: BTreeMap::new(),
            endings: BTreeMap::new(),
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            busy: BTreeMap::new(),
            last_intent: 0,
            begun: HashSet::new(),
            skew: 0,
            inline: false,
            doom: None,
            ambush: None,
            caught: None,
            proof: None,
            count: 0,
            pid: 100,
        }
    }

    /// How `service` behaves, to be changed.
    pub fn of(&mut self, service: &str) -> &mut Behaviour {
        self.behaviour.entry(service.to_owned()).or_default()
    }

    /// The time now.
    pub fn now(&self) -> Moment {
        self.now
    }

    /// Whether the process of `service` lives.
    pub fn lives(&self, service: &str) -> bool {
        self.processes.contains_key(service)
    }

    /// The process of `service` appears, by nobody's doing.
    pub fn appear(&mut self, service: &str) {
        self.pid += 1;
        self.named.insert(service.to_owned(), self.pid);
        if !self.of(service).unseen {
            let identity = Identity { pid: self.pid, start: u64::from(self.pid) };
            self.processes.insert(service.to_owned(), identity);
        }
        self.wake(service);
    }

    /// The process of `service` is killed by signal 9.
    pub fn kill(&mut self, service: &str) {
        self.end(service, How::Signalled { signal: 9, core: false });
    }

    /// The process of `service` ends, by nobody's doing that we know of.
    pub fn end(&mut self, service: &str, how: How) {
        if let Some(identity) = self.processes.remove(service) {
            self.died.insert(service.to_owned(), self.now);
            let ending = Ending::certain(identity, how, Source::Pidfd);
            if !self.of(service).secretive {
                self.endings.insert(service.to_owned(), ending);
            }
            self.wake(service);
        }
    }

    /// An operator asks for something.
    pub fn command(&mut self, service: &str, doing: Doing) {
        if let Some(service) = self.scheduler.find(service) {
            self.feed(Input::Command { service, doing, by: "operator".to_owned() });
        }
    }

    /// The supervisor is killed when it has carried out a part of what it next decides, and starts again under `config`:
    /// of `n` effects the first `effects % (n + 1)` happen. What was remembered among them survives.
    pub fn crash_within(&mut self, config: &Arc<Config>, effects: usize) {
        self.doom = Some(Doom { config: config.clone(), effects, spares_commands: false });
    }

    /// The wall clock is set forward, or back, by so many seconds, and the supervisor hears of it.
    pub fn set_clock(&mut self, by: i64) {
        self.skew += by * 1_000_000;
        if let Some(proof) = &mut self.proof {
            proof.clock(self.now);
        }
        self.feed(Input::ClockJumped);
    }

    /// Takes on another configuration, and puts what is remembered of failures where their rules stand now.
    pub fn reload(&mut self, config: &Config) {
        let report = self.scheduler.reload(self.instant(), config);
        if let Some(doom) = &mut self.doom {
            doom.config = Arc::new(config.clone());
        }
        for gone in &report.removed {
            self.remembered.retain(|entry| crash::about(entry) != Some(gone));
        }
        let moves = report.failures.iter().filter(|(_, rule, _, now)| Some(*rule) != *now);
        let mut entries = Vec::new();
        let mut begins = Vec::new();
        for (name, rule, class, now) in moves {
            let same = |entry: &&Remembered| {
                matches!(entry, Remembered::Failed { service, rule: r, class: c, .. }
                    if service == name && r == rule && c == class)
            };
            if let (Some(Remembered::Failed { since, condition, .. }), Some(now)) =
                (self.remembered.iter().rev().find(same), now)
            {
                let (service, class, condition) = (name.clone(), *class, condition.clone());
                begins.push(Remembered::Failed { service, rule: *now, class, since: *since, condition });
            }
            entries.push(Remembered::Recovered { service: name.clone(), rule: *rule, class: *class });
        }
        let anew = report.uncounted.iter().cloned();
        entries.extend(anew.map(|service| Remembered::Restarts { service, restarts: 0, cycles: 0 }));
        let forgiven = report.forgiven.iter().cloned();
        entries.extend(forgiven.map(|(service, repairs)| Remembered::Repairs { service, repairs }));
        self.remembered.extend(entries.into_iter().chain(begins));
        if let Some(mut proof) = self.proof.take() {
            proof.reloaded(self, &report);
            self.proof = Some(proof);
        }
    }

    /// Lets time pass.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let due = self.scheduler.next_deadline();
            let next = self.queue.peek().map(|Reverse((at, _))| *at);
            let at = [due, next].into_iter().flatten().min().unwrap_or(end);
            if at > end {
                self.now = end;
                return;
            }
            if self.caught.is_some() || self.proof.as_ref().is_some_and(|proof| proof.broken.is_some()) {
                return;
            }
            self.now = self.now.max(at);
            match self.queue.peek().copied() {
                Some(Reverse((when, key))) if when <= self.now => {
                    self.queue.pop();
                    if let Some(happening) = self.happenings.remove(&key) {
                        self.happen(happening);
                    }
                }
                _ if due.is_some_and(|d| d <= self.now) => self.feed(Input::Tick),
                _ => return,
            }
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Input(input) => self.feed(input),
            Happening::Appear(service) => self.appear(&service),
            Happening::Leap(by) => self.set_clock(by),
            Happening::Stopped(service) => {
                let lingers = self.of(&service).lingers;
                if let (Some(identity), false) = (self.processes.remove(&service), lingers.is_zero()) {
                    self.lingering.insert(service.clone(), identity);
                    self.later(lingers, Happening::Gone(service.clone()));
                }
                self.wake(&service);
            }
            Happening::Gone(service) => {
                self.lingering.remove(&service);
                self.wake(&service);
            }
            Happening::Killed(service, identity) => {
                if self.processes.get(&service) == Some(&identity) {
                    self.kill(&service);
                }
                if self.lingering.get(&service) == Some(&identity) {
                    self.lingering.remove(&service);
                    self.wake(&service);
                }
            }
            Happening::ActionOver { service, input } => {
                let ended =
                    |busy: &mut u64| matches!(&input, Input::ActionDone { intent, .. } if intent == busy);
                if self.busy.get_mut(&service).is_some_and(ended) {
                    self.busy.remove(&service);
                }
                self.feed(input);
            }
            Happening::Looked(look) => {
                let Some(service) = self.scheduler.service(look.service).cloned() else { return };
                let behaviour = self.of(&service.name);
                let blind = match look.part {
                    Part::Subject => behaviour.blind,
                    Part::Test(_) => behaviour.tests_blind,
                };
                let result = match look.part {
                    _ if blind => Err("it cannot be looked at".to_owned()),
                    Part::Subject => Ok(self.sight(&service.name, &service.kind)),
                    Part::Test(_) => Ok(self.test(&service.name, &service.kind)),
                };
                self.feed(Input::Observed { look, result });
            }
        }
    }

    fn sight(&mut self, name: &str, kind: &Kind) -> Observation {
        let Behaviour { other_type, reads, .. } = self.of(name).clone();
        let mut seen = match (self.processes.get(name), kind) {
            _ if other_type => {
                Observation::new(Standing::Down(Reason::new(ReasonKind::WrongType, "it is a directory")))
            }
            (Some(identity), Kind::Process { .. } | Kind::Custom { .. }) => {
                let mut seen = Observation::up().with(&metrics::PID, identity.pid);
                seen.identity = Some(*identity);
                seen
            }
            (Some(_), _) | (None, Kind::System) => Observation::up(),
            (None, Kind::File { .. } | Kind::Directory { .. } | Kind::Fifo { .. }) => {
                Observation::new(Standing::Absent(Reason::new(ReasonKind::FileAbsent, "it does not exist")))
            }
            (None, Kind::Filesystem { .. }) => Observation::new(Standing::Absent(Reason::new(
                ReasonKind::NotMounted,
                "nothing is mounted there",
            ))),
            (None, _) => Observation::new(Standing::Down(Reason::new(ReasonKind::ProcessGone, "it is gone"))),
        };
        if seen.standing.is_up() {
            reads.into_iter().for_each(|(metric, value)| seen.push(&metric, value));
        }
        if let Kind::Process { .. } = kind {
            seen.named = self.named.get(name).copied();
        }
        seen.ending = self.endings.remove(name);
        seen.former = self.lingering.get(name).copied();
        seen
    }

    fn test(&mut self, name: &str, kind: &Kind) -> Observation {
        let there = self.lives(name) || matches!(kind, Kind::Host { .. } | Kind::System);
        if self.of(name).tests_pass && there {
            Observation::up()
        } else {
            Observation::new(Standing::Down(Reason::new(ReasonKind::Refused, "Connection refused")))
        }
    }

    fn wake(&mut self, name: &str) {
        if self.of(name).wakes
            && let Some(service) = self.scheduler.find(name)
        {
            self.later(
                Duration::from_micros(100),
                Happening::Input(Input::Woken { service, part: Part::Subject }),
            );
        }
    }

    fn later(&mut self, after: Duration, happening: Happening) {
        self.count += 1;
        self.queue.push(Reverse((self.now + after, self.count)));
        self.happenings.insert(self.count, happening);
    }

    /// Whether a program of which nobody waits for the end runs for this intent, and will end.
    fn is_running(&self, intent: u64) -> bool {
        let ends = |h: &Happening| matches!(h, Happening::Input(Input::ActionDone { intent: of, .. }) if *of == intent);
        self.happenings.values().any(ends)
    }

    fn feed(&mut self, input: Input) {
        let now = self.instant();
        let mut proof = self.proof.take();
        if let Some(proof) = &mut proof {
            proof.before(self, &input);
        }
        let tick = input == Input::Tick;
        let command = matches!(input, Input::Command { .. });
        let mut effects = self.scheduler.handle(now, input);
        let doom = self.doom.take_if(|doom| !(effects.is_empty() || command && doom.spares_commands));
        if let Some(doom) = &doom {
            effects.truncate(doom.effects % (effects.len() + 1));
        }
        if let Some(proof) = &mut proof {
            let deadline = self.scheduler.next_deadline().filter(|_| tick);
            proof.after(self, &effects, doom.is_some(), deadline);
        }
        self.proof = proof;
        self.carry_out(effects);
        if let Some(doom) = doom {
            self.crash(&doom.config);
        }
        if let Some(ambush) = self.ambush {
            let found = (0..self.scheduler.services.len()).find(|i| self.scheduler.situation(*i) == ambush);
            self.caught = found.map(|i| self.scheduler.services[i].service.name.clone());
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Emit(event) => self.events.push(event),
                Effect::Remember(entry) => {
                    if let Remembered::Intent { intent, .. } | Remembered::Reaction { intent, .. } = &entry {
                        self.last_intent = self.last_intent.max(*intent);
                    }
                    self.remembered.push(entry);
                }
                Effect::Look { look, .. } if self.inline && look.part == Part::Subject => {
                    self.happen(Happening::Looked(look));
                }
                Effect::Look { look, .. } => {
                    let name =
                        self.scheduler.service(look.service).map(|s| s.name.clone()).unwrap_or_default();
                    let takes = match look.part {
                        Part::Subject => self.of(&name).look_takes,
                        Part::Test(_) => self.of(&name).test_takes,
                    };
                    self.later(takes, Happening::Looked(look));
                }
                Effect::Act { intent, service, act, limit, .. } => self.act(intent, service, act, limit),
            }
        }
    }

    fn act(&mut self, intent: u64, service: ServiceId, act: Act, limit: Duration) {
        let Some(service) = self.scheduler.service(service).cloned() else { return };
        let name = service.name.clone();
        let behaviour = self.of(&name).clone();
        self.deeds.push(Deed { at: self.now, service: name.clone(), act: act.clone() });
        if let Act::Kill(identity) = act {
            let (report, verdict) = (Report::default(), Verdict::Ran);
            self.later(Duration::from_millis(1), Happening::Killed(name, identity));
            let done = Input::ActionDone { intent, report, verdict };
            return self.later(Duration::from_millis(1), Happening::Input(done));
        }
        if let Act::End(program) = act {
            let of = |h: &Happening| matches!(h, Happening::ActionOver { input: Input::ActionDone { intent, .. }, .. } if *intent == program);
            self.happenings.retain(|_, h| !of(h) && !matches!(h, Happening::Stopped(who) if *who == name));
            let (report, verdict) = (Report::default(), Verdict::Ran);
            for intent in [intent, program] {
                let input = Input::ActionDone { intent, report: report.clone(), verdict };
                self.later(Duration::from_millis(1), Happening::ActionOver { service: name.clone(), input });
            }
            return;
        }
        let coming = |h: &Happening| matches!(h, Happening::Appear(who) if *who == name);
        if act == Act::Start && (self.lives(&name) || self.happenings.values().any(coming)) {
            self.doubled.push(name.clone());
        }
        if act == Act::Start {
            let known = |gone: &String| {
                let died = self.died.iter().find(|(name, _)| name.eq_ignore_ascii_case(gone));
                died.is_none_or(|(_, at)| self.now.since(*at) > HEARD)
            };
            // What was taken down for a restart had run without what is not watched, and does so again.
            let entered = self.remembered.iter().rev();
            let mut entered = entered.filter_map(|entry| match entry {
                Remembered::Intent { intent: i, part_of, .. } if *i == intent => Some(part_of.is_some()),
                _ => None,
            });
            let part = entered.next().unwrap_or(false);
            let watched =
                |name: &str| self.scheduler.find(name).is_some_and(|id| self.scheduler.is_watched(id));
            let needs = service.depends_on.iter().map(|wanted| &wanted.name);
            let needs = needs.filter(|name| !part || watched(name));
            if needs.filter(|name| !self.processes.keys().any(|p| p.eq_ignore_ascii_case(name))).any(known) {
                self.unready.push(name.clone());
            }
        }
        let takes = if act == Act::Stop { behaviour.stop_takes } else { behaviour.start_takes };
        let own = matches!(act, Act::Start | Act::Stop | Act::Restart);
        if own {
            let before = self.busy.insert(name.clone(), intent);
            assert!(before.is_none() || self.proof.is_some(), "two things are done to {name} at a time");
            let entered = |r: &Remembered| matches!(r, Remembered::Intent { intent: i, .. } if *i == intent);
            assert!(self.proof.is_some() || self.remembered.iter().any(entered));
        }
        let (verdict, took) = match takes < limit {
            _ if behaviour.broken => (Verdict::Failed, Duration::from_millis(1)),
            true => (Verdict::Ran, takes),
            false => (Verdict::TimedOut, limit),
        };
        self.begun.insert(intent);
        let report = Report { exit: Some(How::Exited { status: 0 }), took, ..Report::default() };
        match (&act, verdict) {
            (Act::Start | Act::Restart, Verdict::Ran) if !self.lives(&name) || act == Act::Restart => {
                if let Some(after) = behaviour.appears_after {
                    self.later(took + after, Happening::Appear(name.clone()));
                }
            }
            (Act::Stop, Verdict::Ran) if behaviour.stops => {
                self.later(took, Happening::Stopped(name.clone()))
            }
            _ => {}
        }
        let input = Input::ActionDone { intent, report, verdict };
        match own {
            true => self.later(took, Happening::ActionOver { service: name, input }),
            false => self.later(took, Happening::Input(input)),
        }
    }
}
