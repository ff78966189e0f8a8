//! What `protocol http` has behind it.

use hinoban_config::{HttpTest, Method as Verb, Mistake, Secret as Hidden};

use super::{Parse, Parser};
use crate::keyword::Keyword::*;
use crate::token::{Kind, Value};

impl Parser<'_> {
    /// Adds what stands here to what was said before.
    pub(super) fn http(&mut self, http: &mut HttpTest) -> Parse<()> {
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
                    http.request = Some(self.text(&token).to_owned()).filter(|text| !text.is_empty());
                }
                Some(Status) => {
                    self.take();
                    let operator = self.operator()?;
                    let token = self.token.clone();
                    let n = self.int("a status such as 200")?;
                    let code = u16::try_from(n).unwrap_or_else(|_| {
                        let mistake = Mistake::warning(self.place(&token), "a status has three digits");
                        self.advise(mistake.word(n.to_string()).help("such as 200 or 404"));
                        u16::MAX
                    });
                    http.status = Some((operator, code));
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
                    let token = self.take();
                    let place = self.place(&token);
                    if let Value::Pairs(pairs) = token.value {
                        let kept = |(name, value): &(String, String)| {
                            name == "Connection" && !value.contains("close")
                        };
                        if pairs.iter().any(kept) {
                            let message = "We don't recommend setting the Connection header. Monit will always close the connection even if 'keep-alive' is set";
                            let mistake = Mistake::warning(place, message);
                            self.note(mistake.help("take the field out of the list"));
                        }
                        http.headers.extend(pairs);
                    }
                }
                Some(Checksum) => {
                    self.take();
                    http.checksum = Some(self.digest(None)?);
                }
                _ => break,
            }
        }
        if user.is_some() || password.is_some() {
            http.login = Some((user.unwrap_or_default(), password.unwrap_or_else(|| Hidden::new(""))));
        }
        Ok(())
    }
}
