//! Short conversations that show whether a server is alive, over any `AsyncRead + AsyncWrite`.
//!
//! Nothing here opens a connection, waits for a clock or decides whether an answer is good: the caller brings the
//! stream and its own deadline, and judges what comes back. Memory is bounded whatever the peer sends.
#![forbid(unsafe_code)]

pub mod http;
