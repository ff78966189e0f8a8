//! What is said once connected, and what that says of the server.

use std::io;
use std::time::Duration;

use hinoban_protocols::http::{self, Extent, Limits, Prepared};
use hinoban_protocols::spoken::{Circumstances, Spoken};
use hinoban_protocols::talk::{self, Step};
use hinoban_protocols::{self as protocols};
use hinoban_reading::ReasonKind;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::options::{Http, Protocol};
use crate::failure::{Failure, plain};
use crate::tls;

/// So long after a datagram to a port that nobody has opened a refusal comes back, if one does.
const REFUSAL: Duration = Duration::from_millis(1200);

/// Bytes of an answer that a pattern is to match.
const ANSWER: usize = 256;

/// A conversation, ready to be held.
#[derive(Debug)]
pub(crate) enum Conversation {
    /// To be connected is enough.
    None,
    Http(Box<(Prepared, Http)>),
    Generic(Vec<Step>),
    Spoken(Spoken),
}

impl Conversation {
    /// `host`: value of the `Host` header of HTTP.
    pub(crate) fn new(protocol: &Protocol, host: String) -> Result<Self, http::Invalid> {
        Ok(match protocol {
            Protocol::Default => Self::None,
            Protocol::Generic(steps) => Self::Generic(steps.clone()),
            Protocol::Spoken(spoken) => Self::Spoken(spoken.clone()),
            Protocol::Http(http) => {
                let mut request = http::Request::get(&*http.target).host(host);
                request.method = http.method;
                request.headers.clone_from(&http.headers);
                request.credentials.clone_from(&http.credentials);
                Self::Http(Box::new((request.prepare()?, http.clone())))
            }
        })
    }

    /// What comes before TLS, where TLS begins within the conversation; whether this one knows such a thing.
    pub(crate) async fn begin<S>(&self, stream: &mut S, limit: Duration) -> Result<bool, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Self::Spoken(spoken) = self else { return Ok(false) };
        let begun = timeout(limit, spoken.begin(stream)).await;
        begun.map_err(|_| silent(limit))?.map_err(|error| fault(&error, limit))
    }

    /// Holds it. `wall`: since the Unix epoch. `status` becomes that of HTTP.
    pub(crate) async fn hold<S>(
        &self,
        stream: &mut S,
        setting: Setting,
        status: &mut Option<u16>,
    ) -> Result<(), Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Setting { limit, wall, datagrams, begun } = setting;
        match self {
            Self::None if datagrams => knock(stream).await,
            Self::None => Ok(()),
            Self::Generic(steps) => {
                // Each step has the whole time-out.
                let held = talk::converse(stream, steps, limit, ANSWER).await;
                held.map_err(|error| fault(&error, limit))
            }
            Self::Spoken(spoken) => {
                let circumstances = Circumstances { now: wall.as_secs(), datagrams, begun };
                let held = timeout(limit, spoken.converse(stream, circumstances)).await;
                held.map_err(|_| silent(limit))?.map_err(|error| fault(&error, limit))
            }
            Self::Http(test) => {
                let (request, good) = &**test;
                ask(stream, request, good, limit, status).await
            }
        }
    }

    pub(crate) fn is_http(&self) -> bool {
        matches!(self, Self::Http(_))
    }
}

/// In which setting a conversation is held.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    /// The longest wait.
    pub(crate) limit: Duration,
    /// Since the Unix epoch.
    pub(crate) wall: Duration,
    /// Whether each read and each write is a datagram.
    pub(crate) datagrams: bool,
    /// Whether TLS began within it.
    pub(crate) begun: bool,
}

/// A byte to whoever is there: silence may be an answer, a refusal is one.
async fn knock<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> Result<(), Failure> {
    let phase = "while waiting for a refusal";
    stream.write_all(&[0]).await.map_err(|e| Failure::of_socket(&e, phase))?;
    match timeout(REFUSAL, stream.read(&mut [0; 64])).await {
        Ok(Err(error)) => Err(Failure::of_socket(&error, phase)),
        _ => Ok(()),
    }
}

async fn ask<S>(
    stream: &mut S,
    request: &Prepared,
    good: &Http,
    limit: Duration,
    status: &mut Option<u16>,
) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let whole = good.body.is_some() || good.digest.is_some() || good.verdict.is_some();
    let extent = if whole { Extent::Body } else { Extent::Status };
    let limits = Limits { body: good.limit, ..Limits::default() };
    let answer = timeout(limit, http::exchange(stream, request, extent, &limits)).await;
    let response = answer.map_err(|_| silent(limit))?.map_err(|error| unanswered(&error))?;
    *status = Some(response.status);
    if !good.status.holds(response.status) {
        let text = format!("HTTP error: Server returned status {}", response.status);
        return Err(Failure::down(ReasonKind::Status, text));
    }
    if let Some(complaint) = good.body.as_ref().and_then(|test| test.complaint(&response.body)) {
        return Err(Failure::down(ReasonKind::Content, complaint));
    }
    if let Some(Err(why)) = good.verdict.as_ref().map(|verdict| verdict.of(&response.body)) {
        return Err(Failure::down(ReasonKind::Content, why));
    }
    match good.digest.as_ref().map_or(Ok(()), |digest| digest.holds(&response.body)) {
        Ok(()) => Ok(()),
        Err(found) => {
            let text = format!("HTTP error: checksum mismatch, the document has {found}");
            Err(Failure::down(ReasonKind::Content, text))
        }
    }
}

pub(crate) fn silent(limit: Duration) -> Failure {
    Failure::timed_out("while waiting for the answer", limit)
}

/// Why a conversation went wrong.
fn fault(error: &protocols::Error, limit: Duration) -> Failure {
    use protocols::Error;
    let kind = match error {
        Error::Silent => return silent(limit),
        Error::Closed { .. } | Error::Reset => ReasonKind::Reset,
        Error::Io(error) => return broken(error, |plain| plain),
        _ => ReasonKind::Protocol,
    };
    Failure::down(kind, error.to_string())
}

/// Why there was no answer of HTTP to judge.
fn unanswered(error: &http::Error) -> Failure {
    let kind = match error {
        http::Error::Closed { .. } | http::Error::Reset => ReasonKind::Reset,
        http::Error::Io(error) => {
            return broken(error, |plain| format!("HTTP: Error receiving data -- {plain}"));
        }
        _ => ReasonKind::Protocol,
    };
    Failure::down(kind, error.to_string())
}

/// A stream that failed.
fn broken(error: &io::Error, told: impl Fn(String) -> String) -> Failure {
    if let Some(complaint) = tls::complaint(error) {
        return Failure::down(ReasonKind::Tls, told(complaint.to_string()));
    }
    match Failure::of_socket(error, "while waiting for the answer") {
        Failure::Down(reason) => Failure::down(reason.kind, told(plain(error))),
        unable => unable,
    }
}
