//! What was seen, in words. Sentences that scripts read are Monit's under a control file, byte for byte; what we know
//! beyond them follows as a detail. Under our own configuration they are the same where they are good.

mod compare;
mod connection;
mod existence;
mod figures;
mod limit;
mod rule;

pub(crate) use compare::{Compared, compare, known_name, unit_of};
pub(crate) use connection::test;
pub(crate) use existence::{detail, existence, is_there, is_wrong_type, wrong_type};
pub(crate) use limit::{given_up, limit};
pub(crate) use rule::{rate, rule};
