//! Options as getopt_long(3) reads them, for that is how Monit does: bundled letters, values glued or apart, long names
//! cut short, options before and after words, and each heard in the order in which it was typed.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// An option there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// After one dash.
    pub(crate) letter: Option<char>,
    /// After two dashes.
    pub(crate) long: &'static str,
    /// What it takes, as help calls it.
    pub(crate) takes: Takes,
    /// What it does, for whoever asks for help.
    pub(crate) help: &'static str,
}

/// What an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    Nothing,
    /// A value, called so.
    Value(&'static str),
    /// The argument after it if there is one, whatever it looks like.
    Rest(&'static str),
}

/// What stands at one place of the command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// An option, with its value.
    Option(&'static Known, Option<OsString>),
    /// A word that is no option.
    Word(OsString),
}

/// Why there is no option.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// It is none, or cut too short to tell which, or has a value that it does not take.
    Invalid(String),
    /// It takes a value, and there is none.
    Missing(String),
}

/// Reads a command line, piece by piece.
#[derive(Debug)]
pub(crate) struct Getopt {
    known: &'static [Known],
    arguments: Vec<OsString>,
    at: usize,
    /// The letters that are left of a bundle begin here.
    within: usize,
    /// `--` was there: what follows are words.
    words: bool,
}

impl Getopt {
    /// One for these arguments, the name of the program not among them.
    pub(crate) fn new(known: &'static [Known], arguments: Vec<OsString>) -> Self {
        Self { known, arguments, at: 0, within: 0, words: false }
    }

    /// The next option or word; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<Result<Typed, Unknown>> {
        let argument = self.arguments.get(self.at)?.clone();
        let bytes = argument.as_bytes();
        if self.within > 0 {
            return Some(self.letter(bytes));
        }
        if !self.words && bytes == b"--" {
            self.words = true;
            self.at += 1;
            return self.next();
        }
        Some(match bytes {
            _ if self.words => self.word(argument),
            [b'-', b'-', name @ ..] => {
                self.at += 1;
                self.long(name)
            }
            [b'-', _, ..] => {
                self.within = 1;
                self.letter(bytes)
            }
            _ => self.word(argument),
        })
    }

    fn word(&mut self, argument: OsString) -> Result<Typed, Unknown> {
        self.at += 1;
        Ok(Typed::Word(argument))
    }

    fn letter(&mut self, bytes: &[u8]) -> Result<Typed, Unknown> {
        let text = String::from_utf8_lossy(&bytes[self.within..]).into_owned();
        let letter = text.chars().next().unwrap_or_default();
        let known = self.known.iter().find(|known| known.letter == Some(letter));
        let Some(known) = known else { return Err(Unknown::Invalid(letter.to_string())) };
        self.within += letter.len_utf8();
        let rest = bytes.get(self.within..).filter(|rest| !rest.is_empty());
        match known.takes {
            Takes::Nothing => {
                if rest.is_none() {
                    self.skip();
                }
                Ok(Typed::Option(known, None))
            }
            Takes::Value(_) => {
                let glued = rest.map(|rest| OsStr::from_bytes(rest).to_owned());
                self.skip();
                self.value(known, glued)
            }
            Takes::Rest(_) => {
                let glued = rest.map(|_| OsStr::from_bytes(bytes).to_owned());
                self.skip();
                Ok(Typed::Option(known, glued.or_else(|| self.take())))
            }
        }
    }

    fn long(&mut self, argument: &[u8]) -> Result<Typed, Unknown> {
        let mut parts = argument.splitn(2, |byte| *byte == b'=');
        let name = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
        let glued = parts.next().map(|value| OsString::from_vec(value.to_vec()));
        let mut like = self.known.iter().filter(|known| known.long.starts_with(&name));
        let exact = self.known.iter().find(|known| known.long == name);
        let known = match (exact, like.next(), like.next()) {
            (Some(known), ..) | (None, Some(known), None) => known,
            _ => return Err(Unknown::Invalid(name)),
        };
        match known.takes {
            Takes::Nothing if glued.is_some() => {
                Err(Unknown::Invalid(known.letter.map_or_else(|| known.long.to_owned(), String::from)))
            }
            Takes::Nothing => Ok(Typed::Option(known, None)),
            Takes::Value(_) => self.value(known, glued),
            Takes::Rest(_) => Ok(Typed::Option(known, glued.or_else(|| self.take()))),
        }
    }

    fn value(&mut self, known: &'static Known, glued: Option<OsString>) -> Result<Typed, Unknown> {
        match glued.or_else(|| self.take()) {
            Some(value) => Ok(Typed::Option(known, Some(value))),
            None => Err(Unknown::Missing(known.letter.map_or_else(|| known.long.to_owned(), String::from))),
        }
    }

    /// The whole next argument.
    fn take(&mut self) -> Option<OsString> {
        let next = self.arguments.get(self.at).cloned();
        self.at += usize::from(next.is_some());
        next
    }

    fn skip(&mut self) {
        self.within = 0;
        self.at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Known] = &[
        Known { letter: Some('c'), long: "conf", takes: Takes::Value("FILE"), help: "" },
        Known { letter: Some('H'), long: "hash", takes: Takes::Rest("FILE"), help: "" },
        Known { letter: Some('v'), long: "verbose", takes: Takes::Nothing, help: "" },
        Known { letter: Some('V'), long: "version", takes: Takes::Nothing, help: "" },
    ];

    /// What was heard, in short: `c=x`, `v`, `"word"`, `?Z` for what is none, `!c` for what lacks its value.
    fn heard(line: &str) -> String {
        let mut getopt = Getopt::new(KNOWN, line.split(' ').map(OsString::from).collect());
        let mut heard = Vec::new();
        while let Some(typed) = getopt.next() {
            match typed {
                Ok(Typed::Option(known, None)) => heard.push(known.long.to_owned()),
                Ok(Typed::Option(known, Some(value))) => {
                    heard.push(format!("{}={}", known.long, value.display()));
                }
                Ok(Typed::Word(word)) => heard.push(format!("\"{}\"", word.display())),
                Err(Unknown::Invalid(name)) => {
                    heard.push(format!("?{name}"));
                    break;
                }
                Err(Unknown::Missing(name)) => {
                    heard.push(format!("!{name}"));
                    break;
                }
            }
        }
        heard.join(" ")
    }

    #[test]
    fn a_line_is_heard_as_getopt_hears_it() {
        for (line, expected) in [
            ("-vV -c x", "verbose version conf=x"),
            ("-vcx y", "verbose conf=x \"y\""),
            ("status -c -v x", "\"status\" conf=-v \"x\""),
            ("--conf=x --conf y --con z", "conf=x conf=y conf=z"),
            ("--conf= v", "conf= \"v\""),
            ("- -- -v --conf", "\"-\" \"-v\" \"--conf\""),
            ("-v -Z -v", "verbose ?Z"),
            ("--ver", "?ver"),
            ("--verb --vers", "verbose version"),
            ("--bogus=x", "?bogus"),
            ("--verbose=x", "?v"),
            ("-c", "!c"),
            ("x --conf", "\"x\" !c"),
            ("-H", "hash"),
            ("-H -v", "hash=-v"),
            ("-Hv x", "hash=-Hv \"x\""),
            ("--hash=x", "hash=x"),
            ("-é", "?é"),
        ] {
            assert_eq!(heard(line), expected, "{line}");
        }
    }
}
