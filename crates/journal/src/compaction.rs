use std::io;
use std::path::PathBuf;

use crate::State;
use crate::file::{LogFile, write_beside};

/// A shorter log to be written, away from whoever appends.
///
/// [`run`](Self::run) writes and waits for the disk: call it where that delays nothing (a blocking thread), then hand
/// the result to [`Journal::adopt`](crate::Journal::adopt). The journal takes entries all the while.
#[derive(Debug)]
pub struct Compaction {
    path: PathBuf,
    state: State,
}

/// A shorter log that was written, ready to take the place of the long one.
#[derive(Debug)]
pub struct Compacted {
    pub(crate) beside: PathBuf,
    pub(crate) log: LogFile,
}

impl Compaction {
    pub(crate) fn new(path: PathBuf, state: State) -> Self {
        Self { path, state }
    }

    /// Writes the shorter log beside the long one, and down to the disk.
    ///
    /// # Errors
    /// If it cannot be written; nothing is lost then, the long log goes on.
    pub fn run(self) -> io::Result<Compacted> {
        let (beside, log) = write_beside(&self.path, self.state.entries())?;
        Ok(Compacted { beside, log })
    }
}
