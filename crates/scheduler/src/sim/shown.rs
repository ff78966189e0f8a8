//! What the machine wants, as a timeline shows it.

use hinoban_event::Fact;

use super::World;
use crate::{Effect, Remembered};

/// An effect in a few words; looks are not shown.
pub(super) fn shown(world: &World, effect: &Effect) -> Option<String> {
    Some(match effect {
        Effect::Look { .. } => return None,
        Effect::Act { intent, service, act, .. } => {
            let name = world.scheduler.service(*service).map(|s| s.name.clone()).unwrap_or_default();
            format!("ACT {act:?} {name} ({intent})")
        }
        Effect::Emit(event) => match &event.fact {
            Fact::Failed(f) => {
                format!("{} fails: rule {} {:?} ({})", event.service, f.rule, f.class, f.times)
            }
            Fact::Doubted(f) => format!("{} is doubted: rule {}", event.service, f.rule),
            Fact::Recovered(r) => format!("{} recovers: rule {}", event.service, r.rule),
            Fact::Began { doing, .. } => format!("{}: {doing:?} began", event.service),
            Fact::Ended { doing, ok, report, .. } => {
                format!(
                    "{}: {doing:?} ended, ok: {ok} {}",
                    event.service,
                    report.trouble.as_deref().unwrap_or("")
                )
            }
            fact => format!("{}: {fact:?}", event.service),
        },
        Effect::Remember(entry) => match entry {
            Remembered::Intent { intent, doing, whole, by, part_of, .. } => {
                let part = part_of.as_ref().map(|of| format!(", a part of that of {of}")).unwrap_or_default();
                format!("intent {intent} {doing:?} of {whole:?} by {by:?}{part}")
            }
            Remembered::Reaction { intent, .. } => format!("reaction {intent}"),
            Remembered::Done { intent, .. } => format!("done {intent}"),
            Remembered::Monitoring { service, on, .. } => format!("{service} watched: {on}"),
            Remembered::Failed { .. } | Remembered::Recovered { .. } => return None,
            entry => format!("{entry:?}"),
        },
    })
}
