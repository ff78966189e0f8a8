//! The journal's file on disk: locked, private, never half a line longer than it should be.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::Entry;

/// Only its owner reads it: commands and mail addresses may stand in it.
const MODE: u32 = 0o600;

/// The open log, holding its lock.
#[derive(Debug)]
pub(crate) struct LogFile {
    file: Arc<File>,
    /// Bytes of whole entries that we wrote or found. Processes that enter themselves add to the file as well.
    pub(crate) length: u64,
    /// Bytes of an entry that failed, at the end of the file.
    dirty: u64,
}

impl LogFile {
    pub(crate) fn new(file: File, length: u64) -> Self {
        Self { file: Arc::new(file), length, dirty: 0 }
    }

    pub(crate) fn file(&self) -> Arc<File> {
        self.file.clone()
    }

    /// Appends whole lines by one write(2); on failure the file is as long as before.
    pub(crate) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        // A line appended to half a line would damage both.
        self.cut()?;
        let written = match (&*self.file).write(lines) {
            Ok(n) if n == lines.len() => {
                self.length += n as u64;
                return Ok(());
            }
            // A regular file takes less than asked only when the disk, the quota or the file size limit is reached.
            Ok(part) => {
                self.dirty = part as u64;
                Err(io::Error::new(io::ErrorKind::StorageFull, "the disk took only a part of the entry"))
            }
            Err(error) => Err(error),
        };
        let _ = self.cut();
        written
    }

    /// Takes away what an entry that failed left behind.
    fn cut(&mut self) -> io::Result<()> {
        if self.dirty > 0 {
            let whole = self.file.metadata()?.len().saturating_sub(self.dirty);
            self.file.set_len(whole)?;
            self.dirty = 0;
        }
        Ok(())
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

/// Opens or creates the log and locks it. `Ok(None)`: another process holds the lock.
pub(crate) fn open_locked(path: &Path) -> io::Result<Option<File>> {
    loop {
        let file = OpenOptions::new().read(true).append(true).create(true).mode(MODE).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
            Err(std::fs::TryLockError::Error(error)) => return Err(error),
        }
        // Between open and lock its owner may have renamed another file into its place: then this lock is on nothing.
        let (held, named) = (file.metadata()?, std::fs::metadata(path));
        if named.is_ok_and(|named| (named.dev(), named.ino()) == (held.dev(), held.ino())) {
            return Ok(Some(file));
        }
    }
}

/// Writes these entries to a new locked file beside `path`, and down to the disk. Not yet under the name `path`.
pub(crate) fn write_beside(
    path: &Path,
    entries: impl Iterator<Item = Entry>,
) -> io::Result<(PathBuf, LogFile)> {
    let beside = with_suffix(path, ".new");
    // Left over from a crash; removed rather than truncated, so that a link of that name is not followed.
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = write_new(&beside, entries);
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    Ok((beside, written?))
}

fn write_new(path: &Path, entries: impl Iterator<Item = Entry>) -> io::Result<LogFile> {
    let mut file = OpenOptions::new().read(true).append(true).create_new(true).mode(MODE).open(path)?;
    // The lock goes with the file through the rename, so that the journal is never without one.
    file.lock()?;
    let mut lines = Vec::new();
    for entry in entries {
        push_line(&mut lines, &entry)?;
    }
    file.write_all(&lines)?;
    file.sync_all()?;
    Ok(LogFile::new(file, lines.len() as u64))
}

/// Puts the file `from` under the name `to`.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)?;
    let folder = match to.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // The new name is kept over a loss of power only if this succeeds; if not, the old log is found, which says the same.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// The entry as one line of the file.
pub(crate) fn push_line(lines: &mut Vec<u8>, entry: &Entry) -> io::Result<()> {
    serde_json::to_writer(&mut *lines, entry)?;
    lines.push(b'\n');
    Ok(())
}

/// `path` with something after its name.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
