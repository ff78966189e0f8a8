//! What was: the failures of services, and their readings over time.
//!
//! It lies in one file of redb beside the log of intents, and nothing that must be known after a crash depends on it.
//! A [`History`] is a thread that has the file open only while it writes or reads; whoever hands something over never
//! waits. What the thread cannot take in time is left out and counted.
//!
//! Of what a rule names each reading is kept for eight days ([`Block`]), of everything else five minutes become one
//! point ([`Thin`]: least, mean, greatest), kept for ninety days; so do the raw ones when they are older. The file never
//! grows over its room: then raw readings become points before their time, and the oldest points and incidents go.
//!
//! An [`Incident`] is one failure of a service, from the first rule that fails until none does, with what was seen,
//! decided and done, and what came of it. One that goes on when the supervisor is killed goes on in its next life.
//!
//! A kill at any moment leaves the file whole. One that is damaged, or not ours, is put aside under another name.

mod block;
mod bytes;
mod disk;
mod episodes;
mod incident;
mod room;
mod series;
mod store;
mod thin;
mod worker;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};

use hinoban_event::Event;
use hinoban_reading::Stamp;

pub use block::Block;
pub use disk::Trouble;
pub use episodes::Failing;
pub use incident::{FIRST, Incident, LAST, Over, Step, StepKind};
pub use series::{Asked, Chunk, Content, Point, Readings, Series};
pub use thin::{SLOT, Thin};
use worker::{Work, Worker};

/// What may wait for the thread: pieces of readings, events and questions together. Some hundred bytes each, while a disk
/// hangs; nothing otherwise.
const WAITING: usize = 4096;

/// The file cannot be written: what happens is held in memory as far as there is room for it, the rest is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unkept {
    /// Since when.
    pub since: Stamp,
    /// What the system says.
    pub why: String,
}

/// Gets an answer, on the thread of the history: it must not block.
pub type Answer<T> = Box<dyn FnOnce(Result<T, Trouble>) + Send>;

/// The history of the services of one supervisor.
///
/// Dropping it writes what was handed over, and ends the thread; [`end`](Self::end) says when that is done.
pub struct History {
    work: Sender<(usize, Work)>,
    /// What waits for the thread now.
    waiting: Arc<AtomicUsize>,
}

impl History {
    /// Keeps the history in this file, which may take `room` bytes (1 MB at least). Nothing is opened before there is
    /// something to write or to read.
    ///
    /// `tell` hears what people must know, a sentence each and once until it is over: that the disk is full, that a file
    /// was put aside. `rested` is called each time the file has been let go of: whoever counts pages can give some back
    /// then. Both are called on the thread of the history.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub fn begin(
        path: impl AsRef<Path>,
        room: u64,
        tell: impl Fn(String) + Send + 'static,
        rested: impl Fn() + Send + 'static,
    ) -> std::io::Result<Self> {
        let (work, received) = mpsc::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let worker = Worker::new(path.as_ref(), room, Box::new(tell), Box::new(rested), waiting.clone());
        // It writes pages, and turns a few values into JSON: that takes little of a stack.
        let thread = std::thread::Builder::new().name("history".to_owned()).stack_size(512 * 1024);
        thread.spawn(move || worker.run(&received))?;
        Ok(Self { work, waiting })
    }

    /// Takes in readings. False: the thread is too busy, and they are left out.
    pub fn readings(&self, chunks: Vec<Chunk>) -> bool {
        self.hand_over(chunks.len(), Work::Readings(chunks))
    }

    /// Takes in an event. `needs`: the services that the one it happened to depends on, however far. False: the thread is
    /// too busy, and it is left out.
    pub fn event(&self, event: Arc<Event>, needs: Vec<Arc<str>>) -> bool {
        self.hand_over(1, Work::Event(event, needs))
    }

    /// Says what fails now of these services, and of all others nothing (`whole`): at the start, and after a change of
    /// the configuration.
    /// Incidents that nobody told the end of are closed, failures that nobody told are opened.
    pub fn stand(&self, at: Stamp, services: Vec<Failing>, whole: bool) -> bool {
        self.hand_over(1, Work::Stand { at, services, whole })
    }

    /// These services are in the configuration no more: their incidents are over.
    pub fn removed(&self, at: Stamp, services: Vec<Arc<str>>) -> bool {
        self.hand_over(1, Work::Removed(at, services))
    }

    /// Takes on another room.
    pub fn set_room(&self, room: u64) -> bool {
        self.hand_over(1, Work::Room(room))
    }

    /// The incidents, the newest first: of this service, or of all; at most so many. If the thread is too busy the answer
    /// is dropped without being called.
    pub fn incidents(&self, service: Option<String>, limit: usize, answer: Answer<Vec<Incident>>) {
        self.ask(move |worker| answer(worker.incidents(service.as_deref(), limit)));
    }

    /// Since when nothing can be written, and why; `None`: it can, as far as is known.
    pub fn unkept(&self, answer: impl FnOnce(Option<Unkept>) + Send + 'static) {
        self.ask(move |worker| answer(worker.unkept()));
    }

    /// One incident.
    pub fn incident(&self, id: u64, answer: Answer<Option<Incident>>) {
        self.ask(move |worker| answer(worker.incident(id)));
    }

    /// What is kept of a service.
    pub fn series(&self, service: String, answer: Answer<Vec<Series>>) {
        self.ask(move |worker| answer(worker.series(&service)));
    }

    /// Readings over time.
    pub fn over_time(&self, asked: Asked, answer: Answer<Readings>) {
        self.ask(move |worker| answer(worker.readings(&asked)));
    }

    /// Writes everything that was handed over, then calls.
    pub fn end(self, done: impl FnOnce() + Send + 'static) {
        self.ask(move |worker| {
            worker.rest();
            done();
        });
    }

    fn ask(&self, question: impl FnOnce(&mut Worker) + Send + 'static) {
        let _ = self.hand_over(1, Work::Ask(Box::new(question)));
    }

    /// Hands over what counts for so many. False: too much waits.
    fn hand_over(&self, weight: usize, work: Work) -> bool {
        if self.waiting.fetch_add(weight, Ordering::Relaxed) + weight > WAITING {
            self.waiting.fetch_sub(weight, Ordering::Relaxed);
            return false;
        }
        self.work.send((weight, work)).is_ok()
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History").finish_non_exhaustive()
    }
}
