//! A log file.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::lane::Sink;
use super::{Line, MORE, plain};
use crate::local::Clock;

/// Appends lines; one write(2) each, so that other programs may append to the same file.
pub(super) struct File {
    path: PathBuf,
    open: Option<fs::File>,
    /// The second in which it was last seen that the file is still the one of that name.
    seen: i64,
    local: Clock,
}

impl File {
    pub(super) fn new(path: PathBuf, local: Clock) -> Self {
        Self { path, open: None, seen: 0, local }
    }

    /// Looks, once a second, whether the file was renamed or removed. If a new one cannot be opened, the old one goes
    /// on taking lines: better there than nowhere.
    fn follow(&mut self, second: i64) {
        let Some(open) = &self.open else { return };
        if self.seen == second {
            return;
        }
        self.seen = second;
        let id = |meta: io::Result<fs::Metadata>| meta.map(|m| (m.dev(), m.ino())).ok();
        if id(fs::metadata(&self.path)) != id(open.metadata()) {
            self.reopen();
        }
    }
}

impl Sink for File {
    fn put(&mut self, line: &Line) -> io::Result<()> {
        self.follow(line.at.secs());
        if self.open.is_none() {
            self.open = Some(open(&self.path)?);
        }
        let Some(file) = &mut self.open else { return Ok(()) };
        let stamp = (self.local)().iso(line.at);
        let text = format!("[{stamp}] {:<8} : {}\n", line.level, plain(&line.text, Some(MORE)));
        file.write_all(text.as_bytes())
    }

    fn reopen(&mut self) {
        if let Ok(file) = open(&self.path) {
            self.open = Some(file);
        }
    }

    fn name(&self) -> String {
        format!("the log file {}", self.path.display())
    }
}

fn open(path: &PathBuf) -> io::Result<fs::File> {
    fs::OpenOptions::new().append(true).create(true).open(path)
}
