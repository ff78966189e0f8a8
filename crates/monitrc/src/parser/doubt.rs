//! What parses, and rarely means what was meant. Monit passes over all of it in silence; each gets a word here.

use hinoban_config::{Condition, Kind as Type, Mistake, Operator, Place, ResponseTime, Rule, Service, Test};
use hinoban_reading::{Metric, Value as Limit, metrics};

use super::Parser;
use super::service::Draft;
use crate::keyword::Keyword;
use crate::token::{Kind, Token};

/// What is counted in bytes, and could have been meant in percent.
const SIZES: [Metric; 6] = [
    metrics::MEMORY,
    metrics::MEMORY_TOTAL,
    metrics::SWAP,
    metrics::SPACE,
    metrics::SPACE_FREE,
    metrics::SIZE,
];

/// Rules of one service that are compared with each other: looking for equal ones costs their square.
const COMPARED: usize = 64;

/// Programs that understand what a shell does.
const SHELLS: [&str; 12] =
    ["sh", "bash", "dash", "ash", "zsh", "ksh", "su", "sudo", "ssh", "perl", "awk", "busybox"];

impl Parser<'_> {
    /// A rule that has just been read, from the token `start` to the one that is next.
    pub(super) fn doubt(&mut self, rule: &Rule, start: &Token) {
        let found = match &rule.when {
            Condition::Compare { metric, operator, limit } => {
                let text = self.written_from(start);
                compared(metric, *operator, limit, &text)
            }
            Condition::Content { metric, fails_on_match: false, .. } if metric.starts_with("content.") => {
                Some((
                    "each line that does not match makes this rule fail".to_owned(),
                    "'!=' does not mean that the text is nowhere in the file; leave lines out with 'ignore content'",
                ))
            }
            Condition::Test { test, .. } => slow(test),
            _ => None,
        };
        if let Some((message, help)) = found {
            self.advise(Mistake::warning(rule.place.clone(), message).help(help));
        }
        let rules = self.draft.as_ref().map_or(&[][..], |draft| &draft.service.rules);
        let twice = |other: &&Rule| other.place.line > 0 && *other == rule;
        if rules.len() < COMPARED && rules.iter().any(|other| twice(&other)) {
            let mistake = Mistake::warning(rule.place.clone(), "this rule is written twice");
            self.advise(mistake.help("all it does is done twice; take one of them out"));
        }
    }

    /// A statement from one of its tokens to the next token, comments and all; nothing if a file began or ended within.
    fn written_from(&self, start: &Token) -> String {
        let end = if self.token.file == start.file { self.token.start } else { start.start };
        self.lexer.files.slice(start.file, start.start..end.max(start.start)).to_ascii_lowercase()
    }

    /// Words that stand behind the closing quote of a command.
    pub(super) fn doubt_words(&mut self, place: Place, words: &[String]) {
        let message = "these words became arguments of the command";
        let help = match words[0].as_str() {
            "user" => "whom to run it as is written: as uid NAME",
            "group" => "whom to run it as is written: as gid NAME",
            _ => {
                "plain words behind the closing quote go on with the command; take them out, or put them into the quotes"
            }
        };
        self.advise(Mistake::warning(place, message).word(words.join(" ")).help(help));
    }

    /// A command as a shell would read it.
    pub(super) fn doubt_shell(&mut self, place: Place, words: &[String]) {
        let shell = |word: &String| SHELLS.contains(&word.rsplit('/').next().unwrap_or(word));
        let special = |word: &&String| {
            matches!(word.as_str(), "|" | "||" | "&" | "&&" | ";" | ">" | ">>" | "<" | "2>&1" | "2>" | "&>")
                || ["`", "$(", "${", "$MONIT_"].iter().any(|sign| word.contains(sign))
        };
        if let Some(sign) = words.iter().find(special)
            && !words.iter().any(shell)
        {
            let message = "there is no shell: this is passed to the program as it is";
            let help = "have a shell run it: \"/bin/sh -c 'first | second'\"";
            self.advise(Mistake::warning(place, message).word(sign.clone()).help(help));
        }
    }

    /// An option of a service that replaces an earlier one.
    pub(super) fn doubt_again(&mut self, place: Place, again: bool, what: &str) {
        if again {
            let mistake = Mistake::warning(place, format!("only the last '{what}' of a service counts"));
            self.advise(mistake.help("take the others out"));
        }
    }

    /// A service that is whole.
    pub(super) fn doubt_service(&mut self, service: &Service) {
        let words = |program: &Option<hinoban_config::Program>| program.as_ref().map(|p| p.words.clone());
        let (Some(start), Some(stop)) = (words(&service.start), words(&service.stop)) else { return };
        if start == stop && !matches!(service.kind, Type::System) {
            let message = format!("{} is stopped by the same command as it is started", service.name);
            let mistake = Mistake::warning(service.place.clone(), message);
            self.advise(mistake.help("a restart runs it twice; correct the stop program"));
        }
    }

    /// A setting that holds from where it stands, behind services that it does not reach.
    pub(super) fn doubt_late(&mut self, setting: &Token) {
        let above = self.config.services.len();
        if above == 0 || !(setting.is(Keyword::Limits) || setting.is(Keyword::OnReboot)) {
            return;
        }
        let who = if above == 1 { "the service".to_owned() } else { format!("the {above} services") };
        let message = format!("this holds for what is written below it, not for {who} above");
        let help = "write it before all services; of limits only those of buffers reach what is above";
        self.advise(Mistake::warning(self.place(setting), message).help(help));
    }

    /// A pattern in quotes that is read as the name of a file.
    pub(super) fn doubt_pattern_file(&mut self, token: &Token) {
        if token.kind != Kind::Path || !self.raw(token).starts_with(['"', '\'']) {
            return;
        }
        let place = self.place(token);
        let message = "this is read as the name of a file of patterns, because it begins with /";
        let help = "if it was meant as a pattern, write \"[/]…\"; if not, it can do without quotes";
        self.advise(Mistake::warning(place, message).help(help));
    }
}

/// What is odd about a comparison, which stands in `text`, in lower case.
fn compared(metric: &str, operator: Operator, limit: &Limit, text: &str) -> Option<(String, &'static str)> {
    let words = || text.split(|c: char| c.is_whitespace() || "(),;".contains(c));
    let condition = text.split(" then").next().unwrap_or(text);
    if text.contains("cpu()") || text.contains("cpu ()") {
        return Some((
            "'cpu()' is only what programs use, without the kernel".to_owned(),
            "write cpu(user) if that was meant, and 'cpu' for all of it",
        ));
    }
    if operator == Operator::Equal && !metric.is_empty() {
        let equal = |word: &str| matches!(word, "=" | "==" | "eq" | "equal");
        if !text.starts_with("if failed") && !words().any(equal) {
            return Some((
                "without an operator this means 'is equal to'".to_owned(),
                "write one of > >= < <= = != before the number",
            ));
        }
    }
    let bytes = SIZES.iter().any(|size| *size.name == *metric);
    if bytes
        && condition.contains("/s")
        && words().any(|word| word.ends_with("b/s") || word.ends_with("bytes/s"))
    {
        return Some((
            "this is a size, and '/s' says nothing about it".to_owned(),
            "leave it out, or test 'read' or 'write' for a rate",
        ));
    }
    match limit {
        Limit::Int(n @ 1..=100) if bytes && *metric != *metrics::SIZE.name => {
            Some((format!("without a unit this is {n} bytes"), "write % for percent, or KB, MB or GB"))
        }
        Limit::Real(n)
            if metric.ends_with("percent")
                && *n >= 100.0
                && matches!(operator, Operator::Greater | Operator::GreaterOrEqual) =>
        {
            let never = *n > 100.0 || operator == Operator::Greater;
            never.then(|| {
                (
                    format!("this is never above {n} %"),
                    "it is measured so that all of it is 100 %; lower the limit",
                )
            })
        }
        _ => None,
    }
}

/// A limit of time that holds when a server is slow.
fn slow(test: &Test) -> Option<(String, &'static str)> {
    let limit = match test {
        Test::Port(port) => port.response_time.as_ref(),
        Test::Unix(unix) => unix.response_time.as_ref(),
        Test::Ping(ping) => ping.response_time.as_ref(),
        _ => None,
    };
    let ResponseTime { operator, .. } = limit?;
    matches!(operator, Operator::Greater | Operator::GreaterOrEqual).then(|| {
        (
            "this rule fails when the answer is quick".to_owned(),
            "'responsetime' says what must hold: write < to be told of slow answers",
        )
    })
}

impl Draft {
    /// Whether this program is set already.
    pub(super) fn has(&self, key: Keyword) -> bool {
        let program = match key {
            Keyword::Start => &self.service.start,
            Keyword::Stop => &self.service.stop,
            _ => &self.service.restart,
        };
        program.is_some()
    }
}
