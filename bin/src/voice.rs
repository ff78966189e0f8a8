//! What the daemon says: its log, which a reload may change while everybody goes on writing to it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hinoban::config::LogTarget;
use hinoban::event::{Event, Level};
use hinoban::reading::Stamp;
use hinoban::{Log, log};

/// The log there is at present. Cheap to clone; clones change together.
#[derive(Debug, Clone)]
pub(crate) struct Voice(Arc<Mutex<Current>>);

#[derive(Debug)]
struct Current {
    target: Option<LogTarget>,
    foreground: bool,
    level: Level,
    log: Log,
}

impl Voice {
    /// Writes to `target`, and in the foreground to the terminal too.
    pub(crate) fn new(target: Option<&LogTarget>, foreground: bool, verbose: bool) -> Self {
        let level = if verbose { Level::Debug } else { Level::Info };
        let log = log(target, foreground, level);
        Self(Arc::new(Mutex::new(Current { target: target.cloned(), foreground, level, log })))
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs a line.
    pub(crate) fn say(&self, level: Level, text: impl Into<String>) {
        self.current().log.write(level, now(), text);
    }

    /// Logs what happened.
    pub(crate) fn event(&self, event: &Event) {
        self.current().log.event(event);
    }

    /// Opens files again; writes to `target` from now on.
    pub(crate) fn reopen(&self, target: Option<&LogTarget>) {
        let mut current = self.current();
        if current.target.as_ref() == target {
            current.log.reopen();
        } else {
            current.log = log(target, current.foreground, current.level);
            current.target = target.cloned();
        }
    }

    /// Opens files again.
    pub(crate) fn rotate(&self) {
        self.current().log.reopen();
    }

    /// Waits a little until everything is written; for the end.
    pub(crate) fn flush(&self) {
        let log = self.current().log.clone();
        log.flush(Duration::from_secs(2));
    }
}

#[allow(clippy::disallowed_methods)] // our own lines carry the time they are written at; nothing is decided by it
fn now() -> Stamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Stamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
