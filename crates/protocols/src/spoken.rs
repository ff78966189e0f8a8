//! Conversations by name: a question that costs the server little, and the answer of one in good order.

mod binary;
mod lines;
mod web;

use std::fmt;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::Error;
use crate::peer::Peer;

/// A conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Spoken {
    /// ClamAV's daemon: PING.
    Clamav,
    /// DNS (RFC 1035): the name servers of the root.
    Dns,
    /// The Distributed Write Protocol of Roxen: HEAD.
    Dwp,
    /// Fail2ban's server: ping.
    Fail2ban,
    /// FTP (RFC 959): greeting and QUIT.
    Ftp,
    /// gpsd before version 2.90: G.
    Gps,
    /// IMAP (RFC 9051): greeting and LOGOUT.
    Imap,
    /// LDAP version 2 (RFC 1777): an anonymous bind.
    Ldap2,
    /// LDAP version 3 (RFC 4511): an anonymous bind.
    Ldap3,
    /// LMTP (RFC 2033): greeting, LHLO and QUIT.
    Lmtp,
    /// Memcached's binary protocol: no operation.
    Memcache,
    /// MongoDB: ping, in the messages of version 3.6 and newer.
    Mongodb,
    /// MQTT 3.1.1: CONNECT, as somebody or nobody.
    Mqtt(Option<Login>),
    /// MySQL and MariaDB: the greeting.
    Mysql,
    /// NNTP (RFC 3977): greeting and QUIT.
    Nntp,
    /// NTP version 3 (RFC 1305): the time.
    Ntp3,
    /// PostgreSQL: the start of a session, as `root`; a refusal is an answer.
    Pgsql,
    /// POP3 (RFC 1939): greeting and QUIT.
    Pop,
    /// Postfix's policy delegation: whether a letter may pass.
    PostfixPolicy,
    /// The time protocol (RFC 868): within three seconds of ours.
    Rdate,
    /// Redis: PING and QUIT. A server that wants a password first is alive.
    Redis,
    /// rsync's daemon: its list of modules.
    Rsync,
    /// ManageSieve (RFC 5804): greeting and LOGOUT.
    Sieve,
    /// SIP (RFC 3261): OPTIONS.
    Sip(Box<Sip>),
    /// SMTP (RFC 5321): greeting, EHLO or HELO, perhaps AUTH PLAIN or LOGIN (RFC 4954), QUIT.
    Smtp(Option<Login>),
    /// SpamAssassin's daemon: PING.
    SpamAssassin,
    /// SSH (RFC 4253): its version for ours.
    Ssh,
    /// Oracle's listener: a ping, which it refuses.
    Tns,
    /// WebSocket (RFC 6455): the handshake, a ping and its pong, and the end.
    Websocket(Box<Websocket>),
}

/// A user and a password. `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Login {
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(..)")
    }
}

/// Who is asked by SIP.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Sip {
    /// `user@host`.
    pub target: String,
    /// How many proxies may pass it on.
    pub max_forward: u32,
    /// Whether the connection is encrypted.
    pub tls: bool,
}

/// What a WebSocket is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Websocket {
    /// The target of the request.
    pub request: String,
    /// The `Host` header.
    pub host: String,
    /// The `Origin` header.
    pub origin: String,
    /// The version of the protocol; 13 is that of RFC 6455.
    pub version: u32,
}

/// What a conversation has to know of the connection and of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Circumstances {
    /// Seconds since the Unix epoch.
    pub now: u64,
    /// Whether each read and each write is a datagram.
    pub datagrams: bool,
    /// Whether [`Spoken::begin`] was held on this connection before.
    pub begun: bool,
}

impl Spoken {
    /// What comes before TLS, where TLS begins within the conversation. `false`: this one knows no such thing, and nothing
    /// was said.
    ///
    /// # Errors
    /// See [`Error`]; a server without STARTTLS is [`Error::Unexpected`].
    pub async fn begin<S>(&self, stream: &mut S) -> Result<bool, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut peer = Peer::new(stream);
        match self {
            Spoken::Smtp(_) => lines::smtp_begin(&mut peer).await?,
            Spoken::Imap => lines::imap_begin(&mut peer).await?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Holds the conversation. It waits as long as the peer lets it; the deadline is the caller's.
    ///
    /// # Errors
    /// See [`Error`]; whatever a server in good order does not say is [`Error::Unexpected`].
    pub async fn converse<S>(&self, stream: &mut S, circumstances: Circumstances) -> Result<(), Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let peer = &mut Peer::new(stream);
        let Circumstances { now, datagrams, begun } = circumstances;
        match self {
            Spoken::Clamav => lines::ask(peer, "PING\r\n", "PONG").await,
            Spoken::Dns => binary::dns(peer, datagrams).await,
            Spoken::Dwp => lines::dwp(peer).await,
            Spoken::Fail2ban => binary::fail2ban(peer).await,
            Spoken::Ftp => lines::greeted(peer, "220", "QUIT\r\n", "221").await,
            Spoken::Gps => lines::ask(peer, "G\r\n", "GPSD,G=").await,
            Spoken::Imap => lines::imap(peer, begun).await,
            Spoken::Ldap2 => binary::ldap(peer, 2).await,
            Spoken::Ldap3 => binary::ldap(peer, 3).await,
            Spoken::Lmtp => lines::lmtp(peer).await,
            Spoken::Memcache => binary::memcache(peer).await,
            Spoken::Mongodb => binary::mongodb(peer).await,
            Spoken::Mqtt(login) => binary::mqtt(peer, now, login.as_ref()).await,
            Spoken::Mysql => binary::mysql(peer).await,
            Spoken::Nntp => lines::greeted(peer, "200", "QUIT\r\n", "205").await,
            Spoken::Ntp3 => binary::ntp3(peer).await,
            Spoken::Pgsql => binary::pgsql(peer).await,
            Spoken::Pop => lines::greeted(peer, "+OK", "QUIT\r\n", "+OK").await,
            Spoken::PostfixPolicy => lines::postfix_policy(peer).await,
            Spoken::Rdate => binary::rdate(peer, now).await,
            Spoken::Redis => lines::redis(peer).await,
            Spoken::Rsync => lines::rsync(peer).await,
            Spoken::Sieve => lines::sieve(peer).await,
            Spoken::Sip(sip) => web::sip(peer, sip, now).await,
            Spoken::Smtp(login) => lines::smtp(peer, begun, login.as_ref()).await,
            Spoken::SpamAssassin => lines::spamassassin(peer).await,
            Spoken::Ssh => lines::ssh(peer).await,
            Spoken::Tns => binary::tns(peer).await,
            Spoken::Websocket(socket) => web::websocket(peer, socket).await,
        }
    }
}
