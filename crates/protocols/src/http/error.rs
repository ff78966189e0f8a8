use std::fmt;
use std::io;

/// Why there is no usable answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer closed the connection before the answer (or the asked part of it) was complete.
    #[error("HTTP: Error receiving data -- {}", if *.received == 0 {
        "the server closed the connection without an answer".to_owned()
    } else {
        format!("the server closed the connection in the middle of its answer, after {received} bytes")
    })]
    Closed {
        /// Bytes received before the end.
        received: usize,
    },
    /// The peer reset the connection.
    #[error("HTTP: Error receiving data -- Connection reset by peer")]
    Reset,
    /// The answer does not begin with an HTTP status line.
    #[error("HTTP error: Cannot parse HTTP status in response: {line}")]
    NotHttp {
        /// The first line as received, made printable and cut to 128 characters.
        line: String,
    },
    /// The header or the framing of the body breaks the rules of RFC 9112.
    #[error("HTTP error: {0}")]
    Malformed(String),
    /// A part of the answer is longer than allowed.
    #[error("HTTP error: {part} of the answer is longer than {limit} bytes")]
    TooLong {
        /// Which part.
        part: Part,
        /// The limit it passed.
        limit: usize,
    },
    /// Reading or writing failed for another reason; errors of a TLS stream arrive here.
    #[error("HTTP: Error receiving data -- {0}")]
    Io(#[source] io::Error),
}

/// The parts of an answer that have a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// One line: the status line, a header field, a chunk's size.
    Line,
    /// The status line and all header fields together.
    Header,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Line => "a line",
            Part::Header => "the header",
        })
    }
}

impl Error {
    /// Sorts an error of the stream; `received` is what had come before it.
    pub(super) fn of_stream(error: io::Error, received: usize) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
                Error::Reset
            }
            // A TLS stream that ends without close_notify says so in this way.
            io::ErrorKind::UnexpectedEof => Error::Closed { received },
            _ => Error::Io(error),
        }
    }
}
