//! From errors of sockets to what a look says.

use std::io;
use std::time::Duration;

use hinoban_probe::ProbeError;
use hinoban_reading::{Observation, Reason, ReasonKind, Standing};
use rustix::io::Errno;

/// Why a test of a server did not pass.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server, or the way to it, is at fault.
    Down(Reason),
    /// We are.
    Unable(ProbeError),
}

impl Failure {
    pub(crate) fn down(kind: ReasonKind, text: impl Into<String>) -> Self {
        Failure::Down(Reason::new(kind, text))
    }

    /// A wait that took too long. `phase` says what was waited for.
    pub(crate) fn timed_out(phase: &str, after: Duration) -> Self {
        Self::down(ReasonKind::TimedOut, format!("Connection timed out {phase} ({} s)", after.as_secs_f64()))
    }

    /// An error of connecting or talking.
    pub(crate) fn of_socket(error: &io::Error, phase: &str) -> Self {
        let text = plain(error);
        match Errno::from_io_error(error) {
            Some(Errno::CONNREFUSED) => Self::down(ReasonKind::Refused, text),
            Some(Errno::TIMEDOUT) => Self::down(ReasonKind::TimedOut, format!("{text} {phase}")),
            Some(Errno::CONNRESET | Errno::CONNABORTED | Errno::PIPE) => Self::down(ReasonKind::Reset, text),
            Some(Errno::MFILE | Errno::NFILE) => Failure::Unable(ProbeError::Failed(format!(
                "no socket could be opened ({text}); raise the limit on open files (LimitNOFILE= of the unit, or \
                 ulimit -n)"
            ))),
            Some(Errno::NOBUFS | Errno::NOMEM) => Failure::Unable(ProbeError::Failed(format!(
                "no socket could be opened ({text}); the kernel is short of memory"
            ))),
            Some(Errno::ADDRNOTAVAIL) => Failure::Unable(ProbeError::Failed(format!(
                "no connection could be begun ({text}); either no local port is free (see \
                 net.ipv4.ip_local_port_range), or this host has no address of that family"
            ))),
            Some(Errno::AFNOSUPPORT) => Failure::Unable(ProbeError::Failed(format!(
                "this host cannot speak that address family ({text}); restrict the test to the other one"
            ))),
            // A firewall or a route of our own may forbid it (EPERM, EACCES): the server is as much out of reach.
            Some(
                Errno::NETUNREACH
                | Errno::HOSTUNREACH
                | Errno::NETDOWN
                | Errno::HOSTDOWN
                | Errno::NONET
                | Errno::ACCESS
                | Errno::PERM
                | Errno::INVAL,
            ) => Self::down(ReasonKind::Unreachable, text),
            _ if error.kind() == io::ErrorKind::UnexpectedEof => {
                Self::down(ReasonKind::Reset, format!("the server closed the connection {phase}"))
            }
            _ => Self::down(ReasonKind::Other, text),
        }
    }

    /// What the look answers.
    pub(crate) fn observed(self) -> Result<Observation, ProbeError> {
        match self {
            Failure::Down(reason) => Ok(Observation::new(Standing::Down(reason))),
            Failure::Unable(error) => Err(error),
        }
    }
}

/// The words of strerror(3), which is also what Monit says, without Rust's number behind them.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}
