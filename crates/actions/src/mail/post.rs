//! The loop that keeps messages until they are delivered.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use hinoban_reading::Moment;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::store::Store;
use super::{Attempt, Key, Letter, Mailer, Outbox, PostOptions};

/// How long delivery may go on once no more messages can come.
const LAST: Duration = Duration::from_secs(5);

/// A queue of messages and the mailer that empties it.
///
/// # Theory of operation
/// [`Post::run`] is awaited in a task of its caller's. It takes letters from a channel, puts each on disk, and has one
/// attempt at a time under way, while it goes on taking letters. The channel's end is its signal to stop: every letter
/// is tried once more, five seconds in all; what remains waits on disk for the next start. Dropping the future is safe
/// too: letters on disk stay there, and one under way may be delivered twice, with the same Message-ID.
pub struct Post {
    options: PostOptions,
    mailer: Mailer,
    /// Who keeps letters until they are safe, if anybody does.
    keeper: Option<Keeper>,
}

/// Told the Message-ID of each letter that is safe.
type Keeper = Box<dyn Fn(&str) + Send + Sync>;

/// The state of a post that runs.
struct Running<'a, F> {
    post: &'a Post,
    began: Instant,
    outbox: Outbox,
    store: Option<Store>,
    /// Letters that are in memory only.
    unfiled: HashSet<Key>,
    /// What was last said about the disk, and about delivery, so that it is not said again and again.
    told: Told,
    on_trouble: F,
}

#[derive(Default)]
struct Told {
    disk: Option<String>,
    delivery: Option<String>,
    /// Messages that were dropped for newer ones since the queue last had room.
    dropped: usize,
}

/// How long the queue may be in use when we come: by the post before us, which finishes what it has.
const HANDOVER: Duration = Duration::from_secs(8);
/// How often it is tried in that time.
const AGAIN: Duration = Duration::from_millis(100);

type Flight<'a> = Pin<Box<dyn Future<Output = (Key, Letter, Vec<String>, Attempt)> + Send + 'a>>;

impl Post {
    /// A post that delivers through this mailer. Nothing is opened yet.
    pub fn new(options: PostOptions, mailer: Mailer) -> Self {
        Self { options, mailer, keeper: None }
    }

    /// Tells `safe` the Message-ID of each letter that a crash of ours can no longer lose: it is on disk, or delivered, or
    /// given up. Until then whoever sent it keeps it, and sends it again when we have ended.
    pub fn receipts(&mut self, safe: Box<dyn Fn(&str) + Send + Sync>) {
        self.keeper = Some(safe);
    }

    fn safe(&self, id: &str) {
        if let Some(keeper) = &self.keeper {
            keeper(id);
        }
    }

    /// What becomes of messages that are in memory only.
    fn fate(&self) -> &'static str {
        match self.keeper {
            Some(_) => "messages wait in memory, and with the state over a restart",
            None => "messages wait in memory, and a restart loses them",
        }
    }

    /// Delivers letters until the channel is closed. `on_trouble` is told, in whole sentences for the log, of whatever
    /// keeps messages from arriving; the same trouble is told once.
    pub async fn run(&self, mut letters: mpsc::Receiver<Letter>, on_trouble: impl Fn(String) + Send) {
        let mut running = Running {
            post: self,
            began: Instant::now(),
            outbox: Outbox::new(&self.options),
            store: None,
            unfiled: HashSet::new(),
            told: Told::default(),
            on_trouble,
        };
        running.open().await;
        let mut flight: Option<Flight<'_>> = None;
        loop {
            if flight.is_none()
                && let Some((key, letter, pending)) = running.outbox.take_due(running.now())
            {
                flight = Some(Box::pin(self.fly(key, letter, pending)));
            }
            let due = if flight.is_none() { running.outbox.next_due() } else { None };
            tokio::select! {
                letter = letters.recv() => match letter {
                    Some(letter) => running.accept(letter).await,
                    None => break,
                },
                landed = landing(&mut flight) => {
                    flight = None;
                    running.settle(landed).await;
                }
                () = wait(running.began, due) => {}
            }
        }
        running.finish(flight).await;
    }

    async fn fly(
        &self,
        key: Key,
        letter: Letter,
        pending: Vec<String>,
    ) -> (Key, Letter, Vec<String>, Attempt) {
        let attempt = self.mailer.attempt(&letter, &pending).await;
        (key, letter, pending, attempt)
    }
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post").field("options", &self.options).finish_non_exhaustive()
    }
}

/// The end of the attempt under way; without one, never.
async fn landing<'a>(flight: &mut Option<Flight<'a>>) -> (Key, Letter, Vec<String>, Attempt) {
    match flight {
        Some(flight) => flight.await,
        None => std::future::pending().await,
    }
}

async fn wait(began: Instant, due: Option<Moment>) {
    match due {
        Some(due) => sleep_until(began + due.elapsed()).await,
        None => std::future::pending().await,
    }
}

impl<F: Fn(String) + Send> Running<'_, F> {
    fn now(&self) -> Moment {
        Moment::new(self.began.elapsed())
    }

    /// Takes over what waited before a restart, or in the post before us.
    async fn open(&mut self) {
        let Some(directory) = self.post.options.directory.clone() else { return };
        let shown = directory.display().to_string();
        let came = Instant::now();
        let opened = loop {
            let directory = directory.clone();
            let opened = on_disk(move || {
                let store = Store::open(directory)?;
                let loaded = store.load()?;
                Ok((store, loaded))
            });
            match opened.await {
                Err(why) if why.kind() == io::ErrorKind::WouldBlock && came.elapsed() < HANDOVER => {
                    sleep_until(Instant::now() + AGAIN).await;
                }
                opened => break opened,
            }
        };
        match opened {
            Ok((store, loaded)) => {
                self.store = Some(store);
                let now = self.now();
                for (letter, pending) in loaded.letters {
                    self.outbox.restore(letter, pending, now);
                }
                loaded.troubles.into_iter().for_each(&self.on_trouble);
            }
            Err(e) => (self.on_trouble)(format!(
                "the mail queue in {shown} cannot be opened: {e}; {}",
                self.post.fate()
            )),
        }
    }

    async fn accept(&mut self, letter: Letter) {
        if let Some((key, old)) = self.outbox.make_room() {
            if self.told.dropped == 0 {
                (self.on_trouble)(format!(
                    "the mail queue is full: {} messages wait; the oldest that repeat earlier ones are dropped for new \
                     ones",
                    self.outbox.len() + 1
                ));
            }
            self.told.dropped += 1;
            self.post.safe(&old.message.id);
            self.forget(key, old).await;
        }
        let before = self.outbox.len();
        match self.outbox.push(letter.clone(), self.now()) {
            // It waits already.
            Ok(key) if self.outbox.len() == before => {
                if !self.unfiled.contains(&key) {
                    self.post.safe(&letter.message.id);
                }
            }
            Ok(key) => {
                let pending = letter.message.to.clone();
                self.file(key, letter, pending).await;
            }
            Err(full) => {
                (self.on_trouble)(format!(
                    "{full}; the message to {} is not sent: {}",
                    letter.message.to.join(", "),
                    letter.message.subject
                ));
                self.post.safe(&letter.message.id);
            }
        }
    }

    /// Puts a letter on disk, if that goes.
    async fn file(&mut self, key: Key, letter: Letter, pending: Vec<String>) {
        let Some(store) = self.store.clone() else {
            self.unfiled.insert(key);
            return;
        };
        let id = letter.message.id.clone();
        match on_disk(move || store.put(&letter, &pending)).await {
            Ok(()) => {
                self.post.safe(&id);
                self.unfiled.remove(&key);
                self.told.disk = None;
            }
            Err(e) => {
                self.unfiled.insert(key);
                self.disk_trouble(format!("the mail queue cannot be written to: {e}; {}", self.post.fate()));
            }
        }
    }

    async fn settle(&mut self, (key, letter, pending, attempt): (Key, Letter, Vec<String>, Attempt)) {
        let subject = letter.message.subject.clone();
        match attempt {
            Attempt::Unreachable(why) => {
                let wait = self.outbox.unreachable(key, self.now());
                let text = format!("mail cannot be sent: {why}");
                let more = format!("{} waiting, next try in {} s", self.outbox.len(), wait.as_secs_f64());
                self.delivery_trouble(text, &more);
            }
            Attempt::Answered { deferred, refused } => {
                for (to, why) in &refused {
                    (self.on_trouble)(format!("mail to {to} was refused and is given up: {why} ({subject})"));
                }
                if deferred.is_empty() {
                    self.told.delivery = None;
                    self.outbox.done(key);
                    self.forget(key, letter).await;
                    self.count_dropped();
                    return;
                }
                let rest: Vec<String> = deferred.iter().map(|(to, _)| to.clone()).collect();
                if rest != pending {
                    self.file(key, letter, rest.clone()).await;
                }
                let text: Vec<String> =
                    deferred.iter().map(|(to, why)| format!("mail to {to} is put off: {why}")).collect();
                let wait = self.outbox.later(key, rest, self.now());
                self.delivery_trouble(text.join("; "), &format!("next try in {} s", wait.as_secs_f64()));
            }
        }
    }

    /// Takes a letter off the disk.
    async fn forget(&mut self, key: Key, letter: Letter) {
        if self.unfiled.remove(&key) {
            self.post.safe(&letter.message.id);
        }
        let Some(store) = self.store.clone() else { return };
        if let Err(e) = on_disk(move || store.remove(&letter)).await {
            self.disk_trouble(format!(
                "a delivered message cannot be removed from the mail queue: {e}; a restart sends it again"
            ));
        }
    }

    /// Once more, and not for long.
    async fn finish(mut self, flight: Option<Flight<'_>>) {
        let _ = timeout(LAST, async {
            if let Some(flight) = flight {
                let landed = flight.await;
                self.settle(landed).await;
            }
            for key in self.outbox.keys() {
                let Some((letter, pending)) = self.outbox.take(key) else { continue };
                let landed = self.post.fly(key, letter, pending).await;
                let shut = matches!(landed.3, Attempt::Unreachable(_));
                self.settle(landed).await;
                if shut {
                    return; // no server lets us in: it is the same for the others
                }
            }
        })
        .await;
        self.count_dropped();
        if !self.unfiled.is_empty() {
            let fate = match self.post.keeper {
                Some(_) => "are kept with the state until mail can be sent",
                None => "are lost",
            };
            (self.on_trouble)(format!("{} messages were not delivered and {fate}", self.unfiled.len()));
        }
    }

    /// There is room again.
    fn count_dropped(&mut self) {
        match std::mem::take(&mut self.told.dropped) {
            0 => {}
            n => (self.on_trouble)(format!(
                "{n} messages that repeated earlier ones were dropped while the mail queue was full"
            )),
        }
    }

    fn disk_trouble(&mut self, text: String) {
        if self.told.disk.as_ref() != Some(&text) {
            (self.on_trouble)(text.clone());
            self.told.disk = Some(text);
        }
    }

    fn delivery_trouble(&mut self, text: String, more: &str) {
        if self.told.delivery.as_ref() != Some(&text) {
            (self.on_trouble)(format!("{text}; {more}"));
            self.told.delivery = Some(text);
        }
    }
}

/// Runs what may wait for a disk on a thread that may wait.
async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests;
