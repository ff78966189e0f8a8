//! The file of the history: private, never longer than its room, put aside when it is not ours or damaged.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Bound;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use redb::backends::FileBackend;
use redb::{BackendError, Builder, Database, DatabaseError, StorageBackend, StorageError};

use crate::recovery::second_name;

/// Memory for pages while the file is open.
const CACHE: usize = 512 * 1024;

/// How long the lock of a supervisor that was killed may outlive it.
const DYING: Duration = Duration::from_secs(1);

/// How often it is tried in that time.
const AGAIN: Duration = Duration::from_millis(20);

/// Only its owner reads it: names of services and what their programs say stand in it.
const MODE: u32 = 0o600;

/// Why the history could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// The system refused: the disk is full, or worse.
    #[error("{0}")]
    Disk(String),
    /// There is no more room in the file as it is arranged.
    #[error("it cannot be made to fit its room, and begins anew")]
    Full,
    /// What stands in it was not written by us, or not so.
    #[error("{0}")]
    Damaged(String),
}

/// Opens the file, making it if there is none.
pub(super) fn open(path: &Path, room: u64) -> Result<Database, Trouble> {
    // Before it is opened: opening a pipe waits, and a device must never be written to.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(Trouble::Disk("it is not a regular file".to_owned()));
    }
    let disk = |why: io::Error| Trouble::Disk(why.to_string());
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(MODE);
    let file = options.open(path).map_err(disk)?;
    let length = file.metadata().map_err(disk)?.len();
    // What somebody has made larger than we would is read all the same.
    let room = room.max(length);
    let begin = |file: File| {
        let backend = Capped { file: FileBackend::new(file)?, room };
        Builder::new().set_cache_size(CACHE).create_with_backend(backend)
    };
    // The threads of a supervisor that was killed hold its lock for a moment longer. Nobody sends on this channel: it is
    // a wait.
    let (_keep, nobody) = std::sync::mpsc::channel::<()>();
    for _ in 0..DYING.as_millis() / AGAIN.as_millis() {
        match guarded(|| Ok(begin(file.try_clone().map_err(disk)?))) {
            Ok(Err(DatabaseError::DatabaseAlreadyOpen)) => drop(nobody.recv_timeout(AGAIN)),
            Ok(result) => return Ok(result?),
            Err(damaged) => return Err(damaged),
        }
    }
    guarded(|| Ok(begin(file)?))
}

/// Does something with the database. What panics over bytes that it does not understand is damage.
pub(super) fn guarded<T>(act: impl FnOnce() -> Result<T, Trouble>) -> Result<T, Trouble> {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        // What an invariant of the library says is no word for people.
        let text = text.filter(|text| {
            !text.contains("internal error") && !text.contains("unreachable") && !text.contains("unwrap")
        });
        Err(Trouble::Damaged(text.unwrap_or_else(|| "its content is damaged".to_owned())))
    })
}

/// Puts what is no history of ours aside, so that one can begin. Gives a sentence about it for people.
pub(super) fn set_aside(path: &Path, why: &str) -> Result<String, Trouble> {
    let aside = second_name(path, ".damaged", "-1").map_err(|why| Trouble::Disk(why.to_string()))?;
    std::fs::remove_file(path)
        .or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
        .map_err(|why| Trouble::Disk(why.to_string()))?;
    Ok(format!(
        "history {}: it cannot be read ({why}); it is kept as {}, and a new one begins",
        path.display(),
        aside.display()
    ))
}

/// Whether a history of this name was put aside before.
pub(super) fn had_another(path: &Path) -> bool {
    let Some(name) = path.file_name() else { return false };
    let start = format!("{}.damaged", name.to_string_lossy());
    let files = path.parent().and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten();
    files.flatten().any(|file| file.file_name().to_string_lossy().starts_with(&start))
}

/// A file that does not grow over its room.
#[derive(Debug)]
struct Capped {
    file: FileBackend,
    room: u64,
}

impl StorageBackend for Capped {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if len > self.room {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

impl From<StorageError> for Trouble {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Io(why) if why.kind() == io::ErrorKind::QuotaExceeded => Trouble::Full,
            // What is no file of this kind, or a part of one.
            StorageError::Io(why)
                if matches!(why.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
            {
                Trouble::Damaged(why.to_string())
            }
            StorageError::Corrupted(why) => Trouble::Damaged(why),
            other => Trouble::Disk(other.to_string()),
        }
    }
}

impl From<DatabaseError> for Trouble {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Storage(storage) => storage.into(),
            DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
                Trouble::Disk("another program has it open; give this one a state file of its own".to_owned())
            }
            other => Trouble::Damaged(other.to_string()),
        }
    }
}

impl From<redb::TransactionError> for Trouble {
    fn from(error: redb::TransactionError) -> Self {
        match error {
            redb::TransactionError::Storage(storage) => storage.into(),
            other => Trouble::Disk(other.to_string()),
        }
    }
}

impl From<redb::TableError> for Trouble {
    fn from(error: redb::TableError) -> Self {
        match error {
            redb::TableError::Storage(storage) => storage.into(),
            other => Trouble::Damaged(other.to_string()),
        }
    }
}

impl From<redb::CommitError> for Trouble {
    fn from(error: redb::CommitError) -> Self {
        match error {
            redb::CommitError::Storage(storage) => storage.into(),
            other => Trouble::Disk(other.to_string()),
        }
    }
}

impl From<redb::CompactionError> for Trouble {
    fn from(error: redb::CompactionError) -> Self {
        match error {
            redb::CompactionError::Storage(storage) => storage.into(),
            other => Trouble::Disk(other.to_string()),
        }
    }
}
