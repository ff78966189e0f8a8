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
mod incidents;
mod letter;
mod words;

pub use incidents::Incidents;

use hinoban_config::{Dialect, Recipient};
use jiff::tz::TimeZone;

/// What does not change from message to message.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whose form the messages have.
    pub dialect: Dialect,
    /// Name of the system service: what messages call this host.
    pub host: String,
    /// Who is told.
    pub recipients: Vec<Recipient>,
    /// Sender, in which `$HOST` stands for `host`; `None`: `monit@HOST` under a control file, `hinoban@HOST` otherwise.
    pub from: Option<String>,
    /// The right half of message ids; `None`: `host`.
    pub mail_host: Option<String>,
    /// In which zone people read times. Only our own accounts name it; Monit's form does not.
    pub zone: TimeZone,
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
