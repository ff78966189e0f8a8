//! Conversations that begin like HTTP.

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Sip, Websocket};
use crate::Error;
use crate::peer::Peer;

type Done = Result<(), Error>;

/// The most frames that a peer may send before its pong.
const FRAMES: usize = 16;

pub(super) async fn sip<S: AsyncRead + AsyncWrite + Unpin>(
    peer: &mut Peer<'_, S>,
    sip: &Sip,
    now: u64,
) -> Done {
    let Sip { target, max_forward, tls } = sip;
    let (scheme, transport) = if *tls { ("sips", "TLS") } else { ("sip", "TCP") };
    let request = format!(
        "OPTIONS {scheme}:{target} SIP/2.0\r\nVia: SIP/2.0/{transport} localhost:5060;branch=z9hG4bKh{now};rport\r\n\
         Max-Forwards: {max_forward}\r\nTo: <{scheme}:{target}>\r\nFrom: hinoban <{scheme}:{target}>;tag={now}\r\n\
         Call-ID: {now}\r\nCSeq: 63104 OPTIONS\r\nContact: <{scheme}:{target}>\r\n\
         Accept: application/sdp\r\nContent-Length: 0\r\nUser-Agent: Hinoban\r\n\r\n"
    );
    peer.say(request).await?;
    let line = peer.expect("SIP/2.0 ").await?;
    match status(&line) {
        Some(100 | 200..=299) => Ok(()),
        _ => Err(Error::unexpected("a status of success", &line)),
    }
}

/// The number behind the first blank.
fn status(line: &[u8]) -> Option<u16> {
    let word = line.split(|byte| *byte == b' ').nth(1)?;
    std::str::from_utf8(word).ok()?.parse().ok()
}

pub(super) async fn websocket<S: AsyncRead + AsyncWrite + Unpin>(
    peer: &mut Peer<'_, S>,
    socket: &Websocket,
) -> Done {
    const WAITED: &str = "the end of a header";
    let Websocket { request, host, origin, version } = socket;
    let text = format!(
        "GET {request} HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nHost: {host}\r\n\
         Origin: {origin}\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: {version}\r\n\r\n"
    );
    peer.say(text).await?;
    let line = peer.expect("HTTP/1.1 ").await?;
    if status(&line) != Some(101) {
        return Err(Error::unexpected("status 101", &line));
    }
    let mut lines = 0;
    while !peer.line(WAITED).await?.is_empty() {
        lines += 1;
        if lines > 64 {
            return Err(Error::TooLong { limit: 64 * 1024 });
        }
    }
    // A ping and a farewell without content; a client masks even that.
    peer.say([0x89, 0x80, 1, 2, 3, 4]).await?;
    wait_for(peer, 0xa, "a pong").await?;
    peer.say([0x88, 0x80, 1, 2, 3, 4]).await?;
    wait_for(peer, 0x8, "a farewell").await
}

/// Frames up to one of this kind.
async fn wait_for<S>(peer: &mut Peer<'_, S>, kind: u8, waited: &'static str) -> Done
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    for _ in 0..FRAMES {
        let head = peer.exactly(2, waited).await?;
        let length = match head[1] & 0x7f {
            length if length < 126 => usize::from(length),
            _ => return Err(Error::TooLong { limit: 125 }),
        };
        let mask = if head[1] & 0x80 == 0 { 0 } else { 4 };
        peer.exactly(length + mask, waited).await?;
        if head[0] & 0xf == kind {
            return Ok(());
        }
    }
    Err(Error::Unexpected { waited: waited.to_owned(), said: "other frames".to_owned() })
}
