//! The Hinoban daemon and its command line.
//!
//! `flags` says what was typed, `load` finds and reads the configuration, `verbs` does what was asked for; without a
//! verb that is `run`: the daemon. `daemon` and `pidfile` make it one, `surroundings` answers what loading asks of the
//! world. Nothing here knows a wire format.
#![deny(unsafe_code)]

mod constants;
mod convert;
mod daemon;
mod demo;
mod first;
mod flags;
mod fold;
mod getopt;
mod identity;
mod load;
mod local;
mod manager;
mod names;
mod pages;
mod pidfile;
mod places;
mod procmatch;
mod reach;
mod run;
mod shadow;
mod signals;
mod simulate;
mod sums;
mod surroundings;
#[allow(unsafe_code)] // invariant 10: the only place
mod sys;
mod terminal;
mod timeline;
mod verbs;
mod voice;
mod zone;

fn main() -> std::process::ExitCode {
    verbs::obey(std::env::args_os())
}
