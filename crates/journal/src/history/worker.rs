//! The thread of the history: takes in what is handed over, and has the file open only while there is work.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use hinoban_event::Event;
use hinoban_reading::Stamp;

use super::Unkept;
use super::disk::{self, Trouble};
use super::episodes::{Episodes, Failing};
use super::incident::Incident;
use super::room::{self, Totals};
use super::series::{Asked, Chunk, Content, Readings, Series};
use super::store::{Store, put_incident, put_next, put_readings};
use super::thin::SLOT;

/// What is handed over.
pub(super) enum Work {
    Readings(Vec<Chunk>),
    Event(Arc<Event>, Vec<Arc<str>>),
    Stand { at: Stamp, services: Vec<Failing>, whole: bool },
    Removed(Stamp, Vec<Arc<str>>),
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
    /// What goes on was never read: the file could not be opened.
    unread: bool,
    /// The file begins anew: numbers that the one before may have given are not given again.
    anew: bool,
    /// The latest time that is known.
    now: Stamp,
    /// Incidents that are not written yet, by id.
    dirty: BTreeMap<u64, Incident>,
    readings: Vec<Chunk>,
    /// How much was taken in since the last write.
    taken: usize,
    tell: Box<dyn Fn(String) + Send>,
    rested: Box<dyn Fn() + Send>,
    /// What was handed over and not taken yet.
    waiting: Arc<AtomicUsize>,
    /// Since when it cannot be written, and why: people know that.
    unkept: Option<Unkept>,
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
            unread: false,
            anew: false,
            now: Stamp::default(),
            dirty: BTreeMap::new(),
            readings: Vec::new(),
            taken: 0,
            tell,
            rested,
            waiting,
            unkept: None,
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
                self.now = self.now.max(event.at);
                let changed = self.episodes().apply(&event, &needs);
                self.changed(changed);
            }
            // Nothing fails, and nothing is known to have failed: no reason to make a file while everything begins.
            Work::Stand { services, whole: true, .. }
                if services.is_empty() && self.episodes.is_none() && !self.path.exists() => {}
            Work::Stand { at, services, whole } => {
                self.now = self.now.max(at);
                let changed = self.episodes().stand(at, &services, whole);
                self.changed(changed);
            }
            Work::Removed(at, services) => {
                self.now = self.now.max(at);
                let changed = self.episodes().removed(at, &services);
                self.changed(changed);
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

    /// The incidents that go on, as the file knows them when they are first asked for. If it cannot be read they are kept
    /// in memory, under numbers that it cannot hold.
    fn episodes(&mut self) -> &mut Episodes {
        if self.episodes.is_none() {
            let episodes = match self.heal(Store::going_on) {
                Ok((open, next)) => Episodes::new(open, self.beginning(next)),
                Err(why) => {
                    self.complain(&why);
                    self.unread = true;
                    Episodes::new([], self.later())
                }
            };
            self.episodes = Some(episodes);
        }
        self.episodes.get_or_insert_default()
    }

    /// The number of the next incident, where the file says this one (0: none).
    fn beginning(&self, next: u64) -> u64 {
        match self.anew || next == 0 && disk::had_another(&self.path) {
            true => next.max(self.later()),
            false => next,
        }
    }

    /// A number that cannot have been given: there is less than one incident a second.
    fn later(&self) -> u64 {
        u64::try_from(self.now.secs()).unwrap_or(1)
    }

    /// Reads what the file knew, if that was not possible before.
    fn catch_up(&mut self) -> Result<(), Trouble> {
        if !self.unread {
            return Ok(());
        }
        let (open, next) = self.heal(Store::going_on)?;
        self.unread = false;
        let now = self.now;
        let changed = self.episodes().adopt(open, next, now);
        self.changed(changed);
        Ok(())
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
        let latest = readings.iter().map(|chunk| match &chunk.content {
            Content::Raw(block) => block.end() / 1000,
            Content::Thin(point) => point.slot * SLOT,
        });
        let latest = latest.max();
        self.now =
            latest.map_or(self.now, |secs| self.now.max(Stamp::from_micros(secs.saturating_mul(1_000_000))));
        if let Err(why) = self.catch_up() {
            self.complain(&why);
            return false;
        }
        let dirty = std::mem::take(&mut self.dirty);
        let known = self.episodes.as_ref().map_or(0, Episodes::next);
        let (anew, later) = (self.anew || !self.path.exists() && disk::had_another(&self.path), self.later());
        let mut put_aside = anew;
        let written = self.heal_and(&mut put_aside, |store, anew| {
            store.write(|transaction, totals: &mut Totals| {
                let next = if anew { known.max(later) } else { known };
                if next > 0 {
                    put_next(transaction, next)?;
                }
                for incident in dirty.values() {
                    put_incident(transaction, totals, incident)?;
                }
                put_readings(transaction, totals, &readings)?;
                match latest {
                    Some(now) => room::age(transaction, totals, now),
                    None => Ok(()),
                }
            })
        });
        match written {
            Ok(()) => self.unkept = None,
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
        let mut anew = self.anew;
        self.heal_and(&mut anew, |store, _| act(store))
    }

    /// The same; what is done hears whether the file begins anew.
    fn heal_and<T>(
        &mut self,
        anew: &mut bool,
        mut act: impl FnMut(&mut Store, bool) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        match act(&mut self.store, *anew) {
            Err(Trouble::Damaged(why)) => {
                let notice = self.store.set_aside(&why)?;
                (self.tell)(notice);
                (*anew, self.anew) = (true, true);
                act(&mut self.store, true)
            }
            Err(Trouble::Full) => {
                self.anew = true;
                Err(Trouble::Full)
            }
            result => result,
        }
    }

    /// Says once that it cannot be written.
    fn complain(&mut self, why: &Trouble) {
        if self.unkept.is_none() {
            self.unkept = Some(Unkept { since: self.now, why: why.to_string() });
            (self.tell)(format!(
                "history {}: {why}; until it can be written, readings and incidents are not kept",
                self.path.display()
            ));
        }
    }

    /// Since when nothing can be written, and why; `None`: it can.
    pub(super) fn unkept(&self) -> Option<Unkept> {
        self.unkept.clone()
    }

    /// Those of the file, and those that wait for it.
    pub(super) fn incidents(
        &mut self,
        service: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Incident>, Trouble> {
        let held = self.dirty.values().filter(|held| service.is_none_or(|name| *held.service == *name));
        let held: BTreeMap<u64, Incident> = held.map(|held| (held.id, held.clone())).collect();
        let found = match self.heal(|store| store.incidents(service, limit)) {
            Ok(found) => found,
            Err(why) if held.is_empty() => return Err(why),
            Err(why) => {
                self.complain(&why);
                Vec::new()
            }
        };
        let mut all: BTreeMap<u64, Incident> = found.into_iter().map(|found| (found.id, found)).collect();
        all.extend(held);
        Ok(all.into_values().rev().take(limit).collect())
    }

    pub(super) fn incident(&mut self, id: u64) -> Result<Option<Incident>, Trouble> {
        match self.dirty.get(&id) {
            Some(held) => Ok(Some(held.clone())),
            None => self.heal(|store| store.incident(id)),
        }
    }

    pub(super) fn series(&mut self, service: &str) -> Result<Vec<Series>, Trouble> {
        self.heal(|store| store.series(service))
    }

    pub(super) fn readings(&mut self, asked: &Asked) -> Result<Readings, Trouble> {
        self.heal(|store| store.readings(asked))
    }
}
