//! What to watch and what to do about it: plain data, its units, its TOML form, and every mistake in it at once with
//! line and column.
//!
//! [`Config`] is the one model; a TOML file and a Monit control file (crate `hinoban-monitrc`) both become it. Loading
//! asks the world only through [`Surroundings`], so that it can be tested without one.
#![forbid(unsafe_code)]

mod advice;
mod depends;
mod diagnostic;
mod model;
mod pattern;
mod place;
mod secret;
pub mod spelling;
mod surroundings;
pub mod toml;
pub mod units;

pub use diagnostic::{Loaded, Mistake, Mistakes, Severity};
pub use model::{
    Allow, BUFFER, Branch, Budget, Change, Condition, Config, Cron, Dialect, Expect, Facility, Family, Files,
    Found, HISTORY, HttpTest, Ignore, Kind, Link, Listen, LogTarget, MONIT_BUFFER, Mail, MailServer, MailTls,
    Method, Mode, Never, OnReboot, Operator, Options, Patience, PortTest, Prerequisite, Program, Protocol,
    Rate, Recipient, Rule, Service, Speech, Test, Then, Tls, Turns, UrlTest, User, Web,
};
pub use pattern::Pattern;
pub use place::{Place, Source, Sources};
pub use secret::Secret;
pub use surroundings::{NoSurroundings, Surroundings};
