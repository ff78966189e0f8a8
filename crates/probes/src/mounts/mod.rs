//! What is mounted, and which paths may be touched on the runtime thread: a plain `open` on a hung network mount blocks
//! for ever.

mod mount;
mod tree;

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

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

/// What we remember about one path until the mount table changes.
#[derive(Debug, Default)]
pub(crate) struct Remembered(Option<Known>);

#[derive(Debug)]
struct Known {
    generation: u64,
    place: Place,
    gate: Gate,
}

impl Remembered {
    /// Where `path` lies now. Costs one `poll` unless the mount table changed. If the table cannot be read the path
    /// counts as remote, which is only slower.
    pub(crate) fn place_of(&mut self, path: &Path) -> Place {
        let mut shared = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(table) = Table::refreshed(&mut shared) else { return Place::Remote };
        match &self.0 {
            Some(known) if known.generation == table.generation => known.place,
            _ => {
                let (place, gate) = place_on(&table.mounts.way(path, |p| std::fs::read_link(p).ok()));
                self.0 = Some(Known { generation: table.generation, place, gate });
                place
            }
        }
    }

    /// Where it lay when it was last asked for; unknown counts as remote.
    pub(crate) fn last(&self) -> Place {
        self.0.as_ref().map_or(Place::Remote, |known| known.place)
    }

    /// The gate of the remote mount it lies behind.
    pub(crate) fn gate(&self) -> Gate {
        self.0.as_ref().map_or_else(Gate::default, |known| known.gate.clone())
    }
}

fn place_on(way: &Way) -> (Place, Gate) {
    match (&way.remote, &way.mount) {
        (Some(remote), _) => (Place::Remote, remote.gate.clone()),
        (None, Some(mount)) if mount.is_memory() => (Place::Memory, Gate::default()),
        _ => (Place::Local, Gate::default()),
    }
}

/// The mount table as it is now, and a number that changes with it; `None` if it cannot be read.
pub(crate) fn now() -> Option<(u64, Arc<Mounts>)> {
    let mut shared = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    Table::refreshed(&mut shared).map(|table| (table.generation, table.mounts.clone()))
}

/// One table for all probes: the kernel tells a change once to each descriptor (proc_pid_mountinfo(5): POLLPRI).
static TABLE: Mutex<Option<Table>> = Mutex::new(None);

#[derive(Debug)]
struct Table {
    file: File,
    generation: u64,
    mounts: Arc<Mounts>,
}

impl Table {
    fn refreshed(shared: &mut Option<Self>) -> Option<&mut Self> {
        if shared.is_none() {
            *shared = Self::open();
        }
        let table = shared.as_mut()?;
        table.refresh();
        Some(table)
    }

    fn open() -> Option<Self> {
        let mut file = File::open(PATH).ok()?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).ok()?;
        Some(Self { file, generation: 1, mounts: Arc::new(Mounts::parse(&text, &Mounts::default())) })
    }

    fn refresh(&mut self) {
        let mut fds = [PollFd::from_borrowed_fd(self.file.as_fd(), PollFlags::PRI)];
        let changed = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|n| n > 0);
        if changed {
            let mut text = vec![0; 1 << 16];
            let mut filled = 0;
            while let Ok(n) = self.file.read_at(&mut text[filled..], filled as u64)
                && n > 0
            {
                filled += n;
                text.resize(text.len().max(filled * 2), 0);
            }
            self.mounts = Arc::new(Mounts::parse(&text[..filled], &self.mounts));
            self.generation += 1;
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
