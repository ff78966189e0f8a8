//! What was seen, in words. Sentences that scripts read are Monit's under a control file, byte for byte; what we know
//! beyond them follows as a detail. Under our own configuration they are the same where they are good.

mod change;
mod compare;
mod connection;
mod content;
mod existence;
mod figures;
mod limit;
mod link;
mod node;
mod outcome;
mod rule;

use hinoban_config::Dialect;
use jiff::tz::TimeZone;

pub(crate) use change::{Changed, change, matched};
pub(crate) use compare::{Compared, compare, known_name, name_of, unit_of};
pub(crate) use connection::test;
pub(crate) use content::{Content, content};
pub(crate) use existence::{detail, existence, is_there, is_wrong_type, wrong_type};
pub(crate) use limit::{given_up, happened, limit, word};
pub(crate) use link::link;
pub(crate) use node::{Differing, attribute, differing};
pub(crate) use outcome::{cut, outcome, status_changed};
pub(crate) use rule::{often, rule};

/// In which words things are told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tongue<'a> {
    pub(crate) dialect: Dialect,
    /// In which times are told.
    pub(crate) zone: &'a TimeZone,
}
