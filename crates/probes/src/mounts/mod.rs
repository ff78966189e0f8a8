//! What is mounted, and which paths may be touched on the runtime thread: a plain `open` on a hung network mount blocks
//! for ever.

mod mount;
mod tree;

use std::ffi::OsStr;
use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2, readlinkat_raw};
use rustix::io::Errno;

use crate::clock;
use crate::elsewhere::Gate;

pub(crate) use mount::{Mount, device};
pub(crate) use tree::{Mounts, Way};

/// Where a path lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On a file system of this machine that forgets at reboot (tmpfs, ramfs).
    Memory,
    /// On another file system of this machine.
    Local,
    /// Behind a network or another process.
    Remote,
}

/// What we remember about one path, as long as it is proved to be so still.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    known: Option<Known>,
    /// The gate of a path that may lie anywhere, for the table cannot be read.
    unknown: OnceLock<Gate>,
}

#[derive(Debug)]
struct Known {
    generation: u64,
    place: Place,
    gate: Option<Gate>,
    /// The links on the way, and where it ends; empty if there are none.
    links: Vec<PathBuf>,
    end: PathBuf,
}

impl Remembered {
    /// Where `path` lies now. If the table cannot be read the path counts as remote, which is only slower.
    ///
    /// A link may be put in the way, or lead elsewhere, and the mount table does not change. So each look proves anew where
    /// the path leads: one without links by a single walk of the kernel's that refuses links (openat2(2), Linux 5.6), any
    /// other by walking it by hand. Neither touches anything remote.
    pub(crate) fn place_of(&mut self, path: &Path) -> Place {
        let mut shared = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(table) = Table::refreshed(&mut shared, None) else { return Place::Remote };
        match &self.known {
            Some(known) if known.generation == table.generation && known.still_straight(path) => known.place,
            _ => {
                let way = table.mounts.way(path, read_link);
                let (place, gate) = place_on(&way);
                let end = if way.links.is_empty() { PathBuf::new() } else { way.path };
                self.known = Some(Known { generation: table.generation, place, gate, links: way.links, end });
                place
            }
        }
    }

    /// Where it lay when it was last asked for; unknown counts as remote.
    pub(crate) fn last(&self) -> Place {
        self.known.as_ref().map_or(Place::Remote, |known| known.place)
    }

    /// The links that were on its way, each without a link before it, and the path without any where they lead.
    pub(crate) fn links(&self) -> Option<(&[PathBuf], &Path)> {
        let known = self.known.as_ref().filter(|known| !known.links.is_empty())?;
        Some((&known.links, &known.end))
    }

    /// The gate of the remote mount it lies behind.
    pub(crate) fn gate(&self) -> Gate {
        let known = self.known.as_ref().and_then(|known| known.gate.clone());
        known.unwrap_or_else(|| self.unknown.get_or_init(Gate::default).clone())
    }
}

impl Known {
    /// Whether the path leads where it led, which was through no link and to nothing remote. What is missing or may not be
    /// entered is found out before anything behind it is touched.
    fn still_straight(&self, path: &Path) -> bool {
        if self.place == Place::Remote || !self.links.is_empty() || !path.is_absolute() {
            return false;
        }
        match openat2(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => true,
            // A link is in the way now, this kernel is older, a sandbox forbids the call, no descriptor is left.
            Err(_) => false,
        }
    }
}

/// The target of a link; `None` for whatever is none.
pub(crate) fn read_link(path: &Path) -> Option<PathBuf> {
    let mut buffer = [MaybeUninit::uninit(); 4096]; // PATH_MAX: none is longer
    let (target, _) = readlinkat_raw(CWD, path, &mut buffer).ok()?;
    Some(OsStr::from_bytes(target).into())
}

fn place_on(way: &Way) -> (Place, Option<Gate>) {
    match (&way.remote, &way.mount) {
        (Some(remote), _) => (Place::Remote, Some(remote.gate.clone())),
        (None, Some(mount)) if mount.is_memory() => (Place::Memory, None),
        _ => (Place::Local, None),
    }
}

/// The mount table as it is now, and a number that changes with it; `None` if it cannot be read.
///
/// The kernel tells nobody of what it changes by itself: a file system with errors becomes read-only in silence. So the
/// copy is made anew if it is older than `age`.
pub(crate) fn now(age: Option<Duration>) -> Option<(u64, Arc<Mounts>)> {
    let mut shared = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    Table::refreshed(&mut shared, age).map(|table| (table.generation, table.mounts.clone()))
}

/// One table for all probes: the kernel tells a change once to each descriptor (proc_pid_mountinfo(5): POLLPRI).
static TABLE: Mutex<Option<Table>> = Mutex::new(None);

#[derive(Debug)]
struct Table {
    file: File,
    generation: u64,
    text: Vec<u8>,
    /// Time since boot at which it was read, and whether it has changed since.
    read: Duration,
    changed: bool,
    mounts: Arc<Mounts>,
}

impl Table {
    fn refreshed(shared: &mut Option<Self>, age: Option<Duration>) -> Option<&mut Self> {
        if shared.is_none() {
            *shared = Self::open();
        }
        let table = shared.as_mut()?;
        table.refresh(age);
        Some(table)
    }

    fn open() -> Option<Self> {
        let file = File::open(PATH).ok()?;
        let (text, read) = (Vec::new(), Duration::ZERO);
        let mut table = Self { file, generation: 0, text, read, changed: true, mounts: Arc::default() };
        table.take(table.text()?);
        Some(table)
    }

    fn refresh(&mut self, age: Option<Duration>) {
        let mut fds = [PollFd::from_borrowed_fd(self.file.as_fd(), PollFlags::PRI)];
        // It is told once; what could not be read then is read at the next look.
        self.changed |= poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|n| n > 0);
        let old = || age.is_some_and(|age| clock::since_boot().saturating_sub(self.read) >= age);
        if (self.changed || old())
            && let Some(text) = self.text()
        {
            self.take(text);
        }
    }

    fn text(&self) -> Option<Vec<u8>> {
        let mut text = vec![0; self.text.len().max(1 << 12) + (1 << 12)];
        let mut filled = 0;
        loop {
            match self.file.read_at(&mut text[filled..], filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(_) => return None,
            }
            if filled == text.len() {
                text.resize(filled * 2, 0);
            }
        }
        text.truncate(filled);
        Some(text)
    }

    fn take(&mut self, text: Vec<u8>) {
        self.read = clock::since_boot();
        // A change that leaves the text as it was may still be one: something was mounted, and unmounted again.
        if std::mem::take(&mut self.changed) || text != self.text {
            self.mounts = Arc::new(Mounts::parse(&text, &self.mounts));
            self.generation += 1;
            self.text = text;
        }
    }
}

/// The mount table of our own mount namespace.
pub(crate) const PATH: &str = "/proc/self/mountinfo";

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &str) -> Place {
        place_on(&tree::tests::table().way(Path::new(path), tree::tests::link)).0
    }

    #[test]
    fn the_topmost_mount_counts() {
        assert_eq!(place("/etc/x.pid"), Place::Local);
        assert_eq!(place("/run/x.pid"), Place::Memory);
        assert_eq!(place("/runner/x.pid"), Place::Local);
        assert_eq!(place("/srv/big disk/x.pid"), Place::Remote);
        assert_eq!(place("/mnt/x.pid"), Place::Remote);
    }

    #[test]
    fn links_are_followed_but_nothing_remote_is_touched() {
        assert_eq!(place("/var/run/x.pid"), Place::Memory);
        assert_eq!(place("/home/me/run/x.pid"), Place::Remote);
        assert_eq!(place("/srv/big disk/inner/x.pid"), Place::Remote, "its way leads through the network");
        assert_eq!(place("/loop/x.pid"), Place::Local);
        assert_eq!(place("/run/../etc/./x.pid"), Place::Local);
    }

    #[test]
    fn this_machine_has_a_table() {
        let mut remembered = Remembered::default();
        assert_eq!(remembered.last(), Place::Remote, "whatever has not been asked for may hang");
        assert_eq!(remembered.place_of(Path::new("/proc/self")), Place::Local);
        assert_eq!(remembered.last(), Place::Local);
    }
}
