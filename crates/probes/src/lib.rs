//! The looks we ship: process, http, host, file, directory, fifo, filesystem, program, system, network.
//!
//! Each probe is built from plain options without any I/O, looks once when it is asked, and never changes what it
//! looks at. What is here today: [`process`] by pidfile or command line, [`port`] with its conversations and TLS, [`unix`] sockets,
//! [`ping`], [`url`],
//! [`file`](mod@file) with directories and named pipes, [`filesystem`], [`network`], [`program`], and [`system`].
#![deny(unsafe_code)] // but in `sys`

mod certificate;
mod clock;
pub mod digest;
mod elsewhere;
mod failure;
pub mod file;
pub mod filesystem;
mod mounts;
pub mod network;
mod node;
pub mod pidfile;
pub mod ping;
pub mod port;
mod proc;
pub mod process;
pub mod program;
mod resolve;
mod storm;
mod sums;
#[allow(unsafe_code)]
mod sys;
pub mod system;
pub mod tail;
mod tls;
pub mod unix;
pub mod url;

pub use file::FileProbe;
pub use filesystem::FilesystemProbe;
pub use network::NetworkProbe;
pub use ping::PingProbe;
pub use port::PortProbe;
pub use process::{MatchingProcess, PidfileProcess};
pub use program::ProgramProbe;
pub use system::SystemProbe;
pub use tail::FileContent;
pub use unix::UnixProbe;
pub use url::UrlProbe;
