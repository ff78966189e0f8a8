//! The model: what a configuration means, whatever it was written in.

mod alert;
mod limits;
mod patience;
mod protocol;
mod service;
mod test;
mod tls;
mod turns;
mod web;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::Secret;

pub use alert::{Events, MailFormat, Recipient};
pub use limits::Limits;
pub use patience::{Budget, Patience};
pub use protocol::{ApacheStatus, Body, HttpTest, Method, Plain, Protocol, Scoreboard, Step, Websocket};
pub use service::{
    BUFFER, Branch, Change, Condition, Found, Ignore, Kind, Link, MONIT_BUFFER, Mode, OnReboot, Operator,
    Options, Prerequisite, Program, Rate, Rule, Service, Speech, Then,
};
pub use test::{Expect, Family, PingTest, PortTest, ResponseTime, Test, Transport, UnixTest, UrlTest};
pub use tls::{Algorithm, Digest, Tls, TlsVersions};
pub use turns::{Cron, Never, Turns};
pub use web::{Allow, Collector, Entries, Listen, PasswordFile, User, Web};

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
    /// M/Monit servers that are to know of everything.
    pub collectors: Vec<Collector>,
    /// Whether they are told how to log in here.
    pub register_credentials: bool,
    /// What holds for all TLS connections that we make, where they say nothing else.
    pub tls: Tls,
    /// Whether TLS is to be kept to what FIPS 140 allows.
    pub fips: bool,
    /// How much is read, and how long is waited, where nothing else is said.
    pub limits: Limits,
    /// Whether services are watched after a boot, where they say nothing else.
    pub on_reboot: OnReboot,
    /// Whether the command line prints neither tables nor colours.
    pub batch: bool,
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
    /// What messages look like.
    pub format: MailFormat,
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
            format: MailFormat::default(),
            queue: None,
            slots: None,
        }
    }
}

impl Mail {
    /// The same, with the options of TLS that its servers leave open as they are in `base`: [`Config::tls_defaults`].
    pub fn over(&self, base: &Tls) -> Self {
        let mut mail = self.clone();
        mail.servers.iter_mut().for_each(|server| server.options = server.options.over(base));
        mail
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
    /// How its certificate is judged, and what TLS has to be.
    pub options: Tls,
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
            collectors: Vec::new(),
            register_credentials: true,
            tls: Tls::default(),
            fips: false,
            limits: Limits::of(dialect),
            on_reboot: OnReboot::default(),
            batch: false,
            budget: (dialect == Dialect::Toml).then(Budget::default),
            history: Some(HISTORY),
            services: vec![Arc::new(Service::system(host))],
        }
    }

    /// What every TLS connection of ours is asked for that says nothing else.
    pub fn tls_defaults(&self) -> Tls {
        let own = Tls { verify: Some(self.dialect == Dialect::Toml), ..Tls::default() };
        self.tls.over(&own)
    }

    /// The service that is *the* system; its name is the name of this host in alerts.
    pub fn system(&self) -> Option<&Service> {
        self.services.iter().rev().find(|s| s.kind == Kind::System).map(|s| &**s)
    }
}
