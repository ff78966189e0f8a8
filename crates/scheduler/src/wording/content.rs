//! What is said of lines that were written into a file, and of what a program printed.

use hinoban_config::Dialect;

use crate::content::is_output;

/// What was found, to be told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Content<'a> {
    pub(crate) metric: &'a str,
    /// As people are shown it.
    pub(crate) pattern: &'a str,
    pub(crate) fails_on_match: bool,
    /// Lines, each with its end; or an output.
    pub(crate) text: &'a str,
}

/// What stands behind lines of which there were more.
const MORE: &str = "...";

/// What such a rule is about, in a word.
pub(crate) fn about_content(metric: &str) -> &'static str {
    if is_output(metric) { "output" } else { "content" }
}

/// What was found, or that nothing was: under a control file in Monit's words, seen of its log.
pub(crate) fn content(found: Content<'_>, failed: bool, dialect: Dialect) -> String {
    let output = is_output(found.metric);
    let text = found.text.trim_end();
    match (dialect, output) {
        (Dialect::Monit, true) => {
            let verb = if failed { "match" } else { "doesn't match" };
            format!("content {verb} on program output:\n{text}\n")
        }
        (Dialect::Monit, false) if failed => format!("content match:\n{}", found.text),
        (Dialect::Monit, false) => "content doesn't match".to_owned(),
        (Dialect::Toml, true) => found.of_output(text, failed),
        (Dialect::Toml, false) => found.of_lines(text, failed),
    }
}

impl Content<'_> {
    fn of_output(&self, text: &str, failed: bool) -> String {
        let verb = if failed == self.fails_on_match { "matches" } else { "does not match" };
        let said = format!("output {verb} {}", self.pattern);
        match (failed, text.is_empty(), text.contains('\n')) {
            (false, ..) => said,
            (true, true, _) => format!("{said}: there is none"),
            (true, false, false) => format!("{said}: {text}"),
            (true, false, true) => format!("{said}:\n{text}"),
        }
    }

    fn of_lines(&self, text: &str, failed: bool) -> String {
        let Self { pattern, fails_on_match, .. } = self;
        if !failed {
            return match fails_on_match {
                true => format!("no new line matches {pattern}"),
                false => format!("each new line matches {pattern}"),
            };
        }
        let lines = text.lines().count();
        let [one, many] = match fails_on_match {
            true => ["matches", "match"],
            false => ["does not match", "do not match"],
        };
        match lines {
            0 | 1 => format!("a line {one} {pattern}: {text}"),
            _ if text.ends_with(&format!("\n{MORE}")) => {
                format!("more than {} {many} {pattern}:\n{text}", amount(lines - 1))
            }
            _ => format!("{} {many} {pattern}:\n{text}", amount(lines)),
        }
    }
}

fn amount(lines: usize) -> String {
    if lines == 1 { "one line".to_owned() } else { format!("{lines} lines") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(dialect: Dialect, metric: &str, fails_on_match: bool, text: &str, failed: bool) -> String {
        content(Content { metric, pattern: "'ERROR'", fails_on_match, text }, failed, dialect)
    }

    /// Seen of Monit 5.33: its log while a log is written to, and of a program that prints two lines.
    #[test]
    fn content_is_told_as_monit_tells_it() {
        let says = |metric, text, failed| says(Dialect::Monit, metric, true, text, failed);
        assert_eq!(says("content.1", "new ERROR one\n", true), "content match:\nnew ERROR one\n");
        assert_eq!(says("content.1", "", false), "content doesn't match");
        assert_eq!(
            says("output", "out ERROR\nline2\n", true),
            "content match on program output:\nout ERROR\nline2\n"
        );
        assert_eq!(says("output", "fine", false), "content doesn't match on program output:\nfine\n");
    }

    #[test]
    fn in_our_own_words_the_pattern_is_named_and_lines_are_counted() {
        let lines = |fails, text, failed| says(Dialect::Toml, "content.2", fails, text, failed);
        assert_eq!(lines(true, "one ERROR\n", true), "a line matches 'ERROR': one ERROR");
        assert_eq!(lines(true, "ERROR a\nERROR b\n", true), "2 lines match 'ERROR':\nERROR a\nERROR b");
        assert_eq!(
            lines(true, "ERROR a\nERROR b\n...\n", true),
            "more than 2 lines match 'ERROR':\nERROR a\nERROR b\n..."
        );
        assert_eq!(lines(false, "fine\n", true), "a line does not match 'ERROR': fine");
        assert_eq!(lines(true, "", false), "no new line matches 'ERROR'");
        let output = |fails, text, failed| says(Dialect::Toml, "output", fails, text, failed);
        assert_eq!(output(true, "ERROR\n", true), "output matches 'ERROR': ERROR");
        assert_eq!(output(false, "", true), "output does not match 'ERROR': there is none");
        assert_eq!(output(true, "fine", false), "output does not match 'ERROR'");
    }
}
