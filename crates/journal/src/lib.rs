//! What must survive a restart: intents, incidents, metric history.
//!
//! Kept so far: which services are watched, what was being done, which failures people have been told of, and the
//! messages that nobody has taken charge of yet.
//!
//! The file is an append-only log, one JSON object a line. Each [`Entry`] is appended by one write(2) *before* what it
//! describes is acted on: the page cache survives `kill -9`, so nothing waits for the disk. Reading the log back is a
//! fold, [`State::apply`], which knows no file. At opening, and when [`Journal::compaction`] says so, the log is
//! replaced by the few entries that say the same.
//!
//! A line that the crash tore off is no damage. A file that is damaged otherwise, or is another program's, is never
//! written over: it is set aside under another name, and opening says so.
//!
//! ```
//! use hinoban_journal::{Entry, Journal};
//! # let folder = std::env::temp_dir().join(format!("hinoban-journal-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder).unwrap();
//! # let path = folder.join("state");
//! let (mut journal, state, notice) = Journal::open(&path)?;
//! assert!(notice.is_none() && state.monitored("httpd").is_none());
//! journal.append(&Entry::Monitoring { service: "httpd".into(), on: false, why: None })?;
//! drop(journal); // or kill -9
//!
//! let (_journal, state, _) = Journal::open(&path)?;
//! assert_eq!(state.monitored("httpd"), Some(false));
//! # std::fs::remove_dir_all(&folder).unwrap();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod compaction;
mod entry;
mod file;
pub mod history;
mod journal;
mod recovery;
mod state;

pub use compaction::{Compacted, Compaction};
pub use entry::{Branch, Entry, GivenUp, Hex, Known, Letter, Repairs};
pub use journal::{Journal, OpenError};
pub use state::{Failing, InFlight, State};
