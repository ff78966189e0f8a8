//! Commands: `start program = "…" as uid … and gid … with timeout … seconds`.

use std::time::Duration;

use hinoban_config::{Mistake, Place, Program};

use super::{Parse, Parser};
use crate::keyword::Keyword::*;
use crate::token::{Kind, Token, Value};

/// Words of a command, the program included: Monit has 64 slots, of which the last ends the list.
const WORDS: usize = 63;

/// What is said of a program that is none: Monit takes it for executable.
pub(super) const FOLDER: &str = "This is a directory:";

impl Parser<'_> {
    /// What follows `start`, `stop` or `restart`.
    pub(super) fn program(&mut self, timeout: Duration) -> Parse<Program> {
        let mut program = self.command(timeout)?;
        if self.eat(Timeout) {
            program.timeout = self.seconds()?;
        }
        if matches!(self.key(), Some(Uid | Gid)) {
            return self.refuse("the order is fixed: as uid … and gid … with timeout … seconds");
        }
        Ok(program)
    }

    /// A command and whom to run it as.
    pub(super) fn command(&mut self, timeout: Duration) -> Parse<Program> {
        let place = self.here();
        let mut words = Vec::new();
        if self.token.kind == Kind::Arguments
            && let Value::Words(found) = self.take().value
        {
            words = found;
        }
        let (quoted, behind) = (words.len(), self.here());
        // Plain words go on with the list, quotes or not, until a keyword comes.
        while matches!(self.token.kind, Kind::Word | Kind::Quoted | Kind::Path) {
            let token = self.take();
            if self.raw(&token).starts_with(['“', '”', '„', '‘', '’', '«']) {
                let mistake =
                    Mistake::error(self.place(&token), "syntax error").word(self.raw(&token).to_owned());
                self.note(
                    mistake.help("these are typographic quotes; commands take the plain double quote \""),
                );
                return Err(super::Wrong);
            }
            words.push(self.text(&token).to_owned());
        }
        if words.is_empty() {
            return self.no_command();
        }
        if quoted > 0 && words.len() > quoted {
            self.doubt_words(behind, &words[quoted..]);
        }
        self.doubt_shell(place.clone(), &words);
        if words.len() > WORDS {
            let mistake = Mistake::error(place.clone(), "Exceeded maximum number of program arguments");
            self.note(mistake.help(format!(
                "{} words, and at most {WORDS} may be; put the rest into a script",
                words.len()
            )));
        }
        if let Some(flaw) = self.program_flaw(&words[0]) {
            let help = if words[0].contains(' ') {
                "the quotes make program and arguments one word; put only the whole command into double quotes"
            } else {
                "give its full path, install it, or make it executable; until then this command fails"
            };
            let mistake = Mistake::warning(place, flaw).word(words[0].clone()).help(help);
            match flaw {
                FOLDER => self.advise(mistake),
                _ => self.note(mistake),
            }
        }
        let (mut uid, mut gid) = (None, None);
        loop {
            match self.key() {
                Some(Uid) => uid = self.user()?,
                Some(Gid) => gid = self.group()?,
                _ => break,
            }
        }
        Ok(Program { words, uid, gid, timeout })
    }

    /// What `check program` runs has to be there: to Monit everything else is a mistake, and so it is here.
    pub(super) fn must_exist(&mut self, program: &str, place: Place) {
        if self.program_flaw(program).is_none_or(|flaw| flaw == FOLDER) {
            return;
        }
        let mistake = Mistake::error(place, "A 'check program' statement requires the program to exist");
        self.note(
            mistake.late().word(program).help("install it, or take this service out until it is there"),
        );
    }

    fn no_command<T>(&mut self) -> Parse<T> {
        if self.at(Equal) {
            let help = match self
                .lexer
                .files
                .after(self.token.file, self.token.end)
                .trim_start_matches([' ', '\t'])
                .chars()
                .next()
            {
                Some('\'') => {
                    "a command stands in double quotes; single quotes hold one argument together inside them"
                }
                Some('“' | '”' | '„' | '‘' | '’' | '«') => {
                    "these are typographic quotes; commands take the plain double quote \""
                }
                Some('\n' | '\r') | None => "the command begins on the same line, in double quotes",
                _ => "a command stands in double quotes: start program = \"/bin/program argument\"",
            };
            return self.refuse(help);
        }
        self.unexpected(&["a command in double quotes"])
    }

    /// `uid NAME`, which is the next token.
    pub(super) fn user(&mut self) -> Parse<Option<u32>> {
        self.take();
        let (token, name) = self.who("a user name or id")?;
        let found = match self.users.get(&name) {
            Some(known) => *known,
            None => {
                // A number is one of a user, too: Monit takes no other.
                let found = self.around.user(&name).filter(|uid| self.around.has_user(*uid));
                *self.users.entry(name.clone()).or_insert(found)
            }
        };
        if found.is_none() {
            let what = if token.kind == Kind::Number { "uid" } else { "user" };
            let mistake =
                Mistake::error(self.place(&token), format!("Requested {what} not found on the system"));
            self.note(mistake.word(name).help("create it, or correct the name"));
        }
        Ok(found)
    }

    /// `gid NAME`, which is the next token.
    pub(super) fn group(&mut self) -> Parse<Option<u32>> {
        self.take();
        let (token, name) = self.who("a group name or id")?;
        let found = match self.groups.get(&name) {
            Some(known) => *known,
            None => {
                let found = self.around.group(&name).filter(|gid| self.around.has_group(*gid));
                *self.groups.entry(name.clone()).or_insert(found)
            }
        };
        if found.is_none() {
            let what = if token.kind == Kind::Number { "gid" } else { "group" };
            let mistake =
                Mistake::error(self.place(&token), format!("Requested {what} not found on the system"));
            self.note(mistake.word(name).help("create it, or correct the name"));
        }
        Ok(found)
    }

    fn who(&mut self, expected: &str) -> Parse<(Token, String)> {
        if !self.token.is_string() && self.token.kind != Kind::Number {
            return self.unexpected(&[expected]);
        }
        let token = self.take();
        let name = self.text(&token).to_owned();
        Ok((token, name))
    }
}
