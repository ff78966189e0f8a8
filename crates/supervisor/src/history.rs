//! What was: hands readings and events to the history, and asks it.
//!
//! Per reading that means a comparison of its name and four additions; what a rule names is written down in a byte or a
//! few. Now and then a batch goes to the thread of the history. Nothing here waits for it: what it cannot take is left
//! out, and that is told once.

mod ask;
mod sheet;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hinoban_config::Service;
use hinoban_event::{Event, Fact};
use hinoban_journal::history::{Chunk, Failing, History, SLOT};
use hinoban_reading::{Moment, Now, Observation};
use hinoban_scheduler::Reload;
use tokio::sync::oneshot;

pub use ask::HistoryError;
pub(crate) use ask::Past;

use crate::plane::Owner;
use crate::run::{Loop, Note};
use sheet::{Names, Sheet};

/// A batch goes when it holds so many pieces …
const BATCH: usize = 256;

/// … or when its first has waited so long.
const WAIT: Duration = Duration::from_secs(40);

/// Hears that the history has let go of its file.
pub(crate) type Rested = Arc<dyn Fn() + Send + Sync>;

/// Writes down what is seen and what happens.
pub(crate) struct Recorder {
    history: History,
    /// By what is looked at.
    sheets: HashMap<Owner, Box<Sheet>>,
    names: Names,
    pending: Vec<Chunk>,
    since: Option<Moment>,
    /// Whether something was left out since the thread last took everything.
    behind: bool,
    notes: tokio::sync::mpsc::UnboundedSender<Note>,
}

impl Recorder {
    fn begin(
        path: &Path,
        room: u64,
        notes: tokio::sync::mpsc::UnboundedSender<Note>,
        rested: Rested,
    ) -> std::io::Result<Self> {
        let heard = notes.clone();
        let tell = move |text| drop(heard.send(Note::Trouble(text)));
        let history = History::begin(path, room, tell, move || rested())?;
        let (sheets, names, pending) = (HashMap::new(), Names::default(), Vec::new());
        Ok(Self { history, sheets, names, pending, since: None, behind: false, notes })
    }

    /// Takes in what a look saw.
    pub(crate) fn observe(&mut self, owner: Owner, service: &Service, seen: &Observation, now: Now) {
        if seen.readings.is_empty() {
            return;
        }
        let sheet = self.sheets.entry(owner).or_insert_with(|| Box::new(Sheet::new(service, owner.1)));
        sheet.turn(now.stamp.secs().div_euclid(SLOT), &self.names, &mut self.pending);
        sheet.add(service, seen, now.stamp, &mut self.names, &mut self.pending);
        if self.pending.is_empty() {
            return;
        }
        let since = *self.since.get_or_insert(now.moment);
        if self.pending.len() >= BATCH || now.moment.since(since) >= WAIT {
            self.send();
        }
    }

    /// What is looked at no more is written down as far as it came.
    pub(crate) fn forget(&mut self, owner: &Owner) {
        if let Some(mut sheet) = self.sheets.remove(owner) {
            sheet.turn(i64::MAX, &self.names, &mut self.pending);
        }
    }

    fn send(&mut self) {
        self.since = None;
        let batch = std::mem::take(&mut self.pending);
        let taken = batch.is_empty() || self.history.readings(batch);
        self.kept_up(taken);
    }

    /// Takes in an event. `needs`: what its service depends on, however far.
    fn event(&mut self, event: &Arc<Event>, needs: Vec<Arc<str>>) {
        let taken = self.history.event(event.clone(), needs);
        self.kept_up(taken);
    }

    fn kept_up(&mut self, taken: bool) {
        if !taken && !self.behind {
            let text = "the history cannot be written as fast as it comes: some of it is left out";
            let _ = self.notes.send(Note::Trouble(text.to_owned()));
        }
        self.behind = !taken;
    }

    /// What of a service is on no disk yet.
    fn fresh(&self, service: &str) -> Vec<Chunk> {
        let sheets = self.sheets.values().filter(|sheet| sheet.is_of(service));
        let mut fresh: Vec<Chunk> = sheets.flat_map(|sheet| sheet.copy(&self.names)).collect();
        fresh.extend(self.pending.iter().filter(|chunk| *chunk.series.service == *service).cloned());
        fresh
    }

    /// Writes everything, then answers.
    pub(crate) fn end(mut self) -> oneshot::Receiver<()> {
        for sheet in self.sheets.values_mut() {
            sheet.turn(i64::MAX, &self.names, &mut self.pending);
        }
        self.send();
        let (done, ended) = oneshot::channel();
        self.history.end(move || {
            let _ = done.send(());
        });
        ended
    }
}

/// Whether an incident can hold this event.
fn belongs(fact: &Fact) -> bool {
    match fact {
        Fact::Failed(failure) => failure.times <= 1,
        Fact::GaveUp { times, .. } => *times <= 1,
        Fact::Recovered(_)
        | Fact::EndingLearned(_)
        | Fact::NotSeen { .. }
        | Fact::Seen
        | Fact::Commanded { .. }
        | Fact::Held { .. }
        | Fact::Began { .. }
        | Fact::Ended { .. }
        | Fact::Monitoring { on: false } => true,
        _ => false,
    }
}

impl Loop {
    /// Begins to keep a history, if there is a place for it and the configuration wants one. `failing`: what failed in an
    /// earlier life, and does still.
    pub(crate) fn keep_history(&mut self, failing: Vec<Failing>) {
        let (Some(place), Some(room)) = (&self.past, self.config.history) else { return };
        match Recorder::begin(place, room, self.notes.0.clone(), self.rested.clone()) {
            Ok(recorder) => {
                recorder.history.stand(self.clock.now().stamp, failing, true);
                self.recorder = Some(Box::new(recorder));
            }
            Err(why) => {
                let what = format!("no history is kept: there is no thread for it ({why})");
                let _ = self.notes.0.send(Note::Trouble(what));
            }
        }
    }

    /// Takes in an event that was told.
    pub(crate) fn keep_event(&mut self, event: &Arc<Event>) {
        if self.recorder.is_none() || !belongs(&event.fact) {
            return;
        }
        let needs = match &event.fact {
            Fact::Failed(_) => self.needs(&event.service),
            _ => Vec::new(),
        };
        if let Some(recorder) = &mut self.recorder {
            recorder.event(event, needs);
        }
    }

    /// What a service depends on, however far, the nearest first.
    fn needs(&self, service: &str) -> Vec<Arc<str>> {
        let of = |name: &str| {
            let service = |name: &str| self.scheduler.find(name).and_then(|id| self.scheduler.service(id));
            let needed = service(name).into_iter().flat_map(|found| &found.depends_on);
            // As they call themselves, not as they are called.
            let needed = needed.filter_map(|needed| Some(service(&needed.name)?.name.as_str().into()));
            needed.collect::<Vec<Arc<str>>>()
        };
        let mut needs = of(service);
        let mut next = 0;
        while let Some(name) = needs.get(next).cloned() {
            next += 1;
            for further in of(&name) {
                if !needs.contains(&further) {
                    needs.push(further);
                }
            }
        }
        needs
    }

    /// Follows a changed configuration: its room, and the failures of what changed.
    pub(crate) fn reload_history(&mut self, report: &Reload, before: Option<u64>) {
        match (&mut self.recorder, self.config.history) {
            (Some(_), None) => self.recorder = None,
            (None, Some(_)) => self.keep_history(Vec::new()),
            (Some(recorder), Some(room)) if before != Some(room) => drop(recorder.history.set_room(room)),
            _ => {}
        }
        let Some(recorder) = &mut self.recorder else { return };
        let state = self.journal.state();
        let now = self.clock.now().stamp;
        let failing = |service: &String| {
            let of_it = report.failures.iter().filter(|(name, ..)| name == service);
            let rules = of_it.filter_map(|(_, _, class, rule)| {
                let rule = (*rule)?;
                let since = state.failure(service, rule, *class).map_or(now, |known| known.since);
                Some((rule, *class, since))
            });
            (Arc::from(service.as_str()), rules.collect())
        };
        let changed: Vec<Failing> = report.changed.iter().map(failing).collect();
        if !report.removed.is_empty() {
            let removed = report.removed.iter().map(|name| Arc::from(name.as_str())).collect();
            let taken = recorder.history.removed(now, removed);
            recorder.kept_up(taken);
        }
        if !changed.is_empty() {
            let taken = recorder.history.stand(now, changed, false);
            recorder.kept_up(taken);
        }
    }
}
