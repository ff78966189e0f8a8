//! The changes that come with Hinoban: start, stop, restart, exec, mail and log.
//!
//! - [`Program`] runs a command without a shell, through a [`Spawner`] that keeps forking off the runtime's thread.
//! - [`Mailer`] makes one attempt to deliver a message; [`Post`] keeps messages until a server has taken them.
//! - [`Log`] writes lines to a terminal, a file and the syslog daemon, and never makes its caller wait.
//!
//! Nothing here reads the environment, the arguments or the clock: they come in with the options, the errand and the
//! event. Nothing here starts a task: whoever owns tasks awaits [`Program`]'s and [`Post`]'s futures. The spawner and
//! the log have a thread each, made when first needed, so that a daemon can fork into the background before.
#![deny(unsafe_code)]

mod local;
pub mod log;
pub mod mail;
pub mod program;
pub mod spawner;
#[allow(unsafe_code)] // invariant 10: the only place
mod sys;

pub use log::{Log, LogOptions, Target};
pub use mail::{Letter, MailOptions, Mailer, Post, PostOptions};
pub use program::{Program, ProgramOptions};
pub use spawner::{Spawner, SpawnerOptions};
pub use sys::groups_of;
