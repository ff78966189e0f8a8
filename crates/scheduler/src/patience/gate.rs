//! Whether a repair that a rule wants is made now: the one place where that is decided.

use hinoban_config::{Condition, Mode, Then};
use hinoban_event::{Event, Fact};
use hinoban_reading::{Moment, Now};

use super::{GivenUp, Repairs, Want, pause, words};
use crate::budget::Unborne;
use crate::machine::{Out, Scheduler};
use crate::rules;

/// Whether a repair is made.
#[derive(Debug, PartialEq)]
enum Gate {
    Open,
    /// Not before then.
    Pause(Moment),
    /// The host does not bear it now.
    Held(Unborne),
    /// It would be in vain, and that is news.
    Vain,
    GivenUp,
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
            Gate::Held(Unborne { until, why, unsure }) => {
                let trial = self.services[i].trial.as_ref();
                let known = unsure || trial.is_some_and(|trial| trial.repairs.held.is_some());
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
                self.count_repair(now, i, rule, then, out);
                return true;
            }
            Gate::Pause(until) => self.postpone(i, rule, until, None),
            Gate::Held(Unborne { until, why, unsure }) => {
                let news = !unsure && self.holds_back(now, i, out);
                self.postpone(i, rule, until, Some(why.clone()));
                if news {
                    let doing = rules::shown(then, Mode::Active);
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
                let told = trial.and_then(|trial| trial.repairs.gave_up.as_ref());
                if vain && told.is_some_and(|told| if lives { told.lived } else { told.gone }) {
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
                self.bears(now, i, greedy).map_or(Gate::Open, Gate::Held)
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
    fn count_repair(&mut self, now: Now, i: usize, rule: usize, then: &Then, out: &mut Out) {
        let watched = &mut self.services[i];
        let lives = watched.is_up();
        // What is done on recovery mends nothing: no row grows by it.
        let repair = *then != Then::Stop && watched.fails(rule);
        let (id, name) = (watched.id, watched.name.clone());
        let mut freed = false;
        if let Some(trial) = &mut watched.trial {
            trial.wants = None;
            freed = trial.repairs.held.take().is_some();
        }
        self.host.frees(id);
        let spends = lives && *then == Then::Restart && self.spends(now, i);
        let watched = &mut self.services[i];
        let Some(patience) = watched.service.patience.filter(|_| repair) else {
            if spends || freed {
                self.remember_repairs(i, out);
            }
            return;
        };
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
        } else if let Some(given_up) = &mut repairs.gave_up {
            if lives { given_up.lived = false } else { given_up.gone = false }
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
        let doing = rules::shown(then, Mode::Active);
        let text = words::given_up(event, &doing, made, &watched.name);
        let (since, told, times) = (now.stamp, Some(now.stamp), 1);
        // What was told of the one is not told again because of the other.
        let before = trial.repairs.gave_up.take().map_or((false, false), |told| (told.lived, told.gone));
        let (lived, gone) = (lives || before.0, !lives || before.1);
        let given_up = GivenUp { doing: doing.clone(), text: text.clone(), since, told, times, lived, gone };
        trial.repairs.gave_up = Some(Box::new(given_up));
        trial.repairs.held = None;
        trial.remind = Some(now.moment + patience.remind);
        let id = watched.id;
        watched.did(words::gave_up_after(&doing, made));
        self.host.frees(id);
        self.remember_repairs(i, out);
        let text = words::with_fallen(text, &self.fallen(i));
        self.emit(now, i, Fact::GaveUp { doing, text, since, times }, out);
        self.schedule(i);
    }
}
