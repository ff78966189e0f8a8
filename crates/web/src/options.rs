use std::fmt;
use std::path::PathBuf;

use jiff::tz::TimeZone;

/// The version of Monit whose dialect this is: what clients read as the version of the program they talk to.
pub const DIALECT: &str = "5.33.0";

/// Where to listen, whom to serve, and what to say about ourselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Version in documents and headers; [`DIALECT`] unless there is a reason.
    pub version: String,
    /// Program and version in the first line of texts for people: `Monit 5.33.0` unless there is a reason.
    pub banner: String,
    /// Whether `summary` and `report` keep to Monit's words. Otherwise what a rule gave up is called so, and counted as
    /// down.
    pub as_monit: bool,
    /// Our identity: 32 hexadecimal digits.
    pub id: String,
    /// Path of the configuration, shown in documents.
    pub control_file: String,
    /// Where to listen.
    pub listen: Vec<Listener>,
    /// Who may log in. If there are any, everybody must.
    pub users: Vec<User>,
    /// Whether everybody must log in even if there are none: somebody may who cannot be told from others yet.
    pub closed: bool,
    /// Whether the `Server` header leaves out our version, as Monit's `signature disable` does.
    pub anonymous: bool,
    /// From where one may connect: names, addresses, networks (`10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `fe80::/10`). If
    /// there are any, everybody on a network must match one.
    pub hosts: Vec<String>,
    /// Names of this host, beside its addresses, `localhost`, what uname(2) says and what [`Options::listen`] names.
    /// While there are no users, browsers are answered only under one of these: a page of somebody else's could reach
    /// us under its own name otherwise.
    pub names: Vec<String>,
    /// The time zone of what is shown; `None`: that of the host.
    pub zone: Option<TimeZone>,
}

/// One place to listen at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listener {
    /// A TCP port.
    Tcp {
        /// Name or address to bind; `None`: all, of both families.
        address: Option<String>,
        /// Port; 0 lets the kernel choose.
        port: u16,
        /// Whether nothing can be commanded here.
        read_only: bool,
    },
    /// A unix socket.
    Unix {
        /// Its path. What a dead server left there is replaced.
        path: PathBuf,
        /// Mode bits, set before anybody can connect; `None`: as the umask says.
        mode: Option<u32>,
        /// Owner; `None`: ourselves.
        uid: Option<u32>,
        /// Group; `None`: our own.
        gid: Option<u32>,
        /// Whether nothing can be commanded here.
        read_only: bool,
    },
}

/// Somebody who may log in. Its `Debug` form hides the password.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Name; upper and lower case are the same.
    pub name: String,
    /// Password, in the clear.
    pub password: String,
    /// Whether he may only look.
    pub read_only: bool,
}

impl Options {
    /// Listening nowhere, with nobody allowed, in the version of [`DIALECT`].
    pub fn new(id: impl Into<String>, control_file: impl Into<String>) -> Self {
        Self {
            version: DIALECT.to_owned(),
            banner: format!("Monit {DIALECT}"),
            as_monit: true,
            id: id.into(),
            control_file: control_file.into(),
            listen: Vec::new(),
            users: Vec::new(),
            closed: false,
            anonymous: false,
            hosts: Vec::new(),
            names: Vec::new(),
            zone: None,
        }
    }
}

impl Options {
    /// Whether nobody needs a password.
    pub(crate) fn without_users(&self) -> bool {
        self.users.is_empty() && !self.closed
    }

    /// The version for headers.
    pub(crate) fn signature(&self) -> &str {
        if self.anonymous { "" } else { &self.version }
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name)
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Listener {
    /// As messages name it: `127.0.0.1:2812`, `*:2812`, `/run/x.sock`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listener::Tcp { address: Some(address), port, .. } if address.contains(':') => {
                write!(f, "[{address}]:{port}")
            }
            Listener::Tcp { address, port, .. } => {
                write!(f, "{}:{port}", address.as_deref().unwrap_or("*"))
            }
            Listener::Unix { path, .. } => path.display().fmt(f),
        }
    }
}
