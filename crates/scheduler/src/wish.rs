//! What somebody asked for: operators, and an earlier life of the supervisor that did not come to its end.

use std::time::Duration;

use hinoban_event::{Because, Doing, Event, Fact};
use hinoban_reading::{Now, Stamp};

use crate::machine::{Out, Scheduler};
use crate::over::close;
use crate::rest::Rest;
use crate::task::{Share, Step, Task, Terms};
use crate::{Act, Effect, LastAction, Remembered, ServiceId, Watching, limit};

/// An intent that an earlier life of the supervisor did not see to its end.
#[derive(Debug, Clone)]
pub struct Unfinished {
    /// Its number.
    pub intent: u64,
    /// The service's name.
    pub service: String,
    /// What was being done.
    pub doing: Doing,
    /// What all of it was to be, of which that is a part. `None`: it is no part of anything that was begun, but what
    /// somebody asked for and waited for.
    pub whole: Option<Doing>,
    /// When it was begun.
    pub at: Stamp,
    /// Who had asked for it; `None`: a rule.
    pub by: Option<String>,
    /// The service in whose restart it is a dependant's part, as in [`Remembered::Intent`].
    pub part_of: Option<String>,
    /// Whether a program had been started for it.
    pub started: bool,
}

/// What becomes of something that an earlier life had begun.
#[derive(Debug, Clone, PartialEq)]
pub enum Resumed {
    /// Its program may still run: that is to be waited for, under the number of the old intent; its end is
    /// [`Input::ActionDone`](crate::Input::ActionDone). Until then nothing else is done to the service.
    Waits {
        /// Whose.
        service: ServiceId,
        /// The time it has left.
        left: Duration,
        /// What had been asked for.
        cause: Box<Event>,
    },
    /// Nothing of it was begun, and an operator had asked for it: it is asked for again. The old intent ends with that,
    /// and the scheduler says when.
    AskedAgain,
    /// The intent is over, and the next look decides.
    Over,
}

/// Something that an operator asked for. Its intent is open until something stands in its place: while it waits, it is
/// the newest of its service, and so a later life finds it before what it waits for.
#[derive(Debug)]
pub(crate) struct Wish {
    pub(crate) doing: Doing,
    pub(crate) by: String,
    pub(crate) intent: u64,
    /// The event that told of it; `None`: it was told in an earlier life.
    told: Option<Event>,
    /// It is the rest of something that an earlier life had begun, and not asked for after that.
    rest: bool,
    /// It is a dependant's part in the restart of another service.
    share: Option<Share>,
}

impl Scheduler {
    /// Takes up what an earlier life had begun. To be called before anything else is handled.
    ///
    /// Of several for one service, the newest is to be given first: an earlier one is a part of the same task.
    pub fn resume(&mut self, now: Now, unfinished: &Unfinished) -> Resumed {
        let id = self.find(&unfinished.service);
        let Some((id, i)) = id.and_then(|id| Some((id, self.position(id)?))) else { return Resumed::Over };
        let watched = &mut self.services[i];
        let service = watched.service.clone();
        let intent = unfinished.intent;
        let (act, program) = match unfinished.doing {
            Doing::Start => (Act::Start, &service.start),
            Doing::Stop => (Act::Stop, &service.stop),
            Doing::Restart => (Act::Restart, &service.restart),
            // It holds for the task during which it was asked for; a wish that came later makes it void.
            Doing::Monitor | Doing::Unmonitor
                if watched.switched.is_none() && watched.pending.as_ref().is_none_or(|wish| wish.rest) =>
            {
                watched.switched = Some((unfinished.doing == Doing::Monitor, intent));
                self.asked_before.push(id);
                return Resumed::AskedAgain;
            }
            _ => return Resumed::Over,
        };
        if watched.task.is_some() {
            return Resumed::Over;
        }
        let stopped = unfinished.doing == Doing::Start;
        let share = unfinished.part_of.clone().map(|of| Share { of, stopped });
        let asked = unfinished.whole.is_none() && unfinished.by.is_some() && share.is_none();
        if !unfinished.started || program.is_none() {
            // Whoever wants it left alone since has the last word.
            if (asked || share.is_some()) && matches!(watched.switched, Some((false, _))) {
                return Resumed::Over;
            }
            // The newest wish wins.
            let Some(by) = unfinished.by.clone().filter(|_| watched.pending.is_none()) else {
                return Resumed::Over;
            };
            let doing = unfinished.whole.as_ref().unwrap_or(&unfinished.doing).clone();
            watched.pending = Some(Box::new(Wish { doing, by, intent, told: None, rest: !asked, share }));
            self.asked_before.push(id);
            return Resumed::AskedAgain;
        }
        // What is the rest of this comes after it anyway; what was asked for later waits.
        let rest = watched.pending.take_if(|wish| wish.rest);
        let limit = program.as_ref().map_or(Duration::ZERO, |p| p.timeout);
        let left = limit.saturating_sub(now.stamp.since(unfinished.at));
        let name = watched.name.clone();
        let because = match (&unfinished.by, &share) {
            (by, Some(share)) => Because::Dependency { service: share.of.clone(), by: by.clone() },
            (Some(by), None) => Because::Command { by: by.clone() },
            (None, None) => Because::Rule { text: "begun before the supervisor was restarted".to_owned() },
        };
        let by = unfinished.by.clone().unwrap_or_else(|| "a rule".to_owned());
        let doing = unfinished.whole.as_ref().unwrap_or(&unfinished.doing).clone();
        let cause = self.tell(now, name, Fact::Commanded { doing: doing.clone(), by });
        self.running.insert(intent, id);
        self.services[i].task = Some(Box::new(Task {
            step: Step::Running { act, intent },
            open: rest.map(|wish| (wish.intent, false)),
            bounce: share.is_some(),
            stopped: share.is_some_and(|share| share.stopped),
            ..Task::new(doing, because, cause.clone(), now.moment)
        }));
        if unfinished.doing == Doing::Stop {
            self.kills_later(now, i);
        }
        Resumed::Waits { service: id, left: left.max(Duration::from_millis(100)), cause: Box::new(cause) }
    }

    /// An operator asked for something. It is accepted with that: from now on a crash does not lose it.
    pub(crate) fn command(&mut self, now: Now, i: usize, doing: Doing, by: String, out: &mut Out) {
        match doing {
            Doing::Start | Doing::Stop | Doing::Restart => {
                self.begins_anew(i, doing != Doing::Stop, out);
                let intent = self.remember_wish(now, i, &doing, &by, None, out);
                let told = self.emit(now, i, Fact::Commanded { doing: doing.clone(), by: by.clone() }, out);
                let wish = Wish { doing, by, intent, told: Some(told), rest: false, share: None };
                let watched = &mut self.services[i];
                let before = watched.pending.replace(Box::new(wish));
                close(before.map(|wish| (wish.intent, false)), out);
                if !self.gives_way(now, i, out) {
                    self.take_pending(now, i, out);
                }
            }
            Doing::Monitor | Doing::Unmonitor => {
                self.emit(now, i, Fact::Commanded { doing: doing.clone(), by: by.clone() }, out);
                let on = doing == Doing::Monitor;
                if on {
                    self.begins_anew(i, true, out);
                }
                if !on {
                    let (at, took, text) = (now.stamp, Duration::ZERO, "no longer watched".to_owned());
                    let action =
                        LastAction { doing: doing.clone(), ok: true, at, took, by: Some(by.clone()), text };
                    self.services[i].last_action = Some(Box::new(action));
                }
                // What is not to be watched takes along what depends on it, also while something is done to that.
                let mut reach = if on { Vec::new() } else { self.ties.descendants(i) };
                reach.push(i);
                for at in reach.iter().copied() {
                    if self.services[at].task.is_none() {
                        continue;
                    }
                    let intent = self.remember_wish(now, at, &doing, &by, None, out);
                    let before = self.services[at].switched.replace((on, intent));
                    close(before.map(|(_, intent)| (intent, false)), out);
                }
                match on {
                    true => self.watch_all(now, i, out),
                    false => self.unwatch_all(now, i, None, out),
                }
                // The newest wish wins.
                for at in reach {
                    let wish = self.services[at].pending.take();
                    close(wish.map(|wish| (wish.intent, false)), out);
                }
            }
            _ => {
                self.emit(now, i, Fact::Commanded { doing, by }, out);
            }
        }
    }

    pub(crate) fn remember_wish(
        &mut self,
        now: Now,
        i: usize,
        doing: &Doing,
        by: &str,
        share: Option<&Share>,
        out: &mut Out,
    ) -> u64 {
        // Of a part also how far it is: what it has stopped, and somebody else starts, is not stopped once more.
        let (doing, whole) = match share.is_some_and(|share| share.stopped) {
            true => (Doing::Start, Some(doing.clone())),
            false => (doing.clone(), None),
        };
        self.remember_intent(now, i, (doing, whole), by, share.map(|share| share.of.clone()), out)
    }

    /// The same, if it may have been begun: then it is a part of the whole.
    pub(crate) fn remember_intent(
        &mut self,
        now: Now,
        i: usize,
        (doing, whole): (Doing, Option<Doing>),
        by: &str,
        part_of: Option<String>,
        out: &mut Out,
    ) -> u64 {
        let intent = self.next_intent();
        let (service, by) = (self.services[i].service.name.clone(), Some(by.to_owned()));
        let at = now.stamp;
        out.push(Effect::Remember(Remembered::Intent { intent, service, doing, at, whole, by, part_of }));
        intent
    }

    /// Another program is about to begin before what was asked for: that stays the newest.
    pub(crate) fn renew_pending(&mut self, now: Now, i: usize, out: &mut Out) {
        let Some(mut wish) = self.services[i].pending.take() else { return };
        let before = wish.intent;
        wish.intent = self.remember_wish(now, i, &wish.doing, &wish.by, wish.share.as_ref(), out);
        self.services[i].pending = Some(wish);
        close(Some((before, false)), out);
    }

    /// Begins what was asked for while nobody could do it.
    pub(crate) fn take_pending(&mut self, now: Now, i: usize, out: &mut Out) {
        let watched = &mut self.services[i];
        if watched.task.is_some() || self.ending {
            return;
        }
        if watched.pending.as_ref().is_none_or(|wish| !wish.rest) {
            let switched = watched.switched.take();
            close(switched.map(|(_, intent)| (intent, false)), out);
        }
        let Some(wish) = self.services[i].pending.take() else { return };
        let Wish { doing, by, intent, told, share, .. } = *wish;
        let commanded = Fact::Commanded { doing: doing.clone(), by: by.clone() };
        let cause = match told {
            Some(told) => told,
            // A part in what is done to another service was not asked for.
            None if share.is_some() => self.note(now, i, commanded),
            None => self.emit(now, i, commanded, out),
        };
        let (bounce, stopped) = (share.is_some(), share.as_ref().is_some_and(|share| share.stopped));
        let because = match share {
            Some(Share { of: service, .. }) => Because::Dependency { service, by: Some(by) },
            None => Because::Command { by },
        };
        let terms = Terms { asked: Some(intent), bounce, stopped, anew: false };
        self.begin_task(now, i, doing, because, cause, terms, out);
    }

    /// Begins to watch, with a look at once.
    pub(crate) fn watch(&mut self, now: Now, i: usize, out: &mut Out) {
        let watched = &mut self.services[i];
        if watched.watching == Watching::No && !watched.leaving {
            watched.watching = Watching::Initializing;
            watched.due = now.moment;
            watched.turn = None;
            watched.gave_up = None;
            watched.forget();
            // After a boot what was counted before counts for nothing, and a crash must not bring it back.
            limit::forget(watched, out);
            self.remember_repairs(i, out);
            let service = self.services[i].service.name.clone();
            out.push(Effect::Remember(Remembered::Monitoring { service, on: true, why: None }));
            self.emit(now, i, Fact::Monitoring { on: true }, out);
            self.schedule(i);
        }
    }

    /// Stops watching; `why`, if a rule wants it.
    pub(crate) fn unwatch(&mut self, now: Now, i: usize, why: Option<String>, out: &mut Out) {
        // Nothing goes on that only waits for others.
        let task = self.services[i].task.as_ref();
        let down = task.is_some_and(|task| task.bounce && task.stopped && task.waits_for_others());
        if let Some(open) = self.withdraw(i) {
            self.services[i].lets_alone();
            close(open, out);
            if down {
                self.stays_down(now, i, out);
            }
            let switched = self.services[i].switched.take();
            close(switched.map(|(_, intent)| (intent, true)), out);
        }
        self.begins_anew(i, false, out);
        let watched = &mut self.services[i];
        watched.rest = Rest::None;
        watched.counted = false;
        if watched.watching == Watching::No {
            return;
        }
        // A failure ends with the watching: what is not watched does not fail, and must not recover one day.
        for (rule, class) in watched.failures() {
            let service = watched.service.name.clone();
            out.push(Effect::Remember(Remembered::Recovered { service, rule, class }));
        }
        limit::clear(watched, out);
        watched.forget();
        watched.turn = None;
        watched.watching = Watching::No;
        watched.generation += 1;
        watched.gave_up = why.as_deref().map(Into::into);
        let service = watched.service.name.clone();
        out.push(Effect::Remember(Remembered::Monitoring { service, on: false, why }));
        self.emit(now, i, Fact::Monitoring { on: false }, out);
    }
}
