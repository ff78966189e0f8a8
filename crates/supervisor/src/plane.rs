//! The event plane: everything that may wake a probe before its turn, in one epoll instance and one inotify instance.
//!
//! Descriptors are watched edge-triggered: a pidfd tells once when its process ends, and once more when it is reaped.
//! Files are watched through the folder they are in, for a pidfile need not exist yet, and is often replaced by rename.
//! Whoever only wants to know whether a file is there is not woken by what is written, and a folder in which nobody asks
//! for that does not even tell us: its logs may be written to a thousand times a second.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hinoban_probe::Wake;
use hinoban_scheduler::{Part, ServiceId};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fs::inotify::{self, ReadFlags, WatchFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Whose probe.
pub(crate) type Owner = (ServiceId, Part);

/// The key of the inotify descriptor in the epoll instance; all others count from 1.
const INOTIFY: u64 = 0;

/// Watches for all probes.
#[derive(Debug)]
pub(crate) struct Plane {
    epoll: AsyncFd<OwnedFd>,
    inotify: Option<OwnedFd>,
    fds: HashMap<u64, (Owner, Arc<OwnedFd>)>,
    folders: HashMap<i32, Folder>,
    by_path: HashMap<PathBuf, i32>,
    owners: HashMap<Owner, Watches>,
    next_key: u64,
}

#[derive(Debug, Default)]
struct Folder {
    path: PathBuf,
    names: HashMap<OsString, Vec<Watcher>>,
}

/// Who watches a name, and whether what is written into it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Watcher {
    owner: Owner,
    content: bool,
}

/// What one probe has asked for.
#[derive(Debug, Default)]
struct Watches {
    fds: Vec<(u64, RawFd)>,
    paths: Vec<PathBuf>,
}

/// A file comes, goes, or is replaced.
const PRESENCE: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF);

/// A file is written to.
const CONTENT: WatchFlags = WatchFlags::CLOSE_WRITE.union(WatchFlags::MODIFY);

impl Plane {
    pub(crate) fn new() -> io::Result<Self> {
        let fd = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let inotify = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).ok();
        if let Some(inotify) = &inotify {
            epoll::add(&fd, inotify, EventData::new_u64(INOTIFY), EventFlags::IN)?;
        }
        // The constructor that replaces this one is `unsafe`, for types whose descriptor may change under the runtime. An
        // `OwnedFd` cannot, and this crate holds no unsafe code.
        #[allow(deprecated)]
        let epoll = AsyncFd::with_interest(fd, Interest::READABLE)?;
        Ok(Self {
            epoll,
            inotify,
            fds: HashMap::new(),
            folders: HashMap::new(),
            by_path: HashMap::new(),
            owners: HashMap::new(),
            next_key: INOTIFY,
        })
    }

    /// Waits until something stirs; gives whose probes want a look. Loses nothing when dropped.
    pub(crate) async fn stirred(&mut self) -> BTreeSet<Owner> {
        loop {
            let woken = match self.epoll.readable().await {
                Ok(mut guard) => {
                    let keys = drain(guard.get_inner());
                    if keys.len() < BATCH {
                        guard.clear_ready();
                    }
                    keys
                }
                Err(_) => Vec::new(),
            };
            let mut owners = BTreeSet::new();
            for key in woken {
                match key {
                    INOTIFY => self.read_inotify(&mut owners),
                    key => owners.extend(self.fds.get(&key).map(|(owner, _)| *owner)),
                }
            }
            if !owners.is_empty() {
                return owners;
            }
        }
    }

    /// Watches for `owner` exactly what `wakes` says, and no longer what it said before.
    ///
    /// # Errors
    /// What cannot be watched, and why: its next due look will have to do.
    pub(crate) fn watch(&mut self, owner: Owner, wakes: &[Wake]) -> Vec<String> {
        let mut troubles = Vec::new();
        let mut watches = self.owners.remove(&owner).unwrap_or_default();
        let wanted = |key: &u64, fds: &HashMap<u64, (Owner, Arc<OwnedFd>)>| {
            let mine = fds.get(key).map(|(_, fd)| fd);
            wakes.iter().any(|w| matches!((w, mine), (Wake::Fd(fd), Some(mine)) if Arc::ptr_eq(fd, mine)))
        };
        watches.fds.retain(|(key, _)| {
            let keep = wanted(key, &self.fds);
            if !keep && let Some((_, fd)) = self.fds.remove(key) {
                let _ = epoll::delete(self.epoll.get_ref(), &*fd);
            }
            keep
        });
        let gone: Vec<PathBuf> = watches
            .paths
            .iter()
            .filter(|p| {
                !wakes.iter().any(|w| matches!(w, Wake::Path(path) | Wake::Presence(path) if path == *p))
            })
            .cloned()
            .collect();
        for path in gone {
            self.unwatch_path(owner, &path);
            watches.paths.retain(|p| *p != path);
        }
        for wake in wakes {
            let done = match wake {
                Wake::Fd(fd) if watches.fds.iter().any(|(_, raw)| *raw == fd.as_raw_fd()) => Ok(()),
                Wake::Fd(fd) => self.watch_fd(owner, fd).map(|key| watches.fds.push((key, fd.as_raw_fd()))),
                Wake::Path(path) | Wake::Presence(path) => {
                    let watcher = Watcher { owner, content: matches!(wake, Wake::Path(_)) };
                    self.watch_path(watcher, path).map(|new| {
                        if new && !watches.paths.contains(path) {
                            watches.paths.push(path.clone());
                        }
                    })
                }
                _ => Ok(()),
            };
            if let Err(trouble) = done {
                troubles.push(trouble);
            }
        }
        if !watches.fds.is_empty() || !watches.paths.is_empty() {
            self.owners.insert(owner, watches);
        }
        troubles
    }

    fn watch_fd(&mut self, owner: Owner, fd: &Arc<OwnedFd>) -> Result<u64, String> {
        self.next_key += 1;
        let key = self.next_key;
        let flags = EventFlags::IN | EventFlags::ET;
        epoll::add(self.epoll.get_ref(), &**fd, EventData::new_u64(key), flags)
            .map_err(|e| format!("cannot wait for its end at once ({e}); the next due look will find it"))?;
        self.fds.insert(key, (owner, fd.clone()));
        Ok(key)
    }

    /// Watches the folder of a path. `Ok(false)` if the folder is not there: the next look asks again.
    fn watch_path(&mut self, watcher: Watcher, path: &Path) -> Result<bool, String> {
        let Some(inotify) = &self.inotify else { return Ok(false) };
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(false) };
        if let Some(wd) = self.by_path.get(folder)
            && self.folders.get(wd).is_some_and(|f| f.names.get(name).is_some_and(|w| w.contains(&watcher)))
        {
            return Ok(true);
        }
        // Added to what others want of the same folder.
        let mut flags = PRESENCE | WatchFlags::ONLYDIR | WatchFlags::MASK_ADD;
        flags.set(CONTENT, watcher.content);
        let wd = match inotify::add_watch(inotify, folder, flags) {
            Ok(wd) => wd,
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::ACCESS | rustix::io::Errno::NOTDIR) => {
                return Ok(false);
            }
            Err(e) => {
                let folder = folder.display();
                return Err(format!(
                    "cannot watch {folder} for changes ({e}); each due look will read it instead"
                ));
            }
        };
        let entry = self.folders.entry(wd).or_default();
        entry.path = folder.to_owned();
        entry.names.entry(name.to_owned()).or_default().push(watcher);
        self.by_path.insert(folder.to_owned(), wd);
        Ok(true)
    }

    fn unwatch_path(&mut self, owner: Owner, path: &Path) {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return };
        let Some(wd) = self.by_path.get(folder).copied() else { return };
        let Some(entry) = self.folders.get_mut(&wd) else { return };
        if let Some(watchers) = entry.names.get_mut(name) {
            watchers.retain(|w| w.owner != owner);
            if watchers.is_empty() {
                entry.names.remove(name);
            }
        }
        if entry.names.is_empty() {
            self.drop_folder(wd, true);
        }
    }

    fn drop_folder(&mut self, wd: i32, remove: bool) {
        if let (true, Some(inotify)) = (remove, &self.inotify) {
            let _ = inotify::remove_watch(inotify, wd);
        }
        if let Some(folder) = self.folders.remove(&wd) {
            self.by_path.retain(|_, w| *w != wd);
            for watcher in folder.names.values().flatten() {
                if let Some(watches) = self.owners.get_mut(&watcher.owner) {
                    watches.paths.retain(|p| p.parent() != Some(&folder.path));
                }
            }
        }
    }

    fn read_inotify(&mut self, owners: &mut BTreeSet<Owner>) {
        let Some(fd) = &self.inotify else { return };
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(fd, &mut buffer);
        let mut gone = Vec::new();
        while let Ok(event) = reader.next() {
            let events = event.events();
            if events.contains(ReadFlags::QUEUE_OVERFLOW) {
                owners
                    .extend(self.folders.values().flat_map(|f| f.names.values().flatten().map(|w| w.owner)));
                continue;
            }
            let Some(folder) = self.folders.get(&event.wd()) else { continue };
            let writing = events.intersects(ReadFlags::MODIFY | ReadFlags::CLOSE_WRITE);
            let woken = |watchers: &Vec<Watcher>| -> Vec<Owner> {
                watchers.iter().filter(|w| w.content || !writing).map(|w| w.owner).collect()
            };
            match event.file_name() {
                Some(name) => {
                    let name = std::ffi::OsStr::from_bytes(name.to_bytes());
                    owners.extend(folder.names.get(name).map(woken).into_iter().flatten());
                }
                None => owners.extend(folder.names.values().flat_map(woken)),
            }
            // A folder that was moved away is no longer the one of that path, though its watch goes on.
            if events.intersects(ReadFlags::IGNORED | ReadFlags::MOVE_SELF) {
                gone.push((event.wd(), events.contains(ReadFlags::MOVE_SELF)));
            }
        }
        for (wd, remove) in gone {
            self.drop_folder(wd, remove);
        }
    }
}

/// So many descriptors are taken out of the epoll instance at a time.
const BATCH: usize = 256;

fn drain(epoll: &OwnedFd) -> Vec<u64> {
    let mut events = Vec::with_capacity(BATCH);
    let none = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    match epoll::wait(epoll, rustix::buffer::spare_capacity(&mut events), Some(&none)) {
        Ok(_) => events.iter().map(|e| e.data.u64()).collect(),
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(n: u32) -> Owner {
        (ServiceId(n), Part::Subject)
    }

    /// Waits until `wanted` is woken; gives everybody that was until then.
    async fn until(plane: &mut Plane, wanted: Owner) -> BTreeSet<Owner> {
        let mut woken = BTreeSet::new();
        while !woken.contains(&wanted) {
            let stirred = tokio::time::timeout(std::time::Duration::from_secs(30), plane.stirred());
            woken.extend(stirred.await.expect("somebody is woken"));
        }
        woken
    }

    #[tokio::test]
    async fn writing_wakes_only_whoever_asked_for_content() {
        let dir = tempfile::tempdir().unwrap();
        let (log, pidfile) = (dir.path().join("log"), dir.path().join("pid"));
        std::fs::write(&log, "").unwrap();
        let mut plane = Plane::new().unwrap();
        assert!(plane.watch(owner(1), &[Wake::Presence(log.clone())]).is_empty());
        let wd = plane.by_path[dir.path()];

        // A folder that nobody reads content in says nothing of writing at all.
        std::fs::write(&log, "a line").unwrap();
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(plane.inotify.as_ref().unwrap(), &mut buffer);
        assert!(reader.next().is_err(), "an event was queued");

        // With a neighbour that does, it is woken alone.
        plane.watch(owner(2), &[Wake::Path(pidfile.clone())]);
        assert_eq!(plane.by_path[dir.path()], wd);
        std::fs::write(&log, "another line").unwrap();
        std::fs::write(&pidfile, "7").unwrap();
        assert_eq!(until(&mut plane, owner(2)).await, BTreeSet::from([owner(2)]));

        std::fs::rename(&log, dir.path().join("log.1")).unwrap();
        assert_eq!(until(&mut plane, owner(1)).await, BTreeSet::from([owner(1)]));
    }

    #[tokio::test]
    async fn a_folder_that_was_replaced_is_watched_anew() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("app");
        let file = folder.join("x");
        std::fs::create_dir(&folder).unwrap();
        let mut plane = Plane::new().unwrap();
        let wakes = [Wake::Presence(file.clone())];
        plane.watch(owner(1), &wakes);

        std::fs::rename(&folder, dir.path().join("old")).unwrap();
        until(&mut plane, owner(1)).await;
        std::fs::create_dir(&folder).unwrap();
        plane.watch(owner(1), &wakes); // as after each look
        std::fs::write(&file, "").unwrap();
        until(&mut plane, owner(1)).await;
    }
}
