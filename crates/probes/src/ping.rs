//! A host that answers echo requests of ICMP (RFC 792) or ICMPv6 (RFC 4443). The first answer is enough.
//!
//! A socket for datagrams of ICMP needs no privilege where `net.ipv4.ping_group_range` lets our group have one; if it does
//! not, a raw socket is tried, which root may have, or who has CAP_NET_RAW.

mod packet;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use async_trait::async_trait;
use hinoban_probe::{Look, Probe, ProbeError};
use hinoban_reading::{Metric, Observation, ReasonKind, metrics};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SocketFlags, SocketType, bind, connect, ipproto, recv, socket_with,
};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout};

use crate::failure::{Failure, plain};
use crate::port::Family;
use crate::resolve::Resolver;
use packet::Packet;

/// What to ping, and how.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// A name, or an address without brackets.
    pub host: String,
    /// Which addresses of a name count. By default, any.
    pub family: Family,
    /// So many requests are sent to each address at most. By default, 3.
    pub count: u32,
    /// Bytes of each, behind the header of 8 bytes. By default, 64; at least 8.
    pub size: u16,
    /// The address of this host to send from. By default, the kernel takes one.
    pub source: Option<IpAddr>,
    /// Longest wait for the resolver, and for each answer. By default, 5 s.
    pub timeout: Duration,
}

impl Options {
    /// Three requests, with defaults for everything else.
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            family: Family::Any,
            count: 3,
            size: 64,
            source: None,
            timeout: Duration::from_secs(5),
        }
    }
}

/// Pings a host. See the [module](self).
#[derive(Debug)]
pub struct PingProbe {
    options: Options,
    resolver: Resolver,
    /// Of the next request: those of one probe differ from each other.
    sequence: u16,
}

#[async_trait]
impl Probe for PingProbe {
    async fn observe(&mut self, look: &Look) -> Result<Observation, ProbeError> {
        match self.attempt(look.wall()).await {
            Ok(time) => Ok(Observation::up().with(&metrics::RESPONSE_TIME, time.as_secs_f64())),
            Err(failure) => failure.observed(),
        }
    }

    fn metrics(&self) -> &[Metric] {
        const { &[metrics::RESPONSE_TIME] }
    }
}

impl PingProbe {
    /// A probe of this host. Nothing is opened yet.
    pub fn new(options: Options) -> Self {
        let resolver = Resolver::new(&options.host, 0);
        Self { resolver, options, sequence: 0 }
    }

    /// Every address, until one answers; how long that took.
    async fn attempt(&mut self, wall: Duration) -> Result<Duration, Failure> {
        let addresses = self.resolver.addresses(self.options.timeout).await?;
        let mut failure = None;
        for address in addresses {
            if !self.admits(address) {
                continue;
            }
            match self.ping(address, wall).await {
                Ok(time) => return Ok(time),
                Err(f) => failure = Some(f),
            }
        }
        Err(failure.unwrap_or_else(|| self.resolver.unresolved("")))
    }

    fn admits(&self, address: SocketAddr) -> bool {
        let source = self.options.source.is_none_or(|source| source.is_ipv4() == address.is_ipv4());
        source && self.options.family.admits(address.ip())
    }

    async fn ping(&mut self, address: SocketAddr, wall: Duration) -> Result<Duration, Failure> {
        let (socket, raw) = open(address, self.options.source)?;
        // The same calls serve a socket of ICMP.
        let socket = UdpSocket::from_std(std::net::UdpSocket::from(socket));
        let socket = socket.map_err(|e| Failure::of_socket(&e, "while opening a socket"))?;
        let mut last = None;
        for _ in 0..self.options.count {
            self.sequence = self.sequence.wrapping_add(1);
            let request =
                Packet { v6: address.is_ipv6(), sequence: self.sequence, token: wall.as_nanos() as u64 };
            match self.request(&socket, request, raw).await {
                Ok(time) => return Ok(time),
                Err(failure) => last = Some(failure),
            }
        }
        Err(last.unwrap_or_else(|| Failure::down(ReasonKind::TimedOut, "no request was sent")))
    }

    /// One request, and the time until its answer.
    async fn request(&self, socket: &UdpSocket, request: Packet, raw: bool) -> Result<Duration, Failure> {
        const WAITING: &str = "while waiting for the answer";
        let limit = self.options.timeout;
        let bytes = request.bytes(self.options.size);
        let mut answer = vec![0; bytes.len() + 64];
        let asked = async {
            // A new socket may send at once, but the runtime learns that only in its next round.
            socket.writable().await?;
            let begin = Instant::now();
            socket.send(&bytes).await?;
            loop {
                // Where it is there already, the runtime need not be asked: it may have much else to do.
                let length = match recv(socket, &mut answer[..], RecvFlags::DONTWAIT) {
                    Ok((length, _)) => length,
                    Err(Errno::AGAIN) => socket.recv(&mut answer).await?,
                    Err(error) => return Err(error.into()),
                };
                // Others may be somebody else's, or late.
                if request.is_answered_by(answer.get(..length).unwrap_or_default(), raw) {
                    return Ok(begin.elapsed());
                }
            }
        };
        let answered = timeout(limit, asked).await.map_err(|_| {
            Failure::down(ReasonKind::TimedOut, format!("no answer within {} s", limit.as_secs_f64()))
        })?;
        answered.map_err(|error: io::Error| Failure::of_socket(&error, WAITING))
    }
}

/// A socket to this address, and whether it is a raw one.
fn open(address: SocketAddr, source: Option<IpAddr>) -> Result<(OwnedFd, bool), Failure> {
    let (family, protocol) = match address {
        SocketAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP),
        SocketAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6),
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let open = |sort| socket_with(family, sort, flags, Some(protocol));
    let (socket, raw) = match open(SocketType::DGRAM) {
        Ok(socket) => (socket, false),
        Err(refused) => match open(SocketType::RAW) {
            Ok(socket) => (socket, true),
            Err(Errno::PERM | Errno::ACCESS) => {
                return Err(Failure::Unable(ProbeError::Denied(format!(
                    "no socket for pings may be opened ({}); let the group of this process have one (sysctl \
                     net.ipv4.ping_group_range), or give it CAP_NET_RAW, or run it as root",
                    plain(&refused.into())
                ))));
            }
            Err(error) => return Err(Failure::of_socket(&error.into(), "while opening a socket")),
        },
    };
    let begun = source.map_or(Ok(()), |source| bind(&socket, &SocketAddr::new(source, 0)));
    let begun = begun.and_then(|()| connect(&socket, &address));
    begun.map_err(|error| Failure::of_socket(&error.into(), "while sending"))?;
    Ok((socket, raw))
}
