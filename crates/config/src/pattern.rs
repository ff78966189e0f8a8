mod posix;

use std::fmt;
use std::sync::Arc;

use regex_lite::Regex;

/// A regular expression, or several of which one is enough, with the text it was written as. Equal if written the same.
#[derive(Clone)]
pub struct Pattern(Arc<Inner>);

struct Inner {
    text: Box<str>,
    shown: Box<str>,
    matchers: Box<[Matcher]>,
}

/// How one expression is looked for.
enum Matcher {
    /// Any of these texts; most expressions are no more than that, and a search is ten times faster.
    Plain(Vec<Box<str>>),
    Regex(Regex),
}

impl Matcher {
    fn new(text: &str) -> Result<Self, String> {
        let regex = Regex::new(text).map_err(|error| error.to_string())?;
        Ok(plain(text).map_or(Self::Regex(regex), Self::Plain))
    }

    fn is_match(&self, text: &str) -> bool {
        match self {
            Matcher::Plain(texts) => texts.iter().any(|plain| text.contains(&**plain)),
            Matcher::Regex(regex) => regex.is_match(text),
        }
    }
}

/// The texts of which this expression finds one, if it is no more than that.
fn plain(expression: &str) -> Option<Vec<Box<str>>> {
    let special = |c: char| r"\.+*?()[]{}^$#&-~".contains(c);
    (!expression.contains(special)).then(|| expression.split('|').map(Box::from).collect())
}

impl Pattern {
    /// The pattern of this text, in the syntax of the crate `regex-lite`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn new(text: &str) -> Result<Self, String> {
        Ok(Self::of(text, format!("'{text}'"), [Matcher::new(text)?]))
    }

    /// The pattern of this text as Monit reads it: an extended regular expression of POSIX, regex(7), with glibc's
    /// extensions (`\w`, `\s`, `\b`, `\<`, `\>`).
    ///
    /// # Errors
    /// What is wrong with it, in words; also if it refers back to what it matched (`\1`).
    pub fn posix(text: &str) -> Result<Self, String> {
        let translated = posix::translated(text)?;
        let matcher = match plain(text) {
            Some(texts) => Matcher::Plain(texts),
            None => Matcher::Regex(Regex::new(&translated).map_err(|error| error.to_string())?),
        };
        Ok(Self::of(text, format!("'{text}'"), [matcher]))
    }

    /// An expression of POSIX, as [`Pattern::posix`] takes it, in the syntax that [`Pattern::new`] takes.
    ///
    /// # Errors
    /// What it asks for that cannot be said there.
    pub fn translated(text: &str) -> Result<String, String> {
        posix::translated(text)
    }

    /// What one of these matches: the lines of the file `from`, each a pattern, empty ones left out.
    ///
    /// # Errors
    /// The number of the line that is wrong, counting from 1, and what is wrong with it; line 0 if there is none at all.
    pub fn any(lines: &str, from: &str) -> Result<Self, (usize, String)> {
        let written = lines.lines().enumerate().filter(|(_, line)| !line.is_empty());
        let matchers: Result<Vec<Matcher>, _> =
            written.map(|(n, line)| Matcher::new(line).map_err(|why| (n + 1, why))).collect();
        let matchers = matchers?;
        if matchers.is_empty() {
            return Err((0, "it holds no pattern".to_owned()));
        }
        Ok(Self::of(lines, format!("a pattern in {from}"), matchers))
    }

    fn of(text: &str, shown: String, matchers: impl Into<Box<[Matcher]>>) -> Self {
        Self(Arc::new(Inner { text: text.into(), shown: shown.into(), matchers: matchers.into() }))
    }

    /// As it was written; of several, each in a line of its own.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// As people are shown it: in quotes, or by the name of the file that it came from.
    pub fn shown(&self) -> &str {
        &self.0.shown
    }

    /// Whether it is found anywhere in this text.
    pub fn is_match(&self, text: &str) -> bool {
        self.0.matchers.iter().any(|matcher| matcher.is_match(text))
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text() && self.shown() == other.shown()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.text(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_text_is_found_as_its_expression_would_find_it() {
        for text in ["ERROR", "ERROR|FATAL", "a||b", "", "x y/z:", "(a)", "a.c", "^ERROR", "ERR.R|x$"] {
            let (pattern, regex) = (Pattern::new(text).unwrap(), Regex::new(text).unwrap());
            for line in ["", "an ERROR", "FATAL", "abc", "x y/z: 1", "ERROR|FATAL", "b", "(a)"] {
                assert_eq!(pattern.is_match(line), regex.is_match(line), "{text} in {line}");
            }
        }
    }

    #[test]
    fn of_many_one_is_enough_and_the_wrong_one_is_named() {
        let any = Pattern::any("ERROR\n\n^fatal\n", "/etc/patterns").unwrap();
        assert!(any.is_match("an ERROR") && any.is_match("fatal") && !any.is_match("not fatal"));
        assert_eq!(any.shown(), "a pattern in /etc/patterns");
        assert_eq!(Pattern::any("a\n(b\n", "x").unwrap_err().0, 2);
        assert_eq!(Pattern::any("\n", "x").unwrap_err().0, 0);
    }
}
