//! Accepting connections, and one task for each.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode, Uri, header};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::asked::{Gate, admit};
use crate::listen::{Socket, open};
use crate::monit::{About, Address, Platform};
use crate::network::Networks;
use crate::refused::Refusals;
use crate::reply::{Form, Refusal, dress};
use crate::routes::{Site, longest_body, router};
use crate::{Backend, Denial, Listener, Options, Peer, Refused, access, form, origin};

/// Connections served at once, for each socket: a crowd at one leaves the others alone.
const CONNECTIONS: usize = 64;
/// Time for a request's header to arrive.
const HEADER: Duration = Duration::from_secs(5);
/// Time for all of a connection.
const CONNECTION: Duration = Duration::from_secs(30);
/// Size of a request's header.
const HEADER_BYTES: usize = 64 * 1024;
/// Time between attempts to bind an address that is in use.
const AGAIN: Duration = Duration::from_secs(2);

/// A server, listening. See [`Web::run`].
#[derive(Debug)]
pub struct Web<B> {
    site: Arc<Site<B>>,
    networks: Networks,
    refusals: Refusals,
    /// Sockets that listen, and whether they serve reading only.
    open: Vec<(Socket, bool)>,
    /// Listeners that could not be bound, but may be later.
    waiting: Vec<Listener>,
}

impl<B: Backend> Web<B> {
    /// Opens the sockets of `options`, to serve what `backend` knows.
    ///
    /// The second part tells, one sentence each, what will not work: addresses that cannot be bound, names that cannot
    /// be resolved. The rest works without. Takes at most some seconds, if names have to be resolved.
    pub async fn bind(options: Options, backend: B) -> (Self, Vec<String>) {
        let (networks, mut problems) = Networks::resolve(&options.hosts).await;
        let (mut open_now, mut waiting) = (Vec::new(), Vec::new());
        for listener in &options.listen {
            let tcp = matches!(listener, Listener::Tcp { .. });
            if tcp && options.without_users() && options.hosts.is_empty() {
                problems.push(format!(
                    "not listening at {listener}: no connections are allowed; allow a host or a user with a password"
                ));
                continue;
            }
            match open(listener).await {
                Ok(sockets) => open_now.extend(sockets.into_iter().map(|s| (s, read_only(listener)))),
                Err(why) if may_pass(listener, &why) => {
                    problems.push(format!("cannot listen at {listener}: {}; trying again every 2 s", plain(&why)));
                    waiting.push(listener.clone());
                }
                Err(why) => problems.push(format!(
                    "cannot listen at {listener}: {}; going on without it until the configuration is reloaded",
                    plain(&why)
                )),
            }
        }
        let about = About {
            version: options.version.clone(),
            banner: options.banner.clone(),
            as_monit: options.as_monit,
            id: options.id.clone(),
            control_file: options.control_file.clone(),
            address: shown(&options.listen),
            platform: Platform::here(),
            zone: options.zone.clone().unwrap_or_else(jiff::tz::TimeZone::system),
        };
        let site = Arc::new(Site { backend, options, about });
        (Self { site, networks, refusals: Refusals::default(), open: open_now, waiting }, problems)
    }

    /// Tells `listener` who is turned away: the first ones of each client in a minute, and how many more there were.
    /// It is called while a client waits, and must not wait for anything itself. By default, nobody is told.
    pub fn on_refusal(mut self, listener: impl Fn(&Refused) + Send + Sync + 'static) -> Self {
        self.refusals.tell(Box::new(listener));
        self
    }

    /// Addresses of the TCP sockets that listen now.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let tcp = |(socket, _): &(Socket, bool)| match socket {
            Socket::Tcp(socket) => socket.local_addr().ok(),
            Socket::Unix(..) => None,
        };
        self.open.iter().filter_map(tcp).collect()
    }

    /// Serves, and goes on trying to bind what could not be bound. Never ends; when it is dropped, all connections end,
    /// all sockets are closed and the files of unix sockets are removed.
    pub async fn run(self) {
        let router = router(self.site.clone());
        let names = origin::names(&self.site.options);
        let (networks, refusals) = (self.networks, self.refusals);
        let host = Arc::new(Host { site: self.site, router, networks, names, refusals });
        let mut tasks = JoinSet::new();
        let counting = host.clone();
        tasks.spawn(async move { counting.refusals.sum_up().await });
        for (socket, read_only) in self.open {
            tasks.spawn(accept(host.clone(), socket, read_only));
        }
        for listener in self.waiting {
            tasks.spawn(wait(host.clone(), listener));
        }
        while tasks.join_next().await.is_some() {}
        // Nothing to listen at is no reason to end whoever runs us.
        std::future::pending().await
    }
}

/// What a connection needs.
#[derive(Debug)]
struct Host<B> {
    site: Arc<Site<B>>,
    router: Router,
    networks: Networks,
    /// Names of ours.
    names: Vec<String>,
    refusals: Refusals,
}

/// One of the connections that are served at once. Who has to wait gives it back before the end.
type Place = Arc<Mutex<Option<OwnedSemaphorePermit>>>;

/// Binds `listener` as soon as that is possible, then serves it.
async fn wait<B: Backend>(host: Arc<Host<B>>, listener: Listener) {
    let sockets = loop {
        tokio::time::sleep(AGAIN).await;
        match open(&listener).await {
            Ok(sockets) => break sockets,
            Err(why) if may_pass(&listener, &why) => (),
            Err(_) => return,
        }
    };
    let mut tasks = JoinSet::new();
    for socket in sockets {
        tasks.spawn(accept(host.clone(), socket, read_only(&listener)));
    }
    while tasks.join_next().await.is_some() {}
}

async fn accept<B: Backend>(host: Arc<Host<B>>, socket: Socket, read_only: bool) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut tasks = JoinSet::new();
    loop {
        while tasks.try_join_next().is_some() {}
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let accepted = match &socket {
            Socket::Tcp(socket) => socket.accept().await.map(|(stream, peer)| {
                if !host.networks.admit(peer.ip()) {
                    host.refusals.note(Some(peer.ip()).into(), Denial::Address);
                    // Reset, before a word of HTTP: who is not on the list learns nothing.
                    let _ = stream.set_zero_linger();
                    return;
                }
                let gate = Gate { peer: Some(peer), local: stream.local_addr().ok(), read_only };
                tasks.spawn(serve(host.clone(), stream, gate, place));
            }),
            Socket::Unix(socket, _) => socket.accept().await.map(|(stream, _)| {
                tasks.spawn(serve(host.clone(), stream, Gate { peer: None, local: None, read_only }, place));
            }),
        };
        if accepted.is_err() {
            // Out of descriptors, most likely; they come back as connections end.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn serve<B: Backend, S>(host: Arc<Host<B>>, stream: S, gate: Gate, place: OwnedSemaphorePermit)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let place: Place = Arc::new(Mutex::new(Some(place)));
    let service = service_fn(|request| answer(host.clone(), gate.clone(), place.clone(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER)
        .max_buf_size(HEADER_BYTES)
        .keep_alive(false)
        .half_close(true)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service);
    // How a connection fails is its client's affair: it sees the answer, or that there is none.
    let _ = tokio::time::timeout(CONNECTION, connection).await;
}

async fn answer<B: Backend>(
    host: Arc<Host<B>>,
    gate: Gate,
    place: Place,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let version = host.site.options.signature();
    let form = Form::of(request.uri().path());
    let cookies = request.headers().get_all(header::COOKIE).iter().map(|line| line.as_bytes());
    let Some(token) = access::kept(cookies).or_else(|| access::token().ok()) else {
        return Ok(dress(Refusal::ended().into_response(), version, "", None, form));
    };
    let client = Peer::from(gate.peer.map(|peer| peer.ip()));
    let (longest, options) = (longest_body(&host.site), &host.site.options);
    let (response, posted) = match admit(request, gate, options, &host.names, longest, token.clone()).await {
        Err(refusal) => (refusal.into_response(), None),
        Ok(asked) => {
            let asked = Arc::new(asked);
            // A page that exists, rather than the path of an action, which has none.
            let there = if asked.path.eq_ignore_ascii_case("/_doaction") { "/" } else { asked.path.as_str() };
            let posted = asked.posted.then(|| form::encode(there, "/"));
            let mut inner = Request::new(Body::empty());
            *inner.method_mut() = if asked.posted { Method::POST } else { Method::GET };
            *inner.uri_mut() = route(&asked.path);
            inner.extensions_mut().insert(asked);
            let Ok(response) = TowerToHyperService::new(host.router.clone()).call(inner).await;
            (response, posted)
        }
    };
    if let Some(denial) = response.extensions().get::<Refusal>().and_then(|refusal| refusal.denial.clone()) {
        host.refusals.note(client, denial);
        if response.status() == StatusCode::UNAUTHORIZED {
            let leave = || drop(place.lock().unwrap_or_else(PoisonError::into_inner).take());
            host.refusals.pause(client, leave).await;
        }
    }
    Ok(dress(response, version, &token, posted.as_deref(), form))
}

/// The path as the router knows it: without case, if it is one of Monit's own.
fn route(path: &str) -> Uri {
    let path = if path.starts_with("/_") { path.to_lowercase() } else { path.to_owned() };
    form::encode(&path, "/").parse().unwrap_or(Uri::from_static("/"))
}

/// Whether it may be possible later. A folder becomes writable, a file goes away.
fn may_pass(listener: &Listener, why: &io::Error) -> bool {
    let passes = matches!(why.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable);
    passes || matches!(listener, Listener::Unix { .. })
}

fn plain(why: &io::Error) -> String {
    match why.kind() {
        io::ErrorKind::AddrInUse => "another program listens there".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine does not have the address".to_owned(),
        io::ErrorKind::PermissionDenied => "we are not permitted to".to_owned(),
        _ => why.to_string(),
    }
}

fn read_only(listener: &Listener) -> bool {
    match listener {
        Listener::Tcp { read_only, .. } | Listener::Unix { read_only, .. } => *read_only,
    }
}

/// The address that documents show: the TCP one if there is one. Empty, if it is all addresses.
fn shown(listen: &[Listener]) -> Option<Address> {
    let tcp = listen.iter().find_map(|listener| match listener {
        Listener::Tcp { address, port, .. } => {
            Some(Address::Tcp { address: address.clone().unwrap_or_default(), port: *port })
        }
        Listener::Unix { .. } => None,
    });
    tcp.or_else(|| {
        listen.iter().find_map(|listener| match listener {
            Listener::Unix { path, .. } => Some(Address::Unix(path.clone())),
            Listener::Tcp { .. } => None,
        })
    })
}
