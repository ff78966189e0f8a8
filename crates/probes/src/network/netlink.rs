//! What the kernel says of network interfaces, asked by RTNETLINK (rtnetlink(7)). It needs no privilege, and counters have
//! 64 bits.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, send, socket_with,
};

// linux/netlink.h, linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h
const ERROR: u16 = 2;
const DONE: u16 = 3;
const NEW_LINK: u16 = 16;
const GET_LINK: u16 = 18;
const NEW_ADDRESS: u16 = 20;
const GET_ADDRESS: u16 = 22;
const REQUEST: u16 = 1;
const DUMP: u16 = 0x300;
const HEADER: usize = 16;
/// Of `struct ifinfomsg`.
const LINK_HEADER: usize = 16;
/// Of `struct ifaddrmsg`.
const ADDRESS_HEADER: usize = 8;
const IFLA_IFNAME: u16 = 3;
const IFLA_OPERSTATE: u16 = 16;
const IFLA_STATS64: u16 = 23;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
/// Groups of changes: of interfaces, and of addresses of both kinds.
const CHANGES: u32 = 0x1 | 0x10 | 0x100;

/// An interface name has fewer bytes than this, the zero at its end included: `IFNAMSIZ`.
const NAME_ROOM: usize = 16;

/// One interface as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interface {
    /// Its number; another one if it was removed and made again.
    pub(super) index: u32,
    pub(super) name: String,
    /// As in RFC 2863: 0 unknown, 2 down, 6 up, and others between.
    pub(super) state: u8,
    /// Whether it is switched on (IFF_UP).
    pub(super) on: bool,
    pub(super) counters: Counters,
}

/// What went through an interface since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counters {
    pub(super) download: Way,
    pub(super) upload: Way,
}

/// The same in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Way {
    pub(super) bytes: u64,
    pub(super) packets: u64,
    pub(super) errors: u64,
    pub(super) dropped: u64,
}

/// The interface of this name; `None`: there is none.
///
/// # Errors
/// If the kernel could not be asked.
pub(super) fn by_name(name: &str) -> io::Result<Option<Interface>> {
    if name.is_empty() || name.len() >= NAME_ROOM || name.contains('\0') {
        return Ok(None);
    }
    let mut wanted = [0; LINK_HEADER + 4 + NAME_ROOM];
    let length = name.len() + 1;
    wanted[LINK_HEADER..LINK_HEADER + 2].copy_from_slice(&(4 + length as u16).to_ne_bytes());
    wanted[LINK_HEADER + 2..LINK_HEADER + 4].copy_from_slice(&IFLA_IFNAME.to_ne_bytes());
    wanted[LINK_HEADER + 4..LINK_HEADER + 4 + name.len()].copy_from_slice(name.as_bytes());
    link(&wanted[..LINK_HEADER + 4 + length.next_multiple_of(4)])
}

/// The interface that has this address; `None`: none has.
///
/// # Errors
/// If the kernel could not be asked.
pub(super) fn by_address(address: IpAddr) -> io::Result<Option<Interface>> {
    let mut index = None;
    let family = match address {
        IpAddr::V4(_) => AddressFamily::INET,
        IpAddr::V6(_) => AddressFamily::INET6,
    };
    let mut wanted = [0; ADDRESS_HEADER];
    wanted[0] = family.as_raw() as u8;
    ask(GET_ADDRESS, REQUEST | DUMP, &wanted, |kind, message| {
        if kind == NEW_ADDRESS && index.is_none() && has(message, address) {
            index = number(message, 4);
        }
    })?;
    let Some(index) = index else { return Ok(None) };
    let mut wanted = [0; LINK_HEADER];
    wanted[4..8].copy_from_slice(&index.to_ne_bytes());
    link(&wanted)
}

fn link(wanted: &[u8]) -> io::Result<Option<Interface>> {
    let mut found = None;
    let asked = ask(GET_LINK, REQUEST, wanted, |kind, message| {
        if kind == NEW_LINK {
            found = interface(message);
        }
    });
    match asked {
        Err(error) if error.raw_os_error() == Some(Errno::NODEV.raw_os_error()) => Ok(None),
        Err(error) => Err(error),
        Ok(()) if found.is_none() => Err(io::Error::other("the kernel's answer is not understood")),
        Ok(()) => Ok(found),
    }
}

/// A message of `struct ifinfomsg` and what follows it.
fn interface(message: &[u8]) -> Option<Interface> {
    let index = number(message, 4)?;
    let on = number(message, 8)? & 1 != 0;
    let (mut name, mut state, mut counters) = (None, 0, None);
    for (kind, value) in attributes(message.get(LINK_HEADER..)?) {
        match kind {
            IFLA_IFNAME => {
                name = std::str::from_utf8(value).ok().map(|name| name.trim_end_matches('\0').to_owned())
            }
            IFLA_OPERSTATE => state = *value.first()?,
            IFLA_STATS64 => counters = self::counters(value),
            _ => {}
        }
    }
    Some(Interface { index, name: name?, state, on, counters: counters? })
}

/// `struct rtnl_link_stats64`: packets, bytes, errors and dropped, each in and out.
fn counters(stats: &[u8]) -> Option<Counters> {
    let nth = |n: usize| Some(u64::from_ne_bytes(stats.get(8 * n..8 * n + 8)?.try_into().ok()?));
    let way = |first: usize| {
        let [packets, bytes, errors, dropped] = [0, 2, 4, 6].map(|n| nth(first + n));
        Some(Way { bytes: bytes?, packets: packets?, errors: errors?, dropped: dropped? })
    };
    Some(Counters { download: way(0)?, upload: way(1)? })
}

/// Whether a message of `struct ifaddrmsg` tells of this address. Of a wire between two, the address is that of the other
/// end, and ours stands beside it.
fn has(message: &[u8], address: IpAddr) -> bool {
    let mut own = None;
    for (kind, value) in attributes(message.get(ADDRESS_HEADER..).unwrap_or_default()) {
        if kind == IFA_LOCAL || kind == IFA_ADDRESS && own.is_none() {
            own = ip(value);
        }
    }
    own == Some(address)
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|four| IpAddr::V4(Ipv4Addr::from(four)));
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(|all| IpAddr::V6(Ipv6Addr::from(all)))).ok()
}

fn number(message: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(message.get(at..at + 4)?.try_into().ok()?))
}

/// `struct rtattr` and its value, one after the other, each at a multiple of four.
fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(rest.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(rest.get(2..4)?.try_into().ok()?);
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind & 0x3fff, value))
    })
}

/// One socket for all probes' questions, and room for the answers.
#[derive(Debug)]
struct Line {
    socket: OwnedFd,
    sequence: u32,
    room: Vec<u8>,
}

static LINE: Mutex<Option<Line>> = Mutex::new(None);

/// Asks, and gives each message of the answer. The kernel answers within the call that asks, so nothing here waits.
fn ask(kind: u16, flags: u16, wanted: &[u8], take: impl FnMut(u16, &[u8])) -> io::Result<()> {
    let mut line = LINE.lock().unwrap_or_else(PoisonError::into_inner);
    let open = match &mut *line {
        Some(open) => open,
        none => none.insert(Line { socket: socket()?, sequence: 0, room: vec![0; 32 << 10] }),
    };
    let asked = open.ask(kind, flags, wanted, take);
    let told = matches!(&asked, Err(error) if error.raw_os_error() == Some(Errno::NODEV.raw_os_error()));
    if asked.is_err() && !told {
        // What is left of the answer must not be taken for that of the next question.
        *line = None;
    }
    asked
}

impl Line {
    fn ask(
        &mut self,
        kind: u16,
        flags: u16,
        wanted: &[u8],
        mut take: impl FnMut(u16, &[u8]),
    ) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let length = (HEADER + wanted.len()) as u32;
        let mut request = Vec::with_capacity(HEADER + wanted.len());
        request.extend(length.to_ne_bytes());
        request.extend(kind.to_ne_bytes());
        request.extend(flags.to_ne_bytes());
        request.extend(self.sequence.to_ne_bytes());
        request.extend(0u32.to_ne_bytes());
        request.extend(wanted);
        send(&self.socket, &request, SendFlags::empty())?;
        loop {
            let (filled, all) =
                recv(&self.socket, &mut self.room[..], RecvFlags::DONTWAIT | RecvFlags::TRUNC)?;
            if all > filled {
                return Err(io::Error::other("the kernel's answer is too long"));
            }
            let mut rest = &self.room[..filled];
            while rest.len() >= HEADER {
                let length = number(rest, 0).unwrap_or(0) as usize;
                let Some(message) = rest.get(HEADER..length) else {
                    return Err(io::Error::other("the kernel's answer is cut short"));
                };
                let of = u16::from_ne_bytes([rest[4], rest[5]]);
                let multi = u16::from_ne_bytes([rest[6], rest[7]]) & 2 != 0;
                let ours = number(rest, 8) == Some(self.sequence);
                match of {
                    _ if !ours => {}
                    DONE => return Ok(()),
                    ERROR => {
                        let code = number(message, 0).unwrap_or(0) as i32;
                        return if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(-code)) };
                    }
                    of => {
                        take(of, message);
                        if !multi {
                            return Ok(());
                        }
                    }
                }
                rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            }
        }
    }
}

fn socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    // RTNETLINK is protocol 0, which is what no protocol stands for.
    Ok(socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?)
}

/// A descriptor that becomes readable when an interface or an address changes; `None` if it cannot be had. None of the last
/// descriptors is taken.
///
/// Each probe has one of its own: whoever takes out what it holds must not take it from the others.
pub(super) fn changes() -> Option<Arc<OwnedFd>> {
    let socket = socket().ok()?;
    bind(&socket, &SocketAddrNetlink::new(0, CHANGES)).ok()?;
    (!crate::proc::is_reserved(&socket)).then(|| Arc::new(socket))
}

/// Takes out what the socket holds: that something changed is all that is to be known. What comes later wakes again.
pub(super) fn drain(changes: &impl AsFd) {
    let mut some = [0; 4096];
    // An overflow (ENOBUFS) is told once, and says the same: something changed.
    for _ in 0..1024 {
        match recv(changes, &mut some, RecvFlags::DONTWAIT | RecvFlags::TRUNC) {
            Ok(_) | Err(Errno::NOBUFS | Errno::INTR) => {}
            Err(_) => break,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_has_a_loopback() {
        let lo = by_name("lo").unwrap().expect("lo");
        assert_eq!(lo.name, "lo");
        let again = by_address(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
        // A machine may have it down, and then it has no address.
        assert!(again.is_none_or(|found| found.index == lo.index));
        assert_eq!(by_name("no-such-link").unwrap(), None);
        assert_eq!(by_name("a-name-that-is-far-too-long").unwrap(), None);
        assert_eq!(by_name("").unwrap(), None);
        assert_eq!(by_address(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))).unwrap(), None, "RFC 5737: nobody's");
    }

    #[test]
    fn what_is_cut_short_is_no_answer() {
        assert_eq!(interface(&[0; 10]), None);
        assert_eq!(counters(&[0; 63]), None);
        let mut stats = [0; 64];
        (0..8u64).for_each(|n| stats[8 * n as usize..][..8].copy_from_slice(&n.to_ne_bytes()));
        let Counters { download, upload } = counters(&stats).unwrap();
        assert_eq!(download, Way { packets: 0, bytes: 2, errors: 4, dropped: 6 });
        assert_eq!(upload, Way { packets: 1, bytes: 3, errors: 5, dropped: 7 });
        assert_eq!(attributes(&[3, 0, 1, 0]).count(), 0, "shorter than its own header");
        assert_eq!(attributes(&[200, 0, 1, 0, 9]).count(), 0, "longer than what is there");
        let two =
            [5u16.to_ne_bytes(), 7u16.to_ne_bytes(), [9, 0], [0, 0], 4u16.to_ne_bytes(), 8u16.to_ne_bytes()]
                .concat();
        assert_eq!(attributes(&two).collect::<Vec<_>>(), [(7, &[9][..]), (8, &[][..])]);
    }

    #[test]
    fn of_a_wire_between_two_ours_is_the_local_end() {
        let mut message = vec![0; ADDRESS_HEADER];
        for (kind, last) in [(IFA_ADDRESS, 2), (IFA_LOCAL, 1)] {
            message.extend(8u16.to_ne_bytes());
            message.extend(kind.to_ne_bytes());
            message.extend([10, 0, 0, last]);
        }
        assert!(has(&message, "10.0.0.1".parse().unwrap()));
        assert!(!has(&message, "10.0.0.2".parse().unwrap()));
        assert!(
            has(&message[..ADDRESS_HEADER + 8], "10.0.0.2".parse().unwrap()),
            "without a local end it is ours"
        );
    }
}
