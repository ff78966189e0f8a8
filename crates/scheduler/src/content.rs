//! Rules about content: what was written into a file since the look before, or what a program printed.
//!
//! What a look found is kept until its rule has been asked, and told once: looks before their turn may come many times in a
//! cycle, and while something is being done to the service no rule is asked. Of the looks before their turn the first one
//! with something to tell does so at once; what the others find waits for the turn. So a log that is full of errors brings
//! two messages in a cycle, and not one for each line. A rule with a rate counts whole cycles.

use hinoban_config::{Condition, Rate, Service};
use hinoban_reading::{Now, Observation, Value, metrics};

use crate::ServiceId;
use crate::machine::{Out, Scheduler};
use crate::watched::Watched;

/// What stands where more was found than is kept.
const MORE: &str = "...\n";

/// What was found for one rule.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard {
    /// Not told yet …
    text: String,
    /// … and whether the rule fails by it.
    hit: bool,
    /// A look has had something to say since the last turn, if only that there is nothing.
    fresh: bool,
    /// Something was told since the last turn.
    told: bool,
    /// What the next look finds was written while nobody watched.
    deaf: bool,
    /// By what it was judged last; an empty text if it held, except for what a program printed.
    pub(crate) judged: Option<(Box<str>, bool)>,
}

/// Whether a reading is what a program printed, and not lines of a file.
pub(crate) fn is_output(metric: &str) -> bool {
    *metric == *metrics::OUTPUT.name
}

/// What was found for each rule of a service. Few have any, so it takes them one word.
#[derive(Debug)]
pub(crate) struct Contents(Box<[Heard]>);

/// Room for what is heard for the rules of a service; none if none is about content.
pub(crate) fn room(service: &Service) -> Option<Box<Contents>> {
    let any = service.rules.iter().any(|rule| matches!(rule.when, Condition::Content { .. }));
    any.then(|| Box::new(Contents(vec![Heard::default(); service.rules.len()].into())))
}

impl Heard {
    fn add(&mut self, found: &str, hit: bool, output: bool, room: usize) {
        self.fresh = true;
        match output {
            // The newest, but not in place of one that is still to be told.
            true if hit || !self.hit => self.text = found.to_owned(),
            true => {}
            false if self.text.len() < room => self.text.push_str(found),
            false if hit && !self.text.ends_with(MORE) => self.text.push_str(MORE),
            false => {}
        }
        self.hit |= hit;
    }
}

impl Watched {
    /// By what a rule about content was judged last, and whether it failed.
    pub(crate) fn content(&self, rule: usize) -> Option<(&str, bool)> {
        let (text, failed) = self.contents.as_ref()?.0.get(rule)?.judged.as_ref()?;
        Some((text, *failed))
    }

    /// Takes note of what a look found.
    pub(crate) fn hear(&mut self, seen: &Observation) {
        let Some(contents) = &mut self.contents else { return };
        let room = usize::try_from(self.service.buffer).unwrap_or(usize::MAX);
        for (rule, heard) in self.service.rules.iter().zip(&mut contents.0) {
            let Condition::Content { metric, pattern, fails_on_match } = &rule.when else { continue };
            let Some(Value::Text(found)) = seen.get(metric) else { continue };
            let output = is_output(metric);
            if std::mem::take(&mut heard.deaf) && !output {
                heard.fresh = true;
                continue;
            }
            let hit = match output {
                true => pattern.is_match(found) == *fails_on_match,
                false => !found.is_empty(),
            };
            heard.add(found, hit, output, room);
        }
    }

    /// Forgets what was found: nobody watched, or nobody does any more. Nor is what is written until then told afterwards.
    pub(crate) fn forget_content(&mut self) {
        for heard in self.contents.iter_mut().flat_map(|contents| &mut contents.0) {
            *heard = Heard { deaf: true, ..Heard::default() };
        }
    }

    /// Keeps what its rules, which stand elsewhere now, were judged by. What they were not told yet is read anew.
    pub(crate) fn follow_content(&mut self, other: Option<Box<Contents>>, found: &[Option<usize>]) {
        let Some(contents) = &mut self.contents else { return };
        for (heard, at) in other.into_iter().flat_map(|other| other.0).zip(found) {
            if let Some(new) = at.and_then(|at| contents.0.get_mut(at)) {
                new.judged = heard.judged;
            }
        }
    }
}

impl Scheduler {
    /// Judges a rule about content by what was found since it was judged last.
    pub(crate) fn judge_content(&mut self, now: Now, i: usize, rule: usize, early: bool, out: &mut Out) {
        let watched = &mut self.services[i];
        let fail = &watched.service.rules[rule].fail;
        let at_once = fail.rate == Rate::ONCE && fail.lasting.is_none();
        let Some(heard) = watched.contents.as_mut().and_then(|contents| contents.0.get_mut(rule)) else {
            return;
        };
        if early && !(at_once && heard.hit && !heard.told) {
            return;
        }
        let fresh = std::mem::take(&mut heard.fresh);
        heard.told = early;
        if !fresh {
            return;
        }
        let failed = std::mem::take(&mut heard.hit);
        heard.judged = Some((std::mem::take(&mut heard.text).into(), failed));
        self.sample(now, i, rule, failed, early, out);
    }

    /// Whether something was found in what this service looks at that no rule has been asked about: what its probe remembers
    /// must not be kept over a crash until it has been told.
    pub fn withholds(&self, id: ServiceId) -> bool {
        let watched = self.position(id).map(|i| &self.services[i]);
        watched
            .and_then(|w| w.contents.as_ref())
            .is_some_and(|contents| contents.0.iter().any(|heard| heard.hit))
    }
}
