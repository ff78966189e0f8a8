//! Plays a script, and judges how it ends.

use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{Change, Condition, Config, Dialect, Expect, Kind, Mode, Rule, Service, Then, Turns};
use hinoban_event::Doing;
use hinoban_reading::Moment;

use super::generate::readings;
use super::proof::{Broken, Proof, Visits, above};
use super::script::{Fault, Script};
use super::situation::Meets;
use super::{Behaviour, Happening, World};
use crate::watched::Watched;
use crate::{Input, Part, Remembered, Verdict, Watching};

const S: Duration = Duration::from_secs(1);

/// What came of a script.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The first thing that was not as it must be.
    pub broken: Option<Broken>,
    /// How many inputs the machine had.
    pub inputs: u64,
    /// Which inputs met which situations.
    pub visits: Visits,
    /// What happened, a line each; empty unless asked for.
    pub timeline: Vec<String>,
    /// How it ended: a line for each service.
    end: Vec<String>,
}

impl Script {
    /// Plays it. A mild one is played a second time without the crashes, and must end the same.
    pub fn play(&self, timeline: bool) -> Outcome {
        let played = std::panic::catch_unwind(|| self.play_through(timeline));
        played.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text =
                text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panics").to_owned();
            let broken = Broken { invariant: "the machine does not panic", at: Moment::ZERO, text };
            Outcome { broken: Some(broken), ..Outcome::default() }
        })
    }

    /// Whether every start and stop that leads to anything does so before its time is over. How much of that is left after
    /// a crash depends on the moment.
    fn is_in_time(&self) -> bool {
        let services = self.configs.iter().flat_map(|config| &config.services);
        let programs = services.flat_map(|s| [&s.start, &s.stop, &s.restart]).flatten();
        let least = programs.map(|program| program.timeout).min().unwrap_or(Duration::MAX);
        self.steps.iter().all(|step| match &step.fault {
            Fault::Behaves(_, is) => {
                let starts = is.start_takes + is.appears_after.unwrap_or_default();
                starts.max(is.stop_takes + is.lingers) < least
            }
            _ => true,
        })
    }

    fn play_through(&self, timeline: bool) -> Outcome {
        let mut outcome = Play::new(self, timeline).played_out();
        let crashes = self.steps.iter().any(|step| step.fault.is_crash());
        // What never gets well has no end to compare.
        let ends = self.configs[0].services.iter().all(|service| can_be_well(service)) && self.is_in_time();
        if self.mild && ends && crashes && outcome.broken.is_none() {
            let mut calm = self.clone();
            calm.steps.retain(|step| !step.fault.is_crash());
            let other = Play::new(&calm, timeline).played_out();
            outcome.inputs += other.inputs;
            other.visits.iter().for_each(|(key, n)| *outcome.visits.entry(*key).or_default() += n);
            outcome.timeline.push("-- without the crashes --".to_owned());
            outcome.timeline.extend(other.timeline);
            let differs = outcome.end.iter().zip(&other.end).find(|(with, without)| with != without);
            if let (Some((with, without)), None) = (differs, &other.broken) {
                let text = format!("{with}; without: {without}");
                let invariant = "a life with crashes ends as one without";
                outcome.broken = Some(Broken { invariant, at: Moment::ZERO, text });
            }
        }
        outcome
    }

    /// The smallest part of this in which the same thing is not as it must be; itself, if all is well.
    pub fn minimal(&self) -> Self {
        let Some(broken) = self.play(false).broken else { return self.clone() };
        self.shrunk(|less| less.play(false).broken.is_some_and(|b| b.invariant == broken.invariant))
    }
}

impl Fault {
    fn is_crash(&self) -> bool {
        matches!(self, Fault::Crash | Fault::CrashWithin(_))
    }
}

struct Play<'a> {
    script: &'a Script,
    world: World,
    config: Arc<Config>,
    /// What happens to whoever is caught.
    ambush: Option<Fault>,
}

impl<'a> Play<'a> {
    fn new(script: &'a Script, timeline: bool) -> Self {
        let config = script.configs[0].clone();
        let mut world = World::new(&config, Duration::ZERO);
        world.inline = script.inline;
        world.proof = Some(Box::new(Proof::of(&world, timeline)));
        for name in script.names() {
            world.of(&name).reads = readings(false);
        }
        Self { script, world, config, ambush: None }
    }

    fn played_out(mut self) -> Outcome {
        for step in &self.script.steps {
            self.pass(step.at);
            if self.is_broken() {
                break;
            }
            self.happens(&step.fault);
        }
        let steps: [fn(&mut Self); 2] = [Self::calm, Self::epilogue];
        for step in steps {
            if !self.is_broken() {
                step(&mut self);
            }
        }
        // Whether what is let alone lived at that moment is chance.
        let chance = |fault: &Fault| match fault {
            Fault::Asks(_, doing) => *doing == Doing::Unmonitor,
            Fault::Ambush(_, fault) => matches!(**fault, Fault::Asks(_, Doing::Unmonitor)),
            _ => false,
        };
        let chance = self.script.steps.iter().any(|step| chance(&step.fault));
        let end = self.world.scheduler.services.iter().map(|w| {
            let failing: Vec<_> = w.failures().map(|(rule, _)| rule).collect();
            let gave_up = w.gave_up.is_some();
            let watched = w.watching != Watching::No;
            // What waits for what nobody watches waits for ever, and whether it was taken down meanwhile is chance too.
            let off = |i: usize| self.world.scheduler.services[i].watching == Watching::No;
            let i = self.world.scheduler.position(w.id).unwrap_or_default();
            let waits = self.world.scheduler.ties.ancestors(i).into_iter().any(off);
            let chance = chance || w.service.stop.is_none();
            let lives = self.world.lives(&w.service.name) && !waits && (watched || !chance);
            format!(
                "{}: watched: {watched}, there: {lives}, failing {failing:?}, given up: {gave_up}",
                w.name
            )
        });
        let end = end.collect();
        let Some(proof) = self.world.proof.take() else { return Outcome::default() };
        let Proof { broken, inputs, visits, timeline, .. } = *proof;
        Outcome { broken, inputs, visits, timeline: timeline.unwrap_or_default(), end }
    }

    /// Lets time pass until then.
    fn pass(&mut self, until: Duration) {
        loop {
            let now = self.world.now;
            self.world.run(Moment::new(until).since(now));
            let Some(name) = self.world.caught.take() else { return };
            self.world.ambush = None;
            match self.ambush.take() {
                Some(fault) if !self.is_broken() => self.happens(&fault.of(name)),
                _ => return,
            }
        }
    }

    fn is_broken(&self) -> bool {
        self.world.proof.as_ref().is_some_and(|proof| proof.broken.is_some())
    }

    fn breaks(&mut self, invariant: &'static str, text: impl Into<String>) {
        let now = self.world.now;
        if let Some(proof) = &mut self.world.proof {
            proof.breaks(now, invariant, text);
        }
    }

    fn says(&mut self, text: impl FnOnce() -> String) {
        let now = self.world.now;
        if let Some(proof) = &mut self.world.proof {
            proof.says(now, text);
        }
    }

    fn counts(&mut self, meets: Meets) {
        let Some(mut proof) = self.world.proof.take() else { return };
        proof.inputs += 1;
        for i in 0..self.world.scheduler.services.len() {
            *proof.visits.entry((self.world.scheduler.situation(i), meets)).or_default() += 1;
        }
        self.world.proof = Some(proof);
    }

    fn happens(&mut self, fault: &Fault) {
        self.says(|| match fault {
            Fault::Behaves(name, behaviour) => format!("* {name} is {}", behaviour.difference()),
            fault => format!("* {fault:?}"),
        });
        let world = &mut self.world;
        match fault {
            Fault::Ends(name, how) => world.end(name, how.clone()),
            Fault::Appears(name) => {
                if !world.lives(name) {
                    world.appear(name);
                }
            }
            Fault::Behaves(name, behaviour) => {
                world.behaviour.insert(name.clone(), (**behaviour).clone());
                world.wake(name);
            }
            Fault::Asks(name, doing) => world.command(name, doing.clone()),
            Fault::Stirs(name, times) => {
                let Some(service) = world.scheduler.find(name) else { return };
                let rules = world.scheduler.service(service).map_or(0, |s| s.rules.len());
                for n in 0..*times {
                    // Any part of it, also what is no test.
                    let at = n as usize % (rules + 1);
                    let part = if at == rules { Part::Subject } else { Part::Test(at) };
                    world.feed(Input::Woken { service, part });
                }
            }
            Fault::WakeAll => world.feed(Input::WakeAll),
            Fault::Clock(by) => {
                world.set_clock(*by);
                // Whoever sets it by little does so again and again.
                let more = if by.abs() < 60 { 40 } else { 0 };
                (1..=more).for_each(|n| world.later(11 * n * S, Happening::Leap(*by)));
            }
            Fault::Reload(at) => {
                self.counts(Meets::Reloaded);
                self.config = self.script.configs[*at].clone();
                self.world.reload(&self.config);
            }
            Fault::Crash => {
                self.counts(Meets::Crashed);
                self.world.crash(&self.config);
            }
            Fault::CrashWithin(effects) => {
                self.counts(Meets::Crashed);
                self.world.crash_within(&self.config, *effects);
                if let Some(doom) = &mut self.world.doom {
                    doom.spares_commands = self.script.mild;
                }
            }
            Fault::Reboot => {
                self.counts(Meets::Crashed);
                self.world.reboot(&self.config);
            }
            Fault::End => {
                self.counts(Meets::Ended);
                self.world.scheduler.end();
                for _ in 0..60 {
                    if !self.world.scheduler.under_way() {
                        break;
                    }
                    self.world.run(S);
                }
                self.world.crash(&self.config);
            }
            Fault::StrangeEnd => {
                let (report, verdict) = (Default::default(), Verdict::Ran);
                world.feed(Input::ActionDone { intent: u64::MAX, report, verdict });
            }
            Fault::Ambush(situation, fault) => {
                world.ambush = Some(*situation);
                self.ambush = Some((**fault).clone());
            }
        }
    }

    /// All troubles are over: what is watched is well again within a time that can be computed.
    fn calm(&mut self) {
        self.says(|| "* all troubles are over".to_owned());
        (self.world.doom, self.world.ambush, self.world.caught) = (None, None, None);
        self.world.happenings.retain(|_, happening| !matches!(happening, Happening::Leap(_)));
        let names = self.script.names();
        for name in &names {
            let well = Behaviour { reads: readings(false), ..Behaviour::default() };
            self.world.behaviour.insert(name.clone(), well);
            self.world.wake(name);
        }
        let bound = self.bound();
        // What nobody starts comes back by itself: at first, and when all that was still being done is over.
        for part in 0..3 {
            for name in names.iter().filter(|_| part < 2) {
                let heals = self.world.scheduler.find(name).and_then(|id| self.world.scheduler.service(id));
                let waits = part == 0 && heals.is_some_and(|service| is_repaired(service));
                let started = heals.is_some_and(|service| is_repaired(service) && !gives_up_gone(service));
                if !self.world.lives(name) && !waits && !started {
                    self.world.appear(name);
                }
            }
            self.world.run(bound / 3);
            if self.is_broken() {
                return;
            }
        }
        self.judge();
    }

    fn judge(&mut self) {
        let scheduler = &self.world.scheduler;
        if !scheduler.settled() {
            return self.breaks("when troubles are over, all comes to rest", "it has not settled");
        }
        let open = self.open();
        if !open.is_empty() {
            return self.breaks("when all is done, nothing is open", format!("intents {open:?}"));
        }
        let unwell = scheduler.services.iter().filter(|w| self.must_be_well(w) && !self.is_well(w));
        let unwell: Vec<String> = unwell.map(|w| w.name.to_string()).collect();
        if !unwell.is_empty() {
            return self.breaks("when troubles are over, all is up again", unwell.join(", "));
        }
        let down = scheduler.services.iter().find(|w| self.must_be_back(w));
        if let Some(down) = down.map(|w| w.name.to_string()) {
            self.breaks("what a restart took down is started after it", down);
        }
    }

    /// Whether it waits as a part in a restart although nothing of what it depends on is watched and cannot be well.
    fn must_be_back(&self, watched: &Watched) -> bool {
        let above = above(&self.world, &watched.service.name);
        let mut needs = self.world.scheduler.services.iter().filter(|w| above.contains(&w.service.name));
        let part = watched.task.as_ref().is_some_and(|task| task.share().is_some());
        part && needs.all(|w| w.watching == Watching::No && w.task.is_none() || self.is_well(w))
    }

    /// Intents that nobody has seen the end of.
    fn open(&self) -> Vec<u64> {
        let mut open: Vec<u64> = Vec::new();
        for entry in &self.world.remembered {
            match entry {
                Remembered::Intent { intent, .. } | Remembered::Reaction { intent, .. } => open.push(*intent),
                Remembered::Done { intent, .. } => open.retain(|other| other != intent),
                _ => {}
            }
        }
        // Who waits for what does not get well waits on, each under one number.
        let waiting =
            self.world.scheduler.services.iter().filter(|w| w.task.is_some() && !self.must_be_well(w));
        open.retain(|intent| !waiting.clone().any(|w| w.stands_for(*intent)));
        // A program that a rule has run again just now is about to end.
        open.retain(|intent| !self.world.is_running(*intent));
        open
    }

    fn must_be_well(&self, watched: &Watched) -> bool {
        let name = &watched.service.name;
        let above = above(&self.world, name);
        let all = self.world.scheduler.services.iter();
        let concerned: Vec<&Watched> =
            all.filter(|w| w.service.name == *name || above.contains(&w.service.name)).collect();
        // Under a control file turns that never fall into the same cycle keep one from being looked at for ever.
        let turns = concerned.iter().filter(|w| w.service.turns != Turns::Each).count();
        let meet = self.config.dialect == Dialect::Toml || turns < 2;
        meet && concerned
            .into_iter()
            .all(|w| w.watching != Watching::No && !w.leaving && can_be_well(&w.service))
    }

    fn is_well(&self, watched: &Watched) -> bool {
        let there = !watched.has_subject()
            || watched.service.kind == Kind::System
            || self.world.lives(&watched.service.name);
        there && watched.is_up() && watched.watching == Watching::Yes && watched.failures().next().is_none()
    }

    /// An operator stops something that is well, and later starts it.
    fn epilogue(&mut self) {
        let scheduler = &self.world.scheduler;
        let can = |w: &&Watched| {
            let service = &w.service;
            w.is_process() && service.start.is_some() && service.stop.is_some() && self.must_be_well(w)
        };
        let candidates: Vec<String> =
            scheduler.services.iter().filter(can).map(|w| w.service.name.clone()).collect();
        if candidates.is_empty() {
            return;
        }
        let at = self.script.seed as usize;
        let name = &candidates[at % candidates.len()];
        if at & 8 == 0 {
            self.world.crash_within(&self.config, at >> 4 & 15);
            if let Some(doom) = &mut self.world.doom {
                doom.spares_commands = true;
            }
        }
        self.world.command(name, Doing::Stop);
        self.world.run(self.bound());
        let watched = self.world.scheduler.find(name).and_then(|id| self.world.scheduler.position(id));
        let Some(watched) = watched.map(|i| &self.world.scheduler.services[i]) else { return };
        if self.world.lives(name) || watched.watching != Watching::No {
            let text = format!("{name} was stopped; watched: {:?}", watched.watching);
            return self.breaks("what an operator stopped is left alone", text);
        }
        self.world.doom = None;
        // Who changes his mind while it is being done has the last word.
        let wishes: &[Doing] =
            if at & 16 == 0 { &[Doing::Start] } else { &[Doing::Start, Doing::Restart, Doing::Start] };
        wishes.iter().for_each(|doing| self.world.command(name, doing.clone()));
        self.world.run(self.bound());
        let watched = self.world.scheduler.find(name).and_then(|id| self.world.scheduler.position(id));
        let Some(watched) = watched.map(|i| &self.world.scheduler.services[i]) else { return };
        if !self.is_well(watched) && !self.is_broken() {
            self.breaks("what an operator asks for is done", format!("{name} was to be started"));
        }
        let open = self.open();
        if !open.is_empty() && !self.is_broken() {
            self.breaks("when all is done, nothing is open", format!("intents {open:?}"));
        }
    }

    /// The longest time in which all can be well again.
    fn bound(&self) -> Duration {
        let services = &self.config.services;
        let mut bound = 60 * S;
        for service in services {
            let programs = [&service.start, &service.stop, &service.restart];
            bound += programs.into_iter().flatten().map(|p| p.timeout).sum::<Duration>();
            let every = service.every.or(self.config.every).unwrap_or(S);
            let turns = |turns: &Turns| match turns {
                Turns::Each => 1,
                Turns::Nth(n) => *n.max(&1),
                Turns::At(_) | Turns::Except(_) => 1 + (180 * S).div_duration_f64(every) as u32,
            };
            // Under a control file it has its turn when those have theirs that it depends on.
            let above = above(&self.world, &service.name);
            let concerned = services.iter().filter(|s| s.name == service.name || above.contains(&s.name));
            let turns = concerned.map(|s| turns(&s.turns)).max().unwrap_or(1);
            let looks = |rule: &Rule| {
                let limit = match rule.when {
                    Condition::Restarts { within, .. } => within + 2,
                    _ => 0,
                };
                limit + u32::from(rule.ok.rate.within.max(rule.fail.rate.within))
            };
            let looks = 3 + service.rules.iter().map(looks).max().unwrap_or(0);
            bound += every * looks * turns;
            let lasting = service.rules.iter().flat_map(|r| [r.fail.lasting, r.ok.lasting]).flatten().max();
            bound += lasting.unwrap_or_default();
            bound += service.patience.map_or(Duration::ZERO, |patience| patience.longest * 2);
        }
        bound
    }
}

/// Whether a rule starts it again when it is gone.
fn is_repaired(service: &Service) -> bool {
    let starts = |rule: &Rule| {
        rule.when == Condition::Missing
            && match rule.fail.then {
                Then::Restart => service.start.is_some() || service.restart.is_some(),
                Then::Start => service.start.is_some(),
                _ => false,
            }
    };
    service.mode == Mode::Active && service.rules.iter().any(starts)
}

fn gives_up_gone(service: &Service) -> bool {
    service.patience.is_some_and(|patience| patience.give_up_gone.is_some())
}

/// Whether none of its rules fails because of how it is written.
fn can_be_well(service: &Service) -> bool {
    service.rules.iter().all(|rule| match &rule.when {
        Condition::Exists => false,
        Condition::Test { expect, .. } => *expect == Expect::Failed,
        Condition::Changed { expect, .. } => *expect == Change::Changed,
        _ => true,
    })
}
