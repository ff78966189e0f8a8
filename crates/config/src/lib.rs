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
mod unhonoured;
pub mod units;

pub use diagnostic::{Loaded, Mistake, Mistakes, Severity};
pub use model::{
    Algorithm, Allow, ApacheStatus, BUFFER, Body, Branch, Budget, Change, Collector, Condition, Config, Cron,
    Dialect, Digest, Entries, Events, Expect, Facility, Family, Files, Found, HISTORY, HttpTest, Ignore,
    Kind, Limits, Link, Listen, LogTarget, MONIT_BUFFER, Mail, MailFormat, MailServer, MailTls, Method, Mode,
    Never, OnReboot, Operator, Options, PasswordFile, Patience, PingTest, Plain, PortTest, Prerequisite,
    Program, Protocol, Rate, Recipient, ResponseTime, Rule, Scoreboard, Service, Speech, Step, Test, Then,
    Tls, TlsVersions, Transport, Turns, UnixTest, UrlTest, User, Web, Websocket,
};
pub use pattern::Pattern;
pub use place::{Place, Source, Sources};
pub use secret::Secret;
pub use surroundings::{NoSurroundings, Surroundings};
