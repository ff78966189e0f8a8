//! Which lines count, and what is kept of them.

use std::fmt;
use std::sync::Arc;

/// Says of a line, without its end, whether it matches. What is no UTF-8 in it is shown as U+FFFD.
pub type LineTest = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// The longest line that is looked at whole, whatever is asked for: 1 MiB.
const LONGEST: usize = 1 << 20;

/// What is looked for in the lines of a file: rules, and lines that no rule is to see.
#[derive(Clone)]
pub struct Content {
    rules: Vec<LineTest>,
    ignored: Vec<LineTest>,
    buffer: usize,
}

impl Content {
    /// Nothing is looked for yet. A line is looked at as far as it fits into `buffer` bytes together with its end, and what
    /// is kept of the lines that count for one rule is no longer than that by more than its last line.
    pub fn new(buffer: u32) -> Self {
        let buffer = usize::try_from(buffer).unwrap_or(LONGEST).clamp(2, LONGEST);
        Self { rules: Vec::new(), ignored: Vec::new(), buffer }
    }

    /// One more rule: its reading holds the lines for which `test` is true.
    pub fn rule(mut self, test: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.rules.push(Arc::new(test));
        self
    }

    /// No rule sees the lines for which `test` is true.
    pub fn ignore(mut self, test: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.ignored.push(Arc::new(test));
        self
    }

    /// How many rules there are.
    pub(super) fn rules(&self) -> usize {
        self.rules.len()
    }

    /// So much of a line is looked at.
    pub(super) fn longest(&self) -> usize {
        self.buffer - 1
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content")
            .field("rules", &self.rules.len())
            .field("ignored", &self.ignored.len())
            .field("buffer", &self.buffer)
            .finish()
    }
}

/// The lines that count, a text for each rule: each line with its end, and `...` behind them if there were more.
#[derive(Debug)]
pub(super) struct Catch<'c> {
    content: &'c Content,
    pub(super) hits: Vec<String>,
}

impl<'c> Catch<'c> {
    pub(super) fn new(content: &'c Content) -> Self {
        Self { content, hits: vec![String::new(); content.rules.len()] }
    }

    /// So much of a line is looked at.
    pub(super) fn longest(&self) -> usize {
        self.content.longest()
    }

    /// Takes in one line, without its end.
    pub(super) fn line(&mut self, line: &[u8]) {
        // Where a file was cut that somebody goes on writing to, it has a hole, which reads as zeros.
        let begin = line.iter().position(|byte| *byte != 0).unwrap_or(line.len());
        let line = &line[begin..];
        let text = String::from_utf8_lossy(&line[..line.len().min(self.content.longest())]);
        if self.content.ignored.iter().any(|test| test(&text)) {
            return;
        }
        for (test, hits) in self.content.rules.iter().zip(&mut self.hits) {
            if !test(&text) || hits.len() >= self.content.buffer {
                continue;
            }
            match text.contains('\0') {
                true => hits.push_str(&text.replace('\0', "\u{fffd}")),
                false => hits.push_str(&text),
            }
            hits.push('\n');
            if hits.len() >= self.content.buffer {
                hits.push_str("...\n");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caught(content: &Content, lines: &[&[u8]]) -> Vec<String> {
        let mut catch = Catch::new(content);
        lines.iter().for_each(|line| catch.line(line));
        catch.hits
    }

    #[test]
    fn what_is_ignored_is_seen_by_no_rule() {
        let content = Content::new(512)
            .ignore(|line| line.contains("DEBUG"))
            .rule(|line| line.contains("ERROR"))
            .rule(|line| !line.contains("ok"));
        let lines: [&[u8]; 4] = [b"ok ERROR 1", b"DEBUG ERROR 2", b"ok", b"fine"];
        assert_eq!(caught(&content, &lines), ["ok ERROR 1\n", "fine\n"]);
    }

    /// As Monit 5.33 tells of 27 bytes a line with a buffer of 64: three of them, and that there are more.
    #[test]
    fn what_is_kept_ends_with_the_line_that_fills_the_buffer() {
        let content = Content::new(64).rule(|_| true);
        let line: &[u8] = b"ok ERROR number 1 ........";
        let [hits] = &caught(&content, &[line; 8])[..] else { panic!() };
        assert_eq!(hits.lines().count(), 4);
        assert!(hits.ends_with("........\n...\n"), "{hits}");
    }

    #[test]
    fn bytes_that_are_no_text_neither_hide_a_line_nor_break_what_is_told() {
        let content = Content::new(16).rule(|line| line.contains("ERROR"));
        assert_eq!(caught(&content, &[b"\xff ERROR\xfe"]), ["\u{fffd} ERROR\u{fffd}\n"]);
        assert_eq!(caught(&content, &[b"\0\0\0ERROR a\0b"]), ["ERROR a\u{fffd}b\n"]);
        let hole = [&[0; 40][..], b"ERROR"].concat();
        assert_eq!(caught(&content, &[&hole]), ["ERROR\n"], "a hole is no part of the line");
        assert_eq!(caught(&content, &[b"0123456789abcdERROR"]), [""], "behind the fifteenth byte");
        assert_eq!(caught(&content, &[b"0123456789ERROR"]), ["0123456789ERROR\n...\n"]);
    }
}
