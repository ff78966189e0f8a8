//! Ask and command from outside: pages, JSON, metrics; `web::monit` speaks Monit's dialect, `web::client` is the command line's side of it.
//!
//! [`Web::bind`] opens the sockets, [`Web::run`] serves them until it is dropped. It asks and commands through
//! [`Backend`], which the supervisor's handle implements. Each connection is a task of its own with a deadline of its
//! own, so a slow client delays nobody (invariant 6).
//!
//! People get pages that need no script: what is wrong now and why, then everything, and on each service's own page what
//! its buttons would do. Programs get the same as JSON below `/api/v1/`.
//!
//! What other programs parse is Monit 5.33's, byte by byte: the documents of [`monit`], the status codes, the cookie
//! that guards a POST, the one line of an error page. Tools that poll Monit, and `monit` itself as a command line,
//! work against this server unchanged.
#![forbid(unsafe_code)]

mod access;
mod api;
mod asked;
mod assets;
mod backend;
mod basic;
pub mod client;
mod form;
mod listen;
pub mod monit;
mod network;
mod options;
mod origin;
mod page;
mod past;
mod refused;
mod reply;
mod routes;
mod serve;
mod standing;

pub use backend::Backend;
pub use options::{DIALECT, Listener, Options, User};
pub use refused::{Denial, Peer, Refused};
pub use serve::Web;
