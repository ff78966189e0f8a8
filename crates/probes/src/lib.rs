//! The looks we ship: process, http, host, file, directory, fifo, filesystem, program, system, network.
//!
//! Each probe is built from plain options without any I/O, looks once when it is asked, and never changes what it
//! looks at. What is here today: [`process`] by pidfile or command line, [`port`] with HTTP and TLS, [`url`],
//! [`file`](mod@file) with directories and named pipes, [`filesystem`], [`network`], [`program`], and [`system`].
#![deny(unsafe_code)] // but in `sys`

mod clock;
mod elsewhere;
mod failure;
pub mod file;
pub mod filesystem;
mod mounts;
pub mod network;
mod node;
pub mod pidfile;
pub mod port;
mod proc;
pub mod process;
pub mod program;
mod storm;
mod sums;
#[allow(unsafe_code)]
mod sys;
pub mod system;
pub mod tail;
mod tls;
pub mod url;

pub use file::FileProbe;
pub use filesystem::FilesystemProbe;
pub use network::NetworkProbe;
pub use port::PortProbe;
pub use process::{MatchingProcess, PidfileProcess};
pub use program::ProgramProbe;
pub use system::SystemProbe;
pub use tail::FileContent;
pub use url::UrlProbe;
