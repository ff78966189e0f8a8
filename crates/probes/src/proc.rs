//! Reading `/proc` fast: descriptors kept open, a stack buffer, and a parser of just the fields we need.
//!
//! A kept descriptor costs one `pread` (4.5 µs for `stat`, most of it the kernel's own work) where opening, reading and
//! closing costs 9. It also stays bound to *its* process: once that is reaped it answers ESRCH for ever, even if the pid
//! has a new owner.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

/// Descriptors kept by all probes together. They are a cache: at most two fifths of what we may open.
static KEPT: AtomicU64 = AtomicU64::new(0);

/// How many of them others have asked back, and how many of those are still to be closed.
static YIELDED: AtomicU64 = AtomicU64::new(0);
static TO_CLOSE: AtomicU64 = AtomicU64::new(0);

/// Asks for a descriptor of the cache: somebody found none left for what cannot be read by opening it anew. One is closed
/// at a later look, and the cache stays smaller by it.
pub(crate) fn ask_back() {
    if YIELDED.load(Ordering::Relaxed) < KEPT.load(Ordering::Relaxed) {
        YIELDED.fetch_add(1, Ordering::Relaxed);
        TO_CLOSE.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether whoever keeps a descriptor is to close it.
fn is_asked_back() -> bool {
    let one_less = |n: u64| n.checked_sub(1);
    TO_CLOSE.load(Ordering::Relaxed) > 0
        && TO_CLOSE.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
}

/// Whether a descriptor is one of the last that may be open. Probes leave those to repairs, messages and whoever asks: a
/// supervisor that can only watch is none.
pub(crate) fn is_reserved(fd: &impl AsRawFd) -> bool {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let reserve = (limit / 8).clamp(16, 256);
    u64::try_from(fd.as_raw_fd()).is_ok_and(|fd| fd >= limit.saturating_sub(reserve))
}

/// One file of one process, kept open if there is room.
#[derive(Debug, Default)]
pub(crate) struct Kept(Option<Counted>);

#[derive(Debug)]
struct Counted(File);

impl Counted {
    fn new(file: File) -> Result<Self, File> {
        let room = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX) / 5 * 2;
        let room = room.saturating_sub(YIELDED.load(Ordering::Relaxed));
        if KEPT.fetch_add(1, Ordering::Relaxed) < room && !is_reserved(&file) {
            return Ok(Self(file));
        }
        KEPT.fetch_sub(1, Ordering::Relaxed);
        Err(file)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        KEPT.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Kept {
    /// Reads the beginning of the file into `buffer`; `path` is asked only to open it.
    pub(crate) fn read(&mut self, path: impl FnOnce() -> String, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(kept) = &self.0 {
            let read = kept.0.read_at(buffer, 0);
            if is_asked_back() {
                self.forget();
            }
            return read;
        }
        match Counted::new(File::open(path())?) {
            Ok(kept) => self.0.insert(kept).0.read_at(buffer, 0),
            Err(file) => file.read_at(buffer, 0),
        }
    }

    /// Closes it.
    pub(crate) fn forget(&mut self) {
        self.0 = None;
    }
}

/// Whether an error of reading `/proc/PID/…` says that there is no such process (any more).
pub(crate) fn says_gone(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOENT | Errno::SRCH))
}

/// The fields of `/proc/PID/stat` (proc(5)) we use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    /// Field 3: one letter.
    pub(crate) state: u8,
    /// Field 4.
    pub(crate) ppid: u32,
    /// Field 6: the pid of the one that began its session.
    pub(crate) session: u32,
    /// Fields 10 and 12: page faults, minor and major. Without one nothing is added to its memory.
    pub(crate) faults: u64,
    /// Fields 14 and 15, user and system time, in ticks.
    pub(crate) cpu: u64,
    /// Field 20.
    pub(crate) threads: u32,
    /// Field 22, in ticks after boot.
    pub(crate) start: u64,
    /// Field 24: pages of resident memory, as the kernel has them at hand, so many a processor off.
    pub(crate) resident: i64,
    /// Field 52: a status of wait(2) once it ended; zero also stands for "you may not know".
    pub(crate) exit_code: i32,
}

impl Stat {
    /// Reads one line. The name in field 2 may hold blanks and parentheses, so counting begins after the last `)`.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let after = line.iter().rposition(|b| *b == b')')? + 1;
        let mut fields = line[after..].trim_ascii().split(|b| *b == b' ');
        // `nth` counts from the field after the one read last.
        let state = *fields.next()?.first()?;
        let ppid = number(fields.next()?)?;
        // One that began in another pid namespace is 0 or -1 there.
        let session = number(fields.nth(1)?).unwrap_or(0);
        let minor: u64 = number(fields.nth(3)?)?;
        let major: u64 = number(fields.nth(1)?)?;
        let utime: u64 = number(fields.nth(1)?)?;
        let stime: u64 = number(fields.next()?)?;
        let threads = number(fields.nth(4)?)?;
        let start = number(fields.nth(1)?)?;
        let resident = number(fields.nth(1)?)?;
        let exit_code = number(fields.nth(27)?)?;
        let (faults, cpu) = (minor.wrapping_add(major), utime + stime);
        Some(Self { state, ppid, session, faults, cpu, threads, start, resident, exit_code })
    }

    /// Ended, but not collected by its parent. A leader whose other threads still run shows `Z` too, and is not one.
    pub(crate) fn is_zombie(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x') && self.threads <= 1
    }

    /// Reads it for a pid, now, without keeping anything.
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let mut buffer = [0; 1024];
        let n = File::open(format!("/proc/{pid}/stat"))?.read_at(&mut buffer, 0)?;
        Self::parse(&buffer[..n]).ok_or_else(unreadable)
    }
}

/// The error of a `/proc` file that does not look as proc(5) says.
pub(crate) fn unreadable() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "/proc does not look as proc(5) describes it")
}

/// A decimal number, nothing around it.
pub(crate) fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The value after `name` at the beginning of a line, up to the next blank: the form of `status`, `io`, `meminfo`.
pub(crate) fn labelled(text: &[u8], name: &str) -> Option<u64> {
    let line = text.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(name.as_bytes()))?;
    number(line.trim_ascii().split(|b| b.is_ascii_whitespace()).next()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(name: &str) -> String {
        format!(
            "42 ({name}) S 7 1 3 0 -1 4194560 100 200 0 0 11 22 33 44 20 0 5 0 777 1000 50 18446744073709551615 1 1 0 0 \
             0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 768\n"
        )
    }

    #[test]
    fn the_fields_are_found_behind_any_name() {
        let wanted = Stat {
            state: b'S',
            ppid: 7,
            session: 3,
            faults: 100,
            cpu: 33,
            threads: 5,
            start: 777,
            resident: 50,
            exit_code: 768,
        };
        for name in ["sh", "a b", "a) Z 1 (b", ")))", ""] {
            assert_eq!(Stat::parse(line(name).as_bytes()), Some(wanted), "{name:?}");
        }
    }

    #[test]
    fn our_own_line_agrees_with_the_procfs_crate() {
        let ours = Stat::of(std::process::id()).unwrap();
        let theirs = procfs::process::Process::myself().unwrap().stat().unwrap();
        assert_eq!(ours.start, theirs.starttime);
        assert_eq!(i64::from(ours.ppid), i64::from(theirs.ppid));
        assert_eq!(i64::from(ours.threads), theirs.num_threads);
        assert_eq!(Some(ours.exit_code), theirs.exit_code);
        let grown = theirs.minflt + theirs.majflt;
        assert!((1..=grown).contains(&ours.faults), "{} of {grown}", ours.faults);
        assert!(ours.resident > 0);
    }

    #[test]
    fn a_leader_that_left_its_threads_running_is_no_zombie() {
        let mut stat = Stat::parse(line("x").as_bytes()).unwrap();
        stat.state = b'Z';
        assert!(!stat.is_zombie());
        stat.threads = 1;
        assert!(stat.is_zombie());
    }

    #[test]
    fn labels_are_matched_at_line_starts_only() {
        let text =
            b"rchar: 5\nwchar: 6\nsyscr: 7\nread_bytes: 8\ncancelled_write_bytes: 9\nwrite_bytes: 10\n";
        assert_eq!(labelled(text, "write_bytes:"), Some(10));
        assert_eq!(labelled(text, "rchar:"), Some(5));
        assert_eq!(labelled(text, "bytes:"), None);
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Stat::parse(&bytes);
        }
    }
}
