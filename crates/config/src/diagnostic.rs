use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::{Config, Place, Sources};

/// A configuration that can be used, with what is odd about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Warnings only.
    pub warnings: Mistakes,
}

/// One mistake in a configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Mistake {
    /// Whether it can be used all the same.
    pub severity: Severity,
    /// Where. [`Place::default`] if it concerns the file as a whole.
    pub place: Place,
    /// What is wrong, in a sentence that needs no other.
    pub message: String,
    /// The word that was not understood, as it was written; empty if there is none.
    pub word: String,
    /// What to do about it: what was expected, the nearest valid spelling.
    pub help: Option<String>,
    /// Whether [`Mistakes::lines`] leaves its place out, as Monit does for what it finds once all is read.
    pub late: bool,
}

/// How grave a mistake is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration means something, but maybe not what was meant.
    Warning,
    /// The configuration cannot be used.
    Error,
}

/// All mistakes of a configuration, with the texts they are in. Displays as a person reads them.
#[derive(Debug, Clone, Default)]
pub struct Mistakes {
    /// The texts.
    pub sources: Sources,
    /// The mistakes, in the order found.
    pub list: Vec<Mistake>,
}

impl std::error::Error for Mistakes {}

impl Mistakes {
    /// Adds a mistake.
    pub fn push(&mut self, mistake: Mistake) {
        self.list.push(mistake);
    }

    /// Whether one of them keeps the configuration from being used.
    pub fn fatal(&self) -> bool {
        self.list.iter().any(|m| m.severity == Severity::Error)
    }

    /// One line a mistake, in the form that scripts around Monit read: `FILE:LINE: text 'word'`.
    pub fn lines(&self) -> Vec<String> {
        self.list
            .iter()
            .map(|m| {
                let place = match m.place.line {
                    0 => String::new(),
                    _ if m.late => String::new(),
                    line => format!("{}:{line}: ", m.place.file.display()),
                };
                let word = if m.word.is_empty() { String::new() } else { format!(" '{}'", m.word) };
                format!("{place}{}{word}", m.message)
            })
            .collect()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let renderer = Renderer::plain();
        for (i, mistake) in self.list.iter().enumerate() {
            if i > 0 {
                f.write_str("\n\n")?;
            }
            let level = match mistake.severity {
                Severity::Warning => Level::WARNING,
                Severity::Error => Level::ERROR,
            };
            // A message that ends with a colon says nothing without what comes behind it.
            let message = match mistake.message.ends_with(':') {
                true => format!("{} {}", mistake.message, mistake.word),
                false => mistake.message.clone(),
            };
            let title = level.primary_title(message.trim_end());
            let source = (mistake.place.line > 0).then(|| self.sources.of(&mistake.place)).flatten();
            let mut group = annotate_snippets::Group::with_title(title);
            if let Some(source) = source {
                let path = source.path.display().to_string();
                // Only the lines in question: the renderer goes through all that it is given, for each mistake.
                let Range { start, end } = mistake.place.span.clone();
                let line_of = |at: usize| source.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
                let (mut first, mut line) = (line_of(start), mistake.place.line as usize);
                let last = source.text[end..].find('\n').map_or(source.text.len(), |newline| end + newline);
                if first == last && first > 0 {
                    // Behind the last line there is nothing to show but that line.
                    (first, line) = (line_of(first - 1), line.saturating_sub(1));
                }
                group = group.element(
                    Snippet::source(&source.text[first..last])
                        .path(path)
                        .line_start(line)
                        .annotation(AnnotationKind::Primary.span(start - first..end - first)),
                );
            }
            if let Some(help) = &mistake.help {
                group = group.element(Level::HELP.message(help.as_str()));
            }
            f.write_str(&renderer.render(&[group]).to_string())?;
        }
        Ok(())
    }
}

impl Mistake {
    /// An error at this place.
    pub fn error(place: Place, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            place,
            message: message.into(),
            word: String::new(),
            help: None,
            late: false,
        }
    }

    /// A warning at this place.
    pub fn warning(place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, message) }
    }

    /// Names the word that was not understood.
    pub fn word(mut self, word: impl Into<String>) -> Self {
        self.word = word.into();
        self
    }

    /// Leaves its place out where it is one line.
    pub fn late(mut self) -> Self {
        self.late = true;
        self
    }

    /// Says what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
