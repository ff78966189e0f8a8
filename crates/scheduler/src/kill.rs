//! What does not heed its stop is killed, where the configuration says so.
//!
//! When its time is over it is looked at once more, and killed only if it is seen to live, or cannot be seen. The kill is
//! not remembered on its own: the stop that it belongs to is, and a later life that finds that stop unfinished looks first,
//! and gives it the whole time again.
//!
//! When what was killed is gone the stop has reached its aim. A stop program that still runs is ended then, so that it
//! neither keeps what follows waiting nor does anything to the process that comes next.

use std::time::Duration;

use hinoban_event::{Fact, Report};
use hinoban_reading::{Identity, Moment, Now, Unit, Value};

use crate::machine::{Out, Scheduler};
use crate::task::{Step, Task};
use crate::{Act, Effect, Part, Verdict};

/// Time for a signal to be sent.
const LIMIT: Duration = Duration::from_secs(5);

/// How far the patience with a stop goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kill {
    /// Until then.
    At(Moment),
    /// It is over, and a look is under way that says whether there is somebody to kill.
    Looking,
    /// It was killed, and is looked at then, and then with growing pauses, until it is gone.
    Killed { next: Moment, pause: Duration },
    /// It is gone, and its stop program is being ended.
    Ending,
}

impl Kill {
    pub(crate) fn deadline(self) -> Option<Moment> {
        match self {
            Kill::At(at) | Kill::Killed { next: at, .. } => Some(at),
            Kill::Looking | Kill::Ending => None,
        }
    }
}

impl Scheduler {
    /// A stop program begins, and time runs.
    pub(crate) fn kills_later(&mut self, now: Now, i: usize) {
        let watched = &mut self.services[i];
        let after = watched.service.kill_after;
        if let Some(task) = &mut watched.task {
            task.kill = after.map(|after| Kill::At(now.moment + after));
        }
    }

    /// Time passed during a stop.
    pub(crate) fn tick_kill(&mut self, now: Now, i: usize, out: &mut Out) {
        let Some(task) = &mut self.services[i].task else { return };
        task.kill = match task.kill {
            Some(Kill::At(at)) if at <= now.moment => Some(Kill::Looking),
            Some(Kill::Killed { next, pause }) if next <= now.moment => {
                let pause = (pause * 2).min(Duration::from_secs(1));
                Some(Kill::Killed { next: now.moment + pause, pause })
            }
            _ => return,
        };
        self.look(i, Part::Subject, true, out);
    }

    /// What was to be gone is gone: a stop program that still runs after its process was killed is ended.
    pub(crate) fn ends_stop(&mut self, i: usize, out: &mut Out) {
        let watched = &mut self.services[i];
        let (id, name) = (watched.id, watched.name.clone());
        let Some(task) = watched.task.as_mut() else { return };
        let (Some(Kill::Killed { .. }), Step::Running { act: Act::Stop, intent: program }) =
            (task.kill, &task.step)
        else {
            return;
        };
        let (act, cause) = (Act::End(*program), task.cause.clone());
        task.kill = Some(Kill::Ending);
        let intent = self.next_intent();
        self.kills.insert(intent, (name, None));
        out.push(Effect::Act { intent, service: id, act, limit: LIMIT, cause });
    }

    /// The configuration of a service changed while it is being stopped: how long a stop of it has now.
    pub(crate) fn kill_under(
        now: Moment,
        task: &mut Task,
        before: Option<Duration>,
        after: Option<Duration>,
    ) {
        let stops = matches!(task.step, Step::Running { act: Act::Stop, .. } | Step::AwaitDown(_));
        task.kill = match (task.kill, after) {
            (Some(Kill::At(_) | Kill::Looking), None) => None,
            (Some(Kill::At(at)), Some(after)) => Some(Kill::At(at - before.unwrap_or_default() + after)),
            // Whoever gives it an end now waits for it to come.
            (None, Some(after)) if stops && before.is_none() => Some(Kill::At(now + after)),
            (kill, _) => kill,
        };
    }

    /// What is to be gone was looked at: `living` is the process that is not, if it is known.
    pub(crate) fn kill(&mut self, now: Now, i: usize, living: Option<Identity>, out: &mut Out) {
        let watched = &mut self.services[i];
        let (id, after) = (watched.id, watched.service.kill_after.unwrap_or_default());
        let Some(task) = watched.task.as_mut() else { return };
        if task.kill != Some(Kill::Looking) {
            return;
        }
        task.kill = None;
        let Some(process) = living else { return };
        let pause = Duration::from_millis(100);
        task.kill = Some(Kill::Killed { next: now.moment + pause, pause });
        let cause = task.cause.clone();
        let after = Value::Real(after.as_secs_f64());
        let what = format!(
            "process {} did not end within {} of its stop and was killed",
            process.pid,
            Unit::Seconds.show(&after)
        );
        watched.did(what.clone());
        let name = watched.name.clone();
        let intent = self.next_intent();
        self.kills.insert(intent, (name, Some(process)));
        out.push(Effect::Act { intent, service: id, act: Act::Kill(process), limit: LIMIT, cause });
        self.emit(now, i, Fact::Limited { what }, out);
    }

    /// The signal was sent, or could not be.
    pub(crate) fn killed(&mut self, now: Now, intent: u64, report: &Report, verdict: Verdict, out: &mut Out) {
        let Some((name, process)) = self.kills.remove(&intent) else { return };
        let Some(i) = self.find(&name).and_then(|id| self.position(id)) else { return };
        // A program that could not be ended has its own time.
        let Some(process) = process.filter(|_| verdict != Verdict::Ran) else { return };
        let why = report.trouble.as_deref().unwrap_or("nobody knows why");
        let what = format!("process {} could not be killed: {why}", process.pid);
        self.emit(now, i, Fact::Limited { what }, out);
    }
}
