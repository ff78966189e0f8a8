//! Who carries messages to people at present, and what each courier has been given and not yet brought into safety.

use hinoban_action::Message;
use hinoban_journal::{Entry, Letter};
use hinoban_reading::Stamp;
use tokio::sync::mpsc;
use tokio::task::Id;

use crate::courier::Courier;
use crate::run::{Loop, Note};

/// Where messages to people go.
pub(crate) struct Post {
    messages: mpsc::UnboundedSender<(Stamp, Message)>,
    /// Whether the courier says when one is in safe hands.
    pub(crate) receipts: bool,
    /// The courier's task.
    courier: Id,
}

impl Loop {
    /// Gives messages to this courier from now on; the one before ends with what it has, and what it does not bring into
    /// safety comes to this one then.
    pub(crate) fn employ(&mut self, courier: Option<Box<dyn Courier>>) {
        self.post = courier.map(|mut courier| {
            let notes = self.notes.0.clone();
            let receipts = courier.receipts(Box::new(move |id| {
                let _ = notes.send(Note::Carried(id.to_owned()));
            }));
            let (messages, received) = mpsc::unbounded_channel();
            let notes = self.notes.0.clone();
            let trouble = Box::new(move |text| {
                let _ = notes.send(Note::Trouble(text));
            });
            let courier = self.couriers.spawn(async move { courier.carry(received, trouble).await }).id();
            Post { messages, receipts, courier }
        });
    }

    /// Gives a message to the courier, if there is one.
    pub(crate) fn post(&mut self, at: Stamp, message: Message) {
        let Some(post) = &self.post else { return };
        if post.receipts {
            self.handed.insert(message.id.clone(), post.courier);
        }
        let _ = post.messages.send((at, message));
    }

    /// A message is in safe hands.
    pub(crate) fn carried(&mut self, id: String) {
        self.handed.remove(&id);
        self.remember(Entry::Carried { id });
    }

    /// A courier has ended: what it had only in memory is given to the one who came after it.
    pub(crate) fn courier_ended(&mut self, courier: Id) {
        // Its last receipts come first: what has arrived must not leave again.
        while let Ok(note) = self.notes.1.try_recv() {
            self.note(note);
        }
        self.handed.retain(|_, with| *with != courier);
        self.pay();
    }

    /// Gives the courier what is owed to people and with nobody: by an earlier life, or by a courier that has ended. It
    /// leaves with the date it had, however long ago that is: what has been noticed is told. Without a courier that gives
    /// receipts it is owed no longer.
    pub(crate) fn pay(&mut self) {
        let owed: Vec<Letter> = self.journal.state().owed().cloned().collect();
        for Letter { id, at, from, reply_to, to, subject, body } in owed {
            if self.handed.contains_key(&id) {
                continue;
            }
            let kept = self.post.as_ref().is_some_and(|post| post.receipts);
            self.post(at, Message { id: id.clone(), from, reply_to, to, subject, body });
            if !kept {
                self.remember(Entry::Carried { id });
            }
        }
    }
}
