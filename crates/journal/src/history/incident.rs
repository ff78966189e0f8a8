//! One failure of a service, from the first thing that was seen to the moment when nothing of it fails any more.

use std::collections::BTreeSet;
use std::sync::Arc;

use hinoban_event::Class;
use hinoban_reading::{Ending, Stamp};
use serde::{Deserialize, Serialize};

/// Steps at the beginning of an incident that are always kept.
pub const FIRST: usize = 20;

/// Steps at its end that are always kept.
pub const LAST: usize = 80;

/// One failure of a service: what was seen, what was decided, what was done, and what came of it.
///
/// The JSON form is what is kept on disk. A field may be added (with a default); none may change its meaning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Counts up over all lives of the supervisor. When the history was damaged it goes on at the seconds since 1970.
    pub id: u64,
    /// The service.
    pub service: Arc<str>,
    /// The class of what failed first.
    pub class: Class,
    /// What failed first, in words.
    pub text: String,
    /// When it began to fail.
    pub opened: Stamp,
    /// When nothing of it failed any more, or nobody looked any more; `None`: it goes on.
    #[serde(default)]
    pub closed: Option<Stamp>,
    /// How that came about; `None`: it goes on, or nobody knows, for the supervisor had ended before.
    #[serde(default)]
    pub over: Option<Over>,
    /// How its process ended, where one did.
    #[serde(default)]
    pub cause: Option<Ending>,
    /// The service that it depends on and that failed already: it is put down to that one.
    #[serde(default)]
    pub attributed: Option<Arc<str>>,
    /// Names of the services that depend on it, and that nobody hears of on their own while it fails.
    #[serde(default)]
    pub dependants: Vec<Arc<str>>,
    /// The first [`FIRST`] steps.
    pub first: Vec<Step>,
    /// How many were left out after them.
    #[serde(default)]
    pub left_out: u32,
    /// The last [`LAST`] steps.
    #[serde(default)]
    pub last: Vec<Step>,
    /// The rules that fail now: position and class.
    #[serde(default)]
    pub(super) failing: BTreeSet<(usize, Class)>,
}

/// How an incident came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Over {
    /// Nothing of it failed any more.
    Recovered,
    /// Nobody looked any more. Whether it is mended is not known.
    Unwatched,
    /// The service was taken out of the configuration.
    Removed,
    /// Its configuration was changed: what failed is not asked any more, or has not been seen to fail since.
    Changed,
}

impl Over {
    /// The word for it: `recovered`, `unwatched`, `removed`, `changed`.
    pub fn word(self) -> &'static str {
        match self {
            Over::Recovered => "recovered",
            Over::Unwatched => "unwatched",
            Over::Removed => "removed",
            Over::Changed => "changed",
        }
    }
}

/// One line of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When.
    pub at: Stamp,
    /// Of what kind.
    pub kind: StepKind,
    /// What, in words.
    pub text: String,
}

/// The kinds of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// Something was seen.
    Seen,
    /// Somebody, or a rule, wanted something.
    Decided,
    /// Something was begun.
    Done,
    /// Something came of it.
    Outcome,
}

impl StepKind {
    /// The word for it: `seen`, `decided`, `done`, `outcome`.
    pub fn word(self) -> &'static str {
        match self {
            StepKind::Seen => "seen",
            StepKind::Decided => "decided",
            StepKind::Done => "done",
            StepKind::Outcome => "outcome",
        }
    }
}

impl Incident {
    /// All steps that are kept, in order. After the first [`FIRST`] of them [`left_out`](Self::left_out) are missing.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.first.iter().chain(&self.last)
    }

    /// Adds a step.
    pub(super) fn step(&mut self, at: Stamp, kind: StepKind, text: impl Into<String>) {
        /// Of a longer text the rest is in the log.
        const LONGEST: usize = 1000;
        let mut text = text.into();
        if text.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.truncate(end);
            text.push('…');
        }
        let step = Step { at, kind, text };
        if self.first.len() < FIRST {
            return self.first.push(step);
        }
        if self.last.len() == LAST {
            self.last.remove(0);
            self.left_out = self.left_out.saturating_add(1);
        }
        self.last.push(step);
    }
}
