//! `if failed|succeeded [host …] port … | url …` and the options of the connection.

use std::time::Duration;

use hinoban_config::{
    Condition, Expect as Wanted, Family, Kind as Type, Mistake, Place, PortTest, Protocol as Talk, Test, Tls,
    UrlTest,
};

use super::{Parse, Parser};
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
                self.port_test(host)?
            }
            Some(Port) => {
                let host = match self.draft.as_ref().map(|draft| &draft.service.kind) {
                    Some(Type::Host { address }) => address.clone(),
                    _ => "localhost".to_owned(),
                };
                self.port_test(host)?
            }
            Some(Url) => self.url_test()?,
            Some(UnixSocket) if process => return self.unsupported(place, "if failed unixsocket"),
            Some(Ping | Icmp) if !process => return self.unsupported(place, "if failed ping"),
            Some(Uid | Euid | Gid | Security) if process && !succeeded => return self.attribute_of_process(),
            _ => {
                return self.unexpected(if process {
                    &["port", "host", "url", "unixsocket", "uid", "euid", "gid", "security attribute"]
                } else {
                    &["port", "host", "url", "ping"]
                });
            }
        };
        let expect = if succeeded { Wanted::Succeeded } else { Wanted::Failed };
        Ok(Condition::Test { test, expect })
    }

    /// `port N` and its options, in any order; of two of a kind the last counts.
    fn port_test(&mut self, host: String) -> Parse<Test> {
        self.take();
        let port = self.port()?;
        let mut test = PortTest {
            host,
            port,
            family: Family::Any,
            protocol: Talk::Default,
            tls: None,
            timeout: self.captured.network,
            retry: 1,
            ..PortTest::new("", 0)
        };
        let mut https = false;
        let mut asked: Option<Place> = None;
        loop {
            match self.key() {
                Some(Ipv4) => {
                    self.take();
                    test.family = Family::V4;
                }
                Some(Ipv6) => {
                    self.take();
                    test.family = Family::V6;
                }
                Some(Type) => {
                    self.take();
                    match self.key() {
                        Some(Tcp) => {
                            self.take();
                        }
                        Some(TcpSsl) => {
                            asked = Some(self.here());
                            self.take();
                            while matches!(self.key(), Some(NewTls | OldTls | DeadSsl)) {
                                self.tls_version()?;
                            }
                            test.tls.get_or_insert_default();
                        }
                        Some(Udp) => return self.unsupported_here("type udp"),
                        _ => return self.unexpected(&["tcp", "udp", "tcpssl"]),
                    }
                }
                Some(Protocol) => {
                    self.take();
                    (test.protocol, https) = self.protocol()?;
                }
                Some(Ssl) => {
                    let options = self.tls()?;
                    asked = Some(options.place);
                    test.tls = Some(Tls {
                        verify: Some(options.verify),
                        ca_file: options.ca_file,
                        ..Tls::default()
                    });
                }
                Some(Timeout) => test.timeout = self.timeout()?,
                Some(Retry) => test.retry = self.retry()?,
                Some(Send | Expect) => return self.unsupported_here("send and expect"),
                Some(Content) => return self.unsupported_here("content of an answer"),
                Some(ResponseTime) => return self.unsupported_here("responsetime"),
                Some(Address) => return self.unsupported_here("address of a connection"),
                Some(Certificate | CertMd5) => return self.unsupported_here("certificate"),
                Some(Host) => {
                    return self.refuse("the host stands before the port: if failed host NAME port N");
                }
                Some(
                    Method | Request | Status | HostHeader | HttpHeaders | Username | Password | Checksum,
                ) => {
                    return self.refuse("options of a protocol stand directly behind it: protocol http request \"/\" status = 200");
                }
                _ => break,
            }
        }
        if https {
            test.tls.get_or_insert_default();
        } else if let Some(place) = asked
            && STARTTLS.contains(&port)
        {
            test.tls = None;
            let mistake = Mistake::warning(
                place,
                format!("TLS on port {port} begins with STARTTLS, which this protocol does not speak"),
            );
            self.note(mistake.help(
                "the test runs without TLS, as in Monit; say 'protocol smtp' or 'imap' where that is spoken",
            ));
        }
        if self.token.kind == Kind::Percent || matches!(self.key(), Some(Second | Minute)) {
            return self.unexpected(&["then"]);
        }
        Ok(Test::Port(test.into()))
    }

    fn url_test(&mut self) -> Parse<Test> {
        self.take();
        if self.token.kind == Kind::Quoted {
            return self.refuse("a URL is written without quotes, and a blank follows it");
        }
        if self.token.kind != Kind::Url {
            return self.unexpected(&["a URL such as http://www.example.com/"]);
        }
        let token = self.take();
        let mut test = UrlTest {
            url: self.raw(&token).to_owned(),
            masked: None,
            status: None,
            tls: Tls::default(),
            timeout: self.captured.network,
            retry: 1,
            ..UrlTest::new("")
        };
        loop {
            match self.key() {
                Some(Timeout) => test.timeout = self.timeout()?,
                Some(Retry) => test.retry = self.retry()?,
                Some(Content) => return self.unsupported_here("content of an answer"),
                Some(Ssl) => return self.unsupported_here("ssl options of a URL"),
                Some(Certificate | CertMd5) => return self.unsupported_here("certificate"),
                Some(ResponseTime) => {
                    return self
                        .refuse("'responsetime' belongs to a test of a port; write 'if failed port …'");
                }
                _ => break,
            }
        }
        Ok(Test::Url(test.into()))
    }

    /// `timeout N seconds`, which is next. Monit 5.33 takes 0 and then aborts when the test runs.
    fn timeout(&mut self) -> Parse<Duration> {
        let place = self.here();
        self.take();
        let timeout = self.seconds()?;
        if timeout.is_zero() {
            let mistake = Mistake::error(place, "a time-out of 0 seconds leaves no time for an answer");
            self.note(mistake.word("0").help("write at least 1 second"));
        }
        Ok(timeout)
    }

    /// `retry N`, which is next; 0 is one attempt too.
    fn retry(&mut self) -> Parse<u32> {
        self.take();
        let n = self.int("a number of attempts")?;
        Ok(u32::try_from(n).unwrap_or(u32::MAX).max(1))
    }
}
