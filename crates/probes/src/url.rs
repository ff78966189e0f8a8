//! A whole URL, asked with GET: the answer must have a status below 400. Redirects are answers, not followed.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use hinoban_probe::{Look, Probe, ProbeError};
use hinoban_reading::{Metric, Observation, ReasonKind, metrics};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::tls::TlsInfo;
use reqwest::{Client, Response, Url};
use tokio::time::{Instant, timeout};

use crate::certificate::Certificate;
use crate::digest::Digest;
use crate::failure::Failure;
use crate::port::{BodyTest, Comparison, StatusTest, Tls};
use crate::tls::{self, Trust};

/// Bytes of a body that are read.
const BODY: usize = 1 << 20;

/// Why a URL makes no test.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// It cannot be read.
    #[error("`{url}` is not a URL: {why}")]
    Url {
        /// As given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// It has another scheme.
    #[error("a URL test needs http:// or https://, not {0}://")]
    Scheme(String),
}

/// Tests a URL. See the [module](self). `Debug` shows no more than its host: the rest may hold secrets.
pub struct UrlProbe {
    url: Url,
    trust: Trust,
    timeout: Duration,
    attempts: u32,
    status: StatusTest,
    body: Option<BodyTest>,
    /// Of the server's own certificate.
    digest: Option<Digest>,
    client: Option<Client>,
}

impl fmt::Debug for UrlProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UrlProbe").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Probe for UrlProbe {
    async fn observe(&mut self, look: &Look) -> Result<Observation, ProbeError> {
        let client = match &self.client {
            Some(client) => client.clone(),
            None => self.client.insert(self.build().await?).clone(),
        };
        for attempt in 1.. {
            let begin = Instant::now();
            let ask = async {
                let response = client.get(self.url.clone()).send().await?;
                let leaf = response.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate);
                let leaf = leaf.map(<[u8]>::to_vec).unwrap_or_default();
                let code = response.status().as_u16();
                let good = self.status.holds(code);
                let complaint = if good { self.complaint(response).await? } else { None };
                Ok::<_, reqwest::Error>((code, good, complaint, leaf))
            };
            let failure = match timeout(self.timeout, ask).await {
                Ok(Ok((code, good, complaint, leaf))) => {
                    let mut seen = match (good, complaint) {
                        _ if self.stranger(&leaf).is_some() => {
                            let text = self.stranger(&leaf).unwrap_or_default();
                            Failure::down(ReasonKind::Tls, text).observed()?
                        }
                        (true, None) => Observation::up()
                            .with(&metrics::RESPONSE_TIME, begin.elapsed().as_secs_f64())
                            .with(&metrics::HTTP_STATUS, u32::from(code)),
                        (true, Some(text)) => Failure::down(ReasonKind::Content, text)
                            .observed()?
                            .with(&metrics::HTTP_STATUS, u32::from(code)),
                        (false, _) => {
                            let text = format!("HTTP error: Server returned status {code}");
                            let seen = Failure::down(ReasonKind::Status, text).observed()?;
                            seen.with(&metrics::HTTP_STATUS, u32::from(code))
                        }
                    };
                    let wall = i64::try_from(look.wall().as_secs()).unwrap_or(i64::MAX);
                    if let Some(days) = Certificate::days_left(std::iter::once(&leaf[..]), wall) {
                        seen.push(&metrics::CERTIFICATE_DAYS, days);
                    }
                    if seen.standing.is_up() || attempt >= self.attempts {
                        return Ok(seen);
                    }
                    continue;
                }
                Ok(Err(error)) => sort(&error.without_url(), &self.url),
                Err(_) => Failure::timed_out("while waiting for the answer", self.timeout),
            };
            if attempt >= self.attempts || matches!(failure, Failure::Unable(_)) {
                return failure.observed();
            }
        }
        Err(ProbeError::Failed("no attempt was made".into()))
    }

    fn metrics(&self) -> &[Metric] {
        const { &[metrics::RESPONSE_TIME, metrics::HTTP_STATUS, metrics::CERTIFICATE_DAYS] }
    }
}

impl UrlProbe {
    /// A test of this URL, credentials in it included. `tls`: how the certificate is judged; `timeout`: for
    /// the whole answer; `attempts`: tries within one look, at least one.
    ///
    /// # Errors
    /// A text that is not an HTTP URL.
    pub fn new(url: &str, tls: &Tls, timeout: Duration, attempts: u32) -> Result<Self, Invalid> {
        let parsed = Url::parse(url).map_err(|e| Invalid::Url { url: redact(url), why: e.to_string() })?;
        match parsed.scheme() {
            "http" | "https" => {
                let status = StatusTest(Comparison::Less, 400);
                let trust = Trust::new(tls);
                Ok(Self {
                    url: parsed,
                    trust,
                    timeout,
                    attempts,
                    status,
                    body: None,
                    digest: tls.digest.clone(),
                    client: None,
                })
            }
            other => Err(Invalid::Scheme(other.to_owned())),
        }
    }

    /// Passes when this holds for the status code, instead of when that is below 400.
    pub fn expecting(mut self, status: StatusTest) -> Self {
        self.status = status;
        self
    }

    /// Passes only when this holds for the body, of which a mebibyte is read.
    pub fn holding(mut self, body: BodyTest) -> Self {
        self.body = Some(body);
        self
    }

    /// Why the certificate is not the one that it must be.
    fn stranger(&self, leaf: &[u8]) -> Option<String> {
        let found = self.digest.as_ref()?.holds(leaf).err()?;
        Some(format!("SSL server certificate checksum failed: it is {found}"))
    }

    /// Why the body of an answer is not as asked.
    async fn complaint(&self, mut response: Response) -> Result<Option<String>, reqwest::Error> {
        let Some(test) = &self.body else { return Ok(None) };
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await? {
            body.extend_from_slice(&part[..part.len().min(BODY - body.len())]);
            if body.len() == BODY {
                break;
            }
        }
        Ok(test.complaint(&body))
    }

    /// The client costs milliseconds and, for https, the CA bundle: it is made when it is first needed.
    async fn build(&self) -> Result<Client, ProbeError> {
        let config = match self.url.scheme() {
            "https" => (*self.trust.config().await?).clone(),
            _ => tls::unused_config()?,
        };
        Client::builder()
            .tls_backend_preconfigured(config)
            .tls_info(true)
            .dns_resolver(Resolver)
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(0) // each look makes its own connection, as a new visitor would
            .no_proxy()
            .user_agent(concat!("Hinoban/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| ProbeError::Failed(format!("no HTTP client could be made: {e}")))
    }
}

/// Text before an `@` may be a password.
fn redact(url: &str) -> String {
    url.rsplit_once('@').map_or_else(|| url.to_owned(), |(_, rest)| format!("…@{rest}"))
}

/// Looks through what reqwest wraps for the cause that we know.
fn sort(error: &reqwest::Error, url: &Url) -> Failure {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = error.source();
    let mut last = error.to_string();
    while let Some(e) = cause {
        if e.is::<Unresolved>() {
            let port = url.port_or_known_default().unwrap_or(0);
            let text = format!("Cannot resolve [{}]:{port}", url.host_str().unwrap_or_default());
            return Failure::down(ReasonKind::Unresolved, text);
        }
        if let Some(complaint) = e.downcast_ref::<rustls::Error>() {
            return Failure::down(ReasonKind::Tls, tls::told(complaint));
        }
        if let Some(e) = e.downcast_ref::<io::Error>() {
            if let Some(complaint) = tls::complaint(e) {
                return Failure::down(ReasonKind::Tls, tls::told(complaint));
            }
            if e.raw_os_error().is_some() || e.kind() == io::ErrorKind::UnexpectedEof {
                return Failure::of_socket(e, "while waiting for the answer");
            }
        }
        if let Some(e) = e.downcast_ref::<hyper::Error>() {
            if e.is_incomplete_message() {
                let text = "HTTP: Error receiving data -- the server closed the connection without an answer";
                return Failure::down(ReasonKind::Reset, text);
            }
            if e.is_parse() {
                return Failure::down(
                    ReasonKind::Protocol,
                    format!("HTTP error: Cannot parse the answer: {e}"),
                );
            }
        }
        last = e.to_string();
        cause = e.source();
    }
    Failure::down(ReasonKind::Protocol, format!("HTTP error: {last}"))
}

/// The resolver of this host, with an error that can be told from others.
#[derive(Debug)]
struct Resolver;

#[derive(Debug, thiserror::Error)]
#[error("the name cannot be resolved")]
struct Unresolved;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(|_| Unresolved)?;
            let found: Vec<SocketAddr> = found.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
