//! The model: what a configuration means, whatever it was written in.

mod patience;
mod service;
mod test;
mod turns;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::{Place, Secret};

pub use patience::{Budget, Patience};
pub use service::{
    BUFFER, Branch, Change, Condition, Found, Ignore, Kind, Link, MONIT_BUFFER, Mode, OnReboot, Operator,
    Options, Prerequisite, Program, Rate, Rule, Service, Speech, Then,
};
pub use test::{Expect, Family, HttpTest, Method, PortTest, Protocol, Test, Tls, UrlTest};
pub use turns::{Cron, Never, Turns};

/// A whole configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// What it was written in; some sentences and defaults follow it.
    pub dialect: Dialect,
    /// Time between the looks at a service; `None` means: look at everything once and end.
    pub every: Option<Duration>,
    /// Wait before the first looks, after a boot of the host only.
    pub start_delay: Duration,
    /// Stay in the foreground even without being told so on the command line.
    pub foreground: bool,
    /// Where our own files are.
    pub files: Files,
    /// Where the log goes; `None` means: only to the terminal while in the foreground.
    pub log: Option<LogTarget>,
    /// How mail leaves.
    pub mail: Mail,
    /// Who hears of everything.
    pub alerts: Vec<Recipient>,
    /// The HTTP interface.
    pub web: Web,
    /// How many restarts of things that live the host is to bear at a time; `None`: any number, as Monit.
    pub budget: Option<Budget>,
    /// How much room on disk the history of readings and incidents may take, in bytes; `None`: none is kept.
    pub history: Option<u64>,
    /// What is watched, in the order written. Holds exactly one service that is *the* system: added if not written.
    /// Shared: whoever keeps one for a service at work keeps no copy.
    pub services: Vec<Arc<Service>>,
}

/// What a configuration was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// Our own.
    #[default]
    Toml,
    /// Monit's control language.
    Monit,
}

/// Our own files. `None`: the binary's default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Files {
    /// Our process id.
    pub pidfile: Option<PathBuf>,
    /// Our identity: 32 hexadecimal digits.
    pub idfile: Option<PathBuf>,
    /// What survives a restart.
    pub statefile: Option<PathBuf>,
}

/// Where the log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// A file, appended to.
    File(PathBuf),
    /// The syslog daemon of this host.
    Syslog(Facility),
    /// Standard error.
    Stderr,
}

/// The facility of syslog(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)] // syslog(3) has them
pub enum Facility {
    #[default]
    User,
    Daemon,
    Local(u8),
}

/// How mail leaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Mail {
    /// Servers, tried in order until one can be connected to.
    pub servers: Vec<MailServer>,
    /// Time for connecting and for each answer.
    pub timeout: Duration,
    /// What we call ourselves in EHLO and message ids; `None`: the name of this host.
    pub hostname: Option<String>,
    /// Sender; `None`: `monit@HOST` under a control file, `hinoban@HOST` otherwise.
    pub from: Option<String>,
    /// Where messages wait until a server has taken them; `None`: a folder beside the state file.
    pub queue: Option<PathBuf>,
    /// How many messages may wait; `None`: 1000.
    pub slots: Option<usize>,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            timeout: Duration::from_secs(30),
            hostname: None,
            from: None,
            queue: None,
            slots: None,
        }
    }
}

/// One mail server.
#[derive(Debug, Clone, PartialEq)]
pub struct MailServer {
    /// Name or address.
    pub host: String,
    /// TCP port; 25 by default.
    pub port: u16,
    /// Encryption.
    pub tls: MailTls,
    /// Whether its certificate is verified.
    pub verify: bool,
    /// User name and password.
    pub login: Option<(String, Secret)>,
}

/// Encryption on the way to a mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MailTls {
    /// None.
    #[default]
    Off,
    /// Begun in the clear, then STARTTLS, which must succeed.
    StartTls,
    /// From the first byte.
    Implicit,
}

/// One who is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipient {
    /// Mail address.
    pub address: String,
    /// Remind after this many further failing looks; `None`: never.
    pub reminder: Option<u32>,
    /// Where it was written.
    pub place: Place,
}

/// The HTTP interface.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Web {
    /// Where it listens; empty: nowhere but on the command line's own socket.
    pub listen: Vec<Listen>,
    /// Who may connect and log in.
    pub allow: Vec<Allow>,
}

impl Web {
    /// A warning if whoever is allowed to connect over a network may command without a password, from other hosts
    /// than this one.
    pub fn open_to_others(&self) -> Option<String> {
        let here = |host: &str| {
            let address = host.split_once('/').map_or(host, |(address, _)| address);
            let wide = host.split_once('/').is_some_and(|(_, mask)| matches!(mask.parse(), Ok(0..8u8)));
            host.eq_ignore_ascii_case("localhost")
                || address
                    .parse::<std::net::IpAddr>()
                    .is_ok_and(|ip| ip.to_canonical().is_loopback() && !wide)
        };
        // What is no host (a user in quotes, say) lets nobody in, and is not to be repeated.
        let is_host = |host: &str| {
            !host.contains(':') || host.contains('/') || host.parse::<std::net::IpAddr>().is_ok()
        };
        let from = self.allow.iter().find_map(|allow| match allow {
            Allow::Host(host) if is_host(host) && !here(host) => Some(host),
            _ => None,
        })?;
        let users = self.allow.iter().any(|allow| matches!(allow, Allow::User(_)));
        let open = self.listen.iter().any(|listen| match listen {
            Listen::Tcp { address, read_only: false, .. } => !address.as_deref().is_some_and(here),
            _ => false,
        });
        (open && !users).then(|| format!("there are no users: everybody at {from} may stop services"))
    }
}

/// One listening socket.
#[derive(Debug, Clone, PartialEq)]
pub enum Listen {
    /// TCP.
    Tcp {
        /// Address or name to bind; `None`: all.
        address: Option<String>,
        /// Port.
        port: u16,
        /// Whether it serves reading only.
        read_only: bool,
    },
    /// A unix socket.
    Unix {
        /// Its path.
        path: PathBuf,
        /// Whether it serves reading only.
        read_only: bool,
        /// Mode bits; `None`: as the umask says.
        permission: Option<u32>,
        /// Owner; `None`: ourselves.
        uid: Option<u32>,
        /// Group; `None`: our own.
        gid: Option<u32>,
    },
}

/// Who may use the HTTP interface.
#[derive(Debug, Clone, PartialEq)]
pub enum Allow {
    /// A host name, an address or a network: `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `::1/128`.
    Host(String),
    /// Somebody with a password.
    User(User),
}

/// Somebody with a password.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// Name.
    pub name: String,
    /// Password in the clear.
    pub password: Secret,
    /// Whether he may only look.
    pub read_only: bool,
}

/// Room for the history unless it is said otherwise: 64 MB.
pub const HISTORY: u64 = 64_000_000;

impl Config {
    /// An empty configuration of this dialect: nothing but the system is watched.
    pub fn empty(dialect: Dialect, host: &str) -> Self {
        Self {
            dialect,
            every: match dialect {
                Dialect::Toml => Some(Duration::from_secs(30)),
                Dialect::Monit => None,
            },
            start_delay: Duration::ZERO,
            foreground: false,
            files: Files::default(),
            log: None,
            mail: Mail::default(),
            alerts: Vec::new(),
            web: Web::default(),
            budget: (dialect == Dialect::Toml).then(Budget::default),
            history: Some(HISTORY),
            services: vec![Arc::new(Service::system(host))],
        }
    }

    /// The service that is *the* system; its name is the name of this host in alerts.
    pub fn system(&self) -> Option<&Service> {
        self.services.iter().rev().find(|s| s.kind == Kind::System).map(|s| &**s)
    }
}
