use std::path::PathBuf;
use std::time::Duration;

use super::{Operator, Options};
use crate::Secret;

/// A test that is a look of its own, beside the service's.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Test {
    /// Connects to a TCP port and holds a conversation.
    Port(Box<PortTest>),
    /// Fetches a whole URL.
    Url(Box<UrlTest>),
    /// A kind that an embedder registered.
    Custom {
        /// Name in the registry.
        probe: String,
        /// Its options, as written.
        options: Options,
    },
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

/// A test of a TCP port.
#[derive(Debug, Clone, PartialEq)]
pub struct PortTest {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Which addresses of the host.
    pub family: Family,
    /// What is said.
    pub protocol: Protocol,
    /// Encryption; `None`: none.
    pub tls: Option<Tls>,
    /// Time for each of connecting, TLS, and the conversation.
    pub timeout: Duration,
    /// Attempts within one look; at least 1.
    pub retry: u32,
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

/// What is said on a connection.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Protocol {
    /// Nothing: to be connected is enough.
    Default,
    /// An HTTP request.
    Http(HttpTest),
}

/// An HTTP request and what is expected of its answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HttpTest {
    /// Method.
    pub method: Method,
    /// Target; `None`: `/`, and no target is shown.
    pub request: Option<String>,
    /// What is shown in its place, if it holds a secret; see [`HttpTest::shown`].
    pub masked: Option<String>,
    /// Expected status; `None`: below 400.
    pub status: Option<(Operator, u16)>,
    /// Further header fields, in order; they replace the ones we would send.
    pub headers: Vec<(String, String)>,
    /// User name and password for basic authentication.
    pub login: Option<(String, Secret)>,
}

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)] // their names say it
pub enum Method {
    #[default]
    Get,
    Head,
}

/// TLS on a tested connection.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tls {
    /// Whether the certificate is verified.
    pub verify: bool,
    /// Trust these certificates instead of the system's.
    pub ca_file: Option<PathBuf>,
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
    /// How the certificate of an `https` URL is judged.
    pub tls: Tls,
    /// Time for all of it.
    pub timeout: Duration,
    /// Attempts within one look; at least 1.
    pub retry: u32,
}

impl HttpTest {
    /// The target as people and programs may see it: in pages, documents, the log and mails.
    pub fn shown(&self) -> Option<&str> {
        self.masked.as_deref().or(self.request.as_deref())
    }
}

impl UrlTest {
    /// The URL as people and programs may see it: in pages, documents, the log and mails. A user and a password in
    /// front of the host are still in it.
    pub fn shown(&self) -> &str {
        self.masked.as_deref().unwrap_or(&self.url)
    }
}
