//! Checksums of files, computed on a thread of their own and known for as long as the file has not changed.
//!
//! One file at a time is read on each file system, by one blocking thread of the runtime that works off a queue and ends
//! with it. A look waits for a little while; what is not ready by then goes on, and the probe is woken when it is. That
//! answer counts, also if the file was changed meanwhile: a file that never rests must not stay unread. What it is by then
//! is computed from the next turn on, or after a pause. Reading makes way for everybody, but who waits for more than a cycle has waited
//! long enough: then it makes haste. It leaves no trace in the time of the last access where the kernel allows that (`O_NOATIME`, open(2)).

mod gentle;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hinoban_probe::{Cause, Look};
use hinoban_reading::{Metric, Observation, metrics};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{Advice, FileType, Stat, fadvise, fstat};
use rustix::io::Errno;
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::time::{Instant, timeout_at};

use crate::failure::plain;
use gentle::{Digest, Gentle, Reader, Rest, open_quietly};

/// So long a look waits for a checksum.
const PATIENCE: Duration = Duration::from_millis(500);

/// So long before its deadline a look waits no more.
const BEFORE: Duration = Duration::from_millis(100);

/// So much is read at a time.
const CHUNK: usize = 128 << 10;

/// File systems stamp times by a clock that ticks: what is written twice within a tick has one stamp.
const TICK: Duration = Duration::from_millis(20);

/// A way to compute a checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sum {
    Md5,
    Sha1,
    Sha256,
}

impl Sum {
    pub(crate) const ALL: [Sum; 3] = [Sum::Md5, Sum::Sha1, Sum::Sha256];

    pub(crate) fn metric(self) -> Metric {
        match self {
            Sum::Md5 => metrics::CHECKSUM_MD5,
            Sum::Sha1 => metrics::CHECKSUM_SHA1,
            Sum::Sha256 => metrics::CHECKSUM_SHA256,
        }
    }
}

/// The checksums that are wanted of one file, and what is known of them.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    wanted: Vec<Sum>,
    known: Option<Known>,
    asked: Option<Asked>,
    /// The last answer came when the look that asked was over.
    slow: bool,
    /// Until then looks before their turn do not ask for another one: for as long as the last one took. A look that is under
    /// way when its turn comes does not know of that, so a file that never rests may have no others.
    pause: Option<Instant>,
    /// Why the file cannot be read.
    trouble: Option<String>,
}

/// Checksums of a file as it was.
#[derive(Debug)]
struct Known {
    print: Print,
    sums: Vec<(Sum, String)>,
    /// It had been written so recently that it may have changed since without a sign, or its length is no sign.
    fleeting: bool,
    /// Nobody wrote while it was read.
    steady: bool,
}

/// What tells two states of a file apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Print {
    device: u64,
    inode: u64,
    size: i64,
    modified: (i64, u64),
    changed: (i64, u64),
}

impl Print {
    fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size,
            modified: (stat.st_mtime, stat.st_mtime_nsec),
            changed: (stat.st_ctime, stat.st_ctime_nsec),
        }
    }

    /// Whether a change right after `wall` might leave the stamps as they are.
    fn is_young(&self, wall: Duration) -> bool {
        let (secs, nanos) = self.modified.max(self.changed);
        let Ok(secs) = u64::try_from(secs) else { return false };
        let last = Duration::new(secs, nanos.min(999_999_999) as u32);
        // Far ahead is a clock that goes wrong, and not a change that is being made.
        last + TICK >= wall && last <= wall + Duration::from_secs(2)
    }
}

type Answer = Result<Known, String>;

/// A question that is on its way.
#[derive(Debug)]
struct Asked {
    answer: oneshot::Receiver<Answer>,
    done: Arc<OwnedFd>,
    path: PathBuf,
    at: Instant,
    /// So many looks at their turn have waited for it.
    turns: u32,
    haste: Arc<AtomicBool>,
}

impl Sums {
    /// From now on this one is wanted too.
    pub(crate) fn want(&mut self, sum: Sum) {
        if !self.wanted.contains(&sum) {
            self.wanted.push(sum);
        }
    }

    /// What tells when a checksum that a look did not wait for is ready.
    pub(crate) fn wake(&self) -> Option<Arc<OwnedFd>> {
        self.asked.as_ref().map(|asked| asked.done.clone())
    }

    /// Why there is none, or none yet.
    pub(crate) fn limits(&self) -> Vec<String> {
        let late = self.asked.as_ref().filter(|asked| asked.is_late()).map(Asked::lateness);
        self.trouble.iter().cloned().chain(late).collect()
    }

    /// Adds the checksums of the file at `path`, of which `stat` was said, if they are known or ready soon.
    pub(crate) async fn push(&mut self, seen: &mut Observation, path: &Path, stat: &Stat, look: &Look) {
        if self.wanted.is_empty() {
            return;
        }
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            self.trouble = Some(format!("{} is no regular file, and has no checksum", path.display()));
            return;
        }
        let deadline = Instant::from_std(look.deadline().checked_sub(BEFORE).unwrap_or(look.deadline()));
        let deadline = deadline.min(Instant::now() + PATIENCE);
        let answered = self.take();
        let due = look.cause() == Cause::Due;
        if let Some(asked) = self.asked.as_mut().filter(|_| due) {
            asked.wait_another_turn();
        }
        let known = self.is_known(stat) || answered;
        // Of a large file that is written to all the time there is one sum a turn, and not one after the other.
        let rested = self.pause.is_none_or(|until| Instant::now() >= until);
        let may_ask = due || !self.slow || rested || self.asked.is_some();
        if known || (may_ask && self.ask(path, stat, look, deadline).await) {
            for (sum, text) in self.known.iter().flat_map(|known| &known.sums) {
                seen.push(&sum.metric(), text.as_str());
            }
        }
    }

    fn is_known(&self, stat: &Stat) -> bool {
        self.known.as_ref().is_some_and(|known| !known.fleeting && known.print == Print::of(stat))
    }

    /// Takes the answer to an earlier question. Whether there is one that counts.
    fn take(&mut self) -> bool {
        let Some(asked) = &mut self.asked else { return false };
        let answer = match asked.answer.try_recv() {
            Ok(answer) => answer,
            Err(TryRecvError::Empty) => return false,
            Err(TryRecvError::Closed) => Err("the checksum was not finished".to_owned()),
        };
        self.pause = Some(Instant::now() + asked.at.elapsed());
        self.asked = None;
        let counts = self.hear(answer);
        // What was changed while it was read is read again at once, and that answer counts.
        self.slow = counts;
        counts && self.known.is_some()
    }

    /// Whether that is an answer which counts.
    fn hear(&mut self, answer: Answer) -> bool {
        match answer {
            Ok(known) => {
                // What was written while it was read is read again, once: a file that never rests has no other sum.
                let again = !known.steady && self.known.as_ref().is_none_or(|before| before.steady);
                self.trouble = None;
                self.known = Some(known);
                !again
            }
            Err(why) => {
                self.trouble = Some(why);
                self.known = None;
                true
            }
        }
    }

    /// Has them computed, and waits for that. Whether they are known now.
    async fn ask(&mut self, path: &Path, stat: &Stat, look: &Look, deadline: Instant) -> bool {
        loop {
            let earlier = self.asked.is_some();
            let asked = match &mut self.asked {
                Some(asked) => asked,
                none => match Asked::new(path, stat.st_dev, &self.wanted, look) {
                    Ok(asked) => none.insert(asked),
                    Err(error) => {
                        self.trouble = Some(format!("no checksum can be computed: {}", plain(&error.into())));
                        return false;
                    }
                },
            };
            let Ok(answer) = timeout_at(deadline, &mut asked.answer).await else { return false };
            self.pause = Some(Instant::now() + asked.at.elapsed());
            self.asked = None;
            let answer = answer.unwrap_or_else(|_| Err("the checksum was not finished".to_owned()));
            if self.hear(answer) {
                self.slow = earlier;
                return self.known.is_some();
            }
        }
    }
}

impl Asked {
    fn new(path: &Path, device: u64, sums: &[Sum], look: &Look) -> Result<Self, Errno> {
        let done = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (tell, answer) = oneshot::channel();
        let haste = Arc::new(AtomicBool::new(false));
        queue(
            device,
            Work {
                path: path.to_owned(),
                sums: sums.to_owned(),
                wall: look.wall(),
                tell,
                done: done.clone(),
                haste: haste.clone(),
            },
        );
        let turns = u32::from(look.cause() == Cause::Due);
        Ok(Self { answer, done, path: path.to_owned(), at: Instant::now(), turns, haste })
    }

    fn wait_another_turn(&mut self) {
        self.turns += 1;
        self.haste.store(self.is_late(), Ordering::Relaxed);
    }

    /// Whether somebody has waited for a whole cycle.
    fn is_late(&self) -> bool {
        self.turns > 1
    }

    fn lateness(&self) -> String {
        format!(
            "the checksum of {} is being computed since an earlier cycle: a change is told when that is done, and not \
             before; look at it less often, or at a smaller file",
            self.path.display()
        )
    }
}

/// A file to be read.
#[derive(Debug)]
struct Work {
    path: PathBuf,
    sums: Vec<Sum>,
    wall: Duration,
    tell: oneshot::Sender<Answer>,
    done: Arc<OwnedFd>,
    /// Somebody has waited for it long enough.
    haste: Arc<AtomicBool>,
}

/// What is still to be read, by device. As long as there is an entry, a thread works on it.
static QUEUES: Mutex<BTreeMap<u64, VecDeque<Work>>> = Mutex::new(BTreeMap::new());

fn queue(device: u64, work: Work) {
    let mut queues = QUEUES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(queue) = queues.get_mut(&device) {
        queue.push_back(work);
        return;
    }
    queues.insert(device, VecDeque::from([work]));
    drop(queues);
    let worker = Worker { device, over: false };
    tokio::task::spawn_blocking(move || worker.run());
}

/// Works off the queue of a device.
struct Worker {
    device: u64,
    /// Whether the queue was empty; from then on another may work on that device.
    over: bool,
}

impl Worker {
    fn run(mut self) {
        while let Some(work) = self.next() {
            let (mut gentle, haste) = (Gentle::new(), work.haste.clone());
            work.run(|| {
                // Whoever waits behind this one makes it hurry, too.
                if haste.load(Ordering::Relaxed) || self.somebody_waits_long() {
                    gentle.give_up();
                }
                gentle.rests()
            });
        }
    }

    fn somebody_waits_long(&self) -> bool {
        let queues = QUEUES.lock().unwrap_or_else(PoisonError::into_inner);
        queues.get(&self.device).is_some_and(|queue| queue.iter().any(Work::is_urgent))
    }

    fn next(&mut self) -> Option<Work> {
        let mut queues = QUEUES.lock().unwrap_or_else(PoisonError::into_inner);
        let work = queues.get_mut(&self.device).and_then(VecDeque::pop_front);
        if work.is_none() {
            queues.remove(&self.device);
            self.over = true;
        }
        work
    }
}

impl Drop for Worker {
    /// Also when a runtime ends before it began: those who wait ask again at their next look.
    fn drop(&mut self) {
        if !self.over {
            QUEUES.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.device);
        }
    }
}

impl Work {
    fn is_urgent(&self) -> bool {
        self.haste.load(Ordering::Relaxed)
    }

    /// Reads the file and tells what came of it; `rests` says whether there is time for pauses.
    fn run(self, rests: impl FnMut() -> bool) {
        let Some(read) = self.read(rests) else { return };
        let answer = read.map_err(|error| {
            let (path, why) = (self.path.display(), plain(&error));
            match error.kind() {
                io::ErrorKind::PermissionDenied => {
                    format!("no checksum of {path}: it may not be read ({why}); run as root, or let this user read it")
                }
                _ => format!("no checksum of {path}: {why}"),
            }
        });
        if self.tell.send(answer).is_ok() {
            let _ = rustix::io::write(&self.done, &1u64.to_ne_bytes());
        }
    }

    /// `None` if nobody wants to know any more.
    fn read(&self, mut rests: impl FnMut() -> bool) -> Option<io::Result<Known>> {
        let file = match open_quietly(&self.path) {
            Ok(file) => file,
            Err(error) => return Some(Err(error.into())),
        };
        let before = match fstat(&file) {
            Ok(stat) => stat,
            Err(error) => return Some(Err(error.into())),
        };
        let _ = fadvise(&file, 0, None, Advice::Sequential);
        let mut digests: Vec<(Sum, Digest)> = self.sums.iter().map(|sum| (*sum, Digest::new(*sum))).collect();
        let (mut buffer, mut rest) = (vec![0; CHUNK], Rest::new());
        let (mut length, mut reader) = (0, Reader::new(&file));
        loop {
            if self.tell.is_closed() {
                return None;
            }
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => {
                    digests.iter_mut().for_each(|(_, digest)| digest.update(&buffer[..n]));
                    length += n as i64;
                }
                Err(Errno::INTR) => {}
                Err(error) => return Some(Err(error.into())),
            }
            rest.after(CHUNK, &mut rests);
        }
        let print = Print::of(&before);
        let steady = fstat(&file).is_ok_and(|after| Print::of(&after) == print);
        let fleeting = !steady || length != print.size || print.is_young(self.wall);
        let sums = digests.into_iter().map(|(sum, digest)| (sum, digest.finish())).collect();
        Some(Ok(Known { print, sums, fleeting, steady }))
    }
}

#[cfg(test)]
mod tests;
