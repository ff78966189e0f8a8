//! Doing something to a service: run its programs, then look until it is there, or gone.

use std::time::Duration;

use hinoban_config::Dialect;
use hinoban_event::{Because, Doing, Event, Fact, Report};
use hinoban_reading::{Identity, Moment, Now, ReasonKind};

use crate::kept::Kept;
use crate::kill::Kill;
use crate::machine::{Out, Scheduler};
use crate::over::close;
use crate::{Act, Effect, Part, Remembered, ServiceId, Verdict};

/// A pidfile that names a process which has ended may be written anew for so long: some programs write it before they
/// leave the foreground, and again after.
const REWRITTEN: Duration = Duration::from_secs(2);

/// One thing being done to one service.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) doing: Doing,
    pub(crate) because: Because,
    /// The event that caused it.
    pub(crate) cause: Event,
    pub(crate) step: Step,
    pub(crate) begun: Moment,
    /// The process that was there when it began.
    pub(crate) target: Option<Identity>,
    /// The pid that stood for it when it began, of a living process or not; `None`: nobody knows.
    pub(crate) named: Option<Option<u32>>,
    /// Since when the pid that stands for it is another one, of a process that does not live: it was there, and ended
    /// before anybody saw it.
    pub(crate) unseen: Option<Moment>,
    /// What the last of its programs came to.
    pub(crate) report: Report,
    /// The intent whose program has ended, and whether it ran: what it was for is not reached yet, so it is not over.
    pub(crate) open: Option<(u64, bool)>,
    /// It is a dependant's part in the restart of another service: it stops, waits for that, and starts again.
    pub(crate) bounce: bool,
    /// Its dependants are out of its way.
    pub(crate) cleared: bool,
    /// Of a restart the stop is done.
    pub(crate) stopped: bool,
    /// How far the patience with its stop goes; `None`: it has all the time.
    pub(crate) kill: Option<Kill>,
    /// Dependants that were taken down for it.
    pub(crate) taken: Vec<ServiceId>,
}

/// A dependant's part in the restart of another service.
#[derive(Debug, Clone)]
pub(crate) struct Share {
    /// Of which.
    pub(crate) of: String,
    /// What was to be stopped is stopped.
    pub(crate) stopped: bool,
}

/// How a task begins.
#[derive(Debug, Default)]
pub(crate) struct Terms {
    /// The intent that stands for it so far.
    pub(crate) asked: Option<u64>,
    /// It is a dependant's part in the restart of another service …
    pub(crate) bounce: bool,
    /// … of which the stop is done.
    pub(crate) stopped: bool,
    /// It takes the place of what waited, and is promised before anything of it is done.
    pub(crate) anew: bool,
}

/// Where it stands.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    /// A fresh look comes first: an operator's wish may meet a service that is not watched.
    Peek,
    /// Waiting for dependants to be out of the way.
    Clearing,
    /// Waiting for what it depends on. What somebody asked for starts that, again and again; `told`: so far in vain.
    Held { retry: Option<Moment>, told: bool },
    /// A program runs.
    Running { act: Act, intent: u64 },
    /// Looking until it is there.
    AwaitUp(Wait),
    /// Looking until it is gone.
    AwaitDown(Wait),
}

/// Looks with growing pauses, until a deadline.
#[derive(Debug, PartialEq)]
pub(crate) struct Wait {
    until: Moment,
    next: Moment,
    pause: Duration,
    /// The look at the deadline has been asked for: its result decides.
    last: bool,
}

impl Wait {
    fn new(now: Moment, until: Moment) -> Self {
        let pause = Duration::from_millis(100);
        Self { until, next: now + pause, pause, last: false }
    }

    fn over(&self, now: Moment) -> bool {
        self.last && now >= self.until
    }
}

impl Task {
    pub(crate) fn new(doing: Doing, because: Because, cause: Event, begun: Moment) -> Self {
        Self {
            doing,
            because,
            cause,
            step: Step::Peek,
            begun,
            target: None,
            named: None,
            unseen: None,
            report: Report::default(),
            open: None,
            bounce: false,
            cleared: false,
            stopped: false,
            kill: None,
            taken: Vec::new(),
        }
    }

    /// What part it is of another service's restart, if it is one.
    pub(crate) fn share(&self) -> Option<Share> {
        match &self.because {
            Because::Dependency { service, .. } if self.bounce => {
                Some(Share { of: service.clone(), stopped: self.stopped })
            }
            _ => None,
        }
    }

    /// Whether it waits for what is done to other services, and nothing of its own goes on.
    pub(crate) fn waits_for_others(&self) -> bool {
        matches!(self.step, Step::Clearing | Step::Held { .. })
    }

    pub(crate) fn deadline(&self) -> Option<Moment> {
        let step = match &self.step {
            Step::Held { retry, .. } => *retry,
            Step::AwaitUp(wait) | Step::AwaitDown(wait) if !wait.last => Some(wait.next.min(wait.until)),
            _ => None,
        };
        step.into_iter().chain(self.kill.and_then(Kill::deadline)).min()
    }

    /// Until when its process has time to appear, or to go; `None`: that is not what it waits for.
    pub(crate) fn until(&self) -> Option<Moment> {
        match &self.step {
            Step::AwaitUp(wait) | Step::AwaitDown(wait) => Some(wait.until),
            _ => None,
        }
    }

    /// The look that this waited for will not come: another one is asked for. `afresh`: it is of another thing, of which
    /// nobody knows whether it is there, so that what waits for others waits for that first.
    pub(crate) fn look_again(&mut self, afresh: bool) {
        if let Some(wait) = self.wait() {
            wait.last = false;
        }
        if afresh && self.waits_for_others() {
            self.step = Step::Peek;
        }
    }

    /// Whether anything has been done for it.
    pub(crate) fn has_begun(&self) -> bool {
        let waits = self.waits_for_others() && !self.stopped;
        self.step != Step::Peek && !waits
    }

    /// Whether it is worth waiting for when we end: its program may not have begun yet, or another one is to follow.
    pub(crate) fn is_under_way(&self) -> bool {
        match &self.step {
            Step::Peek | Step::Clearing | Step::Running { .. } => true,
            Step::Held { .. } => self.stopped,
            Step::AwaitUp(_) => false,
            Step::AwaitDown(_) => self.doing == Doing::Restart,
        }
    }

    /// Whether it has stopped, or is stopping, what it is to start again.
    pub(crate) fn is_halfway(&self) -> bool {
        let stops = matches!(self.step, Step::Running { act: Act::Stop, .. } | Step::AwaitDown(_));
        let held = self.stopped && self.waits_for_others();
        held || stops && self.doing == Doing::Restart
    }

    /// Whether it is a start that waits for others, and that somebody asked for after somebody had asked for the other one.
    pub(crate) fn was_asked_after(&self, other: &Task) -> bool {
        let asked = |task: &Task| {
            let (intent, _) = task.open?;
            (task.because.by().is_some() && !task.bounce).then_some(intent)
        };
        let waits = self.doing == Doing::Start && matches!(self.step, Step::Held { .. });
        waits && asked(other).is_some_and(|before| asked(self).is_some_and(|after| after > before))
    }

    fn wait(&mut self) -> Option<&mut Wait> {
        match &mut self.step {
            Step::AwaitUp(wait) | Step::AwaitDown(wait) => Some(wait),
            _ => None,
        }
    }
}

impl Scheduler {
    /// Begins to do something to a service to which nothing is being done. `asked`: the intent that stands for it so far.
    #[allow(clippy::too_many_arguments)] // what, why, and because of what: each is known to one caller only
    pub(crate) fn begin(
        &mut self,
        now: Now,
        i: usize,
        doing: Doing,
        because: Because,
        cause: Event,
        asked: Option<u64>,
        out: &mut Out,
    ) {
        self.begin_task(now, i, doing, because, cause, Terms { asked, ..Terms::default() }, out);
    }

    /// The same, if it may be a dependant's part in a restart, or take the place of something.
    #[allow(clippy::too_many_arguments)] // one step of one task: naming a struct for it would hide more than it shows
    pub(crate) fn begin_task(
        &mut self,
        now: Now,
        i: usize,
        doing: Doing,
        because: Because,
        cause: Event,
        terms: Terms,
        out: &mut Out,
    ) {
        let watched = &mut self.services[i];
        watched.generation += 1;
        watched.confirm = None;
        let target = watched.alive.filter(|_| watched.is_up()).and_then(|a| a.identity);
        // A rule knows what it has just seen; others look first.
        let by_rule = matches!(because, Because::Rule { .. });
        let Terms { asked, bounce, stopped, anew } = terms;
        let open = asked.map(|intent| (intent, false));
        let named = watched.subject.seen.as_ref().map(|seen| seen.named);
        let task = Task::new(doing, because, cause, now.moment);
        watched.task = Some(Box::new(Task { target, named, open, bounce, stopped, ..task }));
        if anew {
            self.promise(now, i, true, out);
        }
        let watched = &self.services[i];
        if !by_rule && watched.has_subject() {
            self.look(i, Part::Subject, true, out);
        } else {
            self.plan(now, i, out);
        }
    }

    /// Chooses the first step, knowing whether the service is up.
    pub(crate) fn plan(&mut self, now: Now, i: usize, out: &mut Out) {
        let Some(task) = &self.services[i].task else { return };
        if task.stopped {
            return self.start_again(now, i, out);
        }
        let asked = task.because.by().is_some();
        let takes_down = matches!(task.doing, Doing::Stop | Doing::Restart) && !task.cleared;
        if takes_down && self.clears(now, i, out) {
            return;
        }
        let watched = &self.services[i];
        let Some(task) = &watched.task else { return };
        let service = watched.service.clone();
        let by_command = matches!(task.because, Because::Command { .. });
        // What could not be seen is neither up nor down.
        let known = watched.is_process() && watched.subject.not_seen.is_none();
        let up = known && watched.is_up();
        let down = known && !watched.is_up();
        match task.doing {
            // What was asked for brings what it needs with it, even if it is up itself.
            Doing::Start if (asked || !up) && self.closed(i) => {
                self.holds(now, i, out);
            }
            Doing::Restart if task.bounce => self.bounce(now, i, down, &service, out),
            Doing::Restart if service.restart.is_some() && self.closed(i) => {
                self.holds(now, i, out);
            }
            Doing::Start if up => self.finish(now, i, Ok(()), out),
            Doing::Start if service.start.is_some() => self.run(now, i, Act::Start, out),
            Doing::Start => self.finish(now, i, Ok(()), out),
            Doing::Stop if down => self.finish(now, i, Ok(()), out),
            Doing::Stop if service.stop.is_some() => self.run(now, i, Act::Stop, out),
            Doing::Stop if watched.is_process() || !by_command => {
                let goes_on = if watched.is_process() { "it goes on running" } else { "nothing is stopped" };
                let what = format!("has no stop program: {goes_on}, and is no longer watched");
                self.emit(now, i, Fact::Limited { what }, out);
                // Whoever reads Monit's log waits for the end of what was asked for.
                match by_command && self.dialect == Dialect::Monit {
                    true => self.finish(now, i, Ok(()), out),
                    false => self.pass_over(now, i, out),
                }
            }
            Doing::Restart if service.restart.is_some() => self.run(now, i, Act::Restart, out),
            Doing::Restart if !down && service.stop.is_some() => self.run(now, i, Act::Stop, out),
            Doing::Restart if !up && service.start.is_some() => self.start_again(now, i, out),
            Doing::Restart if up => {
                let trouble = "it has no stop program, and its process still runs; give it one".to_owned();
                self.finish(now, i, Err((Doing::Restart, trouble)), out);
            }
            _ => self.finish(now, i, Ok(()), out),
        }
    }

    /// Runs one of the service's own programs.
    pub(crate) fn run(&mut self, now: Now, i: usize, act: Act, out: &mut Out) {
        let intent = self.next_intent();
        self.renew_pending(now, i, out);
        let watched = &mut self.services[i];
        let service = watched.service.clone();
        let (doing, program) = match act {
            Act::Stop => (Doing::Stop, &service.stop),
            Act::Restart => (Doing::Restart, &service.restart),
            _ => (Doing::Start, &service.start),
        };
        let Some(program) = program else { return self.finish(now, i, Ok(()), out) };
        let Some(task) = watched.task.as_mut() else { return };
        task.step = Step::Running { act: act.clone(), intent };
        let (because, cause, id) = (task.because.clone(), task.cause.clone(), watched.id);
        let (whole, part_of) = (task.doing.clone(), task.share().map(|share| share.of));
        let before = task.open.take();
        let by = because.by().map(str::to_owned);
        let (limit, by_rule) = (program.timeout, matches!(because, Because::Rule { .. }));
        out.push(Effect::Remember(Remembered::Intent {
            intent,
            service: service.name.clone(),
            doing: doing.clone(),
            at: now.stamp,
            whole: Some(whole),
            by,
            part_of,
        }));
        if by_rule && act != Act::Stop {
            self.services[i].restarts = self.services[i].restarts.saturating_add(1);
        }
        if let Some(trial) = &mut self.services[i].trial {
            trial.acted_on();
        }
        self.running.insert(intent, id);
        match act {
            Act::Stop => self.kills_later(now, i),
            _ => self.services[i].other_process(),
        }
        out.push(Effect::Act { intent, service: id, act, limit, cause });
        // A crash before the act finds what came before it open: of a restart by a rule the stop, which then goes on.
        close(before, out);
        // Told after the act is on its way: the log must not delay a restart.
        self.emit(now, i, Fact::Began { doing, command: Some(program.line()), because }, out);
    }

    /// A program ended.
    pub(crate) fn action_done(
        &mut self,
        now: Now,
        intent: u64,
        report: Report,
        verdict: Verdict,
        out: &mut Out,
    ) {
        let ok = verdict == Verdict::Ran;
        let Some(i) = self.running.remove(&intent).and_then(|id| self.position(id)) else {
            return close(Some((intent, ok)), out);
        };
        let watched = &mut self.services[i];
        let process = watched.is_process();
        let service = watched.service.clone();
        let act = match watched.task.as_ref().map(|task| &task.step) {
            Some(Step::Running { act, intent: current }) if *current == intent => act.clone(),
            _ => return close(Some((intent, ok)), out),
        };
        let Some(task) = watched.task.as_mut() else { return };
        let took = report.took;
        // How a program ended that we have ended is no news.
        let (ok, verdict, report) = match task.kill {
            Some(Kill::Ending) => (true, Verdict::TimedOut, Report { took, ..Report::default() }),
            _ => (ok, verdict, report),
        };
        task.report = report;
        let before = task.open.replace((intent, ok));
        close(before, out);
        match (act, verdict) {
            (Act::Stop, Verdict::Ran | Verdict::TimedOut) if process => {
                let left = if verdict == Verdict::Ran { limit(&service.stop) } else { took };
                task.step = Step::AwaitDown(Wait::new(now.moment, now.moment - took + left));
                self.look(i, Part::Subject, true, out);
            }
            (Act::Stop, Verdict::Ran) => self.stopped(now, i, out),
            (act @ (Act::Start | Act::Restart), Verdict::Ran) if process => {
                let left = limit(if act == Act::Start { &service.start } else { &service.restart });
                task.step = Step::AwaitUp(Wait::new(now.moment, now.moment - took + left));
                self.look(i, Part::Subject, true, out);
            }
            (_, Verdict::Ran) => self.finish(now, i, Ok(()), out),
            (act, Verdict::TimedOut | Verdict::Failed) => {
                let doing = match act {
                    Act::Stop => Doing::Stop,
                    Act::Restart => Doing::Restart,
                    _ => Doing::Start,
                };
                self.finish(now, i, Err((doing, String::new())), out);
            }
        }
    }

    /// A look at the subject ended while something is being done to it.
    pub(crate) fn looked_during_task(&mut self, now: Now, i: usize, out: &mut Out) {
        let watched = &mut self.services[i];
        let up = watched.is_up();
        let identity = watched.subject.seen.as_ref().and_then(|o| o.identity);
        let reason = watched.subject.not_seen.clone().or_else(|| {
            watched.subject.seen.as_ref().and_then(|o| o.standing.reason()).map(|r| r.text.clone())
        });
        let former = watched.subject.seen.as_ref().and_then(Kept::former);
        let known = watched.subject.not_seen.is_none();
        let ended = watched.subject.seen.as_ref().filter(|_| known).and_then(ended_unseen);
        let Some(task) = watched.task.as_mut() else { return };
        // What is to be gone is that very process: its pidfile may be gone, or name another one, while it still ends.
        let gone = match task.target {
            Some(target) => identity != Some(target) && former != Some(target),
            None => !up && former.is_none(),
        };
        let gone = gone && known;
        if task.kill == Some(Kill::Looking) {
            let living = task.target.or(identity.filter(|_| up)).filter(|_| !gone);
            self.kill(now, i, living, out);
        }
        if gone {
            self.ends_stop(i, out);
        }
        if !self.services[i].is_process() {
            return self.not_awaited(now, i, out);
        }
        let watched = &mut self.services[i];
        let Some(task) = watched.task.as_mut() else { return };
        match &task.step {
            Step::Peek => {
                task.target = identity.filter(|_| up);
                task.named = watched.subject.seen.as_ref().map(|seen| seen.named);
                self.plan(now, i, out);
            }
            Step::AwaitUp(_) if up && known => self.finish(now, i, Ok(()), out),
            Step::AwaitUp(wait)
                if !wait.over(now.moment)
                    && task.named.is_some_and(|named| ended.is_some() && named != ended) =>
            {
                let since = *task.unseen.get_or_insert(now.moment);
                if now.moment.since(since) < REWRITTEN {
                    return;
                }
                let pid = ended.unwrap_or_default();
                let trouble = format!("its process {pid} ended right after its start");
                let doing = if task.doing == Doing::Restart { Doing::Start } else { task.doing.clone() };
                watched.short_lives = watched.short_lives.saturating_add(1);
                self.finish(now, i, Err((doing, trouble)), out);
                let watched = &mut self.services[i];
                watched.recheck = Some(watched.held_until(now.moment).unwrap_or(now.moment));
            }
            Step::AwaitUp(wait) if wait.over(now.moment) => {
                let limit = wait.until.since(task.begun).as_secs_f64();
                let reason = reason.map(|r| format!(": {r}")).unwrap_or_default();
                let trouble = format!("its process did not appear within {limit:.0} s{reason}");
                let doing = if task.doing == Doing::Restart { Doing::Start } else { task.doing.clone() };
                self.finish(now, i, Err((doing, trouble)), out);
            }
            Step::AwaitDown(_) if gone => {
                self.stopped(now, i, out);
            }
            Step::AwaitDown(wait) if wait.over(now.moment) => {
                let who = task
                    .target
                    .or(identity)
                    .map(|p| p.to_string())
                    .unwrap_or_else(|| "its process".to_owned());
                let trouble = format!("could not be stopped: {who} is still running");
                self.finish(now, i, Err((Doing::Stop, trouble)), out);
            }
            _ => {}
        }
    }

    /// Of what is no process none is awaited: what did so was another thing before a reload.
    pub(crate) fn not_awaited(&mut self, now: Now, i: usize, out: &mut Out) {
        match self.services[i].task.as_ref().map(|task| &task.step) {
            Some(Step::Peek) => self.plan(now, i, out),
            Some(Step::AwaitUp(_)) => self.finish(now, i, Ok(()), out),
            Some(Step::AwaitDown(_)) => self.stopped(now, i, out),
            _ => {}
        }
    }

    /// Time passed while waiting for a process to appear or to go.
    pub(crate) fn tick_task(&mut self, now: Now, i: usize, out: &mut Out) {
        self.tick_kill(now, i, out);
        // What waits for others is asked at the end of each turn.
        let Some(wait) = self.services[i].task.as_mut().and_then(|task| task.wait()) else { return };
        if wait.last || now.moment < wait.next.min(wait.until) {
            return;
        }
        wait.last = now.moment >= wait.until;
        wait.pause = (wait.pause * 2).min(Duration::from_secs(1));
        wait.next = now.moment + wait.pause;
        self.look(i, Part::Subject, true, out);
    }

    /// The stop reached its aim: start if a restart wants it.
    fn stopped(&mut self, now: Now, i: usize, out: &mut Out) {
        if let Some(task) = &mut self.services[i].task {
            task.kill = None;
        }
        let watched = &self.services[i];
        let restart = watched.task.as_ref().is_some_and(|t| t.doing == Doing::Restart);
        let bounce = watched.task.as_ref().is_some_and(|t| t.bounce);
        if restart && (bounce || watched.service.start.is_some()) {
            self.start_again(now, i, out);
        } else {
            self.finish(now, i, Ok(()), out);
        }
    }
}

/// The pid that stands for it, of a process that does not exist.
fn ended_unseen(seen: &Kept) -> Option<u32> {
    let gone = seen.standing.reason().is_some_and(|reason| reason.kind == ReasonKind::ProcessGone);
    seen.named.filter(|_| gone)
}

fn limit(program: &Option<hinoban_config::Program>) -> Duration {
    program.as_ref().map_or(Duration::ZERO, |p| p.timeout)
}
