//! Our own pidfile: who holds its lock runs, and a process that merely has the number in it does not.
//!
//! The lock is on a file of its own beside the pidfile, `PIDFILE.lock`, that only its owner can open: on a file that
//! others may read, anybody can hold a lock, and so keep a daemon from starting or pass for one. Two bytes of it are
//! locked: byte 0 by whoever runs, so that there is one, and byte 1 + PID by the daemon itself, so that the kernel, not
//! the text of the pidfile, says who that is. Locks end with their process, however it ends; the text may be years old.

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
    /// Declared last: the lock ends when everything else has.
    lock: Lock,
}

/// The file that is locked.
#[derive(Debug)]
struct Lock {
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
        let lock = Lock::take(lock_of(path))?;
        let taken = (|| {
            if let Some((pid, name)) = foreign(path) {
                return Err(Refused::Foreign { pid, name });
            }
            let file = options().write(true).create(true).mode(0o644).open(path)?;
            file.set_len(0)?;
            Ok(file)
        })();
        match taken {
            Ok(file) => Ok(Self { path: path.to_owned(), file, lock }),
            Err(why) => {
                lock.remove();
                Err(why)
            }
        }
    }

    /// Says in the file that it is this process that runs.
    ///
    /// # Errors
    /// As writing.
    pub(crate) fn sign(&mut self) -> io::Result<()> {
        let pid = std::process::id();
        sys::lock(&self.lock.file, i64::from(pid) + 1)?;
        self.file.set_len(0)?;
        self.file.write_all(format!("{pid}\n").as_bytes())
    }

    /// Removes the file, if it still is the one that is ours.
    pub(crate) fn remove(self) {
        if same(&self.file, &self.path) {
            // That it cannot be removed harms nobody: without a lock, its number is not believed.
            let _ = std::fs::remove_file(&self.path);
        }
        self.lock.remove();
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Lock {
    /// Locks the first byte of this file, which is made if need be. It stays locked in a process that is forked off.
    fn take(path: PathBuf) -> Result<Self, Refused> {
        let mut patience = DYING;
        loop {
            let file = options().write(true).create(true).mode(0o600).open(&path)?;
            private(&file, &path)?;
            if !sys::lock(&file, 0)? {
                // The threads of a killed daemon hold it until the last of them is gone, and a process that was to become a
                // program until it has entered itself in the journal.
                let dead = signed(&file)?.is_some_and(dying);
                if !dead || patience.is_zero() {
                    return Err(Refused::Running);
                }
                let _ = poll(&mut [], Some(&rustix::event::Timespec { tv_sec: 0, tv_nsec: 5_000_000 }));
                patience = patience.saturating_sub(Duration::from_millis(5));
                continue;
            }
            // Its last owner may have removed it before we had the lock: then ours is on nothing.
            if same(&file, &path) {
                return Ok(Self { path, file });
            }
        }
    }

    /// Removes the file while it is locked, if it still is the one that is ours.
    fn remove(self) {
        if same(&self.file, &self.path) {
            // That it cannot be removed harms nobody: it is not locked any more.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl From<io::Error> for Refused {
    fn from(why: io::Error) -> Self {
        Refused::System(why)
    }
}

/// The file whose lock says who runs with this pidfile.
fn lock_of(pidfile: &Path) -> PathBuf {
    let mut path = pidfile.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

/// A file that is read and maybe written where it is; not where a link says, and without waiting for a pipe.
fn options() -> std::fs::OpenOptions {
    let mut options = File::options();
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    options.read(true).truncate(false).custom_flags(flags.bits() as i32);
    options
}

/// Whether this open file is the one at this path.
fn same(file: &File, path: &Path) -> bool {
    let id = |found: std::fs::Metadata| (found.dev(), found.ino());
    matches!((file.metadata().map(id), std::fs::symlink_metadata(path).map(id)), (Ok(a), Ok(b)) if a == b)
}

/// Whether nobody but us and root can have locked this file.
fn private(file: &File, path: &Path) -> io::Result<()> {
    let found = file.metadata()?;
    let path = path.display();
    let refused = |why: &str| {
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("its lock '{path}' {why}; remove that file"),
        ))
    };
    if !found.is_file() {
        return refused("is no regular file");
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return refused("belongs to another user");
    }
    match found.mode() & 0o7777 {
        mode if mode & 0o077 != 0 => refused(&format!("can be opened by others (permission {mode:04o})")),
        _ => Ok(()),
    }
}

/// The daemon of ours that runs with this pidfile, if one does.
///
/// # Errors
/// If that cannot be found out.
pub(crate) fn running(path: &Path) -> io::Result<Option<Running>> {
    let path = lock_of(path);
    let file = match options().open(&path) {
        Ok(file) => file,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(why) if why.kind() == io::ErrorKind::PermissionDenied => {
            let path = path.display();
            return Err(io::Error::new(
                why.kind(),
                format!("only root and the daemon's user can open '{path}'"),
            ));
        }
        Err(why) => return Err(why),
    };
    private(&file, &path)?;
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

/// Whether the lock of this pidfile is there, but not for us to open: the daemon, if it runs, is another user's.
pub(crate) fn is_closed(path: &Path) -> bool {
    options().open(lock_of(path)).is_err_and(|why| why.kind() == io::ErrorKind::PermissionDenied)
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

/// The Monit that runs with this pidfile, by number and name: the one other program that keeps this kind of file, and
/// without a lock.
pub(crate) fn foreign(path: &Path) -> Option<(i32, String)> {
    let mut text = [0_u8; 32];
    let length = options().open(path).ok()?.read_at(&mut text, 0).ok()?;
    let pid = std::str::from_utf8(&text[..length]).ok()?.split_whitespace().next()?.parse().ok()?;
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some((pid, name.trim().to_owned())).filter(|(pid, name)| *pid > 1 && name == "monit")
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
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn locks_on_what_everybody_can_read_mean_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        std::fs::write(&path, "1").unwrap();
        // As anybody can who may read it: the whole of it, and so every number.
        let theirs = File::open(&path).unwrap();
        assert!(sys::lock_shared(&theirs).unwrap());
        assert!(running(&path).unwrap().is_none());
        let mut ours = Pidfile::take(&path).unwrap();
        ours.sign().unwrap();
        assert_eq!(running(&path).unwrap().unwrap().pid, std::process::id() as i32);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&lock_of(&path)), mode(&path) & 0o022), (0o600, 0));
    }

    #[test]
    fn a_lock_that_others_can_open_is_not_believed() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        std::fs::write(lock_of(&path), "").unwrap();
        std::fs::set_permissions(lock_of(&path), std::fs::Permissions::from_mode(0o644)).unwrap();
        let theirs = File::options().read(true).write(true).open(lock_of(&path)).unwrap();
        assert!(sys::lock(&theirs, 1 + i64::from(std::process::id())).unwrap());
        assert!(
            running(&path).unwrap_err().to_string().contains("can be opened by others (permission 0644)")
        );
        assert!(matches!(Pidfile::take(&path), Err(Refused::System(_))));
        if rustix::process::geteuid().is_root() {
            std::fs::set_permissions(lock_of(&path), std::fs::Permissions::from_mode(0o600)).unwrap();
            std::os::unix::fs::chown(lock_of(&path), Some(12345), None).unwrap();
            assert!(running(&path).unwrap_err().to_string().contains("belongs to another user"));
        }
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
