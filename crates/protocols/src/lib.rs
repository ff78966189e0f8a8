//! Short conversations that show whether a server is alive, over any `AsyncRead + AsyncWrite`.
//!
//! Nothing here opens a connection: the caller brings the stream and its own deadline. [`http`] gives the answer to judge;
//! [`spoken`] and [`talk`] judge it themselves. Only [`talk`] waits for a clock: it has to notice that a peer has finished.
//! Memory is bounded whatever the peer sends.
#![forbid(unsafe_code)]

mod error;
pub mod http;
mod peer;
pub mod spoken;
pub mod talk;

pub use error::Error;
pub use spoken::Spoken;
