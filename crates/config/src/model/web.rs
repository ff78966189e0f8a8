use std::path::PathBuf;
use std::time::Duration;

use super::Tls;
use crate::Secret;

/// The HTTP interface.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Web {
    /// Where it listens; empty: nowhere but on the command line's own socket.
    pub listen: Vec<Listen>,
    /// Who may connect and log in.
    pub allow: Vec<Allow>,
    /// Encryption of what listens on TCP; `None`: none.
    pub tls: Option<Tls>,
    /// Whether the `Server` header and the page leave out who we are.
    pub anonymous: bool,
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
        let users = self.allow.iter().any(|allow| !matches!(allow, Allow::Host(_)));
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
    /// Whom a file of passwords names.
    File(PasswordFile),
    /// Who is in this group of the host and logs in through PAM.
    Group {
        /// Its name.
        name: String,
        /// Whether its members may only look.
        read_only: bool,
    },
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

/// A file of passwords: lines of `user:password`.
#[derive(Debug, Clone, PartialEq)]
pub struct PasswordFile {
    /// Its path.
    pub path: PathBuf,
    /// What stands behind the colon.
    pub entries: Entries,
    /// Only these users of it; empty: all.
    pub only: Vec<String>,
    /// Whether they may only look.
    pub read_only: bool,
    /// What was found in it when the configuration was read: user, and what stands behind the colon.
    pub users: Vec<(String, Secret)>,
}

impl PasswordFile {
    /// The users in the text of such a file, as Monit 5.33 finds them, and what stands behind their colons. A `#` begins a comment; a second colon ends
    /// a digest, and is part of a password. Whoever has no name cannot log in and is left out.
    pub fn entries_of(text: &str, entries: Entries) -> Vec<(String, Secret)> {
        let entry = |line: &str| {
            // In this order, as Monit: a blank before a comment is part of a password.
            let line = line.trim_end().split('#').next().unwrap_or_default();
            let (user, rest) = line.split_once(':')?;
            let word = match entries {
                Entries::Cleartext => rest,
                Entries::Md5 | Entries::Crypt => rest.split(':').next().unwrap_or_default(),
            };
            (!user.is_empty()).then(|| (user.to_owned(), Secret::new(word)))
        };
        text.lines().filter_map(entry).collect()
    }
}

/// What a file of passwords holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Entries {
    /// Passwords in the clear.
    #[default]
    Cleartext,
    /// MD5 digests as Apache and crypt(3) write them: `$apr1$` and `$1$`.
    Md5,
    /// Digests of crypt(3).
    Crypt,
}

/// An M/Monit server.
#[derive(Debug, Clone, PartialEq)]
pub struct Collector {
    /// Its URL, with user and password in it.
    pub url: Secret,
    /// Time for connecting and for its answer.
    pub timeout: Duration,
    /// Options of TLS, for a URL of `https`.
    pub tls: Option<Tls>,
    /// The groups that it is to put this host in (Monit 5.34).
    pub groups: Vec<String>,
}
