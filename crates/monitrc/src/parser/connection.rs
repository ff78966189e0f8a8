//! `if failed|succeeded [host …] port … | url … | unixsocket …`

use hinoban_config::{
    Condition, Expect as Wanted, Kind as Type, Mistake, Place, PortTest, Protocol as Talk, Test, Tls,
    Transport, UnixTest, UrlTest,
};

use super::options::Sort;
use super::{Parse, Parser, Wrong, url};
use crate::keyword::Keyword::*;
use crate::token::{Kind, Subject};

/// Ports on which TLS begins with STARTTLS in Monit, whatever the protocol.
const STARTTLS: [u16; 3] = [25, 143, 587];

impl Parser<'_> {
    /// What follows `if failed` or `if succeeded`.
    pub(super) fn connection(&mut self, subject: Subject, succeeded: bool, place: Place) -> Parse<Condition> {
        let process = subject == Subject::Process;
        let test = match self.key() {
            Some(Host) => {
                self.take();
                let host = self.string("a host name or address")?;
                if !self.at(Port) {
                    return self.unexpected(&["port"]);
                }
                self.port_test(host, place)?
            }
            Some(Port) => {
                let host = match self.draft.as_ref().map(|draft| &draft.service.kind) {
                    Some(Type::Host { address }) => address.clone(),
                    _ => "localhost".to_owned(),
                };
                self.port_test(host, place)?
            }
            Some(Url) => self.url_test(place)?,
            Some(UnixSocket) if process => self.unix_test(place)?,
            Some(Ping | Icmp) if !process => self.ping_test(place)?,
            Some(Uid | Euid | Gid | Security) if process && !succeeded => return self.attribute_of_process(),
            Some(UnixSocket) => {
                return self.refuse("a unix socket is tested by a rule of 'check process'");
            }
            Some(Ping | Icmp) => return self.refuse("hosts are pinged by a rule of 'check host'"),
            _ => {
                return self.unexpected(if process {
                    &["port", "host", "url", "unixsocket", "uid", "euid", "gid", "security attribute"]
                } else {
                    &["port", "host", "url", "ping", "ping4", "ping6", "icmp type echo"]
                });
            }
        };
        let expect = if succeeded { Wanted::Succeeded } else { Wanted::Failed };
        Ok(Condition::Test { test, expect })
    }

    /// `port N` and its options.
    fn port_test(&mut self, host: String, place: Place) -> Parse<Test> {
        self.take();
        let port = self.port()?;
        let mut draft = self.connection_options(Sort::Port, place)?;
        let spoken = matches!(draft.talk, Talk::Smtp { .. } | Talk::Plain(hinoban_config::Plain::Imap));
        let starttls = draft.asked.on && STARTTLS.contains(&port);
        if starttls && !spoken {
            let message =
                format!("TLS on port {port} begins with STARTTLS, which this protocol does not speak");
            let place = draft.asked.place.take().unwrap_or_default();
            self.advise(Mistake::warning(place, message).help(
                "the test runs without TLS, as in Monit; say 'protocol smtp' or 'imap' where that is spoken",
            ));
        }
        if draft.asked.on && draft.transport == Transport::Udp {
            let place = draft.asked.place.take().unwrap_or_default();
            let mistake = Mistake::warning(place, "TLS is not spoken over UDP");
            self.advise(mistake.help("take 'type udp' or the TLS away"));
        }
        let test = PortTest {
            host,
            port,
            family: draft.family,
            transport: draft.transport,
            source: draft.source,
            protocol: draft.talk,
            tls: draft.asked.on.then_some(draft.asked.tls),
            starttls,
            certificate_days: draft.days,
            response_time: draft.response_time,
            timeout: draft.timeout,
            retry: draft.retry,
        };
        Ok(Test::Port(test.into()))
    }

    /// `unixsocket PATH` and its options.
    fn unix_test(&mut self, place: Place) -> Parse<Test> {
        self.take();
        let path = self.path("a path that begins with /")?;
        let mut draft = self.connection_options(Sort::Unix, place)?;
        if draft.asked.on {
            let place = draft.asked.place.take().unwrap_or_default();
            let mistake = Mistake::warning(place, "TLS is not spoken on a unix socket");
            self.advise(mistake.help("the test runs without it, as in Monit; take it away"));
        }
        let test = UnixTest {
            path,
            transport: draft.transport,
            protocol: draft.talk,
            response_time: draft.response_time,
            timeout: draft.timeout,
            retry: draft.retry,
        };
        Ok(Test::Unix(test.into()))
    }

    /// `url URL` and its options.
    fn url_test(&mut self, place: Place) -> Parse<Test> {
        self.take();
        if self.token.kind == Kind::Quoted {
            return self.refuse("a URL is written without quotes, and a blank follows it");
        }
        if self.token.kind != Kind::Url {
            return self.unexpected(&["a URL such as http://www.example.com/"]);
        }
        let (mut url, parts) = self.url()?;
        let draft = self.connection_options(Sort::Url, place)?;
        let secured = !url.as_bytes()[..5].eq_ignore_ascii_case(b"http:");
        if draft.asked.on && !secured {
            // Options of TLS encrypt it, whatever the scheme says; the port stays as it was.
            if parts.port.is_none() {
                url.insert_str(parts.host.end, ":80");
            }
            url.insert(4, 's');
        }
        let mut test = UrlTest::new(url);
        test.content = draft.content.map(|(body, _)| body);
        test.tls = if secured || draft.asked.on { draft.asked.tls } else { Tls::default() };
        test.certificate_days = draft.days;
        test.timeout = draft.timeout;
        test.retry = draft.retry;
        Ok(Test::Url(test.into()))
    }

    /// A URL, which is next, in its parts. Its port is one that there is.
    pub(super) fn url(&mut self) -> Parse<(String, url::Parts)> {
        let token = self.take();
        let mut url = self.raw(&token).to_owned();
        let mut parts = match url::parts(&url) {
            Ok(parts) => parts,
            Err(at) => {
                let length = url[at..].chars().next().map_or(0, char::len_utf8);
                let word = url[at..at + length].to_owned();
                let place = self.lexer.files.place(token.file, token.start + at..token.start + at + length);
                let help = match self.raw(&token).contains(['$', '<', '{']) {
                    true => "this looks like a placeholder that nobody filled in; expected a URL",
                    false => "a URL is written http://HOST:PORT/PATH or http://USER:PASSWORD@HOST:PORT/PATH",
                };
                self.note(Mistake::error(place, "syntax error").word(word).help(help));
                return Err(Wrong);
            }
        };
        url::quote_login(&mut url, &mut parts);
        if let Some(port) = parts.port.filter(|port| *port > u64::from(u16::MAX)) {
            let used = port & u64::from(u16::MAX);
            let place = self.place(&token);
            let mistake =
                Mistake::warning(place, "a port is a number from 1 to 65535").word(port.to_string());
            self.advise(mistake.help(format!("Monit 5.33 takes this for {used}; correct it")));
            let digits = url[parts.host.end + 1..].bytes().take_while(u8::is_ascii_digit).count();
            url.replace_range(parts.host.end + 1..=parts.host.end + digits, &used.to_string());
        }
        Ok((url, parts))
    }
}
