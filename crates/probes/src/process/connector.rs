//! The kernel's proc connector: how processes ended, where pidfds do not tell it.
//!
//! Facts, `drivers/connector/cn_proc.c` of Linux 4.19 to 6.18: who listens is told of every end on the host, with the
//! status of wait(2), some ten microseconds after the pidfd has fired. Before Linux 6.6 that needs CAP_NET_ADMIN. It is
//! only there in the first PID and network namespaces. Of a process whose first thread left before the others, it tells
//! how that thread ended.
//!
//! A filter in the kernel lets through only the ends of those that are watched. So nothing wakes us, and nothing has to be
//! read until one of them has ended.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hinoban_reading::Identity;
use rustix::io::Errno;
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, send, socket_with, sockopt,
};

use super::killer::in_first_namespace;
use crate::clock;
use crate::sys::{self, FilterStep};

// linux/connector.h, linux/cn_proc.h: a message is `nlmsghdr`, `cn_msg` and `proc_event`.
const PROC_GROUP: u32 = 1;
const LISTEN: u32 = 1;
const EXIT: u32 = 0x8000_0000;
const WHAT: usize = 36;
const PID: usize = 52;
const TGID: usize = 56;
const STATUS: usize = 60;

/// Ends read at a time: 8 µs each.
const SLICE: usize = 256;

/// So long after the last change of who is watched, the filter is made exact. Until then it lets through the ends of all
/// processes: to build it anew for each of thousands that are found at a start would take longer than to read those.
const CALM: Duration = Duration::from_secs(1);

/// What all probes share.
#[derive(Debug)]
struct Connector {
    socket: OwnedFd,
    watched: HashMap<u32, Entry>,
    /// Since when the filter is not exact; none if it is.
    wide: Option<Duration>,
    /// How often the kernel had more to tell than we took.
    losses: u64,
}

#[derive(Debug)]
struct Entry {
    start: u64,
    tickets: usize,
    status: Option<i32>,
}

/// Keeps how one process ends until it is asked for.
#[derive(Debug)]
pub(super) struct Ticket {
    of: Identity,
    losses: u64,
    shared: Arc<Mutex<Connector>>,
}

/// Of the whole process: opened when it is first needed.
static SHARED: Mutex<Option<Arc<Mutex<Connector>>>> = Mutex::new(None);

/// From now on, the end of this process is kept. It should be seen to live after this, for else it may have been too late.
///
/// # Errors
/// Why the kernel does not tell us, for people.
pub(super) fn watch(of: Identity) -> Result<Ticket, String> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let shared = match &*shared {
        Some(open) => open.clone(),
        // What failed is tried again with the next process: rights are asked for in microseconds, and room may come.
        None => shared.insert(Arc::new(Mutex::new(Connector::open()?))).clone(),
    };
    let mut connector = locked(&shared);
    // What is waiting to be read may be of somebody who had this pid before.
    connector.drain();
    connector.add(of, clock::since_boot());
    let losses = connector.losses;
    drop(connector);
    Ok(Ticket { of, losses, shared })
}

fn locked(shared: &Mutex<Connector>) -> MutexGuard<'_, Connector> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ticket {
    /// Whose it is.
    pub(super) fn of(&self) -> Identity {
        self.of
    }

    /// Its status of wait(2), if it has ended.
    pub(super) fn status(&self) -> Option<i32> {
        let mut connector = locked(&self.shared);
        connector.drain();
        connector.entry(self.of)?.status
    }

    /// Whether its end may have been told and lost.
    pub(super) fn may_have_missed(&self) -> bool {
        locked(&self.shared).losses != self.losses
    }

    /// To be called now and then while it lives.
    pub(super) fn tidy(&self) {
        locked(&self.shared).tidy(clock::since_boot());
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut connector = locked(&self.shared);
        let Some(entry) = connector.entry(self.of) else { return };
        entry.tickets -= 1;
        if entry.tickets == 0 {
            // The filter may go on to name it: that costs nothing.
            connector.watched.remove(&self.of.pid);
        }
    }
}

impl Connector {
    fn open() -> Result<Self, String> {
        if !in_first_namespace() {
            return Err("the kernel tells it only outside of containers; watch from the host".to_owned());
        }
        let socket = listen().map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::PERM | Errno::ACCESS) => {
                "run as root, or with the capability CAP_NET_ADMIN".to_owned()
            }
            Some(Errno::PROTONOSUPPORT) => {
                "the kernel was built without its proc connector, or this is a container's network".to_owned()
            }
            _ => format!("the kernel's proc connector: {error}"),
        })?;
        if crate::proc::is_reserved(&socket) {
            return Err("no file descriptor is left; raise the limit on open files".to_owned());
        }
        let none = HashMap::new();
        Ok(Self { socket, watched: none, wide: Some(clock::since_boot()), losses: 0 })
    }

    fn entry(&mut self, of: Identity) -> Option<&mut Entry> {
        self.watched.get_mut(&of.pid).filter(|entry| entry.start == of.start)
    }

    fn add(&mut self, of: Identity, now: Duration) {
        match self.entry(of) {
            Some(entry) => entry.tickets += 1,
            None => {
                self.watched.insert(of.pid, Entry { start: of.start, tickets: 1, status: None });
                if self.wide.is_none() {
                    self.attach(&anybody());
                }
                self.wide = Some(now);
            }
        }
    }

    /// Makes the filter exact when nothing has changed for a while; until then, reads what it lets through.
    fn tidy(&mut self, now: Duration) {
        let Some(since) = self.wide else { return };
        self.drain();
        if now.saturating_sub(since) < CALM {
            return;
        }
        self.wide = match only(self.watched.keys().copied()) {
            Some(filter) if self.attach(&filter) => None,
            // Tried again after a while: fewer may be watched then.
            _ => Some(now),
        };
    }

    fn attach(&self, filter: &[FilterStep]) -> bool {
        sys::attach_filter(&self.socket, filter).is_ok()
    }

    /// Reads what has come, a slice at most. Never waits.
    fn drain(&mut self) {
        let mut message = [0; 256];
        for _ in 0..SLICE {
            match recv(&self.socket, &mut message, RecvFlags::DONTWAIT) {
                Ok((_, n)) => self.take(&message[..n.min(256)]),
                Err(Errno::NOBUFS) => self.losses += 1,
                Err(Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }

    fn take(&mut self, message: &[u8]) {
        let (Some(EXIT), Some(pid), Some(status)) =
            (number(message, WHAT), number(message, PID), number(message, STATUS))
        else {
            return;
        };
        if let Some(entry) = self.watched.get_mut(&pid) {
            entry.status.get_or_insert(status as i32);
        }
    }
}

/// A socket that is told of the ends of all processes.
fn listen() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(netlink::CONNECTOR))?;
    sys::attach_filter(&socket, &answers_and_anybody())?;
    bind(&socket, &SocketAddrNetlink::new(0, PROC_GROUP))?;
    // Room for a thousand ends, where we may ask for it: many come through while the filter is wide.
    let _ = sockopt::set_socket_recv_buffer_size_force(&socket, 1 << 20);
    send(&socket, &request(LISTEN), SendFlags::empty())?;
    // The kernel has answered when the call returns.
    let mut message = [0; 256];
    loop {
        let n = match recv(&socket, &mut message, RecvFlags::DONTWAIT) {
            Ok((_, n)) => n.min(256),
            Err(Errno::NOBUFS | Errno::INTR) => continue,
            Err(Errno::AGAIN) => return Err(io::Error::other("it does not answer")),
            Err(error) => return Err(error.into()),
        };
        match (number(&message[..n], WHAT), number(&message[..n], PID)) {
            (Some(0), Some(0)) => break,
            (Some(0), Some(error)) => return Err(io::Error::from_raw_os_error(error as i32)),
            _ => {}
        }
    }
    sys::attach_filter(&socket, &anybody())?;
    Ok(socket)
}

/// `nlmsghdr`, `cn_msg`, and what is asked for.
fn request(what: u32) -> Vec<u8> {
    let done = 3_u16;
    let mut message = Vec::with_capacity(40);
    message.extend(40_u32.to_ne_bytes());
    message.extend(done.to_ne_bytes());
    message.extend([0; 10]);
    for word in [1, 1, 0, 0] {
        message.extend(u32::to_ne_bytes(word)); // CN_IDX_PROC, CN_VAL_PROC, number, answer to
    }
    message.extend(4_u16.to_ne_bytes());
    message.extend([0; 2]);
    message.extend(what.to_ne_bytes());
    message
}

fn number(message: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(message.get(at..at + 4)?.try_into().ok()?))
}

/// Lets through the end of each process, but not of threads.
fn anybody() -> Vec<FilterStep> {
    let mut filter = ends();
    let kept = [FilterStep::load(TGID), FilterStep::KEEP, FilterStep::load(PID)];
    filter.extend(kept);
    filter.extend([FilterStep::skip_if_not_kept(1), FilterStep::PASS, FilterStep::DROP]);
    filter
}

/// The same, and what the kernel answers us.
fn answers_and_anybody() -> Vec<FilterStep> {
    let mut filter = vec![FilterStep::load(WHAT), FilterStep::skip_if_not(0, 1), FilterStep::PASS];
    filter.extend(anybody());
    filter
}

/// Lets through the ends of these processes; none if they are too many for a filter.
fn only(pids: impl Iterator<Item = u32>) -> Option<Vec<FilterStep>> {
    let mut filter = ends();
    filter.push(FilterStep::load(PID));
    for pid in pids {
        filter.extend([FilterStep::skip_if_not(pid, 1), FilterStep::PASS]);
    }
    filter.push(FilterStep::DROP);
    (filter.len() <= FilterStep::MOST).then_some(filter)
}

/// Goes on if the message tells of an end.
fn ends() -> Vec<FilterStep> {
    vec![FilterStep::load(WHAT), FilterStep::skip_if(EXIT, 1), FilterStep::DROP]
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;
    use crate::proc::Stat;

    fn sleeping() -> (Child, Identity) {
        let child = Command::new("sleep").arg("1000").spawn().unwrap();
        let identity = Identity { pid: child.id(), start: Stat::of(child.id()).unwrap().start };
        (child, identity)
    }

    fn end(mut child: Child) {
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// None where the kernel tells nobody, or only root.
    fn open() -> Option<Arc<Mutex<Connector>>> {
        let open = Connector::open();
        let ci = std::env::var("CI").as_deref() == Ok("true");
        assert!(!ci || open.is_ok() || !rustix::process::geteuid().is_root(), "{open:?}");
        Some(Arc::new(Mutex::new(open.ok()?)))
    }

    fn ticket(shared: &Arc<Mutex<Connector>>, of: Identity) -> Ticket {
        locked(shared).add(of, clock::since_boot());
        Ticket { of, losses: 0, shared: shared.clone() }
    }

    /// The event may follow the collection by some microseconds.
    fn status(ticket: &Ticket) -> Option<i32> {
        let end = clock::since_boot() + Duration::from_secs(20);
        loop {
            match ticket.status() {
                None if clock::since_boot() < end => rustix::thread::sched_yield(),
                told => return told,
            }
        }
    }

    #[test]
    fn only_the_ends_of_those_that_are_watched_come_through() {
        let Some(shared) = open() else { return };
        let (first, of_first) = sleeping();
        let (second, of_second) = sleeping();
        let tickets = [ticket(&shared, of_first), ticket(&shared, of_second)];
        end(first);
        assert_eq!(status(&tickets[0]), Some(9), "while the filter is wide");
        locked(&shared).tidy(clock::since_boot() + CALM);
        assert_eq!(locked(&shared).wide, None);
        let (other, _) = sleeping();
        end(other);
        end(second);
        // The first that waits to be read is that of the second, and no other's.
        let told = loop {
            let mut message = [0; 256];
            match recv(&locked(&shared).socket, &mut message, RecvFlags::DONTWAIT) {
                Ok(_) => break message,
                Err(_) => rustix::thread::sched_yield(),
            }
        };
        assert_eq!((number(&told, PID), number(&told, STATUS)), (Some(of_second.pid), Some(9)));
    }

    #[test]
    fn who_has_a_pid_after_another_is_not_taken_for_it() {
        let Some(shared) = open() else { return };
        let (child, of) = sleeping();
        let before = ticket(&shared, Identity { pid: of.pid, start: of.start - 1 });
        let now = ticket(&shared, of);
        end(child);
        assert_eq!(status(&now), Some(9));
        assert_eq!(before.status(), None);
        drop(before);
        assert!(locked(&shared).entry(of).is_some());
        drop(now);
        assert!(locked(&shared).watched.is_empty());
    }

    #[test]
    fn more_processes_than_fit_into_a_filter_leave_it_wide() {
        assert!(only(0..2000).is_some());
        assert!(only(0..4000).is_none());
        let Some(shared) = open() else { return };
        let of = |pid| Identity { pid: 5_000_000 + pid, start: 1 }; // above all that the kernel gives
        let tickets: Vec<Ticket> = (0..4000_u32).map(|pid| ticket(&shared, of(pid))).collect();
        locked(&shared).tidy(clock::since_boot() + CALM);
        assert!(locked(&shared).wide.is_some());
        let (child, of_child) = sleeping();
        let ticket = ticket(&shared, of_child);
        end(child);
        assert_eq!(status(&ticket), Some(9));
        drop(tickets);
        locked(&shared).tidy(clock::since_boot() + 3 * CALM);
        assert_eq!(locked(&shared).wide, None);
    }

    #[test]
    fn what_was_lost_is_known_to_be() {
        let Some(shared) = open() else { return };
        let (child, of) = sleeping();
        let ticket = ticket(&shared, of);
        assert!(!ticket.may_have_missed());
        rustix::net::sockopt::set_socket_recv_buffer_size(&locked(&shared).socket, 1).unwrap();
        let end_of_wait = clock::since_boot() + Duration::from_secs(20);
        while !ticket.may_have_missed() {
            assert!(clock::since_boot() < end_of_wait, "nothing was lost");
            for _ in 0..20 {
                Command::new("true").status().unwrap();
            }
            ticket.status();
        }
        end(child);
    }
}
