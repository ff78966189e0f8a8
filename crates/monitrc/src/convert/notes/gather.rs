//! Where the comments are, and which statement each of them belongs to.

use std::collections::HashMap;
use std::path::Path;

use hinoban_config::{Place, Surroundings};

use super::{Note, Notes, Statement, What, paragraph};
use crate::files::Files;
use crate::keyword::Keyword::{self, *};
use crate::lexer::Lexer;
use crate::token::{Kind, Token, Value};

/// A comment as it was found.
struct Comment {
    at: usize,
    line: usize,
    indent: usize,
    /// Whether nothing stands before it in its line.
    alone: bool,
    text: String,
}

/// A token, as far as it matters here.
struct Mark {
    start: usize,
    end: usize,
    /// Which statement it is a part of.
    statement: Option<usize>,
}

impl Notes {
    /// Reads the file and all that it includes once more.
    pub(in crate::convert) fn gather(path: &Path, text: &str, around: &dyn Surroundings) -> Self {
        let mut lexer = Lexer::new(Files::new(path, text), around);
        let mut notes = Notes::default();
        let mut marks: HashMap<u32, Vec<Mark>> = HashMap::new();
        let mut before: Option<Token> = None;
        loop {
            let token = lexer.next();
            if token.kind == Kind::End {
                break;
            }
            notes.read(&mut lexer, &token, before.as_ref(), around);
            if let Some(last) = notes.statements.last_mut() {
                last.end = token.end;
            }
            let statement = notes.statements.len().checked_sub(1);
            let mark = Mark { start: token.start, end: token.end, statement };
            marks.entry(token.file).or_default().push(mark);
            before = Some(token);
        }
        for (number, source) in lexer.files.into_sources().iter().enumerate() {
            notes.files.push(source.path.display().to_string());
            let mut marks = marks.remove(&(number as u32)).unwrap_or_default();
            marks.sort_by_key(|mark| mark.start);
            notes.attach(number == 0, &source.text, &marks);
        }
        notes
    }

    /// One token: whether it begins a statement, and whom it names.
    fn read(
        &mut self,
        lexer: &mut Lexer<'_>,
        token: &Token,
        before: Option<&Token>,
        around: &dyn Surroundings,
    ) {
        let service = self.tails.len().checked_sub(1);
        let last = before.map(|token| token.kind);
        let within = self.statements.last().map(|statement| statement.what);
        let inside = within.is_some_and(|what| what.service().is_some());
        let what = match token.kind {
            Kind::Key(key @ (Port | Address | UnixSocket | Keyword::Allow))
                if token.fresh && matches!(within, Some(What::Setting(Httpd) | What::Httpd(_))) =>
            {
                Some(What::Httpd(key))
            }
            Kind::Word | Kind::Quoted
                if token.fresh
                    && last != Some(Kind::Key(MailServer))
                    && matches!(within, Some(What::Setting(MailServer) | What::Server)) =>
            {
                Some(What::Server)
            }
            Kind::Check(_) => {
                self.tails.push(Vec::new());
                Some(What::Check(self.tails.len() - 1))
            }
            Kind::Key(Set) => Some(What::Setting(Set)),
            Kind::Key(key) => service
                .filter(|_| inside && begins(key, last, token.fresh))
                .map(|service| What::Option(service, key)),
            _ => None,
        };
        if let Some(what) = what {
            let Place { file, span, .. } = lexer.place(token);
            let note = Note::default();
            let at = self.statements.len();
            self.starts.insert((file, span.start), at);
            match what {
                What::Check(_) => self.services.push(at),
                What::Option(..) => {}
                _ => self.settings.push(at),
            }
            self.statements.push(Statement { end: span.end, what, note, taken: false });
            return;
        }
        let Some(Kind::Key(before)) = last else { return };
        if before == Set
            && let (Kind::Key(key), Some(set)) = (token.kind, self.statements.last_mut())
        {
            set.what = What::Setting(key);
        }
        let of = match before {
            Uid | Euid => Uid,
            Gid => Gid,
            _ => return,
        };
        if token.is_string() {
            let written = lexer.files.slice(token.file, token.start..token.end);
            let name = match &token.value {
                Value::Text(text) => text.clone(),
                _ => written.trim_matches(['"', '\'']).to_owned(),
            };
            let (id, names) = match of {
                Uid => (around.user(&name), &mut self.users),
                _ => (around.group(&name), &mut self.groups),
            };
            if let Some(id) = id {
                names.entry(id).or_insert(name);
            }
        }
    }

    /// Gives each comment of a file to the statement that it belongs to.
    fn attach(&mut self, first: bool, text: &str, marks: &[Mark]) {
        let lines: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
        let comments = comments(text, &lines, marks);
        let mut at = 0;
        while let Some(comment) = comments.get(at) {
            // Lines of comments that stand together.
            // Those that are set in end a service; those at the margin behind them are about what comes next.
            let parted = |pair: &[Comment]| pair[0].indent > 0 && pair[1].indent == 0;
            let together =
                |pair: &[Comment]| pair[1].alone && pair[1].line == pair[0].line + 1 && !parted(pair);
            let length = match comment.alone {
                true => 1 + comments[at..].windows(2).take_while(|pair| together(pair)).count(),
                false => 1,
            };
            self.place(first, &lines, marks, &comments[at..at + length]);
            at += length;
        }
        let follows = |note: &mut Note| {
            while note.above.first().is_some_and(String::is_empty) {
                note.above.remove(0);
            }
        };
        self.statements.iter_mut().for_each(|statement| follows(&mut statement.note));
    }

    fn place(&mut self, first: bool, ends: &[usize], marks: &[Mark], comments: &[Comment]) {
        let (top, bottom) = (&comments[0], &comments[comments.len() - 1]);
        let behind = marks.partition_point(|mark| mark.start < top.at);
        let before = behind.checked_sub(1).map(|n| &marks[n]);
        let [last, next] = [before, marks.get(behind)].map(|mark| mark.and_then(|mark| mark.statement));
        // Frames of empty comments say nothing.
        let bare = |comment: &&Comment| comment.text != "#";
        let from = comments.iter().position(|comment| bare(&comment)).unwrap_or(comments.len());
        let to = comments.iter().rposition(|comment| bare(&comment)).map_or(from, |at| at + 1);
        let lines = comments[from..to].iter().map(|comment| comment.text.clone());
        let number = |at: usize| ends.partition_point(|end| *end < at);
        if !top.alone {
            if let Some(last) = last {
                let statement = &mut self.statements[last];
                match Some(last) == next {
                    true => statement.note.above.extend(lines),
                    false => statement.note.beside.extend(lines),
                }
            }
            return;
        }
        if last.is_some() && last == next {
            // In the middle of a statement.
            self.statements[last.unwrap_or_default()].note.above.extend(lines);
            return;
        }
        let service = last.and_then(|last| self.statements[last].what.service());
        let goes_on = next.is_some_and(|next| {
            let what = self.statements[next].what;
            !matches!(what, What::Check(_)) && what.service() == service
        });
        let apart = |next: &Mark| number(next.start) > bottom.line + 1;
        let free = marks.get(behind).is_none_or(apart);
        let close = before.is_some_and(|mark| number(mark.end) + 1 == top.line);
        if let (Some(service), false, true) = (service, goes_on, free)
            && (close || top.indent > 0)
        {
            let tail = &mut self.tails[service];
            paragraph(tail, lines);
            return;
        }
        match next {
            _ if first && before.is_none() && (free || next.is_none()) => paragraph(&mut self.head, lines),
            Some(next) => {
                let above = &mut self.statements[next].note.above;
                paragraph(above, lines);
                if free {
                    above.push(String::new());
                }
            }
            None => match service {
                Some(service) if !first => paragraph(&mut self.tails[service], lines),
                _ => paragraph(&mut self.foot, lines),
            },
        }
    }
}

/// Whether this word begins an option or a rule, and does not go on with one.
fn begins(key: Keyword, before: Option<Kind>, fresh: bool) -> bool {
    let behind = |word: Keyword| before == Some(Kind::Key(word));
    match key {
        If => !behind(Else),
        Start | Stop | Restart => {
            !behind(Then) && !behind(Else) && !behind(OnReboot) && (fresh || before != Some(Kind::Number))
        }
        Alert => !behind(Then) && !behind(Else),
        Every => !behind(Repeat),
        Depends | Group | Mode | NotEvery | NoAlert | Ignore | OnReboot => fresh || !behind(Then),
        _ => false,
    }
}

/// All comments between the tokens of a text.
fn comments(text: &str, lines: &[usize], marks: &[Mark]) -> Vec<Comment> {
    let mut found = Vec::new();
    let mut from = 0;
    let ends = marks.iter().map(|mark| (mark.start, mark.end)).chain([(text.len(), text.len())]);
    for (start, end) in ends {
        let mut at = from.min(start);
        while let Some(hash) = text.get(at..start).and_then(|gap| gap.find('#')) {
            let hash = at + hash;
            let line_begin = text[..hash].rfind('\n').map_or(0, |n| n + 1);
            let line_end = text[hash..].find('\n').map_or(text.len(), |n| hash + n);
            let before = &text[line_begin..hash];
            if before.chars().next_back().is_none_or(|c| c.is_whitespace() || ";,()\"'".contains(c)) {
                let line = text[hash..line_end].trim_end();
                found.push(Comment {
                    at: hash,
                    line: lines.partition_point(|end| *end < hash),
                    indent: before.len(),
                    alone: before.trim().is_empty(),
                    // What TOML does not let into a comment.
                    text: line.replace(|c: char| c.is_control() && c != '\t', " "),
                });
                at = line_end;
            } else {
                at = hash + 1;
            }
        }
        from = from.max(end);
    }
    found
}
