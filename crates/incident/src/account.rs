//! A plain account of what happened: what somebody woken by it needs to know, and what to do next.

use std::time::Duration;

use hinoban_event::{Because, Class, Comparison, Doing, Event, Failure, Recovery, Report};
use hinoban_reading::{Confidence, Ending, How, Killer, Stamp};
use jiff::tz::TimeZone;

use crate::words::{clean, date_with_zone, output, sentence, span};

/// Who and where, for every sentence.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) event: &'a Event,
    pub(crate) host: &'a str,
    pub(crate) zone: &'a TimeZone,
    /// Repairs of the service have been given up.
    pub(crate) given_up: bool,
}

impl Scene<'_> {
    /// `httpd on web1`; the host alone if the event is its own.
    fn subject(&self) -> String {
        let service = clean(&self.event.service);
        if *self.event.service == *self.host { service } else { format!("{service} on {}", self.host) }
    }

    fn when(&self) -> String {
        format!("Time: {}\n", date_with_zone(self.event.at, self.zone))
    }

    fn look_closer(&self) -> String {
        format!("To look closer: hinoban status {}\n", word(&self.event.service))
    }

    pub(crate) fn failed(&self, failure: &Failure) -> String {
        let mut text = format!("{}: {}\n", self.subject(), sentence(&failure.text));
        // What to do next is said below.
        if let Some(detail) = failure.detail.as_ref().filter(|_| failure.class != Class::Timeout) {
            text += &format!("Seen: {}\n", sentence(detail));
        }
        if let Some(compared) = &failure.compared {
            text += &measured("Measured", compared);
        }
        text += &ended(failure);
        let lasted = self.event.at.since(failure.since);
        let began = date_with_zone(failure.since, self.zone);
        text += &match (failure.times, lasted >= Duration::from_secs(1)) {
            (0 | 1, _) if failure.changed => format!("It was seen at {began}.\n"),
            (0 | 1, false) => format!("It began at {began}.\n"),
            (0 | 1, true) => format!("It began at {began}, {} before this message.\n", span(lasted)),
            (times, _) => {
                format!(
                    "This is a reminder: it began at {began}, {} ago, and was seen {times} times.\n",
                    span(lasted)
                )
            }
        };
        text += &match failure.able {
            true if failure.changed && failure.then == Doing::Alert => {
                "Nothing is done about it but this message.\n".to_owned()
            }
            _ if self.given_up && matches!(failure.then, Doing::Start | Doing::Restart) => format!(
                "Repairs of it have been given up; it is looked at all the same. Once it is mended: hinoban {} {}\n",
                failure.then.word(),
                word(&self.event.service)
            ),
            // How to bring it back is said together with what went with it.
            true if failure.then == Doing::Unmonitor && !failure.dependants.is_empty() => {
                "It is no longer watched.\n".to_owned()
            }
            true if failure.then == Doing::Stop && !failure.dependants.is_empty() => {
                "It is being stopped.\n".to_owned()
            }
            true => undertaken(&failure.then, &self.event.service),
            false if failure.then == Doing::Stop => format!(
                "It is to be stopped, but there is no program that does it: it goes on as it is, and is no longer watched. \
                 When it is mended: hinoban monitor {}\n",
                word(&self.event.service)
            ),
            false => format!(
                "A {} is asked for, but there is no program that does it: it waits for you.\n",
                failure.then.word()
            ),
        };
        text += &self.dependants(failure);
        text + &self.look_closer()
    }

    /// What goes down with it: nothing else is told of those until it is back.
    fn dependants(&self, failure: &Failure) -> String {
        // Nobody waits for the end of a change.
        let goes_with_it = matches!(failure.then, Doing::Restart | Doing::Stop);
        if failure.dependants.is_empty() || failure.changed && !goes_with_it {
            return String::new();
        }
        let names: Vec<String> = failure.dependants.iter().map(|name| clean(name)).collect();
        let names = names.join(", ");
        match &failure.then {
            Doing::Restart if failure.able => format!(
                "With it go those that depend on it, which are stopped first and started again after it: {names}.\n"
            ),
            then @ (Doing::Stop | Doing::Unmonitor) => {
                let words: Vec<String> = failure.dependants.iter().map(|name| word(name)).collect();
                let what = match then {
                    Doing::Stop => "which are stopped first, and left so",
                    _ => {
                        "which are no longer watched either, and stay down if they were stopped for a restart of it"
                    }
                };
                format!(
                    "With it go those that depend on it, {what}: {names}.\nOnce it is mended, to bring back all of them: hinoban start {}\n",
                    words.join(" ")
                )
            }
            _ => format!("Until it is well, those that depend on it are not looked at: {names}.\n"),
        }
    }

    pub(crate) fn recovered(&self, recovery: &Recovery) -> String {
        let lasted = span(self.event.at.since(recovery.since));
        let began = date_with_zone(recovery.since, self.zone);
        let mut text = format!("{}: {}\n", self.subject(), sentence(&recovery.text));
        text += &match is_outage(recovery.class) {
            true => format!("It was down for {lasted}, from {began}.\n"),
            false => format!("The problem lasted {lasted}, from {began}.\n"),
        };
        if let Some(compared) = &recovery.compared {
            text += &measured("Measured now", compared);
        }
        if let Some(ending) = &recovery.ending {
            text += &format!("What had happened: {}.\n", how(ending, None));
        }
        if recovery.done.is_empty() {
            text += "Nothing was done about it from here.\n";
        } else {
            text += "What was done:\n";
            text.extend(
                recovery.done.iter().map(|done| format!("  - {}\n", clean(done).replace('\n', "\n    "))),
            );
        }
        text
    }

    pub(crate) fn not_seen(&self, why: &str) -> String {
        format!(
            "{} could not be looked at: {}\nWhether it works is not known, and nothing is done to it for that.\n\
             {}{}",
            self.subject(),
            sentence(why),
            self.when(),
            self.look_closer()
        )
    }

    pub(crate) fn seen(&self, lasted: Option<Duration>) -> String {
        let lasted = lasted.map(|lasted| format!(" after {}", span(lasted))).unwrap_or_default();
        format!("{} can be looked at again{lasted}.\n{}", self.subject(), self.when())
    }

    /// An action that ended, asked for by somebody or by a rule.
    pub(crate) fn ended(&self, doing: &Doing, because: &Because, ok: bool, report: &Report) -> String {
        let (subject, word, took) = (self.subject(), doing.word(), span(report.took));
        let cause = match because {
            Because::Command { by } => format!("Asked for by {}.\n", clean(by)),
            Because::Rule { text } => format!("Begun because: {}\n", sentence(text)),
            Because::Dependency { service, by: None } => format!("Begun because of {}.\n", clean(service)),
            Because::Dependency { service, by: Some(by) } => {
                format!("Begun because of {}, as asked for by {}.\n", clean(service), clean(by))
            }
            _ => String::new(),
        };
        if ok {
            return format!("{subject}: {word} done in {took}.\n{cause}{}", self.when());
        }
        let mut text = format!("{subject}: {word} failed after {took}.\n{cause}{}", self.when());
        if let Some(trouble) = &report.trouble {
            text += &format!("What went wrong: {}\n", sentence(trouble));
        }
        if let Some(exit) = &report.exit {
            text += &format!("Its command {exit}.\n");
        }
        text += &match output(&report.output) {
            Some(output) => format!("The last it printed:\n{output}"),
            None => "It printed nothing.\n".to_owned(),
        };
        text += &match because {
            Because::Command { .. } => {
                format!("To try again: hinoban {word} {}\n", self::word(&self.event.service))
            }
            _ => "If it is tried again and fails in the same way, this message is not repeated.\n".to_owned(),
        };
        text + &self.look_closer()
    }

    /// Repairs did not help, and no more are made.
    pub(crate) fn gave_up(&self, text: &str, since: Stamp, times: u32) -> String {
        let (cause, rest) = text.rsplit_once(" -- ").unwrap_or((text, ""));
        let mut account = format!("{}: {}\n", self.subject(), sentence(cause));
        let mut rest = clean(rest);
        if let Some(first) = rest.get_mut(..1) {
            first.make_ascii_uppercase();
            account += &format!("{rest}\n");
        }
        let given_up = date_with_zone(since, self.zone);
        account += &match times {
            0 | 1 => self.when(),
            _ => format!(
                "This is a reminder: it was given up at {given_up}, {} ago. The next one comes after twice the time, or a \
                 day.\n",
                span(self.event.at.since(since))
            ),
        };
        account + &self.look_closer()
    }

    /// A repair is put off for the sake of the host.
    pub(crate) fn held(&self, doing: &Doing, why: &str) -> String {
        format!(
            "{}: {} is put off.\nWhy: {}\nAs long as this lasts, the same of others is not told on its own.\n{}{}",
            self.subject(),
            doing.word(),
            sentence(why),
            self.when(),
            self.look_closer()
        )
    }

    /// Watching was switched by an operator.
    pub(crate) fn switched(&self, state: &str, by: &str) -> String {
        format!("{} {state}.\nAsked for by {}.\n{}", self.subject(), clean(by), self.when())
    }

    /// Something of the supervisor's own.
    pub(crate) fn plain(&self, what: &str) -> String {
        format!("{}: {}\n{}", self.subject(), sentence(what), self.when())
    }
}

/// Whether a failure of this class means that the thing does not work at all.
pub(crate) fn is_outage(class: Class) -> bool {
    matches!(class, Class::NonExist | Class::Connection | Class::Icmp | Class::Link)
}

/// `Measured: 95.3% (cpu.percent). The rule fails at more than 80.0%.`
fn measured(word: &str, compared: &Comparison) -> String {
    let Comparison { metric, unit, value, operator, limit } = compared;
    let meant = match &**operator {
        ">" => "more than ",
        ">=" => "at least ",
        "<" => "less than ",
        "<=" => "at most ",
        "!=" => "anything but ",
        _ => "",
    };
    let (value, limit) = (clean(&unit.show(value).to_string()), clean(&unit.show(limit).to_string()));
    format!("{word}: {value} ({metric}). The rule fails at {meant}{limit}.\n")
}

/// How the process ended and how long it had lived.
fn ended(failure: &Failure) -> String {
    match (&failure.ending, failure.lived) {
        (Some(ending), lived) => format!("{}.\n", how(ending, lived).replacen('i', "I", 1)),
        (None, Some(lived)) => {
            format!("Its process had lived for {}; how it ended is not known yet.\n", span(lived))
        }
        (None, None) => String::new(),
    }
}

/// One sentence or two, without the last full stop.
fn how(ending: &Ending, lived: Option<Duration>) -> String {
    let who = format!("its process ({})", ending.identity);
    let lived = lived.map(|lived| format!(", having lived for {}", span(lived))).unwrap_or_default();
    match &ending.how {
        How::Unknown { why } => format!("{who} ended{lived}. How could not be known: {}", clean(why)),
        how if ending.confidence < Confidence::Certain => format!("{who} probably {how}{lived}"),
        how => match ending.killer.as_deref() {
            None => format!("{who} {how}{lived}"),
            Some(Killer::Other) => {
                format!("{who} {how}{lived}. That was not because the kernel ran out of memory")
            }
            Some(_) => {
                let lived = lived.replacen(", having", ". It had", 1);
                format!("{who} {}{lived}", clean(&ending.told().to_string()))
            }
        },
    }
}

/// What is being done about a failure.
fn undertaken(then: &Doing, service: &str) -> String {
    match then {
        Doing::Start => "It is being started.\n".to_owned(),
        Doing::Restart => "It is being restarted.\n".to_owned(),
        Doing::Stop => format!("It is being stopped, and stays so until: hinoban start {}\n", word(service)),
        Doing::Exec => "The program that is set for this is being run.\n".to_owned(),
        Doing::Unmonitor => {
            format!("It is no longer watched. When it is mended: hinoban monitor {}\n", word(service))
        }
        Doing::Monitor => "It is being watched again.\n".to_owned(),
        Doing::Custom(name) => format!("The action \"{}\" is being run.\n", clean(name)),
        _ => "Nothing is done about it but this message: it waits for you.\n".to_owned(),
    }
}

/// The name as one word of a shell's command line.
fn word(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    match !name.is_empty() && name.chars().all(plain) {
        true => name.to_owned(),
        false => format!("'{}'", clean(name).replace('\'', r"'\''")),
    }
}
