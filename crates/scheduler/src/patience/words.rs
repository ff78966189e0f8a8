//! What people read of repairs that are put off or given up.

use std::sync::Arc;
use std::time::Duration;

use hinoban_event::{Doing, Event, Fact};

use crate::wording;

/// How the sentence begins that stands among what was done for having given up.
pub(crate) const GAVE_UP: &str = "gave up";

/// What failed, how often it was tried, and what to do next.
pub(crate) fn given_up(event: &Event, doing: &Doing, made: u32, service: &str) -> String {
    let text = match &event.fact {
        Fact::Failed(failure) => failure.text.clone(),
        _ => event.description(),
    };
    let (past, word) = (past(doing), doing.word());
    let times = if made == 1 { "once".to_owned() } else { format!("{made} times") };
    format!(
        "{text} -- {past} {times} in vain; it is not {past} again until it is well, but looked at all the same; once it is \
         mended: hinoban {word} {}",
        wording::word(service)
    )
}

/// The same with the names of those that are down and wait for it, if there are any.
pub(crate) fn with_fallen(text: String, fallen: &[Arc<str>]) -> String {
    if fallen.is_empty() {
        return text;
    }
    let down = format!("; down, and waiting for it: {}", fallen.join(", "));
    let next = text.rfind("; once it is mended").unwrap_or(text.len());
    format!("{}{down}{}", &text[..next], &text[next..])
}

/// The same among what was done.
pub(crate) fn gave_up_after(doing: &Doing, made: u32) -> String {
    let s = if made == 1 { "" } else { "s" };
    format!("{GAVE_UP}: {made} {}{s} did not help", doing.word())
}

pub(crate) fn came_back(doing: &Doing) -> String {
    format!("came back by itself, without another {}", doing.word())
}

fn past(doing: &Doing) -> &'static str {
    match doing {
        Doing::Start => "started",
        _ => "restarted",
    }
}

/// A span as configurations write it, in its largest whole unit.
pub(crate) fn span(span: Duration) -> String {
    match span.as_secs() {
        0 => format!("{} ms", span.as_millis()),
        s if s % 3600 == 0 => format!("{} h", s / 3600),
        s if s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}
