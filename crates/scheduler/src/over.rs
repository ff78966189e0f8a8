//! The end of what was being done to a service: who hears of it, and what follows.

use std::time::Duration;

use hinoban_config::Turns;
use hinoban_event::{Because, Doing, Fact, Report};
use hinoban_reading::Now;

use crate::machine::{Out, Scheduler};
use crate::task::Task;
use crate::watched::Confirm;
use crate::{Effect, LastAction, Part, Remembered, Watching, rules};

impl Scheduler {
    /// It is over: tells so, and goes on with what was asked for meanwhile.
    pub(crate) fn finish(&mut self, now: Now, i: usize, result: Result<(), (Doing, String)>, out: &mut Out) {
        let watched = &mut self.services[i];
        let Some(mut task) = watched.task.take().map(|task| *task) else { return };
        let ok = result.is_ok();
        task.report.took = now.moment.since(task.begun);
        let doing = match result {
            Ok(()) => task.doing.clone(),
            Err((doing, trouble)) => {
                if !trouble.is_empty() {
                    task.report.trouble = Some(trouble);
                }
                doing
            }
        };
        let sentence = done_sentence(&doing, ok, &task.report);
        let by = task.because.by().map(str::to_owned);
        let (at, took, text) = (now.stamp, task.report.took, sentence.clone());
        watched.last_action = Some(Box::new(LastAction { doing: doing.clone(), ok, at, took, by, text }));
        let mending = watched.trial.as_ref().is_some_and(|trial| trial.mending);
        let given_up = watched.trial.as_ref().is_some_and(|trial| trial.repairs.gave_up.is_some());
        match &task.because {
            Because::Rule { .. } => watched.did(sentence),
            // What had been given up is told with whoever mended it.
            Because::Command { by } if mending => watched.did(format!("{sentence}, asked for by {by}")),
            Because::Dependency { service, .. } if mending || given_up => {
                watched.did(format!("{sentence}, because of {service}"));
            }
            _ => {}
        }
        let (because, report) = (task.because.clone(), std::mem::take(&mut task.report));
        self.emit(now, i, Fact::Ended { doing, because, ok, report }, out);
        self.follow_up(now, i, &task, ok, out);
    }

    /// It is over without anything having been done, for there is no program that does it. What follows, follows.
    pub(crate) fn pass_over(&mut self, now: Now, i: usize, out: &mut Out) {
        let watched = &mut self.services[i];
        let Some(task) = watched.task.take() else { return };
        let by = task.because.by().map(str::to_owned);
        let (doing, took) = (task.doing.clone(), Duration::ZERO);
        let text = format!("no {}: it has no program for that", doing.word());
        watched.last_action = Some(Box::new(LastAction { doing, ok: false, at: now.stamp, took, by, text }));
        self.follow_up(now, i, &task, true, out);
    }

    fn follow_up(&mut self, now: Now, i: usize, task: &Task, ok: bool, out: &mut Out) {
        if matches!(task.because, Because::Rule { .. }) {
            self.repaired(now, i);
        }
        let wanted = !task.bounce && !matches!(task.because, Because::Rule { .. });
        let began = matches!(task.doing, Doing::Start | Doing::Restart);
        let switched = self.services[i].switched.take();
        match task.doing {
            // Whoever switched it since has the last word.
            _ if switched.is_some() => {}
            Doing::Stop if ok => {
                let why = task
                    .because
                    .by()
                    .is_none()
                    .then(|| rules::given_up(&self.services[i].name, &task.cause, &Doing::Stop));
                self.unwatch(now, i, why, out);
            }
            Doing::Start | Doing::Restart if wanted => self.watch(now, i, out),
            _ => {}
        }
        let watched = &mut self.services[i];
        if ok && began && watched.watching == Watching::Initializing {
            match watched.is_process() {
                // It was looked at just now.
                true => watched.watching = Watching::Yes,
                // Others may wait for it to be known.
                false => watched.due = now.moment,
            }
        }
        self.services[i].lets_alone();
        // After what it led to: a stop that is over without the service being unwatched would be undone by a crash here.
        close(task.open, out);
        close(switched.map(|(_, intent)| (intent, ok)), out);
        let watched = &mut self.services[i];
        if ok && began && watched.watching != Watching::No && watched.test_rules().next().is_some() {
            let window = watched.service.start.as_ref().map_or(Duration::from_secs(30), |p| p.timeout);
            let pause = Duration::from_millis(100);
            watched.confirm = Some(Box::new(Confirm {
                since: now.stamp,
                next: now.moment + pause,
                pause,
                until: now.moment + window,
            }));
        }
        // What the last look saw now counts, as an early look: a process that is back has recovered. Nobody has looked
        // at anything else since.
        let watched = &self.services[i];
        // A rule that asks for a start of what is up finds nothing to do: that look has been judged.
        let did = wanted || task.bounce || task.open.is_some();
        if watched.watching != Watching::No && ok && began && did {
            match watched.is_process() || !watched.has_subject() {
                true => self.judge_after(now, i, out),
                false => {
                    self.services[i].unsure = true;
                    self.look(i, Part::Subject, true, out);
                }
            }
        }
        let watched = &self.services[i];
        let by_calendar = matches!(watched.service.turns, Turns::At(_) | Turns::Except(_));
        if ok && began && by_calendar && !watched.has_subject() && watched.watching == Watching::Initializing
        {
            // Others may wait for it now, and its turn may be far.
            self.round(now, i, out);
        }
        self.take_pending(now, i, out);
        self.schedule(i);
    }
}

/// An intent is over.
pub(crate) fn close(open: Option<(u64, bool)>, out: &mut Out) {
    if let Some((intent, ok)) = open {
        out.push(Effect::Remember(Remembered::Done { intent, ok }));
    }
}

/// What was done, as a sentence for whoever reads of the recovery.
fn done_sentence(doing: &Doing, ok: bool, report: &Report) -> String {
    let took = report.took;
    let took = if took < Duration::from_secs(10) {
        format!("{} ms", took.as_millis())
    } else {
        format!("{:.0} s", took.as_secs_f64())
    };
    let past = match doing {
        Doing::Start => "started",
        Doing::Stop => "stopped",
        _ => "restarted",
    };
    match ok {
        true => format!("{past} in {took}"),
        false => format!("failed to {} after {took}{}", doing.word(), report.failure()),
    }
}
