//! The checks that connect somewhere: `http`, `tcp`, `url`.

use ::toml::de::DeValue;

use super::address;
use super::check::Extras;
use super::condition;
use super::mask;
use super::reader::{Item, Reader};
use crate::{Family, HttpTest, Method, Operator, PortTest, Protocol, Tls, UrlTest};

impl Reader<'_> {
    pub(super) fn http(&mut self, item: &Item<'_>, extras: &Extras<'_>) -> Option<PortTest> {
        let url = self.web_url(item);
        let status = self.status(extras.get("status"));
        let method = match extras.get("method") {
            Some(item) => self.word(&item, &[("GET", Method::Get), ("HEAD", Method::Head)]),
            None => Some(Method::Get),
        };
        let login = self.login(extras.get("user"), extras.get("password"));
        let given = extras.get("headers").map(|item| self.headers(&item)).unwrap_or_default();
        let secure = url.as_ref().is_none_or(|url| url.scheme == "https");
        let tls = self.tls(extras, secure, "`http` with an https:// address");
        let limits = self.limits(extras);
        let family = self.family(extras);

        let url = url?;
        let mut headers = Vec::new();
        if !given.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            headers.push(("Host".to_owned(), authority(&url)));
        }
        headers.extend(given);
        let (timeout, retry) = limits?;
        let request = match url.target {
            "" => None,
            target if target.starts_with('?') => Some(format!("/{target}")),
            target => Some(target.to_owned()),
        };
        Some(PortTest {
            host: url.host.to_owned(),
            port: url.port.unwrap_or(if secure { 443 } else { 80 }),
            family: family?,
            protocol: Protocol::Http(Box::new(HttpTest {
                method: method?,
                masked: request.as_deref().and_then(mask::query),
                request,
                status: status?,
                headers,
                login: login?,
                ..HttpTest::default()
            })),
            tls: tls?,
            timeout,
            retry,
            ..PortTest::new("", 0)
        })
    }

    pub(super) fn tcp(&mut self, item: &Item<'_>, extras: &Extras<'_>) -> Option<PortTest> {
        const EXPECTED: &str = "a host and a port";
        const EXAMPLE: &str = "\"localhost:3306\"";
        let secure = extras.get("tls").map(|item| self.flag(&item)).unwrap_or(Some(false));
        let tls = self.tls(extras, secure != Some(false), "`tls = true`");
        let limits = self.limits(extras);
        let family = self.family(extras);
        if let DeValue::Integer(port) = item.value {
            self.wrong(item, EXPECTED, format!("write tcp = \"localhost:{port}\""));
            return None;
        }
        let text = self.text(item, EXPECTED, EXAMPLE)?;
        let shown = mask::secrets(text);
        let (host, port) = match address::host_port(text) {
            Ok((host, Some(port))) if !host.is_empty() => (host, port),
            Ok((host, port)) => {
                let help = match port {
                    Some(port) => format!("write tcp = \"localhost:{port}\" for this machine"),
                    None => format!("a port is missing: tcp = \"{host}:3306\""),
                };
                self.error(item.span.clone(), format!("\"{shown}\" is not a host and a port"), help);
                return None;
            }
            Err(why) => {
                let (why, help) = match shown.split_once("://") {
                    Some((_, rest)) => (
                        "it is the address of a page".to_owned(),
                        format!(
                            "write tcp = \"{}\", or http = \"{shown}\"",
                            rest.split('/').next().unwrap_or(rest)
                        ),
                    ),
                    None => (why, format!("for example: tcp = {EXAMPLE}")),
                };
                self.error(item.span.clone(), format!("\"{shown}\" is not a host and a port: {why}"), help);
                return None;
            }
        };
        let (timeout, retry) = limits?;
        Some(PortTest {
            host: host.to_owned(),
            port,
            family: family?,
            protocol: Protocol::Default,
            tls: tls?,
            timeout,
            retry,
            ..PortTest::new("", 0)
        })
    }

    pub(super) fn whole_url(&mut self, item: &Item<'_>, extras: &Extras<'_>) -> Option<UrlTest> {
        let url = self.web_url(item);
        let status = self.status(extras.get("status"));
        let limits = self.limits(extras);
        let secure = url.as_ref().is_none_or(|url| url.scheme == "https");
        let tls = self.tls(extras, secure, "`url` with an https:// address");
        url?;
        let DeValue::String(text) = item.value else { return None };
        let (timeout, retry) = limits?;
        Some(UrlTest {
            url: text.clone().into_owned(),
            masked: mask::query(text),
            status: status?,
            tls: tls?.unwrap_or_default(),
            timeout,
            retry,
            ..UrlTest::new("")
        })
    }

    /// An `http://` or `https://` address without a password in it.
    fn web_url<'d>(&mut self, item: &Item<'d>) -> Option<address::Url<'d>> {
        const EXPECTED: &str = "an address in quotes";
        let text = self.text(item, EXPECTED, "\"http://www.example.com/\"")?;
        let (message, help) = match address::url(text) {
            Ok(url) if !matches!(url.scheme.as_str(), "http" | "https") => (
                format!("`{}` asks for http:// or https://, not {}://", item.key, url.scheme),
                format!("for another protocol, test that its port answers: tcp = \"{}:{}\"", url.host, url.port.map_or("PORT".to_owned(), |p| p.to_string())),
            ),
            Ok(url) if url.host.is_empty() => {
                ("this address has no host".to_owned(), format!("for example: {} = \"http://localhost/\"", item.key))
            }
            Ok(url) if url.login.is_some() => (
                "a password in an address would be shown with it in logs and mails".to_owned(),
                match item.key {
                    "http" => "take it out of the address; write user = \"…\" and password = { file = \"…\" } below".to_owned(),
                    _ => "use `http` instead of `url`, which takes user = \"…\" and password = { file = \"…\" }".to_owned(),
                },
            ),
            Ok(url) => return Some(url),
            Err(why) => {
                let shown = mask::secrets(text);
                let help = if why.contains("://") {
                    format!("did you mean \"http://{shown}\"?")
                } else {
                    format!("for example: {} = \"http://www.example.com/\"", item.key)
                };
                (format!("\"{shown}\" is no address: {why}"), help)
            }
        };
        self.error(item.span.clone(), message, help);
        None
    }

    /// `200`, `"200"` or `"< 400"`.
    fn status(&mut self, item: Option<Item<'_>>) -> Option<Option<(Operator, u16)>> {
        const HELP: &str = "write status = 200, or status = \"< 400\"";
        let Some(item) = item else { return Some(None) };
        let text = match item.value {
            DeValue::Integer(n) => n.to_string(),
            DeValue::String(text) => text.trim().to_owned(),
            _ => {
                self.wrong(&item, "a status, or a comparison with one", HELP);
                return None;
            }
        };
        let (left, operator, number) = condition::operator(&text).unwrap_or(("", Operator::Equal, &text));
        match number.parse::<u16>() {
            Ok(n) if left.is_empty() && (100..=999).contains(&n) => Some(Some((operator, n))),
            _ => {
                let message = format!("`status` cannot be \"{text}\"");
                self.error(item.span.clone(), message, format!("{HELP}; a status has three digits"));
                None
            }
        }
    }

    /// User and password, which come together.
    pub(super) fn login(
        &mut self,
        user: Option<Item<'_>>,
        password: Option<Item<'_>>,
    ) -> Option<Option<(String, crate::Secret)>> {
        match (user, password) {
            (None, None) => Some(None),
            (Some(user), Some(password)) => {
                let name = self.text(&user, "the name of a user", "\"admin\"");
                let password = self.secret(&password);
                Some(Some((name?.to_owned(), password?)))
            }
            (Some(user), None) => {
                let help = "add password = { file = \"…\" }, { env = \"…\" } or a text";
                self.missing(user.span, "there is a user, but no password", help);
                None
            }
            (None, Some(password)) => {
                self.missing(password.span, "there is a password, but no user", "add user = \"…\"");
                None
            }
        }
    }

    fn headers(&mut self, item: &Item<'_>) -> Vec<(String, String)> {
        const HELP: &str = "for example: headers = { Accept = \"text/html\" }";
        let Some(fields) = self.fields(item, "`headers`", HELP) else { return Vec::new() };
        let mut headers = Vec::new();
        for (span, header) in fields.entries() {
            let token = !header.key.is_empty()
                && header.key.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
            if !token {
                // RFC 9110, section 5.6.2
                let help = "such a name is made of letters, digits and `-`";
                self.error(
                    span,
                    format!("\"{}\" is no name of a header field", header.key.escape_debug()),
                    help,
                );
            }
            match header.value {
                DeValue::String(text) if text.chars().all(|c| !c.is_control() || c == '\t') => {
                    headers.push((header.key.to_owned(), text.clone().into_owned()));
                }
                DeValue::String(_) => {
                    let help = "line breaks would end the header; write it in one line";
                    self.error(
                        header.span.clone(),
                        format!("the value of `{}` holds control characters", header.key),
                        help,
                    );
                }
                _ => self.wrong(
                    &header,
                    "a text",
                    format!("write it in quotes: {} = \"{}\"", header.key, self.written(header.span.clone())),
                ),
            }
        }
        headers
    }

    fn tls(&mut self, extras: &Extras<'_>, secure: bool, needs: &str) -> Option<Option<Tls>> {
        if !secure {
            for item in ["verify", "ca-file"].iter().filter_map(|key| extras.get(key)) {
                let message = format!("`{}` means nothing without encryption", item.key);
                self.error(item.span, message, format!("take it out, or use {needs}"));
            }
            return Some(None);
        }
        let verify = match extras.get("verify") {
            Some(item) => Some(self.flag(&item)?),
            None => None,
        };
        let ca_file = match extras.get("ca-file") {
            Some(item) => Some(self.path(&item)?),
            None => None,
        };
        Some(Some(Tls { verify, ca_file, ..Tls::default() }))
    }

    fn family(&mut self, extras: &Extras<'_>) -> Option<Family> {
        let words = [("any", Family::Any), ("ipv4", Family::V4), ("ipv6", Family::V6)];
        extras.get("family").map(|item| self.word(&item, &words)).unwrap_or(Some(Family::Any))
    }
}

/// Host and port as a `Host` header names them (RFC 9110, section 7.2).
fn authority(url: &address::Url<'_>) -> String {
    let host = if url.host.contains(':') { format!("[{}]", url.host) } else { url.host.to_owned() };
    match (url.port, url.scheme.as_str()) {
        (None | Some(80), "http") | (None | Some(443), "https") | (None, _) => host,
        (Some(port), _) => format!("{host}:{port}"),
    }
}
