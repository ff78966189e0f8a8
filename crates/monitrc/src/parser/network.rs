//! `if link down …`, `if upload > 1 MB/s …`: rules about network interfaces.

use hinoban_config::{Branch, Change, Condition, Mistake, Operator, Place, Rule, Then as Act};
use hinoban_reading::{Metric, Period, Total as Within, Traffic, Value as Limit, metrics};

use super::{Parse, Parser};
use crate::keyword::Keyword::*;
use crate::token::Kind;

impl Parser<'_> {
    /// The rule behind `if`, of a network interface.
    pub(super) fn network(&mut self, place: Place) -> Parse<Rule> {
        let (when, inverse) = match self.key() {
            Some(Failed) => {
                self.take();
                self.need(Link, &["link"])?;
                (Condition::Missing, false)
            }
            Some(Link) => {
                self.take();
                let up = self.at(Up);
                if !up && !self.at(Down) {
                    return self.unexpected(&["up", "down"]);
                }
                self.take();
                (if up { Condition::Exists } else { Condition::Missing }, up)
            }
            Some(Changed) => {
                self.take();
                self.need(Link, &["link"])?;
                let metric = metrics::LINK_CAPACITY.name.into_owned();
                (Condition::Changed { metric, expect: Change::Changed }, false)
            }
            Some(Saturation) => {
                self.take();
                let operator = self.operator()?;
                let percent = self.int("a whole number")?;
                if !self.percent() {
                    return self.unexpected(&["%"]);
                }
                let metric = metrics::SATURATION.name.into_owned();
                (Condition::Compare { metric, operator, limit: Limit::Int(percent) }, false)
            }
            Some(Total) => {
                self.take();
                (self.traffic(true)?, false)
            }
            Some(Upload | Download) => (self.traffic(false)?, false),
            _ => {
                return self.unexpected(&[
                    "link up",
                    "link down",
                    "failed link",
                    "changed link",
                    "saturation",
                    "upload",
                    "download",
                    "total upload",
                    "total download",
                ]);
            }
        };
        if matches!(when, Condition::Missing | Condition::Exists) {
            self.one_way(&when, &place);
        }
        let (fail, ok) = self.branches(inverse)?;
        Ok(Rule { when, fail, ok, place })
    }

    /// `upload > 1 MB/s`, `download > 100 packets/s`, `upload > 1 GB in last 2 hours` behind `total`.
    fn traffic(&mut self, total: bool) -> Parse<Condition> {
        let upload = self.at(Upload);
        if !upload && !self.at(Download) {
            return self.unexpected(&["upload", "download"]);
        }
        self.take();
        let operator = self.operator()?;
        if self.token.kind == Kind::Real {
            return self.refuse("a limit of traffic is a whole number; write 1536 KB/s instead of 1.5 MB/s");
        }
        let amount = self.int("a whole number")?;
        let packets = self.eat(Packet);
        let unit = if packets { 1 } else { self.byte_unit().unwrap_or(1) };
        let of = match (upload, packets) {
            (true, false) => Traffic::UploadBytes,
            (true, true) => Traffic::UploadPackets,
            (false, false) => Traffic::DownloadBytes,
            (false, true) => Traffic::DownloadPackets,
        };
        let metric = match total {
            true => self.within(of)?,
            false => {
                self.eat(Second);
                each_second(of)
            }
        };
        let limit = Limit::Int(amount.saturating_mul(unit));
        Ok(Condition::Compare { metric: metric.name.into_owned(), operator, limit })
    }

    /// `in last 2 hours`; without a number it is one.
    fn within(&mut self, of: Traffic) -> Parse<Metric> {
        let place = self.here();
        let count = if self.token.kind == Kind::Number { self.int("a number")? } else { 1 };
        // A day is 24 hours, of which it may be no more than that.
        let written = count;
        let (count, unit, most) = match self.key() {
            Some(Minute) => (count, Period::Minute, 60),
            Some(Hour) => (count, Period::Hour, 24),
            Some(Day) => (count.saturating_mul(24), Period::Hour, 24),
            _ => return self.unexpected(&["minutes", "hours", "day"]),
        };
        self.take();
        let total = u32::try_from(count).ok().filter(|count| (1..=most).contains(count));
        match total {
            Some(count) => Ok(Within { of, count, unit }.metric()),
            None => {
                let message = match unit {
                    Period::Minute => "Maximum value for [minute(s)] unit is 60",
                    _ => "Maximum range for total test is 24 hours",
                };
                let help = "write 1 to 60 minutes, 1 to 24 hours, or 1 day; TOML takes up to 31 days";
                self.note(Mistake::error(place, message).word(written.to_string()).help(help));
                Err(super::Wrong)
            }
        }
    }

    /// A service asks for its link to be there or not to be there, and not for both.
    fn one_way(&mut self, when: &Condition, place: &Place) {
        let rules = self.draft.as_ref().map_or(&[][..], |draft| &draft.service.rules);
        if rules.iter().any(|rule| rule.is_existence() && rule.when != *when) {
            let mistake = Mistake::error(place.clone(), "Mixing link up and down tests is not supported");
            self.note(mistake.help("check the same interface in a second service, for the other of the two"));
        }
    }
}

fn each_second(of: Traffic) -> Metric {
    match of {
        Traffic::UploadBytes => metrics::UPLOAD_RATE,
        Traffic::UploadPackets => metrics::UPLOAD_PACKETS_RATE,
        Traffic::DownloadBytes => metrics::DOWNLOAD_RATE,
        Traffic::DownloadPackets => metrics::DOWNLOAD_PACKETS_RATE,
    }
}

/// The rules that follow from those about the link, or from there being none: Monit tells of errors of the interface by the
/// same rule, where it asks for a link. Here they have rules of their own beside it, so that neither hides the other.
pub(super) fn implied(written: &[Rule]) -> Vec<Rule> {
    let down = Rule { fail: Branch::once(Act::Alert), ..Rule::existence() };
    let link: Vec<&Rule> = written.iter().filter(|rule| rule.is_existence()).collect();
    let mut implied = Vec::new();
    let of = match link[..] {
        [] => {
            implied.push(down.clone());
            vec![&down]
        }
        _ => link,
    };
    for rule in of.into_iter().filter(|rule| rule.when == Condition::Missing) {
        for metric in [metrics::UPLOAD_ERRORS_RATE, metrics::DOWNLOAD_ERRORS_RATE] {
            let metric = metric.name.into_owned();
            let when = Condition::Compare { metric, operator: Operator::Greater, limit: Limit::Int(0) };
            implied.push(Rule { when, ..rule.clone() });
        }
    }
    implied
}
