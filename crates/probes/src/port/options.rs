use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hinoban_protocols::Spoken;
use hinoban_protocols::http::{self, Credentials, Method};
use hinoban_protocols::talk::{Matcher, Step};

use crate::digest::Digest;

/// What to test, and how.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// A name, or an address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Which addresses of a name count. By default, any.
    pub family: Family,
    /// TCP or UDP. By default, TCP.
    pub transport: Transport,
    /// The address of this host to connect from. By default, the kernel takes one.
    pub source: Option<IpAddr>,
    /// Whether TLS begins within the conversation, where the protocol knows how (SMTP, IMAP). By default, before it.
    pub starttls: bool,
    /// What to say once connected. By default, nothing: being able to connect is enough.
    pub protocol: Protocol,
    /// TLS before anything is said. By default, none.
    pub tls: Option<Tls>,
    /// Longest wait in each phase. By default, 5 s.
    pub timeout: Duration,
    /// How often one look tries before it reports a failure, at least once. By default, 1.
    pub attempts: u32,
}

impl Options {
    /// Connecting to this port, with defaults for everything else.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            family: Family::Any,
            transport: Transport::Tcp,
            source: None,
            starttls: false,
            protocol: Protocol::Default,
            tls: None,
            timeout: Duration::from_secs(5),
            attempts: 1,
        }
    }
}

/// How bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::exhaustive_enums)] // there will be no third
pub enum Transport {
    /// A stream.
    #[default]
    Tcp,
    /// Datagrams. Nobody says that one arrived: where nothing is said, silence counts as up.
    Udp,
}

/// Address families.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::exhaustive_enums)] // there will be no third
pub enum Family {
    /// IPv4 and IPv6, in the order the resolver gives.
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

impl Family {
    pub(crate) fn admits(self, address: IpAddr) -> bool {
        match self {
            Family::Any => true,
            Family::V4 => address.is_ipv4(),
            Family::V6 => address.is_ipv6(),
        }
    }
}

/// What is said on the connection.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Protocol {
    /// Nothing.
    #[default]
    Default,
    /// One HTTP request.
    Http(Http),
    /// Texts to send and patterns to expect, in order.
    Generic(Vec<Step>),
    /// A conversation that the crate `hinoban-protocols` knows by name.
    Spoken(Spoken),
}

/// One HTTP request and what its answer must be. `Debug` leaves out the headers and the credentials: both may hold
/// secrets.
#[derive(Clone)]
#[non_exhaustive]
pub struct Http {
    /// GET by default.
    pub method: Method,
    /// `/` by default; see [`http::Request::target`].
    pub target: String,
    /// Further headers; one called `Host` replaces ours, which is made of host and port.
    pub headers: Vec<(String, String)>,
    /// For basic authentication.
    pub credentials: Option<Credentials>,
    /// What must hold for the status code. By default, that it is below 400.
    pub status: StatusTest,
    /// What the body must hold, or must not.
    pub body: Option<BodyTest>,
    /// The digest that the body must have.
    pub digest: Option<Digest>,
    /// Whatever else is to be said of the body.
    pub verdict: Option<Verdict>,
    /// So many bytes of the body are read at most. By default, 1 MiB.
    pub limit: usize,
}

/// Why not, if not.
type Says = dyn Fn(&str) -> Result<(), String> + Send + Sync;

/// Says of a body whether it is as it should be.
#[derive(Clone)]
pub struct Verdict(Arc<Says>);

impl Verdict {
    /// What this function says: why not, if not.
    pub fn new(says: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(says))
    }

    /// Of this body, why not, if not.
    ///
    /// # Errors
    /// Why it is not as it should be.
    pub fn of(&self, body: &[u8]) -> Result<(), String> {
        (self.0)(&String::from_utf8_lossy(body))
    }
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verdict(..)")
    }
}

/// What a body must hold (`true`), or must not.
#[derive(Debug, Clone)]
#[allow(clippy::exhaustive_structs)]
pub struct BodyTest(pub Matcher, pub bool);

impl BodyTest {
    /// Why this body is not as asked.
    pub(crate) fn complaint(&self, body: &[u8]) -> Option<String> {
        let Self(matcher, wanted) = self;
        if body.is_empty() {
            return Some("HTTP error: No content returned from server".to_owned());
        }
        match (matcher.is_match(&String::from_utf8_lossy(body)), wanted) {
            (false, true) => {
                Some(format!("HTTP error: Regular expression doesn't match: {}", matcher.text()))
            }
            (true, false) => Some(format!("HTTP error: Regular expression matches: {}", matcher.text())),
            _ => None,
        }
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, target, status, .. } = self;
        let mut shown = f.debug_struct("Http");
        shown.field("method", method).field("target", target).field("status", status).finish_non_exhaustive()
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            method: Method::Get,
            target: "/".into(),
            headers: Vec::new(),
            credentials: None,
            status: StatusTest(Comparison::Less, 400),
            body: None,
            digest: None,
            verdict: None,
            limit: 1 << 20,
        }
    }
}

/// The condition that a good status code fulfils: `code OPERATOR number`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct StatusTest(pub Comparison, pub u16);

impl StatusTest {
    /// Whether this code is good.
    pub fn holds(self, code: u16) -> bool {
        let Self(comparison, number) = self;
        match comparison {
            Comparison::Less => code < number,
            Comparison::LessOrEqual => code <= number,
            Comparison::Equal => code == number,
            Comparison::NotEqual => code != number,
            Comparison::GreaterOrEqual => code >= number,
            Comparison::Greater => code > number,
        }
    }
}

/// The six ways to compare numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, clippy::exhaustive_enums)] // the names say it all
pub enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
}

/// How TLS is begun.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Tls {
    /// Whether the certificate must be good for the name and signed by an authority this host trusts.
    pub verify: bool,
    /// Authorities to trust instead of this host's: a file of certificates in PEM, read when first needed.
    pub ca_file: Option<PathBuf>,
    /// Authorities to trust instead of this host's: a folder of such files.
    pub ca_path: Option<PathBuf>,
    /// Whether a certificate that signs itself is good enough, although certificates are verified. By default, not.
    pub self_signed: bool,
    /// The certificate and the key that we show if the server asks, both in one file in PEM form.
    pub client_pem: Option<PathBuf>,
    /// The versions spoken. By default, 1.2 and 1.3.
    pub versions: Option<Versions>,
    /// The digest that the server's own certificate must have.
    pub digest: Option<Digest>,
    /// The name asked for and verified. By default, the host.
    pub server_name: Option<String>,
}

/// A single version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it all
#[non_exhaustive]
pub enum Versions {
    Tls12,
    Tls13,
}

impl Tls {
    /// With or without verification, asking for the host.
    pub fn new(verify: bool) -> Self {
        Self {
            verify,
            ca_file: None,
            ca_path: None,
            self_signed: false,
            client_pem: None,
            versions: None,
            digest: None,
            server_name: None,
        }
    }
}

/// Why options make no test.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// The request cannot be written.
    #[error(transparent)]
    Request(#[from] http::Invalid),
    /// TLS needs a name or address that a certificate could hold.
    #[error("`{0}` is neither a host name nor an address, so TLS cannot ask for it; set the server name")]
    ServerName(String),
    /// A wait of no time cannot succeed.
    #[error("the time-out is zero; it must be longer")]
    Timeout,
}
