use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{Body, Operator, Options, Protocol, Tls};

/// Time for each step of a test, unless it is said otherwise.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A test that is a look of its own, beside the service's.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Test {
    /// Connects to a port and holds a conversation.
    Port(Box<PortTest>),
    /// Connects to a unix socket and holds a conversation.
    Unix(Box<UnixTest>),
    /// Fetches a whole URL.
    Url(Box<UrlTest>),
    /// Sends ICMP echo requests.
    Ping(Box<PingTest>),
    /// A kind that an embedder registered.
    Custom {
        /// Name in the registry.
        probe: String,
        /// Its options, as written.
        options: Options,
    },
}

impl Test {
    /// The same test with the options of TLS that it leaves open taken from `base`.
    pub fn over(&self, base: &Tls) -> Test {
        let mut test = self.clone();
        match &mut test {
            Test::Port(port) => port.tls = port.tls.as_ref().map(|own| own.over(base)),
            Test::Url(url) => url.tls = url.tls.over(base),
            _ => {}
        }
        test
    }
}

/// Whether failure or success of a test makes its rule fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expect {
    /// `if failed …`
    #[default]
    Failed,
    /// `if succeeded …`
    Succeeded,
}

/// A test of a port.
#[derive(Debug, Clone, PartialEq)]
pub struct PortTest {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Which addresses of the host.
    pub family: Family,
    /// TCP or UDP.
    pub transport: Transport,
    /// The address of this machine that it connects from; `None`: whichever the kernel takes.
    pub source: Option<IpAddr>,
    /// What is said.
    pub protocol: Protocol,
    /// Encryption; `None`: none.
    pub tls: Option<Tls>,
    /// Whether TLS begins within the conversation, by STARTTLS. A protocol that has none stays in the clear, as in Monit.
    pub starttls: bool,
    /// The certificate must be valid for at least so many days more; `None`: that is not looked at.
    pub certificate_days: Option<u32>,
    /// What must hold for the time that all of it takes. A test that fails took no time.
    pub response_time: Option<ResponseTime>,
    /// Time for each of connecting, TLS, and the conversation.
    pub timeout: Duration,
    /// Attempts within one look; at least 1.
    pub retry: u32,
}

impl PortTest {
    /// Connects to this TCP port, in five seconds, and says nothing.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            family: Family::Any,
            transport: Transport::Tcp,
            source: None,
            protocol: Protocol::Default,
            tls: None,
            starttls: false,
            certificate_days: None,
            response_time: None,
            timeout: TIMEOUT,
            retry: 1,
        }
    }
}

/// A test of a unix socket.
#[derive(Debug, Clone, PartialEq)]
pub struct UnixTest {
    /// Its path.
    pub path: PathBuf,
    /// [`Transport::Tcp`] is a stream, [`Transport::Udp`] are datagrams.
    pub transport: Transport,
    /// What is said.
    pub protocol: Protocol,
    /// What must hold for the time that all of it takes.
    pub response_time: Option<ResponseTime>,
    /// Time for each of connecting and the conversation.
    pub timeout: Duration,
    /// Attempts within one look; at least 1.
    pub retry: u32,
}

impl UnixTest {
    /// Connects to this socket, in five seconds, and says nothing.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            transport: Transport::Tcp,
            protocol: Protocol::Default,
            response_time: None,
            timeout: TIMEOUT,
            retry: 1,
        }
    }
}

/// A test by ICMP echo requests: the first answer ends it.
#[derive(Debug, Clone, PartialEq)]
pub struct PingTest {
    /// Name or address.
    pub host: String,
    /// Which addresses of the host.
    pub family: Family,
    /// So many requests are sent at most.
    pub count: u32,
    /// Bytes of each.
    pub size: u16,
    /// The address of this machine that they are sent from; `None`: whichever the kernel takes.
    pub source: Option<IpAddr>,
    /// What must hold for the time until the answer.
    pub response_time: Option<ResponseTime>,
    /// Time for each answer.
    pub timeout: Duration,
}

impl PingTest {
    /// Three requests of 64 bytes, with five seconds for each answer.
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            family: Family::Any,
            count: 3,
            size: 64,
            source: None,
            response_time: None,
            timeout: TIMEOUT,
        }
    }
}

/// What must hold for the time that an answer takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseTime {
    /// How it compares …
    pub operator: Operator,
    /// … with this.
    pub limit: Duration,
}

/// Which addresses of a host are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)] // their names say it
pub enum Family {
    #[default]
    Any,
    V4,
    V6,
}

/// How bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)] // their names say it
pub enum Transport {
    #[default]
    Tcp,
    Udp,
}

/// A test of a whole URL.
#[derive(Debug, Clone, PartialEq)]
pub struct UrlTest {
    /// `http://…` or `https://…`
    pub url: String,
    /// What is shown in its place, if it holds a secret; see [`UrlTest::shown`].
    pub masked: Option<String>,
    /// Expected status; `None`: below 400.
    pub status: Option<(Operator, u16)>,
    /// What the body must match, or must not.
    pub content: Option<Body>,
    /// How the certificate of an `https` URL is judged.
    pub tls: Tls,
    /// The certificate must be valid for at least so many days more; `None`: that is not looked at.
    pub certificate_days: Option<u32>,
    /// Time for all of it.
    pub timeout: Duration,
    /// Attempts within one look; at least 1.
    pub retry: u32,
}

impl UrlTest {
    /// Fetches this URL, in five seconds.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            masked: None,
            status: None,
            content: None,
            tls: Tls::default(),
            certificate_days: None,
            timeout: TIMEOUT,
            retry: 1,
        }
    }
}

impl UrlTest {
    /// The URL as people and programs may see it: in pages, documents, the log and mails. A user and a password in
    /// front of the host are still in it.
    pub fn shown(&self) -> &str {
        self.masked.as_deref().unwrap_or(&self.url)
    }
}
