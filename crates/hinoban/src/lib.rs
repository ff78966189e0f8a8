//! The supervisor as a library: watches services, repairs them within milliseconds, and says why they fell.
//!
//! This crate re-exports the others and wires what ships with them: [`shipped`] is the one place where a kind in a
//! configuration meets its type. Everything can be had one by one as well.
//!
//! ```no_run
//! use hinoban::{NoSurroundings, Spawner, SpawnerOptions, Supervisor, config, shipped};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let text = r#"
//!     every = "30s"
//!     [service.httpd]
//!     pidfile = "/run/httpd.pid"
//!     start = "/etc/init.d/httpd start"
//! "#;
//! let config = config::toml::parse("hinoban.toml".as_ref(), text, &NoSurroundings)?.config;
//! let registry = shipped(Spawner::start(SpawnerOptions::default()));
//! let supervisor = Supervisor::builder(config, registry).listen(|event| println!("{}", event.line())).build()?;
//! supervisor.run().await?;
//! # Ok(()) }
//! ```
#![forbid(unsafe_code)]

mod connections;
mod content;
mod kinds;
mod log;
mod mail;
mod programs;

pub use hinoban_action as action;
pub use hinoban_actions as actions;
pub use hinoban_config as config;
pub use hinoban_event as event;
pub use hinoban_incident as incident;
pub use hinoban_journal as journal;
pub use hinoban_monitrc as monitrc;
pub use hinoban_probe as probe;
pub use hinoban_probes as probes;
pub use hinoban_protocols as protocols;
pub use hinoban_reading as reading;
pub use hinoban_scheduler as scheduler;
pub use hinoban_supervisor as supervisor;

pub use hinoban_actions::{Log, Spawner, SpawnerOptions};
pub use hinoban_config::NoSurroundings;
pub use hinoban_supervisor::{Ended, Handle, Registry, Supervisor};
pub use kinds::shipped;
pub use log::log;
pub use mail::courier;
