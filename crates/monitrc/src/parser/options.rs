//! The options of a connection.

use std::net::IpAddr;
use std::time::Duration;

use hinoban_config::{
    Body, Family, HttpTest, Mistake, Place, Protocol as Talk, ResponseTime as Time, Step, Transport,
};

use super::tls::{Asked, is_version};
use super::{Parse, Parser, Wrong};
use crate::keyword::Keyword::*;
use crate::token::Kind;

/// What a connection leads to; it says which options there are.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Sort {
    Port,
    Url,
    Unix,
}

/// A connection as it is being read: its options stand in any order, and of two of a kind the last counts.
pub(super) struct Draft {
    pub(super) transport: Transport,
    pub(super) talk: Talk,
    /// What was said about HTTP so far, even if another protocol was named since.
    pub(super) http: HttpTest,
    pub(super) asked: Asked,
    /// What is wrong with the options of the protocol, unless another one is named.
    pub(super) flaw: Option<Mistake>,
    pub(super) family: Family,
    pub(super) source: Option<IpAddr>,
    pub(super) content: Option<(Body, Place)>,
    steps: Vec<Step>,
    /// Where the first of them stands.
    said: Option<Place>,
    pub(super) days: Option<u32>,
    pub(super) response_time: Option<Time>,
    pub(super) timeout: Duration,
    pub(super) retry: u32,
}

impl Draft {
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            transport: Transport::Tcp,
            talk: Talk::Default,
            http: HttpTest::default(),
            asked: Asked::default(),
            flaw: None,
            family: Family::Any,
            source: None,
            content: None,
            steps: Vec::new(),
            said: None,
            days: None,
            response_time: None,
            timeout,
            retry: 1,
        }
    }
}

impl Parser<'_> {
    /// The options of a connection, up to where its rate or action begins; `place` is that of the rule.
    pub(super) fn connection_options(&mut self, sort: Sort, place: Place) -> Parse<Draft> {
        let timeout = std::mem::replace(&mut self.captured.port_timeout, self.captured.network);
        let mut draft = Draft::new(timeout);
        let mut told = false;
        while let Some(key) = self.key() {
            told |= key == Timeout;
            if !self.connection_option(sort, key, &mut draft)? {
                break;
            }
        }
        if self.token.kind == Kind::Percent || matches!(self.key(), Some(Second | Minute)) {
            return self.unexpected(&["then"]);
        }
        self.late_timeout(timeout, told, &place);
        if sort != Sort::Url {
            self.finish(&mut draft, place)?;
        }
        Ok(draft)
    }

    /// Reads one option; `false`: the next token is none.
    fn connection_option(
        &mut self,
        sort: Sort,
        key: crate::keyword::Keyword,
        draft: &mut Draft,
    ) -> Parse<bool> {
        let (port, url, unix) = (sort == Sort::Port, sort == Sort::Url, sort == Sort::Unix);
        match key {
            Timeout => draft.timeout = self.timeout()?,
            Retry => draft.retry = self.retry()?,
            Ipv4 | Ipv6 if port => {
                self.take();
                draft.family = if key == Ipv4 { Family::V4 } else { Family::V6 };
            }
            Type if !url => self.transport(draft)?,
            Protocol if !url => {
                self.take();
                self.protocol(draft)?;
            }
            Send | Expect if !url => self.step(draft)?,
            ResponseTime if !url => draft.response_time = Some(self.response_time()?),
            Content if !unix => {
                let place = self.here();
                draft.content = Some((self.body()?, place));
            }
            Address if port => draft.source = Some(self.source_address()?),
            Ssl if !unix => self.tls(&mut draft.asked)?,
            Certificate if !unix => self.certificate(draft)?,
            Host => {
                return self.refuse("the host stands before the port: if failed host NAME port N");
            }
            Method | Request | Status | HostHeader | HttpHeaders | Username | Password | Checksum if !url => {
                return self.refuse(
                    "options of a protocol stand directly behind it: protocol http request \"/\" status = 200",
                );
            }
            CertMd5 if port => {
                return self
                    .refuse("write certificate checksum \"DIGEST\"; 'certmd5' belongs to 'type tcpssl'");
            }
            ResponseTime => {
                return self.refuse("'responsetime' belongs to a test of a port; write 'if failed port …'");
            }
            Ssl | Certificate | Content | Address | Ipv4 | Ipv6 if unix => {
                return self.refuse("a test of a unix socket has no such option");
            }
            Send | Expect | Protocol | Type | Address | Ipv4 | Ipv6 | Status | Request | Method if url => {
                return self.refuse(
                    "a test of a URL has no such option; write 'if failed host NAME port N protocol http …'",
                );
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// `type tcp|udp|tcpssl …`, which is next.
    fn transport(&mut self, draft: &mut Draft) -> Parse<()> {
        self.take();
        let place = self.here();
        let key = self.key();
        draft.transport = match key {
            Some(Tcp | TcpSsl) => Transport::Tcp,
            Some(Udp) => Transport::Udp,
            _ => return self.unexpected(&["tcp", "udp", "tcpssl"]),
        };
        self.take();
        if key != Some(TcpSsl) {
            return Ok(());
        }
        (draft.asked.on, draft.asked.place) = (true, Some(place));
        loop {
            match self.key() {
                Some(CertMd5) => self.cert_md5(&mut draft.asked)?,
                version if is_version(version) => self.tls_version(&mut draft.asked)?,
                _ => return Ok(()),
            }
        }
    }

    /// `send TEXT` or `expect PATTERN`, which is next. A conversation is written down or has a name, not both.
    fn step(&mut self, draft: &mut Draft) -> Parse<()> {
        let place = self.here();
        let sending = self.take().is(Send);
        if !matches!(draft.talk, Talk::Default | Talk::Generic(_)) {
            let name = draft.talk.name();
            return self.refuse(format!(
                "protocol {name} has its own conversation; leave it away to write one down with 'send' and 'expect'"
            ));
        }
        draft.steps.push(if sending {
            Step::Send(self.string("a text in quotes")?)
        } else if self.token.kind == Kind::Path {
            return self.unexpected(&["a regular expression in quotes"]);
        } else {
            Step::Expect(self.regex()?)
        });
        draft.said.get_or_insert(place);
        draft.talk = Talk::Generic(Vec::new());
        Ok(())
    }

    /// `content = PATTERN` or `content != PATTERN`, which is next.
    fn body(&mut self) -> Parse<Body> {
        self.take();
        let matches = match self.key() {
            Some(Equal) => true,
            Some(NotEqual) => false,
            _ => return self.unexpected(&["=", "!="]),
        };
        self.take();
        if self.token.kind == Kind::Path {
            return self.unexpected(&["a regular expression in quotes"]);
        }
        Ok(Body { pattern: self.regex()?, matches })
    }

    /// `certificate checksum …` or `certificate valid …`, which is next.
    fn certificate(&mut self, draft: &mut Draft) -> Parse<()> {
        let place = self.here();
        self.take();
        if self.at(Checksum) {
            draft.asked.tls.checksum = Some(self.expected_digest()?);
        } else if self.eat(Valid) {
            self.eat(Greater);
            let days = self.int("a number of days")?;
            if !self.eat(Day) {
                return self.unexpected(&["days"]);
            }
            // 0 days ask for nothing.
            draft.days = u32::try_from(days).ok().filter(|days| *days > 0);
        } else {
            return self.unexpected(&["valid", "checksum"]);
        }
        draft.asked.on = true;
        draft.asked.place.get_or_insert(place);
        Ok(())
    }

    /// `responsetime [OPERATOR] N ms|s`, which is next.
    pub(super) fn response_time(&mut self) -> Parse<Time> {
        self.take();
        let operator = self.operator()?;
        let n = self.int("a number")?.unsigned_abs();
        let limit = match self.key() {
            Some(Millisecond) => Duration::from_millis(n),
            Some(Second) => Duration::from_secs(n),
            _ => return self.unexpected(&["ms", "seconds"]),
        };
        self.take();
        Ok(Time { operator, limit })
    }

    /// `address ADDRESS`, which is next: the address of this machine that is connected from.
    pub(super) fn source_address(&mut self) -> Parse<IpAddr> {
        self.take();
        let place = self.here();
        let text = self.string("an address of this machine")?;
        match text.parse() {
            Ok(address) => Ok(address),
            Err(_) => {
                let mistake =
                    Mistake::error(place, format!("IP address parsing failed for {text} --")).word(text);
                self.note(mistake.help("write an IPv4 or IPv6 address that this machine has, not a name"));
                Err(Wrong)
            }
        }
    }

    /// `timeout N seconds`, which is next. Monit 5.33 takes 0 and then aborts when the test runs.
    pub(super) fn timeout(&mut self) -> Parse<Duration> {
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

    /// Tells that a rule has the time-out that held before `set limits`, if it does.
    pub(super) fn late_timeout(&mut self, timeout: Duration, told: bool, place: &Place) {
        if told || timeout == self.captured.network {
            return;
        }
        let message =
            format!("this test has {} s for an answer, not what 'set limits' says", timeout.as_secs_f32());
        self.advise(Mistake::warning(place.clone(), message).help(
            "Monit takes the limit that held when the test before it ended, and 5 s for the first; write 'timeout N seconds' here",
        ));
    }

    /// Brings the parts of a conversation together and looks at how they fit.
    fn finish(&mut self, draft: &mut Draft, place: Place) -> Parse<()> {
        if let Some(flaw) = draft.flaw.take() {
            self.note(flaw);
            return Err(Wrong);
        }
        let steps = std::mem::take(&mut draft.steps);
        if let Talk::Http(http) = &mut draft.talk {
            **http = std::mem::take(&mut draft.http);
        }
        match &mut draft.talk {
            Talk::Generic(all) => *all = steps,
            talk if !steps.is_empty() => {
                let message = format!(
                    "protocol {} takes the place of what is sent and expected before it",
                    talk.name()
                );
                let place = draft.said.take().unwrap_or_default();
                self.advise(Mistake::warning(place, message).help("leave one of the two away"));
            }
            _ => {}
        }
        match &mut draft.talk {
            Talk::Http(http) => {
                let looked_at = http.content.is_some() || draft.content.is_some() || http.checksum.is_some();
                if looked_at && http.method == hinoban_config::Method::Head {
                    let place = draft.content.as_ref().map_or(place, |(_, place)| place.clone());
                    let mistake = Mistake::error(
                        place,
                        "if response content or checksum test is enabled, the HEAD method is not allowed",
                    );
                    self.note(mistake.word("head").help("take 'method head' away"));
                    return Err(Wrong);
                }
                if let Some((body, _)) = draft.content.take() {
                    http.content = Some(body);
                }
            }
            talk => {
                if let Some((_, place)) = draft.content.take() {
                    let message = format!(
                        "the content of an answer is looked at with HTTP only, not with {}",
                        talk.name()
                    );
                    self.advise(
                        Mistake::warning(place, message)
                            .help("write 'protocol http' before it, or take it away"),
                    );
                }
            }
        }
        if matches!(draft.talk, Talk::Radius { .. }) && draft.transport != Transport::Udp {
            let mistake = Mistake::error(place, "Radius protocol test supports UDP only").word("radius");
            self.note(mistake.help("write 'type udp protocol radius'"));
            return Err(Wrong);
        }
        Ok(())
    }
}
