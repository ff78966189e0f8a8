//! The thread of the history: takes in what is handed over, and has the file open only while there is work.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use hinoban_event::Event;
use hinoban_reading::Stamp;

use super::disk::Trouble;
use super::episodes::{Episodes, Failing};
use super::incident::Incident;
use super::room::{self, Totals};
use super::series::{Asked, Chunk, Content, Readings, Series};
use super::store::{Store, put_incident, put_readings};
use super::thin::SLOT;

/// What is handed over.
pub(super) enum Work {
    Readings(Vec<Chunk>),
    Event(Arc<Event>, Vec<Arc<str>>),
    Stand { at: Stamp, services: Vec<Failing>, whole: bool },
    Room(u64),
    Ask(Box<dyn FnOnce(&mut Worker) + Send>),
}

/// One write takes in what comes within this time: in a storm, many incidents share it.
const GATHER: Duration = Duration::from_millis(200);

/// The file is kept open for so long after the last use.
const LINGER: Duration = Duration::from_secs(2);

/// After so many things handed over it is written, pause or not.
const MANY: usize = 256;

/// Changes of incidents that wait for a disk that refuses; older ones go.
const WAITING: usize = 256;

/// What the thread owns.
pub(super) struct Worker {
    path: PathBuf,
    store: Store,
    /// None: what goes on is not known yet.
    episodes: Option<Episodes>,
    /// Incidents that are not written yet, by id.
    dirty: BTreeMap<u64, Incident>,
    readings: Vec<Chunk>,
    /// How much was taken in since the last write.
    taken: usize,
    tell: Box<dyn Fn(String) + Send>,
    rested: Box<dyn Fn() + Send>,
    /// What was handed over and not taken yet.
    waiting: Arc<AtomicUsize>,
    /// Whether people know that it cannot be written.
    told: bool,
}

impl Worker {
    pub(super) fn new(
        path: &Path,
        room: u64,
        tell: Box<dyn Fn(String) + Send>,
        rested: Box<dyn Fn() + Send>,
        waiting: Arc<AtomicUsize>,
    ) -> Self {
        Self {
            path: path.to_owned(),
            store: Store::new(path, room),
            episodes: None,
            dirty: BTreeMap::new(),
            readings: Vec::new(),
            taken: 0,
            tell,
            rested,
            waiting,
            told: false,
        }
    }

    /// Works until nobody can hand anything over any more.
    pub(super) fn run(mut self, work: &Receiver<(usize, Work)>) {
        while let Ok(first) = work.recv() {
            self.take(first);
            loop {
                let waiting = !self.dirty.is_empty() || !self.readings.is_empty();
                match work.recv_timeout(if waiting { GATHER } else { LINGER }) {
                    Ok(more) => self.take(more),
                    // A disk that refuses is asked again when there is more to write.
                    Err(RecvTimeoutError::Timeout) if waiting && self.save() => {}
                    Err(_) => break,
                }
            }
            self.rest();
        }
        self.rest();
    }

    fn take(&mut self, (weight, work): (usize, Work)) {
        self.waiting.fetch_sub(weight, Ordering::Relaxed);
        self.taken += 1;
        // In a row that does not end, nobody waits for a pause.
        if self.taken >= MANY || self.readings.len() >= 8 * MANY {
            self.save();
        }
        match work {
            Work::Readings(chunks) => self.readings.extend(chunks),
            Work::Event(event, needs) => {
                let changed = self.episodes().and_then(|episodes| episodes.apply(&event, &needs));
                self.changed(changed);
            }
            // Nothing fails, and nothing is known to have failed: no reason to make a file while everything begins.
            Work::Stand { services, whole: true, .. }
                if services.is_empty() && self.episodes.is_none() && !self.path.exists() => {}
            Work::Stand { at, services, whole } => {
                let changed = self.episodes().map(|episodes| episodes.stand(at, &services, whole));
                self.changed(changed.into_iter().flatten());
            }
            Work::Room(room) => self.store.set_room(room),
            Work::Ask(question) => {
                self.save();
                question(self);
            }
        }
    }

    fn changed(&mut self, incidents: impl IntoIterator<Item = Incident>) {
        for incident in incidents {
            self.dirty.insert(incident.id, incident);
        }
        while self.dirty.len() > WAITING {
            self.dirty.pop_first();
        }
    }

    /// The incidents that go on, as the file knows them when they are first asked for.
    fn episodes(&mut self) -> Option<&mut Episodes> {
        if self.episodes.is_none() {
            match self.heal(Store::going_on) {
                Ok((open, next)) => self.episodes = Some(Episodes::new(open, next)),
                Err(why) => self.complain(&why),
            }
        }
        self.episodes.as_mut()
    }

    /// Writes what waits, and lets go of the file.
    pub(super) fn rest(&mut self) {
        self.save();
        let was_open = self.store.is_open();
        if let Err(why) = self.store.close() {
            self.complain(&why);
        }
        if was_open {
            (self.rested)();
        }
    }

    /// Writes what waits. False: it could not be written.
    fn save(&mut self) -> bool {
        self.taken = 0;
        if self.dirty.is_empty() && self.readings.is_empty() {
            return true;
        }
        let readings = std::mem::take(&mut self.readings);
        let dirty = std::mem::take(&mut self.dirty);
        let next = self.episodes.as_ref().map_or(1, Episodes::next);
        let latest = readings.iter().map(|chunk| match &chunk.content {
            Content::Raw(block) => block.end() / 1000,
            Content::Thin(point) => point.slot * SLOT,
        });
        let latest = latest.max();
        let written = self.heal(|store| {
            store.write(|transaction, totals: &mut Totals| {
                for incident in dirty.values() {
                    put_incident(transaction, totals, incident, next)?;
                }
                put_readings(transaction, totals, &readings)?;
                match latest {
                    Some(now) => room::age(transaction, totals, now),
                    None => Ok(()),
                }
            })
        });
        match written {
            Ok(()) => self.told = false,
            Err(why) => {
                // Readings are not missed much; what failed is.
                self.dirty = dirty;
                self.complain(&why);
                return false;
            }
        }
        true
    }

    /// Does something with the file. One that is damaged is put aside, and it is done with a new one.
    fn heal<T>(&mut self, mut act: impl FnMut(&mut Store) -> Result<T, Trouble>) -> Result<T, Trouble> {
        match act(&mut self.store) {
            Err(Trouble::Damaged(why)) => {
                let notice = self.store.set_aside(&why)?;
                (self.tell)(notice);
                act(&mut self.store)
            }
            result => result,
        }
    }

    /// Says once that it cannot be written.
    fn complain(&mut self, why: &Trouble) {
        if !self.told {
            self.told = true;
            (self.tell)(format!(
                "history {}: {why}; until it can be written, readings and incidents are not kept",
                self.path.display()
            ));
        }
    }

    pub(super) fn incidents(
        &mut self,
        service: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Incident>, Trouble> {
        self.heal(|store| store.incidents(service, limit))
    }

    pub(super) fn incident(&mut self, id: u64) -> Result<Option<Incident>, Trouble> {
        self.heal(|store| store.incident(id))
    }

    pub(super) fn series(&mut self, service: &str) -> Result<Vec<Series>, Trouble> {
        self.heal(|store| store.series(service))
    }

    pub(super) fn readings(&mut self, asked: &Asked) -> Result<Readings, Trouble> {
        self.heal(|store| store.readings(asked))
    }
}
