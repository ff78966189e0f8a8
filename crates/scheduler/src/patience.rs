//! How repairs by rules are repeated when they do not help: with growing pauses, and, of what lives, not for ever.
//!
//! A service is *well* while it is watched and seen to be there, nothing fails for which it is started or restarted,
//! nothing is being done to it, and what it depends on is well. Repairs are *in a row* as long as it has not been well for
//! [`Patience::stable`] without a break: that a start worked counts for nothing, and a row that has ended is over.
//!
//! A repair *helped* if the service was well for that long before a rule wanted the next one. Otherwise it was in vain,
//! which is known when the next one is made or given up. Of one that an operator's own start or restart came after, nobody
//! knows: it counts as neither.
//!
//! What has been given up and comes back is well again, and that is told. If it fails again before it is stable it is
//! repaired once more, and given up again if that is in vain too: a service that is well for a minute in each hour is not
//! restarted five times in each of them. What an operator starts or restarts begins anew.

mod pause;
mod words;

use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{Condition, Patience, Then};
use hinoban_event::{Doing, Event, Fact};
use hinoban_reading::{Moment, Now, Stamp};
use serde::{Deserialize, Serialize};

use crate::machine::{Out, Scheduler};
use crate::rest::Rest;
use crate::watched::Watched;
use crate::{Effect, Part, Remembered, Watching, limit, rules};

pub(crate) use words::span;

/// People are reminded at least so often.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What repairs of one service by rules have come to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Repairs {
    /// Repairs in a row while it lived, but a test of it failed …
    pub lived: u32,
    /// … and while it was gone.
    pub gone: u32,
    /// When the last of them was begun.
    pub at: Stamp,
    /// Whether it is still to be seen if that helps.
    pub open: bool,
    /// How often, of all repairs, it is known whether they helped …
    pub tried: u32,
    /// … and how often they did.
    pub helped: u32,
    /// Repairs have been given up.
    pub gave_up: Option<Box<GivenUp>>,
}

/// Repairs that have been given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUp {
    /// What is not done any more.
    pub doing: Doing,
    /// What failed, how often it was tried, and what to do next.
    pub text: String,
    /// Since when.
    pub since: Stamp,
    /// How often people have been told: once, and then reminders.
    pub times: u32,
}

impl Repairs {
    /// Repairs in a row.
    pub fn in_row(&self) -> u32 {
        self.lived.saturating_add(self.gone)
    }
}

/// The same, with what a crash makes void.
#[derive(Debug, Default)]
pub(crate) struct Trial {
    pub(crate) repairs: Repairs,
    /// Until when the next one waits; `None`: as long as the last one says, if there was one.
    pub(crate) until: Option<Moment>,
    /// Since when it is well.
    well: Option<Moment>,
    /// When that will have been long enough.
    stable: Option<Moment>,
    /// A rule wants a repair that is put off.
    pub(crate) wants: Option<Want>,
    /// When people are reminded that it has been given up.
    remind: Option<Moment>,
    /// An operator does something about what has been given up.
    pub(crate) mending: bool,
}

/// A repair that is put off.
#[derive(Debug)]
pub(crate) struct Want {
    /// Position of the rule.
    rule: usize,
    /// When it is looked at again for that alone.
    pub(crate) retry: Option<Moment>,
    /// Why the host does not bear it now.
    pub(crate) held: Option<Arc<str>>,
}

/// Whether a repair is made.
#[derive(Debug, PartialEq)]
enum Gate {
    Open,
    /// Not before then.
    Pause(Moment),
    /// The host does not bear it now, and why; it may then.
    Held(Moment, String),
    /// It would be in vain, and that is news.
    Vain,
    GivenUp,
}

impl Trial {
    /// As an earlier life left it; what is not watched now begins anew.
    pub(crate) fn restored(repairs: Repairs, watched: bool) -> Self {
        let mut trial = Self { repairs, ..Self::default() };
        if !watched {
            trial.anew();
        }
        trial
    }

    /// The rules stand elsewhere by now, and are asked again.
    pub(crate) fn reloaded(self) -> Self {
        Self { wants: None, ..self }
    }

    /// When it wants to be called: what is put off is tried, people are reminded, or a row ends.
    pub(crate) fn deadline(&self, busy: bool) -> Option<Moment> {
        let retry = self.wants.as_ref().and_then(|want| want.retry).filter(|_| !busy);
        [retry, self.remind, self.stable].into_iter().flatten().min()
    }

    /// Until when the next repair waits.
    pub(crate) fn waits(&self, patience: &Patience, name: &str, now: Now) -> Option<Moment> {
        let pause = || pause::pause(patience, self.repairs.in_row(), name);
        let left = || pause().saturating_sub(now.stamp.since(self.repairs.at));
        let until = match self.until {
            Some(until) => Some(until),
            // A last repair that is still to come shows that the clock was set back: nobody knows how long it has been.
            None if self.repairs.in_row() > 0 && self.repairs.at <= now.stamp => Some(now.moment + left()),
            None => None,
        };
        until.filter(|until| *until > now.moment)
    }

    /// The row is over.
    fn anew(&mut self) {
        self.repairs = Repairs {
            tried: self.repairs.tried,
            helped: self.repairs.helped,
            at: self.repairs.at,
            ..Repairs::default()
        };
        (self.until, self.wants, self.stable, self.remind) = (None, None, None, None);
    }

    /// It was well for long enough.
    fn helped(&mut self) {
        if self.repairs.open {
            self.repairs.tried = self.repairs.tried.saturating_add(1);
            self.repairs.helped = self.repairs.helped.saturating_add(1);
        }
        self.anew();
    }

    /// The last repair did not help.
    fn in_vain(&mut self) {
        if std::mem::take(&mut self.repairs.open) {
            self.repairs.tried = self.repairs.tried.saturating_add(1);
        }
    }
}

impl Scheduler {
    /// What a look before its turn sees is news only if something can be done about it now.
    pub(crate) fn would_repair(
        &mut self,
        now: Now,
        i: usize,
        rule: usize,
        then: &Then,
        out: &mut Out,
    ) -> bool {
        match self.gate(now, i, rule, then, true, out) {
            Gate::Open | Gate::Vain => true,
            Gate::GivenUp => false,
            Gate::Pause(until) => {
                self.postpone(i, rule, until, None);
                false
            }
            Gate::Held(until, why) => {
                let known = self.services[i].trial.as_ref().and_then(|trial| trial.wants.as_ref());
                let known = known.is_some_and(|want| want.held.is_some());
                if known {
                    self.postpone(i, rule, until, Some(why));
                }
                !known
            }
        }
    }

    /// A rule wants a repair, which could be made: whether it is. Counts it if so, and otherwise says when it may be.
    #[allow(clippy::too_many_arguments)] // one step of one rule: naming a struct for it would hide more than it shows
    pub(crate) fn permits(
        &mut self,
        now: Now,
        i: usize,
        rule: usize,
        then: &Then,
        event: &Event,
        early: bool,
        out: &mut Out,
    ) -> bool {
        match self.gate(now, i, rule, then, early, out) {
            Gate::Open => {
                self.count_repair(now, i, then, out);
                return true;
            }
            Gate::Pause(until) => self.postpone(i, rule, until, None),
            Gate::Held(until, why) => {
                let news = self.host.holds(self.services[i].id);
                self.postpone(i, rule, until, Some(why.clone()));
                if news {
                    let doing = rules::shown(then, hinoban_config::Mode::Active);
                    self.emit(now, i, Fact::Held { doing, why }, out);
                }
            }
            Gate::Vain => self.give_up(now, i, then, event, out),
            Gate::GivenUp => {}
        }
        false
    }

    fn gate(&mut self, now: Now, i: usize, rule: usize, then: &Then, early: bool, out: &mut Out) -> Gate {
        self.lapse(now, i, out);
        let watched = &self.services[i];
        // A stop is no repair: it is made once. What is done on recovery mends nothing either.
        let repair = matches!(then, Then::Start | Then::Restart) && watched.fails(rule);
        let lives = watched.is_up();
        match watched.service.patience.filter(|_| repair) {
            None => {
                let until =
                    watched.held_until(now.moment).filter(|_| early && watched.service.patience.is_none());
                if let Some(until) = until {
                    return Gate::Pause(until);
                }
            }
            Some(patience) => {
                let trial = watched.trial.as_deref();
                let count = |of: fn(&Repairs) -> u32| trial.map_or(0, |trial| of(&trial.repairs));
                let (made, most) = match lives {
                    true => (count(|repairs| repairs.lived), patience.give_up),
                    false => (count(|repairs| repairs.gone), patience.give_up_gone),
                };
                let vain = most.is_some_and(|most| made >= most);
                if vain && trial.is_some_and(|trial| trial.repairs.gave_up.is_some()) {
                    return Gate::GivenUp;
                }
                // The last one has its time to help.
                if let Some(until) = trial.and_then(|trial| trial.waits(&patience, &watched.name, now)) {
                    return Gate::Pause(until);
                }
                if vain {
                    return Gate::Vain;
                }
            }
        }
        match repair && lives && *then == Then::Restart {
            // What takes too much itself is not spared because the host has too little.
            true => {
                let greedy = matches!(watched.service.rules[rule].when, Condition::Compare { .. });
                self.bears(now, i, greedy).map_or(Gate::Open, |(until, why)| Gate::Held(until, why))
            }
            false => Gate::Open,
        }
    }

    /// Keeps in mind what is put off.
    fn postpone(&mut self, i: usize, rule: usize, until: Moment, held: Option<String>) {
        let watched = &mut self.services[i];
        if watched.service.patience.is_none() && held.is_none() {
            watched.recheck = Some(until);
            return;
        }
        // What is gone is started as soon as may be. The pause of what lives is no more than that: its next turn decides.
        let retry = Some(until).filter(|_| held.is_some() || !watched.is_up());
        let want = Want { rule, retry, held: held.map(Into::into) };
        watched.trial.get_or_insert_default().wants = Some(want);
        self.schedule(i);
    }

    /// A repair is about to be made.
    fn count_repair(&mut self, now: Now, i: usize, then: &Then, out: &mut Out) {
        let watched = &mut self.services[i];
        let lives = watched.is_up();
        let (id, name) = (watched.id, watched.name.clone());
        if let Some(trial) = &mut watched.trial {
            trial.wants = None;
        }
        self.host.frees(id);
        if lives && *then == Then::Restart {
            self.host.spends(now.moment, name.clone());
        }
        let watched = &mut self.services[i];
        let Some(patience) = watched.service.patience.filter(|_| *then != Then::Stop) else { return };
        let trial = watched.trial.get_or_insert_default();
        trial.in_vain();
        let repairs = &mut trial.repairs;
        // More are allowed by now than when it was given up, unless that was for the other reason.
        let reached = |made: u32, most: Option<u32>| most.is_some_and(|most| made >= most);
        let stays = match lives {
            true => reached(repairs.gone, patience.give_up_gone),
            false => reached(repairs.lived, patience.give_up),
        };
        if !stays {
            repairs.gave_up = None;
            trial.remind = None;
        }
        let count = if lives { &mut repairs.lived } else { &mut repairs.gone };
        *count = count.saturating_add(1);
        repairs.open = true;
        repairs.at = now.stamp;
        trial.until = Some(now.moment + pause::pause(&patience, repairs.in_row(), &name));
        (trial.well, trial.stable) = (None, None);
        self.remember_repairs(i, out);
    }

    /// What a rule had done is over: the pause begins.
    pub(crate) fn repaired(&mut self, now: Now, i: usize) {
        let watched = &mut self.services[i];
        if let (Some(trial), Some(patience)) = (&mut watched.trial, watched.service.patience)
            && trial.repairs.in_row() > 0
        {
            trial.until = Some(now.moment + pause::pause(&patience, trial.repairs.in_row(), &watched.name));
        }
    }

    /// No more is done until it is well again.
    fn give_up(&mut self, now: Now, i: usize, then: &Then, event: &Event, out: &mut Out) {
        let watched = &mut self.services[i];
        let lives = watched.is_up();
        let Some(patience) = watched.service.patience else { return };
        let Some(trial) = &mut watched.trial else { return };
        trial.in_vain();
        trial.wants = None;
        let made = if lives { trial.repairs.lived } else { trial.repairs.gone };
        let doing = rules::shown(then, hinoban_config::Mode::Active);
        let text = words::given_up(event, &doing, made, &watched.name);
        let (since, times) = (now.stamp, 1);
        let given_up = GivenUp { doing: doing.clone(), text: text.clone(), since, times };
        trial.repairs.gave_up = Some(Box::new(given_up));
        trial.remind = Some(now.moment + patience.remind);
        let id = watched.id;
        watched.did(words::gave_up_after(&doing, made));
        self.host.frees(id);
        self.remember_repairs(i, out);
        self.emit(now, i, Fact::GaveUp { doing, text, since, times }, out);
        self.schedule(i);
    }

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
    fn lapse(&mut self, now: Now, i: usize, out: &mut Out) {
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
        if held {
            self.host.frees(id);
        }
        if back {
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
                trial.remind = Some(now.moment + pause(given_up.times));
                let GivenUp { doing, text, since, times } = (**given_up).clone();
                self.remember_repairs(i, out);
                self.emit(now, i, Fact::GaveUp { doing, text, since, times }, out);
            }
            Some(_) => {}
            // Since a crash: as it would have been without.
            None => {
                let told: Duration = (1..given_up.times).map(pause).sum();
                let passed = now.stamp.since(given_up.since).saturating_sub(told);
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

    fn remember_repairs(&self, i: usize, out: &mut Out) {
        let watched = &self.services[i];
        let Some(trial) = &watched.trial else { return };
        let (service, repairs) = (watched.service.name.clone(), trial.repairs.clone());
        out.push(Effect::Remember(Remembered::Repairs { service, repairs }));
    }
}

impl Watched {
    /// Whether a repair that this rule wants is put off because of the host: a look before its turn decides about it.
    pub(crate) fn is_held(&self, rule: usize) -> bool {
        let want = self.trial.as_ref().and_then(|trial| trial.wants.as_ref());
        want.is_some_and(|want| want.rule == rule && want.held.is_some())
    }
}
