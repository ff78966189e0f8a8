//! Mistakes in the TOML itself, in words for people who do not know its grammar.

use std::ops::Range;

use super::mask;
use super::reader::Reader;

impl Reader<'_> {
    /// Notes what had to be added for the TOML parser to go on, and what it still could not read.
    pub(super) fn no_toml(&mut self, gaps: &[(usize, String)], errors: &[::toml::de::Error]) {
        let shown = mask::secrets(self.all());
        for (at, missing) in gaps {
            let message = format!("a `{missing}` is missing here");
            self.syntax(*at..*at, message, Some(closing(missing).to_owned()));
        }
        for error in errors {
            let span = self.original(error.span().unwrap_or(0..0));
            let (message, help) = self.explained(error.message(), span.clone(), &shown);
            if matches!(error.message().split(',').next(), Some("unclosed table" | "unclosed array table")) {
                // What follows was meant for a table that is not there.
                self.skip_block(span.start);
            }
            self.syntax(span, message, help);
        }
    }

    /// The texts on the left are those of toml 1.2; what is not recognised is shown as it is.
    fn explained(&self, message: &str, span: Range<usize>, shown: &str) -> (String, Option<String>) {
        let written = shown.get(span.clone()).unwrap_or("");
        let line = self.line_of(span.start).trim();
        let (what, expected) = message.split_once(", expected ").unwrap_or((message, ""));
        let (message, help) = match what {
            "string values must be quoted" if written.trim().is_empty() => (
                "a value is missing here".to_owned(),
                "a setting is written KEY = VALUE: every = \"30s\"".to_owned(),
            ),
            "string values must be quoted" => (
                format!("`{written}` must stand in quotes"),
                format!("write \"{}\"", written.trim_end_matches(['"', '\''])),
            ),
            "key with no value" => {
                let help = "a line is KEY = VALUE, or [TABLE]; comments begin with #";
                ("a `=` is missing here".to_owned(), help.to_owned())
            }
            "extra `=`" | "extra assignment between key-value pairs" => (
                "there is a `=` too many".to_owned(),
                "a setting is written KEY = VALUE: every = \"30s\"".to_owned(),
            ),
            "unexpected key or value" => {
                let help = "begin a new line for another setting, or a comment with #";
                ("nothing can follow a value in its line".to_owned(), help.to_owned())
            }
            "invalid boolean" if ["true", "false"].iter().any(|word| word.eq_ignore_ascii_case(written)) => {
                (format!("`{written}` must be written small"), format!("write {}", written.to_lowercase()))
            }
            "invalid boolean" => {
                (format!("`{written}` must stand in quotes"), format!("write \"{written}\""))
            }
            "unclosed table" => ("a `]` is missing here".to_owned(), format!("write {line}]")),
            "unclosed array table" => {
                ("a `]]` is missing here".to_owned(), format!("write {}]]", line.trim_end_matches(']')))
            }
            "unclosed array" | "missing comma between array elements" => {
                ("a `,` or the `]` of a list is missing here".to_owned(), closing("]").to_owned())
            }
            "unclosed inline table"
            | "missing comma between key-value pairs"
            | "missing key for inline table element" => {
                ("a `,` or the `}` of a table is missing here".to_owned(), closing("}").to_owned())
            }
            "duplicate key" if line.starts_with('[') => (
                format!("{line} is written a second time"),
                "put everything under the first one, or give this one another name".to_owned(),
            ),
            "duplicate key" => (
                format!("`{written}` is written a second time"),
                "only one of them can count; take the other out".to_owned(),
            ),
            "missing escaped value" | "too few unicode value digits" => (
                "no escape begins like this".to_owned(),
                "write \\\\ for a backslash, or use single quotes, in which a backslash is itself".to_owned(),
            ),
            text if text.starts_with("invalid")
                && text.ends_with("string")
                && expected.contains(['"', '\'']) =>
            {
                (
                    format!("a quote is missing at the end of this text: {expected}"),
                    "a text begins and ends with a quote in the same line".to_owned(),
                )
            }
            _ => return (format!("this is not TOML: {message}"), None),
        };
        (message, Some(help))
    }
}

/// How what ends with this bracket is written.
fn closing(bracket: &str) -> &'static str {
    match bracket.chars().last() {
        Some(']') => "a list is written [\"one\", \"two\"]",
        _ => "a table in one line is written { run = \"/usr/bin/program\", timeout = \"60s\" }",
    }
}

/// The first line that begins like a statement of a Monit control file.
pub(super) fn control_file_line(text: &str) -> Option<Range<usize>> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let words = line.trim_end();
        let statement = matches!(
            words.split_whitespace().take(2).collect::<Vec<_>>()[..],
            [
                "set",
                "daemon"
                    | "log"
                    | "logfile"
                    | "alert"
                    | "mailserver"
                    | "httpd"
                    | "pidfile"
                    | "idfile"
                    | "statefile"
                    | "eventqueue"
                    | "init"
                    | "limits"
                    | "mail-format"
            ] | [
                "check",
                "process"
                    | "host"
                    | "system"
                    | "file"
                    | "directory"
                    | "fifo"
                    | "filesystem"
                    | "program"
                    | "network"
                    | "device"
            ]
        );
        if statement {
            return Some(at..at + words.len());
        }
        at += line.len();
    }
    None
}
