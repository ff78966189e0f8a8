use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Killer;

/// Which process: its id and its start time. A pid alone is reused by the kernel; the pair is not within one boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Process id.
    pub pid: u32,
    /// Field 22 of `/proc/PID/stat` (proc(5)): clock ticks after boot.
    pub start: u64,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PID {}", self.pid)
    }
}

/// How a process ended, and how we know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// Whose ending.
    pub identity: Identity,
    /// What became of it.
    pub how: How,
    /// Who told us.
    pub source: Source,
    /// How sure that is.
    pub confidence: Confidence,
    /// Who killed it, where SIGKILL did and that could be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub killer: Option<Box<Killer>>,
}

impl Ending {
    /// An ending that the kernel told.
    pub fn certain(identity: Identity, how: How, source: Source) -> Self {
        Self { identity, how, source, confidence: Confidence::Certain, killer: None }
    }

    /// An ending of which nothing is known. `why`: the second half of a sentence.
    pub fn unknown(identity: Identity, why: impl Into<String>) -> Self {
        let how = How::Unknown { why: why.into() };
        Self { identity, how, source: Source::None, confidence: Confidence::Unknown, killer: None }
    }

    /// Finishes the sentence "the process …", with what is known of who killed it.
    pub fn told(&self) -> Told<'_> {
        Told(self)
    }

    /// Whom this is known from, and how sure it is: `pidfd, certain`. With a second part if another source told who
    /// killed it: `pidfd, certain; who killed it: kernel log, certain`.
    pub fn known_from(&self) -> String {
        let from =
            |source: Source, confidence: Confidence| format!("{}, {}", source.word(), confidence.word());
        let mut text = from(self.source, self.confidence);
        if let Some(Killer::Memory(memory)) = self.killer.as_deref() {
            text += &format!("; who killed it: {}", from(memory.source, memory.confidence));
        }
        text
    }
}

/// The kinds of ending that wait(2) tells apart, and not knowing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum How {
    /// It called exit(3) with this status.
    Exited {
        /// 0 to 255.
        status: u8,
    },
    /// A signal killed it.
    Signalled {
        /// Signal number, signal(7).
        signal: u8,
        /// Whether it left a core dump.
        core: bool,
    },
    /// It is gone; nobody could tell us how. The text says why not.
    Unknown {
        /// Why it could not be known, as the second half of a sentence.
        why: String,
    },
}

impl How {
    /// From a status word of wait(2), which is also what `PIDFD_GET_INFO` and field 52 of `/proc/PID/stat` hold.
    pub fn from_wait_status(status: i32) -> Self {
        match status & 0x7f {
            0 => How::Exited { status: (status >> 8 & 0xff) as u8 },
            signal => How::Signalled { signal: signal as u8, core: status & 0x80 != 0 },
        }
    }
}

impl fmt::Display for How {
    /// Finishes the sentence "the process …".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            How::Exited { status } => write!(f, "exited with status {status}"),
            How::Signalled { signal, core } => {
                write!(f, "was killed by signal {signal}")?;
                if let Some(name) = signal_name(*signal) {
                    write!(f, " ({name})")?;
                }
                if *core { write!(f, " and dumped core") } else { Ok(()) }
            }
            How::Unknown { why } => write!(f, "ended, it could not be known how ({why})"),
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.identity, self.told())
    }
}

/// What became of a process, in words; made by [`Ending::told`].
#[derive(Debug, Clone, Copy)]
pub struct Told<'a>(&'a Ending);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.killer.as_deref() {
            None => write!(f, "{}", self.0.how),
            Some(Killer::Memory(memory)) if memory.confidence == Confidence::Certain => {
                write!(f, "was killed by the kernel {memory}")
            }
            Some(Killer::Memory(memory)) => write!(f, "{}, probably by the kernel {memory}", self.0.how),
            Some(Killer::Other) => write!(f, "{}, and not because the kernel ran out of memory", self.0.how),
        }
    }
}

/// Where the knowledge of an ending came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Source {
    /// `PIDFD_GET_INFO` with the EXIT bit (Linux 6.15).
    Pidfd,
    /// Field 52 of `/proc/PID/stat` while it was a zombie (root only).
    ProcStat,
    /// The kernel's proc connector.
    Connector,
    /// The kernel's log, `/dev/kmsg`.
    KernelLog,
    /// The count of kills for want of memory in the control group of the process: it rose.
    GroupCounter,
    /// That count of the whole host, in `/proc/vmstat`: it rose.
    HostCounter,
    /// waitid(2): it was our own child.
    Wait,
    /// Nobody.
    None,
}

impl Source {
    /// The name of it, for people and JSON: `pidfd`, `zombie`, `proc connector`, `kernel log`, `group counter`,
    /// `host counter`, `wait`, `nobody`.
    pub fn word(self) -> &'static str {
        match self {
            Source::Pidfd => "pidfd",
            Source::ProcStat => "zombie",
            Source::Connector => "proc connector",
            Source::KernelLog => "kernel log",
            Source::GroupCounter => "group counter",
            Source::HostCounter => "host counter",
            Source::Wait => "wait",
            Source::None => "nobody",
        }
    }
}

/// How far to trust an ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Confidence {
    /// Nothing is known.
    Unknown,
    /// Worked out from other signs.
    Inferred,
    /// The kernel said so.
    Certain,
}

impl Confidence {
    /// The name of it: `unknown`, `inferred`, `certain`.
    pub fn word(self) -> &'static str {
        match self {
            Confidence::Unknown => "unknown",
            Confidence::Inferred => "inferred",
            Confidence::Certain => "certain",
        }
    }
}

/// Names of the standard signals on Linux, signal(7).
fn signal_name(n: u8) -> Option<&'static str> {
    const NAMES: [&str; 31] = [
        "SIGHUP",
        "SIGINT",
        "SIGQUIT",
        "SIGILL",
        "SIGTRAP",
        "SIGABRT",
        "SIGBUS",
        "SIGFPE",
        "SIGKILL",
        "SIGUSR1",
        "SIGSEGV",
        "SIGUSR2",
        "SIGPIPE",
        "SIGALRM",
        "SIGTERM",
        "SIGSTKFLT",
        "SIGCHLD",
        "SIGCONT",
        "SIGSTOP",
        "SIGTSTP",
        "SIGTTIN",
        "SIGTTOU",
        "SIGURG",
        "SIGXCPU",
        "SIGXFSZ",
        "SIGVTALRM",
        "SIGPROF",
        "SIGWINCH",
        "SIGIO",
        "SIGPWR",
        "SIGSYS",
    ];
    NAMES.get(usize::from(n).checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_statuses_read_as_wait_2_defines_them() {
        let says = |status| How::from_wait_status(status).to_string();
        assert_eq!(says(0x0300), "exited with status 3");
        assert_eq!(says(0x9), "was killed by signal 9 (SIGKILL)");
        assert_eq!(says(0x8b), "was killed by signal 11 (SIGSEGV) and dumped core");
        assert_eq!(says(0x0), "exited with status 0");
    }
}
