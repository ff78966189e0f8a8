//! What must be done by now: repairs that nothing holds back, reminders, and the end of a row.

use std::time::Duration;

use hinoban_config::{Condition, Expect, Kind, Mode, Rate, Rule, Then, Turns};
use hinoban_event::{Class, Doing, Event, Fact};

use super::super::World;
use super::{Bounds, Step, is_calm, is_over, known};
use crate::Watching;
use crate::rest::Rest;
use crate::watched::Watched;

/// Time for what happens at once, and for a while in which somebody may restart it by hand.
const MOMENT: Duration = Duration::from_secs(3);

impl Bounds {
    /// What must be so of a service at any time.
    pub(super) fn state(&mut self, world: &World, i: usize, watched: &Watched) {
        let now = world.now;
        let name = &watched.service.name;
        let Some(row) = self.rows.get_mut(name) else { return };
        let watches = watched.watching != Watching::No;
        if known(watched) != row.repairs || watches && row.written != row.repairs {
            let text = format!("{name}: {:?}, remembered: {:?}", known(watched), row.written);
            return self.breaks(now, "what repairs have come to is as it was remembered", text);
        }
        let calm = is_calm(watched);
        let well = calm && watched.task.is_none() && !world.scheduler.closed(i);
        row.calm = row.calm.filter(|_| calm).or(calm.then_some(now));
        row.well = row.well.filter(|_| well).or(well.then_some(now));
        let Some(patience) = row.patience else { return };
        // What it depends on may be what is well again: of that it hears with its next look.
        let turn = watched.every + MOMENT;
        let since = row.well.map_or(Duration::ZERO, |since| now.since(since));
        if since > turn && row.repairs.gave_up.is_some() {
            return self.breaks(now, "what is well is not given up", name.clone());
        }
        if since > patience.stable + turn && !is_over(&row.repairs) {
            let text = format!("{name}: {:?}", row.repairs);
            return self.breaks(now, "who was well for long enough begins anew", text);
        }
        if let (Some(given_up), Some(told), true) = (&row.repairs.gave_up, row.told, watches) {
            let next = told + row.reminds(given_up.times);
            if now > next + turn && !world.scheduler.ending {
                let text = format!("{name}: told {} times, and next at {next}", given_up.times);
                return self.breaks(now, "who was told is reminded", text);
            }
        }
        if !wants_repair(world, i, watched, row.repairs.gave_up.as_deref()) {
            row.due = None;
            return;
        }
        if row.due.is_none() {
            row.seen = None;
        }
        let due = *row.due.get_or_insert(now);
        let from = due.max(row.pauses_until().unwrap_or(due));
        // What was seen to be gone during a pause is started when that is over, and not at its turn.
        let known = row.seen.is_some_and(|seen| seen < from);
        let behaviour = world.behaviour.get(name);
        let slow = behaviour.map_or(Duration::ZERO, |b| b.look_takes + b.test_takes);
        let turns = if known { Duration::ZERO } else { watched.every * 2 };
        if now > from + turns + slow + MOMENT {
            let text = format!("{name}: wanted since {due}, and nothing holds it back since {from}");
            self.breaks(now, "what repairs wait for comes to its end", text);
        }
    }

    /// What has just failed is repaired in the same moment, if it is the first time.
    pub(super) fn first(&mut self, world: &World, event: &Event, steps: &[(String, Step)]) {
        let Fact::Failed(failure) = &event.fact else { return };
        let name = &*event.service;
        let Some(row) = self.rows.get(name) else { return };
        let Some(watched) = world.scheduler.services.iter().find(|w| w.service.name == name) else { return };
        let gone = failure.class == Class::NonExist;
        let repairs = matches!(failure.then, Doing::Start | Doing::Restart) && failure.able;
        let idle = watched.watching != Watching::No && watched.task.is_none() && !world.scheduler.ending;
        let pauses = row.pauses_until().is_some_and(|until| until > world.now);
        let stepped = steps.iter().any(|(of, _)| of == name);
        if failure.times == 1
            && repairs
            && idle
            && row.patience.is_some()
            && row.repairs.in_row() == 0
            && !pauses
            && !stepped
            && (gone || world.scheduler.budget.is_none())
        {
            let text = format!("rule {} of {name}", failure.rule);
            self.breaks(world.now, "the first repair is made at once", text);
        }
    }
}

/// Whether a rule wants a repair now that nothing but a pause may hold back, as far as can be known from outside.
fn wants_repair(world: &World, i: usize, watched: &Watched, given_up: Option<&crate::GivenUp>) -> bool {
    let service = &watched.service;
    let idle = watched.watching != Watching::No
        && watched.task.is_none()
        && watched.rest == Rest::None
        && watched.confirm.is_none()
        && service.turns == Turns::Each
        && service.mode == Mode::Active
        && !world.scheduler.ending
        && !world.scheduler.closed(i);
    let Some(behaviour) = world.behaviour.get(&service.name) else { return false };
    if !idle || behaviour.blind || behaviour.other_type || service.kind == Kind::System {
        return false;
    }
    let at_once = |rule: &&Rule| {
        let able = watched.able(&rule.fail.then);
        rule.fail.rate == Rate::ONCE && rule.fail.lasting.is_none() && able
    };
    let mut rules = service.rules.iter().filter(at_once);
    let host = matches!(service.kind, Kind::Host { .. });
    if !host && !world.lives(&service.name) {
        let starts = |rule: &Rule| {
            rule.when == Condition::Missing && matches!(rule.fail.then, Then::Start | Then::Restart)
        };
        return given_up.is_none_or(|told| !told.gone) && rules.any(starts);
    }
    let restarts = |rule: &Rule| {
        matches!(rule.when, Condition::Test { expect: Expect::Failed, .. }) && rule.fail.then == Then::Restart
    };
    let held = watched.trial.as_ref().is_some_and(|trial| trial.repairs.held.is_some());
    let seen = watched.is_up() && watched.all_looks().all(|looks| looks.not_seen.is_none());
    let fails = !behaviour.tests_pass && !behaviour.tests_blind;
    let told = given_up.is_some_and(|told| told.lived);
    seen && fails && !held && !told && (!host || !behaviour.tests_pass) && rules.any(restarts)
}
