//! The parser's hands: looking at the next token, taking it, saying what is wrong with it.

use std::time::Duration;

use hinoban_config::{Mistake, Place};

use super::{Parse, Parser, Wrong};
use crate::help::{self, Misfit};
use crate::keyword::Keyword;
use crate::token::{Kind, Token, Value};

impl Parser<'_> {
    /// Takes the next token.
    pub(super) fn take(&mut self) -> Token {
        let next = self.lexer.next();
        std::mem::replace(&mut self.token, next)
    }

    /// Whether the next token is this keyword.
    pub(super) fn at(&self, keyword: Keyword) -> bool {
        self.token.is(keyword)
    }

    /// The next token's keyword.
    pub(super) fn key(&self) -> Option<Keyword> {
        match self.token.kind {
            Kind::Key(keyword) => Some(keyword),
            _ => None,
        }
    }

    /// Takes the next token if it is this keyword.
    pub(super) fn eat(&mut self, keyword: Keyword) -> bool {
        let found = self.at(keyword);
        if found {
            self.take();
        }
        found
    }

    /// Takes the next token, which must be this keyword.
    pub(super) fn need(&mut self, keyword: Keyword, expected: &[&str]) -> Parse<()> {
        if self.eat(keyword) { Ok(()) } else { self.unexpected(expected) }
    }

    /// A whole number.
    pub(super) fn int(&mut self, expected: &str) -> Parse<i64> {
        if self.token.kind != Kind::Number {
            return self.unexpected(&[expected]);
        }
        self.doubt_wide();
        Ok(self.take().int())
    }

    /// A number without a fraction that has more than 32 bits.
    fn doubt_wide(&mut self) {
        if self.token.kind == Kind::Number && self.token.int() > i64::from(i32::MAX) {
            let mistake = Mistake::warning(self.here(), "this number is above 2147483647");
            self.advise(mistake.help("Monit 5.33 cuts it to 32 bits; here it is taken as written"));
        }
    }

    /// A number that may have a fraction.
    pub(super) fn real(&mut self, expected: &str) -> Parse<f64> {
        if !matches!(self.token.kind, Kind::Number | Kind::Real) {
            return self.unexpected(&[expected]);
        }
        self.doubt_wide();
        Ok(self.take().real())
    }

    /// A number and `seconds`: the only unit that a time-out takes.
    pub(super) fn seconds(&mut self) -> Parse<Duration> {
        let n = self.int("a number of seconds")?;
        if !self.at(Keyword::Second) {
            let factor = match self.key() {
                Some(Keyword::Minute) => 60,
                Some(Keyword::Hour) => 3600,
                _ => 1,
            };
            let n = n.saturating_mul(factor);
            let help = format!("a time-out needs its unit, and it is seconds: timeout {n} seconds");
            return self.refuse(help);
        }
        self.take();
        Ok(Duration::from_secs(n.unsigned_abs()))
    }

    /// A string of the grammar, bare or quoted; a path is none.
    pub(super) fn string(&mut self, expected: &str) -> Parse<String> {
        if !self.token.is_string() {
            return self.unexpected(&[expected]);
        }
        let token = self.take();
        Ok(self.text(&token).to_owned())
    }

    /// A string that may also look like a mail address.
    pub(super) fn login_name(&mut self) -> Parse<String> {
        if self.token.kind == Kind::Mail {
            let token = self.take();
            return Ok(self.text(&token).to_owned());
        }
        self.string("a user name")
    }

    /// A path.
    pub(super) fn path(&mut self, expected: &str) -> Parse<std::path::PathBuf> {
        if self.token.kind != Kind::Path {
            return self.unexpected(&[expected]);
        }
        let token = self.take();
        Ok(self.text(&token).into())
    }

    /// What a token says: without its quotes, escapes resolved.
    pub(super) fn text<'s>(&'s self, token: &'s Token) -> &'s str {
        if let Value::Text(cooked) = &token.value {
            return cooked;
        }
        let raw = self.raw(token);
        let quoted = raw.len() > 1 && raw.starts_with(['"', '\'']);
        if quoted { &raw[1..raw.len() - 1] } else { raw }
    }

    /// A token as it is written.
    pub(super) fn raw(&self, token: &Token) -> &str {
        self.lexer.files.slice(token.file, token.start..token.end)
    }

    /// The place of the next token.
    pub(super) fn here(&self) -> Place {
        self.place(&self.token)
    }

    /// The place of a token.
    pub(super) fn place(&self, token: &Token) -> Place {
        self.lexer.files.place(token.file, token.start..token.end)
    }

    /// Notes a mistake and goes on.
    pub(super) fn note(&mut self, mistake: Mistake) {
        self.lexer.mistakes.push(mistake);
    }

    /// Notes what Monit passes over in silence: it comes behind what Monit tells, so that the first line is the same.
    pub(super) fn advise(&mut self, mistake: Mistake) {
        self.lexer.advice.push(mistake);
    }

    /// The next token is not what the grammar wants: a spelling, or something that begins with an article.
    pub(super) fn unexpected<T>(&mut self, expected: &[&str]) -> Parse<T> {
        let token = &self.token;
        let (before, after) = self.lexer.files.line_around(token.file, token.start..token.end);
        let misfit = Misfit { kind: token.kind, raw: self.raw(token), before, after };
        let help = help::explain(misfit, expected);
        self.refuse(help)
    }

    /// The next token is not what the grammar wants, for which there are words of their own.
    pub(super) fn refuse<T>(&mut self, help: impl Into<String>) -> Parse<T> {
        if self.token.kind != Kind::Bad {
            let word = self.raw(&self.token).to_owned();
            // At the end of the file the word is empty, and shown all the same.
            let message = if word.is_empty() { "syntax error ''" } else { "syntax error" };
            let mistake = Mistake::error(self.here(), message).word(word).help(help);
            self.note(mistake);
        }
        Err(Wrong)
    }
}
