//! Who hears of what: `alert`, `noalert` and `mail-format`.

use hinoban_config::{Events, MailFormat as Format, Recipient};

use super::{Parse, Parser};
use crate::keyword::Keyword::*;
use crate::token::{Kind, Value};

impl Parser<'_> {
    /// What follows `alert`, of a service or of all: `ADDRESS [[not] {EVENT …}] [mail-format {…}] [reminder N]`, in this order.
    pub(super) fn recipient(&mut self) -> Parse<Recipient> {
        let mut recipient = self.addressee()?;
        let not = self.eat(Not);
        if not || self.token.kind == Kind::Open {
            let events = self.events()?;
            recipient.events = if not { events.others() } else { events };
        }
        if self.eat(MailFormat) {
            recipient.format = Some(Box::new(self.mail_format()?));
        }
        if self.eat(Reminder) {
            let n = self.int("a number of cycles")?;
            recipient.reminder = u32::try_from(n).ok().filter(|n| *n > 0);
            self.eat(Cycle);
        }
        match self.token.kind {
            Kind::Open | Kind::Key(Not | MailFormat) => {
                self.refuse("the order is fixed: events, then mail-format, then reminder, each once")
            }
            Kind::Key(Repeat) => {
                self.refuse("a mail is repeated by 'reminder': alert a@b with reminder on 5 cycles")
            }
            Kind::Mail => self.refuse("each address has an 'alert' of its own"),
            _ => Ok(recipient),
        }
    }

    /// What follows `noalert`: somebody who hears of nothing.
    pub(super) fn spared(&mut self) -> Parse<Recipient> {
        let recipient = self.addressee()?;
        if self.token.kind == Kind::Open || self.at(Not) {
            return self.refuse(
                "'noalert' takes no events: it means all; to leave some out, write alert a@b not {timeout}",
            );
        }
        Ok(Recipient { events: Events::NONE, ..recipient })
    }

    fn addressee(&mut self) -> Parse<Recipient> {
        let token = self.token.clone();
        match token.kind {
            Kind::Mail => {}
            Kind::Quoted => return self.refuse("write the address without quotes"),
            Kind::Word if !crate::trap::is_blank(self.raw(&token)) => {
                let word = self.text(&token).to_owned();
                return self
                    .refuse(format!("an address has an @: {word}@localhost reaches '{word}' of this host"));
            }
            _ => return self.unexpected(&["a mail address"]),
        }
        self.take();
        let place = self.place(&token);
        Ok(Recipient { place, ..Recipient::new(self.text(&token)) })
    }

    /// `{EVENT …}`: at least one.
    fn events(&mut self) -> Parse<Events> {
        if self.token.kind != Kind::Open {
            return self.unexpected(&["{"]);
        }
        self.take();
        let mut events = Events::NONE;
        loop {
            if self.token.kind == Kind::Close && events != Events::NONE {
                self.take();
                return Ok(events);
            }
            let word = self.raw(&self.token).to_ascii_lowercase();
            let name = match word.as_str() {
                "fsflag" => "fsflags",
                "perm" => "permission",
                "time" => "timestamp",
                "exists" => "exist",
                "nonexists" => "nonexist",
                "execute" => "exec",
                other => other,
            };
            match Events::named(name).filter(|_| self.key().is_some()) {
                Some(event) => events = events.and(event),
                None => {
                    let mut names: Vec<&str> = Events::NAMES.iter().map(|(name, _)| *name).collect();
                    if events != Events::NONE {
                        names.push("}");
                    }
                    return self.unexpected(&names);
                }
            }
            self.take();
        }
    }

    /// `{FIELD: …}`, at least one; the last of each counts.
    pub(super) fn mail_format(&mut self) -> Parse<Format> {
        const FIELDS: [&str; 4] = ["from:", "reply-to:", "subject:", "message:"];
        if self.token.kind != Kind::Open {
            return self.unexpected(&["{"]);
        }
        self.take();
        let mut format = Format::default();
        let mut any = false;
        while !(any && self.token.kind == Kind::Close) {
            if self.token.kind != Kind::MailField {
                return self.field_expected(any, &FIELDS);
            }
            let token = self.take();
            let name = self.raw(&token).split(':').next().unwrap_or_default().to_ascii_lowercase();
            let Value::Text(text) = token.value else { continue };
            match name.as_str() {
                "from" => format.from = Some(text),
                "reply-to" => format.reply_to = Some(text),
                "subject" => format.subject = Some(text),
                _ => format.message = Some(text),
            }
            any = true;
        }
        self.take();
        Ok(format)
    }

    fn field_expected<T>(&mut self, any: bool, fields: &[&str]) -> Parse<T> {
        let word = self.raw(&self.token).to_ascii_lowercase();
        if fields.iter().any(|field| field.trim_end_matches(':') == word) {
            return self.refuse(format!("the colon stands directly behind the word: {word}: …"));
        }
        let mut expected = fields.to_vec();
        if any {
            expected.push("}");
        }
        self.unexpected(&expected)
    }
}
