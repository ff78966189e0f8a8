//! Opening sockets to listen at.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, UnixListener, UnixSocket, UnixStream};

use crate::Listener;

const BACKLOG: u32 = 128;
/// Time for the name of our own address to be resolved.
const RESOLVING: Duration = Duration::from_secs(5);

/// A socket that listens.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, #[allow(dead_code)] Trace),
}

/// The file of a unix socket; removed with its socket, if it is still the same.
#[derive(Debug)]
pub(crate) struct Trace {
    path: PathBuf,
    file: (u64, u64),
}

impl Drop for Trace {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|now| (now.dev(), now.ino()) == self.file) {
            // That it cannot be removed harms nobody: whoever listens there next replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Opens all sockets of `listener`: for a TCP port there may be one of each family.
///
/// # Errors
/// Of bind(2) and what comes before and after it. [`io::ErrorKind::AddrInUse`] and
/// [`io::ErrorKind::AddrNotAvailable`] may pass.
pub(crate) async fn open(listener: &Listener) -> io::Result<Vec<Socket>> {
    match listener {
        Listener::Tcp { address: Some(address), port, .. } => {
            let found =
                tokio::time::timeout(RESOLVING, tokio::net::lookup_host((address.as_str(), *port))).await;
            let found = found.map_err(|_| io::Error::other("the name was not resolved within 5 s"))??;
            let mut sockets = Vec::new();
            let mut seen = Vec::new();
            for at in found {
                if !seen.contains(&at) {
                    seen.push(at);
                    sockets.push(Socket::Tcp(tcp(at)?));
                }
            }
            Ok(sockets)
        }
        Listener::Tcp { address: None, port, .. } => {
            let v4 = tcp((IpAddr::V4(Ipv4Addr::UNSPECIFIED), *port).into())?;
            let port = v4.local_addr()?.port();
            let mut sockets = vec![Socket::Tcp(v4)];
            match tcp((IpAddr::V6(Ipv6Addr::UNSPECIFIED), port).into()) {
                Ok(v6) => sockets.push(Socket::Tcp(v6)),
                // Machines without IPv6 are served over IPv4 alone.
                Err(why) if matches!(why.raw_os_error(), Some(EAFNOSUPPORT | EADDRNOTAVAIL)) => (),
                Err(why) => return Err(why),
            }
            Ok(sockets)
        }
        Listener::Unix { path, mode, uid, gid, .. } => Ok(vec![unix(path, *mode, *uid, *gid).await?]),
    }
}

const EAFNOSUPPORT: i32 = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
const EADDRNOTAVAIL: i32 = rustix::io::Errno::ADDRNOTAVAIL.raw_os_error();

fn tcp(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = if at.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    if at.is_ipv6() {
        // IPv4 has a socket of its own.
        rustix::net::sockopt::set_ipv6_v6only(&socket, true)?;
    }
    socket.bind(at)?;
    socket.listen(BACKLOG)
}

async fn unix(path: &Path, mode: Option<u32>, uid: Option<u32>, gid: Option<u32>) -> io::Result<Socket> {
    if let Ok(there) = fs::symlink_metadata(path) {
        if !there.file_type().is_socket() {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "there is something else than a socket; remove it or choose another path",
            ));
        }
        match UnixStream::connect(path).await {
            // Nobody listens any more: what a killed server left.
            Err(why) if why.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path)?,
            _ => return Err(io::ErrorKind::AddrInUse.into()),
        }
    }
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    let made = fs::symlink_metadata(path)?;
    let trace = Trace { path: path.to_owned(), file: (made.dev(), made.ino()) };
    // Nobody can connect before listen(2), so nobody slips in before the mode is set.
    if let Some(mode) = mode {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    if uid.is_some() || gid.is_some() {
        chown(path, uid, gid)?;
    }
    Ok(Socket::Unix(socket.listen(BACKLOG)?, trace))
}
