//! A server behind a TCP port: connect, agree on TLS if asked, have a short conversation.
//!
//! Each phase (resolving, connecting, TLS, the conversation) has the whole time-out for itself; an answer that drips in
//! byte by byte is still one phase. All addresses of a name are tried in order until one passes the whole test; if none
//! does, the last failure is the reason.

mod options;

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use async_trait::async_trait;
use hinoban_probe::{Look, Probe, ProbeError};
use hinoban_protocols::http::{self, Extent, Limits, Prepared};
use hinoban_reading::{Metric, Observation, ReasonKind, metrics};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::failure::{Failure, plain};
use crate::tls::{self, Trust};
pub use options::{Comparison, Family, Http, Invalid, Options, Protocol, StatusTest, Tls};

/// Tests a TCP port. See the [module](self).
#[derive(Debug)]
pub struct PortProbe {
    options: Options,
    address: Option<IpAddr>,
    conversation: Option<(Prepared, StatusTest)>,
    tls: Option<(Trust, ServerName<'static>)>,
    /// A name look-up that has not come back yet, perhaps from an earlier look.
    resolving: Option<JoinHandle<io::Result<Vec<SocketAddr>>>>,
}

#[async_trait]
impl Probe for PortProbe {
    async fn observe(&mut self, _look: &Look) -> Result<Observation, ProbeError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let begin = Instant::now();
            let mut status = None;
            let mut seen = match self.attempt(&mut status).await {
                Ok(()) => Observation::up().with(&metrics::RESPONSE_TIME, begin.elapsed().as_secs_f64()),
                Err(Failure::Down(_)) if attempt < self.options.attempts => continue,
                Err(failure) => failure.observed()?,
            };
            if let Some(code) = status {
                seen.push(&metrics::HTTP_STATUS, u32::from(code));
            }
            return Ok(seen);
        }
    }

    fn metrics(&self) -> &[Metric] {
        const METRICS: &[Metric] = &[metrics::RESPONSE_TIME, metrics::HTTP_STATUS];
        if self.conversation.is_some() { METRICS } else { &METRICS[..1] }
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
        let bare = options.host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(&options.host);
        let address = bare.parse().ok();
        let tls = match &options.tls {
            Some(tls) => {
                let name = tls.server_name.as_deref().unwrap_or(bare);
                let name = ServerName::try_from(name.to_owned());
                let trust = Trust::new(tls.verify, tls.ca_file.clone());
                Some((trust, name.map_err(|_| Invalid::ServerName(options.host.clone()))?))
            }
            None => None,
        };
        let conversation = match &options.protocol {
            Protocol::Default => None,
            Protocol::Http(http) => {
                let mut request = http::Request::get(&*http.target).host(host_header(bare, &options));
                request.method = http.method;
                request.headers.clone_from(&http.headers);
                request.credentials.clone_from(&http.credentials);
                Some((request.prepare()?, http.status))
            }
        };
        Ok(Self { address, conversation, tls, options, resolving: None })
    }

    /// Every address once.
    async fn attempt(&mut self, status: &mut Option<u16>) -> Result<(), Failure> {
        let addresses = match self.address {
            Some(address) => vec![SocketAddr::new(address, self.options.port)],
            None => self.resolve().await?,
        };
        let mut failure = None;
        for address in addresses.into_iter().filter(|a| self.options.family.admits(a.ip())) {
            *status = None;
            match self.test(address, status).await {
                Ok(()) => return Ok(()),
                Err(f) => failure = Some(f),
            }
        }
        // No address of the wanted family: as good as none at all.
        Err(failure.unwrap_or_else(|| self.unresolved("")))
    }

    fn unresolved(&self, why: &str) -> Failure {
        let Options { host, port, .. } = &self.options;
        Failure::down(ReasonKind::Unresolved, format!("Cannot resolve [{host}]:{port}{why}"))
    }

    /// Asks the resolver, on a thread of its own: getaddrinfo(3) blocks, and knows nothing of deadlines. A question that
    /// outlived its look is waited for again, so that a dead resolver costs one thread and not one for each look.
    async fn resolve(&mut self) -> Result<Vec<SocketAddr>, Failure> {
        // One that came back after its look was over tells of the past.
        self.resolving.take_if(|resolving| resolving.is_finished());
        let limit = self.options.timeout;
        let resolving = self.resolving.get_or_insert_with(|| {
            let (host, port) = (self.options.host.clone(), self.options.port);
            tokio::task::spawn_blocking(move || Ok((host.as_str(), port).to_socket_addrs()?.collect()))
        });
        let Ok(answer) = timeout(limit, resolving).await else {
            let why = format!(" -- no answer from the resolver within {} s", limit.as_secs_f64());
            return Err(self.unresolved(&why));
        };
        self.resolving = None;
        match answer {
            Ok(Ok(addresses)) => Ok(addresses),
            Ok(Err(_)) => Err(self.unresolved("")),
            Err(e) => {
                Err(Failure::Unable(ProbeError::Failed(format!("the name look-up was cut short: {e}"))))
            }
        }
    }

    /// The whole test against one address.
    async fn test(&self, address: SocketAddr, status: &mut Option<u16>) -> Result<(), Failure> {
        let limit = self.options.timeout;
        let mut stream = timeout(limit, TcpStream::connect(address))
            .await
            .map_err(|_| Failure::timed_out("while connecting", limit))?
            .map_err(|e| Failure::of_socket(&e, "while connecting"))?;
        let Some((trust, name)) = &self.tls else { return self.converse(&mut stream, status).await };

        let config = trust.config().await.map_err(Failure::Unable)?;
        let connector = tokio_rustls::TlsConnector::from(config);
        let mut stream = timeout(limit, connector.connect(name.clone(), stream))
            .await
            .map_err(|_| Failure::timed_out("while agreeing on TLS", limit))?
            .map_err(|e| match tls::complaint(&e) {
                Some(complaint) => {
                    Failure::down(ReasonKind::Tls, format!("SSL connection error: {complaint}"))
                }
                None => Failure::of_socket(&e, "while agreeing on TLS"),
            })?;
        self.converse(&mut stream, status).await
    }

    async fn converse<S>(&self, stream: &mut S, status: &mut Option<u16>) -> Result<(), Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Some((request, good)) = &self.conversation else { return Ok(()) };
        let limit = self.options.timeout;
        let limits = Limits::default();
        let talk = http::exchange(stream, request, Extent::Status, &limits);
        let response = match timeout(limit, talk).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(unanswered(&error)),
            Err(_) => return Err(Failure::timed_out("while waiting for the answer", limit)),
        };
        *status = Some(response.status);
        if good.holds(response.status) {
            return Ok(());
        }
        let text = format!("HTTP error: Server returned status {}", response.status);
        Err(Failure::down(ReasonKind::Status, text))
    }
}

/// Why there was no answer to judge.
fn unanswered(error: &http::Error) -> Failure {
    let kind = match error {
        http::Error::Closed { .. } | http::Error::Reset => ReasonKind::Reset,
        http::Error::Io(error) if tls::complaint(error).is_some() => ReasonKind::Tls,
        http::Error::Io(error) => {
            return match Failure::of_socket(error, "while waiting for the answer") {
                Failure::Down(reason) => {
                    Failure::down(reason.kind, format!("HTTP: Error receiving data -- {}", plain(error)))
                }
                unable => unable,
            };
        }
        _ => ReasonKind::Protocol,
    };
    Failure::down(kind, error.to_string())
}

/// Host and port, the port left out where it is the scheme's own; an IPv6 address in brackets (RFC 9110 section 7.2).
fn host_header(bare: &str, options: &Options) -> String {
    let host = if bare.contains(':') { format!("[{bare}]") } else { bare.to_owned() };
    let usual = if options.tls.is_some() { 443 } else { 80 };
    if options.port == usual { host } else { format!("{host}:{}", options.port) }
}
