//! Comments of a control file, by the statements that they belong to. A comment is what stands between two tokens: the lexer
//! passes over it, and this reads the file once more.

mod gather;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use hinoban_config::Place;

use crate::keyword::Keyword;

/// The comments, by statement.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// In the order in which the statements are read.
    statements: Vec<Statement>,
    /// Which of them are no part of a service, and where each service begins.
    settings: Vec<usize>,
    services: Vec<usize>,
    /// Which one begins where.
    starts: BTreeMap<(Arc<Path>, usize), usize>,
    /// What stands at the top of the first file, apart from its first statement.
    pub(super) head: Vec<String>,
    /// What stands at the end of each service.
    tails: Vec<Vec<String>>,
    /// What stands at the end.
    foot: Vec<String>,
    /// The files, in the order in which they were opened.
    pub(super) files: Vec<String>,
    /// Users as they are called, by id, and groups.
    users: HashMap<u32, String>,
    groups: HashMap<u32, String>,
}

/// A statement: where it ends, and what is said about it.
#[derive(Debug)]
struct Statement {
    end: usize,
    what: What,
    note: Note,
    taken: bool,
}

/// What a statement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// `set KEYWORD`
    Setting(Keyword),
    /// A further server of `set mailserver`, on a line of its own.
    Server,
    /// An option of `set httpd`, on a line of its own.
    Httpd(Keyword),
    /// `check`: the n-th service.
    Check(usize),
    /// An option or a rule of the n-th service.
    Option(usize, Keyword),
}

/// Comments on one thing.
#[derive(Debug, Clone, Default)]
pub(super) struct Note {
    /// Lines above it; an empty one is an empty line.
    pub(super) above: Vec<String>,
    /// What stands behind it.
    pub(super) beside: Vec<String>,
}

impl Notes {
    /// What is said about the settings that this finds, once.
    pub(super) fn take_settings(&mut self, wanted: impl Fn(What) -> bool) -> Note {
        let mut note = Note::default();
        for at in &self.settings {
            note = note.and(self.statements[*at].take(&wanted));
        }
        note
    }

    /// What is said about the next setting of this kind, once.
    pub(super) fn take_next(&mut self, what: What) -> Note {
        let next = |at: &&usize| !self.statements[**at].taken && self.statements[**at].what == what;
        let found = self.settings.iter().find(next).copied();
        found.map(|at| self.statements[at].take(|_| true)).unwrap_or_default()
    }

    /// What is said about the statements of a service that this finds, once.
    pub(super) fn take_in(&mut self, service: usize, wanted: impl Fn(What) -> bool) -> Note {
        let mut note = Note::default();
        let Some(from) = self.services.get(service) else { return note };
        let to = self.services.get(service + 1).copied().unwrap_or(self.statements.len());
        for statement in &mut self.statements[*from..to] {
            note = note.and(statement.take(|what| what.service() == Some(service) && wanted(what)));
        }
        note
    }

    /// What is said about the statement in which this stands, once.
    pub(super) fn take_at(&mut self, place: &Place) -> Note {
        let until = (place.file.clone(), place.span.start);
        let found = self.starts.range(..=until).next_back().filter(|((file, _), _)| *file == place.file);
        let Some(statement) = found.and_then(|(_, at)| self.statements.get_mut(*at)) else {
            return Note::default();
        };
        match place.span.start < statement.end {
            true => statement.take(|_| true),
            false => Note::default(),
        }
    }

    /// What is left of a service, for its end.
    pub(super) fn rest_of(&mut self, service: usize) -> Vec<String> {
        let mut rest = self.take_in(service, |_| true);
        rest.above.append(&mut rest.beside);
        if let Some(tail) = self.tails.get_mut(service) {
            let tail = std::mem::take(tail);
            paragraph(&mut rest.above, tail.into_iter());
        }
        rest.above
    }

    /// What is left, for the end of it all.
    pub(super) fn rest(&mut self) -> Vec<String> {
        let mut rest = Note::default();
        for statement in &mut self.statements {
            rest = rest.and(statement.take(|_| true));
        }
        rest.above.append(&mut rest.beside);
        let foot = std::mem::take(&mut self.foot);
        paragraph(&mut rest.above, foot.into_iter());
        rest.above
    }

    /// The user of this id as the file calls him.
    pub(super) fn user(&self, id: u32) -> String {
        self.users.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    /// The same of a group.
    pub(super) fn group(&self, id: u32) -> String {
        self.groups.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }
}

impl What {
    fn service(self) -> Option<usize> {
        match self {
            What::Check(service) | What::Option(service, _) => Some(service),
            What::Setting(_) | What::Server | What::Httpd(_) => None,
        }
    }
}

impl Note {
    /// Both, the other behind this.
    pub(super) fn and(mut self, other: Note) -> Self {
        self.above.extend(other.above);
        self.beside.extend(other.beside);
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.above.is_empty() && self.beside.is_empty()
    }
}

impl Statement {
    /// What is said about it, if it is wanted, once.
    fn take(&mut self, wanted: impl Fn(What) -> bool) -> Note {
        if self.taken || !wanted(self.what) {
            return Note::default();
        }
        self.taken = true;
        std::mem::take(&mut self.note)
    }
}

/// Adds lines behind an empty one.
fn paragraph(to: &mut Vec<String>, lines: impl Iterator<Item = String>) {
    let mut lines = lines.peekable();
    if lines.peek().is_some() && to.last().is_some_and(|last| !last.is_empty()) {
        to.push(String::new());
    }
    to.extend(lines);
}
