//! A file and what is written into it: a [`FileProbe`] that also reads the lines that were added since its last look.
//!
//! Where a file is seen for the first time, its end is where reading begins; a file that was missing at the look before and
//! is new is read from its beginning. Only whole lines are looked at: what has no end yet waits for it. All rules see a
//! line in one pass, after those that leave lines out.
//!
//! How far it was read is known by inode, place, and a fingerprint of the bytes before that place. So nothing is lost
//! and nothing read twice when a file is renamed and made anew (the old one is read to its end through its open
//! descriptor, also while its writer goes on for a while), when it is cut and grows again, or when the supervisor was
//! away meanwhile ([`Probe::memory`]); then the old one is looked for in the same folder. An open descriptor keeps a
//! file system from being unmounted, and the room of a file that was removed from being given back, until the next look
//! at its turn, or until the probe is dropped: the supervisor does that when nobody watches the file any more.

mod follow;
mod lines;
mod pace;
mod spot;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use hinoban_probe::{Cause, Look, Probe, ProbeError, Wake};
use hinoban_reading::{Metric, Observation, Unit, metrics};

use crate::clock;
use crate::elsewhere::{Elsewhere, Gate};
use crate::file::FileProbe;
use crate::mounts::{Place, Remembered};

use follow::{Follow, Got};
pub use lines::{Content, LineTest};
use pace::{Found, Pace};

/// So much is read at once by whoever looks; more by another thread.
const AT_ONCE: u64 = 8 << 10;

/// Looks at one file and at what is written into it. See the [module](self).
///
/// Readings: those of the [`FileProbe`], and for the N-th rule `content.N`, a text: the lines added since the last look for
/// which the rule's test is true, each with its end. No such line is an empty text. Behind what fills the buffer stands
/// `...`.
///
/// It is woken by writing, too. If that happens more than five times within a second, a timer brings the next look after
/// a fifth of a second, until one finds nothing new. More than 8 KiB are read by a blocking thread of the runtime, and
/// more than 4 MiB in several looks, the next following at once. Files below `/proc` are read from their beginning by each
/// look at its turn.
#[derive(Debug)]
pub struct FileContent {
    file: FileProbe,
    path: PathBuf,
    content: Arc<Content>,
    metrics: Vec<Metric>,
    names: Vec<Metric>,
    follow: Follow,
    place: Remembered,
    /// For local paths, whose mounts have none.
    gate: Gate,
    elsewhere: Elsewhere<Got>,
    pace: Pace,
    trouble: Option<String>,
}

/// Names of the first readings, so that they need not be made for each look.
const NAMES: [&str; 8] =
    ["content.1", "content.2", "content.3", "content.4", "content.5", "content.6", "content.7", "content.8"];

impl FileContent {
    /// Looks for this in what is written into the file of this probe. Nothing is read yet.
    pub fn new(file: FileProbe, content: Content) -> Self {
        let name = |n: usize| match NAMES.get(n) {
            Some(name) => Metric::new(name, Unit::Text),
            None => Metric { name: format!("content.{}", n + 1).into(), unit: Unit::Text },
        };
        let names = (0..content.rules()).map(name).collect();
        let metrics = file.metrics().iter().cloned().chain([metrics::CONTENT]).collect();
        Self {
            path: file.path().to_owned(),
            file,
            content: Arc::new(content),
            metrics,
            names,
            follow: Follow::default(),
            place: Remembered::default(),
            gate: Gate::default(),
            elsewhere: Elsewhere::default(),
            pace: Pace::default(),
            trouble: None,
        }
    }

    async fn read(&mut self, look: &Look) -> Result<Option<Got>, ProbeError> {
        let (path, due) = (self.path.clone(), look.cause() == Cause::Due);
        let (content, wall, follow) = (self.content.clone(), look.wall(), self.follow.clone());
        if is_of_the_kernel(&path) {
            if !due {
                return Ok(None);
            }
            return self
                .elsewhere
                .ask(&self.gate, look, move || follow::whole(&path, &content))
                .await
                .map(Some);
        }
        let question = move || follow.look(&path, &content, wall, due);
        if self.place.place_of(&self.path) == Place::Remote {
            return self.elsewhere.ask(&self.place.gate(), look, question).await.map(Some);
        }
        let news = self.follow.news(rustix::fs::stat(&self.path).ok().as_ref());
        match news {
            Some(0) => Ok(Some(self.nothing())),
            Some(1..=AT_ONCE) => Ok(Some(question())),
            _ => self.elsewhere.ask(&self.gate, look, question).await.map(Some),
        }
    }

    fn nothing(&self) -> Got {
        let hits = vec![String::new(); self.names.len()];
        Got { next: self.follow.clone(), hits, stirred: false, more: false, trouble: None }
    }
}

#[async_trait]
impl Probe for FileContent {
    async fn observe(&mut self, look: &Look) -> Result<Observation, ProbeError> {
        let mut seen = self.file.observe(look).await?;
        let Some(got) = self.read(look).await? else { return Ok(seen) };
        // Only now: a look that is given up has read nothing.
        self.follow = got.next;
        self.trouble = got.trouble;
        let found = match (got.more, got.stirred) {
            (true, _) => Found::More,
            (_, true) => Found::All,
            _ => Found::Nothing,
        };
        self.pace.note(clock::since_boot(), look.cause() == Cause::Early, found);
        let up = seen.standing.is_up();
        for (name, hits) in self.names.iter().zip(got.hits).filter(|(_, hits)| up || !hits.is_empty()) {
            seen.push(name, &*hits);
        }
        Ok(seen)
    }

    fn metrics(&self) -> &[Metric] {
        &self.metrics
    }

    fn wakes(&self) -> Vec<Wake> {
        let mut wakes = self.file.wakes();
        if !self.pace.is_busy() && !is_of_the_kernel(&self.path) {
            for wake in &mut wakes {
                if let Wake::Presence(path) = wake {
                    *wake = Wake::Path(std::mem::take(path));
                }
            }
        }
        wakes.extend(self.pace.timer().cloned().map(Wake::Fd));
        wakes
    }

    fn memory(&self) -> Option<Vec<u8>> {
        self.follow.memory()
    }

    fn recall(&mut self, memory: &[u8]) {
        self.follow.recall(memory);
    }

    fn limits(&self) -> Vec<String> {
        self.file.limits().into_iter().chain(self.trouble.clone()).collect()
    }
}

/// Whether each reading of it makes it anew.
fn is_of_the_kernel(path: &Path) -> bool {
    path.starts_with("/proc")
}
