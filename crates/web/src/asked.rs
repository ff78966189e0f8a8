//! From bytes to a request that may be answered: who asks, with which parameters, and whether he may.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Method, Request, StatusCode, header};

use crate::form::{self, Form};
use crate::reply::Refusal;
use crate::{Denial, Options, access, basic, origin};

/// Time for the body of a request to arrive.
const BODY: Duration = Duration::from_secs(5);

/// Where a request came in.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    /// Address of the client; `None` on a unix socket.
    pub(crate) peer: Option<SocketAddr>,
    /// Our own end of the connection; `None` on a unix socket.
    pub(crate) local: Option<SocketAddr>,
    /// Whether nothing can be commanded through this socket.
    pub(crate) read_only: bool,
}

/// A request that has passed access control.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) gate: Gate,
    /// Who logged in.
    pub(crate) user: Option<String>,
    /// Whether he may command.
    pub(crate) may_act: bool,
    /// Decoded path, with its leading slash.
    pub(crate) path: String,
    /// Parameters: those of the body of a POST, else those of the query.
    pub(crate) form: Form,
    /// Token of the answer.
    pub(crate) token: String,
    pub(crate) posted: bool,
    /// Whether the client says that it takes JSON.
    pub(crate) takes_json: bool,
}

impl Asked {
    /// Who asks, for the log.
    pub(crate) fn by(&self) -> String {
        let place =
            self.gate.peer.map_or("the local socket".to_owned(), |peer| peer.ip().to_canonical().to_string());
        match &self.user {
            Some(user) => format!("{user} from {place}"),
            None => place,
        }
    }

    /// Refuses whoever may only look.
    pub(crate) fn must_act(&self) -> Result<(), Refusal> {
        if self.may_act {
            return Ok(());
        }
        Err(Refusal::new(StatusCode::FORBIDDEN, "You do not have sufficient privileges to access this page"))
    }
}

/// Reads a request and checks it: form, whether it is for us (by `names`), log-in, then for a POST where it is from and
/// its token. `longest` finds the size of body that makes
/// sense here; it is asked for a POST of somebody who has logged in only.
pub(crate) async fn admit<B>(
    request: Request<B>,
    gate: Gate,
    options: &Options,
    names: &[String],
    longest: impl Future<Output = usize>,
    token: String,
) -> Result<Asked, Refusal>
where
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    /// Path and query, leading slash included.
    const LONGEST_TARGET: usize = 511;

    let (parts, body) = request.into_parts();
    if parts.uri.path_and_query().is_some_and(|target| target.as_str().len() > LONGEST_TARGET) {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "[error] URL too long"));
    }
    if options.without_users() && gate.peer.is_some() && origin::for_another(&parts.headers, names) {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "Without users this server answers only to its own name: open it by its address, or add a user or the \
             name to listen at to its configuration",
        ));
    }
    let (user, read_only) = match options.without_users() {
        true => (None, false),
        false => {
            let sent = parts.headers.get(header::AUTHORIZATION).and_then(|v| basic::login(v.as_bytes()));
            let (name, password) = sent.ok_or_else(|| Refusal::log_in(None))?;
            let user = access::user(&options.users, &name, &password).filter(|_| !password.is_empty());
            let user = user.ok_or_else(|| {
                let known = access::is_known(&options.users, &name);
                Refusal::log_in(Some(if known {
                    Denial::WrongPassword(name)
                } else {
                    Denial::UnknownUser(name)
                }))
            })?;
            (Some(user.name.clone()), user.read_only)
        }
    };
    let posted = match parts.method {
        Method::GET => false,
        Method::POST => true,
        _ => return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "Method not implemented")),
    };
    if posted && origin::foreign(&parts.headers) {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "This was sent by a page of another site; use this server's own pages, and let a proxy before it pass on \
             the field Host",
        ));
    }
    let form = if posted {
        let read = tokio::time::timeout(BODY, to_bytes(Body::new(body), longest.await)).await;
        let read = read.map_err(|_| {
            Refusal::new(StatusCode::REQUEST_TIMEOUT, "The request was not complete within 5 s")
        })?;
        let unreadable = |_| Refusal::new(StatusCode::BAD_REQUEST, "Cannot parse Request parameters");
        Form::parse(read.map_err(unreadable)?.trim_ascii_end())
    } else {
        Form::parse(parts.uri.query().unwrap_or_default().as_bytes())
    };
    let cookies = parts.headers.get_all(header::COOKIE).iter().map(|line| line.as_bytes());
    if posted && !access::meant(cookies, form.get("securitytoken")) {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "Invalid CSRF Token"));
    }
    let accepted = parts.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    Ok(Asked {
        takes_json: accepted.is_some_and(|accepted| accepted.contains("application/json")),
        may_act: !read_only && !gate.read_only,
        path: form::decode(parts.uri.path().as_bytes(), false),
        gate,
        user,
        form,
        token,
        posted,
    })
}
