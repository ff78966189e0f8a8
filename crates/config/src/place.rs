use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

/// Where in a configuration something stands.
///
/// Two places are always equal: where a thing is written is no part of what it means, and a service is not "changed"
/// because a comment was put above it.
#[derive(Clone, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<Path>,
    /// Line, from 1; 0 if the thing was not written anywhere.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Bytes of the file's text.
    pub span: Range<usize>,
}

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The text of one configuration file, kept to show the lines that mistakes are in.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file's path as it was given.
    pub path: Arc<Path>,
    /// Its text.
    pub text: Arc<str>,
}

impl Source {
    /// A source under this path.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<Arc<str>>) -> Self {
        Self { path: path.into().into(), text: text.into() }
    }

    /// The place of these bytes. A range past the end is cut.
    pub fn place(&self, span: Range<usize>) -> Place {
        let floor = |mut at: usize| {
            at = at.min(self.text.len());
            while !self.text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let (start, end) = (floor(span.start), floor(span.end.max(span.start)));
        let before = &self.text[..start];
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        Place { file: self.path.clone(), line: line as u32, column: column as u32, span: start..end }
    }
}

/// All files that made up one configuration.
#[derive(Debug, Clone, Default)]
pub struct Sources(Vec<Source>);

impl Sources {
    /// Adds a file.
    pub fn push(&mut self, source: Source) {
        self.0.push(source);
    }

    /// The file a place is in.
    pub fn of(&self, place: &Place) -> Option<&Source> {
        self.0.iter().find(|s| s.path == place.file)
    }

    /// All files, in the order they were read.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.0.iter()
    }
}

impl Default for Place {
    /// Nowhere: the thing was not written in a file.
    fn default() -> Self {
        // One for all: each service has rules that nobody wrote.
        static NONE: LazyLock<Arc<Path>> = LazyLock::new(|| Path::new("").into());
        Place { file: NONE.clone(), line: 0, column: 0, span: 0..0 }
    }
}
