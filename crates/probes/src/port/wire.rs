//! Sockets of both kinds as streams.

use std::future::{Future, pending, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpSocket, TcpStream, UdpSocket, UnixDatagram};

/// Connects over TCP, from this address of ours if one is given.
pub(crate) async fn stream(address: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let Some(source) = source else { return TcpStream::connect(address).await };
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.bind(SocketAddr::new(source, 0))?;
    socket.connect(address).await
}

/// A socket whose datagrams go there and come from there.
pub(crate) async fn datagrams(address: SocketAddr, source: Option<IpAddr>) -> io::Result<UdpSocket> {
    let any: IpAddr = match address {
        SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind(SocketAddr::new(source.unwrap_or(any), 0)).await?;
    socket.connect(address).await?;
    Ok(socket)
}

/// What comes of `talk`, unless the kernel is told before that nobody takes what was sent: a reader would not be woken by
/// that.
pub(crate) async fn unless_refused<T>(
    socket: &UdpSocket,
    talk: impl Future<Output = T>,
    refused: impl FnOnce(io::Error) -> T,
) -> T {
    let mut talk = pin!(talk);
    let mut told = pin!(async {
        let Ok(_) = socket.ready(Interest::ERROR).await else { return pending().await };
        match socket.take_error() {
            Ok(Some(error)) | Err(error) => error,
            // Whoever talks has it.
            Ok(None) => pending().await,
        }
    });
    let mut refused = Some(refused);
    poll_fn(|cx| {
        if let Poll::Ready(done) = talk.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        match told.as_mut().poll(cx) {
            Poll::Ready(error) => refused.take().map_or(Poll::Pending, |refused| Poll::Ready(refused(error))),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Datagrams as a stream: each read and each write is one of them.
#[derive(Debug)]
pub(crate) struct Datagrams<T>(pub(crate) T);

/// A connected socket for datagrams.
pub(crate) trait Connected {
    fn poll_take(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>>;
    fn poll_give(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;
}

impl Connected for &UdpSocket {
    fn poll_take(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_recv(cx, buffer)
    }
    fn poll_give(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(cx, bytes)
    }
}

impl Connected for UnixDatagram {
    fn poll_take(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_recv(cx, buffer)
    }
    fn poll_give(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(cx, bytes)
    }
}

impl<T: Connected + Unpin> AsyncRead for Datagrams<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        loop {
            ready!(self.0.poll_take(cx, buffer))?;
            // An empty datagram is no end of anything.
            if buffer.filled().len() > before || buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<T: Connected + Unpin> AsyncWrite for Datagrams<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_give(cx, bytes)
    }
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
