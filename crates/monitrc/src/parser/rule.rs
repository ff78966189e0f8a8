//! `if CONDITION [RATE] then ACTION [else …]`

use std::time::Duration;

use hinoban_config::{Branch, Condition, Mistake, Rate, Rule, Then as Act};

use super::{Parse, Parser};
use crate::keyword::Keyword::*;
use crate::token::{Kind, Subject};

/// The most looks that a rate may span: as many as Monit's history has bits.
const HISTORY: i64 = 64;

/// What may stand in a condition where `then` may stand, too.
const OPTIONS: [&str; 21] = [
    "protocol",
    "timeout",
    "retry",
    "host",
    "port",
    "type",
    "request",
    "status",
    "content",
    "hostheader",
    "method",
    "username",
    "password",
    "checksum",
    "send",
    "expect",
    "responsetime",
    "certificate",
    "address",
    "then",
    "within",
];

/// Monit lets a program of `exec` run for as long as it likes.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Parser<'_> {
    /// A rule of the open service; `if` is the next token.
    pub(super) fn rule(&mut self) -> Parse<Rule> {
        let start = self.take();
        let place = self.place(&start);
        let subject = self.draft.as_ref().map_or(Subject::System, |draft| draft.subject);
        let process = subject == Subject::Process;
        let storage =
            matches!(subject, Subject::File | Subject::Directory | Subject::Fifo | Subject::Filesystem);
        let mut inverse = false;
        let when = match self.key() {
            Some(Content | Match) if subject == Subject::File => return self.written(place),
            Some(Not) if process || storage => {
                self.take();
                if subject == Subject::File && self.at(Match) {
                    return self.lacking(place);
                }
                if self.at(Changed) {
                    return self.refuse(
                        "there is no 'not changed' here; in TOML there is: when = \"size not changed\"",
                    );
                }
                self.need(Exist, &["exist"])?;
                Condition::Missing
            }
            Some(Exist) if process || storage => {
                self.take();
                Condition::Exists
            }
            Some(key @ (Failed | Succeeded)) if matches!(subject, Subject::Process | Subject::Host) => {
                inverse = key == Succeeded;
                if inverse && !self.raw(&self.token).eq_ignore_ascii_case("succeeded") {
                    return self.unexpected(&["failed", "succeeded"]);
                }
                self.take();
                self.connection(subject, inverse, place.clone())?
            }
            Some(Changed) if process || storage => return self.changed(subject, place),
            Some(Changed | Status | Content) if subject == Subject::Program => return self.outcome(place),
            Some(FileDescriptors | Total) if process => self.descriptors()?,
            Some(FileDescriptors) if subject == Subject::System => self.system_descriptors()?,
            None if self.token.kind == Kind::Number => {
                return self.restarts(place);
            }
            _ if subject == Subject::Network => return self.network(place),
            _ if storage => self.storage(subject, place.clone())?,
            _ => self.resources(subject)?,
        };
        let (fail, ok) = self.branches(inverse)?;
        Ok(Rule { when, fail, ok, place })
    }

    /// Everything behind the condition. `inverse`: the rule is about success, and recovers by failing.
    pub(super) fn branches(&mut self, inverse: bool) -> Parse<(Branch, Branch)> {
        let fail = self.branch()?;
        Ok((fail, self.recovery(inverse)?))
    }

    /// `else ACTION`, `else if succeeded [RATE] then ACTION`, or nothing, which tells.
    pub(super) fn recovery(&mut self, inverse: bool) -> Parse<Branch> {
        if !self.eat(Else) {
            return Ok(Branch::once(Act::Alert));
        }
        if !self.eat(If) {
            return Ok(Branch::once(self.action()?));
        }
        let (turn, expected) = if inverse { (Failed, "failed") } else { (Succeeded, "succeeded") };
        self.need(turn, &[expected])?;
        self.branch()
    }

    pub(super) fn branch(&mut self) -> Parse<Branch> {
        let rate = self.rate()?;
        if !self.eat(Then) {
            // Whatever is no option ends the condition: it may be one that was misspelt.
            let word = self.raw(&self.token);
            if let (Kind::Word, Some(near)) = (self.token.kind, crate::help::nearest(word, &OPTIONS)) {
                let help = format!("did you mean '{near}'?");
                return self.refuse(help);
            }
            return self.unexpected(&["then", "for N cycles", "N times within M cycles"]);
        }
        Ok(Branch::at(self.action()?, rate))
    }

    /// `for N cycles`, `N times within M cycles`, or nothing.
    fn rate(&mut self) -> Parse<Rate> {
        if self.token.kind != Kind::Number {
            return Ok(Rate::ONCE);
        }
        let place = self.here();
        let count = self.int("a number")?;
        let within = if self.token.kind == Kind::Number { self.int("a number")? } else { count };
        self.need(Cycle, &["cycles"])?;
        let mut wrong = |message: &str, n: i64| {
            let help = "a rate is written 'for 3 cycles' or '3 times within 5 cycles'";
            self.note(Mistake::error(place.clone(), message).word(n.to_string()).help(help));
            Ok(Rate::ONCE)
        };
        if !(1..=HISTORY).contains(&within) {
            return wrong("The number of cycles must be between 1 and 64", within);
        }
        if !(1..=within).contains(&count) {
            return wrong("The number of events must be between 1 and less then poll cycles", count);
        }
        Ok(Rate { count: count as u8, within: within as u8 })
    }

    pub(super) fn action(&mut self) -> Parse<Act> {
        let act = match self.key() {
            Some(Alert) => Act::Alert,
            Some(Start) => Act::Start,
            Some(Stop) => Act::Stop,
            Some(Restart) => Act::Restart,
            Some(Unmonitor) => Act::Unmonitor,
            Some(Exec) => return self.exec(),
            // Of Monit 5.34.
            Some(Ignore) => Act::Nothing,
            Some(Timeout) => {
                return self.refuse(
                    "'timeout' is an action of 'if N restarts within M cycles' only; here it is 'unmonitor'",
                );
            }
            _ => return self.unexpected(&["alert", "start", "stop", "restart", "unmonitor", "exec"]),
        };
        self.take();
        match self.key() {
            Some(Repeat) => self.refuse(
                "'repeat every' belongs to 'exec' only; an alert is repeated by 'set alert … reminder N'",
            ),
            Some(Unmonitor | Exec) if !self.token.fresh => self
                .refuse("a rule has one action; write the rule twice for two (every action alerts anyway)"),
            _ => Ok(act),
        }
    }

    fn exec(&mut self) -> Parse<Act> {
        self.take();
        let mut program = self.command(self.config.limits.exec.unwrap_or(FOR_EVER))?;
        let mut repeat = None;
        loop {
            if self.eat(Repeat) {
                self.need(Every, &["every"])?;
                // 'repeat every cycle' and the time-out are of later versions; 5.33 knows neither.
                let n = if self.at(Cycle) { 1 } else { self.int("a number of cycles")? };
                repeat = u32::try_from(n).ok().filter(|n| *n > 0);
                self.need(Cycle, &["cycles"])?;
            } else if self.eat(Timeout) {
                program.timeout = self.seconds()?;
            } else {
                break;
            }
        }
        Ok(Act::Exec { program: program.into(), repeat })
    }
}
