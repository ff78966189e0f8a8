//! From bytes to tokens. The lexer alone decides in which mode it reads (inside a command, a name, a list of headers);
//! the parser never tells it. Included files are read here too: to the parser there is one stream.

use std::sync::Arc;

use hinoban_config::{Mistake, Place, Surroundings};

use crate::files::Files;
use crate::modes;
use crate::scan::{self, Scanned};
use crate::token::{Kind, Subject, Token, Value};

/// How many files may be read in one run, and so how deep they may be nested.
const FILES: usize = 1024;

/// How the next token is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Keywords, noise words, numbers, strings.
    Normal,
    /// One name of a service, after `check TYPE`.
    Name,
    /// One name of a group.
    Group,
    /// Names separated by commas.
    Names,
    /// The words of a command, up to the closing double quote.
    Arguments,
    /// A number or a quoted pattern.
    Every,
    /// `[name: value, …]`.
    Headers,
}

/// A file being read.
struct Frame {
    text: Arc<str>,
    at: usize,
    file: u32,
}

/// The stream of tokens of a control file and all it includes.
pub(crate) struct Lexer<'a> {
    around: &'a dyn Surroundings,
    /// The files, to show places in them.
    pub(crate) files: Files,
    frame: Frame,
    waiting: Vec<Frame>,
    mode: Mode,
    /// Between `check program` and its path, where a command may stand behind `path`.
    command_path: bool,
    fresh: bool,
    pushed: usize,
    /// What was wrong so far, of which Monit tells, too.
    pub(crate) mistakes: Vec<Mistake>,
    /// What is wrong with the token that was given last: the parser has yet to tell of what stands before it.
    held: Option<Mistake>,
    /// What Monit passes over in silence.
    pub(crate) advice: Vec<Mistake>,
    /// Whether a file could not be included: nobody knows which services are in it.
    pub(crate) torn: bool,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(files: Files, around: &'a dyn Surroundings) -> Self {
        let frame = Frame { text: files.text(0), at: 0, file: 0 };
        Self {
            around,
            files,
            frame,
            waiting: Vec::new(),
            mode: Mode::Normal,
            command_path: false,
            fresh: true,
            pushed: 0,
            mistakes: Vec::new(),
            held: None,
            advice: Vec::new(),
            torn: false,
        }
    }

    /// The place of a token.
    pub(crate) fn place(&mut self, token: &Token) -> Place {
        self.files.place(token.file, token.start..token.end)
    }

    /// The next token; [`Kind::End`] for ever once all is read.
    pub(crate) fn next(&mut self) -> Token {
        self.mistakes.extend(self.held.take());
        loop {
            let text = &*self.frame.text;
            let found = match self.mode {
                Mode::Normal => scan::normal(text, self.frame.at, self.command_path),
                mode => modes::special(mode, text, self.frame.at),
            };
            self.frame.at = found.next;
            self.mode = found.mode;
            self.fresh |= found.fresh;
            match found.kind {
                Kind::Check(subject) => self.command_path = subject == Subject::Program,
                Kind::Key(crate::keyword::Keyword::Path) => self.command_path = false,
                Kind::Include => {
                    self.include(found);
                    continue;
                }
                Kind::End => {
                    let Some(frame) = self.waiting.pop() else { return self.token(found) };
                    self.frame = frame;
                    self.mode = Mode::Normal;
                    self.fresh = true;
                    continue;
                }
                _ => {}
            }
            return self.token(found);
        }
    }

    fn token(&mut self, found: Scanned) -> Token {
        let fresh = std::mem::take(&mut self.fresh);
        let token = Token {
            kind: found.kind,
            file: self.frame.file,
            start: found.start,
            end: found.end,
            fresh,
            value: found.value,
        };
        if let Some(flaw) = found.flaw {
            let place = self.place(&token);
            let text = &self.frame.text[token.start..token.end];
            let word = text.lines().next().unwrap_or("").to_owned();
            if flaw.fatal {
                self.held = Some(Mistake::error(place, flaw.message).word(word).help(flaw.help));
            } else {
                self.advice.push(Mistake::warning(place, flaw.message).word(word).help(flaw.help));
            }
        }
        token
    }

    /// Puts the files of an `include` before what is left of this one. They are read last first, as Monit does: the
    /// order of services, and which of two settings wins, depend on it.
    fn include(&mut self, found: Scanned) {
        let Value::Text(pattern) = &found.value else { return };
        let place = self.files.place(self.frame.file, found.start..found.end);
        let paths = self.around.glob(pattern);
        if paths.is_empty() {
            let folder = match pattern.find(['*', '?', '[']) {
                None => pattern.as_str(),
                Some(star) => &pattern[..pattern[..star].rfind('/').map_or(0, |slash| slash.max(1))],
            };
            if !folder.is_empty() && !self.around.exists(folder.as_ref(), false) {
                self.mistakes.push(
                    Mistake::warning(place, "Include failed -- No such file or directory")
                        .word(pattern.clone())
                        .help("nothing was read here: create the file, or take the 'include' away"),
                );
            }
            return;
        }
        let mut frames = Vec::new();
        for path in paths {
            let name = path.to_string_lossy();
            if name.ends_with('~') {
                continue;
            }
            let open = std::iter::once(self.frame.file).chain(self.waiting.iter().map(|f| f.file));
            let chain: Vec<u32> = open.collect();
            if self.files.find(&path).is_some_and(|file| chain.contains(&file)) {
                self.mistakes.push(
                    Mistake::warning(
                        place.clone(),
                        "this file is being read already; the include is passed over",
                    )
                    .word(name)
                    .help("take the 'include' that closes the circle away"),
                );
                continue;
            }
            if self.pushed >= FILES {
                self.mistakes.push(
                    Mistake::error(place.clone(), "include files limit reached")
                        .help(format!("no more than {FILES} files are included")),
                );
                break;
            }
            self.pushed += 1;
            match self.files.open(&path, self.around) {
                Ok(file) => frames.push(Frame { text: self.files.text(file), at: 0, file }),
                // Of what a pattern finds, folders are passed over; one that is named was meant.
                Err(error) if error.kind() == std::io::ErrorKind::IsADirectory => {
                    if !pattern.contains(['*', '?', '[']) {
                        let message = "this is a directory, and nothing in it is read";
                        let help = format!("write include {}/*", pattern.trim_end_matches('/'));
                        let mistake = Mistake::warning(place.clone(), message).word(pattern.clone());
                        self.advice.push(mistake.help(help));
                    }
                }
                Err(error) => {
                    self.torn = true;
                    self.mistakes.push(
                        Mistake::error(place.clone(), format!("Cannot include file: {error}"))
                            .word(name)
                            .help("make it readable, and UTF-8 or plain ASCII"),
                    );
                }
            }
        }
        if let Some(last) = frames.pop() {
            let rest = std::mem::replace(&mut self.frame, last);
            self.waiting.push(rest);
            self.waiting.extend(frames);
            self.fresh = true;
        }
    }
}
