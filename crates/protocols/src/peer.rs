use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::Error;

/// The longest line that is listened to.
const LINE: usize = 1024;

/// The most lines that one answer may have.
const LINES: usize = 64;

/// The other side of a conversation in lines or in messages of known lengths.
pub(crate) struct Peer<'a, S> {
    stream: &'a mut S,
    /// Read ahead of need.
    ahead: Vec<u8>,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Peer<'a, S> {
    pub(crate) fn new(stream: &'a mut S) -> Self {
        Self { stream, ahead: Vec::new() }
    }

    pub(crate) async fn say(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), Error> {
        let sent = async {
            self.stream.write_all(bytes.as_ref()).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|e| Error::of_stream(e, "a request to be taken"))
    }

    /// The next line, without its end: LF, CR LF, or NUL.
    pub(crate) async fn line(&mut self, waited: &'static str) -> Result<Vec<u8>, Error> {
        let mut searched = 0;
        loop {
            let end = self.ahead[searched..].iter().position(|byte| matches!(byte, b'\n' | 0));
            if let Some(end) = end.map(|at| searched + at) {
                let mut line: Vec<u8> = self.ahead.drain(..=end).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(line);
            }
            searched = self.ahead.len();
            if searched > LINE {
                return Err(Error::TooLong { limit: LINE });
            }
            self.fill(waited).await?;
        }
    }

    /// The next line, which begins like this, in capital letters or small ones.
    pub(crate) async fn expect(&mut self, begin: &'static str) -> Result<Vec<u8>, Error> {
        let line = self.line(begin).await?;
        if begins(&line, begin) { Ok(line) } else { Err(Error::unexpected(format!("`{begin}`"), &line)) }
    }

    /// Lines up to one that begins like this.
    pub(crate) async fn skip_to(&mut self, begin: &'static str) -> Result<Vec<u8>, Error> {
        let mut line = Vec::new();
        for _ in 0..LINES {
            line = self.line(begin).await?;
            if begins(&line, begin) {
                return Ok(line);
            }
        }
        Err(Error::unexpected(format!("`{begin}`"), &line))
    }

    /// An answer of one line or several (RFC 959, section 4.2): all but the last have a `-` behind the number.
    pub(crate) async fn reply(&mut self, code: &'static str) -> Result<Vec<u8>, Error> {
        let mut line = Vec::new();
        for _ in 0..LINES {
            line = self.expect(code).await?;
            if line.get(code.len()) != Some(&b'-') {
                return Ok(line);
            }
        }
        Err(Error::unexpected(format!("the end of `{code}`"), &line))
    }

    /// So many bytes.
    pub(crate) async fn exactly(&mut self, length: usize, waited: &'static str) -> Result<Vec<u8>, Error> {
        while self.ahead.len() < length {
            self.fill(waited).await?;
        }
        Ok(self.ahead.drain(..length).collect())
    }

    /// Whatever is there, once something is.
    pub(crate) async fn some(&mut self, waited: &'static str) -> Result<Vec<u8>, Error> {
        if self.ahead.is_empty() {
            self.fill(waited).await?;
        }
        Ok(std::mem::take(&mut self.ahead))
    }

    async fn fill(&mut self, waited: &'static str) -> Result<(), Error> {
        self.ahead.reserve(LINE);
        match self.stream.read_buf(&mut self.ahead).await {
            Ok(0) => Err(Error::Closed { waited }),
            Ok(_) => Ok(()),
            Err(error) => Err(Error::of_stream(error, waited)),
        }
    }
}

fn begins(line: &[u8], begin: &str) -> bool {
    line.get(..begin.len()).is_some_and(|start| start.eq_ignore_ascii_case(begin.as_bytes()))
}
