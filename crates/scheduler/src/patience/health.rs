//! Whether a service is well, and what follows from how long it has been: a row of repairs ends, what was given up has come
//! back, or people are reminded.

use std::time::Duration;

use hinoban_event::Fact;
use hinoban_reading::Now;

use super::{GivenUp, pause, words};
use crate::machine::{Out, Scheduler};
use crate::rest::Rest;
use crate::{Effect, Part, Remembered, Watching, limit};

/// People are reminded at least so often.
const DAY: Duration = Duration::from_secs(24 * 3600);

impl Scheduler {
    /// A rule is about to be told to hold again: if that ends having been given up, whoever hears of it hears by what.
    pub(crate) fn comes_back(&mut self, i: usize) {
        let watched = &mut self.services[i];
        let given_up = watched.trial.as_ref().and_then(|trial| trial.repairs.gave_up.as_ref());
        let Some(given_up) = given_up else { return };
        // Unless something was done since.
        let last = watched.done.last().is_some_and(|last| last.starts_with(words::GAVE_UP));
        if last && !limit::fails_repair(watched) {
            let doing = given_up.doing.clone();
            watched.did(words::came_back(&doing));
        }
    }

    /// Somebody does something about it, or it is not watched any more: nothing that was before counts, but what is known
    /// of how repairs helped.
    pub(crate) fn begins_anew(&mut self, i: usize, mending: bool, out: &mut Out) {
        let watched = &mut self.services[i];
        let Some(trial) = &mut watched.trial else { return };
        trial.mending = mending && (trial.repairs.gave_up.is_some() || trial.mending);
        let before = trial.repairs.clone();
        trial.anew();
        trial.well = None;
        let (changed, id) = (trial.repairs != before, watched.id);
        self.host.frees(id);
        if changed {
            self.remember_repairs(i, out);
        }
    }

    /// A row that has ended just now has ended.
    pub(super) fn lapse(&mut self, now: Now, i: usize, out: &mut Out) {
        let Some(trial) = &mut self.services[i].trial else { return };
        if trial.stable.is_some_and(|at| at <= now.moment) {
            trial.helped();
            self.remember_repairs(i, out);
        }
    }

    /// After each input: whether it is well, and what follows from how long it has been. Whoever calls asks afterwards when
    /// it next wants to be called.
    pub(crate) fn weigh(&mut self, now: Now, i: usize, out: &mut Out) {
        let Some(trial) = &self.services[i].trial else { return };
        let (lasts, well) = (trial.well.is_some(), self.is_well(i));
        if lasts {
            self.lapse(now, i, out);
        }
        let watched = &mut self.services[i];
        let Some(trial) = &mut watched.trial else { return };
        if !well {
            (trial.well, trial.stable) = (None, None);
            return self.remind(now, i, out);
        }
        trial.mending = false;
        let held = trial.wants.take().is_some();
        let freed = trial.repairs.held.take().is_some();
        let since = *trial.well.get_or_insert(now.moment);
        let patience = watched.service.patience.unwrap_or_default();
        let repairs = &mut trial.repairs;
        let back = repairs.gave_up.take().is_some();
        if back {
            trial.remind = None;
            // One more is made if it fails again too soon.
            let once_more =
                |count: u32, most: Option<u32>| most.map_or(count, |most| count.min(most.saturating_sub(1)));
            repairs.lived = once_more(repairs.lived, patience.give_up);
            repairs.gone = once_more(repairs.gone, patience.give_up_gone);
        }
        trial.stable = Some(since + patience.stable).filter(|_| repairs.in_row() > 0 || repairs.open);
        let id = watched.id;
        if held || freed {
            self.host.frees(id);
        }
        if back || freed {
            self.remember_repairs(i, out);
        }
    }

    /// Reminds people, if it is time.
    fn remind(&mut self, now: Now, i: usize, out: &mut Out) {
        let watched = &mut self.services[i];
        let patience = watched.service.patience.unwrap_or_default();
        let Some(trial) = &mut watched.trial else { return };
        let Some(given_up) = &mut trial.repairs.gave_up else { return };
        let pause = |times: u32| pause::doubled(patience.remind, times - 1, DAY.max(patience.remind));
        match trial.remind {
            Some(at) if at <= now.moment => {
                given_up.times = given_up.times.saturating_add(1);
                given_up.told = Some(now.stamp);
                trial.remind = Some(now.moment + pause(given_up.times));
                let GivenUp { doing, text, since, times, .. } = (**given_up).clone();
                self.remember_repairs(i, out);
                let text = words::with_fallen(text, &self.fallen(i));
                self.emit(now, i, Fact::GaveUp { doing, text, since, times }, out);
            }
            Some(_) => {}
            // Since a crash: as it would have been without.
            None => {
                let passed = match given_up.told {
                    Some(told) => now.stamp.since(told),
                    None => {
                        let told: Duration = (1..given_up.times).map(pause).sum();
                        now.stamp.since(given_up.since).saturating_sub(told)
                    }
                };
                trial.remind = Some(now.moment + pause(given_up.times).saturating_sub(passed));
            }
        }
    }

    /// What is put off is tried when its time has come; whether a row has ended.
    pub(crate) fn tick_patience(&mut self, now: Now, i: usize, out: &mut Out) {
        let Some(trial) = &mut self.services[i].trial else { return };
        let wanted = match &mut trial.wants {
            Some(want) if want.retry.is_some_and(|at| at <= now.moment) => {
                want.retry = None;
                Some(want.rule)
            }
            _ => None,
        };
        if let Some(rule) = wanted
            && self.services[i].task.is_none()
            && self.wants_looks(i, Part::Subject)
            && self.may_look_early(now, i)
        {
            let watched = &self.services[i];
            let tested = watched.is_up() && watched.test(rule).is_some();
            match tested || !watched.has_subject() {
                true if self.rests(i, false) => self.put_off(i, Rest::Early),
                true if tested => self.look(i, Part::Test(rule), true, out),
                true => self.look_at_tests(i, true, out),
                false => self.look_early(i, Part::Subject, out),
            }
        }
        self.weigh(now, i, out);
    }

    /// See the beginning of this file.
    fn is_well(&self, i: usize) -> bool {
        let watched = &self.services[i];
        let seen = watched.all_looks().all(|looks| looks.not_seen.is_none());
        watched.watching == Watching::Yes
            && watched.task.is_none()
            && seen
            && limit::is_well(watched)
            && !self.closed(i)
    }

    pub(crate) fn remember_repairs(&self, i: usize, out: &mut Out) {
        let watched = &self.services[i];
        let Some(trial) = &watched.trial else { return };
        let (service, repairs) = (watched.service.name.clone(), trial.repairs.clone());
        out.push(Effect::Remember(Remembered::Repairs { service, repairs }));
    }
}
