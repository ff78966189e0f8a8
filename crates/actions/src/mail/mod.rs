//! Mail: one attempt to deliver ([`Mailer`]), and a queue that outlives dead servers and restarts ([`Post`]).
//!
//! A message is on disk before it is first tried, and stays there, under the same Message-ID, until a server has taken
//! it or refused it for good. So messages are delivered at least once (invariant 12), and the identical Message-ID lets
//! mail programs show a repeated one once.

mod answer;
mod bounded;
mod letter;
mod mailer;
mod outbox;
mod post;
mod store;
mod trust;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

pub use letter::Letter;
pub use mailer::{Attempt, Mailer};
pub use outbox::{Full, Key, Outbox};
pub use post::Post;
pub use trust::Trust;

/// How mail leaves.
#[derive(Debug, Clone)]
pub struct MailOptions {
    /// Servers, tried in order until one lets us in. One that did not is asked last for a minute.
    pub servers: Vec<Server>,
    /// Time for connecting, and for each answer.
    pub timeout: Duration,
    /// What we call ourselves in EHLO. By default, the name of this host.
    pub hostname: Option<String>,
}

/// A mail server.
#[derive(Debug, Clone)]
pub struct Server {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Encryption.
    pub tls: Tls,
    /// Whether its certificate must be valid for `host` and signed by an authority this host trusts.
    pub verify: bool,
    /// What else its certificate must be.
    pub trust: Trust,
    /// User name and password, where it asks for them.
    pub credentials: Option<Credentials>,
}

impl Server {
    /// A server without encryption and without a password.
    pub fn plain(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            tls: Tls::Off,
            verify: true,
            trust: Trust::default(),
            credentials: None,
        }
    }
}

/// Encryption on the way to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tls {
    /// None.
    #[default]
    Off,
    /// Begun in the clear, then STARTTLS, which must succeed.
    StartTls,
    /// From the first byte.
    Implicit,
}

/// User name and password. PLAIN is preferred to LOGIN.
#[derive(Clone)]
pub struct Credentials {
    /// User name.
    pub user: String,
    /// Password; never shown.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// How messages wait.
#[derive(Debug, Clone)]
pub struct PostOptions {
    /// Directory of the queue, made if it is not there. By default, messages wait in memory only.
    pub directory: Option<PathBuf>,
    /// How many messages may wait. By default, 1000.
    pub slots: usize,
    /// Wait before the second try; it doubles with each further one. By default, 5 s.
    pub first_retry: Duration,
    /// Longest wait between tries. By default, 5 min.
    pub longest_retry: Duration,
}

impl Default for PostOptions {
    fn default() -> Self {
        Self {
            directory: None,
            slots: 1000,
            first_retry: Duration::from_secs(5),
            longest_retry: Duration::from_secs(300),
        }
    }
}
