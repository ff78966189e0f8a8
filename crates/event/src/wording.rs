use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Because, Doing, Event, Fact, Failure, Report};

/// How grave a line of the log is; the words and their order are those of syslog(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Something failed.
    Error,
    /// Something may be about to fail, or does not work as it should.
    Warning,
    /// Something happened.
    Info,
    /// For whoever looks for a fault in the configuration.
    Debug,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Info => "info",
            Level::Debug => "debug",
        })
    }
}

impl Event {
    /// How grave its line in the log is.
    pub fn level(&self) -> Level {
        match &self.fact {
            Fact::GaveUp { .. } | Fact::Failed(_) | Fact::NotSeen { .. } | Fact::Ended { ok: false, .. } => {
                Level::Error
            }
            Fact::Doubted(_) | Fact::Limited { .. } | Fact::Held { .. } | Fact::ClockJumped { .. } => {
                Level::Warning
            }
            Fact::Stopped { left, .. } if !left.is_empty() => Level::Warning,
            _ => Level::Info,
        }
    }

    /// Its line in the log: the name of the service in quotes, then what happened.
    ///
    /// Where Monit logs the same happening, the line is Monit's, for scripts read it.
    pub fn line(&self) -> String {
        format!("'{}' {}", self.service, self.description())
    }

    /// What happened, without the name of the service.
    pub fn description(&self) -> String {
        match &self.fact {
            Fact::Started { who } => format!("{who} started"),
            Fact::Stopped { who, left } => {
                let left: String = left.iter().map(|sentence| format!("; {sentence}")).collect();
                format!("{who} stopped{left}")
            }
            Fact::Reloaded { added, removed, changed } => reloaded(added, removed, changed),
            Fact::Failed(failure) => failed(failure),
            Fact::Doubted(failure) => failure.text.clone(),
            Fact::Recovered(recovery) => recovery.text.clone(),
            Fact::NotSeen { why } => format!("could not be looked at -- {why}"),
            Fact::Seen => "can be looked at again".to_owned(),
            Fact::EndingLearned(ending) => format!("{ending}"),
            Fact::Began { doing, command: Some(command), .. } => format!("{}: '{command}'", doing.word()),
            Fact::Began { doing, command: None, .. } => format!("trying to {}", doing.word()),
            Fact::Ended { doing, because, ok, report } => ended(doing, because, *ok, report),
            Fact::Commanded { doing, by } => format!("{} on user request ({by})", doing.word()),
            Fact::Monitoring { on: true } => "monitoring enabled".to_owned(),
            Fact::Monitoring { on: false } => "monitoring disabled".to_owned(),
            Fact::Limited { what } => what.clone(),
            Fact::ClockJumped { by } => {
                let way = if *by < 0 { "was set back by" } else { "leapt ahead by" };
                let slept = if *by < 0 { "" } else { ", or the host slept" };
                format!(
                    "the clock {way} {} s{slept}: each service is looked at once within one of its periods",
                    by.unsigned_abs()
                )
            }
            Fact::Held { doing, why } => format!("{} is put off: {why}", doing.word()),
            Fact::GaveUp { text, times: 0 | 1, .. } => format!("is given up: {text}"),
            Fact::GaveUp { text, .. } => format!("is still given up: {text}"),
        }
    }
}

fn failed(failure: &Failure) -> String {
    let ending = failure.ending.as_ref().map(|e| e.to_string());
    let more: Vec<&str> = failure.detail.as_deref().into_iter().chain(ending.as_deref()).collect();
    match more.join("; ") {
        more if more.is_empty() => failure.text.clone(),
        more => format!("{} -- {more}", failure.text),
    }
}

fn reloaded(added: &[String], removed: &[String], changed: &[String]) -> String {
    let part = |word: &str, names: &[String]| match names {
        [] => String::new(),
        names => format!("; {word}: {}", names.join(", ")),
    };
    let parts = part("added", added) + &part("removed", removed) + &part("changed", changed);
    if parts.is_empty() { "reloaded; no service changed".to_owned() } else { format!("reloaded{parts}") }
}

fn ended(doing: &Doing, because: &Because, ok: bool, report: &Report) -> String {
    let word = doing.word();
    if ok {
        return match because {
            Because::Command { .. } => format!("{word} action done"),
            Because::Rule { .. } => format!("{word} done in {} ms", report.took.as_millis()),
            Because::Dependency { service, .. } => {
                format!("{word} done in {} ms, because of '{service}'", report.took.as_millis())
            }
        };
    }
    format!("failed to {word}{}", report.failure())
}

impl Report {
    /// Why the action failed, to follow "failed to start": exit status, trouble and the tail of the output.
    pub fn failure(&self) -> String {
        let mut text = String::new();
        let cause = match (&self.trouble, &self.exit) {
            (Some(trouble), Some(exit)) => Some(format!("{}; {trouble}", Exit(exit))),
            (Some(trouble), None) => Some(trouble.clone()),
            (None, Some(exit)) => Some(Exit(exit).to_string()),
            (None, None) => None,
        };
        if let Some(cause) = cause {
            text.push_str(&format!(" ({cause})"));
        }
        match self.output.trim_end() {
            "" => text.push_str(" -- no output"),
            output => text.push_str(&format!(" -- {output}")),
        }
        text
    }
}

/// An exit in the few words of a log line: `exit status 3`.
struct Exit<'a>(&'a hinoban_reading::How);

impl fmt::Display for Exit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            hinoban_reading::How::Exited { status } => write!(f, "exit status {status}"),
            how => write!(f, "the program {how}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hinoban_reading::{How, Stamp, Unit, Value};

    use super::*;
    use crate::{Class, Comparison};

    fn line(fact: Fact) -> String {
        Event { id: 1, at: Stamp::default(), service: "bad".into(), fact }.line()
    }

    #[test]
    fn a_failed_start_reads_as_scripts_expect_it() {
        let report = Report {
            exit: Some(How::Exited { status: 3 }),
            output: String::new(),
            took: Duration::from_secs(2),
            trouble: None,
        };
        let because = Because::Rule { text: "process is not running".into() };
        let fact = Fact::Ended { doing: Doing::Start, because, ok: false, report };
        assert_eq!(line(fact), "'bad' failed to start (exit status 3) -- no output");
    }

    #[test]
    fn a_command_reads_as_scripts_expect_it() {
        let because = Because::Command { by: "cli".into() };
        let began =
            Fact::Began { doing: Doing::Stop, command: Some("/cmd stop".into()), because: because.clone() };
        assert_eq!(line(began), "'bad' stop: '/cmd stop'");
        let ended = Fact::Ended { doing: Doing::Stop, because, ok: true, report: Report::default() };
        assert_eq!(line(ended), "'bad' stop action done");
    }

    #[test]
    fn what_was_measured_comes_back_from_json() {
        let compared = Comparison {
            metric: "size".into(),
            unit: Unit::Bytes,
            value: Value::Int(22),
            operator: ">".into(),
            limit: Value::Real(10.5),
        };
        let failure = Failure {
            rule: 0,
            class: Class::Size,
            changed: false,
            reason: None,
            text: "size test failed for /p -- current size is 22 B".into(),
            detail: None,
            then: Doing::Alert,
            able: true,
            since: Stamp::default(),
            times: 1,
            ending: None,
            lived: None,
            compared: Some(Box::new(compared)),
            dependants: Vec::new(),
        };
        let fact = Fact::Failed(failure);
        let json = serde_json::to_value(&fact).unwrap();
        assert_eq!(json["failed"]["compared"]["value"], 22);
        assert_eq!(json["failed"]["compared"]["operator"], ">");
        assert_eq!(serde_json::from_value::<Fact>(json).unwrap(), fact);
        assert_eq!(line(fact), "'bad' size test failed for /p -- current size is 22 B");
    }
}
