//! The event plane: everything that may wake a probe before its turn, in one epoll instance and one inotify instance.
//!
//! Descriptors are watched edge-triggered: a pidfd tells once when its process ends, and once more when it is reaped.
//! Files are watched through the folder they are in ([`paths`]). Whoever only wants to know whether a file is there is not
//! woken by what is written, and a folder in which nobody asks for that does not even tell us: its logs may be written to a
//! thousand times a second.

mod paths;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::sync::Arc;

use hinoban_probe::Wake;
use hinoban_scheduler::{Part, ServiceId};
use rustix::event::epoll::{self, EventData, EventFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use paths::{News, Paths};

/// Whose probe.
pub(crate) type Owner = (ServiceId, Part);

/// The key of the inotify descriptor in the epoll instance; those of all others say whose they are.
const INOTIFY: u64 = u64::MAX;

/// What stands for an owner in the epoll instance; `None`: so many parts nobody has.
fn key_of((service, part): Owner) -> Option<u64> {
    let part = match part {
        Part::Subject => 0,
        Part::Test(rule) => u32::try_from(rule).ok()?.checked_add(1).filter(|part| *part < u32::MAX)?,
    };
    Some(u64::from(service.0) << 32 | u64::from(part))
}

/// Whom this key stands for.
fn owner_of(key: u64) -> Owner {
    let part = match key as u32 {
        0 => Part::Subject,
        rule => Part::Test(rule as usize - 1),
    };
    (ServiceId((key >> 32) as u32), part)
}

/// Watches for all probes.
#[derive(Debug)]
pub(crate) struct Plane {
    epoll: AsyncFd<OwnedFd>,
    paths: Paths,
    /// By the owner's key. Most have one.
    fds: BTreeMap<(u64, RawFd), Arc<OwnedFd>>,
    /// Who may have missed something between a look and the beginning of its watch.
    late: BTreeSet<Owner>,
}

impl Plane {
    pub(crate) fn new() -> io::Result<Self> {
        let fd = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let paths = Paths::new();
        if let Some(inotify) = paths.fd() {
            epoll::add(&fd, inotify, EventData::new_u64(INOTIFY), EventFlags::IN)?;
        }
        // The constructor that replaces this one is `unsafe`, for types whose descriptor may change under the runtime. An
        // `OwnedFd` cannot, and this crate holds no unsafe code.
        #[allow(deprecated)]
        let epoll = AsyncFd::with_interest(fd, Interest::READABLE)?;
        let (fds, late) = Default::default();
        Ok(Self { epoll, paths, fds, late })
    }

    /// Waits until something stirs; gives whose probes want a look. Loses nothing when dropped.
    pub(crate) async fn stirred(&mut self) -> BTreeSet<Owner> {
        loop {
            let mut owners = std::mem::take(&mut self.late);
            if !owners.is_empty() {
                return owners;
            }
            if let Ok(mut guard) = self.epoll.readable().await {
                let keys = drain(guard.get_inner());
                let mut all = keys.len() < BATCH;
                for key in keys {
                    match key {
                        INOTIFY => all &= self.paths.read(&mut owners),
                        key => drop(owners.insert(owner_of(key))),
                    }
                }
                if all {
                    guard.clear_ready();
                } else if owners.is_empty() {
                    // A flood that is nobody's business must not keep the others from their turn.
                    drop(guard);
                    tokio::task::yield_now().await;
                }
            }
            if !owners.is_empty() {
                return owners;
            }
        }
    }

    /// Watches for `owner` exactly what `wakes` says, and no longer what it said before. To be called after each look, for a
    /// path may lead to another folder by then.
    ///
    /// # Errors
    /// What cannot be watched, and why: its next due look will have to do.
    pub(crate) fn watch(&mut self, owner: Owner, wakes: &[Wake]) -> Vec<String> {
        let mut troubles = Vec::new();
        let key = key_of(owner);
        let mine = key.map_or((0, 0)..(0, 0), |key| (key, RawFd::MIN)..(key + 1, RawFd::MIN));
        let is_wanted = |mine: &Arc<OwnedFd>| {
            wakes.iter().any(|wake| matches!(wake, Wake::Fd(fd) if Arc::ptr_eq(fd, mine)))
        };
        for (_, fd) in self.fds.extract_if(mine, |_, fd| !is_wanted(fd)) {
            let _ = epoll::delete(self.epoll.get_ref(), &*fd);
        }
        let mut paths: Vec<(&Path, News)> = Vec::new();
        for wake in wakes {
            match wake {
                Wake::Fd(fd) => {
                    let key = key.map(|key| (key, fd.as_raw_fd()));
                    if let Some(key) = key.filter(|key| !self.fds.contains_key(key))
                        && let Err(trouble) = self.watch_fd(key, fd)
                    {
                        troubles.push(trouble);
                    }
                }
                Wake::Path(path) => paths.push((path, News::Content)),
                Wake::Presence(path) => paths.push((path, News::Presence)),
                Wake::Entries(path) => paths.push((path, News::Entries)),
                _ => {}
            }
        }
        if self.paths.watch(owner, &paths, &mut troubles) {
            self.late.insert(owner);
        }
        troubles
    }

    fn watch_fd(&mut self, key: (u64, RawFd), fd: &Arc<OwnedFd>) -> Result<(), String> {
        let flags = EventFlags::IN | EventFlags::ET;
        epoll::add(self.epoll.get_ref(), &**fd, EventData::new_u64(key.0), flags)
            .map_err(|e| format!("cannot wait for its end at once ({e}); the next due look will find it"))?;
        self.fds.insert(key, fd.clone());
        Ok(())
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

    /// Takes what is there to be told at once; a watch that is new tells of itself.
    async fn settled(plane: &mut Plane) {
        let brief = std::time::Duration::from_millis(50);
        while tokio::time::timeout(brief, plane.stirred()).await.is_ok() {}
    }

    fn told(plane: &mut Plane) -> (bool, BTreeSet<Owner>) {
        let mut owners = BTreeSet::new();
        let fd = plane.paths.fd().unwrap();
        let mut fds = [rustix::event::PollFd::new(fd, rustix::event::PollFlags::IN)];
        let none = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        let any = rustix::event::poll(&mut fds, Some(&none)).unwrap() > 0;
        plane.paths.read(&mut owners);
        (any, owners)
    }

    #[tokio::test]
    async fn writing_wakes_only_whoever_asked_for_content() {
        let dir = tempfile::tempdir().unwrap();
        let (log, pidfile) = (dir.path().join("log"), dir.path().join("pid"));
        std::fs::write(&log, "").unwrap();
        let mut plane = Plane::new().unwrap();
        assert!(plane.watch(owner(1), &[Wake::Presence(log.clone())]).is_empty());

        // A folder that nobody reads content in says nothing of writing at all.
        std::fs::write(&log, "a line").unwrap();
        assert_eq!(told(&mut plane), (false, BTreeSet::new()));

        // With a neighbour that does, it is woken alone.
        plane.watch(owner(2), &[Wake::Path(pidfile.clone())]);
        assert_eq!(plane.paths.folders(), 1);
        settled(&mut plane).await;
        std::fs::write(&log, "another line").unwrap();
        std::fs::write(&pidfile, "7").unwrap();
        assert_eq!(until(&mut plane, owner(2)).await, BTreeSet::from([owner(2)]));

        // And nothing again once the neighbour is content to know that its file is there.
        plane.watch(owner(2), &[Wake::Presence(pidfile.clone())]);
        settled(&mut plane).await;
        std::fs::write(&log, "a third line").unwrap();
        assert_eq!(told(&mut plane), (false, BTreeSet::new()));

        std::fs::rename(&log, dir.path().join("log.1")).unwrap();
        assert_eq!(until(&mut plane, owner(1)).await, BTreeSet::from([owner(1)]));
        plane.watch(owner(1), &[]);
        plane.watch(owner(2), &[]);
        assert_eq!(plane.paths.folders(), 0);
    }

    #[tokio::test]
    async fn what_comes_and_goes_in_a_folder_wakes_whoever_watches_it_and_writing_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let (spool, file) = (dir.path().join("spool"), dir.path().join("spool/x"));
        std::fs::create_dir(&spool).unwrap();
        let mut plane = Plane::new().unwrap();
        plane.watch(owner(1), &[Wake::Presence(spool.clone()), Wake::Entries(spool.clone())]);
        plane.watch(owner(2), &[Wake::Presence(spool.clone())]);
        plane.watch(owner(3), &[Wake::Path(spool.join("other"))]);
        settled(&mut plane).await;

        std::fs::write(&file, "new").unwrap();
        assert_eq!(until(&mut plane, owner(1)).await, BTreeSet::from([owner(1)]));
        settled(&mut plane).await;
        std::fs::write(&file, "the same").unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        assert_eq!(told(&mut plane).1, BTreeSet::new());
        std::fs::remove_file(&file).unwrap();
        assert_eq!(until(&mut plane, owner(1)).await, BTreeSet::from([owner(1)]));

        // Its own mode is news for whoever wants to know whether it is there.
        std::fs::set_permissions(&spool, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        assert!(until(&mut plane, owner(2)).await.contains(&owner(1)));
        for n in 1..=3 {
            plane.watch(owner(n), &[]);
        }
        assert_eq!(plane.paths.folders(), 0);
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
        settled(&mut plane).await;

        std::fs::rename(&folder, dir.path().join("old")).unwrap();
        until(&mut plane, owner(1)).await;
        std::fs::create_dir(&folder).unwrap();
        plane.watch(owner(1), &wakes); // as after each look
        settled(&mut plane).await;
        std::fs::write(&file, "").unwrap();
        until(&mut plane, owner(1)).await;
    }

    /// Nothing tells of these, but the look at the next turn looks where the path leads then.
    #[tokio::test]
    async fn a_path_that_leads_elsewhere_is_watched_there_from_the_next_look_on() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for folder in ["v1", "v2", "top/sub", "held"] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        symlink("v1", at("current")).unwrap();
        let mut plane = Plane::new().unwrap();
        let files = ["current/x", "top/sub/x", "held/x"];
        let look = |plane: &mut Plane| {
            for (n, file) in files.iter().enumerate() {
                assert!(plane.watch(owner(n as u32), &[Wake::Presence(at(file))]).is_empty());
            }
        };
        look(&mut plane);
        settled(&mut plane).await;
        std::fs::remove_file(at("current")).unwrap();
        symlink("v2", at("current")).unwrap();
        std::fs::rename(at("top"), at("old")).unwrap();
        std::fs::create_dir_all(at("top/sub")).unwrap();
        // Somebody stands in it, so the kernel keeps it.
        let stands = std::fs::File::open(at("held")).unwrap();
        std::fs::remove_dir(at("held")).unwrap();
        std::fs::create_dir(at("held")).unwrap();
        look(&mut plane);
        settled(&mut plane).await;
        assert_eq!(plane.paths.folders(), 3, "the old ones are left");
        std::fs::write(at("v1/x"), "").unwrap();
        std::fs::write(at("old/sub/x"), "").unwrap();
        assert_eq!(told(&mut plane), (false, BTreeSet::new()));
        for (n, file) in files.iter().enumerate() {
            std::fs::write(at(file), "").unwrap();
            let who = owner(n as u32);
            assert_eq!(until(&mut plane, who).await, BTreeSet::from([who]), "{file}");
        }
        drop(stands);
    }

    #[tokio::test]
    async fn what_happened_before_a_watch_began_is_looked_for() {
        let dir = tempfile::tempdir().unwrap();
        let (file, other) = (dir.path().join("x"), dir.path().join("y"));
        let mut plane = Plane::new().unwrap();
        let woken = async |plane: &mut Plane, n, wake| {
            plane.watch(owner(n), &[wake]);
            let none = std::time::Duration::from_millis(50);
            tokio::time::timeout(none, plane.stirred()).await.unwrap_or_default().contains(&owner(n))
        };
        assert!(woken(&mut plane, 1, Wake::Presence(file.clone())).await, "the folder is new to us");
        assert!(!woken(&mut plane, 1, Wake::Presence(file.clone())).await);
        assert!(!woken(&mut plane, 2, Wake::Presence(other.clone())).await);
        assert!(woken(&mut plane, 2, Wake::Path(other.clone())).await, "and so is what is written there");
        assert!(!woken(&mut plane, 2, Wake::Path(other)).await);
    }

    /// Of many in one folder, one asks the kernel in each cycle; the others learn of it in the next one at the latest.
    #[tokio::test]
    async fn neighbours_in_a_folder_that_leads_elsewhere_are_watched_there_too() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for folder in ["v1", "v2"] {
            std::fs::create_dir(at(folder)).unwrap();
        }
        symlink("v1", at("current")).unwrap();
        let mut plane = Plane::new().unwrap();
        let cycle = |plane: &mut Plane| {
            for n in 0..3 {
                plane.watch(owner(n), &[Wake::Presence(at(&format!("current/x{n}")))]);
            }
        };
        cycle(&mut plane);
        cycle(&mut plane);
        settled(&mut plane).await;
        std::fs::remove_file(at("current")).unwrap();
        symlink("v2", at("current")).unwrap();
        cycle(&mut plane);
        cycle(&mut plane);
        settled(&mut plane).await;
        assert_eq!(plane.paths.folders(), 1, "the old one is left");
        for n in 0..3 {
            std::fs::write(at(&format!("v2/x{n}")), "").unwrap();
            assert_eq!(until(&mut plane, owner(n)).await, BTreeSet::from([owner(n)]));
        }
    }

    /// A folder through which one may go but which one may not read tells nothing: inotify_add_watch(2), EACCES.
    #[test]
    fn what_may_not_be_watched_is_told() {
        use std::os::unix::fs::PermissionsExt;
        if !rustix::process::geteuid().is_root() {
            return; // only root can become somebody who is not allowed
        }
        let dir = tempfile::tempdir().unwrap();
        let shut = dir.path().join("shut");
        std::fs::create_dir(&shut).unwrap();
        for folder in [dir.path(), &shut] {
            std::fs::set_permissions(folder, PermissionsExt::from_mode(0o711)).unwrap();
        }
        let thread = std::thread::spawn(move || {
            let (user, group) =
                (rustix::process::Uid::from_raw(65534), rustix::process::Gid::from_raw(65534));
            rustix::thread::set_thread_res_gid(group, group, group).unwrap();
            rustix::thread::set_thread_res_uid(user, user, user).unwrap();
            let mut troubles = Vec::new();
            let mut paths = Paths::new();
            paths.watch(owner(1), &[(&shut.join("x"), News::Presence)], &mut troubles);
            paths.watch(owner(1), &[(&shut.join("no/such"), News::Presence)], &mut troubles);
            (troubles, shut)
        });
        let (troubles, shut) = thread.join().unwrap();
        let begins = format!("cannot watch {} for changes (Permission denied), ", shut.display());
        assert!(matches!(troubles.as_slice(), [one] if one.starts_with(&begins)), "{troubles:?}");
        assert!(troubles[0].ends_with("let this user read that folder"));
    }

    #[tokio::test]
    async fn a_flood_is_read_in_portions_and_nothing_of_it_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let (file, other) = (dir.path().join("x"), dir.path().join("y"));
        let mut plane = Plane::new().unwrap();
        plane.watch(owner(1), &[Wake::Presence(file.clone())]);
        settled(&mut plane).await;
        for _ in 0..3000 {
            std::fs::write(&other, "").unwrap();
            std::fs::remove_file(&other).unwrap();
        }
        std::fs::write(&file, "").unwrap();
        let mut owners = BTreeSet::new();
        assert!(!plane.paths.read(&mut owners), "there is more");
        assert!(owners.is_empty());
        assert_eq!(until(&mut plane, owner(1)).await, BTreeSet::from([owner(1)]));
    }
}
