//! Conversations in lines.

use tokio::io::{AsyncRead, AsyncWrite};

use super::Login;
use crate::Error;
use crate::http::base64;
use crate::peer::Peer;

type Done = Result<(), Error>;

/// One question, and the beginning of the line that answers it.
pub(super) async fn ask<S>(peer: &mut Peer<'_, S>, question: &str, answer: &'static str) -> Done
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    peer.say(question).await?;
    peer.expect(answer).await.map(drop)
}

/// A greeting, perhaps of several lines, a word of farewell, and its answer.
pub(super) async fn greeted<S>(
    peer: &mut Peer<'_, S>,
    greeting: &'static str,
    farewell: &str,
    answer: &'static str,
) -> Done
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    peer.reply(greeting).await?;
    ask(peer, farewell, answer).await
}

pub(super) async fn dwp<S: AsyncRead + AsyncWrite + Unpin>(peer: &mut Peer<'_, S>) -> Done {
    peer.say("HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n").await?;
    let line = peer.expect("HTTP/").await?;
    let status = line.split(|byte| *byte == b' ').find(|word| !word.is_empty() && !word.starts_with(b"HTTP"));
    match status {
        Some(status) if status.starts_with(b"200") => Ok(()),
        _ => Err(Error::unexpected("status 200", &line)),
    }
}

pub(super) async fn imap_begin<S: AsyncRead + AsyncWrite + Unpin>(peer: &mut Peer<'_, S>) -> Done {
    peer.expect("* OK").await?;
    peer.say("001 STARTTLS\r\n").await?;
    peer.skip_to("001 ").await.and_then(|line| ok(&line, "001 OK"))
}

pub(super) async fn imap<S: AsyncRead + AsyncWrite + Unpin>(peer: &mut Peer<'_, S>, begun: bool) -> Done {
    if !begun {
        peer.expect("* OK").await?;
    }
    ask(peer, if begun { "002 LOGOUT\r\n" } else { "001 LOGOUT\r\n" }, "* BYE").await
}

fn ok(line: &[u8], wanted: &str) -> Done {
    if line.to_ascii_uppercase().starts_with(wanted.as_bytes()) {
        Ok(())
    } else {
        Err(Error::unexpected(format!("`{wanted}`"), line))
    }
}

pub(super) async fn lmtp<S: AsyncRead + AsyncWrite + Unpin>(peer: &mut Peer<'_, S>) -> Done {
    peer.reply("220").await?;
    peer.say("LHLO localhost\r\n").await?;
    peer.reply("250").await?;
    ask(peer, "QUIT\r\n", "221").await
}

pub(super) async fn smtp_begin<S: AsyncRead + AsyncWrite + Unpin>(peer: &mut Peer<'_, S>) -> Done {
    peer.reply("220").await?;
    peer.say("EHLO localhost\r\n").await?;
    peer.reply("250").await?;
    peer.say("STARTTLS\r\n").await?;
    peer.reply("220").await.map(drop)
}

pub(super) async fn smtp<S: AsyncRead + AsyncWrite + Unpin>(
    peer: &mut Peer<'_, S>,
    begun: bool,
    login: Option<&Login>,
) -> Done {
    if !begun {
        peer.reply("220").await?;
    }
    peer.say("EHLO localhost\r\n").await?;
    match peer.reply("250").await {
        // It knows no extensions.
        Err(Error::Unexpected { .. }) => {
            peer.say("HELO localhost\r\n").await?;
            peer.reply("250").await?;
        }
        said => drop(said?),
    }
    if let Some(login) = login {
        let whole = format!("\0{}\0{}", login.user, login.password);
        peer.say(format!("AUTH PLAIN {}\r\n", base64::encode(whole.as_bytes()))).await?;
        match peer.reply("235").await {
            // It knows only the older way.
            Err(Error::Unexpected { said, .. }) if said.starts_with("504") || said.starts_with("534") => {
                peer.say("AUTH LOGIN\r\n").await?;
                for part in [&login.user, &login.password] {
                    peer.reply("334").await?;
                    peer.say(format!("{}\r\n", base64::encode(part.as_bytes()))).await?;
                }
                peer.reply("235").await?;
            }
            said => drop(said?),
        }
    }
    ask(peer, "QUIT\r\n", "221").await
}

pub(super) async fn postfix_policy<S: AsyncRead + AsyncWrite + Unpin>(peer: &mut Peer<'_, S>) -> Done {
    let request = "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=SMTP\n\
                   sender=monit@foo.tld\nrecipient=monit@foo.tld\nclient_address=1.2.3.4\n\
                   client_name=mx.foo.tld\n\n";
    peer.say(request).await?;
    let line = peer.expect("action=").await?;
    if line.len() > "action=".len() { Ok(()) } else { Err(Error::unexpected("an action", &line)) }
}

pub(super) async fn redis<S: AsyncRead + AsyncWrite + Unpin>(peer: &mut Peer<'_, S>) -> Done {
    peer.say("*1\r\n$4\r\nPING\r\n").await?;
    let line = peer.line("`+PONG`").await?;
    if line != b"+PONG" && !line.starts_with(b"-NOAUTH") {
        return Err(Error::unexpected("`+PONG`", &line));
    }
    // How it takes its leave is its own affair.
    let _ = peer.say("*1\r\n$4\r\nQUIT\r\n").await;
    Ok(())
}

pub(super) async fn rsync<S: AsyncRead + AsyncWrite + Unpin>(peer: &mut Peer<'_, S>) -> Done {
    let greeting = peer.expect("@RSYNCD:").await?;
    let text = String::from_utf8_lossy(&greeting).into_owned();
    let version = text["@RSYNCD:".len()..].split_whitespace().next().and_then(|v| v.split_once('.'));
    if !version.is_some_and(|(major, minor)| {
        major.parse::<u32>().is_ok() && minor.starts_with(|c: char| c.is_ascii_digit())
    }) {
        return Err(Error::unexpected("a version", &greeting));
    }
    peer.say(format!("{text}\n#list\n")).await?;
    let last = peer.skip_to("@RSYNCD:").await?;
    ok(&last, "@RSYNCD: EXIT")
}

pub(super) async fn sieve<S: AsyncRead + AsyncWrite + Unpin>(peer: &mut Peer<'_, S>) -> Done {
    peer.skip_to("OK").await?;
    ask(peer, "LOGOUT\r\n", "OK").await
}

pub(super) async fn spamassassin<S: AsyncRead + AsyncWrite + Unpin>(peer: &mut Peer<'_, S>) -> Done {
    peer.say("PING SPAMC/1.2\r\n\r\n").await?;
    let line = peer.expect("SPAMD/").await?;
    match line.split(|byte| *byte == b' ').nth(2) {
        Some(word) if word.starts_with(b"PONG") => Ok(()),
        _ => Err(Error::unexpected("`PONG`", &line)),
    }
}

pub(super) async fn ssh<S: AsyncRead + AsyncWrite + Unpin>(peer: &mut Peer<'_, S>) -> Done {
    let line = peer.expect("SSH-").await?;
    let _ = peer.say([&line[..], b"\r\n"].concat()).await;
    Ok(())
}
