//! `protocol …`, and what HTTP has behind it.

use hinoban_config::{HttpTest, Method as Verb, Mistake, Protocol as Talk, Secret as Hidden};

use super::{Parse, Parser};
use crate::keyword::Keyword::*;
use crate::token::{Kind, Value};

/// What may stand after `protocol`, for suggestions.
const PROTOCOLS: [&str; 12] =
    ["http", "https", "default", "smtp", "imap", "pop", "ftp", "ssh", "dns", "mysql", "pgsql", "redis"];

impl Parser<'_> {
    /// The name of a protocol and its own options; the flag says that it runs over TLS.
    pub(super) fn protocol(&mut self) -> Parse<(Talk, bool)> {
        match self.key() {
            Some(Default) => {
                self.take();
                Ok((Talk::Default, false))
            }
            Some(key @ (Http | Https)) => {
                self.take();
                Ok((Talk::Http(Box::new(self.http()?)), key == Https))
            }
            Some(OtherProtocol) => {
                let name = self.raw(&self.token).to_ascii_lowercase();
                self.unsupported_here(&format!("protocol {name}"))
            }
            _ => self.unexpected(&PROTOCOLS),
        }
    }

    fn http(&mut self) -> Parse<HttpTest> {
        let mut http = HttpTest::default();
        let (mut user, mut password) = (None, None);
        loop {
            match self.key() {
                Some(Username) => {
                    self.take();
                    user = Some(self.login_name()?);
                }
                Some(Password) => {
                    self.take();
                    password = Some(Hidden::new(self.string("a password")?));
                }
                Some(Request) => {
                    self.take();
                    if !self.token.is_string() && self.token.kind != Kind::Path {
                        return self.unexpected(&["a path such as \"/index.html\""]);
                    }
                    let token = self.take();
                    http.request = Some(self.text(&token).to_owned());
                }
                Some(Status) => {
                    self.take();
                    let operator = self.operator()?;
                    let token = self.token.clone();
                    let n = self.int("a status such as 200")?;
                    match u16::try_from(n) {
                        Ok(status) => http.status = Some((operator, status)),
                        Err(_) => {
                            let mistake = Mistake::error(self.place(&token), "a status has three digits");
                            self.note(mistake.word(n.to_string()).help("such as 200 or 404"));
                        }
                    }
                }
                Some(Method) => {
                    self.take();
                    http.method = match self.key() {
                        Some(Get) => Verb::Get,
                        Some(Head) => Verb::Head,
                        _ => return self.unexpected(&["get", "head"]),
                    };
                    self.take();
                }
                Some(HostHeader) => {
                    self.take();
                    let host = self.string("a host name")?;
                    http.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("host"));
                    http.headers.push(("Host".to_owned(), host));
                }
                Some(HttpHeaders) => {
                    self.take();
                    if self.token.kind != Kind::Headers {
                        return self.unexpected(&["a list such as [Host: \"www.example.com\"]"]);
                    }
                    if let Value::Pairs(pairs) = self.take().value {
                        http.headers.extend(pairs);
                    }
                }
                Some(Checksum) => return self.unsupported_here("checksum of an answer"),
                _ => break,
            }
        }
        if user.is_some() || password.is_some() {
            http.login = Some((user.unwrap_or_default(), password.unwrap_or_else(|| Hidden::new(""))));
        }
        Ok(http)
    }
}
