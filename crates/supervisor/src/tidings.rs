//! Telling people: what they are to hear is in the journal together with what it tells, before it leaves.

use std::sync::Arc;

use hinoban_action::Message;
use hinoban_event::{Doing, Event, Fact};
use hinoban_journal::{Entry, Letter};
use hinoban_reading::Stamp;
use hinoban_scheduler::{Effect, Remembered};

use crate::run::Loop;

impl Loop {
    /// Tells everybody.
    pub(crate) fn tell(&mut self, event: Event) {
        match self.composed.iter().position(|id| *id == event.id) {
            Some(at) => drop(self.composed.swap_remove(at)),
            None => self.compose(&event, None, None),
        }
        for listener in &self.listeners {
            listener(&event);
        }
        self.handle.publish(Arc::new(event));
    }

    /// Enters what the scheduler wants remembered. The beginning and the end of a failure are entered together with the
    /// message about them, by one write: people hear of both or, after a crash between, of both again with the same id.
    pub(crate) fn enter(&mut self, remembered: Remembered, following: &[Effect]) {
        let told = tells(&remembered, following).cloned();
        let Some(entry) = crate::carry::entry(remembered) else { return };
        match told {
            Some(event) => {
                self.compose(&event, Some(entry), intended(following));
                self.composed.push(event.id);
            }
            None => self.remember(entry),
        }
    }

    /// Sends the messages that this event is worth, having entered them, `entry` and `intent`.
    fn compose(&mut self, event: &Event, entry: Option<Entry>, intent: Option<Entry>) {
        let deliveries = self.incidents.handle(event);
        let mut entries: Vec<Entry> = entry.into_iter().collect();
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
        entries.extend(intent);
        self.remember_all(&entries);
        if let Some(post) = &self.post {
            for message in messages {
                let _ = post.messages.send((event.at, message));
            }
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

    /// Gives the courier what an earlier life owed to people. Without one that gives receipts it is owed no longer.
    pub(crate) fn pay(&mut self) {
        let owed: Vec<Letter> = self.journal.state().owed().cloned().collect();
        for Letter { id, at, from, reply_to, to, subject, body } in owed {
            match &self.post {
                Some(post) => {
                    let message = Message { id: id.clone(), from, reply_to, to, subject, body };
                    let _ = post.messages.send((at, message));
                    if !post.receipts {
                        self.remember(Entry::Carried { id });
                    }
                }
                None => self.remember(Entry::Carried { id }),
            }
        }
    }
}

/// The program that a rule is to run because of what has just happened, if one is. It is entered with that: a crash
/// between would leave a failure that is known, and for which nothing is run any more.
fn intended(following: &[Effect]) -> Option<Entry> {
    match following.first()? {
        Effect::Remember(intent @ Remembered::Intent { doing: Doing::Exec, .. }) => {
            crate::carry::entry(intent.clone())
        }
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
            _ => false,
        };
        same.then_some(event)
    })
}

fn letter(at: Stamp, message: &Message) -> Letter {
    let Message { id, from, reply_to, to, subject, body } = message.clone();
    Letter { id, at, from, reply_to, to, subject, body }
}
