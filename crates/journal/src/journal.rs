use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::file::{self, LogFile};
use crate::recovery::{self, Condition};
use crate::{Compacted, Compaction, Entry, State};

/// A log shorter than this is left as it is.
const SHORT: u64 = 1 << 20;

/// A log is long when it is more than this many times what it would be if written anew.
const GROWTH: u64 = 4;

/// How long the lock of a supervisor that was killed may outlive it.
const DYING: Duration = Duration::from_millis(500);

/// How often it is tried in that time.
const AGAIN: Duration = Duration::from_millis(10);

/// The log that entries are appended to.
#[derive(Debug)]
pub struct Journal {
    state: State,
    disk: Option<Disk>,
}

#[derive(Debug)]
struct Disk {
    path: PathBuf,
    log: LogFile,
    /// The open log, for whoever enters itself.
    open: Arc<RwLock<Arc<File>>>,
    /// Length of the log when it was last written anew.
    compacted: u64,
    /// While a compaction is under way: the lines that it does not hold.
    since: Option<Vec<u8>>,
}

/// Why a journal could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it open.
    #[error("state file {}: in use by another supervisor; stop that one, or give this one a state file of its own", .0.display())]
    Locked(PathBuf),
    /// It is a folder, a device, a socket.
    #[error("state file {}: not a regular file; name one that is, or one that does not exist yet", .0.display())]
    NotAFile(PathBuf),
    /// The system refused.
    #[error("state file {}: {source}; see that its folder exists and may be written to", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Journal {
    /// Opens the journal in this file, making it if need be (mode 0600), and locks it (flock(2)) until it is dropped.
    ///
    /// Gives the journal, what it holds, and a notice for people if the file was not what it should have been: what
    /// was set aside under which name, or why the log could not be made shorter.
    ///
    /// # Errors
    /// If another process has it open and goes on having it for half a second, if it is not a regular file, or if the system refuses. A supervisor goes on
    /// with a [`volatile`](Self::volatile) journal then, and says so.
    pub fn open(path: impl Into<PathBuf>) -> Result<(Self, State, Option<String>), OpenError> {
        let path = path.into();
        // Before it is opened: opening a pipe waits, and a device must never be renamed over.
        if std::fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
            return Err(OpenError::NotAFile(path));
        }
        match Self::open_patiently(&path) {
            Ok(Some((journal, notice))) => {
                let state = journal.state.clone();
                Ok((journal, state, notice))
            }
            Ok(None) => Err(OpenError::Locked(path)),
            Err(source) => Err(OpenError::Io { path, source }),
        }
    }

    fn open_patiently(path: &Path) -> io::Result<Option<(Self, Option<String>)>> {
        let began = Self::open_file(path)?;
        if began.is_some() {
            return Ok(began);
        }
        // The threads of a supervisor that was killed, and a program that it was about to start, hold its lock for a
        // moment longer. Nobody sends on this channel: it is a wait.
        let (_keep, nobody) = std::sync::mpsc::channel::<()>();
        for _ in 0..DYING.as_millis() / AGAIN.as_millis() {
            let _ = nobody.recv_timeout(AGAIN);
            let opened = Self::open_file(path)?;
            if opened.is_some() {
                return Ok(opened);
            }
        }
        Ok(None)
    }

    fn open_file(path: &Path) -> io::Result<Option<(Self, Option<String>)>> {
        let Some(old) = file::open_locked(path)? else { return Ok(None) };
        let found = recovery::read(&old)?;
        // First what replaces it, then the renaming: if the disk is full, everything stays where it is.
        let anew = file::write_beside(path, found.state.entries());
        let (log, notice) = match (anew, &found.condition) {
            (Ok((beside, log)), condition) => {
                let notice = recovery::set_aside(path, condition)?;
                file::rename(&beside, path)?;
                (log, notice)
            }
            // A full disk is no reason to forget: the old file goes on, less what was torn.
            (Err(error), Condition::Whole | Condition::Torn) => {
                old.set_len(found.length)?;
                let notice = format!("state file {}: could not be made shorter: {error}", path.display());
                (LogFile::new(old, found.length), Some(notice))
            }
            (Err(error), _) => return Err(error),
        };
        let state = found.state;
        let open = Arc::new(RwLock::new(log.file()));
        let disk = Disk { path: path.to_owned(), compacted: log.length, log, open, since: None };
        Ok(Some((Self { state, disk: Some(disk) }, notice)))
    }

    /// A journal that forgets everything when dropped, for supervisors that need not remember. It never fails.
    pub fn volatile() -> Self {
        Self { state: State::default(), disk: None }
    }

    /// What has been entered so far.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Enters this, by one write(2) that does not wait for the disk. Only then act on it.
    ///
    /// # Errors
    /// If the system refuses (the disk is full). [`state`](Self::state) holds the entry all the same and the file is as
    /// it was before, so that the supervisor can go on and later entries can succeed. Whoever calls says it once, not
    /// each time.
    pub fn append(&mut self, entry: &Entry) -> io::Result<()> {
        self.append_all(std::slice::from_ref(entry))
    }

    /// Enters these together: a crash of ours finds all of them or none.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn append_all(&mut self, entries: &[Entry]) -> io::Result<()> {
        entries.iter().for_each(|entry| self.state.apply(entry));
        let Some(disk) = &mut self.disk else { return Ok(()) };
        let mut line = Vec::with_capacity(128 * entries.len());
        for entry in entries {
            file::push_line(&mut line, entry)?;
        }
        if let Some(since) = &mut disk.since {
            since.extend_from_slice(&line);
        }
        disk.log.append(&line)
    }

    /// The file that entries are appended to, for a process that is to enter itself before it becomes the program
    /// ([`spawned_line`](Self::spawned_line)). After a [`Compaction`] another one is in its place, so look right before
    /// the process is made.
    pub fn file(&self) -> Option<Arc<RwLock<Arc<File>>>> {
        self.disk.as_ref().map(|disk| disk.open.clone())
    }

    /// The line of [`Entry::Spawned`], in the three pieces between which the pid and the start time stand as decimals.
    pub fn spawned_line(intent: u64) -> [Vec<u8>; 3] {
        let begin = format!(r#"{{"entry":"spawned","intent":{intent},"identity":{{"pid":"#);
        [begin.into_bytes(), br#","start":"#.to_vec(), b"}}\n".to_vec()]
    }

    /// Waits until everything entered is on the disk. For an orderly end: only the loss of power needs it.
    ///
    /// # Errors
    /// If the system says that it could not be written.
    pub fn sync(&self) -> io::Result<()> {
        self.disk.as_ref().map_or(Ok(()), |disk| disk.log.sync())
    }

    /// A shorter log to be written, if this one has grown over 1 MiB and over four times what it could be; `None`
    /// otherwise, and while one is under way. Cheap: ask after each entry.
    pub fn compaction(&mut self) -> Option<Compaction> {
        let disk = self.disk.as_mut()?;
        let long = disk.log.length > SHORT && disk.log.length > disk.compacted.saturating_mul(GROWTH);
        if !long || disk.since.is_some() {
            return None;
        }
        disk.since = Some(Vec::new());
        Some(Compaction::new(disk.path.clone(), self.state.clone(), disk.log.file()))
    }

    /// Takes on the shorter log that a [`Compaction`] wrote, with what was entered since; or hears why there is none.
    ///
    /// # Errors
    /// `compacted`'s own, or that of putting the new file in place. The long log goes on then, and the next try comes
    /// when it has doubled.
    pub fn adopt(&mut self, compacted: io::Result<Compacted>) -> io::Result<()> {
        let Some(disk) = &mut self.disk else { return Ok(()) };
        let mut since = disk.since.take().unwrap_or_default();
        let adopted = compacted.and_then(|Compacted { beside, mut log, read }| {
            let written = log.length;
            // Each of them is told to us as well, once it is its program: only one that hangs is lost with the long log.
            let (spawned, _) = recovery::spawned(&disk.log.file(), read).unwrap_or_default();
            spawned.iter().try_for_each(|entry| file::push_line(&mut since, entry))?;
            let placed = if since.is_empty() { Ok(()) } else { log.append(&since) };
            match placed.and_then(|()| std::fs::rename(&beside, &disk.path)) {
                Ok(()) => Ok((log, written)),
                Err(error) => {
                    let _ = std::fs::remove_file(&beside);
                    Err(error)
                }
            }
        });
        match adopted {
            Ok((log, written)) => {
                *disk.open.write().unwrap_or_else(PoisonError::into_inner) = log.file();
                (disk.log, disk.compacted) = (log, written);
                Ok(())
            }
            Err(error) => {
                disk.compacted = disk.log.length.div_ceil(GROWTH / 2);
                Err(error)
            }
        }
    }
}
