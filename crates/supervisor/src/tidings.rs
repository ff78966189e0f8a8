//! Telling people: what they are to hear is in the journal together with what it tells, before it leaves.

use std::sync::Arc;

use hinoban_action::Message;
use hinoban_event::{Event, Fact};
use hinoban_journal::{Entry, Letter};
use hinoban_reading::Stamp;
use hinoban_scheduler::{Effect, Remembered};

use crate::run::Loop;

impl Loop {
    /// Tells everybody.
    pub(crate) fn tell(&mut self, event: Event) {
        match self.composed.iter().position(|id| *id == event.id) {
            Some(at) => drop(self.composed.swap_remove(at)),
            None => self.compose(&event, Vec::new(), Vec::new()),
        }
        for listener in &self.listeners {
            listener(&event);
        }
        let event = Arc::new(event);
        self.keep_event(&event);
        self.handle.publish(event);
    }

    /// Enters what the scheduler wants remembered. The beginning and the end of a failure are entered together with the
    /// message about them, by one write: people hear of both or, after a crash between, of both again with the same id.
    pub(crate) fn enter(&mut self, remembered: Remembered, following: &[Effect]) {
        let told = tells(&remembered, following).cloned();
        let Some(entry) = crate::carry::entry(remembered) else { return };
        if self.entered.front() == Some(&entry) {
            self.entered.pop_front();
            return;
        }
        match told {
            Some(event) => {
                let intended = intended(following);
                self.entered.extend(intended.iter().cloned());
                self.compose(&event, vec![entry], intended);
                self.composed.push(event.id);
            }
            None => self.remember(entry),
        }
    }

    /// Something is over: enters that together with the message about it. A crash between would have it told again by
    /// what the next life makes of it, under another id.
    pub(crate) fn conclude(&mut self, event: &Event, following: &[Effect]) {
        let mut entries = Vec::new();
        for (at, effect) in following.iter().enumerate() {
            match effect {
                Effect::Emit(_) | Effect::Look { .. } => {}
                Effect::Remember(Remembered::Done { .. } | Remembered::Monitoring { .. }) => {
                    entries.extend(remembered(effect));
                }
                // Unless people hear of it by a message of its own.
                Effect::Remember(ends @ Remembered::Recovered { .. })
                    if tells(ends, &following[at..]).is_none() =>
                {
                    entries.extend(remembered(effect));
                }
                _ => break,
            }
        }
        self.entered.extend(entries.iter().cloned());
        self.compose(event, Vec::new(), entries);
        self.composed.push(event.id);
    }

    /// Sends the messages that this event is worth, having entered them after `entries` and before `after`.
    fn compose(&mut self, event: &Event, mut entries: Vec<Entry>, after: Vec<Entry>) {
        let deliveries = self.incidents.handle(event);
        let mut messages = Vec::new();
        for delivery in deliveries {
            let Some(post) = &self.post else { continue };
            let hinoban_incident::Delivery { id, from, reply_to, to, subject, body } = delivery;
            let message = Message { id, from, reply_to, to, subject, body };
            entries = self.with_id(entries, event, &message.id);
            if post.receipts {
                entries.push(Entry::Owed(Box::new(letter(event.at, &message))));
            }
            messages.push(message);
        }
        entries.extend(after);
        self.remember_all(&entries);
        for message in messages {
            self.post(event.at, message);
        }
    }

    /// A failure that people hear of says by which message.
    fn with_id(&self, mut entries: Vec<Entry>, event: &Event, id: &str) -> Vec<Entry> {
        let Fact::Failed(failure) = &event.fact else { return entries };
        match entries.first_mut() {
            Some(Entry::Failed { message_id, .. }) => *message_id = Some(id.to_owned()),
            _ => {
                let (rule, class, since) = (failure.rule, failure.class, failure.since);
                let known = self.journal.state().failure(&event.service, rule, class);
                let condition = known.and_then(|failing| failing.condition.clone());
                let (service, message_id) = (event.service.clone(), Some(id.to_owned()));
                entries.push(Entry::Failed { service, rule, class, since, message_id, condition });
            }
        }
        entries
    }
}

/// The program that a rule is to run because of what has just happened, if one is. It is entered with that: a crash
/// between would leave a failure that is known, and for which nothing is run any more.
fn intended(following: &[Effect]) -> Vec<Entry> {
    let intent = following.first().filter(|e| matches!(e, Effect::Remember(Remembered::Reaction { .. })));
    intent.and_then(remembered).into_iter().collect()
}

fn remembered(effect: &Effect) -> Option<Entry> {
    match effect {
        Effect::Remember(remembered) => crate::carry::entry(remembered.clone()),
        _ => None,
    }
}

/// The event among these effects that tells what is to be remembered.
fn tells<'a>(remembered: &Remembered, effects: &'a [Effect]) -> Option<&'a Event> {
    effects.iter().find_map(|effect| {
        let Effect::Emit(event) = effect else { return None };
        let same = match (remembered, &event.fact) {
            (Remembered::Failed { service, rule, class, .. }, Fact::Failed(f)) => {
                **service == *event.service && (*rule, *class) == (f.rule, f.class)
            }
            (Remembered::Recovered { service, rule, class }, Fact::Recovered(r)) => {
                **service == *event.service && (*rule, *class) == (r.rule, r.class)
            }
            // That something was given up is never known without having been told.
            (Remembered::Repairs { service, repairs }, Fact::GaveUp { times, .. }) => {
                let same = repairs.gave_up.as_ref().is_some_and(|given_up| given_up.times == *times);
                **service == *event.service && same
            }
            (Remembered::Repairs { service, repairs }, Fact::Held { .. }) => {
                **service == *event.service && repairs.held.is_some()
            }
            _ => false,
        };
        same.then_some(event)
    })
}

fn letter(at: Stamp, message: &Message) -> Letter {
    let Message { id, from, reply_to, to, subject, body } = message.clone();
    Letter { id, at, from, reply_to, to, subject, body }
}
