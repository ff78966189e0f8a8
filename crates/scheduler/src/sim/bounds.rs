//! What patience promises, watched over: repairs in a row come with growing pauses, never before them and not much later;
//! what lives is given up after as many in vain as are asked for, and no rule repairs it then; people are reminded ever more
//! rarely; and who was well for long enough begins anew.
//!
//! What repairs have come to is taken from what the machine remembers, one step at a time: each step must be one of the few
//! that there are, and follow from what has happened. That what is done, told and known agrees with it is checked beside.

mod host;
mod late;
mod step;

use std::collections::BTreeMap;
use std::time::Duration;

use hinoban_config::{Patience, Then};
use hinoban_event::{Because, Class, Doing, Event, Fact};
use hinoban_reading::{Moment, Stamp};

use step::{Step, step};

use super::World;
use super::proof::{Broken, below};
use crate::watched::Watched;
use crate::{Act, Effect, Input, Part, Reload, Remembered, Repairs, ServiceId, Watching};

/// People are reminded at least so often.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What is checked, and what is kept for that.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    /// The first thing that was not as it must be.
    pub(super) broken: Option<Broken>,
    rows: BTreeMap<String, Row>,
    /// Services for which somebody says by this input that all begins anew …
    anew: Vec<String>,
    /// … of which he names the first himself: of that nothing may be left.
    named: bool,
    host: host::Spent,
}

/// What repairs of one service must have come to.
#[derive(Debug, Default)]
struct Row {
    /// As the machine must know it …
    repairs: Repairs,
    /// … and as a later life would.
    written: Repairs,
    patience: Option<Patience>,
    /// It was counted under another patience: how often says nothing of what that allows.
    inexact: bool,
    /// When the last repair was decided, and how many there were then …
    begun: Option<Moment>,
    made: u32,
    /// … and when it was over, in this life.
    ended: Option<Moment>,
    /// The wall clock was set since: a later life does not know how long ago all that was.
    blurred: bool,
    /// Since when nobody knows that.
    quiet: Option<Moment>,
    /// All that was in an earlier life.
    inherited: bool,
    /// When people were last told that it is given up; `None`: that cannot be known …
    told: Option<Moment>,
    /// … by a later life, for the wall clock was set since it was given up.
    vague: bool,
    /// Since when it is well by itself …
    calm: Option<Moment>,
    /// … and what it depends on is well too.
    well: Option<Moment>,
    /// Since when a repair is wanted that nothing holds back …
    due: Option<Moment>,
    /// … and the first look at itself since then.
    seen: Option<Moment>,
    /// When a restart was last decided that the host has to bear.
    spent: Option<Stamp>,
    /// Repairs that were decided in this life, those of which something was done, and what caused the last of them.
    decided: u32,
    acted: u32,
    cause: Option<u64>,
}

impl Row {
    fn of(watched: &Watched) -> Self {
        let repairs = known(watched);
        let written = repairs.clone();
        Self { repairs, written, patience: watched.service.patience, ..Self::default() }
    }

    /// The longest that the pause which runs may last.
    fn pauses_until(&self) -> Option<Moment> {
        let patience = self.patience?;
        let pause = even(patience.first, self.made.checked_sub(1)?, patience.longest);
        Some(self.begun.max(self.ended).max(self.quiet)? + (pause / 10 * 11).min(patience.longest))
    }

    /// The earliest moment of the next repair after so many in the row, or of giving up.
    fn earliest(&self, in_row: u32) -> Option<Moment> {
        let patience = self.patience?;
        let pause = even(patience.first, in_row.checked_sub(1)?, patience.longest);
        Some(self.begun.max(self.ended)? + pause / 10 * 9)
    }

    /// Nobody knows any more how long ago all that was.
    fn loses(&mut self, now: Moment) {
        (self.begun, self.quiet) = (None, Some(now));
    }

    /// Time until people are reminded again.
    fn reminds(&self, times: u32) -> Duration {
        let remind = self.patience.unwrap_or_default().remind;
        even(remind, times.saturating_sub(1), DAY.max(remind))
    }
}

/// What doubles each time, but not above `most`.
fn even(first: Duration, times: u32, most: Duration) -> Duration {
    (0..times.min(64)).fold(first.min(most), |time, _| (time * 2).min(most))
}

fn known(watched: &Watched) -> Repairs {
    watched.trial.as_ref().map(|trial| trial.repairs.clone()).unwrap_or_default()
}

/// Watched and seen to be there, nothing fails for which it is repaired, and nothing is done to it, though something may be
/// about to be.
fn is_calm(watched: &Watched) -> bool {
    let repairs = |rule: usize| {
        let then = &watched.service.rules[rule].fail.then;
        matches!(then, Then::Start | Then::Restart)
    };
    watched.watching == Watching::Yes
        && watched.task.as_ref().is_none_or(|task| !task.has_begun())
        && watched.is_up()
        && watched.all_looks().all(|looks| looks.not_seen.is_none())
        && !watched.failures().any(|(rule, _)| repairs(rule))
}

/// Nothing of a row is left.
fn is_over(repairs: &Repairs) -> bool {
    repairs.in_row() == 0 && repairs.gave_up.is_none() && !repairs.open
}

impl Bounds {
    fn breaks(&mut self, at: Moment, invariant: &'static str, text: impl Into<String>) {
        if self.broken.is_none() {
            self.broken = Some(Broken { invariant, at, text: text.into() });
        }
    }

    /// Takes note of services that are new.
    pub(super) fn meet(&mut self, world: &World) {
        for watched in world.scheduler.services.iter().filter(|w| !w.leaving) {
            self.rows.entry(watched.service.name.clone()).or_insert_with(|| Row::of(watched));
        }
    }

    pub(super) fn before(&mut self, world: &World, input: &Input) {
        self.anew.clear();
        self.named = false;
        let name = |id: ServiceId| world.scheduler.service(id).map(|service| service.name.clone());
        match input {
            Input::Command { service, doing, .. } => {
                let name = name(*service).unwrap_or_default();
                self.anew.push(name.clone());
                if *doing == Doing::Unmonitor {
                    self.anew.extend(below(world, &name));
                }
                self.named = true;
            }
            // It is not as it seems from outside: somebody has seen it answer.
            Input::Observed { look, result } if look.part != Part::Subject => {
                let answers = result.as_ref().is_ok_and(|seen| seen.standing.is_up());
                let name = name(look.service).filter(|_| answers);
                if let Some(row) = name.and_then(|name| self.rows.get_mut(&name)) {
                    row.due = None;
                }
            }
            Input::Observed { look, result: Ok(seen) } if !seen.standing.is_up() => {
                let row = name(look.service).and_then(|name| self.rows.get_mut(&name));
                if let Some(row) = row.filter(|row| row.due.is_some()) {
                    row.seen.get_or_insert(world.now);
                }
            }
            _ => {}
        }
    }

    /// Checks what one input led to. `cut`: the supervisor was killed after these effects.
    pub(super) fn after(&mut self, world: &World, effects: &[Effect], cut: bool) {
        for effect in effects {
            if let Effect::Remember(Remembered::Monitoring { service, on: false, .. }) = effect {
                self.anew.push(service.clone());
            }
        }
        // Of what is not watched any more nobody may have got to remember that.
        let off = world.scheduler.services.iter().filter(|w| w.watching == Watching::No);
        self.anew.extend(off.map(|w| w.service.name.clone()));
        let mut steps = Vec::new();
        for effect in effects {
            match effect {
                Effect::Remember(Remembered::Repairs { service, repairs }) => {
                    self.remembered(world, service, repairs, &mut steps);
                }
                Effect::Emit(event) => self.told(world, event, &steps, cut),
                Effect::Act { service, act: Act::Start | Act::Stop | Act::Restart, cause, .. } => {
                    self.acts(world, *service, cause);
                }
                _ => {}
            }
        }
        if cut {
            return;
        }
        self.anew(world);
        for effect in effects {
            if let Effect::Emit(event) = effect {
                self.first(world, event, &steps);
            }
        }
        for (i, watched) in world.scheduler.services.iter().enumerate().filter(|(_, w)| !w.leaving) {
            self.state(world, i, watched);
        }
    }

    /// What repairs have come to is not what it was.
    fn remembered(&mut self, world: &World, name: &str, new: &Repairs, steps: &mut Vec<(String, Step)>) {
        let now = world.now;
        let Some(row) = self.rows.get_mut(name) else { return };
        let Some(watched) = world.scheduler.services.iter().find(|w| w.service.name == name) else { return };
        let old = std::mem::replace(&mut row.repairs, new.clone());
        row.written = new.clone();
        let (stamp, anew) = (world.instant().stamp, self.anew.iter().any(|other| other == name));
        let step = match step(row, &old, new, stamp, anew) {
            Ok(step) => step,
            Err(()) => {
                let text = format!("{name}: from {old:?} to {new:?}");
                return self.breaks(now, "what repairs have come to goes step by step", text);
            }
        };
        steps.push((name.to_owned(), step));
        let spends = new.spent.last().filter(|at| **at == stamp && old.spent.last() != Some(at)).copied();
        row.spent = spends.or(row.spent);
        let broken = row.takes(step, &old, new, watched, now);
        if let Some((invariant, text)) = broken {
            self.breaks(now, invariant, format!("{name}: {text}"));
        }
        if let Some(text) = spends.and_then(|_| self.host.spends(world, name)) {
            self.breaks(now, "the host bears no more than its budget", text);
        }
    }

    fn told(&mut self, world: &World, event: &Event, steps: &[(String, Step)], cut: bool) {
        let Some(row) = self.rows.get_mut(&*event.service) else { return };
        match &event.fact {
            Fact::Ended { doing, because: Because::Rule { .. }, .. }
                if matches!(doing, Doing::Start | Doing::Stop | Doing::Restart)
                    && row.repairs.in_row() > 0 =>
            {
                row.ended = Some(world.now);
                row.made = row.repairs.in_row();
            }
            Fact::GaveUp { times, .. } => {
                let known = |step: &Step| match step {
                    Step::GivesUp { .. } => *times == 1,
                    Step::Reminds { times: n } => times == n,
                    _ => false,
                };
                if !cut && !steps.iter().any(|(name, step)| **name == *event.service && known(step)) {
                    let text = format!("{}: {times}", event.service);
                    self.breaks(world.now, "that it is given up is remembered before it is told", text);
                }
            }
            _ => {}
        }
    }

    /// What an operator had a hand in begins anew.
    fn anew(&mut self, world: &World) {
        let Some(name) = self.anew.first().filter(|_| self.named) else { return };
        if let Some(row) = self.rows.get(name).filter(|row| !is_over(&row.repairs)) {
            let text = format!("{name}: {:?}", row.repairs);
            self.breaks(world.now, "what somebody has a hand in begins anew", text);
        }
    }

    /// Of a rule's repair something is done.
    fn acts(&mut self, world: &World, id: ServiceId, cause: &Event) {
        let Some(service) = world.scheduler.service(id) else { return };
        let Fact::Failed(failure) = &cause.fact else { return };
        let Some(row) = self.rows.get_mut(&service.name).filter(|_| *cause.service == *service.name) else {
            return;
        };
        if !matches!(failure.then, Doing::Start | Doing::Restart)
            || row.cause.replace(cause.id) == Some(cause.id)
        {
            return;
        }
        row.acted += u32::from(service.patience.is_some());
        let (acted, decided, spent) = (row.acted, row.decided, row.spent);
        if acted > decided {
            let text = format!("{}: {acted} made, {decided} counted", service.name);
            self.breaks(world.now, "each repair counts in its row", text);
        }
        // It may have waited for others to be out of its way.
        let lived =
            failure.then == Doing::Restart && !matches!(failure.class, Class::NonExist | Class::Invalid);
        if lived && world.scheduler.budget.is_some() && spent.is_some_and(|at| at < cause.at) {
            let text = format!("{}: decided at {:?}", service.name, cause.at);
            self.breaks(world.now, "what restarts cost the host is remembered", text);
        }
    }

    /// The wall clock was set.
    pub(super) fn clock(&mut self, now: Moment) {
        self.host.forget();
        for row in self.rows.values_mut() {
            (row.blurred, row.vague, row.spent) = (true, true, None);
            if row.inherited {
                row.told = None;
                row.loses(now);
            }
        }
    }

    /// Another configuration was taken on.
    pub(super) fn reloaded(&mut self, world: &World, report: &Reload) {
        for gone in &report.removed {
            self.rows.remove(gone);
            self.host.without(gone);
        }
        for (forgiven, _) in &report.forgiven {
            self.rows.remove(forgiven);
        }
        self.meet(world);
        for watched in world.scheduler.services.iter().filter(|w| !w.leaving) {
            let Some(row) = self.rows.get_mut(&watched.service.name) else { continue };
            // What was decided may still be done.
            (row.decided, row.acted, row.due, row.well, row.spent) = (1, 0, None, None, None);
            if row.patience != watched.service.patience {
                row.patience = watched.service.patience;
                row.inexact = true;
                (row.ended, row.told, row.vague) = (None, None, true);
                row.loses(world.now);
            }
        }
    }

    /// The supervisor began anew.
    pub(super) fn revived(&mut self, world: &World) {
        self.meet(world);
        for watched in world.scheduler.services.iter().filter(|w| !w.leaving) {
            let Some(row) = self.rows.get_mut(&watched.service.name) else { continue };
            let mut repairs = row.written.clone();
            if watched.watching == Watching::No || row.patience.is_none() {
                let Repairs { tried, helped, at, spent, .. } = repairs;
                repairs = Repairs { tried, helped, at, spent, ..Repairs::default() };
                if row.patience.is_none() {
                    let Repairs { spent, .. } = repairs;
                    let held = row.written.held.filter(|_| watched.watching != Watching::No);
                    repairs = Repairs { spent, held, ..Repairs::default() };
                }
            }
            row.repairs = repairs;
            (row.decided, row.acted, row.cause, row.spent) = (0, 0, None, None);
            (row.ended, row.calm, row.well, row.due) = (None, None, None, None);
            row.inherited = true;
            row.told = row.told.filter(|_| !row.vague);
            if row.blurred {
                row.loses(world.now);
            }
        }
    }
}
