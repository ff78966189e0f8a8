//! What is done to one service reaches others: those that depend on it, and those that it depends on.
//!
//! There is no plan that could be overtaken by what happens. Each service has its own task, and a task may wait: a stop or
//! restart for its dependants to be out of the way, a start for what it depends on to be ready. Whoever waits brings about
//! what he waits for, one step up or down, and so it goes on to the last. A restart leaves its dependants stopped and
//! waiting; each starts as soon as all that it depends on is ready, level by level, independent ones at the same time.
//!
//! Nothing waits in a circle: dependants wait for what they depend on only while they are out of its way.

use hinoban_config::Service;
use hinoban_event::{Because, Doing, Event, Fact, Report};
use hinoban_reading::{Moment, Now};

use crate::machine::{Out, Scheduler};
use crate::over::close;
use crate::task::{Step, Terms};
use crate::watched::Watched;
use crate::{Act, ServiceId, Watching, wording};

/// Whether a dependant is out of the way.
#[derive(Debug, PartialEq)]
enum Way {
    Clear,
    /// It soon will be.
    Soon,
    /// It could not be stopped.
    Blocked,
}

impl Scheduler {
    /// Lets all tasks go on that wait for others, until none can.
    pub(crate) fn advance(&mut self, now: Now, out: &mut Out) {
        let mut rounds = 0;
        while !self.waiting.is_empty() {
            rounds += 1;
            debug_assert!(rounds < 1000, "what waits goes on and on");
            let mut moved = false;
            for id in std::mem::take(&mut self.waiting) {
                let Some(i) = self.position(id) else { continue };
                let goes_on = match self.services[i].task.as_ref().map(|task| &task.step) {
                    Some(Step::Clearing) => self.clear(now, i, out),
                    Some(Step::Held { .. }) => self.go_on(now, i, out),
                    _ => continue,
                };
                if goes_on {
                    moved = true;
                    self.schedule(i);
                }
                let waits = self.services[i].task.as_ref().is_some_and(|task| task.waits_for_others());
                if waits && !self.waiting.contains(&id) {
                    self.waiting.push(id);
                }
            }
            if !moved {
                break;
            }
        }
    }

    /// Before a stop: its dependants go first. Gives whether it waits for them.
    pub(crate) fn clears(&mut self, now: Now, i: usize, out: &mut Out) -> bool {
        if self.below(i).is_empty() {
            return false;
        }
        self.wait(i, Step::Clearing);
        self.promise(now, i, false, out);
        true
    }

    /// Before a start: what it depends on comes first. Gives whether it waits for that.
    pub(crate) fn holds(&mut self, now: Now, i: usize, out: &mut Out) -> bool {
        if !self.waits_above(i) {
            return false;
        }
        let watched = &mut self.services[i];
        let Some(task) = &mut watched.task else { return true };
        if (task.bounce || task.because.by().is_none()) && watched.watching == Watching::No {
            // Somebody wants it left alone by now.
            let open = watched.task.take().and_then(|task| task.open);
            watched.lets_alone();
            close(open, out);
            self.stays_down(now, i, out);
            self.take_pending(now, i, out);
            return true;
        }
        let commanded = task.because.by().is_some() && !task.bounce;
        let doing = task.doing.clone();
        if let Some(trouble) = self.is_unwanted(i).filter(|_| commanded) {
            self.finish(now, i, Err((doing, trouble)), out);
            return true;
        }
        let watched = &self.services[i];
        let retry = commanded.then(|| now.moment + watched.every);
        self.wait(i, Step::Held { retry, told: false });
        self.promise(now, i, false, out);
        if !self.gives_way(now, i, out) && commanded {
            self.pull(now, i, false, out);
        }
        true
    }

    /// Why a start does not bring about what it needs: somebody has since ended the watching of that, and with it of what
    /// is to be started. His is the newer wish.
    fn is_unwanted(&self, i: usize) -> Option<String> {
        self.services[i].switched.filter(|(on, _)| !on)?;
        let left = |above: &usize| {
            let watched = &self.services[*above];
            let stays = watched.task.is_none() || watched.switched.is_some_and(|(on, _)| !on);
            watched.watching == Watching::No && stays
        };
        let above = self.ties.ancestors(i).into_iter().find(left)?;
        let name = &self.services[above].name;
        Some(format!(
            "{name}, which it depends on, is no longer watched; to start both: hinoban start {}",
            wording::word(&self.services[i].name)
        ))
    }

    /// A restart leaves it stopped, for it is no longer watched. Nobody but an operator starts it now.
    pub(crate) fn stays_down(&mut self, now: Now, i: usize, out: &mut Out) {
        let name = wording::word(&self.services[i].name);
        let what = format!(
            "is down for a restart of what it depends on, and is not started after it because it is no longer watched; \
             to start it: hinoban start {name}"
        );
        self.emit(now, i, Fact::Limited { what }, out);
    }

    fn wait(&mut self, i: usize, step: Step) {
        let watched = &mut self.services[i];
        if let Some(task) = &mut watched.task {
            task.step = step;
        }
        let id = watched.id;
        if !self.waiting.contains(&id) {
            self.waiting.push(id);
        }
        self.schedule(i);
    }

    /// What an operator asked for survives a crash also while it waits for others.
    pub(crate) fn promise(&mut self, now: Now, i: usize, anew: bool, out: &mut Out) {
        let Some(task) = &self.services[i].task else { return };
        let Some(by) = task.because.by().filter(|_| task.open.is_none() || anew).map(str::to_owned) else {
            return;
        };
        let (doing, share) = (task.doing.clone(), task.share());
        let intent = match (share, self.services[i].switched) {
            // Who has switched the watching since has the last word, also after a crash: this was asked for before.
            (None, Some(_)) => self.remember_intent(now, i, (doing.clone(), Some(doing)), &by, None, out),
            (share, _) => self.remember_wish(now, i, &doing, &by, share.as_ref(), out),
        };
        if let Some(task) = &mut self.services[i].task {
            close(task.open.replace((intent, false)), out);
        }
    }

    /// The nearest dependants that are watched, or to which something is being done: the others have nothing to be taken
    /// down.
    fn below(&self, i: usize) -> Vec<usize> {
        let (mut found, mut open) = (Vec::new(), self.ties.children(i).to_vec());
        let mut seen = std::collections::HashSet::new();
        while let Some(child) = open.pop() {
            if !seen.insert(child) {
                continue;
            }
            let watched = &self.services[child];
            match watched.watching == Watching::No && watched.task.is_none() {
                true => open.extend(self.ties.children(child)),
                false => found.push(child),
            }
        }
        found
    }

    /// A stop or restart waits for its dependants: goes on if they are out of its way.
    fn clear(&mut self, now: Now, i: usize, out: &mut Out) -> bool {
        if self.gives_way(now, i, out) {
            return true;
        }
        let (mut soon, mut blocked) = (false, Vec::new());
        for child in self.below(i) {
            match self.way(now, i, child, out) {
                Way::Clear => {}
                Way::Soon => soon = true,
                Way::Blocked => blocked.push(self.services[child].name.to_string()),
            }
        }
        let Some(task) = self.services[i].task.as_mut().filter(|_| !soon) else { return false };
        if blocked.is_empty() {
            task.cleared = true;
            self.plan(now, i, out);
        } else {
            let depend = if blocked.len() == 1 { "depends" } else { "depend" };
            let trouble = format!("{}, which {depend} on it, could not be stopped first", blocked.join(", "));
            let doing = task.doing.clone();
            self.finish(now, i, Err((doing, trouble)), out);
        }
        true
    }

    /// Brings a dependant out of the way of `i`, which is to be stopped, or restarted.
    fn way(&mut self, now: Now, i: usize, child: usize, out: &mut Out) -> Way {
        let Some(lead) = &self.services[i].task else { return Way::Soon };
        let restart = lead.doing == Doing::Restart;
        let id = self.services[child].id;
        let asked = lead.taken.contains(&id);
        let watched = &self.services[child];
        let idle = match &watched.task {
            None if asked => return Way::Blocked,
            None => true,
            // A stop goes before a restart: two that take the same dependant down must not take it from each other.
            Some(task) if restart && task.doing != Doing::Stop => match task.step {
                Step::Held { .. } if task.bounce || watched.is_process() && !watched.is_up() => {
                    return Way::Clear;
                }
                // What is not watched has nothing to be taken down, also while a start of it waits.
                Step::Held { .. } if watched.watching == Watching::No => return Way::Clear,
                // It is on its way up again. That is seen through, and then it goes down once more.
                _ if task.bounce && task.stopped => return Way::Soon,
                _ if task.bounce => {
                    self.took(i, id);
                    return Way::Soon;
                }
                ref step => matches!(step, Step::Held { .. } | Step::Clearing),
            },
            Some(task) if task.doing == Doing::Stop => {
                self.took(i, id);
                return Way::Soon;
            }
            // It is down, and what was asked for after this stop comes after it.
            Some(task) if watched.watching == Watching::No && task.was_asked_after(lead) => {
                return Way::Clear;
            }
            Some(task) => task.waits_for_others(),
        };
        if idle {
            let because = Because::Dependency {
                service: self.services[i].name.to_string(),
                by: lead.because.by().map(str::to_owned),
            };
            let (doing, cause) = (lead.doing.clone(), lead.cause.clone());
            self.took(i, id);
            self.enlist(now, child, doing, because, cause, restart, out);
        }
        Way::Soon
    }

    fn took(&mut self, i: usize, child: ServiceId) {
        if let Some(lead) = &mut self.services[i].task
            && !lead.taken.contains(&child)
        {
            lead.taken.push(child);
        }
    }

    /// Begins what another service's task needs.
    #[allow(clippy::too_many_arguments)] // one step of one task: naming a struct for it would hide more than it shows
    fn enlist(
        &mut self,
        now: Now,
        i: usize,
        doing: Doing,
        because: Because,
        cause: Event,
        bounce: bool,
        out: &mut Out,
    ) {
        let before = self.withdraw(i);
        if before.is_some() {
            // What was asked of the watching meanwhile was asked before this.
            let switched = self.services[i].switched.take();
            close(switched.map(|(_, intent)| (intent, true)), out);
        }
        let asked = before.flatten().map(|(intent, _)| intent);
        let anew = before.is_some() && !bounce;
        let terms = Terms { asked, bounce, anew, stopped: false };
        self.begin_task(now, i, doing, because, cause, terms, out);
    }

    /// Ends a task that only waits for others; gives the intent that is open for it.
    pub(crate) fn withdraw(&mut self, i: usize) -> Option<Option<(u64, bool)>> {
        let watched = &mut self.services[i];
        let task = watched.task.take_if(|task| task.waits_for_others())?;
        Some(task.open)
    }

    /// An operator's newer wish takes the place of what only waits.
    pub(crate) fn gives_way(&mut self, now: Now, i: usize, out: &mut Out) -> bool {
        if self.services[i].pending.is_none() || self.ending {
            return false;
        }
        let Some(before) = self.withdraw(i) else { return false };
        self.take_pending(now, i, out);
        close(before, out);
        true
    }

    /// A start waits for what it depends on: goes on if that is ready.
    fn go_on(&mut self, now: Now, i: usize, out: &mut Out) -> bool {
        if !self.waits_above(i) {
            self.plan(now, i, out);
            return true;
        }
        let watched = &self.services[i];
        let Some(task) = &watched.task else { return false };
        let Step::Held { retry: Some(retry), told } = task.step else { return false };
        let hopeless: Vec<String> = self
            .ties
            .ancestors(i)
            .into_iter()
            .filter(|above| self.hopeless(*above))
            .map(|above| self.services[above].name.to_string())
            .collect();
        if !told && !hopeless.is_empty() {
            let (doing, because) = (task.doing.clone(), task.because.clone());
            self.retry(i, retry, true);
            let trouble = format!(
                "could not start required services: {}; it is tried again at each look",
                hopeless.join(", ")
            );
            if matches!(because, Because::Command { .. }) {
                let report = Report { trouble: Some(trouble), ..Report::default() };
                self.emit(now, i, Fact::Ended { doing, because, ok: false, report }, out);
            }
            // It is wanted, and so it is watched from now on, unless somebody has said otherwise since.
            if !matches!(self.services[i].switched, Some((false, _))) {
                self.watch(now, i, out);
            }
            return true;
        }
        // What was stopped before this was asked for is brought back by nobody else, once all is quiet there.
        let above = self.ties.ancestors(i).into_iter().map(|above| &self.services[above]);
        let left = above.clone().all(|watched| watched.task.is_none())
            && above.clone().any(|watched| watched.watching == Watching::No);
        if now.moment >= retry || left {
            let next = now.moment + self.services[i].every;
            self.retry(i, next, told);
            self.pull(now, i, true, out);
            return true;
        }
        false
    }

    fn retry(&mut self, i: usize, at: Moment, told: bool) {
        if let Some(task) = &mut self.services[i].task {
            task.step = Step::Held { retry: Some(at), told };
        }
    }

    /// Whether nothing that is under way will make it ready.
    fn hopeless(&self, i: usize) -> bool {
        let watched = &self.services[i];
        match watched.task.as_ref().map(|task| &task.step) {
            Some(Step::Held { told, .. }) => *told,
            Some(_) => false,
            None => {
                let looking =
                    watched.subject.flying.is_some() || watched.is_doubtful() || watched.confirm.is_some();
                watched.watching == Watching::Yes && !looking && !self.ready(i)
            }
        }
    }

    /// Starts what it depends on and is not ready: what comes first is first, and the others wait for that. `again`: what is
    /// up and fails was started once; its own looks say when it is well, and a start at each of them would take their turn.
    fn pull(&mut self, now: Now, i: usize, again: bool, out: &mut Out) {
        for parent in self.ties.ancestors(i) {
            let watched = &self.services[parent];
            let up = watched.watching == Watching::Yes && watched.is_up();
            // What was up when it could last be seen is not started beside itself.
            if up && (again || watched.subject.not_seen.is_some()) {
                continue;
            }
            let Some(task) = &self.services[i].task else { return };
            if self.ready(parent) || self.services[parent].task.is_some() {
                continue;
            }
            let by = task.because.by().map(str::to_owned);
            let because = Because::Dependency { service: self.services[i].name.to_string(), by };
            let cause = task.cause.clone();
            self.enlist(now, parent, Doing::Start, because, cause, false, out);
        }
    }

    /// What a dependant's part in a restart begins with, knowing whether it is up: its stop, if there is one.
    pub(crate) fn bounce(&mut self, now: Now, i: usize, down: bool, service: &Service, out: &mut Out) {
        match !down && service.stop.is_some() {
            true => self.run(now, i, Act::Stop, out),
            false => self.start_again(now, i, out),
        }
    }

    /// The second half of a restart.
    pub(crate) fn start_again(&mut self, now: Now, i: usize, out: &mut Out) {
        if let Some(task) = &mut self.services[i].task {
            task.stopped = true;
        }
        if self.holds(now, i, out) {
            return;
        }
        let watched = &self.services[i];
        let up = watched.is_process() && watched.subject.not_seen.is_none() && watched.is_up();
        match watched.service.start.is_some() && !up {
            true => self.run(now, i, Act::Start, out),
            false => self.finish(now, i, Ok(()), out),
        }
    }

    /// Names of the watched services that depend on this one, however far.
    pub(crate) fn dependants(&self, i: usize) -> Vec<std::sync::Arc<str>> {
        let below = self.ties.descendants(i).into_iter().map(|below| &self.services[below]);
        below.filter(|watched| watched.watching != Watching::No).map(|watched| watched.name.clone()).collect()
    }

    /// Names of those among them that are down.
    pub(crate) fn fallen(&self, i: usize) -> Vec<std::sync::Arc<str>> {
        let below = self.ties.descendants(i).into_iter().map(|below| &self.services[below]);
        let down = |watched: &&Watched| {
            let seen = watched.subject.seen.is_some() && watched.subject.not_seen.is_none();
            watched.watching != Watching::No && watched.is_process() && seen && !watched.is_up()
        };
        below.filter(down).map(|watched| watched.name.clone()).collect()
    }
}
