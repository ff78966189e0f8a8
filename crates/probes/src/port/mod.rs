//! A server behind a port: connect, agree on TLS if asked, have a short conversation.
//!
//! Each phase (resolving, connecting, TLS, the conversation) has the whole time-out for itself; an answer that drips in
//! byte by byte is still one phase. All addresses of a name are tried in order until one passes the whole test; if none
//! does, the last failure is the reason.

pub(crate) mod conversation;
mod options;
pub(crate) mod wire;

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use hinoban_probe::{Look, Probe, ProbeError};
use hinoban_reading::{Metric, Observation, ReasonKind, metrics};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};

use crate::certificate::Certificate;
use crate::digest::Digest;
use crate::failure::Failure;
use crate::resolve::{self, Resolver};
use crate::tls::{self, Trust};
use conversation::{Conversation, Setting};
pub use options::{
    BodyTest, Comparison, Family, Http, Invalid, Options, Protocol, StatusTest, Tls, Transport, Verdict,
    Versions,
};

/// Tests a port. See the [module](self).
#[derive(Debug)]
pub struct PortProbe {
    options: Options,
    conversation: Conversation,
    tls: Option<Secured>,
    resolver: Resolver,
}

/// How TLS is begun, and what is asked of the certificate.
#[derive(Debug)]
struct Secured {
    trust: Trust,
    name: ServerName<'static>,
    digest: Option<Digest>,
}

/// What an attempt sees beside whether it succeeds.
#[derive(Debug, Default)]
struct Seen {
    status: Option<u16>,
    /// Days to the end of the first certificate of the chain that ends.
    days: Option<i64>,
}

#[async_trait]
impl Probe for PortProbe {
    async fn observe(&mut self, look: &Look) -> Result<Observation, ProbeError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let begin = Instant::now();
            let mut found = Seen::default();
            let mut seen = match self.attempt(look.wall(), &mut found).await {
                Ok(()) => Observation::up().with(&metrics::RESPONSE_TIME, begin.elapsed().as_secs_f64()),
                Err(Failure::Down(_)) if attempt < self.options.attempts => continue,
                Err(failure) => failure.observed()?,
            };
            if let Some(code) = found.status {
                seen.push(&metrics::HTTP_STATUS, u32::from(code));
            }
            if let Some(days) = found.days {
                seen.push(&metrics::CERTIFICATE_DAYS, days);
            }
            return Ok(seen);
        }
    }

    fn metrics(&self) -> &[Metric] {
        const METRICS: &[Metric] = &[metrics::RESPONSE_TIME, metrics::CERTIFICATE_DAYS, metrics::HTTP_STATUS];
        match (self.tls.is_some(), self.conversation.is_http()) {
            (true, true) => METRICS,
            (true, false) => &METRICS[..2],
            (false, true) => const { &[metrics::RESPONSE_TIME, metrics::HTTP_STATUS] },
            (false, false) => &METRICS[..1],
        }
    }
}

impl PortProbe {
    /// A probe of this port. Nothing is opened yet.
    ///
    /// # Errors
    /// Options that make no test.
    pub fn new(options: Options) -> Result<Self, Invalid> {
        if options.timeout.is_zero() {
            return Err(Invalid::Timeout);
        }
        let bare = resolve::bare(&options.host);
        let tls = match &options.tls {
            // Nobody here speaks TLS over datagrams.
            Some(tls) if options.transport == Transport::Tcp => {
                let name = tls.server_name.as_deref().unwrap_or(bare);
                let name = ServerName::try_from(name.to_owned());
                let name = name.map_err(|_| Invalid::ServerName(options.host.clone()))?;
                Some(Secured { trust: Trust::new(tls), name, digest: tls.digest.clone() })
            }
            _ => None,
        };
        let conversation = Conversation::new(&options.protocol, host_header(bare, &options))?;
        let resolver = Resolver::new(&options.host, options.port);
        Ok(Self { conversation, tls, resolver, options })
    }

    /// Every address once.
    async fn attempt(&mut self, wall: Duration, seen: &mut Seen) -> Result<(), Failure> {
        let addresses = self.resolver.addresses(self.options.timeout).await?;
        let mut failure = None;
        for address in addresses.into_iter().filter(|address| self.admits(*address)) {
            *seen = Seen::default();
            match self.test(address, wall, seen).await {
                Ok(()) => return Ok(()),
                Err(f) => failure = Some(f),
            }
        }
        // No address of the wanted family: as good as none at all.
        Err(failure.unwrap_or_else(|| self.resolver.unresolved("")))
    }

    fn admits(&self, address: SocketAddr) -> bool {
        // From an address of one family nothing of the other can be reached.
        let source = self.options.source.is_none_or(|source| source.is_ipv4() == address.is_ipv4());
        source && self.options.family.admits(address.ip())
    }

    /// The whole test against one address.
    async fn test(&self, address: SocketAddr, wall: Duration, seen: &mut Seen) -> Result<(), Failure> {
        const CONNECTING: &str = "while connecting";
        let (limit, source) = (self.options.timeout, self.options.source);
        let datagrams = self.options.transport == Transport::Udp;
        let mut setting = Setting { limit, wall, datagrams, begun: false };
        if datagrams {
            let socket = wire::datagrams(address, source).await;
            let socket = socket.map_err(|e| Failure::of_socket(&e, CONNECTING))?;
            let mut stream = wire::Datagrams(&socket);
            let talk = self.conversation.hold(&mut stream, setting, &mut seen.status);
            let refused = |error| Err(Failure::of_socket(&error, "while waiting for the answer"));
            return wire::unless_refused(&socket, talk, refused).await;
        }
        let mut stream = timeout(limit, wire::stream(address, source))
            .await
            .map_err(|_| Failure::timed_out(CONNECTING, limit))?
            .map_err(|e| Failure::of_socket(&e, CONNECTING))?;
        let Some(secured) = &self.tls else {
            return self.conversation.hold(&mut stream, setting, &mut seen.status).await;
        };
        if self.options.starttls {
            setting.begun = self.conversation.begin(&mut stream, limit).await?;
            if !setting.begun {
                // As Monit has it: a protocol without STARTTLS stays in the clear.
                return self.conversation.hold(&mut stream, setting, &mut seen.status).await;
            }
        }
        let mut stream = secured.begin(stream, limit).await?;
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let now = i64::try_from(wall.as_secs()).unwrap_or(i64::MAX);
        seen.days = Certificate::days_left(chain.iter().map(|der| &**der), now);
        secured.judge(chain)?;
        self.conversation.hold(&mut stream, setting, &mut seen.status).await
    }
}

impl Secured {
    async fn begin<S>(
        &self,
        stream: S,
        limit: Duration,
    ) -> Result<tokio_rustls::client::TlsStream<S>, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        const AGREEING: &str = "while agreeing on TLS";
        let config = self.trust.config().await.map_err(Failure::Unable)?;
        let connector = tokio_rustls::TlsConnector::from(config);
        timeout(limit, connector.connect(self.name.clone(), stream))
            .await
            .map_err(|_| Failure::timed_out(AGREEING, limit))?
            .map_err(|e| match tls::complaint(&e) {
                Some(complaint) => Failure::down(ReasonKind::Tls, tls::told(complaint)),
                None => Failure::of_socket(&e, AGREEING),
            })
    }

    /// Whether the server's own certificate has the digest that it must have.
    fn judge(&self, chain: &[CertificateDer<'_>]) -> Result<(), Failure> {
        let Some(digest) = &self.digest else { return Ok(()) };
        let own = chain.first().map(|der| &**der).unwrap_or_default();
        digest.holds(own).map_err(|found| {
            let text = format!("SSL server certificate checksum failed: it is {found}");
            Failure::down(ReasonKind::Tls, text)
        })
    }
}

/// Host and port, the port left out where it is the scheme's own; an IPv6 address in brackets (RFC 9110 section 7.2).
fn host_header(bare: &str, options: &Options) -> String {
    let host = if bare.contains(':') { format!("[{bare}]") } else { bare.to_owned() };
    let usual = if options.tls.is_some() { 443 } else { 80 };
    if options.port == usual { host } else { format!("{host}:{}", options.port) }
}
