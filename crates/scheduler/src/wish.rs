//! What somebody asked for: operators, and an earlier life of the supervisor that did not come to its end.

use std::time::Duration;

use hinoban_event::{Because, Doing, Event, Fact};
use hinoban_reading::{Now, Stamp};

use crate::machine::{Out, Scheduler};
use crate::rest::Rest;
use crate::task::{Step, Task, close};
use crate::{Act, Effect, Remembered, ServiceId, Watching};

/// An intent that an earlier life of the supervisor did not see to its end.
#[derive(Debug, Clone)]
pub struct Unfinished {
    /// Its number.
    pub intent: u64,
    /// The service's name.
    pub service: String,
    /// What was being done.
    pub doing: Doing,
    /// What all of it was to be, of which that is a part.
    pub whole: Doing,
    /// When it was begun.
    pub at: Stamp,
    /// Who had asked for it; `None`: a rule.
    pub by: Option<String>,
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
    /// Nothing of it was begun, and an operator had asked for it: it is asked for again. The old intent ends with that.
    AskedAgain,
    /// The intent is over, and the next look decides.
    Over,
}

impl Scheduler {
    /// Takes up what an earlier life had begun. To be called before anything else is handled.
    ///
    /// Of several for one service, the newest is to be given first: an earlier one is a part of the same task.
    pub fn resume(&mut self, now: Now, unfinished: &Unfinished) -> Resumed {
        let id = self.find(&unfinished.service);
        let Some((id, i)) = id.and_then(|id| Some((id, self.position(id)?))) else { return Resumed::Over };
        let service = self.services[i].service.clone();
        let (act, program) = match unfinished.doing {
            Doing::Start => (Act::Start, &service.start),
            Doing::Stop => (Act::Stop, &service.stop),
            Doing::Restart => (Act::Restart, &service.restart),
            _ => return Resumed::Over,
        };
        let because = match &unfinished.by {
            Some(by) => Because::Command { by: by.clone() },
            None => Because::Rule { text: "begun before the supervisor was restarted".to_owned() },
        };
        if self.services[i].task.is_some() {
            return Resumed::Over;
        }
        if !unfinished.started || program.is_none() {
            if let Some(by) = &unfinished.by {
                self.services[i].pending = Some((unfinished.whole.clone(), by.clone()));
                self.services[i].asked = Some(unfinished.intent);
                self.asked_before.push(i);
                return Resumed::AskedAgain;
            }
            return Resumed::Over;
        }
        // What was asked for again is what this is a part of, unless it took the place of that.
        if self.services[i].pending.as_ref().is_some_and(|pending| pending.0 == unfinished.whole) {
            self.services[i].pending = None;
        }
        let before = self.services[i].asked.take().map(|intent| (intent, false));
        let limit = program.as_ref().map_or(Duration::ZERO, |p| p.timeout);
        let left = limit.saturating_sub(now.stamp.since(unfinished.at));
        let name = self.services[i].name.clone();
        let by = unfinished.by.clone().unwrap_or_else(|| "a rule".to_owned());
        let cause = self.tell(now, name, Fact::Commanded { doing: unfinished.whole.clone(), by });
        let intent = unfinished.intent;
        self.running.insert(intent, id);
        self.services[i].task = Some(Box::new(Task {
            step: Step::Running { act, intent },
            open: before,
            ..Task::new(unfinished.whole.clone(), because, cause.clone(), now.moment)
        }));
        Resumed::Waits { service: id, left: left.max(Duration::from_millis(100)), cause: Box::new(cause) }
    }

    /// An operator asked for something.
    pub(crate) fn command(&mut self, now: Now, i: usize, doing: Doing, by: String, out: &mut Out) {
        let whole = matches!(doing, Doing::Start | Doing::Stop | Doing::Restart);
        let newer = whole && self.withdraw(i);
        if self.services[i].task.is_some() && !matches!(doing, Doing::Monitor | Doing::Unmonitor) {
            self.services[i].pending = Some((doing, by));
            return;
        }
        let cause = self.emit(now, i, Fact::Commanded { doing: doing.clone(), by: by.clone() }, out);
        match doing {
            _ if newer => self.supersede(now, i, doing, by, cause, out),
            Doing::Start | Doing::Stop | Doing::Restart => {
                self.begin(now, i, doing, Because::Command { by }, cause, out);
            }
            Doing::Monitor => self.watch_all(now, i, out),
            Doing::Unmonitor => self.unwatch_all(now, i, out),
            _ => {}
        }
    }

    /// Begins what was asked for while nobody could do it.
    pub(crate) fn take_pending(&mut self, now: Now, i: usize, out: &mut Out) {
        if self.services[i].task.is_none()
            && let Some((doing, by)) = self.services[i].pending.take()
        {
            self.command(now, i, doing, by, out);
        }
    }

    /// Begins to watch, with a look at once.
    pub(crate) fn watch(&mut self, now: Now, i: usize, out: &mut Out) {
        let watched = &mut self.services[i];
        if watched.watching == Watching::No {
            watched.watching = Watching::Initializing;
            watched.due = now.moment;
            let service = watched.service.name.clone();
            out.push(Effect::Remember(Remembered::Monitoring { service, on: true }));
            self.emit(now, i, Fact::Monitoring { on: true }, out);
            self.schedule(i);
        }
    }

    /// Stops watching.
    pub(crate) fn unwatch(&mut self, now: Now, i: usize, out: &mut Out) {
        let watched = &mut self.services[i];
        // A failure ends with the watching: what is not watched does not fail, and must not recover one day.
        for (rule, class) in watched.failures() {
            let service = watched.service.name.clone();
            out.push(Effect::Remember(Remembered::Recovered { service, rule, class }));
        }
        watched.forget();
        watched.rest = Rest::None;
        // Nor does anything go on that only waits for others.
        if self.withdraw(i) {
            close(self.services[i].asked.take().map(|intent| (intent, false)), out);
        }
        let watched = &mut self.services[i];
        if watched.watching != Watching::No {
            watched.watching = Watching::No;
            watched.generation += 1;
            let service = watched.service.name.clone();
            out.push(Effect::Remember(Remembered::Monitoring { service, on: false }));
            self.emit(now, i, Fact::Monitoring { on: false }, out);
        }
    }
}
