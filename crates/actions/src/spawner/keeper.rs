//! Reads what programs print, and collects those nobody waits for.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions, waitid};

use super::Wanted;

/// What is read of one pipe before the others have their turn: what a pipe holds, twice.
const TURN: usize = 128 * 1024;

/// The descriptors kept after a start, in one epoll that any spawner thread may wait in.
#[derive(Debug)]
pub(super) struct Keeper {
    poll: OnceLock<Poll>,
    kept: Mutex<HashMap<u64, Kept>>,
    /// Children that were started and are not collected yet, by pid, which is their own until then.
    children: Mutex<HashSet<u32>>,
    next: AtomicU64,
}

#[derive(Debug)]
struct Poll {
    epoll: OwnedFd,
    wake: OwnedFd,
}

#[derive(Debug, Clone)]
enum Kept {
    /// Output of a program, and of whoever inherited it.
    Output(Arc<Tail>),
    /// A child that nobody waits for, and its pid.
    Orphan(Arc<OwnedFd>, u32),
}

/// The end of what was printed into one pipe, or its beginning.
#[derive(Debug)]
pub(crate) struct Tail {
    reader: OwnedFd,
    last: Mutex<Last>,
}

#[derive(Debug)]
struct Last {
    bytes: VecDeque<u8>,
    /// Bytes to remember; 0: nobody wants them any more.
    room: usize,
    /// Whether the first bytes are remembered, and not the last.
    first: bool,
    /// Whether there were more bytes than room.
    cut: bool,
}

/// What reading came to.
#[derive(Debug, PartialEq, Eq)]
enum Read {
    Drained,
    More,
    Closed,
}

const WAKE: u64 = 0;

// === impl Keeper ===

impl Keeper {
    pub(super) fn new() -> Self {
        Self {
            poll: OnceLock::new(),
            kept: Mutex::default(),
            children: Mutex::default(),
            next: AtomicU64::new(WAKE + 1),
        }
    }

    /// Opens the epoll, if that has not been done.
    pub(super) fn open(&self) -> io::Result<()> {
        if self.poll.get().is_some() {
            return Ok(());
        }
        let poll = Poll {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        };
        epoll::add(&poll.epoll, &poll.wake, epoll::EventData::new_u64(WAKE), epoll::EventFlags::IN)?;
        // If two threads came here, the second one's descriptors are closed again.
        let _ = self.poll.set(poll);
        Ok(())
    }

    /// Has a thread in [`Keeper::attend`] return.
    pub(super) fn wake(&self) {
        if let Some(poll) = self.poll.get() {
            // It fails only when 2^64 wakes are waiting already.
            let _ = rustix::io::write(&poll.wake, &1u64.to_ne_bytes());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept().is_empty()
    }

    /// Reads `reader` until its last writer is gone, and remembers what is wanted while it is.
    pub(super) fn read_on(&self, reader: OwnedFd, wanted: Wanted) -> Arc<Tail> {
        let (room, first) = match wanted {
            Wanted::Last(room) => (room, false),
            Wanted::First(room) => (room, true),
        };
        let last = Last { bytes: VecDeque::new(), room, first, cut: false };
        let tail = Arc::new(Tail { reader, last: Mutex::new(last) });
        self.keep(Kept::Output(tail.clone()));
        tail
    }

    /// There is a child with this pid.
    pub(super) fn born(&self, pid: u32) {
        self.children().insert(pid);
    }

    /// The child with this pid has been collected.
    pub(super) fn collected(&self, pid: u32) {
        self.children().remove(&pid);
    }

    /// Whether this is a child that was started here and is not collected yet.
    pub(super) fn is_ours(&self, pid: u32) -> bool {
        self.children().contains(&pid)
    }

    /// Collects a child when it ends.
    pub(super) fn adopt(&self, pidfd: OwnedFd, pid: u32) {
        self.keep(Kept::Orphan(Arc::new(pidfd), pid));
    }

    fn keep(&self, what: Kept) {
        let Some(poll) = self.poll.get() else { return };
        let token = self.next.fetch_add(1, Ordering::Relaxed);
        let mut kept = self.kept();
        let data = epoll::EventData::new_u64(token);
        let added = match &what {
            Kept::Output(tail) => epoll::add(&poll.epoll, &tail.reader, data, epoll::EventFlags::IN),
            Kept::Orphan(pidfd, _) => epoll::add(&poll.epoll, pidfd, data, epoll::EventFlags::IN),
        };
        // Out of memory or of watches: the output is then read at the program's end only, and the child stays a zombie
        // until we end. Neither is worth failing a start that has succeeded.
        match what {
            what if added.is_ok() => drop(kept.insert(token, what)),
            // Whoever collects orphans may have it.
            Kept::Orphan(_, pid) => self.collected(pid),
            Kept::Output(_) => {}
        }
    }

    /// Waits for something to do, and does it. Several threads may be here: each read is under its pipe's lock, and
    /// who comes second finds nothing.
    pub(super) fn attend(&self, events: &mut Vec<epoll::Event>, space: &mut [u8]) {
        let Some(poll) = self.poll.get() else { return };
        events.clear();
        if epoll::wait(&poll.epoll, spare_capacity(events), None).is_err() {
            return; // interrupted
        }
        for event in events.iter() {
            let token = event.data.u64();
            if token == WAKE {
                let _ = rustix::io::read(&poll.wake, &mut [0u8; 8]);
                continue;
            }
            let what = self.kept().get(&token).cloned();
            let ended = match &what {
                Some(Kept::Output(tail)) => tail.read(space) == Read::Closed,
                Some(Kept::Orphan(pidfd, _)) => collected(pidfd),
                None => false,
            };
            if ended {
                match &what {
                    Some(Kept::Output(tail)) => drop(epoll::delete(&poll.epoll, &tail.reader)),
                    Some(Kept::Orphan(pidfd, pid)) => {
                        self.collected(*pid);
                        let _ = epoll::delete(&poll.epoll, pidfd);
                    }
                    None => {}
                }
                self.kept().remove(&token);
            }
        }
    }

    fn children(&self) -> MutexGuard<'_, HashSet<u32>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<u64, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Collects an ended child. Also true if there is nothing to collect: somebody else has done it.
fn collected(pidfd: &OwnedFd) -> bool {
    use std::os::fd::AsFd;
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    !matches!(waitid(WaitId::PidFd(pidfd.as_fd()), options), Ok(None) | Err(Errno::INTR))
}

// === impl Tail ===

impl Tail {
    /// Reads what there is and takes what was remembered; from now on the rest is thrown away.
    pub(super) fn finish(&self) -> String {
        text(self.take().0)
    }

    /// The same as it was printed, and whether there was more of it than there was room.
    pub(super) fn take(&self) -> (Vec<u8>, bool) {
        let mut space = [0; 4096];
        self.read(&mut space);
        let mut last = self.last();
        last.room = 0;
        (std::mem::take(&mut last.bytes).into(), last.cut)
    }

    /// From now on everything is thrown away.
    pub(super) fn forget(&self) {
        let mut last = self.last();
        last.room = 0;
        last.bytes = VecDeque::new();
    }

    /// Reads what there is, but not longer than a turn.
    fn read(&self, space: &mut [u8]) -> Read {
        let mut last = self.last();
        let mut turn = 0;
        while turn < TURN {
            match rustix::io::read(&self.reader, &mut *space) {
                Ok(0) => return Read::Closed,
                Ok(n) => {
                    last.push(&space[..n]);
                    turn += n;
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Read::Drained,
                Err(_) => return Read::Closed,
            }
        }
        Read::More
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Last {
    fn push(&mut self, bytes: &[u8]) {
        self.cut |= self.bytes.len() + bytes.len() > self.room;
        if self.first {
            let free = self.room.saturating_sub(self.bytes.len());
            self.bytes.extend(&bytes[..bytes.len().min(free)]);
            return;
        }
        let bytes = &bytes[bytes.len().saturating_sub(self.room)..];
        let surplus = (self.bytes.len() + bytes.len()).saturating_sub(self.room);
        self.bytes.drain(..surplus);
        self.bytes.extend(bytes);
    }
}

/// Output as text. A character cut in two at the beginning is left out; other bytes that are no UTF-8 are replaced.
fn text(bytes: Vec<u8>) -> String {
    let begin = bytes.iter().take(3).position(|b| b & 0xc0 != 0x80).unwrap_or(0);
    String::from_utf8_lossy(&bytes[begin..]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_is_remembered() {
        let mut last = Last { bytes: VecDeque::new(), room: 6, first: false, cut: false };
        last.push(b"abcd");
        assert!(!last.cut);
        last.push(b"efgh");
        assert!(last.cut);
        assert_eq!(Vec::from(last.bytes.clone()), b"cdefgh");
        last.push(b"a long line, longer than there is room for");
        assert_eq!(Vec::from(last.bytes.clone()), b"om for");
        last.room = 0;
        last.push(b"x");
        assert!(last.bytes.is_empty());
    }

    #[test]
    fn only_the_beginning_is_remembered_where_that_is_wanted() {
        let mut last = Last { bytes: VecDeque::new(), room: 6, first: true, cut: false };
        for bytes in [&b"abcd"[..], b"ef", b"gh", b"i"] {
            assert_eq!(last.cut, last.bytes.len() == 6 && bytes == b"i");
            last.push(bytes);
        }
        assert_eq!((Vec::from(last.bytes), last.cut), (b"abcdef".to_vec(), true));
    }

    #[test]
    fn half_a_character_at_the_cut_is_left_out() {
        assert_eq!(text("é!".as_bytes()[1..].to_vec()), "!");
        assert_eq!(text(b"\xff!".to_vec()), "\u{fffd}!");
    }
}
