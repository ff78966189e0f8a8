//! What the daemon says: its log, which a reload may change while everybody goes on writing to it.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hinoban::config::{Facility, LogTarget};
use hinoban::event::{Class, Event, Fact, Level};
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
    /// What stands and was logged; `None`: each look that fails is logged again.
    repeats: Option<Repeats>,
}

/// Failures that stand, each with a digest of the words it was last logged in.
#[derive(Debug, Default)]
struct Repeats(HashMap<(Arc<str>, usize, Class), u64>);

impl Repeats {
    /// Whether this is not what was logged last of the same failure.
    fn is_news(&mut self, event: &Event) -> bool {
        match &event.fact {
            Fact::Failed(failure) => {
                let mut digest = DefaultHasher::new();
                event.description().hash(&mut digest);
                let key = (event.service.clone(), failure.rule, failure.class);
                let last = self.0.insert(key, digest.finish());
                failure.times <= 1 || last != Some(digest.finish())
            }
            Fact::Recovered(recovery) => {
                self.0.remove(&(event.service.clone(), recovery.rule, recovery.class));
                true
            }
            Fact::Monitoring { .. } => {
                self.0.retain(|(service, ..), _| *service != event.service);
                true
            }
            // Rules may stand elsewhere.
            Fact::Reloaded { .. } => {
                self.0.clear();
                true
            }
            _ => true,
        }
    }
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
            repeats: None,
        })))
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs a line.
    pub(crate) fn say(&self, level: Level, text: impl Into<String>) {
        self.current().log.write(level, now(), text);
    }

    /// From now on a failure that goes on is logged again only if its words change; as Monit does, at each look, unless
    /// `so`.
    pub(crate) fn spare_repeats(&self, so: bool) {
        let mut current = self.current();
        if so != current.repeats.is_some() {
            current.repeats = so.then(Repeats::default);
        }
    }

    /// Logs what happened.
    pub(crate) fn event(&self, event: &Event) {
        let mut current = self.current();
        if current.repeats.as_mut().is_none_or(|repeats| repeats.is_news(event)) {
            current.log.event(event);
        }
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
    fn a_failure_that_goes_on_is_news_when_its_words_change() {
        let failed = |text: &str, times: u32| {
            let json = serde_json::json!({ "id": 1, "at": 0, "service": "f", "fact": { "failed": { "rule": 0, "class": "size",
                "reason": null, "text": text, "detail": null, "then": "alert", "able": true, "since": 0, "times": times,
                "ending": null, "lived": null, "compared": null } } });
            serde_json::from_value::<Event>(json).unwrap()
        };
        let mut repeats = Repeats::default();
        assert!(repeats.is_news(&failed("size 1", 1)));
        assert!(!repeats.is_news(&failed("size 1", 2)) && !repeats.is_news(&failed("size 1", 3)));
        assert!(repeats.is_news(&failed("size 2", 4)) && !repeats.is_news(&failed("size 2", 5)));
        let off = Event { fact: Fact::Monitoring { on: false }, ..failed("", 1) };
        assert!(repeats.is_news(&off) && repeats.is_news(&failed("size 2", 1)));
        assert!(repeats.is_news(&failed("size 2", 1)), "it failed anew");
    }

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
