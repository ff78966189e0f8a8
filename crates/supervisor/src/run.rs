//! The loop.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hinoban_config::Config;
use hinoban_event::Fact;
use hinoban_incident::Incidents;
use hinoban_journal::{Compacted, Entry, InFlight, Journal};
use hinoban_reading::{Identity, Stamp};
use hinoban_scheduler::{Explanation, Input, Scheduler, ServiceId, ServiceView};
use tokio::sync::mpsc;
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;

use crate::acts::Acts;
use crate::builder::Listener;
use crate::carry::Placed;
use crate::clock::Clock;
use crate::fallen::Fallen;
use crate::handle::{CommandError, Handle, Request, Status, Unexplained, Vitals};
use crate::history::{Recorder, Rested};
use crate::lateness::Lateness;
use crate::looks::{Looked, Looks};
use crate::plane::{Owner, Plane};
use crate::post::Post;
use crate::registry::Registry;
use crate::snapshot::Snapshot;

/// How long the end may take.
const FAREWELL: Duration = Duration::from_secs(8);

/// How much of that is for what is being done to services; the rest is the courier's.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the supervisor ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to.
    Stopped,
    /// Everything has been looked at once, and the configuration asks for no more.
    Once,
}

/// Everything the loop owns.
pub(crate) struct Loop {
    pub(crate) clock: Clock,
    pub(crate) config: Config,
    pub(crate) registry: Registry,
    pub(crate) scheduler: Scheduler,
    pub(crate) placed: HashMap<ServiceId, Placed>,
    pub(crate) looks: Looks,
    pub(crate) lateness: Box<Lateness>,
    pub(crate) fallen: Fallen,
    /// What is being told, a part at a time.
    pub(crate) snapshots: VecDeque<Snapshot>,
    /// Looks have just had their turn: it is somebody else's.
    pub(crate) after_due: bool,
    pub(crate) acts: Acts,
    pub(crate) plane: Option<Plane>,
    pub(crate) journal: Journal,
    /// Where the history is kept, if there is a place for it.
    pub(crate) past: Option<PathBuf>,
    pub(crate) recorder: Option<Box<Recorder>>,
    pub(crate) rested: Rested,
    pub(crate) incidents: Incidents,
    pub(crate) zone: jiff::tz::TimeZone,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) handle: Handle,
    pub(crate) requests: mpsc::UnboundedReceiver<Request>,
    pub(crate) post: Option<Post>,
    /// Events whose messages have been sent, although they are still to be told to others.
    pub(crate) composed: Vec<u64>,
    /// What has been entered ahead of its turn, together with what it belongs to.
    pub(crate) entered: VecDeque<Entry>,
    pub(crate) couriers: JoinSet<()>,
    /// Messages by id, and the courier that has them and has given no receipt.
    pub(crate) handed: HashMap<String, Id>,
    pub(crate) compacting: JoinSet<std::io::Result<Compacted>>,
    pub(crate) notes: (mpsc::UnboundedSender<Note>, mpsc::UnboundedReceiver<Note>),
    /// What rules were about to run when an earlier life ended.
    pub(crate) unbegun: Vec<InFlight>,
    /// What probes cannot do here, as far as it has been told.
    pub(crate) limits: HashSet<String>,
    /// What probes remember, as far as it has been entered …
    pub(crate) memories: HashMap<Owner, Vec<u8>>,
    /// … and what is to be entered when what their looks saw has been told.
    pub(crate) learnt: Vec<(Owner, Vec<u8>)>,
    /// What cannot be seen at present, by whose probe said so after its last look.
    pub(crate) unseen: BTreeMap<Owner, Vec<String>>,
    pub(crate) who: String,
    pub(crate) host: Arc<str>,
    pub(crate) since: Stamp,
    pub(crate) journal_broken: bool,
}

/// What tasks and threads tell the loop in passing.
pub(crate) enum Note {
    /// A process was started for an intent.
    Spawned(u64, Identity),
    /// The message of this id is in safe hands.
    Carried(String),
    /// Something about the messages to people went wrong.
    Trouble(String),
}

/// What the loop wakes up for.
enum Stir {
    Request(Option<Request>),
    Looked(Looked),
    Input(Input),
    Owners(std::collections::BTreeSet<Owner>),
    Note(Note),
    Compacted(std::io::Result<Compacted>),
    CourierEnded(Id),
    Due,
    /// There is time to go on telling what is known.
    Snapshot,
}

impl Loop {
    pub(crate) async fn run(mut self) -> Ended {
        self.tell_of_host(Fact::Started { who: self.who.clone() });
        for flight in std::mem::take(&mut self.unbegun) {
            self.run_unbegun(flight);
        }
        let ended = loop {
            // Also before anything happened: where nothing is watched, nothing will.
            if self.config.every.is_none() && self.scheduler.settled() && self.acts.is_empty() {
                break Ended::Once;
            }
            let stir = self.next().await;
            self.heed_clock();
            match stir {
                Stir::Request(Some(Request::Stop)) | Stir::Request(None) => break Ended::Stopped,
                Stir::Request(Some(request)) => self.request(request),
                stir => self.stirred(stir),
            }
        };
        self.farewell().await;
        ended
    }

    /// Tells if the clock on the wall has leapt, before anything is decided by it.
    fn heed_clock(&mut self) {
        if let Some(by) = self.clock.leapt() {
            self.tell_of_host(Fact::ClockJumped { by });
            self.feed([Input::ClockJumped]);
        }
    }

    fn stirred(&mut self, stir: Stir) {
        match stir {
            Stir::Request(_) => {}
            Stir::Looked(looked) => self.looked(looked),
            Stir::Input(input) => self.feed([input]),
            Stir::Owners(owners) => {
                self.feed(owners.into_iter().map(|(service, part)| Input::Woken { service, part }));
            }
            Stir::Note(note) => self.note(note),
            Stir::Compacted(compacted) => {
                // The long log goes on if there is no shorter one; the next try comes when it has grown further.
                let _ = self.journal.adopt(compacted);
            }
            Stir::CourierEnded(courier) => self.courier_ended(courier),
            Stir::Due => {
                self.after_due = true;
                self.feed([Input::Tick]);
            }
            Stir::Snapshot => {
                self.after_due = false;
                self.go_on_with_snapshot();
            }
        }
    }

    /// Waits for whatever comes first. What ends a life comes before what goes by the clock.
    async fn next(&mut self) -> Stir {
        let due = self.scheduler.next_deadline().and_then(|at| self.clock.instant(at));
        let plane = self.plane.as_mut();
        // Looks that are due come first, but not again and again.
        let (telling, now_telling) =
            (!self.snapshots.is_empty(), self.after_due && !self.snapshots.is_empty());
        tokio::select! {
            biased;
            owners = async { match plane { Some(plane) => plane.stirred().await, None => std::future::pending().await } } => Stir::Owners(owners),
            input = self.acts.next() => Stir::Input(input),
            request = self.requests.recv() => Stir::Request(request),
            looked = self.looks.next() => Stir::Looked(looked),
            Some(note) = self.notes.1.recv() => Stir::Note(note),
            Some(Ok(compacted)) = self.compacting.join_next() => Stir::Compacted(compacted),
            Some(ended) = self.couriers.join_next_with_id() => {
                Stir::CourierEnded(ended.map_or_else(|panicked| panicked.id(), |(id, ())| id))
            }
            () = std::future::ready(()), if now_telling => Stir::Snapshot,
            () = async { match due { Some(due) => tokio::time::sleep_until(due).await, None => std::future::pending().await } } => Stir::Due,
            // Clocks move on, and whoever serves pages has a turn, while we yield.
            () = tokio::task::yield_now(), if telling => Stir::Snapshot,
        }
    }

    pub(crate) fn note(&mut self, note: Note) {
        match note {
            Note::Spawned(intent, identity) => self.remember(Entry::Spawned { intent, identity }),
            Note::Carried(id) => self.carried(id),
            Note::Trouble(what) => self.tell_of_host(Fact::Limited { what }),
        }
    }

    /// Writes down. A disk that refuses is told once, and supervision goes on.
    pub(crate) fn remember(&mut self, entry: Entry) {
        self.remember_all(&[entry]);
    }

    /// Writes down, all of it or nothing.
    pub(crate) fn remember_all(&mut self, entries: &[Entry]) {
        if entries.is_empty() {
            return;
        }
        match self.journal.append_all(entries) {
            Ok(()) => {
                self.journal_broken = false;
                if let Some(compaction) = self.journal.compaction() {
                    self.compacting.spawn_blocking(move || compaction.run());
                }
            }
            Err(_) if self.journal_broken => {}
            Err(error) => {
                self.journal_broken = true;
                let what = format!(
                    "cannot write the state file ({error}): what is stopped or being done now would be forgotten by a \
                     restart; make room for it"
                );
                self.tell_of_host(Fact::Limited { what });
            }
        }
    }

    pub(crate) fn tell_of_host(&mut self, fact: Fact) {
        let event = self.scheduler.tell(self.clock.now(), self.host.clone(), fact);
        self.tell(event);
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Status(answer) => self.begin_snapshot(answer),
            Request::Vitals(answer) => {
                let _ = answer.send(self.vitals());
            }
            Request::Explain { name, answer } => {
                let _ = answer.send(self.explain(name));
            }
            Request::Command { names, doing, by, answer } => {
                let ids: Result<Vec<ServiceId>, CommandError> = names
                    .iter()
                    .map(|name| {
                        self.scheduler.find(name).ok_or_else(|| CommandError::NoSuchService(name.clone()))
                    })
                    .collect();
                match ids {
                    Ok(ids) => {
                        let ids = self.scheduler.in_order(ids, &doing);
                        let inputs: Vec<Input> = ids
                            .into_iter()
                            .map(|service| Input::Command { service, doing: doing.clone(), by: by.clone() })
                            .collect();
                        let _ = answer.send(Ok(()));
                        self.feed(inputs);
                    }
                    Err(error) => {
                        let _ = answer.send(Err(error));
                    }
                }
            }
            Request::Past(past) => self.ask_history(past),
            Request::Wake => self.feed([Input::WakeAll]),
            Request::Reload { config, courier, answer } => {
                let _ = answer.send(self.reload(*config, courier));
            }
            Request::Stop => {}
        }
    }

    fn explain(&self, name: String) -> Result<Explanation, Unexplained> {
        // Without a courier nobody hears of anything.
        let id = self.scheduler.find(&name);
        let service = id.and_then(|id| self.scheduler.service(id)).map_or("", |service| &*service.name);
        let hears = |to: &&hinoban_config::Recipient| to.events != hinoban_config::Events::NONE;
        let told = self.post.iter().flat_map(|_| self.incidents.options().hearers(service)).filter(hears);
        let told: Vec<_> = told.cloned().collect();
        id.and_then(|id| self.scheduler.explain(self.clock.now(), id, &told)).ok_or_else(|| {
            let names = self.scheduler.services().map(|(_, service)| service.name.as_str());
            let near = hinoban_config::spelling::nearest(&name, names).map(str::to_owned);
            Unexplained::NoSuchService { name, near }
        })
    }

    /// What is known, with what is told of the services.
    pub(crate) fn status(&self, services: Vec<ServiceView>) -> Status {
        Status {
            host: self.host.clone(),
            since: self.since,
            now: self.clock.now().stamp,
            every: self.config.every.unwrap_or_default(),
            start_delay: self.config.start_delay,
            services,
            limits: self.unseen_by_service(),
        }
    }

    fn vitals(&self) -> Vitals {
        Vitals {
            host: self.host.clone(),
            since: self.since,
            now: self.clock.now().stamp,
            every: self.config.every.unwrap_or_default(),
            services: self.scheduler.services().count(),
            lateness: (*self.lateness).clone(),
        }
    }

    /// What cannot be seen of each service, each sentence once.
    fn unseen_by_service(&self) -> BTreeMap<Arc<str>, Vec<String>> {
        let mut all: BTreeMap<Arc<str>, Vec<String>> = BTreeMap::new();
        for ((id, _), what) in &self.unseen {
            let Some(service) = self.scheduler.service(*id) else { continue };
            let of_service = all.entry(service.name.as_str().into()).or_default();
            for sentence in what {
                if !of_service.contains(sentence) {
                    of_service.push(sentence.clone());
                }
            }
        }
        all
    }

    /// Sees what is being done to its end, says goodbye, and lets the last messages leave.
    async fn farewell(&mut self) {
        let now = Instant::now();
        self.scheduler.end();
        while self.scheduler.under_way() {
            match tokio::time::timeout_at(now + PATIENCE, self.next()).await {
                Ok(Stir::Request(Some(Request::Status(answer)))) => self.begin_snapshot(answer),
                // Nothing new is begun: whoever asks hears that we have ended.
                Ok(stir) => self.stirred(stir),
                Err(_) => break,
            }
        }
        self.finish_snapshots();
        self.requests.close();
        while self.requests.try_recv().is_ok() {}
        let left = self.scheduler.halfway();
        self.tell_of_host(Fact::Stopped { who: self.who.clone(), left });
        self.post = None;
        let all = async { while self.couriers.join_next().await.is_some() {} };
        let _ = tokio::time::timeout_at(now + FAREWELL, all).await;
        // What the courier said last.
        while let Ok(note) = self.notes.1.try_recv() {
            self.note(note);
        }
        if let Some(recorder) = self.recorder.take() {
            let _ = tokio::time::timeout_at(now + FAREWELL, recorder.end()).await;
        }
        let _ = self.journal.sync();
    }
}
