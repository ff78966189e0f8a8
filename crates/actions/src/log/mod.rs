//! The log: lines to a terminal, a file and the syslog daemon, and nobody waits for them.
//!
//! [`Log::write`] puts a line into a bounded ring and returns. One thread, made when the first line comes, hands each
//! line to every target. A target that fails (the syslog daemon restarts, the disk is full) keeps its lines and is
//! tried again five times a second; the others go on. What does not fit any more is counted, and a line says so: the
//! oldest are dropped, because the newest tell what is wrong now.

mod file;
mod lane;
mod syslog;
mod terminal;

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::syslog::Facility;
use async_trait::async_trait;
use hinoban_action::{Action, ActionError, Errand, Outcome};
use hinoban_event::{Event, Level};
use hinoban_reading::Stamp;
use jiff::tz::TimeZone;

use crate::local::Local;
use file::File;
use lane::{Lane, Sink};
use syslog::Syslog;
use terminal::Terminal;

/// Lines that the ring holds, and each target that fails.
pub const LINES: usize = 1000;

/// Longest text of one line in bytes; more is cut off. Lines carry the output of programs.
pub const LONGEST: usize = 64 * 1024;

/// How often a target that fails is tried again.
const AGAIN: Duration = Duration::from_millis(200);

/// Where lines go.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Target {
    /// The terminal, without a stamp: warnings and errors to standard error, the rest to standard output.
    Terminal,
    /// Standard error, without a stamp.
    Stderr,
    /// A file, appended to. Opened again after [`Log::reopen`], and when it has been renamed or removed.
    File(PathBuf),
    /// The syslog daemon of this host.
    Syslog(SyslogOptions),
}

/// How the syslog daemon is reached.
#[derive(Debug, Clone)]
pub struct SyslogOptions {
    /// What kind of program we say we are; [`facility`] reads names.
    pub facility: Facility,
    /// Who we say we are; the process id follows in brackets.
    pub ident: String,
    /// Its socket.
    pub socket: PathBuf,
}

impl Default for SyslogOptions {
    /// `hinoban`, facility user, at `/dev/log`.
    fn default() -> Self {
        Self { facility: Facility::LOG_USER, ident: "hinoban".into(), socket: "/dev/log".into() }
    }
}

/// The facility of this name: `daemon`, `log_daemon`, in any case. `None` for names that syslog(3) does not have.
pub fn facility(name: &str) -> Option<Facility> {
    name.parse().ok()
}

/// What is logged, and where to.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// Every line goes to each of these.
    pub targets: Vec<Target>,
    /// The least grave level that is logged. By default, [`Level::Info`].
    pub level: Level,
    /// The time zone of stamps. By default, that of the host, which is looked up when the first line comes.
    pub zone: Option<TimeZone>,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { targets: Vec::new(), level: Level::Info, zone: None }
    }
}

/// A handle of the log; clones write to the same. When the last one is dropped, the thread writes what it has, once,
/// and ends; whoever ends the process calls [`Log::flush`] before.
#[derive(Clone)]
pub struct Log(Arc<Handle>);

struct Handle {
    level: Level,
    shared: Arc<Shared>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) level: Level,
    pub(crate) at: Stamp,
    pub(crate) text: String,
}

struct Shared {
    ring: Mutex<Ring>,
    /// The writer waits here for lines.
    come: Condvar,
    /// Whoever flushes waits here for the writer.
    gone: Condvar,
}

#[derive(Default)]
struct Ring {
    lines: VecDeque<Arc<Line>>,
    /// Dropped since the writer last looked.
    lost: u64,
    /// Targets, until the thread is made and takes them.
    lanes: Option<Vec<Lane>>,
    /// Whether every line has reached every target.
    idle: bool,
    reopen: bool,
    closed: bool,
    /// Why a target fails, while one does.
    trouble: Option<String>,
}

// === impl Log ===

impl Log {
    /// Makes a log. Files are opened and the thread is made when the first line comes, so that a daemon may fork
    /// before.
    pub fn start(options: LogOptions) -> Self {
        let lanes = options.targets.iter().map(|target| Lane::new(sink(target, &options.zone))).collect();
        Self::over(lanes, options.level)
    }

    fn over(lanes: Vec<Lane>, level: Level) -> Self {
        let ring = Ring { lanes: Some(lanes), idle: true, ..Ring::default() };
        let shared = Shared { ring: Mutex::new(ring), come: Condvar::new(), gone: Condvar::new() };
        Self(Arc::new(Handle { level, shared: Arc::new(shared) }))
    }

    /// Logs a line. Never waits for a target.
    pub fn write(&self, level: Level, at: Stamp, text: impl Into<String>) {
        if level > self.0.level {
            return;
        }
        let mut text = text.into();
        text.truncate(text.floor_char_boundary(LONGEST));
        let shared = &self.0.shared;
        let mut ring = shared.ring();
        if ring.lines.len() >= LINES {
            ring.lines.pop_front();
            ring.lost += 1;
        }
        ring.lines.push_back(Arc::new(Line { level, at, text }));
        ring.idle = false;
        shared.ensure_thread(&mut ring);
        drop(ring);
        shared.come.notify_one();
    }

    /// Logs what happened.
    pub fn event(&self, event: &Event) {
        self.write(event.level(), event.at, event.line());
    }

    /// Has files opened again under their names: for whoever rotates them.
    pub fn reopen(&self) {
        self.0.shared.ring().reopen = true;
        self.0.shared.come.notify_one();
    }

    /// Waits until every line has reached every target, but not longer than `patience`. Whether they all have.
    ///
    /// Blocks its thread: for the end of a program.
    pub fn flush(&self, patience: Duration) -> bool {
        let ring = self.0.shared.ring();
        let waited = self.0.shared.gone.wait_timeout_while(ring, patience, |ring| !ring.idle);
        waited.unwrap_or_else(PoisonError::into_inner).0.idle
    }

    /// Why a target cannot be written to at present, such as a file in a directory that does not exist.
    pub fn trouble(&self) -> Option<String> {
        self.0.shared.ring().trouble.clone()
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("level", &self.0.level).finish_non_exhaustive()
    }
}

/// Logs the event that is the cause of the errand.
#[async_trait]
impl Action for Log {
    async fn act(&self, cause: &Event, _errand: &Errand) -> Result<Outcome, ActionError> {
        self.event(cause);
        Ok(Outcome::default())
    }

    fn describe(&self) -> Option<String> {
        Some("log".to_owned())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.ring().closed = true;
        self.shared.come.notify_one();
    }
}

// === impl Shared ===

impl Shared {
    fn ring(&self) -> MutexGuard<'_, Ring> {
        // No code that panics runs under the lock.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ensure_thread(self: &Arc<Self>, ring: &mut Ring) {
        let Some(lanes) = ring.lanes.take() else { return };
        let shared = self.clone();
        // The lanes come back if there is no thread, and the next line tries again.
        let (send, receive) = std::sync::mpsc::sync_channel(1);
        let made = std::thread::Builder::new().name("log".into()).stack_size(2048 * 1024).spawn(move || {
            if let Ok(lanes) = receive.recv() {
                shared.work(lanes);
            }
        });
        match made {
            Ok(_) => drop(send.send(lanes)),
            Err(_) => ring.lanes = Some(lanes),
        }
    }

    /// The writer's life.
    fn work(&self, mut lanes: Vec<Lane>) {
        let mut ring = self.ring();
        loop {
            let behind = lanes.iter().any(Lane::is_behind);
            let quiet = |ring: &mut Ring| ring.lines.is_empty() && !ring.reopen && !ring.closed;
            ring = if behind {
                let waited = self.come.wait_timeout_while(ring, AGAIN, quiet);
                waited.unwrap_or_else(PoisonError::into_inner).0
            } else {
                self.come.wait_while(ring, quiet).unwrap_or_else(PoisonError::into_inner)
            };
            let lines = std::mem::take(&mut ring.lines);
            let lost = std::mem::take(&mut ring.lost);
            let reopen = std::mem::take(&mut ring.reopen);
            let closed = ring.closed;
            drop(ring);
            let mut trouble = None;
            for lane in &mut lanes {
                if reopen {
                    lane.reopen();
                }
                lane.accept(&lines, lost);
                trouble = trouble.or(lane.drive());
            }
            if closed {
                return;
            }
            ring = self.ring();
            ring.trouble = trouble;
            ring.idle = ring.lines.is_empty() && !lanes.iter().any(Lane::is_behind);
            if ring.idle {
                self.gone.notify_all();
            }
        }
    }
}

/// The text with nothing in it that a terminal or a reader of lines obeys: control characters as three octal digits, as
/// rsyslog and syslog-ng write them. Programs print whatever they like, and names of files may hold anything.
///
/// `more` stands where a line ends and another follows. Under Monit such lines go on without a stamp; here they are
/// indented, so that none passes for a line of the log.
fn plain(text: &str, more: Option<&str>) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match (c, more) {
            ('\n', Some(more)) => plain.push_str(more),
            ('\t', _) => plain.push(c),
            (c, _) if c.is_control() => {
                let _ = write!(plain, "#{:03o}", u32::from(c));
            }
            _ => plain.push(c),
        }
    }
    plain
}

/// How lines within a line go on in a file and on a terminal.
const MORE: &str = "\n    ";

fn sink(target: &Target, zone: &Option<TimeZone>) -> Box<dyn Sink> {
    let zone = zone.clone();
    let local = move || Local::of(zone.clone());
    match target {
        Target::Terminal => Box::new(Terminal { out: std::io::stdout(), err: std::io::stderr() }),
        Target::Stderr => Box::new(Terminal { out: std::io::stderr(), err: std::io::stderr() }),
        Target::File(path) => Box::new(File::new(path.clone(), Box::new(local))),
        Target::Syslog(options) => Box::new(Syslog::new(options.clone(), Box::new(local))),
    }
}

#[cfg(test)]
mod tests;
