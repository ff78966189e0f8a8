//! Walking through parsed TOML, and noting what is wrong with it.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};

use super::{mask, mend};
use crate::{
    Dialect, Limits, Loaded, Mistake, Mistakes, OnReboot, Patience, Place, Severity, Source, Sources,
    Surroundings, spelling,
};

/// Settings that are no tables, and so belong to the table before them if they are written at the end of a file.
const AT_THE_TOP: [&str; 7] =
    ["every", "start-delay", "foreground", "budget", "history", "on-reboot", "batch"];

/// One value with the key it was found under.
#[derive(Debug, Clone)]
pub(super) struct Item<'d> {
    pub(super) key: &'d str,
    /// Of the value.
    pub(super) span: Range<usize>,
    pub(super) value: &'d DeValue<'d>,
}

impl<'d> Item<'d> {
    /// The elements of a list; a value that is no list stands for a list of itself.
    pub(super) fn list(&self) -> Vec<Item<'d>> {
        match self.value {
            DeValue::Array(list) => {
                list.iter().map(|v| Item { key: self.key, span: v.span(), value: v.get_ref() }).collect()
            }
            _ => vec![self.clone()],
        }
    }
}

/// A table that remembers which keys were asked for: whatever else is in it is not known.
#[derive(Debug)]
pub(super) struct Fields<'d> {
    /// How the table is called in messages, such as `[mail]`.
    pub(super) what: String,
    pub(super) span: Range<usize>,
    table: &'d DeTable<'d>,
    asked: Vec<&'static str>,
    /// What to add for somebody who wrote an unknown key.
    pub(super) hint: &'static str,
}

impl<'d> Fields<'d> {
    pub(super) fn new(what: impl Into<String>, table: &'d DeTable<'d>, span: Range<usize>) -> Self {
        Self { what: what.into(), span, table, asked: Vec::new(), hint: "" }
    }

    /// The value under this key.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Item<'d>> {
        self.asked.push(key);
        self.table.get(key).map(|v| Item { key, span: v.span(), value: v.get_ref() })
    }

    /// The table itself, for a look that asks for nothing.
    pub(super) fn table(&self) -> &'d DeTable<'d> {
        self.table
    }

    /// All entries in the order written, with the span of each key.
    pub(super) fn entries(&self) -> Vec<(Range<usize>, Item<'d>)> {
        entries(self.table)
    }
}

pub(super) fn entries<'d>(table: &'d DeTable<'d>) -> Vec<(Range<usize>, Item<'d>)> {
    let item = |v: &'d Spanned<DeValue<'d>>, key| Item { key, span: v.span(), value: v.get_ref() };
    let mut all: Vec<_> = table.iter().map(|(k, v)| (k.span(), item(v, k.get_ref().as_ref()))).collect();
    all.sort_by_key(|(span, _)| span.start);
    all
}

/// What loading one file needs everywhere.
pub(super) struct Reader<'a> {
    pub(super) around: &'a dyn Surroundings,
    source: Source,
    /// Where each line begins.
    lines: Vec<usize>,
    /// Relative paths are taken from here.
    pub(super) folder: PathBuf,
    mistakes: Vec<Mistake>,
    /// Lines that are no TOML: what their remains seem to say is not judged.
    broken: BTreeSet<u32>,
    /// Those of them about which something was said.
    spoken: BTreeSet<u32>,
    /// What must not be shown, beside what [`mask`] finds by itself.
    hidden: Vec<Range<usize>>,
    /// See [`mend`].
    inserted: Vec<usize>,
    /// Time between looks of all, and of the service that is being read; `None`: it is the calendar's.
    pub(super) every: Duration,
    pub(super) period: Option<Duration>,
    /// What is said of the patience with all services; `None`: there is none.
    pub(super) patience: Option<Patience>,
    /// What holds where nothing else is said.
    pub(super) defaults: Limits,
    pub(super) on_reboot: OnReboot,
}

impl<'a> Reader<'a> {
    pub(super) fn new(path: &Path, text: &str, around: &'a dyn Surroundings) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self {
            around,
            source: Source::new(path, text),
            lines,
            folder: path.parent().unwrap_or(Path::new("")).to_owned(),
            mistakes: Vec::new(),
            broken: BTreeSet::new(),
            spoken: BTreeSet::new(),
            hidden: Vec::new(),
            inserted: Vec::new(),
            every: Duration::from_secs(30),
            period: None,
            patience: Some(Patience::default()),
            defaults: Limits::of(Dialect::Toml),
            on_reboot: OnReboot::default(),
        }
    }

    pub(super) fn place(&self, span: Range<usize>) -> Place {
        self.place_in_text(self.original(span))
    }

    /// Tells that what is parsed is not the text itself: bytes were inserted there.
    pub(super) fn set_inserted(&mut self, inserted: Vec<usize>) {
        self.inserted = inserted;
    }

    /// A span of what is parsed as a span of the text.
    pub(super) fn original(&self, span: Range<usize>) -> Range<usize> {
        mend::original(&self.inserted, span.start)..mend::original(&self.inserted, span.end)
    }

    fn place_in_text(&self, span: Range<usize>) -> Place {
        let text = &self.source.text;
        let start = text.floor_char_boundary(span.start);
        let end = text.floor_char_boundary(span.end.max(start));
        let line = self.lines.partition_point(|begin| *begin <= start);
        let column = text[self.lines[line - 1]..start].chars().count() + 1;
        Place { file: self.source.path.clone(), line: line as u32, column: column as u32, span: start..end }
    }

    /// What is written there.
    pub(super) fn written(&self, span: Range<usize>) -> &str {
        self.source.text.get(self.original(span)).unwrap_or("")
    }

    /// The whole text.
    pub(super) fn all(&self) -> &str {
        &self.source.text
    }

    /// The line in which this byte is.
    pub(super) fn line_of(&self, at: usize) -> &str {
        let line = self.lines.partition_point(|begin| *begin <= at);
        self.source.text[self.lines[line - 1]..].lines().next().unwrap_or("")
    }

    /// Judges nothing from the line after this byte to the next table.
    pub(super) fn skip_block(&mut self, at: usize) {
        let line = self.lines.partition_point(|begin| *begin <= at);
        let block = self.lines[line..].iter().map(|begin| &self.source.text[*begin..]);
        let length = block.take_while(|text| !text.trim_start_matches([' ', '\t']).starts_with('[')).count();
        self.broken.extend((line + 1..line + 1 + length).map(|n| n as u32));
    }

    /// The bytes of `part`, a slice of the text `whole` that `item` holds; all of the value if it is written with
    /// escapes.
    pub(super) fn part(&self, item: &Item<'_>, whole: &str, part: &str) -> Range<usize> {
        let begin = item.span.start + 1;
        let at = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        if at <= whole.len() && !part.is_empty() && self.written(begin..begin + whole.len()) == whole {
            begin + at..begin + at + part.len()
        } else {
            item.span.clone()
        }
    }

    pub(super) fn error(&mut self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        let place = self.place(span);
        self.note(Mistake::error(place, message).help(help));
    }

    pub(super) fn warning(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let place = self.place(span);
        self.note(Mistake::warning(place, message).help(help));
    }

    /// Something that must be there is not. Not said of a file that is no TOML: it may well be there.
    pub(super) fn missing(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if self.broken.is_empty() {
            self.error(span, message, help);
        }
    }

    /// A mistake in the TOML itself, at these bytes of the text.
    pub(super) fn syntax(&mut self, span: Range<usize>, message: String, help: Option<String>) {
        let place = self.place_in_text(span);
        self.broken.insert(place.line);
        // What follows on the same line is mostly an echo of the first.
        if self.spoken.insert(place.line) {
            self.mistakes.push(Mistake { help, ..Mistake::error(place, message) });
        }
    }

    /// Keeps a value from being shown.
    pub(super) fn hide(&mut self, item: &Item<'_>) {
        self.hidden.push(self.original(item.span.start + 1..item.span.end - 1));
    }

    pub(super) fn note(&mut self, mistake: Mistake) {
        if !self.broken.contains(&mistake.place.line) {
            self.mistakes.push(mistake);
        }
    }

    /// Ends reading: the configuration if it can be used, all mistakes if not.
    pub(super) fn finish(mut self, config: crate::Config) -> Result<Loaded, Mistakes> {
        // What could not be read would only look as if it were missing.
        if self.mistakes.iter().all(|m| m.severity == Severity::Warning) {
            self.mistakes.extend(config.advice());
            self.mistakes.extend(config.unhonoured());
        }
        self.mistakes.sort_by_key(|m| m.place.span.start);
        let mut sources = Sources::default();
        let text = match self.mistakes[..] {
            [] => self.source.text,
            _ => mask::secrets(&mask::spans(&self.source.text, &self.hidden)).into(),
        };
        sources.push(Source { path: self.source.path, text });
        let found = Mistakes { sources, list: self.mistakes };
        if found.fatal() { Err(found) } else { Ok(Loaded { config, warnings: found }) }
    }

    /// Notes each key that nobody asked for.
    pub(super) fn close(&mut self, fields: Fields<'_>) {
        let Fields { what, table, asked, hint, .. } = fields;
        if table.len() <= asked.len() && table.keys().all(|k| asked.contains(&k.get_ref().as_ref())) {
            return;
        }
        for (span, item) in entries(table) {
            if asked.contains(&item.key) {
                continue;
            }
            let wherein =
                if what.is_empty() { "at the top of the file".to_owned() } else { format!("in {what}") };
            let message = format!("`{}` is not known {wherein}", item.key);
            let help = match spelling::nearest(item.key, asked.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if !what.is_empty() && AT_THE_TOP.contains(&item.key) => {
                    format!("`{}` stands at the top of the file, above the first [table]", item.key)
                }
                None => format!("known here: {}{hint}", listed(&asked)),
            };
            self.error(span, message, help);
        }
    }
}

/// `a`, `b` or `c`.
pub(super) fn listed(words: &[&str]) -> String {
    let mut unique: Vec<&str> = Vec::new();
    for word in words {
        if !unique.contains(word) {
            unique.push(word);
        }
    }
    match unique.split_last() {
        Some((last, [])) => format!("`{last}`"),
        Some((last, before)) => format!("`{}` or `{last}`", before.join("`, `")),
        None => "nothing".to_owned(),
    }
}

pub(super) fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(true) => "true",
        DeValue::Boolean(false) => "false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
