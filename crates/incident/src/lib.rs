//! What is one failure, and who should hear of it. `now` in, deliveries out.
//!
//! [`Incidents`] reads events one by one and gives the messages to be sent because of each. It decides nothing about
//! services and sends nothing: whoever calls hands each [`Delivery`] to a channel, which may try it again as often as
//! it needs, for its id stays the same.
//!
//! One failure is one message, however often it is seen again; its end is one more. Whoever asked for reminders gets
//! the failure again at each so-many-th look. What the configuration says nothing is to be done about, nobody hears of.
//!
//! Under a control file, subject and the upper part of the body are byte for byte what Monit 5.33 sends by default,
//! for filters and programs read them. Below its signature comes our own account of what happened; under our own
//! configuration the account is the body.
//!
//! There is no clock here: times are those of the events, shown in the time zone given in [`Options`].
#![forbid(unsafe_code)]

mod account;
mod form;
mod incidents;
mod letter;
mod words;

pub use incidents::Incidents;

use std::collections::HashMap;

use hinoban_config::{Config, Dialect, MailFormat, Recipient};
use jiff::tz::TimeZone;

/// What does not change from message to message.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whose form the messages have.
    pub dialect: Dialect,
    /// Name of the system service: what messages call this host.
    pub host: String,
    /// Who is told of everything.
    pub recipients: Vec<Recipient>,
    /// By the name of a service: who is told of it. Whoever is named here is not told of it as `recipients` say.
    pub local: HashMap<String, Vec<Recipient>>,
    /// What messages look like, unless whoever is told has a form of his own. What both leave out is ours: the sender is
    /// `monit@HOST` under a control file, `hinoban@HOST` otherwise.
    pub format: MailFormat,
    /// The right half of message ids; `None`: `host`.
    pub mail_host: Option<String>,
    /// In which zone people read times. Only our own accounts name it; Monit's form does not.
    pub zone: TimeZone,
}

impl Options {
    /// What this configuration says. `host` is the name of its system service, `zone` where its readers are.
    pub fn of(config: &Config, host: &str, zone: TimeZone) -> Self {
        let named = config.services.iter().filter(|service| !service.alerts.is_empty());
        Self {
            dialect: config.dialect,
            host: host.to_owned(),
            recipients: config.alerts.clone(),
            local: named.map(|service| (service.name.clone(), service.alerts.clone())).collect(),
            format: config.mail.format.clone(),
            mail_host: config.mail.hostname.clone(),
            zone,
        }
    }

    /// Who may hear of a service: whom it names itself, then everybody else who is told of all.
    pub fn hearers<'a>(&'a self, service: &str) -> impl Iterator<Item = &'a Recipient> {
        let own = self.local.get(service).map_or(&[][..], Vec::as_slice);
        let spoken_for =
            |all: &&Recipient| own.iter().all(|own| !own.address.eq_ignore_ascii_case(&all.address));
        own.iter().chain(self.recipients.iter().filter(spoken_for))
    }
}

/// A message to people, ready to be sent by any channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The same whenever the same event is told: `left@right`, without angle brackets.
    pub id: String,
    /// Who says it.
    pub from: String,
    /// Where answers go, if not there.
    pub reply_to: Option<String>,
    /// To whom; never empty.
    pub to: Vec<String>,
    /// One line.
    pub subject: String,
    /// Lines ended by `\n`; no control characters but these and tabs.
    pub body: String,
}
