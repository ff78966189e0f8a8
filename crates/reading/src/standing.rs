use std::fmt;

use serde::{Deserialize, Serialize};

/// How the thing looked at stands. Not having been able to look is not a standing: that is an error of the probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It is there and does what was asked of it.
    Up,
    /// It is there in some form, but not working: a server that refuses, a pidfile whose process is gone.
    Down(Reason),
    /// There is no trace of it: no pidfile, no file, no interface.
    Absent(Reason),
}

impl Standing {
    /// Whether it is [`Standing::Up`].
    pub fn is_up(&self) -> bool {
        matches!(self, Standing::Up)
    }

    /// Why it is not up.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Standing::Up => None,
            Standing::Down(reason) | Standing::Absent(reason) => Some(reason),
        }
    }
}

/// Why something is down: a kind for programs, a text for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The kind of failure.
    pub kind: ReasonKind,
    /// What was seen, in words: the second half of a sentence, with paths, numbers and pids.
    pub text: String,
}

impl Reason {
    /// A reason of this kind with this text.
    pub fn new(kind: ReasonKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The kinds of failure the shipped probes tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ReasonKind {
    /// There is no pidfile.
    PidfileAbsent,
    /// The pidfile holds no process id.
    PidfileGarbage,
    /// The pidfile names a process that does not exist.
    ProcessGone,
    /// The process ended, but its parent has not collected it.
    Zombie,
    /// The pid belongs to another process, born after the pidfile was written.
    PidReused,
    /// No process has a command line that matches.
    NoMatch,
    /// There is no such file.
    FileAbsent,
    /// There is something in its place, but of another type.
    WrongType,
    /// There is no mounted file system by that name.
    NotMounted,
    /// A network interface has no link.
    LinkDown,
    /// There is no network interface of that name, or none with that address.
    LinkAbsent,
    /// The name could not be resolved.
    Unresolved,
    /// The connection was refused.
    Refused,
    /// No route, network or host unreachable.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// The peer closed or reset the connection.
    Reset,
    /// TLS could not be agreed on, or the certificate is not trusted.
    Tls,
    /// The answer is not of the protocol.
    Protocol,
    /// The answer is of the protocol, but reports failure (an HTTP status).
    Status,
    /// The answer's content is not as asked.
    Content,
    /// The answer was good, and took longer (or shorter) than it may.
    Slow,
    /// The certificate will end sooner than it may.
    CertificateEnds,
    /// Anything a custom probe reports.
    Other,
}
