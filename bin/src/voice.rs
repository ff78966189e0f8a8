//! What the daemon says: its log, which a reload may change while everybody goes on writing to it.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hinoban::config::{Facility, LogTarget};
use hinoban::event::{Event, Level};
use hinoban::reading::Stamp;
use hinoban::{Log, log};

use crate::zone;

/// How long the end may wait for the log.
const PATIENCE: Duration = Duration::from_secs(2);

/// The log there is at present. Cheap to clone; clones change together.
#[derive(Debug, Clone)]
pub(crate) struct Voice(Arc<Mutex<Current>>);

#[derive(Debug)]
struct Current {
    target: Option<LogTarget>,
    foreground: bool,
    level: Level,
    log: Log,
    /// Why it cannot be written to, as told already.
    told: Option<String>,
    /// Where that is told.
    spare: Option<Log>,
}

/// Sees whether a log can be written, before anybody relies on it. One that is made for that is left there only if it
/// is `kept`. Blocks on the disk.
///
/// # Errors
/// A sentence that names the file and says why not; it begins as Monit's does.
pub(crate) fn trial(target: Option<&LogTarget>, kept: bool) -> Result<(), String> {
    let Some(LogTarget::File(path)) = target else { return Ok(()) };
    let mut options = File::options();
    // A pipe that nobody reads is an error, and not waited for.
    options.append(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32);
    let opened = match options.open(path) {
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => {
            options.create_new(true).open(path).map(|_| {
                if !kept {
                    // It is empty; that it stays harms nobody.
                    let _ = std::fs::remove_file(path);
                }
            })
        }
        opened => opened.map(drop),
    };
    opened.map_err(|why| {
        let path = path.display();
        format!(
            "Error opening the log file '{path}' for writing -- {why}; mend that, or name another log with -l"
        )
    })
}

impl Voice {
    /// Writes to `target`, and in the foreground to the terminal too.
    pub(crate) fn new(target: Option<&LogTarget>, foreground: bool, verbose: bool) -> Self {
        let level = if verbose { Level::Debug } else { Level::Info };
        let log = log(target, foreground, level, Some(zone::of_host()));
        Self(Arc::new(Mutex::new(Current {
            target: target.cloned(),
            foreground,
            level,
            log,
            told: None,
            spare: None,
        })))
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
            current.log = log(target, current.foreground, current.level, Some(zone::of_host()));
            current.target = target.cloned();
        }
    }

    /// Opens files again.
    pub(crate) fn rotate(&self) {
        self.current().log.reopen();
    }

    /// If the log cannot be written at present, tells that once where somebody may see it: on standard error in the
    /// foreground, in the syslog otherwise.
    pub(crate) fn look(&self) {
        let mut current = self.current();
        let trouble = current.log.trouble();
        if current.told == trouble {
            return;
        }
        current.told.clone_from(&trouble);
        let (Some(trouble), false) = (trouble, matches!(current.target, Some(LogTarget::Syslog(_)))) else {
            return;
        };
        let other = if current.foreground { LogTarget::Stderr } else { LogTarget::Syslog(Facility::Daemon) };
        let spare = current
            .spare
            .get_or_insert_with(|| log(Some(&other), false, Level::Error, Some(zone::of_host())));
        spare.write(Level::Error, now(), format!("{trouble}; its last lines wait in memory until it can"));
    }

    /// Waits a little until everything is written; for the end.
    pub(crate) fn flush(&self) {
        let log = self.current().log.clone();
        if !log.flush(PATIENCE) {
            self.look();
            let spare = self.current().spare.clone();
            spare.map(|spare| spare.flush(PATIENCE));
        }
    }
}

#[allow(clippy::disallowed_methods)] // our own lines carry the time they are written at; nothing is decided by it
fn now() -> Stamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Stamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_leaves_what_there_was() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| LogTarget::File(dir.path().join(name));
        assert_eq!(trial(Some(&file("new")), false), Ok(()));
        assert!(!dir.path().join("new").exists());
        assert_eq!(trial(Some(&file("new")), true), Ok(()));
        std::fs::write(dir.path().join("new"), "line\n").unwrap();
        assert_eq!(trial(Some(&file("new")), false), Ok(()));
        assert_eq!(std::fs::read_to_string(dir.path().join("new")).unwrap(), "line\n");
        let why = trial(Some(&file("no/log")), true).unwrap_err();
        let path = dir.path().join("no/log");
        assert!(why.starts_with(&format!("Error opening the log file '{}' for writing -- ", path.display())));
    }
}
