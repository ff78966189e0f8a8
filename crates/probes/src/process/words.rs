//! What a look at a process says, for people.

use std::io;
use std::path::Path;

use hinoban_probe::ProbeError;
use hinoban_reading::{Observation, Reason, ReasonKind, Standing};
use rustix::io::Errno;

use crate::proc::Stat;

pub(super) fn down(kind: ReasonKind, text: impl Into<String>) -> Observation {
    Observation::new(Standing::Down(Reason::new(kind, text)))
}

pub(super) fn gone(pid: u32, pidfile: &Path) -> Observation {
    down(ReasonKind::ProcessGone, format!("there is no process {pid}, which {} names", pidfile.display()))
}

pub(super) fn zombie(pid: u32, stat: &Stat) -> Observation {
    down(
        ReasonKind::Zombie,
        format!(
            "the process with pid {pid} has ended; its parent PID {}{} has not collected it yet (a zombie)",
            stat.ppid,
            name_in_brackets(stat.ppid)
        ),
    )
}

/// ` (name)`, or nothing if it has none any more.
pub(super) fn name_in_brackets(pid: u32) -> String {
    match std::fs::read(format!("/proc/{pid}/comm")) {
        Ok(name) => {
            format!(" ({})", String::from_utf8_lossy(name.trim_ascii_end()).replace(char::is_control, "."))
        }
        Err(_) => String::new(),
    }
}

pub(super) fn could_not_look(pid: u32, error: &io::Error) -> ProbeError {
    match Errno::from_io_error(error) {
        Some(Errno::ACCESS | Errno::PERM) => ProbeError::Denied(format!(
            "/proc/{pid}/stat may not be read ({error}); run as root, or join the group that the mount option gid of \
             /proc names"
        )),
        Some(Errno::MFILE | Errno::NFILE) => ProbeError::Failed(
            "no file descriptor is left to look at the process; raise the limit on open files (LimitNOFILE= of the \
             unit, or ulimit -n)"
                .into(),
        ),
        _ => ProbeError::Failed(format!("/proc/{pid}/stat could not be read: {error}")),
    }
}

/// Why nothing tells us at once of an end.
pub(super) fn blindness(error: Errno) -> String {
    let why = match error {
        Errno::NOSYS => "this kernel is older than Linux 5.3".to_owned(),
        Errno::PERM => "a filter on system calls forbids pidfd_open; allow it".to_owned(),
        Errno::MFILE | Errno::NFILE => "no file descriptor is left; raise the limit on open files".to_owned(),
        other => format!("pidfd_open: {}", io::Error::from(other)),
    };
    format!("the end of a process is noticed only at the next look, and not how it ended ({why})")
}

/// What permission keeps from us of somebody else's process, and what would help. The same for all processes, so that it
/// is told once.
pub(super) fn hidden(traffic: bool, files: bool) -> Option<String> {
    let what = match (traffic, files) {
        (true, true) => "what it reads and writes, and its open files,",
        (true, false) => "what it reads and writes",
        (false, true) => "its open files",
        (false, false) => return None,
    };
    Some(format!(
        "of another user's process {what} cannot be seen; run as root, or with the capability CAP_SYS_PTRACE"
    ))
}
