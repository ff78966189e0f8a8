//! Our own pidfile: who holds it runs, and a process that merely has the number in it does not.
//!
//! Two bytes of the file are locked: byte 0 by whoever runs, so that there is one, and byte 1 + PID by the daemon
//! itself, so that the kernel, not the text, says who that is. Locks end with their process, however it ends; the text
//! may be years old.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::sys;

/// How long the last threads of a killed daemon may take to go.
const DYING: Duration = Duration::from_secs(5);

/// A pidfile that is ours.
#[derive(Debug)]
pub(crate) struct Pidfile {
    path: PathBuf,
    file: File,
}

/// Why a pidfile cannot be ours.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Another daemon runs with it.
    Running,
    /// Another program wrote it, and runs.
    Foreign {
        /// Its process id.
        pid: i32,
        /// Its name.
        name: String,
    },
    /// The system does not let us.
    System(io::Error),
}

/// A daemon of ours that runs.
#[derive(Debug)]
pub(crate) struct Running {
    /// Its process id.
    pub(crate) pid: i32,
    process: OwnedFd,
}

impl Pidfile {
    /// Makes the file ours; its text is emptied. It stays ours in a process that is forked off.
    ///
    /// # Errors
    /// If another daemon runs with it, or the system refuses.
    pub(crate) fn take(path: &Path) -> Result<Self, Refused> {
        loop {
            let file = File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o644)
                .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
                .open(path)
                .map_err(Refused::System)?;
            if !sys::lock(&file, 0).map_err(Refused::System)? {
                return Err(Refused::Running);
            }
            // Its last owner may have removed it before we had the lock: then ours is on nothing.
            let here = file.metadata().map_err(Refused::System)?;
            if std::fs::metadata(path)
                .is_ok_and(|there| (there.dev(), there.ino()) == (here.dev(), here.ino()))
            {
                if let Some((pid, name)) = written(&file).and_then(|pid| Some((pid, supervisor(pid)?))) {
                    return Err(Refused::Foreign { pid, name });
                }
                file.set_len(0).map_err(Refused::System)?;
                return Ok(Self { path: path.to_owned(), file });
            }
        }
    }

    /// Says in the file that it is this process that runs.
    ///
    /// # Errors
    /// As writing.
    pub(crate) fn sign(&mut self) -> io::Result<()> {
        let pid = std::process::id();
        sys::lock(&self.file, i64::from(pid) + 1)?;
        self.file.set_len(0)?;
        self.file.write_all(format!("{pid}\n").as_bytes())
    }

    /// Removes the file, if it still is the one that is ours.
    pub(crate) fn remove(self) {
        let there = std::fs::metadata(&self.path).map(|m| (m.dev(), m.ino()));
        let ours = self.file.metadata().map(|m| (m.dev(), m.ino()));
        if matches!((there, ours), (Ok(there), Ok(ours)) if there == ours) {
            // That it cannot be removed harms nobody: it is not locked any more.
            let _ = std::fs::remove_file(&self.path);
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// The daemon of ours that runs with this pidfile, if one does.
///
/// # Errors
/// If that cannot be found out.
pub(crate) fn running(path: &Path) -> io::Result<Option<Running>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(why) => return Err(why),
    };
    let Some(pid) = signed(&file)? else { return Ok(None) };
    let Some(process) = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
        return Ok(None);
    };
    let found = Running { pid, process };
    // A daemon that was killed holds its lock until the last of its threads is gone.
    if dying(pid) && found.ended(DYING) {
        return Ok(None);
    }
    // Still locked by that number: then the process that was opened is the one that holds the lock.
    Ok((signed(&file)? == Some(pid)).then_some(found))
}

/// Whether the first thread of a process has ended already: proc(5), the state in `stat`.
fn dying(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
}

/// Who signed: the byte that is locked beyond the first.
fn signed(file: &File) -> io::Result<Option<i32>> {
    Ok(sys::locked(file, 1)?.and_then(|byte| i32::try_from(byte - 1).ok()))
}

impl Running {
    /// Sends it a signal; never to another process that got its number.
    ///
    /// # Errors
    /// As pidfd_send_signal(2).
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(pidfd_send_signal(&self.process, signal)?)
    }

    /// Waits for its end, but not longer than `patience`. Whether it has ended.
    pub(crate) fn ended(&self, patience: Duration) -> bool {
        let patience = rustix::event::Timespec {
            tv_sec: i64::try_from(patience.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(patience.subsec_nanos()),
        };
        poll(&mut [PollFd::new(&self.process, PollFlags::IN)], Some(&patience)).is_ok_and(|n| n > 0)
    }
}

/// The process id written in a file.
fn written(file: &File) -> Option<i32> {
    let mut text = [0_u8; 32];
    let length = file.read_at(&mut text, 0).ok()?;
    std::str::from_utf8(&text[..length]).ok()?.split_whitespace().next()?.parse().ok().filter(|pid| *pid > 1)
}

/// The name of the process, if it is a Monit: the one other program that keeps this kind of file without a lock.
fn supervisor(pid: i32) -> Option<String> {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim().to_owned()).filter(|name| name == "monit")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_the_lock_says_who() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        assert!(running(&path).unwrap().is_none());
        let mut ours = Pidfile::take(&path).unwrap();
        assert!(running(&path).unwrap().is_none(), "nobody has signed yet");
        ours.sign().unwrap();
        assert_eq!(running(&path).unwrap().unwrap().pid, std::process::id() as i32);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        assert!(matches!(Pidfile::take(&path), Err(Refused::Running)));
        ours.remove();
        assert!(!path.exists());
    }

    #[test]
    fn a_number_without_a_lock_is_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        // This very process lives, but holds no lock.
        std::fs::write(&path, std::process::id().to_string()).unwrap();
        assert!(running(&path).unwrap().is_none());
        let mut ours = Pidfile::take(&path).unwrap();
        ours.sign().unwrap();
        assert!(running(&path).unwrap().is_some());
    }

    #[test]
    fn a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert!(matches!(Pidfile::take(&path), Err(Refused::System(_))));
    }
}
