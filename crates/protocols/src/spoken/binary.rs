//! Conversations in messages of bytes.

use tokio::io::{AsyncRead, AsyncWrite};

use super::Login;
use crate::Error;
use crate::peer::Peer;

type Done = Result<(), Error>;

pub(super) async fn dns<S>(peer: &mut Peer<'_, S>, datagrams: bool) -> Done
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    const WAITED: &str = "an answer of DNS";
    // Number 1, recursion desired, one question: the name servers (2) of the root, of the Internet (1).
    const QUERY: [u8; 17] = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1];
    let answer = if datagrams {
        peer.say(QUERY).await?;
        peer.some(WAITED).await?
    } else {
        peer.say([&[0, 17][..], &QUERY].concat()).await?;
        let length = peer.exactly(2, WAITED).await?;
        let length = usize::from(length[0]) << 8 | usize::from(length[1]);
        peer.exactly(length.min(12), WAITED).await?
    };
    let Some([_, _, flags, code, ..]) = answer.get(..12) else {
        return Err(Error::unexpected(WAITED, &answer));
    };
    // 5 is a refusal: it answers, but not this to us.
    match (flags & 0x80, code & 0x0f) {
        (0x80, 0 | 5) => Ok(()),
        (0x80, code) => Err(Error::Unexpected {
            waited: "an answer without error".to_owned(),
            said: format!("response code {code}"),
        }),
        _ => Err(Error::unexpected(WAITED, &answer)),
    }
}

pub(super) async fn ldap<S>(peer: &mut Peer<'_, S>, version: u8) -> Done
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    const WAITED: &str = "an answer of LDAP";
    // Message 0: a bind of this version, of nobody, with an empty password.
    peer.say([0x30, 0x0c, 2, 1, 0, 0x60, 7, 2, 1, version, 4, 0, 0x80, 0]).await?;
    // A bind response (0x61) with result (0x0a) 0, whatever else is in it.
    let answer = peer.exactly(10, WAITED).await?;
    let long = |at: usize| match answer.get(at) {
        Some(length) if *length >= 0x80 => at + 1 + usize::from(length & 0x7f),
        _ => at + 1,
    };
    let inner = long(1);
    let response = inner + 3;
    let result = long(response + 1);
    let good = answer[0] == 0x30
        && answer.get(inner..inner + 2) == Some(&[2, 1])
        && answer.get(response) == Some(&0x61)
        && answer.get(result..result + 2).is_none_or(|tag| tag == [0x0a, 1]);
    let code = match answer.get(result + 2) {
        Some(code) => *code,
        None => *peer.exactly(result + 3 - answer.len(), WAITED).await?.last().unwrap_or(&u8::MAX),
    };
    // An unbind: it needs no answer.
    let _ = peer.say([0x30, 5, 2, 1, 0, 0x42, 0]).await;
    match (good, code) {
        (true, 0) => Ok(()),
        (true, code) => {
            Err(Error::Unexpected { waited: "a bind".to_owned(), said: format!("result code {code}") })
        }
        _ => Err(Error::unexpected(WAITED, &answer)),
    }
}

pub(super) async fn memcache<S>(peer: &mut Peer<'_, S>) -> Done
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = [0; 24];
    (request[0], request[1]) = (0x80, 0x0a);
    peer.say(request).await?;
    let answer = peer.exactly(24, "an answer of memcached").await?;
    match (answer[0], &answer[6..8]) {
        (0x81, [0, 0]) => Ok(()),
        _ => Err(Error::unexpected("an answer of memcached without error", &answer)),
    }
}

/// A text with its length in two bytes before it.
fn counted(message: &mut Vec<u8>, text: &str) {
    let text = &text.as_bytes()[..text.len().min(usize::from(u16::MAX))];
    message.extend_from_slice(&(text.len() as u16).to_be_bytes());
    message.extend_from_slice(text);
}

pub(super) async fn mqtt<S>(peer: &mut Peer<'_, S>, now: u64, login: Option<&Login>) -> Done
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let client = format!("monit-{now}");
    // Level 4, a clean session, with or without a login; alive for a second.
    let flags = match login {
        Some(login) if login.password.is_empty() => 0x82,
        Some(_) => 0xc2,
        None => 0x02,
    };
    let mut body = b"\0\x04MQTT\x04".to_vec();
    body.extend_from_slice(&[flags, 0, 1]);
    counted(&mut body, &client);
    if let Some(login) = login {
        counted(&mut body, &login.user);
        if !login.password.is_empty() {
            counted(&mut body, &login.password);
        }
    }
    let mut request = vec![0x10];
    let mut length = body.len();
    while length >= 0x80 {
        request.push(length as u8 | 0x80);
        length >>= 7;
    }
    request.push(length as u8);
    request.extend(body);
    peer.say(request).await?;
    let answer = peer.exactly(4, "an answer of MQTT").await?;
    match answer[..] {
        [0x20, 2, _, 0] => {}
        [0x20, 2, _, code] => {
            let said = format!("return code {code}");
            return Err(Error::Unexpected { waited: "a connection".to_owned(), said });
        }
        _ => return Err(Error::unexpected("an answer of MQTT", &answer)),
    }
    let _ = peer.say([0xe0, 0]).await;
    Ok(())
}

pub(super) async fn mysql<S>(peer: &mut Peer<'_, S>) -> Done
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    const WAITED: &str = "a greeting of MySQL";
    let head = peer.exactly(5, WAITED).await?;
    match (head[3], head[4]) {
        (0, 10) => {
            let version = peer.line(WAITED).await?;
            let good = version.first().is_some_and(u8::is_ascii_digit);
            if good { Ok(()) } else { Err(Error::unexpected("a version of MySQL", &version)) }
        }
        // An error in place of a greeting: too many connections, or this host is blocked.
        (0, 0xff) => {
            let length = usize::from(head[0]).saturating_sub(1);
            let text = peer.exactly(length.min(200), WAITED).await?;
            Err(Error::unexpected(WAITED, text.get(2..).unwrap_or_default()))
        }
        _ => Err(Error::unexpected(WAITED, &head)),
    }
}

pub(super) async fn fail2ban<S>(peer: &mut Peer<'_, S>) -> Done
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    const WAITED: &str = "a pong of Fail2ban";
    // A list of one text, in the words of Python's pickle.
    peer.say("(lp0\nS'ping'\np1\na.<F2B_END_COMMAND>\0").await?;
    let mut answer = peer.some(WAITED).await?;
    while answer.len() < 64 {
        if answer.windows(4).any(|part| part == b"pong") {
            return Ok(());
        }
        answer.extend(peer.some(WAITED).await?);
    }
    Err(Error::unexpected(WAITED, &answer))
}

pub(super) async fn mongodb<S>(peer: &mut Peer<'_, S>) -> Done
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    const WAITED: &str = "an answer of MongoDB";
    // {ping: 1, $db: "admin"}
    let document = b"\x1e\0\0\0\x10ping\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0\0";
    let length = u8::try_from(16 + 4 + 1 + document.len()).unwrap_or(0);
    // Number 1, answer to none, a message (2013), no flags, one document.
    let mut request = vec![length, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xdd, 7, 0, 0, 0, 0, 0, 0, 0];
    request.extend_from_slice(document);
    peer.say(request).await?;
    let head = peer.exactly(16, WAITED).await?;
    let number = |at: usize| head[at..at + 4].iter().rev().fold(0, |n, byte| n << 8 | usize::from(*byte));
    let (length, answers, code) = (number(0), number(8), number(12));
    if !(21..=65_536).contains(&length) || answers != 1 || code != 2013 {
        return Err(Error::unexpected(WAITED, &head));
    }
    let body = peer.exactly(length - 16, WAITED).await?;
    // `ok` is a double, and 1.
    let good = body.windows(12).any(|part| part == b"\x01ok\0\0\0\0\0\0\0\xf0?");
    if good { Ok(()) } else { Err(Error::unexpected("`ok`", &body)) }
}

pub(super) async fn ntp3<S>(peer: &mut Peer<'_, S>) -> Done
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = [0; 48];
    request[0] = 0xdb; // leap indicator 3, version 3, mode 3: a client
    peer.say(request).await?;
    let answer = peer.exactly(48, "an answer of NTP").await?;
    let (leap, version, mode) = (answer[0] >> 6, answer[0] >> 3 & 7, answer[0] & 7);
    let wrong = match (leap, version, mode) {
        (3, 3, 4) => "a server whose clock is not set",
        (_, 3, 4) => return Ok(()),
        _ => "something else than a server of version 3",
    };
    Err(Error::Unexpected { waited: "the time".to_owned(), said: wrong.to_owned() })
}

pub(super) async fn pgsql<S>(peer: &mut Peer<'_, S>) -> Done
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // Version 3.0, user and database root; the length counts itself.
    let mut body = vec![0, 3, 0, 0];
    body.extend_from_slice(b"user\0root\0database\0root\0\0");
    let mut request = vec![0, 0, 0, u8::try_from(body.len() + 4).unwrap_or(0)];
    request.extend(body);
    peer.say(request).await?;
    let answer = peer.exactly(1, "an answer of PostgreSQL").await?;
    let _ = peer.say(b"X\0\0\0\x04").await;
    match answer[0] {
        b'R' | b'E' | b'N' => Ok(()),
        _ => Err(Error::unexpected("an answer of PostgreSQL", &answer)),
    }
}

pub(super) async fn rdate<S>(peer: &mut Peer<'_, S>, now: u64) -> Done
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    const SINCE_1900: u64 = 2_208_988_800;
    let answer = peer.exactly(4, "the time").await?;
    let theirs = answer.iter().fold(0u32, |n, byte| n << 8 | u32::from(*byte));
    // The count of seconds overflows in 2036 and goes on.
    let ours = (now.wrapping_add(SINCE_1900) & u64::from(u32::MAX)) as u32;
    let off = theirs.wrapping_sub(ours) as i32;
    if off.abs() <= 3 {
        return Ok(());
    }
    Err(Error::Unexpected { waited: "our time".to_owned(), said: format!("a time {off} s from ours") })
}

pub(super) async fn tns<S>(peer: &mut Peer<'_, S>) -> Done
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    const COMMAND: &[u8; 29] = b"(CONNECT_DATA=(COMMAND=ping))";
    let mut request = vec![0; 58];
    // Length; a connect packet; versions 310 and 300; unit sizes; how many bytes follow, and from where.
    for (at, byte) in
        [(1, 87), (4, 1), (8, 1), (9, 0x36), (10, 1), (11, 0x2c), (14, 8), (16, 0x7f), (17, 0xff)]
    {
        request[at] = byte;
    }
    for (at, byte) in [(18, 0x7f), (19, 8), (23, 1), (25, 29), (27, 58)] {
        request[at] = byte;
    }
    request.extend_from_slice(COMMAND);
    peer.say(request).await?;
    let answer = peer.exactly(8, "an answer of the listener").await?;
    if answer[4] == 4 { Ok(()) } else { Err(Error::unexpected("a refusal of the listener", &answer)) }
}
