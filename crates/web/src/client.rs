//! The command line's side: asks a server of Monit's dialect, a real Monit included.
//!
//! Blocking, for a program that has nothing else to do. Nothing is printed: answers come back as text, as the server
//! drew it; [`plain`] takes colours and boxes out.

mod answer;
mod groups;
mod standing;

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use hinoban_event::Doing;

use crate::{access, basic, form};

pub use answer::plain;
pub use standing::Standing;

/// Time for connecting, and for each piece of the answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// No answer is longer: a status of some hundred thousand services.
const LONGEST: u64 = 256 * 1024 * 1024;

/// Asks one server. Its `Debug` form hides the password.
#[derive(Clone)]
pub struct Client {
    /// Where the server is.
    pub target: Target,
    /// User name and password, if the server wants any.
    pub credentials: Option<(String, String)>,
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// At a TCP port.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// At a unix socket.
    Unix(PathBuf),
}

/// What a status is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Text for people.
    #[default]
    Text,
    /// Monit's XML, version 1.
    Xml,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No connection.
    #[error("cannot connect to {target}: {source}; see whether the daemon is running and listens there")]
    Connect {
        /// Where.
        target: Target,
        /// Why.
        source: io::Error,
    },
    /// The connection broke, or the answer took longer than 30 s.
    #[error("no answer from {target}: {source}")]
    Broken {
        /// From where.
        target: Target,
        /// Why.
        source: io::Error,
    },
    /// The answer is not HTTP.
    #[error("{target} does not answer in HTTP; see whether another program listens there")]
    Garbled {
        /// What was asked.
        target: Target,
    },
    /// The server refused. The text is the server's: `There is no service named "x"`.
    #[error("{message}")]
    Refused {
        /// Status code of HTTP.
        status: u16,
        /// Why.
        message: String,
    },
    /// The kernel gave no random bytes for a token.
    #[error("no random bytes from the kernel: {0}")]
    Random(io::Error),
}

impl Client {
    /// A client that does not log in.
    pub fn new(target: Target) -> Self {
        Self { target, credentials: None }
    }

    /// Services at length. No names and no group: all of them.
    ///
    /// # Errors
    /// [`ClientError::Refused`] for a name or group that the server does not know; others if there is no answer.
    pub fn status(
        &self,
        names: &[String],
        group: Option<&str>,
        format: Format,
    ) -> Result<String, ClientError> {
        let format = match format {
            Format::Text => "text",
            Format::Xml => "xml",
        };
        self.ask("/_status", &choice(names, group), format)
    }

    /// How all services stand, for a program.
    ///
    /// # Errors
    /// As [`Client::status`].
    pub fn standings(&self) -> Result<Vec<Standing>, ClientError> {
        Ok(standing::standings(&self.status(&[], None, Format::Xml)?))
    }

    /// Services in a table.
    ///
    /// # Errors
    /// As [`Client::status`].
    pub fn summary(&self, names: &[String], group: Option<&str>) -> Result<String, ClientError> {
        self.ask("/_summary", &choice(names, group), "text")
    }

    /// How many services are up, down and so on; with `only` (`up`, `down`, `initialising`, `unmonitored`, `total`)
    /// that number alone.
    ///
    /// # Errors
    /// As [`Client::status`]; also if `only` is none of these.
    pub fn report(&self, group: Option<&str>, only: Option<&str>) -> Result<String, ClientError> {
        let mut fields = choice(&[], group);
        fields.extend(only.map(|only| ("type", only)));
        self.ask("/_report", &fields, "text")
    }

    /// The names of the services in a group, as the server runs them; upper and lower case are the same. Empty if there
    /// is no such group.
    ///
    /// # Errors
    /// If there is no answer.
    pub fn members(&self, group: &str) -> Result<Vec<String>, ClientError> {
        // The second version of the document lists the members of each group.
        Ok(groups::members(&self.ask("/_status2", &[], "xml")?, group))
    }

    /// Asks for something to be done to services. Returns once that is accepted; the work follows.
    ///
    /// # Errors
    /// [`ClientError::Refused`] if a name means no service, or this user may only look.
    pub fn act(&self, doing: &Doing, names: &[String]) -> Result<(), ClientError> {
        let mut fields = vec![("action", doing.word())];
        fields.extend(names.iter().map(|name| ("service", name.as_str())));
        self.ask("/_doaction", &fields, "text").map(drop)
    }

    /// Why a service stands as it does, in words. Monit has no answer to that.
    ///
    /// # Errors
    /// [`ClientError::Refused`] for a name that the server does not know; others if there is no answer.
    pub fn explain(&self, name: &str) -> Result<String, ClientError> {
        let path = format!("/api/v1/services/{}/explain", form::encode(name, ""));
        self.send(&format!("GET {path} HTTP/1.0\r\n{}\r\n", self.login()))
    }

    /// The incidents, the newest first, as a table: of a service, or of all. Monit has no answer to that.
    ///
    /// # Errors
    /// [`ClientError::Refused`] for a name that the server does not know, or if no history is kept; others if there is no
    /// answer.
    pub fn incidents(&self, name: Option<&str>) -> Result<String, ClientError> {
        let of = name.map(|name| format!("&service={}", form::encode(name, ""))).unwrap_or_default();
        self.send(&format!("GET /api/v1/incidents?format=text{of} HTTP/1.0\r\n{}\r\n", self.login()))
    }

    /// One incident with its timeline.
    ///
    /// # Errors
    /// As [`Client::incidents`].
    pub fn incident(&self, id: u64) -> Result<String, ClientError> {
        self.send(&format!("GET /api/v1/incidents/{id}?format=text HTTP/1.0\r\n{}\r\n", self.login()))
    }

    /// Sends a POST and gives back the body of the answer. A redirect is an answer, and is not followed.
    fn ask(&self, path: &str, fields: &[(&str, &str)], format: &str) -> Result<String, ClientError> {
        let token = access::token().map_err(|why| ClientError::Random(why.into()))?;
        self.send(&self.request(path, fields, format, &token))
    }

    fn send(&self, request: &str) -> Result<String, ClientError> {
        let connect = |source| ClientError::Connect { target: self.target.clone(), source };
        match &self.target {
            Target::Tcp { host, port } => {
                let stream = dial(host, *port).map_err(connect)?;
                stream.set_read_timeout(Some(PATIENCE)).map_err(connect)?;
                stream.set_write_timeout(Some(PATIENCE)).map_err(connect)?;
                self.exchange(stream, request)
            }
            Target::Unix(path) => {
                let stream = UnixStream::connect(path).map_err(connect)?;
                stream.set_read_timeout(Some(PATIENCE)).map_err(connect)?;
                stream.set_write_timeout(Some(PATIENCE)).map_err(connect)?;
                self.exchange(stream, request)
            }
        }
    }

    /// The request, as Monit's own command line writes it.
    fn request(&self, path: &str, fields: &[(&str, &str)], format: &str, token: &str) -> String {
        let last = [("format", format), ("securitytoken", token)];
        let body =
            fields.iter().chain(&last).map(|(name, value)| format!("{name}={}", form::encode(value, "")));
        let body = body.collect::<Vec<_>>().join("&");
        let login = self.login();
        format!(
            "POST {path} HTTP/1.0\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Cookie: securitytoken={token}\r\nContent-Length: {}\r\n{login}\r\n{body}",
            body.len()
        )
    }

    /// The field of the header that logs in, if there is one.
    fn login(&self) -> String {
        match &self.credentials {
            Some((user, password)) => format!("Authorization: {}\r\n", basic::header(user, password)),
            None => String::new(),
        }
    }

    fn exchange(&self, mut stream: impl Read + Write, request: &str) -> Result<String, ClientError> {
        let broken = |source: io::Error| {
            let slow = matches!(source.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
            let source = if slow { io::Error::other("it took longer than 30 s") } else { source };
            ClientError::Broken { target: self.target.clone(), source }
        };
        stream.write_all(request.as_bytes()).map_err(broken)?;
        stream.flush().map_err(broken)?;
        let mut reader = BufReader::new(stream.take(LONGEST));
        let mut head = Vec::new();
        loop {
            let mut line = Vec::new();
            if reader.read_until(b'\n', &mut line).map_err(broken)? == 0 {
                let closed =
                    io::Error::other("it closed the connection; see whether this host is allowed there");
                return Err(if head.is_empty() { broken(closed) } else { self.garbled() });
            }
            if line.trim_ascii().is_empty() {
                break;
            }
            if head.is_empty() {
                head = line;
            }
        }
        let mut body = Vec::new();
        reader.read_to_end(&mut body).map_err(broken)?;
        let body =
            String::from_utf8(body).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
        match answer::status(&head) {
            None => Err(self.garbled()),
            Some(200..300 | 302) => Ok(body),
            Some(status) => Err(ClientError::Refused { status, message: answer::message(status, &body) }),
        }
    }

    fn garbled(&self) -> ClientError {
        ClientError::Garbled { target: self.target.clone() }
    }
}

fn choice<'a>(names: &'a [String], group: Option<&'a str>) -> Vec<(&'static str, &'a str)> {
    let names = names.iter().map(|name| ("service", name.as_str()));
    names.chain(group.map(|group| ("group", group))).collect()
}

fn dial(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the name has no address");
    for at in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&at, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(why) => last = why,
        }
    }
    Err(last)
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("target", &self.target)
            .field("user", &self.credentials.as_ref().map(|(user, _)| user))
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Target::Tcp { host, port } => write!(f, "{host}:{port}"),
            Target::Unix(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_the_one_monit_sends() {
        let mut client = Client::new(Target::Unix("/x".into()));
        client.credentials = Some(("alpha".to_owned(), "pw1".to_owned()));
        assert_eq!(
            client.request("/_status", &[], "text", "e442a7219963096f1c6e46ae68bb3026"),
            "POST /_status HTTP/1.0\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Cookie: securitytoken=e442a7219963096f1c6e46ae68bb3026\r\nContent-Length: 58\r\n\
             Authorization: Basic YWxwaGE6cHcx\r\n\r\n\
             format=text&securitytoken=e442a7219963096f1c6e46ae68bb3026"
        );
        let request = client.request("/_doaction", &[("action", "stop"), ("service", "b c&d")], "text", "t");
        assert!(
            request.ends_with("\r\n\r\naction=stop&service=b%20c%26d&format=text&securitytoken=t"),
            "{request}"
        );
    }
}
