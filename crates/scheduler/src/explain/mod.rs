//! Why a service stands as it does, in words: what was seen, what is waited for, why nothing is done about it, and what
//! would happen next.
//!
//! All of it is worked out when somebody asks, from what the scheduler keeps anyway. Programs are named by their paths:
//! their arguments may hold secrets.

mod next;
mod saw;
mod stands;
mod waits;
mod why;
mod words;

use std::fmt;

use hinoban_config::Recipient;
use hinoban_event::Class;
use hinoban_reading::{Moment, Now, Stamp};
use serde::Serialize;

use crate::machine::Scheduler;
use crate::watched::Watched;
use crate::{ServiceId, ServiceView, view, wording};

/// One service in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Its name.
    pub service: String,
    /// What there is to say, in the order in which people ask. None is empty.
    pub paragraphs: Vec<Paragraph>,
}

/// What a paragraph is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum About {
    /// What it is, how it stands, and since when.
    Standing,
    /// What its rules saw, and how far they are from failing.
    Rules,
    /// What is being done, and what is waited for.
    Waiting,
    /// Why nothing is done about what fails.
    Why,
    /// What would happen if it failed now.
    Next,
}

impl About {
    /// The same for people.
    pub fn heading(self) -> &'static str {
        match self {
            About::Standing => "How it stands",
            About::Rules => "What its rules see",
            About::Waiting => "What is being done, and waited for",
            About::Why => "Why nothing is done about it",
            About::Next => "What would happen next",
        }
    }
}

/// One question, and the answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Paragraph {
    /// What it is about.
    pub about: About,
    /// Whole sentences, each for itself. No control characters.
    pub sentences: Vec<String>,
}

impl Scheduler {
    /// Explains a service at `now`. `told` are those who hear of it, each of
    /// what it wants to hear. `None`: there is no such service.
    pub fn explain(&self, now: Now, service: ServiceId, told: &[Recipient]) -> Option<Explanation> {
        let i = self.position(service)?;
        let watched = &self.services[i];
        if watched.leaving {
            return None;
        }
        let mut view = view::view(watched, now, self.dialect, &self.zone);
        view.waits_for = self.waits_for(i);
        self.notes_gone(i, &mut view);
        let names = |of: Vec<usize>| of.into_iter().map(|at| self.services[at].name.clone()).collect();
        view.depends_on = names(self.ties.parents(i).to_vec());
        view.dependants = names(self.ties.descendants(i));
        let shut = self.is_shut(i) && watched.watching != crate::Watching::No;
        let scene = Scene { scheduler: self, watched, view, now, told, shut };
        let paragraphs =
            [stands::say(&scene), saw::say(&scene), waits::say(&scene), why::say(&scene), next::say(&scene)];
        let paragraphs = paragraphs.into_iter().filter(|paragraph| !paragraph.sentences.is_empty()).collect();
        Some(Explanation { service: watched.name.to_string(), paragraphs })
    }
}

/// What every paragraph is about.
struct Scene<'a> {
    scheduler: &'a Scheduler,
    watched: &'a Watched,
    view: ServiceView,
    now: Now,
    told: &'a [Recipient],
    /// Whether what it depends on is not well, so that nothing is made of what is seen of it.
    shut: bool,
}

impl Scene<'_> {
    /// A point in time as people say it: `14:02:11`, with the day where that is not today's.
    fn at(&self, stamp: Stamp) -> String {
        words::clock(stamp, self.now.stamp, &self.scheduler.zone)
    }

    /// The same with how long ago: `14:02:11, 5 min ago`.
    fn ago(&self, stamp: Stamp) -> String {
        format!("{}, {} ago", self.at(stamp), words::span(self.now.stamp.since(stamp)))
    }

    /// A moment on the wall clock.
    fn stamp(&self, moment: Moment) -> Stamp {
        let micros = |time: std::time::Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let ahead = micros(moment.since(self.now.moment)) - micros(self.now.moment.since(moment));
        Stamp::from_micros(self.now.stamp.micros().saturating_add(ahead))
    }

    /// A moment to come: `14:02:11 (in 12 s)`; what is over by now: `now`.
    fn until(&self, moment: Moment) -> String {
        self.until_stamp(self.stamp(moment))
    }

    fn until_stamp(&self, stamp: Stamp) -> String {
        match stamp.since(self.now.stamp) {
            left if left.is_zero() => "now".to_owned(),
            left => format!("{} (in {})", self.at(stamp), words::span(left)),
        }
    }

    /// Who is told of such a thing, as the subject of a sentence; `None`: nobody is.
    fn told(&self, class: Class) -> Option<String> {
        let mut names: Vec<String> = Vec::new();
        for to in self.told.iter().filter(|to| to.events.has(class.bit())) {
            if !names.contains(&to.address) {
                names.push(to.address.clone());
            }
        }
        (!names.is_empty()).then(|| words::list(&names))
    }

    /// Why nothing can be seen of what this rule is about; `None`: it can.
    fn blind(&self, rule: usize) -> Option<&str> {
        self.watched.test(rule).unwrap_or(&self.watched.subject).not_seen.as_deref()
    }

    /// The command that asks for something.
    fn command(&self, word: &str) -> String {
        format!("`hinoban {word} {}`", wording::word(&self.watched.name))
    }
}

impl Paragraph {
    fn new(about: About, sentences: impl IntoIterator<Item = String>) -> Self {
        Self { about, sentences: sentences.into_iter().map(|text| words::sentence(&text)).collect() }
    }
}

impl fmt::Display for Explanation {
    /// For a terminal: the headings at the margin, a sentence on a line, long ones broken at 100 columns.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.service)?;
        for paragraph in &self.paragraphs {
            writeln!(f, "\n{}", paragraph.about.heading())?;
            for sentence in &paragraph.sentences {
                words::wrapped(f, sentence, 100)?;
            }
        }
        Ok(())
    }
}
