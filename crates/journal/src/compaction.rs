use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::file::{LogFile, write_beside};
use crate::{State, recovery};

/// A shorter log to be written, away from whoever appends.
///
/// [`run`](Self::run) writes and waits for the disk: call it where that delays nothing (a blocking thread), then hand
/// the result to [`Journal::adopt`](crate::Journal::adopt). The journal takes entries all the while.
#[derive(Debug)]
pub struct Compaction {
    path: PathBuf,
    state: State,
    /// The long log, which processes enter themselves in.
    long: Arc<File>,
}

/// A shorter log that was written, ready to take the place of the long one.
#[derive(Debug)]
pub struct Compacted {
    pub(crate) beside: PathBuf,
    pub(crate) log: LogFile,
    /// How far the long log was read for processes that had entered themselves.
    pub(crate) read: u64,
}

impl Compaction {
    pub(crate) fn new(path: PathBuf, state: State, long: Arc<File>) -> Self {
        Self { path, state, long }
    }

    /// Writes the shorter log beside the long one, and down to the disk.
    ///
    /// # Errors
    /// If it cannot be written; nothing is lost then, the long log goes on.
    pub fn run(mut self) -> io::Result<Compacted> {
        // One whose exec hangs is known from its own line alone.
        let (spawned, read) = recovery::spawned(&self.long, 0)?;
        spawned.iter().for_each(|entry| self.state.apply(entry));
        let (beside, log) = write_beside(&self.path, self.state.entries())?;
        Ok(Compacted { beside, log, read })
    }
}
