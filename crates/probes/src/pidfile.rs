//! A pidfile: which process a daemon says it is.

use std::io;
use std::path::Path;

use hinoban_probe::ProbeError;
use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, lstat, open, stat};
use rustix::io::Errno;

use crate::clock;

/// What a pidfile holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pidfile {
    /// There is none.
    Absent,
    /// It is there, but names no process; the text says what it is instead.
    Garbage(String),
    /// It names this process.
    Names {
        /// The process id, greater than zero.
        pid: u32,
        /// Which writing of the file this was.
        stamp: Stamp,
    },
}

/// Tells one writing of a file from another: device, inode and time of modification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    seconds: i64,
    nanoseconds: u64,
}

impl From<&Stat> for Stamp {
    fn from(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            seconds: stat.st_mtime,
            nanoseconds: stat.st_mtime_nsec,
        }
    }
}

impl Stamp {
    /// Time of modification, as time since the Unix epoch; zero if it is before.
    pub fn modified(&self) -> std::time::Duration {
        std::time::Duration::new(u64::try_from(self.seconds).unwrap_or(0), self.nanoseconds as u32)
    }
}

/// Reads one pidfile again and again, and opens it only when it changed.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    known: Option<Known>,
}

/// What was read, and of what: device, inode and time of modification, size, time of change.
#[derive(Debug)]
struct Known {
    pid: u32,
    stamp: Stamp,
    size: i64,
    changed: (i64, u64),
}

impl Known {
    /// Remembers what was read, unless the file changed so lately that a further change may not show in its times: before
    /// Linux 6.13 they move in steps of some milliseconds.
    fn of(pid: u32, stat: &Stat) -> Option<Self> {
        let age = clock::wall().as_secs() as i64 - stat.st_ctime;
        (age > 1).then(|| Self {
            pid,
            stamp: stat.into(),
            size: stat.st_size,
            changed: (stat.st_ctime, stat.st_ctime_nsec),
        })
    }

    fn file(&self) -> Pidfile {
        Pidfile::Names { pid: self.pid, stamp: self.stamp }
    }

    fn still(&self, stat: &Stat) -> bool {
        self.stamp == Stamp::from(stat)
            && self.size == stat.st_size
            && self.changed == (stat.st_ctime, stat.st_ctime_nsec)
    }
}

impl Reader {
    /// What it held when it was read last, if it still is that file, unchanged. No link is followed to it.
    pub(crate) fn unchanged(&self, path: &Path) -> Option<Pidfile> {
        let known = self.known.as_ref()?;
        lstat(path).is_ok_and(|stat| known.still(&stat)).then(|| known.file())
    }

    /// What it held then, whatever it is now.
    pub(crate) fn last(&self) -> Option<Pidfile> {
        self.known.as_ref().map(Known::file)
    }

    /// As [`read`].
    pub(crate) fn read(&mut self, path: &Path) -> Result<Pidfile, ProbeError> {
        if let Some(known) = &self.known
            && stat(path).is_ok_and(|stat| known.still(&stat))
        {
            return Ok(known.file());
        }
        let (file, known) = read_with_stat(path)?;
        self.known = known;
        Ok(file)
    }
}

/// Reads a pidfile. It blocks as long as the file system does.
///
/// # Errors
/// [`ProbeError::Denied`] or [`ProbeError::Failed`] if the file may exist but could not be read: that says nothing
/// about the process.
pub fn read(path: &Path) -> Result<Pidfile, ProbeError> {
    read_with_stat(path).map(|(file, _)| file)
}

fn read_with_stat(path: &Path) -> Result<(Pidfile, Option<Known>), ProbeError> {
    let nothing = |file| Ok((file, None));
    // NONBLOCK, since opening a pipe that somebody put there would wait for a writer.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match open(path, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::NOTDIR) => return nothing(Pidfile::Absent),
        // A socket or a device without a driver cannot be opened.
        Err(Errno::NXIO | Errno::NODEV) => return nothing(not_a_file(path)),
        Err(error) => return Err(could_not_read(path, error)),
    };
    let stat = fstat(&file).map_err(|e| could_not_read(path, e))?;
    if !FileType::from_raw_mode(stat.st_mode).is_file() {
        return nothing(not_a_file(path));
    }
    let mut buffer = [0; 256];
    let n = rustix::io::read(&file, &mut buffer).map_err(|e| could_not_read(path, e))?;
    match pid_in(&buffer[..n]) {
        Some(pid) => Ok((Pidfile::Names { pid, stamp: (&stat).into() }, Known::of(pid, &stat))),
        None if n == 0 => nothing(Pidfile::Garbage(format!("the pidfile {} is empty", path.display()))),
        None => nothing(Pidfile::Garbage(format!(
            "the pidfile {} does not begin with a process id but with `{}`",
            path.display(),
            shown(&buffer[..n])
        ))),
    }
}

/// The first integer, as Monit reads it: blanks before it and anything after it do not matter.
fn pid_in(text: &[u8]) -> Option<u32> {
    let text = text.trim_ascii_start();
    let text = text.strip_prefix(b"+").unwrap_or(text);
    let end = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let pid: i32 = crate::proc::number(&text[..end])?;
    u32::try_from(pid).ok().filter(|pid| *pid > 0)
}

fn shown(text: &[u8]) -> String {
    let first = text.split(|b| *b == b'\n').find(|l| !l.trim_ascii().is_empty()).unwrap_or_default();
    String::from_utf8_lossy(first).chars().take(24).map(|c| if c.is_control() { '.' } else { c }).collect()
}

fn not_a_file(path: &Path) -> Pidfile {
    Pidfile::Garbage(format!("{} is not a regular file, so it is no pidfile", path.display()))
}

fn could_not_read(path: &Path, error: Errno) -> ProbeError {
    let path = path.display();
    match error {
        Errno::ACCESS | Errno::PERM => ProbeError::Denied(format!(
            "the pidfile {path} may not be read ({}); run as root, or let this user read the file and enter its \
             directories",
            io::Error::from(error)
        )),
        Errno::MFILE | Errno::NFILE => ProbeError::Failed(format!(
            "the pidfile {path} could not be opened, no file descriptor is left; raise the limit on open files \
             (LimitNOFILE= of the unit, or ulimit -n)"
        )),
        _ => ProbeError::Failed(format!("the pidfile {path} could not be read: {}", io::Error::from(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_integer_counts() {
        assert_eq!(pid_in(b"42\n"), Some(42));
        assert_eq!(pid_in(b"  \n\t42 and more"), Some(42));
        assert_eq!(pid_in(b"42abc"), Some(42));
        for text in ["", "\n", "pid=12", "0", "-1", "99999999999", "four"] {
            assert_eq!(pid_in(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn what_is_there_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pid");
        assert_eq!(read(&path), Ok(Pidfile::Absent));
        std::fs::write(&path, "pid=7\n").unwrap();
        assert!(matches!(read(&path), Ok(Pidfile::Garbage(text)) if text.ends_with("with `pid=7`")));
        std::fs::write(&path, "").unwrap();
        assert!(matches!(read(&path), Ok(Pidfile::Garbage(text)) if text.ends_with("is empty")));
        std::fs::write(&path, "7").unwrap();
        assert!(matches!(read(&path), Ok(Pidfile::Names { pid: 7, .. })));
        assert!(matches!(read(dir.path()), Ok(Pidfile::Garbage(_))), "a directory");
        assert_eq!(read(&path.join("below")), Ok(Pidfile::Absent));
    }

    #[test]
    fn what_was_read_is_read_again_only_when_it_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pid");
        std::fs::write(&path, "7").unwrap();
        let mut reader = Reader::default();
        assert!(matches!(reader.read(&path), Ok(Pidfile::Names { pid: 7, .. })));
        assert!(reader.known.is_none(), "it is too young: a further change might not show");
        let stat = stat(&path).unwrap();
        reader.known = Some(Known {
            pid: 8, // to tell what is remembered from what is read
            stamp: (&stat).into(),
            size: stat.st_size,
            changed: (stat.st_ctime, stat.st_ctime_nsec),
        });
        assert!(matches!(reader.read(&path), Ok(Pidfile::Names { pid: 8, .. })));
        std::fs::write(&path, "123").unwrap();
        assert!(matches!(reader.read(&path), Ok(Pidfile::Names { pid: 123, .. })));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(reader.read(&path), Ok(Pidfile::Absent));
    }

    #[test]
    fn a_pipe_does_not_block_us() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert!(matches!(read(&path), Ok(Pidfile::Garbage(_))));
        let socket = dir.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(matches!(read(&socket), Ok(Pidfile::Garbage(_))));
    }

    #[test]
    fn not_being_allowed_says_nothing_about_the_process() {
        assert!(
            matches!(could_not_read(Path::new("/x"), Errno::ACCESS), ProbeError::Denied(t) if t.contains("run as root"))
        );
    }

    #[test]
    fn a_loop_of_links_is_not_an_absent_process() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("loop");
        std::os::unix::fs::symlink(&path, &path).unwrap();
        assert!(matches!(read(&path), Err(ProbeError::Failed(_))));
    }
}
