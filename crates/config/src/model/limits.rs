use std::time::Duration;

use super::{BUFFER, Dialect};

/// How much is read, and how long is waited, where nothing else is said. A control file says it with `set limits`; there a
/// statement takes what holds where it stands, and this is what held at the end of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Bytes that are kept of what a program prints.
    pub program_output: u64,
    /// Bytes that are kept of an answer that a pattern is to match.
    pub send_expect: u64,
    /// Bytes that are kept of a line of a file.
    pub file_content: u64,
    /// Bytes that are read of the body of an HTTP answer.
    pub http_content: u64,
    /// Time for connecting, and for each answer.
    pub network: Duration,
    /// Time for a program that is checked.
    pub program: Duration,
    /// Time for a program that stops a service.
    pub stop: Duration,
    /// Time for a program that starts a service.
    pub start: Duration,
    /// Time for a program that restarts a service.
    pub restart: Duration,
    /// Time for a program of `exec`; `None`: any under a control file, 30 s in TOML.
    pub exec: Option<Duration>,
    /// Time for all services to stop where we are the first process of the host or container (Monit 6); `None`: as long as
    /// their programs may take.
    pub shutdown: Option<Duration>,
}

impl Default for Limits {
    /// Monit's.
    fn default() -> Self {
        let thirty = Duration::from_secs(30);
        Self {
            program_output: 512,
            send_expect: 256,
            file_content: 512,
            http_content: 1 << 20,
            network: Duration::from_secs(5),
            program: Duration::from_secs(300),
            stop: thirty,
            start: thirty,
            restart: thirty,
            exec: None,
            shutdown: None,
        }
    }
}

impl Limits {
    /// What holds in this language where nothing is said.
    pub fn of(dialect: Dialect) -> Self {
        let monit = Self::default();
        match dialect {
            Dialect::Monit => monit,
            Dialect::Toml => {
                let kept = u64::from(BUFFER);
                Self { program_output: kept, file_content: kept, program: monit.start, ..monit }
            }
        }
    }
}
