use super::{Digest, Operator};
use crate::{Pattern, Secret};

/// What is said on a connection.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Protocol {
    /// Nothing: to be connected is enough.
    Default,
    /// What the configuration writes down: texts to send, patterns that answers must match.
    Generic(Vec<Step>),
    /// An HTTP request.
    Http(Box<HttpTest>),
    /// The scoreboard of Apache's mod_status.
    ApacheStatus(Box<ApacheStatus>),
    /// MySQL and MariaDB.
    Mysql {
        /// User name and password.
        login: Option<(String, Secret)>,
        /// The digest that the server's RSA key must have.
        rsa_key: Option<Digest>,
    },
    /// PostgreSQL.
    Pgsql {
        /// User name and password.
        login: Option<(String, Secret)>,
        /// Name of the database.
        database: Option<String>,
    },
    /// SMTP.
    Smtp {
        /// User name and password.
        login: Option<(String, Secret)>,
    },
    /// MQTT.
    Mqtt {
        /// User name and password.
        login: Option<(String, Secret)>,
    },
    /// RADIUS.
    Radius {
        /// The secret shared with the server; `None`: `testing123`.
        secret: Option<Secret>,
    },
    /// SIP.
    Sip {
        /// Who is asked for; `None`: `monit@foo.bar`, as Monit has it.
        target: Option<String>,
        /// How many proxies may pass it on; `None`: 70.
        max_forward: Option<u32>,
    },
    /// WebSocket.
    Websocket(Box<Websocket>),
    /// A conversation that has no options.
    Plain(Plain),
}

/// One step of a conversation that the configuration writes down.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// These bytes are sent. A text in which `\0x00` stands for a NUL.
    Send(String),
    /// What comes must match this.
    Expect(Pattern),
}

/// The conversations that have no options, by their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // their names say it
#[non_exhaustive]
pub enum Plain {
    Clamav,
    Dns,
    Dwp,
    Fail2ban,
    Ftp,
    Gps,
    Imap,
    Ldap2,
    Ldap3,
    Lmtp,
    Memcache,
    Mongodb,
    Nntp,
    Ntp3,
    Pop,
    PostfixPolicy,
    Rdate,
    Redis,
    Rsync,
    Sieve,
    SpamAssassin,
    Ssh,
    Tns,
}

impl Plain {
    /// All of them, with the name that both languages and [`Protocol::name`] have for each.
    pub const ALL: [(Plain, &'static str, &'static str); 23] = [
        (Plain::Clamav, "clamav", "CLAMAV"),
        (Plain::Dns, "dns", "DNS"),
        (Plain::Dwp, "dwp", "DWP"),
        (Plain::Fail2ban, "fail2ban", "FAIL2BAN"),
        (Plain::Ftp, "ftp", "FTP"),
        (Plain::Gps, "gps", "GPS"),
        (Plain::Imap, "imap", "IMAP"),
        (Plain::Ldap2, "ldap2", "LDAP2"),
        (Plain::Ldap3, "ldap3", "LDAP3"),
        (Plain::Lmtp, "lmtp", "LMTP"),
        (Plain::Memcache, "memcache", "MEMCACHE"),
        (Plain::Mongodb, "mongodb", "MONGODB"),
        (Plain::Nntp, "nntp", "NNTP"),
        (Plain::Ntp3, "ntp3", "NTP3"),
        (Plain::Pop, "pop", "POP"),
        (Plain::PostfixPolicy, "postfix-policy", "POSTFIX-POLICY"),
        (Plain::Rdate, "rdate", "RDATE"),
        (Plain::Redis, "redis", "REDIS"),
        (Plain::Rsync, "rsync", "RSYNC"),
        (Plain::Sieve, "sieve", "SIEVE"),
        (Plain::SpamAssassin, "spamassassin", "SPAMASSASSIN"),
        (Plain::Ssh, "ssh", "SSH"),
        (Plain::Tns, "tns", "TNS"),
    ];

    /// Its row in [`Plain::ALL`].
    fn row(self) -> &'static (Plain, &'static str, &'static str) {
        // Each variant has its row; a test holds that.
        Self::ALL.iter().find(|row| row.0 == self).unwrap_or(&Self::ALL[0])
    }

    /// Its name in a configuration.
    pub fn word(self) -> &'static str {
        self.row().1
    }
}

impl Protocol {
    /// Its name, as Monit's status, documents and dumps show it: parsed by programs, never to change.
    pub fn name(&self) -> &'static str {
        match self {
            Protocol::Default => "DEFAULT",
            Protocol::Generic(_) => "generic",
            Protocol::Http(_) => "HTTP",
            Protocol::ApacheStatus(_) => "APACHESTATUS",
            Protocol::Mysql { .. } => "MYSQL",
            Protocol::Pgsql { .. } => "PGSQL",
            Protocol::Smtp { .. } => "SMTP",
            Protocol::Mqtt { .. } => "MQTT",
            Protocol::Radius { .. } => "RADIUS",
            Protocol::Sip { .. } => "SIP",
            Protocol::Websocket(_) => "WEBSOCKET",
            Protocol::Plain(plain) => plain.row().2,
        }
    }

    /// What is asked for behind the host and the port, as people may see it; empty: nothing in particular.
    pub fn request(&self) -> &str {
        match self {
            Protocol::Http(http) => http.shown().unwrap_or_default(),
            Protocol::Websocket(websocket) => websocket.request.as_deref().unwrap_or_default(),
            _ => "",
        }
    }

    /// The same without what only the probe may know: passwords, keys, header fields, which may hold tokens.
    pub fn without_secrets(&self) -> Protocol {
        let mut public = self.clone();
        match &mut public {
            Protocol::Http(http) => {
                http.login = None;
                http.headers = Vec::new();
            }
            Protocol::ApacheStatus(apache) => apache.login = None,
            Protocol::Mysql { login, .. }
            | Protocol::Pgsql { login, .. }
            | Protocol::Smtp { login }
            | Protocol::Mqtt { login } => *login = None,
            Protocol::Radius { secret } => *secret = None,
            Protocol::Generic(steps) => steps.clear(),
            _ => {}
        }
        public
    }
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
    /// What the body must match, or must not.
    pub content: Option<Body>,
    /// The digest that the body must have.
    pub checksum: Option<Digest>,
}

/// What a body must match, or must not.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// The pattern.
    pub pattern: Pattern,
    /// Whether it must match; otherwise it must not.
    pub matches: bool,
}

/// The scoreboard of Apache's mod_status, and which part of its workers may be busy with what.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ApacheStatus {
    /// Target; `None`: `/server-status`.
    pub path: Option<String>,
    /// User name and password for basic authentication.
    pub login: Option<(String, Secret)>,
    /// The test fails if one of these holds: the letter of a state, and how its part in percent compares.
    pub limits: Vec<(Scoreboard, Operator, u8)>,
}

/// What a worker of Apache is busy with, by its letter on the scoreboard of mod_status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // their names say it
pub enum Scoreboard {
    Log,
    Close,
    Dns,
    KeepAlive,
    Reply,
    Request,
    Start,
    Wait,
    Graceful,
    Cleanup,
}

/// A WebSocket handshake.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Websocket {
    /// The `Origin` header.
    pub origin: Option<String>,
    /// Target; `None`: `/`.
    pub request: Option<String>,
    /// The `Host` header; `None`: the host that is connected to.
    pub host: Option<String>,
    /// The version that is asked for; `None`: 13 (RFC 6455).
    pub version: Option<u32>,
}

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)] // their names say it
pub enum Method {
    #[default]
    Get,
    Head,
}

impl HttpTest {
    /// The target as people and programs may see it: in pages, documents, the log and mails.
    pub fn shown(&self) -> Option<&str> {
        self.masked.as_deref().or(self.request.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_plain_protocol_has_a_row_of_its_own() {
        for (plain, word, name) in Plain::ALL {
            assert_eq!((plain.word(), Protocol::Plain(plain).name()), (word, name));
        }
    }
}
