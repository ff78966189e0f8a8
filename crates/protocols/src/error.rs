use std::io;

/// Why a conversation did not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer closed the connection before it had said what was waited for.
    #[error("the server closed the connection while {waited} was waited for")]
    Closed {
        /// What was waited for.
        waited: &'static str,
    },
    /// The peer reset the connection.
    #[error("Connection reset by peer")]
    Reset,
    /// Nothing came in time.
    #[error("no answer in time")]
    Silent,
    /// What came is not what a server in good order says.
    #[error("{waited} was waited for, and the server said: {said}")]
    Unexpected {
        /// What was waited for.
        waited: String,
        /// What came, made printable and cut to 128 characters.
        said: String,
    },
    /// A line or a message is longer than allowed.
    #[error("the answer is longer than {limit} bytes")]
    TooLong {
        /// The limit it passed.
        limit: usize,
    },
    /// Reading or writing failed for another reason; errors of a TLS stream arrive here.
    #[error("{0}")]
    Io(#[source] io::Error),
}

impl Error {
    /// Sorts an error of the stream.
    pub(crate) fn of_stream(error: io::Error, waited: &'static str) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
                Error::Reset
            }
            // A TLS stream that ends without close_notify says so in this way.
            io::ErrorKind::UnexpectedEof => Error::Closed { waited },
            _ => Error::Io(error),
        }
    }

    pub(crate) fn unexpected(waited: impl Into<String>, said: &[u8]) -> Self {
        Error::Unexpected { waited: waited.into(), said: printable(said) }
    }
}

/// Bytes as they may be shown: nothing that moves a terminal's cursor, at most 128 characters.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.trim_end().chars().take(128).map(|c| if c.is_control() { '.' } else { c }).collect()
}
