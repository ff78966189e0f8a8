//! `if failed ping …`

use hinoban_config::{Family, Kind as Type, Mistake, PingTest, Place, Test};

use super::{Parse, Parser};
use crate::keyword::Keyword::*;

/// How many bytes an echo request may have.
const SIZES: std::ops::RangeInclusive<i64> = 8..=1492;

impl Parser<'_> {
    /// `ping`, `ping4`, `ping6` or `icmp type echo`, which is next, and its options; `place` is that of the rule.
    pub(super) fn ping_test(&mut self, place: Place) -> Parse<Test> {
        let token = self.take();
        let family = match self.raw(&token).to_ascii_lowercase().as_str() {
            "ping4" => Family::V4,
            "ping6" => Family::V6,
            _ => Family::Any,
        };
        if token.is(Icmp) {
            self.need(Type, &["type echo"])?;
            self.need(Echo, &["echo"])?;
        }
        let timeout = std::mem::replace(&mut self.captured.ping_timeout, self.captured.network);
        let host = match self.draft.as_ref().map(|draft| &draft.service.kind) {
            Some(Type::Host { address }) => address.clone(),
            _ => "localhost".to_owned(),
        };
        let mut test = PingTest { family, timeout, ..PingTest::new(host) };
        let mut told = false;
        loop {
            match self.key() {
                Some(Count) => {
                    self.take();
                    let n = self.token.clone();
                    let count = self.int("a number of requests")?;
                    test.count = u32::try_from(count).unwrap_or(u32::MAX);
                    if count == 0 {
                        let mistake = Mistake::warning(self.place(&n), "no request is ever sent").word("0");
                        self.advise(mistake.help("the test always fails, as in Monit; write 1 or more"));
                    }
                }
                Some(Size) => {
                    self.take();
                    let n = self.token.clone();
                    let size = self.int("a number of bytes")?;
                    if SIZES.contains(&size) {
                        test.size = u16::try_from(size).unwrap_or_default();
                    } else {
                        let message = if size < *SIZES.start() {
                            "The minimum ping size is 8 bytes"
                        } else {
                            "The maximum ping size is 1492 bytes"
                        };
                        let mistake = Mistake::error(self.place(&n), message).word(size.to_string());
                        self.note(mistake.help("write a number from 8 to 1492, or nothing for 64"));
                    }
                }
                Some(Timeout) => {
                    told = true;
                    test.timeout = self.timeout()?;
                }
                Some(ResponseTime) => test.response_time = Some(self.response_time()?),
                Some(Address) => test.source = Some(self.source_address()?),
                Some(Retry) => return self.refuse("a ping has 'count N' in place of 'retry'"),
                Some(Ipv4) => return self.refuse("write 'ping4'"),
                Some(Ipv6) => return self.refuse("write 'ping6'"),
                _ => break,
            }
        }
        self.late_timeout(timeout, told, &place);
        match test.source {
            Some(source) => self.captured.ping_source = Some(source),
            // Monit 5.33 does not forget the address of the ping before.
            None => {
                test.source = self.captured.ping_source;
                if let Some(source) = test.source {
                    let message = format!("this ping leaves from {source}, as the ping before it says");
                    self.advise(Mistake::warning(place, message).help(
                        "Monit 5.33 keeps that address for all that follow; write 'address' here too to choose another",
                    ));
                }
            }
        }
        Ok(Test::Ping(test.into()))
    }
}
