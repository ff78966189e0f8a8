//! `if content = "…"`, `if match "…"`, `ignore content = "…"`: rules about what is written into a file.

use hinoban_config::{
    Branch, Condition, Ignore as Left, Kind as Type, MONIT_BUFFER, Mistake, Pattern, Place, Rule, Then as Act,
};

use super::{Parse, Parser, Wrong};
use crate::keyword::Keyword::*;
use crate::token::Kind;

/// The longest line of a file of patterns; what is longer is split, as Monit does.
const LONGEST: usize = 2047;

impl Parser<'_> {
    /// The rules at `content` or `match`, which is the next token: one, or one for each line of a file of
    /// patterns. All but the last are added to the open service; that one is given.
    pub(super) fn written(&mut self, place: Place) -> Parse<Rule> {
        let (patterns, fails_on_match) = self.patterns()?;
        self.about(patterns, fails_on_match, place)
    }

    /// The same behind `not`; `match` is the next token.
    pub(super) fn lacking(&mut self, place: Place) -> Parse<Rule> {
        let (patterns, matches) = self.patterns()?;
        self.about(patterns, !matches, place)
    }

    /// The limits of a file hold wherever they stand in it, as in Monit: they are no part of a service.
    pub(super) fn limit_lines(&mut self) {
        let line = self.captured.line;
        if line == MONIT_BUFFER {
            return;
        }
        for service in &mut self.config.services {
            if matches!(service.kind, Type::File { .. }) {
                std::sync::Arc::make_mut(service).buffer = line;
            }
        }
    }

    fn about(&mut self, patterns: Vec<Pattern>, fails_on_match: bool, place: Place) -> Parse<Rule> {
        let fail = self.branch()?;
        if self.at(Else) {
            return self.refuse("this rule has no 'else': at the next look it is over by itself");
        }
        let Some(draft) = &mut self.draft else { return Err(Wrong) };
        let first = draft.contents + 1;
        draft.contents += patterns.len();
        let mut rules = patterns.into_iter().enumerate().map(|(n, pattern)| {
            let metric = format!("content.{}", first + n);
            let when = Condition::Content { metric, pattern, fails_on_match };
            Rule { when, fail: fail.clone(), ok: Branch::once(Act::Nothing), place: place.clone() }
        });
        let last = rules.next_back();
        draft.service.rules.extend(rules);
        last.ok_or(Wrong)
    }

    /// `ignore content = "…"` or `ignore match "…"`; `ignore` is the next token.
    pub(super) fn left_out(&mut self) -> Parse<()> {
        self.take();
        let (patterns, on_match) = self.patterns()?;
        if let Some(draft) = &mut self.draft {
            draft.service.ignore.extend(patterns.into_iter().map(|pattern| Left { pattern, on_match }));
        }
        Ok(())
    }

    /// What is to be matched, and whether it is to be or not.
    fn patterns(&mut self) -> Parse<(Vec<Pattern>, bool)> {
        let on_match = match self.key() {
            Some(Content) => {
                self.take();
                match self.key() {
                    Some(key @ (Equal | NotEqual)) => {
                        self.take();
                        key == Equal
                    }
                    _ => return self.unexpected(&["=", "!="]),
                }
            }
            Some(Not) => {
                self.take();
                self.need(Match, &["match"])?;
                false
            }
            Some(Match) => {
                self.take();
                true
            }
            _ => return self.unexpected(&["content", "match", "not match"]),
        };
        // What begins with a slash is a file, in quotes or not.
        match self.token.kind == Kind::Path {
            true => Ok((self.pattern_file()?, on_match)),
            false => Ok((vec![self.regex()?], on_match)),
        }
    }

    /// A file that holds a pattern in each line. A `#` begins no comment in it.
    fn pattern_file(&mut self) -> Parse<Vec<Pattern>> {
        let token = self.take();
        let (path, place) = (self.text(&token).to_owned(), self.place(&token));
        let text = match self.around.text(path.as_ref()) {
            Ok(text) => text,
            Err(error) => {
                let mistake = Mistake::error(place, format!("Cannot read regex match file ({path})"))
                    .word(path.clone());
                self.note(mistake.help(format!(
                    "{error}; what begins with / is a file of patterns, a pattern that does is written \"[/]…\""
                )));
                return Err(Wrong);
            }
        };
        self.doubt_pattern_file(&token);
        let mut patterns = Vec::new();
        for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            for part in split(line) {
                match Pattern::posix(part) {
                    Ok(pattern) => patterns.push(pattern),
                    Err(why) => {
                        let mistake =
                            Mistake::error(place.clone(), format!("Regex parsing error: {why}")).word(part);
                        self.note(mistake.help(format!("it is in line {} of {path}", n + 1)));
                    }
                }
            }
        }
        if patterns.is_empty() {
            let mistake = Mistake::error(place, "this file holds no pattern").word(path);
            self.note(mistake.help("write a regular expression into each of its lines"));
            return Err(Wrong);
        }
        Ok(patterns)
    }
}

/// The parts of a line that is too long.
fn split(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let end = (0..=LONGEST.min(rest.len())).rev().find(|end| rest.is_char_boundary(*end))?;
        let (part, behind) = rest.split_at(end);
        rest = behind;
        (!part.is_empty()).then_some(part)
    })
}
