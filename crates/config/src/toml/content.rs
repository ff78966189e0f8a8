//! `when = "content matches 'ERROR'"`, and which lines of a file no rule is to see.

use ::toml::de::DeValue;
use hinoban_reading::metrics;

use super::reader::{Fields, Item, Reader};
use crate::{Condition, Ignore, Kind, Pattern, Service, units};

/// How a file of patterns is named.
const FROM: &str = "patterns in ";

/// The longest line that can be asked for.
const MOST: u64 = 1 << 20;

impl Reader<'_> {
    /// What stands behind `content matches`: a pattern, or where there are some. The number of the rule is given to it when
    /// all are known.
    pub(super) fn content(
        &mut self,
        item: &Item<'_>,
        text: &str,
        written: &str,
        fails_on_match: bool,
        kind: Option<&Kind>,
    ) -> Option<Condition> {
        let pattern = match written.strip_prefix(FROM) {
            Some(path) => {
                let path = path.trim().trim_matches(['\'', '"']);
                self.patterns_in(item, path)
            }
            None => self.expression(item, text, written),
        };
        // What a program prints has a name of its own.
        let metric = match kind {
            Some(Kind::Program { .. }) => metrics::OUTPUT.name.into_owned(),
            _ => String::new(),
        };
        Some(Condition::Content { metric, pattern: pattern?, fails_on_match })
    }

    /// A file that holds a pattern in each line; one of them is enough.
    fn patterns_in(&mut self, item: &Item<'_>, path: &str) -> Option<Pattern> {
        self.whole_path(item, path)?;
        let path = self.resolved(item, path)?;
        let lines = match self.around.read(&path) {
            Ok(lines) => lines,
            Err(error) => {
                let message = format!("cannot read the patterns in {}: {error}", path.display());
                self.error(item.span.clone(), message, "write a regular expression into each of its lines");
                return None;
            }
        };
        match Pattern::any(&lines, &path.display().to_string()) {
            Ok(pattern) => Some(pattern),
            Err((0, why)) => {
                let message = format!("{}: {why}", path.display());
                self.error(item.span.clone(), message, "write a regular expression into each of its lines");
                None
            }
            Err((line, why)) => {
                let message = format!("line {line} of {} is no pattern: {why}", path.display());
                let help = "patterns are regular expressions; `\\` before a sign takes its meaning away";
                self.error(item.span.clone(), message, help);
                None
            }
        }
    }

    /// `ignore` and `line-limit` of a file.
    pub(super) fn lines(&mut self, fields: &mut Fields<'_>, service: &mut Service, kind: Option<&Kind>) {
        let (ignore, limit) = (fields.take("ignore"), fields.take("line-limit"));
        for item in [&ignore, &limit].into_iter().flatten() {
            if kind.is_some_and(|kind| !matches!(kind, Kind::File { .. })) {
                let message = format!("`{}` is about the lines of a file", item.key);
                self.error(
                    item.span.clone(),
                    message,
                    "take it out; it goes with file = \"/var/log/app.log\"",
                );
                return;
            }
        }
        if let Some(list) = ignore {
            for item in list.list() {
                service.ignore.extend(self.left_out(&item));
            }
        }
        if let Some(item) = limit
            && let Some(text) = self.text(&item, "a size", "\"64 KiB\"")
        {
            match units::size(text) {
                Ok(bytes @ 2..=MOST) => service.buffer = bytes as u32,
                Ok(_) => {
                    let help =
                        "it may be from 2 B to 1 MiB; a line is held in memory, and what is told of many";
                    self.error(item.span, format!("`line-limit` cannot be {text}"), help);
                }
                Err(e) => {
                    let help = "write a size such as \"64 KiB\"";
                    self.error(item.span, format!("\"{text}\" is no size: {e}"), help);
                }
            }
        }
    }

    /// One pattern of lines to be left out: a text, or a table with `not` or `file`.
    fn left_out(&mut self, item: &Item<'_>) -> Option<Ignore> {
        const FORM: &str = "write ignore = [\"DEBUG\"], ignore = [{ not = \"app[0-9]\" }] or ignore = [{ file = \"/etc/app.ignore\" }]";
        let DeValue::Table(table) = item.value else {
            let text = self.text(item, "patterns of lines", "[\"DEBUG\"]")?;
            return Some(Ignore { pattern: self.regex(item, text)?, on_match: true });
        };
        let mut fields = Fields::new("this entry of `ignore`", table, item.span.clone());
        let given: Vec<Item<'_>> =
            ["not", "file", "not-file"].into_iter().filter_map(|key| fields.take(key)).collect();
        self.close(fields);
        let [what] = &given[..] else {
            self.error(item.span.clone(), "this does not say which lines are to be left out", FORM);
            return None;
        };
        let text = self.text(what, "a text", "\"DEBUG\"")?;
        let pattern = if what.key == "not" { self.regex(what, text)? } else { self.patterns_in(what, text)? };
        Some(Ignore { pattern, on_match: what.key == "file" })
    }
}

/// Gives each rule about the content of a file the name of its reading.
pub(super) fn number(service: &mut Service) {
    let mut n = 0;
    for rule in &mut service.rules {
        if let Condition::Content { metric, .. } = &mut rule.when
            && metric.is_empty()
        {
            n += 1;
            *metric = format!("content.{n}");
        }
    }
}
