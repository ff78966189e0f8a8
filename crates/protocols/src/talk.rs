//! A conversation that somebody wrote down: texts to send, patterns that answers must match.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use std::time::Duration;
//! use hinoban_protocols::talk::{Matcher, Step, converse};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! let (mut client, mut server) = tokio::io::duplex(4096);
//! tokio::spawn(async move {
//!     let mut asked = [0; 64];
//!     let _ = server.read(&mut asked).await;
//!     let _ = server.write_all(b"+PONG\r\n").await;
//! });
//! let steps = [
//!     Step::Send(b"PING\r\n".to_vec()),
//!     Step::Expect(Matcher::new("PONG", |answer| answer.contains("PONG"))),
//! ];
//! converse(&mut client, &steps, Duration::from_secs(5), 256).await.expect("an answer");
//! # }
//! ```

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use crate::Error;

/// So long a peer is silent that has said all it wanted to.
const SILENCE: Duration = Duration::from_millis(200);

/// One step of a conversation.
#[derive(Debug, Clone)]
#[allow(clippy::exhaustive_enums)] // there is nothing else to do
pub enum Step {
    /// These bytes are sent.
    Send(Vec<u8>),
    /// What comes must match.
    Expect(Matcher),
}

impl Step {
    /// Sends this text, in which `\0x00` to `\0xff` stand for bytes, and nothing else stands for anything.
    pub fn send(text: &str) -> Self {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("\\0x") {
            let (before, escape) = rest.split_at(at);
            bytes.extend_from_slice(before.as_bytes());
            let digits = escape.get(3..5).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
            match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                Some(byte) => {
                    bytes.push(byte);
                    rest = &escape[5..];
                }
                None => {
                    bytes.extend_from_slice(&escape.as_bytes()[..3]);
                    rest = &escape[3..];
                }
            }
        }
        bytes.extend_from_slice(rest.as_bytes());
        Step::Send(bytes)
    }
}

/// Says whether a text is as wanted.
#[derive(Clone)]
pub struct Matcher {
    text: Arc<str>,
    matches: Arc<dyn Fn(&str) -> bool + Send + Sync>,
}

impl Matcher {
    /// What this function says; `text` is how people are shown what it looks for.
    pub fn new(text: &str, matches: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self { text: text.into(), matches: Arc::new(matches) }
    }

    /// Whether this text is as wanted.
    pub fn is_match(&self, text: &str) -> bool {
        (self.matches)(text)
    }

    /// What it looks for, as people are shown it.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Matcher").field(&self.text).finish()
    }
}

/// Holds the conversation. Each answer is read until the peer is silent for a fifth of a second, closes, or has sent
/// `buffer` bytes; what is beyond them is left for the next pattern. NULs are matched as `\0`, bytes beyond ASCII as
/// UTF-8 as far as that goes.
///
/// `wait` is the longest time for sending, and for the first byte of an answer; the answer is over a fifth of a second after
/// that at the latest, whether more is on its way or not.
///
/// # Errors
/// See [`Error`]; an answer that does not match is [`Error::Unexpected`].
pub async fn converse<S>(stream: &mut S, steps: &[Step], wait: Duration, buffer: usize) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    const WAITED: &str = "an answer";
    for step in steps {
        match step {
            Step::Send(bytes) => {
                let sent = async {
                    stream.write_all(bytes).await?;
                    stream.flush().await
                };
                let sent = timeout(wait, sent).await.map_err(|_| Error::Silent)?;
                sent.map_err(|e| Error::of_stream(e, "a request to be taken"))?;
            }
            Step::Expect(matcher) => {
                let mut answer = Vec::new();
                // Whoever drips never falls silent.
                let end = Instant::now() + wait + SILENCE;
                let mut pause = wait;
                while answer.len() < buffer {
                    let room = u64::try_from(buffer - answer.len()).unwrap_or(u64::MAX);
                    let mut part = (&mut *stream).take(room);
                    // Dropped while nothing has come, so nothing is lost.
                    match timeout(pause, part.read_buf(&mut answer)).await {
                        Err(_) if answer.is_empty() => return Err(Error::Silent),
                        Ok(Ok(0)) if answer.is_empty() => return Err(Error::Closed { waited: WAITED }),
                        Ok(Err(error)) if answer.is_empty() => return Err(Error::of_stream(error, WAITED)),
                        Ok(Ok(n)) if n > 0 => {
                            pause = SILENCE.min(wait).min(end.saturating_duration_since(Instant::now()));
                        }
                        _ => break,
                    }
                }
                let text = String::from_utf8_lossy(&answer).replace('\0', "\\0");
                if !matcher.is_match(&text) {
                    return Err(Error::unexpected(format!("\"{}\"", matcher.text()), &answer));
                }
            }
        }
    }
    Ok(())
}
