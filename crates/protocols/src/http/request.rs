use std::fmt;

use super::base64;

/// What to ask.
///
/// Headers that a plain client sends (`Host`, `User-Agent`, `Accept`, `Accept-Encoding: identity`,
/// `Connection: close`) are added unless [`headers`](Self::headers) holds one of that name. `Debug` leaves out headers and
/// credentials: both may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// GET or HEAD.
    pub method: Method,
    /// The request target as people write it; [`encode_target`] is applied when it is sent. It need not begin with
    /// a slash.
    pub target: String,
    /// Value of the `Host` header, with the port where it is not the scheme's own.
    pub host: String,
    /// Further header fields, in order.
    pub headers: Vec<(String, String)>,
    /// For the `Authorization: Basic` header (RFC 7617).
    pub credentials: Option<Credentials>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, target, host, .. } = self;
        let mut shown = f.debug_struct("Request");
        shown.field("method", method).field("target", target).field("host", host).finish_non_exhaustive()
    }
}

/// The methods that look and do not change anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Method {
    /// Asks for the whole answer.
    #[default]
    Get,
    /// Asks for the header of the answer only.
    Head,
}

/// A user name and a password. `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name; must not hold a colon.
    pub username: String,
    /// Password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// A request as bytes, made once and sent as often as needed. `Debug` does not show it, since it may hold a password.
#[derive(Clone)]
pub struct Prepared {
    pub(super) bytes: Vec<u8>,
    pub(super) method: Method,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("method", &self.method).finish_non_exhaustive()
    }
}

/// Why a request cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// A header's name is empty or holds something else than the letters RFC 9110 section 5.1 allows.
    #[error("`{0}` cannot be the name of an HTTP header; letters, digits and dashes can")]
    HeaderName(String),
    /// A header's value would end its line early.
    #[error("the value of the HTTP header `{0}` holds a control character such as a line end; remove it")]
    HeaderValue(String),
    /// The user name holds a colon, which separates it from the password.
    #[error("a user name for HTTP basic authentication cannot hold a colon")]
    Username,
}

impl Request {
    /// A GET of `target`, with nothing else said.
    pub fn get(target: impl Into<String>) -> Self {
        Self {
            method: Method::Get,
            target: target.into(),
            host: String::new(),
            headers: Vec::new(),
            credentials: None,
        }
    }

    /// Sets the `Host` header.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = host.into();
        self
    }

    /// Checks the request and writes it down.
    ///
    /// # Errors
    /// What would break out of its place in the header.
    pub fn prepare(&self) -> Result<Prepared, Invalid> {
        let method = match self.method {
            Method::Get => "GET",
            Method::Head => "HEAD",
        };
        let mut text = format!("{method} {} HTTP/1.1\r\n", encode_target(&self.target));
        if let Some(Credentials { username, password }) = &self.credentials {
            if username.contains(':') {
                return Err(Invalid::Username);
            }
            let secret = base64::encode(format!("{username}:{password}").as_bytes());
            field(&mut text, "Authorization", &format!("Basic {secret}"))?;
        }
        let defaults = [
            ("Host", self.host.as_str()),
            ("User-Agent", concat!("Hinoban/", env!("CARGO_PKG_VERSION"))),
            ("Accept", "*/*"),
            ("Accept-Encoding", "identity"),
            ("Connection", "close"),
        ];
        for (name, value) in defaults {
            if !self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)) {
                field(&mut text, name, value)?;
            }
        }
        for (name, value) in &self.headers {
            field(&mut text, name, value)?;
        }
        text.push_str("\r\n");
        Ok(Prepared { bytes: text.into_bytes(), method: self.method })
    }
}

/// Appends one header field, unless it would smuggle in another.
fn field(text: &mut String, name: &str, value: &str) -> Result<(), Invalid> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(Invalid::HeaderName(name.to_owned()));
    }
    if value.bytes().any(|b| b.is_ascii_control() && b != b'\t') {
        return Err(Invalid::HeaderValue(name.to_owned()));
    }
    for piece in [name, ": ", value, "\r\n"] {
        text.push_str(piece);
    }
    Ok(())
}

/// Percent-encodes what cannot stand in a request target, the way Monit 5.33 does it: blanks, controls, everything
/// beyond ASCII and ``"#%<>[\]^`{|}``. What separates parts (`/ ? & = : @ ; , +` …) stays. A percent sign is encoded
/// too, so the text is taken literally.
pub fn encode_target(target: &str) -> String {
    let mut encoded = String::with_capacity(target.len());
    for byte in target.bytes() {
        if byte.is_ascii_graphic() && !b"\"#%<>[\\]^`{|}".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            encoded.push('%');
            encoded.push(char::from(HEX[usize::from(byte >> 4)]));
            encoded.push(char::from(HEX[usize::from(byte & 0xf)]));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(request: &Request) -> String {
        String::from_utf8(request.prepare().unwrap().bytes).unwrap()
    }

    #[test]
    fn a_plain_request_carries_the_default_headers() {
        let text = sent(&Request::get("/").host("127.0.0.1:8080"));
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            text,
            format!(
                "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: Hinoban/{version}\r\nAccept: */*\r\n\
                 Accept-Encoding: identity\r\nConnection: close\r\n\r\n"
            )
        );
    }

    #[test]
    fn own_headers_replace_the_defaults_whatever_their_case() {
        let mut request = Request::get("/").host("a");
        request.headers = vec![("host".into(), "b".into()), ("User-agent".into(), "mine".into())];
        let text = sent(&request);
        assert!(!text.contains("Host: a") && !text.contains("Hinoban/"), "{text}");
        assert!(text.ends_with("host: b\r\nUser-agent: mine\r\n\r\n"), "{text}");
    }

    #[test]
    fn targets_are_encoded_as_monit_encodes_them() {
        // Seen on the wire of Monit 5.33.0.
        assert_eq!(
            encode_target("/a b<>{}|^%41é?x=1&y=#z'~[]"),
            "/a%20b%3C%3E%7B%7D%7C%5E%2541%C3%A9?x=1&y=%23z'~%5B%5D"
        );
        assert_eq!(encode_target("foo"), "foo");
    }

    #[test]
    fn credentials_are_sent_and_never_shown() {
        let mut request = Request::get("/");
        request.method = Method::Head;
        request.credentials = Some(Credentials { username: "u".into(), password: "p:x".into() });
        assert!(sent(&request).starts_with("HEAD / HTTP/1.1\r\nAuthorization: Basic dTpwOng=\r\n"));
        request.headers = vec![("X-Token".into(), "hush".into())];
        let shown = format!("{request:?} {:?}", request.prepare());
        assert!(!shown.contains("p:x") && !shown.contains("hush") && !shown.contains("dTpwOng"), "{shown}");
    }

    #[test]
    fn nothing_breaks_out_of_its_header() {
        let with = |name: &str, value: &str| {
            let mut request = Request::get("/");
            request.headers = vec![(name.into(), value.into())];
            request.prepare().map(|_| ())
        };
        assert_eq!(with("X", "a\r\nEvil: 1"), Err(Invalid::HeaderValue("X".into())));
        assert_eq!(with("X Y", "a"), Err(Invalid::HeaderName("X Y".into())));
        assert_eq!(with("", "a"), Err(Invalid::HeaderName(String::new())));
        let split = Request::get("/ HTTP/1.1\r\nEvil: 1\r\n");
        assert_eq!(sent(&split).matches("\r\n").count(), 7, "one request line, five headers, one end");
    }
}
