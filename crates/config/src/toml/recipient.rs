//! Who is told of what, and in what form.

use ::toml::de::DeValue;

use super::reader::{Fields, Item, Reader};
use crate::{Events, MailFormat, Recipient};

const EXAMPLE: &str =
    "{ address = \"admin@example.com\", events = [\"nonexist\", \"timeout\"], reminder = 10 }";

impl Reader<'_> {
    /// An address, or `{ address, events, not-events, reminder, format }`.
    pub(super) fn recipient(&mut self, item: &Item<'_>) -> Option<Recipient> {
        let DeValue::Table(table) = item.value else {
            let address = self.mail_address(item)?.to_owned();
            return Some(Recipient { place: self.place(item.span.clone()), ..Recipient::new(address) });
        };
        let mut fields = Fields::new("a recipient", table, item.span.clone());
        let (address, reminder) = (fields.take("address"), fields.take("reminder"));
        let (events, others) = (fields.take("events"), fields.take("not-events"));
        let format = fields.take("format");
        self.close(fields);
        let reminder = match reminder {
            Some(item) => Some(self.whole(&item, 1..i64::from(u32::MAX))? as u32),
            None => None,
        };
        let events = match (events, others) {
            (Some(_), Some(others)) => {
                let message = "a recipient has either `events` or `not-events`";
                self.error(others.span, message, "the one names what is told, the other what is not");
                return None;
            }
            (Some(item), None) => self.events(&item)?,
            (None, Some(item)) => self.events(&item)?.others(),
            (None, None) => Events::ALL,
        };
        let format = match format {
            Some(item) => Some(Box::new(self.mail_format(&item, "the `format` of a recipient")?)),
            None => None,
        };
        let Some(address) = address else {
            self.missing(item.span.clone(), "this recipient has no `address`", EXAMPLE);
            return None;
        };
        let place = self.place(address.span.clone());
        let address = self.mail_address(&address)?.to_owned();
        Some(Recipient { address, events, format, reminder, place })
    }

    /// Names of classes of events; none is nothing.
    fn events(&mut self, item: &Item<'_>) -> Option<Events> {
        let mut events = Events::NONE;
        let mut sound = true;
        for item in item.list() {
            match self.word(&item, &Events::NAMES) {
                Some(_) => {
                    let DeValue::String(name) = item.value else { continue };
                    events = events.and(Events::named(name).unwrap_or(Events::NONE));
                }
                None => sound = false,
            }
        }
        sound.then_some(events)
    }

    /// `{ from, reply-to, subject, message }`.
    pub(super) fn mail_format(&mut self, item: &Item<'_>, what: &str) -> Option<MailFormat> {
        const HELP: &str = "format = { from = \"Hinoban <hinoban@$HOST>\", subject = \"$SERVICE: $EVENT\" }";
        let mut fields = self.fields(item, what, HELP)?;
        let [from, reply_to, subject, message] =
            ["from", "reply-to", "subject", "message"].map(|key| fields.take(key));
        self.close(fields);
        let mut format = MailFormat::default();
        for (item, slot) in [(from, &mut format.from), (reply_to, &mut format.reply_to)] {
            if let Some(item) = item {
                *slot = Some(self.one_line(&item, "an address", "\"Hinoban <hinoban@$HOST>\"")?.to_owned());
            }
        }
        if let Some(item) = subject {
            format.subject = Some(match item.value {
                DeValue::String(text) if text.is_empty() => String::new(),
                _ => self.one_line(&item, "a subject", "\"$SERVICE on $HOST: $EVENT\"")?.to_owned(),
            });
        }
        if let Some(item) = message {
            format.message = Some(match item.value {
                DeValue::String(text) => text.clone().into_owned(),
                _ => self.text(&item, "a text", "\"\"\"$EVENT: $DESCRIPTION\"\"\"")?.to_owned(),
            });
        }
        Some(format)
    }

    /// A text without control characters: it becomes a line of the head of a message.
    fn one_line<'d>(&mut self, item: &Item<'d>, expected: &str, example: &str) -> Option<&'d str> {
        let text = self.text(item, expected, example)?;
        if text.contains(char::is_control) {
            let message = format!("`{}` holds a control character", item.key);
            self.error(item.span.clone(), message, "it is one line of the head of a message");
            return None;
        }
        Some(text)
    }
}
