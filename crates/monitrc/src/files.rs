//! The files of one run and their line starts, so that a place costs a binary search and not a walk from the top.

use std::cell::Cell;
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hinoban_config::{Place, Source, Sources, Surroundings};

/// The files read so far.
#[derive(Debug)]
pub(crate) struct Files {
    list: Vec<File>,
    by_path: HashMap<PathBuf, u32>,
    /// The place that was asked for last: file, byte, and its column from 0. The next one is rarely before it, and a line may
    /// be as long as its file.
    last: Cell<(u32, usize, usize)>,
}

/// How much of a line around a word is looked at, in bytes.
const AROUND: usize = 256;

#[derive(Debug)]
struct File {
    source: Source,
    /// Byte where each line begins.
    lines: Vec<u32>,
}

impl Files {
    /// The main file, as number 0.
    pub(crate) fn new(path: &Path, text: &str) -> Self {
        let mut files = Self { list: Vec::new(), by_path: HashMap::new(), last: Cell::default() };
        files.add(path, text);
        files
    }

    fn add(&mut self, path: &Path, text: &str) -> u32 {
        let newlines = text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        let lines = std::iter::once(0).chain(newlines.map(|(i, _)| i as u32 + 1)).collect();
        self.list.push(File { source: Source::new(path, text), lines });
        let file = self.list.len() as u32 - 1;
        self.by_path.insert(path.to_owned(), file);
        file
    }

    /// The number of a file that was opened.
    pub(crate) fn find(&self, path: &Path) -> Option<u32> {
        self.by_path.get(path).copied()
    }

    /// Reads a file, or finds it if it was read before.
    pub(crate) fn open(&mut self, path: &Path, around: &dyn Surroundings) -> std::io::Result<u32> {
        match self.find(path) {
            Some(file) => Ok(file),
            None => Ok(self.add(path, &around.text(path)?)),
        }
    }

    /// The text of a file.
    pub(crate) fn text(&self, file: u32) -> Arc<str> {
        self.list[file as usize].source.text.clone()
    }

    /// These bytes of a file; nothing if they are out of it.
    pub(crate) fn slice(&self, file: u32, span: Range<usize>) -> &str {
        self.list[file as usize].source.text.get(span).unwrap_or("")
    }

    /// The line these bytes are in, up to them and from them; of a long one, what is near.
    pub(crate) fn line_around(&self, file: u32, span: Range<usize>) -> (&str, &str) {
        let text = &*self.list[file as usize].source.text;
        let floor =
            |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let before = &text[floor(span.start.saturating_sub(AROUND))..floor(span.start)];
        let after = &text[floor(span.end)..floor(span.end.saturating_add(AROUND))];
        let line = before.rfind('\n').map_or(before, |newline| &before[newline + 1..]);
        (line, after.lines().next().unwrap_or(""))
    }

    /// What follows a byte of a file.
    pub(crate) fn after(&self, file: u32, at: usize) -> &str {
        self.list[file as usize].source.text.get(at..).unwrap_or("")
    }

    /// The place of these bytes.
    pub(crate) fn place(&self, number: u32, span: Range<usize>) -> Place {
        let file = &self.list[number as usize];
        let line = file.lines.partition_point(|start| *start as usize <= span.start);
        let begin = file.lines.get(line.wrapping_sub(1)).map_or(0, |start| *start as usize);
        let (from, passed) = match self.last.get() {
            (last, at, column) if last == number && (begin..=span.start).contains(&at) => (at, column),
            _ => (begin, 0),
        };
        let column = passed + file.source.text.get(from..span.start).unwrap_or("").chars().count();
        self.last.set((number, span.start, column));
        Place { file: file.source.path.clone(), line: line as u32, column: column as u32 + 1, span }
    }

    /// All of them, to show mistakes in.
    pub(crate) fn into_sources(self) -> Sources {
        let mut sources = Sources::default();
        for file in self.list {
            sources.push(file.source);
        }
        sources
    }
}
