//! Real servers, watched by the real binary as an administrator would have it: nginx falls in all the ways it can,
//! exim takes the mail, rsyslogd the log, and Monit's own command line asks.
//!
//! Everything runs on loopback, on free ports, in a folder of its own, and ends with its test. A test whose server is
//! not installed says that it passes over it; with `CI=true` it fails instead.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests may fail them, and say so

#[path = "../common/mod.rs"]
mod common;

mod servers;

mod authors_file;
mod beside_monit;
mod campaigns;
mod content;
mod crashes;
mod first;
mod foreign_client;
mod incidents;
mod mail;
mod operator;
mod page;
mod programs;
mod repair;
mod rules;
mod shadow;
mod state_file;
mod syslog;
mod unprivileged;
