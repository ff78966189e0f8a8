//! Watches over a simulated world: what must never happen, whatever else does.
//!
//! What is checked here is said of the outside: of what the machine has done, told and remembered, beside what is so in the
//! world. Of its inside only what it watches and which of its rules fail is asked, and compared with what it had remembered.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use hinoban_config::{Condition, Kind, Mode, Rate, Service, Then, Turns};
use hinoban_event::{Doing, Event, Fact};
use hinoban_reading::{Identity, Moment};

use super::bounds::Bounds;
use super::shown::shown;
use super::situation::{Meets, Situation};
use super::{HEARD, World};
use crate::rest::Rest;
use crate::watched::Watched;
use crate::{Act, Effect, Input, Part, Reload, Remembered, ServiceId, Watching};

/// Something that must never happen, and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// What should be so: a sentence.
    pub invariant: &'static str,
    /// When it was not.
    pub at: Moment,
    /// Of what, and how.
    pub text: String,
}

/// How often each input met each situation.
pub type Visits = BTreeMap<(Situation, Meets), u64>;

/// What is checked, and what is remembered for that.
#[derive(Debug, Default)]
pub(super) struct Proof {
    pub(super) broken: Option<Broken>,
    pub(super) visits: Visits,
    pub(super) inputs: u64,
    /// What happened, a line each, if somebody wants to read it.
    pub(super) timeline: Option<Vec<String>>,
    tracks: BTreeMap<String, Track>,
    /// Each service as it was before this input.
    before: Vec<Before>,
    /// What was asked for before the last wish.
    undone: Vec<(String, bool)>,
    numbers: HashSet<u64>,
    /// Those of dependants' parts in restarts.
    parts: HashSet<u64>,
    /// What is promised of patience.
    bounds: Bounds,
    line: String,
    /// Ticks in the second that runs.
    ticks: (u64, u32),
    /// Ticks in a row that left something to be done at once.
    late: u32,
    /// All inputs in the ten seconds that run.
    pace: (u64, u32),
}

#[derive(Debug)]
struct Before {
    id: ServiceId,
    busy: bool,
    watched: bool,
}

/// One service, as it must be by all that was told and remembered.
#[derive(Debug, Default)]
struct Track {
    watching: bool,
    /// An operator has switched the watching off.
    off: bool,
    /// Since he did, somebody has asked for it.
    asked: bool,
    /// What the last look at it said, in this life.
    answered: Option<Answer>,
    looked: Moment,
    /// Whether nothing has kept it from being looked at.
    idle: bool,
    /// Since when its absence must be known.
    dark: Option<Moment>,
    failing: BTreeSet<usize>,
    /// Restarts and cycles within the window of its limits.
    tally: (u32, u32),
    /// How often a restart was counted, and how many were made.
    counted: u32,
    made: u32,
    /// What caused the last repair.
    cause: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Up(Option<Identity>),
    NotUp,
    Blind,
}

impl Proof {
    /// Takes note of the world as it is at first.
    pub(super) fn of(world: &World, timeline: bool) -> Self {
        let mut proof = Self { timeline: timeline.then(Vec::new), ..Self::default() };
        proof.meet(world);
        proof.bounds.meet(world);
        proof
    }

    /// Says that something must not be.
    pub(super) fn breaks(&mut self, at: Moment, invariant: &'static str, text: impl Into<String>) {
        if self.broken.is_none() {
            self.broken = Some(Broken { invariant, at, text: text.into() });
        }
    }

    /// Something that happens outside of the machine.
    pub(super) fn says(&mut self, at: Moment, text: impl FnOnce() -> String) {
        if let Some(timeline) = &mut self.timeline {
            timeline.push(format!("{at}  {}", text()));
        }
    }

    /// Takes note of services that are new.
    fn meet(&mut self, world: &World) {
        for watched in world.scheduler.services.iter().filter(|w| !w.leaving) {
            let track = self
                .tracks
                .entry(watched.service.name.clone())
                .or_insert_with(|| Track { watching: watched.watching != Watching::No, ..Track::default() });
            (track.looked, track.idle) = (world.now, false);
            track.dark = None;
            track.failing = failing(watched);
        }
    }

    pub(super) fn before(&mut self, world: &World, input: &Input) {
        let scheduler = &world.scheduler;
        self.inputs += 1;
        let second = world.now.elapsed().as_secs() / 10;
        self.pace = if self.pace.0 == second { (second, self.pace.1 + 1) } else { (second, 1) };
        if self.pace.1 > 4000 {
            self.breaks(world.now, "time does not stand still", "4000 inputs in 10 seconds");
        }
        self.before.clear();
        self.undone.clear();
        self.bounds.before(world, input);
        for (i, watched) in scheduler.services.iter().enumerate() {
            if let Some(meets) = scheduler.meets(i, input) {
                *self.visits.entry((scheduler.situation(i), meets)).or_default() += 1;
            }
            let watches = watched.watching != Watching::No;
            self.before.push(Before { id: watched.id, busy: watched.task.is_some(), watched: watches });
        }
        match input {
            Input::Observed { look, result } if look.part == Part::Subject => {
                let name = scheduler.service(look.service).map(|s| s.name.clone());
                if let Some(track) = name.and_then(|name| self.tracks.get_mut(&name)) {
                    track.answered = Some(match result {
                        Ok(seen) if seen.standing.is_up() => Answer::Up(seen.identity),
                        Ok(_) => Answer::NotUp,
                        Err(_) => Answer::Blind,
                    });
                }
            }
            Input::Command { service, doing, .. } => {
                let name = scheduler.service(*service).map(|s| s.name.clone()).unwrap_or_default();
                let wants = !matches!(doing, Doing::Stop | Doing::Unmonitor);
                let reach = if wants { above(world, &name) } else { below(world, &name) };
                for name in reach.iter().chain([&name]) {
                    // What was asked for before and is being done comes to its end first.
                    let mut busy = scheduler.services.iter().filter(|w| w.task.is_some());
                    let busy =
                        busy.any(|w| w.service.name == *name || above(world, &w.service.name).contains(name));
                    if let Some(track) = self.tracks.get_mut(name) {
                        self.undone.push((name.clone(), track.asked));
                        track.asked = wants || *doing == Doing::Stop && track.asked && busy;
                    }
                }
            }
            _ => {}
        }
        if self.timeline.is_some() {
            self.line = match input {
                Input::Observed { look, result } => {
                    let name = scheduler.service(look.service).map(|s| s.name.clone()).unwrap_or_default();
                    let saw = match result {
                        Ok(seen) => format!("{:?}", seen.standing),
                        Err(why) => why.clone(),
                    };
                    let saw = saw.split([',', '{']).next().unwrap_or_default().to_owned();
                    format!("{name} {:?} ({}): {saw}", look.part, look.generation)
                }
                Input::Command { service, doing, .. } => {
                    let name = scheduler.service(*service).map(|s| s.name.clone()).unwrap_or_default();
                    format!("{doing:?} {name}!")
                }
                input => format!("{input:?}"),
            };
        }
    }

    /// Checks what one input led to. `cut`: the supervisor was killed after these effects. `deadline`: the next one, after a
    /// tick.
    pub(super) fn after(&mut self, world: &World, effects: &[Effect], cut: bool, deadline: Option<Moment>) {
        let now = world.now;
        if self.timeline.is_some() {
            let shown: Vec<String> = effects.iter().filter_map(|effect| shown(world, effect)).collect();
            if !shown.is_empty() || cut {
                let line = std::mem::take(&mut self.line);
                let end = if cut { " ✝" } else { "" };
                self.says(now, || format!("{line} → {}{end}", shown.join("; ")));
            }
        }
        if let Some(deadline) = deadline {
            let second = now.elapsed().as_secs();
            self.ticks = if self.ticks.0 == second { (second, self.ticks.1 + 1) } else { (second, 1) };
            let most = 60 * (1 + world.scheduler.services.len() as u32);
            self.late = if deadline <= now { self.late + 1 } else { 0 };
            // What came up within the tick may need one more.
            if self.late > 2 {
                self.breaks(now, "after a tick the next one is later", format!("it is at {deadline}"));
            } else if self.ticks.1 > most {
                self.breaks(now, "time does not stand still", format!("{} ticks in a second", self.ticks.1));
            }
        }
        self.bounds.after(world, effects, cut);
        self.heed();
        let mut recovered: Vec<(&str, usize)> = Vec::new();
        for effect in effects {
            match effect {
                Effect::Remember(entry) => self.remembered(world, entry, &mut recovered),
                Effect::Emit(event) => self.told(now, event, &recovered),
                Effect::Look { look, early } => self.looks(world, look.service, look.part, *early),
                Effect::Act { intent, service, act, cause, .. } => {
                    self.acts(world, *intent, *service, act, cause);
                }
            }
        }
        if cut {
            // A wish that nobody got to remember, or not all of it, may be lost: what was asked for before may hold.
            for (name, asked) in std::mem::take(&mut self.undone) {
                if let Some(track) = self.tracks.get_mut(&name) {
                    track.asked |= asked;
                }
            }
            return;
        }
        for (i, watched) in world.scheduler.services.iter().enumerate().filter(|(_, w)| !w.leaving) {
            self.state(world, i, watched);
        }
    }

    fn remembered<'a>(
        &mut self,
        world: &World,
        entry: &'a Remembered,
        recovered: &mut Vec<(&'a str, usize)>,
    ) {
        let now = world.now;
        match entry {
            Remembered::Intent { intent, .. } | Remembered::Reaction { intent, .. }
                if !self.numbers.insert(*intent) =>
            {
                self.breaks(now, "no number is given twice", format!("intent {intent}"));
            }
            Remembered::Intent { intent, part_of: Some(_), .. } => {
                self.parts.insert(*intent);
            }
            Remembered::Failed { service, rule, .. } => {
                let new = self.tracks.get_mut(service).is_none_or(|track| track.failing.insert(*rule));
                // Each change is one of its own.
                let changes = |service: &Service| {
                    service.rules.get(*rule).is_some_and(|r| matches!(r.when, Condition::Changed { .. }))
                };
                let of = world.scheduler.find(service).and_then(|id| world.scheduler.service(id));
                if !new && !of.is_some_and(|service| changes(service)) {
                    let text = format!("rule {rule} of {service} had failed already");
                    self.breaks(now, "what fails is told once", text);
                }
            }
            Remembered::Recovered { service, rule, .. } => {
                recovered.push((service, *rule));
                let known = self.tracks.get_mut(service).is_none_or(|track| track.failing.remove(rule));
                if !known {
                    let text = format!("rule {rule} of {service} had not failed");
                    self.breaks(now, "only what has failed recovers", text);
                }
            }
            Remembered::Monitoring { service, on, why } => {
                let Some(track) = self.tracks.get_mut(service) else { return };
                track.watching = *on;
                (track.counted, track.made) = (0, 0);
                if *on && track.off && !track.asked {
                    let text = format!("{service} is watched, and nobody asked for that");
                    self.breaks(now, "what an operator stopped is left alone", text);
                } else {
                    track.off = !on && why.is_none();
                }
            }
            Remembered::Restarts { service, restarts, cycles } => {
                let Some(track) = self.tracks.get_mut(service) else { return };
                if *restarts > track.tally.0 {
                    track.counted += 1;
                }
                track.tally = (*restarts, *cycles);
            }
            _ => {}
        }
    }

    fn told(&mut self, now: Moment, event: &Event, recovered: &[(&str, usize)]) {
        let Some(track) = self.tracks.get(&*event.service) else { return };
        match &event.fact {
            // A rule that ends the watching ends its own failure with it.
            Fact::Failed(failure) if !track.failing.contains(&failure.rule) && track.watching => {
                let text = format!("rule {} of {}", failure.rule, event.service);
                self.breaks(now, "a failure is remembered before it is told", text);
            }
            Fact::Recovered(recovery) if !recovered.contains(&(&*event.service, recovery.rule)) => {
                let text = format!("rule {} of {}", recovery.rule, event.service);
                self.breaks(now, "a recovery is told once, of what had failed", text);
            }
            _ => {}
        }
    }

    fn looks(&mut self, world: &World, id: ServiceId, part: Part, early: bool) {
        let Some(watched) = world.scheduler.position(id).map(|i| &world.scheduler.services[i]) else {
            return;
        };
        let Some(track) = self.tracks.get_mut(&watched.service.name) else { return };
        track.looked = world.now;
        let (restarts, cycles) = track.tally;
        let over = watched.service.rules.iter().any(|rule| {
            let ends = matches!(rule.fail.then, Then::Unmonitor);
            matches!(rule.when, Condition::Restarts { count, within } if restarts >= count && cycles <= within)
                && ends
        });
        if over && !early && part == Part::Subject {
            let text = format!("{} was restarted {restarts} times within {cycles} cycles", watched.name);
            self.breaks(world.now, "nothing is repaired beyond its limit", text);
        }
    }

    fn acts(&mut self, world: &World, intent: u64, id: ServiceId, act: &Act, cause: &Event) {
        let now = world.now;
        // A kill belongs to a stop that is.
        if !self.numbers.contains(&intent) && !matches!(act, Act::Kill(_) | Act::End(_)) {
            self.breaks(now, "what is done is remembered before", format!("intent {intent}: {act:?}"));
        }
        if !matches!(act, Act::Start | Act::Stop | Act::Restart) {
            return;
        }
        let Some(service) = world.scheduler.service(id).cloned() else { return };
        let name = &service.name;
        if let Some(other) = world.busy.get(name) {
            let text = format!("{act:?} of {name}, while intent {other} is being done");
            self.breaks(now, "one thing is done to a service at a time", text);
        }
        let by_rule = matches!(cause.fact, Fact::Failed(_) | Fact::Recovered(_));
        let own = *cause.service == **name;
        let before = self.before.iter().find(|before| before.id == id);
        if by_rule && before.is_some_and(|b| !b.watched && !b.busy) {
            let text = format!("{act:?} of {name}, which is not watched");
            self.breaks(now, "what an operator stopped is left alone", text);
        }
        if by_rule && own && service.mode == Mode::Passive {
            self.breaks(now, "what is passive is not repaired", format!("{act:?} of {name}"));
        }
        if by_rule && own {
            self.repairs(world, &service, cause);
        }
        let starts = matches!(act, Act::Start | Act::Restart);
        if starts {
            for needed in above(world, name) {
                // What was taken down for a restart had run without what was not watched, and does so again; what depends
                // on that in turn is not looked at.
                let off = |name: &String| self.tracks.get(name).is_some_and(|track| !track.watching);
                if self.parts.contains(&intent) && (off(&needed) || above(world, &needed).iter().any(off)) {
                    continue;
                }
                if let Some(text) = missing(world, &needed) {
                    let text = format!("{act:?} of {name}: {text}");
                    self.breaks(now, "what others depend on is there before they are started", text);
                }
            }
        }
        let process = matches!(service.kind, Kind::Process { .. } | Kind::Custom { .. });
        let answered = self.tracks.get(name).map(|track| track.answered);
        match answered {
            Some(Some(Answer::Up(seen))) if process && *act == Act::Start => {
                let lives = world.processes.get(name).copied();
                if seen.is_some() && lives == seen {
                    self.breaks(now, "what lives is not started", format!("{name} was just seen"));
                }
            }
            Some(None) if process && *act == Act::Start => {
                self.breaks(now, "what nobody has looked at is not started", name.clone());
            }
            _ => {}
        }
    }

    fn repairs(&mut self, world: &World, service: &Service, cause: &Event) {
        let now = world.now;
        let limited = service.rules.iter().any(|rule| matches!(rule.when, Condition::Restarts { .. }));
        let Fact::Failed(failure) = &cause.fact else { return };
        let Some(track) = self.tracks.get_mut(&service.name) else { return };
        if track.cause.replace(cause.id) == Some(cause.id) {
            return;
        }
        if !matches!(failure.then, Doing::Start | Doing::Restart) {
            return;
        }
        if limited {
            track.made += 1;
            if track.made > track.counted {
                let text = format!("{}: {} made, {} counted", service.name, track.made, track.counted);
                self.breaks(now, "each repair counts", text);
            }
        }
    }

    /// The wall clock was set.
    pub(super) fn clock(&mut self, now: Moment) {
        self.bounds.clock(now);
    }

    /// What patience promises is judged elsewhere.
    fn heed(&mut self) {
        self.broken = self.broken.take().or_else(|| self.bounds.broken.take());
    }

    /// What must be so of a service at any time.
    fn state(&mut self, world: &World, i: usize, watched: &Watched) {
        let now = world.now;
        let name = &watched.service.name;
        let Some(track) = self.tracks.get_mut(name) else { return };
        let watches = watched.watching != Watching::No;
        if watches != track.watching {
            let text = format!("{name} is watched: {watches}; by what was remembered: {}", track.watching);
            return self.breaks(now, "what is watched is as it was remembered", text);
        }
        if watches && track.off && !track.asked {
            let text = format!("{name} is watched");
            return self.breaks(now, "what an operator stopped is left alone", text);
        }
        let differs = (0..watched.records.len()).find(|r| watched.fails(*r) != track.failing.contains(r));
        if let Some(rule) = differs {
            let text = format!("rule {rule} of {name} fails: {}", watched.fails(rule));
            return self.breaks(now, "what fails is as it was remembered", text);
        }
        let idle = watches
            && watched.task.is_none()
            && watched.rest == Rest::None
            && !world.scheduler.ending
            && watched.service.turns == Turns::Each;
        let behaviour = world.behaviour.get(name);
        let slow = behaviour.map_or(Duration::ZERO, |b| b.look_takes + b.test_takes);
        let looked_at = watched.has_subject() || watched.test_rules().next().is_some();
        if !idle || !looked_at || !track.idle {
            track.looked = now;
        }
        track.idle = idle;
        let patience = watched.every * 2 + slow + Duration::from_secs(3);
        if now.since(track.looked) > patience {
            let text = format!("{name} was last looked at at {}", track.looked);
            return self.breaks(now, "looks go on", text);
        }
        let at_once = |rule: &hinoban_config::Rule| {
            rule.when == Condition::Missing && rule.fail.rate == Rate::ONCE && rule.fail.lasting.is_none()
        };
        let Some(rule) = watched.service.rules.iter().position(at_once) else { return };
        let hidden =
            behaviour.is_some_and(|b| b.blind || b.other_type) || watched.service.kind == Kind::System;
        let gone = !world.processes.contains_key(name) && !hidden;
        if !(gone && idle) || track.failing.contains(&rule) || world.scheduler.closed(i) {
            track.dark = None;
            return;
        }
        if now.since(*track.dark.get_or_insert(now)) > patience {
            let text = format!("{name} is gone, and nobody has heard of it");
            self.breaks(now, "a failure is told, or follows from one that was", text);
        }
    }

    /// Another configuration was taken on.
    pub(super) fn reloaded(&mut self, world: &World, report: &Reload) {
        self.says(world.now, || format!("reloaded: {report:?}"));
        self.bounds.reloaded(world, report);
        for gone in &report.removed {
            self.tracks.remove(gone);
        }
        for anew in &report.uncounted {
            if let Some(track) = self.tracks.get_mut(anew) {
                track.tally = (0, 0);
            }
        }
        for watched in world.scheduler.services.iter().filter(|w| !w.leaving) {
            let Some(track) = self.tracks.get(&watched.service.name) else { continue };
            if track.watching != (watched.watching != Watching::No) {
                let text = format!("{} is watched: {}", watched.name, !track.watching);
                self.breaks(world.now, "a reload changes nothing that it does not name", text);
            }
        }
        self.meet(world);
        for track in self.tracks.values_mut() {
            // One that was counted may still be made.
            (track.counted, track.made) = (1, 0);
        }
    }

    /// The supervisor began anew.
    pub(super) fn revived(&mut self, world: &World, booted: bool) {
        self.says(world.now, || {
            if booted { "the host was booted" } else { "the supervisor was killed" }.to_owned()
        });
        self.bounds.revived(world);
        for watched in world.scheduler.services.iter().filter(|w| !w.leaving) {
            let Some(track) = self.tracks.get_mut(&watched.service.name) else { continue };
            (track.counted, track.made, track.cause, track.answered) = (0, 0, None, None);
            let watches = watched.watching != Watching::No;
            if booted {
                track.off &= !watches;
                track.watching = watches;
                if !watches {
                    track.tally = (0, 0);
                }
            } else if watches != track.watching {
                let text = format!("{} is watched: {watches}", watched.name);
                self.breaks(world.now, "a crash forgets nothing", text);
            } else if failing(watched) != track.failing {
                let text =
                    format!("of {} fail {:?}, not {:?}", watched.name, failing(watched), track.failing);
                self.breaks(world.now, "a crash forgets nothing", text);
            } else if !watched.service.rules.iter().any(|r| matches!(r.when, Condition::Restarts { .. })) {
                track.tally = (0, 0);
            } else if (watched.tally.restarts, watched.tally.cycles) != track.tally && watches {
                let text = format!("{}: {:?}, not {:?}", watched.name, watched.tally, track.tally);
                self.breaks(world.now, "a crash forgets nothing", text);
            }
        }
        self.meet(world);
    }
}

fn failing(watched: &Watched) -> BTreeSet<usize> {
    watched.failures().map(|(rule, _)| rule).collect()
}

/// Names of all that a service depends on, however far.
pub(super) fn above(world: &World, name: &str) -> Vec<String> {
    let scheduler = &world.scheduler;
    let Some(i) = scheduler.find(name).and_then(|id| scheduler.position(id)) else { return Vec::new() };
    let mut found: Vec<String> = Vec::new();
    let mut open = vec![scheduler.services[i].service.clone()];
    while let Some(service) = open.pop() {
        for wanted in &service.depends_on {
            if let Some(id) = scheduler.find(&wanted.name)
                && let Some(next) = scheduler.service(id)
                && !found.contains(&next.name)
            {
                found.push(next.name.clone());
                open.push(next.clone());
            }
        }
    }
    found
}

/// Names of all that depends on a service, however far.
pub(super) fn below(world: &World, name: &str) -> Vec<String> {
    let all = world.scheduler.services().map(|(_, service)| service.name.clone());
    all.filter(|other| above(world, other).iter().any(|above| above == name)).collect()
}

/// Why what is needed is not there, if that could be known.
fn missing(world: &World, name: &str) -> Option<String> {
    let service = world.scheduler.find(name).and_then(|id| world.scheduler.service(id))?;
    let silent = Default::default();
    let behaviour = world.behaviour.get(name).unwrap_or(&silent);
    let looked_at = !matches!(service.kind, Kind::Host { .. } | Kind::System);
    let may_be_gone = service.rules.iter().any(|rule| rule.when == Condition::Exists);
    let heard = behaviour.wakes && !behaviour.blind && matches!(service.turns, Turns::Each | Turns::Nth(_));
    if !looked_at || may_be_gone || !heard || world.processes.contains_key(name) {
        return None;
    }
    let since = world.died.get(name).map(|died| world.now.since(*died));
    since.is_none_or(|since| since > HEARD).then(|| format!("{name} is not there (ended {since:?} ago)"))
}
