use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Error, Method, Part, Prepared};

/// How much of the answer is wanted. What is not wanted is not waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The status line.
    Status,
    /// The status line and the header fields.
    Header,
    /// Everything, the body cut at [`Limits::body`].
    Body,
}

/// Bounds on what the peer may make us keep, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// One line of the header.
    pub line: usize,
    /// The whole header.
    pub header: usize,
    /// The body; the rest of a longer one is left unread.
    pub body: usize,
}

impl Default for Limits {
    /// 8 KiB a line, 64 KiB the header, 1 MiB the body.
    fn default() -> Self {
        Self { line: 8 << 10, header: 64 << 10, body: 1 << 20 }
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code, 100 to 999.
    pub status: u16,
    /// Header fields in order, names as sent, values trimmed; bytes beyond ASCII are read as UTF-8 as far as that
    /// goes. Empty with [`Extent::Status`].
    pub headers: Vec<(String, String)>,
    /// The body as sent, chunks joined. Empty unless [`Extent::Body`] was asked for.
    pub body: Vec<u8>,
    /// Whether the body was cut at its limit.
    pub truncated: bool,
}

impl Response {
    /// The first header of this name, letters of either case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Sends the request and reads as much of the answer as is wanted.
///
/// It waits as long as the peer lets it; the deadline is the caller's. A status line that the end of the connection
/// cuts off counts if its number is complete, as with Monit. `ICY 200 OK`, the greeting of old SHOUTcast servers,
/// counts as a status line for the same reason.
///
/// # Errors
/// See [`Error`]; an answer that reports failure is not an error.
pub async fn exchange<S>(
    stream: &mut S,
    request: &Prepared,
    extent: Extent,
    limits: &Limits,
) -> Result<Response, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let sent = async {
        stream.write_all(&request.bytes).await?;
        stream.flush().await
    };
    // A server may answer and close without reading the request; its answer counts more than our failure to ask.
    let unsent = sent.await.err();
    let mut reader = Reader { stream, buffer: Vec::with_capacity(1024), start: 0, received: 0 };
    match (answer(&mut reader, request.method, extent, limits).await, unsent) {
        (Err(_), Some(error)) if reader.received == 0 => Err(Error::of_stream(error, 0)),
        (result, _) => result,
    }
}

async fn answer<S: AsyncRead + Unpin>(
    reader: &mut Reader<'_, S>,
    method: Method,
    extent: Extent,
    limits: &Limits,
) -> Result<Response, Error> {
    let line = reader.line(limits.line, AtEnd::Accept).await?;
    let mut header_left = limits.header.saturating_sub(line.len());
    let status = status_of(&line).ok_or_else(|| Error::NotHttp { line: printable(&line) })?;
    let mut response = Response { status, headers: Vec::new(), body: Vec::new(), truncated: false };
    if extent == Extent::Status {
        return Ok(response);
    }
    loop {
        let line = reader.line(limits.line, AtEnd::Refuse).await?;
        if line.is_empty() {
            break;
        }
        // Every field costs at least two allocations beside its bytes: charge them, so that a flood of tiny fields
        // is bounded too.
        header_left = header_left
            .checked_sub(line.len() + 16)
            .ok_or(Error::TooLong { part: Part::Header, limit: limits.header })?;
        let text = String::from_utf8_lossy(&line);
        let (name, value) = text.split_once(':').ok_or_else(|| {
            Error::Malformed(format!("a header line without a colon: {}", printable(&line)))
        })?;
        response.headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    let bodiless = method == Method::Head || matches!(status, 100..=199 | 204 | 304);
    if extent == Extent::Body && !bodiless {
        body(reader, &mut response, limits).await?;
    }
    Ok(response)
}

/// Reads the body by whichever of the three framings of RFC 9112 section 6.3 applies.
async fn body<S: AsyncRead + Unpin>(
    reader: &mut Reader<'_, S>,
    response: &mut Response,
    limits: &Limits,
) -> Result<(), Error> {
    let chunked =
        response.header("Transfer-Encoding").is_some_and(|v| v.to_ascii_lowercase().ends_with("chunked"));
    if chunked {
        loop {
            let line = reader.line(limits.line, AtEnd::Refuse).await?;
            let size = line.split(|b| *b == b';').next().map(|s| s.trim_ascii()).unwrap_or_default();
            let size = std::str::from_utf8(size).ok().and_then(|s| usize::from_str_radix(s, 16).ok());
            let size = size
                .ok_or_else(|| Error::Malformed(format!("not the size of a chunk: {}", printable(&line))))?;
            if size == 0 {
                return Ok(());
            }
            if !reader.take(size, response, limits.body).await? {
                return Err(Error::Closed { received: reader.received });
            }
            if response.truncated {
                return Ok(());
            }
            if !reader.line(limits.line, AtEnd::Refuse).await?.is_empty() {
                return Err(Error::Malformed("a chunk is longer than it said".into()));
            }
        }
    }
    let length = match response.header("Content-Length") {
        Some(v) => {
            Some(v.parse::<usize>().map_err(|_| Error::Malformed(format!("Content-Length is `{v}`")))?)
        }
        None => None,
    };
    let complete = reader.take(length.unwrap_or(usize::MAX), response, limits.body).await?;
    if complete || length.is_none() { Ok(()) } else { Err(Error::Closed { received: reader.received }) }
}

/// `HTTP/1.1 200 OK` and `ICY 200 OK`: the number, if there is one of three digits.
fn status_of(line: &[u8]) -> Option<u16> {
    let mut words = line.split(|b| *b == b' ').filter(|w| !w.is_empty());
    let protocol = words.next()?;
    let number = words.next()?;
    let ours = protocol.starts_with(b"HTTP/") || protocol == b"ICY";
    let digits = number.len() == 3 && number[0] != b'0' && number.iter().all(u8::is_ascii_digit);
    (ours && digits).then(|| number.iter().fold(0, |n, d| n * 10 + u16::from(d - b'0')))
}

/// A line as it may be shown: nothing that moves a terminal's cursor, at most 128 characters.
fn printable(line: &[u8]) -> String {
    String::from_utf8_lossy(line).chars().take(128).map(|c| if c.is_control() { '.' } else { c }).collect()
}

/// Whether a line that the end of the connection cuts off counts as a line.
#[derive(Clone, Copy, PartialEq)]
enum AtEnd {
    Accept,
    Refuse,
}

/// A stream with the bytes read ahead of need: `buffer[start..]`.
struct Reader<'a, S> {
    stream: &'a mut S,
    buffer: Vec<u8>,
    start: usize,
    received: usize,
}

impl<S: AsyncRead + Unpin> Reader<'_, S> {
    /// The next line without its end (CR LF or LF).
    async fn line(&mut self, limit: usize, at_end: AtEnd) -> Result<Vec<u8>, Error> {
        let mut searched = 0;
        loop {
            let ahead = &self.buffer[self.start..];
            if let Some(at) = ahead[searched..].iter().position(|b| *b == b'\n') {
                let end = searched + at;
                if end > limit {
                    return Err(Error::TooLong { part: Part::Line, limit });
                }
                let line = ahead[..end].strip_suffix(b"\r").unwrap_or(&ahead[..end]).to_vec();
                self.start += end + 1;
                return Ok(line);
            }
            searched = ahead.len();
            if searched > limit {
                return Err(Error::TooLong { part: Part::Line, limit });
            }
            if self.fill().await? == 0 {
                if at_end == AtEnd::Accept && searched > 0 {
                    return Ok(self.buffer.split_off(self.start));
                }
                return Err(Error::Closed { received: self.received });
            }
        }
    }

    /// Moves `size` bytes to the body, at most up to `limit` in all. False if the connection ended before.
    async fn take(&mut self, size: usize, response: &mut Response, limit: usize) -> Result<bool, Error> {
        let mut left = size;
        while left > 0 {
            if self.start == self.buffer.len() && self.fill().await? == 0 {
                return Ok(false);
            }
            let room = limit.saturating_sub(response.body.len());
            if room == 0 {
                response.truncated = true;
                return Ok(true);
            }
            let n = left.min(room).min(self.buffer.len() - self.start);
            response.body.extend_from_slice(&self.buffer[self.start..self.start + n]);
            self.start += n;
            left -= n;
        }
        Ok(true)
    }

    /// Reads once, forgetting what was consumed. Gives the number of bytes, zero at the end.
    async fn fill(&mut self) -> Result<usize, Error> {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.reserve(512);
        let n = self.stream.read_buf(&mut self.buffer).await;
        let n = n.map_err(|e| Error::of_stream(e, self.received))?;
        self.received += n;
        Ok(n)
    }
}
