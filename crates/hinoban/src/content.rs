//! What rules look for in the lines of a file.

use hinoban_config::{Condition, Service};
use hinoban_probe::Probe;
use hinoban_probes::tail::Content;
use hinoban_probes::{FileContent, FileProbe};

/// The probe of a file: one that also reads what is written into it, if a rule of the service asks for that.
pub(crate) fn probe(service: &Service, file: FileProbe) -> Box<dyn Probe> {
    let rules = service.rules.iter().filter_map(|rule| match &rule.when {
        Condition::Content { pattern, fails_on_match, .. } => Some((pattern.clone(), *fails_on_match)),
        _ => None,
    });
    let mut rules = rules.peekable();
    if rules.peek().is_none() {
        return Box::new(file);
    }
    let ignore = service.ignore.iter().cloned();
    let content = ignore.fold(Content::new(service.buffer), |content, ignore| {
        content.ignore(move |line| ignore.pattern.is_match(line) == ignore.on_match)
    });
    let content = rules.fold(content, |content, (pattern, fails_on_match)| {
        content.rule(move |line| pattern.is_match(line) == fails_on_match)
    });
    Box::new(FileContent::new(file, content))
}
