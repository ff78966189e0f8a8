//! Paths that are watched, each through the folder it is in: a pidfile need not exist yet, and is often replaced by rename.
//!
//! A watch is of a folder and not of its path, which may come to lead to another: a link is switched, something is mounted
//! over it, a folder above is renamed. So the kernel is asked anew, by adding the watch that should be there already: its
//! number says whether the path still leads where it led (inotify_add_watch(2)). One who comes to a folder that was asked
//! for since he was last there has his answer: of hundreds of pidfiles in one folder, one asks in each cycle.

use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, ReadFlags, WatchFlags};
use rustix::io::Errno;

use super::Owner;

/// All watched paths, in one inotify instance.
#[derive(Debug)]
pub(super) struct Paths {
    inotify: Result<OwnedFd, Errno>,
    folders: HashMap<i32, Folder>,
    owners: HashMap<Owner, Vec<Watched>>,
    /// Counts what is watched for, so that it can be said what came before what.
    turn: u64,
}

/// A folder whose watch has this number.
#[derive(Debug, Default)]
struct Folder {
    /// By which path the kernel was last asked for it, and when.
    asked: (PathBuf, u64),
    /// Whether the kernel tells what is written there.
    content: bool,
    /// How many of its watchers count what is written. There may be thousands of others.
    readers: usize,
    /// By name; that of whoever watches all of the folder is empty.
    names: HashMap<OsString, Vec<Watcher>>,
}

/// What counts of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// That it comes or goes.
    Presence,
    /// That, and what is written into it.
    Content,
    /// What comes and goes in it, for it is a folder.
    Entries,
}

impl News {
    /// The folder to be watched, and the name in it.
    fn place(self, path: &Path) -> Option<(&Path, &OsStr)> {
        match self {
            News::Presence | News::Content => Some((path.parent()?, path.file_name()?)),
            News::Entries => Some((path, OsStr::new(""))),
        }
    }

    /// Whether that folder is this one, by how both are written.
    fn is_in(self, path: &Path, folder: &Path) -> bool {
        match self {
            News::Presence | News::Content => is_within(path, folder),
            News::Entries => path.as_os_str() == folder.as_os_str(),
        }
    }
}

/// Who watches a name, and whether what is written into it counts. Somebody to whom two paths of it lead is there twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Watcher {
    owner: Owner,
    content: bool,
}

/// A path, and the watch of its folder.
#[derive(Debug)]
struct Watched {
    path: PathBuf,
    news: News,
    wd: i32,
    /// When it was last said that it is to be watched.
    turn: u64,
}

/// A file comes, goes, is replaced, or gets another owner or mode.
const PRESENCE: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF);

/// A file is written to.
const CONTENT: WatchFlags = WatchFlags::CLOSE_WRITE.union(WatchFlags::MODIFY);

/// So many events are read before others have their turn.
const MOST: usize = 4096;

impl Paths {
    pub(super) fn new() -> Self {
        let inotify = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK);
        Self { inotify, folders: HashMap::new(), owners: HashMap::new(), turn: 0 }
    }

    /// What becomes readable when something stirs.
    pub(super) fn fd(&self) -> Option<&OwnedFd> {
        self.inotify.as_ref().ok()
    }

    /// Watches for `owner` exactly these paths, each with what counts of it, and tells what cannot be
    /// watched. Gives whether the kernel began only now to tell something: what happened between the look and now is not known.
    pub(super) fn watch(
        &mut self,
        owner: Owner,
        wanted: &[(&Path, News)],
        troubles: &mut Vec<String>,
    ) -> bool {
        self.turn += 1;
        if self.is_known(owner, wanted) {
            return false;
        }
        let before = self.owners.remove(&owner).unwrap_or_default();
        let mut after: Vec<Watched> = Vec::with_capacity(wanted.len());
        let mut fresh = false;
        for &(path, news) in wanted {
            let entries = news == News::Entries;
            if after.iter().any(|known| known.path == path && (known.news == News::Entries) == entries) {
                continue;
            }
            match self.add(owner, path, news) {
                Ok(Some((wd, new))) => {
                    fresh |= new;
                    after.push(Watched { path: path.to_owned(), news, wd, turn: self.turn });
                }
                Ok(None) => {}
                Err(trouble) => troubles.push(trouble),
            }
        }
        // Afterwards, so that what is still wanted is never without its watch.
        for old in before {
            self.remove(owner, &old);
        }
        if !after.is_empty() {
            self.owners.insert(owner, after);
        }
        fresh
    }

    /// Whether all of this is watched for `owner` already, and others have asked for its folders meanwhile.
    fn is_known(&mut self, owner: Owner, wanted: &[(&Path, News)]) -> bool {
        let Some(known) = self.owners.get_mut(&owner).filter(|known| known.len() == wanted.len()) else {
            return false;
        };
        // Paths are compared as they are written: cheaper, and a false "no" only asks again.
        let same = known.iter().zip(wanted).all(|(watched, (path, news))| {
            let asked = self.folders.get(&watched.wd).map(|folder| &folder.asked);
            watched.path.as_os_str() == path.as_os_str()
                && watched.news == *news
                && asked.is_some_and(|(folder, turn)| *turn > watched.turn && news.is_in(path, folder))
        });
        if same {
            known.iter_mut().for_each(|watched| watched.turn = self.turn);
        }
        same
    }

    /// Gives the folder's watch, and whether it is new or tells more than before; `None` if there is no such folder.
    fn add(&mut self, owner: Owner, path: &Path, news: News) -> Result<Option<(i32, bool)>, String> {
        let Some((folder, name)) = news.place(path) else { return Ok(None) };
        let content = news == News::Content;
        let inotify = match &self.inotify {
            Ok(inotify) => inotify,
            Err(error) => return Err(trouble(folder, *error, "max_user_instances")),
        };
        // Added to what others want of the same folder.
        let mut flags = PRESENCE | WatchFlags::ONLYDIR | WatchFlags::MASK_ADD;
        flags.set(CONTENT, content);
        let wd = match inotify::add_watch(inotify, folder, flags) {
            Ok(wd) => wd,
            // The next look asks again.
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(error) => return Err(trouble(folder, error, "max_user_watches")),
        };
        let mut fresh = !self.folders.contains_key(&wd);
        let entry = self.folders.entry(wd).or_default();
        if entry.asked.0.as_os_str() != folder.as_os_str() {
            entry.asked.0 = folder.to_owned();
        }
        entry.asked.1 = self.turn;
        fresh |= content && !entry.content;
        entry.content |= content;
        entry.readers += usize::from(content);
        let watcher = Watcher { owner, content };
        match entry.names.get_mut(name) {
            Some(watchers) => watchers.push(watcher),
            None => {
                entry.names.insert(name.to_owned(), vec![watcher]);
            }
        }
        Ok(Some((wd, fresh)))
    }

    fn remove(&mut self, owner: Owner, old: &Watched) {
        let Watched { path, news, wd, .. } = old;
        let Some((folder, name)) = news.place(path) else { return };
        let Some(entry) = self.folders.get_mut(wd) else { return };
        let content = *news == News::Content;
        let watcher = Watcher { owner, content };
        if let Some(watchers) = entry.names.get_mut(name) {
            if let Some(at) = watchers.iter().position(|w| *w == watcher) {
                watchers.swap_remove(at);
                entry.readers -= usize::from(content);
            }
            if watchers.is_empty() {
                entry.names.remove(name);
            }
        }
        let Ok(inotify) = &self.inotify else { return };
        if entry.names.is_empty() {
            let _ = inotify::remove_watch(inotify, *wd);
            self.folders.remove(wd);
        } else if entry.content && entry.readers == 0 {
            // The last one who reads content has left: its logs need not be told any more.
            let flags = PRESENCE | WatchFlags::ONLYDIR;
            match inotify::add_watch(inotify, folder, flags) {
                Ok(same) if same == *wd => entry.content = false,
                // The path leads elsewhere by now, and there it must not change what others want.
                Ok(other) => match self.folders.get(&other) {
                    Some(others) if others.content => {
                        let _ = inotify::add_watch(inotify, folder, flags | CONTENT);
                    }
                    Some(_) => {}
                    None => {
                        let _ = inotify::remove_watch(inotify, other);
                    }
                },
                Err(_) => {}
            }
        }
    }

    /// Adds whose paths something happened to. Gives whether that was all there was to read.
    pub(super) fn read(&mut self, owners: &mut BTreeSet<Owner>) -> bool {
        let Ok(inotify) = &self.inotify else { return true };
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(inotify, &mut buffer);
        for read in 0.. {
            // What is in the buffer already would be lost.
            if read >= MOST && reader.is_buffer_empty() {
                return false;
            }
            let Ok(event) = reader.next() else { return true };
            let (wd, events) = (event.wd(), event.events());
            if events.contains(ReadFlags::QUEUE_OVERFLOW) {
                owners.extend(self.owners.keys());
                continue;
            }
            let Some(folder) = self.folders.get(&wd) else { continue };
            let writing = events.intersects(ReadFlags::MODIFY | ReadFlags::CLOSE_WRITE);
            let woken = |watchers: &Vec<Watcher>| -> Vec<Owner> {
                watchers.iter().filter(|w| w.content || !writing).map(|w| w.owner).collect()
            };
            match event.file_name() {
                Some(name) => {
                    let name = OsStr::from_bytes(name.to_bytes());
                    let all = folder.names.get(OsStr::new(""));
                    // Those who watch the folder do not ask what becomes of what is in it.
                    let all = all.filter(|_| !events.contains(ReadFlags::ATTRIB));
                    owners.extend([folder.names.get(name), all].into_iter().flatten().flat_map(woken));
                }
                None => owners.extend(folder.names.values().flat_map(woken)),
            }
            // A folder that was moved away is no longer the one of that path, though its watch goes on.
            if events.intersects(ReadFlags::IGNORED | ReadFlags::MOVE_SELF) {
                if events.contains(ReadFlags::MOVE_SELF) {
                    let _ = inotify::remove_watch(inotify, wd);
                }
                self.folders.remove(&wd);
            }
        }
        true
    }

    #[cfg(test)]
    pub(super) fn folders(&self) -> usize {
        self.folders.len()
    }
}

/// Whether this is a file in that folder, by what is written.
fn is_within(path: &Path, folder: &Path) -> bool {
    let (path, folder) = (path.as_os_str().as_bytes(), folder.as_os_str().as_bytes());
    let name = path
        .strip_prefix(folder.strip_suffix(b"/").unwrap_or(folder))
        .and_then(|rest| rest.strip_prefix(b"/"));
    name.is_some_and(|name| !name.is_empty() && !name.contains(&b'/'))
}

fn trouble(folder: &Path, error: Errno, limit: &str) -> String {
    let why = std::io::Error::from(error).to_string();
    let why = why.split(" (os error").next().unwrap_or_default();
    let advice = match error {
        Errno::ACCESS | Errno::PERM => "run as root, or let this user read that folder".to_owned(),
        Errno::NOSPC | Errno::MFILE => format!("raise the kernel's limit fs.inotify.{limit}"),
        _ => {
            return format!(
                "cannot watch {} for changes ({why}); each due look will read it instead",
                folder.display()
            );
        }
    };
    format!(
        "cannot watch {} for changes ({why}), so only each due look finds them; {advice}",
        folder.display()
    )
}
