//! The text that is being written: tables, keys, and the comments on them.

use std::collections::HashSet;

use super::notes::{Note, Notes};
use super::text;

/// A longer list has a line for each of its elements.
const WIDE: usize = 100;

/// What has been written so far, and the comments that have not.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) out: String,
    pub(super) notes: Notes,
    /// Which services others depend on: see [`super::proof::needed`].
    pub(super) needed: HashSet<String>,
}

impl Sheet {
    pub(super) fn new(notes: Notes, needed: HashSet<String>) -> Self {
        Self { out: String::new(), notes, needed }
    }

    /// An empty line, unless there is one.
    pub(super) fn gap(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// Lines of comments. Where an empty one is, one is written.
    pub(super) fn comments(&mut self, indent: usize, lines: &[String]) {
        for line in lines {
            match line.is_empty() {
                true => self.gap(),
                false => {
                    self.out.push_str(&" ".repeat(indent));
                    self.out.push_str(line);
                    self.out.push('\n');
                }
            }
        }
    }

    /// A line with the comments on it.
    pub(super) fn line(&mut self, indent: usize, mut note: Note, line: &str) {
        // What is behind several lines could not be told from them.
        let beside = match note.beside.len() {
            1 if !line.contains('\n') => note.beside.pop(),
            _ => None,
        };
        note.above.append(&mut note.beside);
        self.comments(indent, &note.above);
        self.out.push_str(&" ".repeat(indent));
        self.out.push_str(line);
        if let Some(beside) = beside {
            self.out.push_str("  ");
            self.out.push_str(&beside);
        }
        self.out.push('\n');
    }

    /// A key and its value.
    pub(super) fn entry(&mut self, indent: usize, note: Note, name: &str, value: &str) {
        self.line(indent, note, &format!("{} = {value}", text::key(name)));
    }

    /// A key and a list, each element with the comments on it; one alone needs no brackets.
    pub(super) fn list(&mut self, indent: usize, name: &str, items: Vec<(Note, String)>) {
        let width: usize = items.iter().map(|(_, item)| item.len() + 2).sum();
        let quiet = items.iter().all(|(note, _)| note.is_empty());
        if items.is_empty() {
            return;
        }
        if items.len() == 1 && !items[0].1.starts_with('{') || quiet && name.len() + width < WIDE {
            let mut note = Note::default();
            let mut values = Vec::new();
            for (of, item) in items {
                note = note.and(of);
                values.push(item);
            }
            let value = match &values[..] {
                [one] if !one.starts_with('{') => one.clone(),
                _ => text::list(&values),
            };
            return self.entry(indent, note, name, &value);
        }
        self.line(indent, Note::default(), &format!("{} = [", text::key(name)));
        for (note, item) in items {
            self.line(indent + 2, note, &format!("{item},"));
        }
        self.line(indent, Note::default(), "]");
    }
}
