//! A server behind a unix socket: connect, have a short conversation.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use hinoban_probe::{Look, Probe, ProbeError};
use hinoban_protocols::http;
use hinoban_reading::{Metric, Observation, ReasonKind, metrics};
use rustix::io::Errno;
use tokio::net::{UnixDatagram, UnixStream};
use tokio::time::{Instant, timeout};

use crate::elsewhere::Elsewhere;
use crate::failure::{Failure, plain};
use crate::mounts::{Place, Remembered};
use crate::port::conversation::{Conversation, Setting};
use crate::port::wire::Datagrams;
use crate::port::{Protocol, Transport};

/// What to test, and how.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Path of the socket.
    pub path: PathBuf,
    /// [`Transport::Tcp`]: a stream; [`Transport::Udp`]: datagrams. By default, a stream.
    pub transport: Transport,
    /// What to say once connected. By default, nothing: being able to connect is enough.
    pub protocol: Protocol,
    /// Longest wait for connecting and for the conversation. By default, 5 s.
    pub timeout: Duration,
    /// How often one look tries before it reports a failure, at least once. By default, 1.
    pub attempts: u32,
}

impl Options {
    /// Connecting to this socket, with defaults for everything else.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            transport: Transport::Tcp,
            protocol: Protocol::Default,
            timeout: Duration::from_secs(5),
            attempts: 1,
        }
    }
}

/// Tests a unix socket. See the [module](self).
#[derive(Debug)]
pub struct UnixProbe {
    options: Options,
    conversation: Conversation,
    place: Remembered,
    /// For paths behind a network, where even to walk to the socket may take for ever.
    elsewhere: Elsewhere<io::Result<OwnedFd>>,
}

impl UnixProbe {
    /// A probe of this socket. Nothing is opened yet.
    ///
    /// # Errors
    /// A request of HTTP that cannot be written.
    pub fn new(options: Options) -> Result<Self, http::Invalid> {
        let conversation = Conversation::new(&options.protocol, "localhost".to_owned())?;
        let (place, elsewhere) = (Remembered::default(), Elsewhere::default());
        Ok(Self { options, conversation, place, elsewhere })
    }

    async fn attempt(&mut self, look: &Look, status: &mut Option<u16>) -> Result<(), Failure> {
        let Options { transport, timeout: limit, .. } = self.options;
        let datagrams = transport == Transport::Udp;
        let setting = Setting { limit, wall: look.wall(), datagrams, begun: false };
        if self.place.place_of(&self.options.path) == Place::Remote {
            let path = self.options.path.clone();
            let gate = self.place.gate();
            let connected = self.elsewhere.ask(&gate, look, move || far(&path, datagrams)).await;
            let fd = connected.map_err(Failure::Unable)?.map_err(|error| self.unreached(&error))?;
            if datagrams {
                let socket = UnixDatagram::from_std(fd.into()).map_err(|error| self.unreached(&error))?;
                return self.send(socket, setting, status).await;
            }
            let mut stream = UnixStream::from_std(fd.into()).map_err(|error| self.unreached(&error))?;
            return self.conversation.hold(&mut stream, setting, status).await;
        }
        if datagrams {
            let connected = UnixDatagram::unbound().and_then(|socket| {
                socket.connect(&self.options.path)?;
                Ok(socket)
            });
            let socket = connected.map_err(|error| self.unreached(&error))?;
            return self.send(socket, setting, status).await;
        }
        let mut stream = timeout(limit, UnixStream::connect(&self.options.path))
            .await
            .map_err(|_| Failure::timed_out("while connecting", limit))?
            .map_err(|error| self.unreached(&error))?;
        self.conversation.hold(&mut stream, setting, status).await
    }

    /// Nobody can refuse later what was connected here, so nothing is sent that nobody asked for.
    async fn send(
        &self,
        socket: UnixDatagram,
        setting: Setting,
        status: &mut Option<u16>,
    ) -> Result<(), Failure> {
        match self.conversation {
            Conversation::None => Ok(()),
            _ => self.conversation.hold(&mut Datagrams(socket), setting, status).await,
        }
    }

    /// Why nobody could be connected to.
    fn unreached(&self, error: &io::Error) -> Failure {
        let path = self.options.path.display();
        match Errno::from_io_error(error) {
            Some(Errno::NOENT | Errno::NOTDIR | Errno::PROTOTYPE | Errno::NOTSOCK | Errno::LOOP) => {
                Failure::down(ReasonKind::Refused, format!("{} -- {path}", plain(error)))
            }
            Some(Errno::ACCESS | Errno::PERM) => Failure::Unable(ProbeError::Denied(format!(
                "{path} may not be connected to ({}); run this as root, or as a user who may write to it",
                plain(error)
            ))),
            // The queue of those who wait is full: nobody takes them.
            Some(Errno::AGAIN) => {
                Failure::down(ReasonKind::TimedOut, format!("nobody accepts connections at {path}"))
            }
            _ => Failure::of_socket(error, "while connecting"),
        }
    }
}

/// Connects on a thread of its own.
fn far(path: &Path, datagrams: bool) -> io::Result<OwnedFd> {
    if datagrams {
        let socket = net::UnixDatagram::unbound()?;
        socket.connect(path)?;
        socket.set_nonblocking(true)?;
        return Ok(socket.into());
    }
    let stream = net::UnixStream::connect(path)?;
    stream.set_nonblocking(true)?;
    Ok(stream.into())
}

#[async_trait]
impl Probe for UnixProbe {
    async fn observe(&mut self, look: &Look) -> Result<Observation, ProbeError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let begin = Instant::now();
            let mut status = None;
            let mut seen = match self.attempt(look, &mut status).await {
                Ok(()) => Observation::up().with(&metrics::RESPONSE_TIME, begin.elapsed().as_secs_f64()),
                Err(Failure::Down(_)) if attempt < self.options.attempts => continue,
                Err(failure) => failure.observed()?,
            };
            if let Some(code) = status {
                seen.push(&metrics::HTTP_STATUS, u32::from(code));
            }
            return Ok(seen);
        }
    }

    fn metrics(&self) -> &[Metric] {
        const METRICS: &[Metric] = &[metrics::RESPONSE_TIME, metrics::HTTP_STATUS];
        if self.conversation.is_http() { METRICS } else { &METRICS[..1] }
    }
}
