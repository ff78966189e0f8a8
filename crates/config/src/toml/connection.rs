//! The checks that connect somewhere: `http`, `tcp`, `udp`, `unix`, `ping`, `url`.

use std::net::IpAddr;

use ::toml::de::DeValue;

use super::address;
use super::check::Extras;
use super::condition;
use super::mask;
use super::reader::{Item, Reader};
use crate::{
    Family, HttpTest, Operator, PingTest, PortTest, Protocol, ResponseTime, Tls, Transport, UnixTest,
    UrlTest, units,
};

impl Reader<'_> {
    pub(super) fn http(&mut self, item: &Item<'_>, extras: &Extras<'_>) -> Option<PortTest> {
        let url = self.web_url(item);
        let status = self.status(extras.get("status"));
        let method = self.method(extras.get("method"));
        let content = self.body(extras.get("content"));
        let checksum = match extras.get("checksum") {
            Some(item) => self.digest(&item).map(Some),
            None => Some(None),
        };
        let login = self.login(extras.get("user"), extras.get("password"));
        let given = extras.get("headers").map(|item| self.headers(&item)).unwrap_or_default();
        let secure = url.as_ref().is_none_or(|url| url.scheme == "https");
        let tls = self.tls(extras, secure, "`http` with an https:// address");
        let certificate_days = self.certificate_days(extras, secure);
        let (source, response_time) = (self.source_address(extras), self.response_time(extras));
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
                content: content?,
                checksum: checksum?,
            })),
            tls: tls?,
            certificate_days: certificate_days?,
            source: source?,
            response_time: response_time?,
            timeout,
            retry,
            ..PortTest::new("", 0)
        })
    }

    /// `tcp = "host:port"`, and `udp`.
    pub(super) fn port(
        &mut self,
        item: &Item<'_>,
        extras: &Extras<'_>,
        transport: Transport,
    ) -> Option<PortTest> {
        let secure = match extras.get("tls") {
            Some(item) if matches!(item.value, DeValue::Table(_)) => Some(true),
            Some(item) => self.flag(&item),
            None => Some(false),
        };
        let encrypted = secure != Some(false);
        let tls = self.tls(extras, encrypted, "`tls = true`");
        let certificate_days = self.certificate_days(extras, encrypted);
        let starttls = extras.get("starttls").map(|item| self.flag(&item)).unwrap_or(Some(false));
        let protocol = self.conversation(extras);
        let (source, response_time) = (self.source_address(extras), self.response_time(extras));
        let limits = self.limits(extras);
        let family = self.family(extras);
        let (host, port) = self.host_and_port(item)?;
        let (timeout, retry) = limits?;
        secure?;
        Some(PortTest {
            host,
            port,
            family: family?,
            transport,
            source: source?,
            protocol: protocol?,
            tls: tls?,
            starttls: starttls?,
            certificate_days: certificate_days?,
            response_time: response_time?,
            timeout,
            retry,
        })
    }

    fn host_and_port(&mut self, item: &Item<'_>) -> Option<(String, u16)> {
        const EXPECTED: &str = "a host and a port";
        const EXAMPLE: &str = "\"localhost:3306\"";
        let key = item.key;
        if let DeValue::Integer(port) = item.value {
            self.wrong(item, EXPECTED, format!("write {key} = \"localhost:{port}\""));
            return None;
        }
        let text = self.text(item, EXPECTED, EXAMPLE)?;
        let shown = mask::secrets(text);
        match address::host_port(text) {
            Ok((host, Some(port))) if !host.is_empty() => return Some((host.to_owned(), port)),
            Ok((host, port)) => {
                let help = match port {
                    Some(port) => format!("write {key} = \"localhost:{port}\" for this machine"),
                    None => format!("a port is missing: {key} = \"{host}:3306\""),
                };
                self.error(item.span.clone(), format!("\"{shown}\" is not a host and a port"), help);
            }
            Err(why) => {
                let (why, help) = match shown.split_once("://") {
                    Some((_, rest)) => (
                        "it is the address of a page".to_owned(),
                        format!(
                            "write {key} = \"{}\", or http = \"{shown}\"",
                            rest.split('/').next().unwrap_or(rest)
                        ),
                    ),
                    None => (why, format!("for example: {key} = {EXAMPLE}")),
                };
                self.error(item.span.clone(), format!("\"{shown}\" is not a host and a port: {why}"), help);
            }
        }
        None
    }

    /// `unix = "/run/app.sock"`
    pub(super) fn unix(&mut self, item: &Item<'_>, extras: &Extras<'_>) -> Option<UnixTest> {
        let path = self.path(item);
        let datagram = extras.get("datagram").map(|item| self.flag(&item)).unwrap_or(Some(false));
        let protocol = self.conversation(extras);
        let response_time = self.response_time(extras);
        let (timeout, retry) = self.limits(extras)?;
        Some(UnixTest {
            path: path?,
            transport: if datagram? { Transport::Udp } else { Transport::Tcp },
            protocol: protocol?,
            response_time: response_time?,
            timeout,
            retry,
        })
    }

    /// `ping = "www.example.com"`
    pub(super) fn ping(&mut self, item: &Item<'_>, extras: &Extras<'_>) -> Option<PingTest> {
        let host = self.text(item, "a host", "\"www.example.com\"");
        if let Some(text) = host
            && (text.contains(['/', '[']) || text.contains(char::is_whitespace))
        {
            let help = "write its name or its address alone: ping = \"192.0.2.1\"";
            self.error(item.span.clone(), format!("\"{}\" is no host", mask::secrets(text)), help);
            return None;
        }
        let count = match extras.get("count") {
            Some(item) => self.whole(&item, 0..i64::from(u32::MAX) + 1),
            None => Some(3),
        };
        let size = extras.get("size").map(|item| self.whole(&item, 8..1493)).unwrap_or(Some(64));
        let (source, response_time) = (self.source_address(extras), self.response_time(extras));
        let family = self.family(extras);
        let (timeout, _) = self.limits(extras)?;
        Some(PingTest {
            host: host?.to_owned(),
            family: family?,
            count: u32::try_from(count?).ok()?,
            size: u16::try_from(size?).ok()?,
            source: source?,
            response_time: response_time?,
            timeout,
        })
    }

    pub(super) fn whole_url(&mut self, item: &Item<'_>, extras: &Extras<'_>) -> Option<UrlTest> {
        let url = self.web_url(item);
        let status = self.status(extras.get("status"));
        let limits = self.limits(extras);
        let secure = url.as_ref().is_none_or(|url| url.scheme == "https");
        let tls = self.tls(extras, secure, "`url` with an https:// address");
        let content = self.body(extras.get("content"));
        let certificate_days = self.certificate_days(extras, secure);
        let login = self.in_front(extras);
        url?;
        let DeValue::String(text) = item.value else { return None };
        let (timeout, retry) = limits?;
        let whole = match (login?, text.split_once("://")) {
            (Some(login), Some((scheme, rest))) => format!("{scheme}://{login}@{rest}"),
            _ => text.clone().into_owned(),
        };
        Some(UrlTest {
            masked: mask::query(&whole),
            url: whole,
            status: status?,
            content: content?,
            tls: tls?.unwrap_or_default(),
            certificate_days: certificate_days?,
            timeout,
            retry,
        })
    }

    /// An `http://` or `https://` address without a password in it.
    fn web_url<'d>(&mut self, item: &Item<'d>) -> Option<address::Url<'d>> {
        const EXPECTED: &str = "an address in quotes";
        let text = self.text(item, EXPECTED, "\"http://www.example.com/\"")?;
        let (message, help) = match address::url(text) {
            Ok(url) if !matches!(url.scheme.as_str(), "http" | "https") => (
                format!("`{}` asks for http:// or https://, not {}://", item.key, url.scheme),
                format!(
                    "for another protocol, test that its port answers: tcp = \"{}:{}\"",
                    url.host,
                    url.port.map_or("PORT".to_owned(), |p| p.to_string())
                ),
            ),
            Ok(url) if url.host.is_empty() => (
                "this address has no host".to_owned(),
                format!("for example: {} = \"http://localhost/\"", item.key),
            ),
            Ok(url) if url.login.is_some() => (
                "a password in an address would be shown with it in logs and mails".to_owned(),
                "take it out of the address; write user = \"…\" and password = { file = \"…\" } below"
                    .to_owned(),
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
    pub(super) fn status(&mut self, item: Option<Item<'_>>) -> Option<Option<(Operator, u16)>> {
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
                let password = match password.value {
                    // Where we are who logs in, that is for the other side to judge.
                    DeValue::String(text) if text.is_empty() => {
                        let help =
                            "the other side will hardly take it; write one, or take user and password out";
                        self.warning(password.span, "this password is empty", help);
                        Some(crate::Secret::new(""))
                    }
                    _ => self.secret(&password),
                };
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

    pub(super) fn headers(&mut self, item: &Item<'_>) -> Vec<(String, String)> {
        const HELP: &str = "for example: headers = { Accept = \"text/html\" }";
        if let DeValue::Array(_) = item.value {
            return item.list().iter().filter_map(|item| self.header_line(item)).collect();
        }
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

    /// `"Name: value"`, in a list: one name may come more than once.
    fn header_line(&mut self, item: &Item<'_>) -> Option<(String, String)> {
        let text = self.text(item, "a header field", "[\"Accept: text/html\"]")?;
        match text.split_once(':') {
            Some((name, value)) if !name.is_empty() && !text.contains(char::is_control) => {
                Some((name.to_owned(), value.strip_prefix(' ').unwrap_or(value).to_owned()))
            }
            _ => {
                let help = "write headers = [\"Accept: text/html\"], each in one line";
                self.error(
                    item.span.clone(),
                    format!("\"{}\" is no header field", text.escape_debug()),
                    help,
                );
                None
            }
        }
    }

    fn tls(&mut self, extras: &Extras<'_>, secure: bool, needs: &str) -> Option<Option<Tls>> {
        let table = extras.get("tls").filter(|item| matches!(item.value, DeValue::Table(_)));
        if !secure {
            let meant = ["verify", "ca-file"].iter().filter_map(|key| extras.get(key));
            for item in meant.chain(table) {
                let message = format!("`{}` means nothing without encryption", item.key);
                self.error(item.span, message, format!("take it out, or use {needs}"));
            }
            return Some(None);
        }
        let mut tls = match (table, extras.get("tls")) {
            (Some(table), _) => self.tls_table(&table)?,
            // Whether there is TLS at all was said by the address.
            (None, Some(item)) if needs != "`tls = true`" => {
                const HELP: &str = "for example: tls = { self-signed = true }";
                self.wrong(&item, "a table", HELP);
                return None;
            }
            _ => Tls::default(),
        };
        if let Some(item) = extras.get("verify") {
            tls.verify = Some(self.flag(&item)?);
        }
        if let Some(item) = extras.get("ca-file") {
            tls.ca_file = Some(self.path(&item)?);
        }
        Some(Some(tls))
    }

    fn certificate_days(&mut self, extras: &Extras<'_>, secure: bool) -> Option<Option<u32>> {
        let Some(item) = extras.get("certificate-days") else { return Some(None) };
        if !secure {
            let help = "take it out, or use TLS: `tls = true`, or an https:// address";
            self.error(item.span, "without encryption there is no certificate", help);
            return None;
        }
        self.whole(&item, 0..i64::from(u32::MAX) + 1).map(|days| u32::try_from(days).ok())
    }

    fn source_address(&mut self, extras: &Extras<'_>) -> Option<Option<IpAddr>> {
        const HELP: &str = "write an address of this machine: source = \"192.0.2.1\"";
        let Some(item) = extras.get("source") else { return Some(None) };
        let text = self.text(&item, "an address of this machine", "\"192.0.2.1\"")?;
        match text.parse() {
            Ok(address) => Some(Some(address)),
            Err(_) => {
                self.error(item.span.clone(), format!("\"{text}\" is no address"), HELP);
                None
            }
        }
    }

    /// `"< 500ms"`: what must hold.
    fn response_time(&mut self, extras: &Extras<'_>) -> Option<Option<ResponseTime>> {
        const HELP: &str = "write what must hold: response-time = \"< 500ms\"";
        let Some(item) = extras.get("response-time") else { return Some(None) };
        let text = self.text(&item, "a comparison with a duration", "\"< 500ms\"")?;
        let parts = condition::operator(text).filter(|(left, ..)| left.is_empty());
        let (operator, limit) = match parts {
            Some((_, operator, limit)) => (operator, units::duration(limit)),
            None => (Operator::Less, units::duration(text.trim())),
        };
        match limit {
            Ok(limit) => Some(Some(ResponseTime { operator, limit })),
            Err(why) => {
                let message = format!("\"{text}\" is no comparison with a duration: {why}");
                self.error(item.span.clone(), message, HELP);
                None
            }
        }
    }

    /// User and password as they stand in front of the host of an address, `%40` for an `@`.
    fn in_front(&mut self, extras: &Extras<'_>) -> Option<Option<String>> {
        let Some(user) = extras.get("user") else {
            if let Some(item) = extras.get("password") {
                self.missing(item.span, "there is a password, but no user", "add user = \"…\"");
                return None;
            }
            return Some(None);
        };
        let mut login = self.text(&user, "the name of a user", "\"admin\"")?.to_owned();
        if let Some(item) = extras.get("password") {
            login = format!("{login}:{}", self.secret(&item)?.reveal());
        }
        if let Some(sign) = login.chars().find(|c| "/?#".contains(*c) || c.is_whitespace() || c.is_control())
        {
            let message = format!("user and password of an address cannot hold {sign:?}");
            let help = format!("write %{:02X} for it", u32::from(sign));
            self.error(user.span.clone(), message, help);
            return None;
        }
        Some(Some(login))
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
