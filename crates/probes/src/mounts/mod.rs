//! What is mounted, and which paths may be touched on the runtime thread: a plain `open` on a hung network mount blocks
//! for ever.

mod mount;
mod tree;

use std::ffi::OsStr;
use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
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
pub(crate) use tree::{Link, Mounts, Way};

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
    unknown: OnceLock<Box<Gate>>,
}

#[derive(Debug)]
struct Known {
    generation: u64,
    place: Place,
    gate: Option<Box<Gate>>,
    /// Of most there is none.
    detour: Option<Box<Detour>>,
    /// Whether it can be proved without walking it again.
    provable: bool,
}

/// The links on the way of a path, and where it ends.
#[derive(Debug)]
struct Detour {
    links: Vec<Link>,
    end: PathBuf,
}

impl Remembered {
    /// Where `path` lies now. If the table cannot be read the path counts as remote, which is only slower.
    ///
    /// A link may be put in the way, or lead elsewhere, and the mount table does not change. So each look proves anew where
    /// the path leads: by walks of the kernel's that refuse links (openat2(2), Linux 5.6) to each link there was and to the
    /// end, or else by walking it by hand. Neither touches anything remote.
    pub(crate) fn place_of(&mut self, path: &Path) -> Place {
        let mut shared = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(table) = Table::refreshed(&mut shared, None) else { return Place::Remote };
        match &self.known {
            Some(known) if known.generation == table.generation && known.holds(path) => known.place,
            _ => {
                let way = table.mounts.way(path, read_link);
                let (place, gate) = place_on(&way);
                let provable = way.whole && place != Place::Remote && path.is_absolute();
                let Way { links, path: end, .. } = way;
                let detour = (!links.is_empty()).then(|| Box::new(Detour { links, end }));
                let (generation, gate) = (table.generation, gate.map(Box::new));
                self.known = Some(Known { generation, place, gate, detour, provable });
                place
            }
        }
    }

    /// Where a path without links on its way lies still, if its last part is the file that it was: whoever asks this makes
    /// sure of that. `None`: ask [`place_of`](Self::place_of).
    ///
    /// Hundreds of pidfiles stand in one folder and are looked at at once. One of them asks the kernel about that folder
    /// and the mounts for all who come within some milliseconds.
    pub(crate) fn still(&self, path: &Path) -> Option<Place> {
        const SOON: Duration = Duration::from_millis(10);
        let known = self.known.as_ref().filter(|known| known.provable && known.detour.is_none())?;
        let bytes = path.as_os_str().as_bytes();
        let end = bytes.iter().rposition(|b| *b == b'/')?.max(1);
        let folder = Path::new(OsStr::from_bytes(&bytes[..end]));
        let now = clock::since_boot();
        let mut shared = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = shared.as_ref().is_some_and(|table| {
            let is_it = |(at, straight): &(Duration, PathBuf)| {
                now.saturating_sub(*at) < SOON && straight.as_os_str() == folder.as_os_str()
            };
            table.generation == known.generation && table.straight.as_ref().is_some_and(is_it)
        });
        if !fresh {
            let table = Table::refreshed(&mut shared, None)?;
            if table.generation != known.generation || !is_straight(folder) {
                return None;
            }
            table.straight = Some((now, folder.to_owned()));
        }
        Some(known.place)
    }

    /// Where it lay when it was last asked for; unknown counts as remote.
    pub(crate) fn last(&self) -> Place {
        self.known.as_ref().map_or(Place::Remote, |known| known.place)
    }

    /// The links that were on its way, and the path without any where they lead.
    pub(crate) fn links(&self) -> Option<(&[Link], &Path)> {
        let detour = self.known.as_ref()?.detour.as_ref()?;
        Some((&detour.links, &detour.end))
    }

    /// The gate of the remote mount it lies behind.
    pub(crate) fn gate(&self) -> Gate {
        let known = self.known.as_ref().and_then(|known| known.gate.as_deref());
        known.unwrap_or_else(|| self.unknown.get_or_init(Box::default)).clone()
    }
}

impl Known {
    /// Whether the path leads where it led, which was to nothing remote.
    fn holds(&self, path: &Path) -> bool {
        self.provable
            && match &self.detour {
                Some(detour) => detour.links.iter().all(Link::holds) && is_straight(&detour.end),
                None => is_straight(path),
            }
    }
}

impl Link {
    fn holds(&self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); PATH_MAX];
        without_links(&self.at, OFlags::NOFOLLOW)
            .and_then(|link| {
                Ok(readlinkat_raw(link, c"", &mut buffer)?.0 == self.target.as_os_str().as_bytes())
            })
            .unwrap_or(false)
    }
}

/// Whether no link is in the way. What is missing or may not be entered is found out before anything behind it is touched.
/// Other errors say that a link is there, that this kernel is older, that a sandbox forbids the call, or that no descriptor
/// is left.
fn is_straight(path: &Path) -> bool {
    matches!(without_links(path, OFlags::empty()), Ok(_) | Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS))
}

/// Opens what is there for no more than to name it; the last part may be a link with `NOFOLLOW`.
fn without_links(path: &Path, last: OFlags) -> rustix::io::Result<OwnedFd> {
    openat2(CWD, path, OFlags::PATH | OFlags::CLOEXEC | last, Mode::empty(), ResolveFlags::NO_SYMLINKS)
}

/// No path is longer.
const PATH_MAX: usize = 4096;

/// The target of a link; `None` for whatever is none.
pub(crate) fn read_link(path: &Path) -> Option<PathBuf> {
    let mut buffer = [MaybeUninit::uninit(); PATH_MAX];
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
    /// A folder that no link led to at that time since boot.
    straight: Option<(Duration, PathBuf)>,
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
        let mounts = Arc::default();
        let mut table = Self { file, generation: 0, text, read, changed: true, mounts, straight: None };
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
    fn what_is_known_holds_until_a_link_comes_or_changes() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| std::fs::canonicalize(dir.path()).unwrap().join(name);
        let holds = |path: &Path, change: &dyn Fn()| {
            let mut remembered = Remembered::default();
            remembered.place_of(path);
            let known = remembered.known.unwrap();
            assert!(known.holds(path), "nothing has changed yet: {known:?}");
            change();
            known.holds(path)
        };
        std::fs::create_dir_all(at("one/two")).unwrap();
        std::fs::create_dir_all(at("other/two")).unwrap();
        let plain = at("one/two/x");
        assert!(holds(&plain, &|| std::fs::write(&plain, "").unwrap()));
        assert!(holds(&plain, &|| std::fs::remove_file(&plain).unwrap()));
        assert!(!holds(&plain, &|| symlink("/etc/passwd", &plain).unwrap()), "the last part");
        std::fs::remove_file(&plain).unwrap();

        symlink("one", at("link")).unwrap();
        let linked = at("link/two/x");
        assert!(holds(&linked, &|| std::fs::write(&linked, "").unwrap()));
        let behind = &|| {
            std::fs::rename(at("one/two"), at("one/old")).unwrap();
            symlink("../other/two", at("one/two")).unwrap();
        };
        assert!(!holds(&linked, behind), "a part behind the link");
        std::fs::remove_file(at("one/two")).unwrap();
        let switched = &|| {
            std::fs::remove_file(at("link")).unwrap();
            symlink("other", at("link")).unwrap();
        };
        assert!(!holds(&linked, switched), "the link itself");
    }

    #[test]
    fn this_machine_has_a_table() {
        let mut remembered = Remembered::default();
        assert_eq!(remembered.last(), Place::Remote, "whatever has not been asked for may hang");
        assert_eq!(remembered.place_of(Path::new("/proc/self")), Place::Local);
        assert_eq!(remembered.last(), Place::Local);
    }

    #[test]
    fn a_folder_is_asked_about_once_for_all_that_is_in_it_and_again_after_a_while() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, other) = (dir.path().join("run"), dir.path().join("other"));
        std::fs::create_dir(&folder).unwrap();
        std::fs::create_dir(&other).unwrap();
        let path = folder.join("x.pid");
        let mut place = Remembered::default();
        assert_eq!(place.still(&path), None, "nothing is known of it yet");
        let at = place.place_of(&path);
        assert_eq!(place.still(&path), Some(at));
        std::fs::remove_dir(&folder).unwrap();
        std::os::unix::fs::symlink(&other, &folder).unwrap();
        let begun = clock::since_boot();
        while place.still(&path).is_some() {
            assert!(clock::since_boot() < begun + Duration::from_secs(20), "the link was never seen");
            rustix::thread::sched_yield();
        }
        place.place_of(&path);
        assert_eq!(place.still(&path), None, "there is a link on its way now");
    }
}
