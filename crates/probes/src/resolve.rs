//! From a name to addresses, without holding up the runtime.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use hinoban_probe::ProbeError;
use hinoban_reading::ReasonKind;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::failure::Failure;

/// A host, asked for its addresses whenever they are needed.
#[derive(Debug)]
pub(crate) struct Resolver {
    host: String,
    /// 0: no port is spoken of.
    port: u16,
    address: Option<IpAddr>,
    /// A name look-up that has not come back yet, perhaps from an earlier look.
    resolving: Option<JoinHandle<io::Result<Vec<SocketAddr>>>>,
}

impl Resolver {
    /// Of a name, or of an address with or without brackets.
    pub(crate) fn new(host: &str, port: u16) -> Self {
        Self { host: host.to_owned(), port, address: bare(host).parse().ok(), resolving: None }
    }

    /// All addresses, in the order of the resolver. It may take `limit`.
    pub(crate) async fn addresses(&mut self, limit: Duration) -> Result<Vec<SocketAddr>, Failure> {
        match self.address {
            Some(address) => Ok(vec![SocketAddr::new(address, self.port)]),
            None => self.resolve(limit).await,
        }
    }

    /// That there is no address, or none that is wanted.
    pub(crate) fn unresolved(&self, why: &str) -> Failure {
        let place = match self.port {
            0 => format!("[{}]", self.host),
            port => format!("[{}]:{port}", self.host),
        };
        Failure::down(ReasonKind::Unresolved, format!("Cannot resolve {place}{why}"))
    }

    /// Asks the resolver, on a thread of its own: getaddrinfo(3) blocks, and knows nothing of deadlines. A question that
    /// outlived its look is waited for again, so that a dead resolver costs one thread and not one for each look.
    async fn resolve(&mut self, limit: Duration) -> Result<Vec<SocketAddr>, Failure> {
        // One that came back after its look was over tells of the past.
        self.resolving.take_if(|resolving| resolving.is_finished());
        let resolving = self.resolving.get_or_insert_with(|| {
            let (host, port) = (self.host.clone(), self.port);
            tokio::task::spawn_blocking(move || Ok((host.as_str(), port).to_socket_addrs()?.collect()))
        });
        let Ok(answer) = timeout(limit, resolving).await else {
            let why = format!(" -- no answer from the resolver within {} s", limit.as_secs_f64());
            return Err(self.unresolved(&why));
        };
        self.resolving = None;
        match answer {
            Ok(Ok(addresses)) => Ok(addresses),
            Ok(Err(_)) => Err(self.unresolved("")),
            Err(e) => {
                Err(Failure::Unable(ProbeError::Failed(format!("the name look-up was cut short: {e}"))))
            }
        }
    }
}

/// An address without the brackets that it may stand in.
pub(crate) fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host)
}
