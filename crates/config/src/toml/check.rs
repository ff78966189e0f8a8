//! `[[service.NAME.check]]`: one test or comparison, and what to do when it fails.

use std::time::Duration;

use ::toml::de::DeValue;

use super::reader::{Fields, Item, Reader, listed};
use crate::{Change, Condition, Expect, Kind, Rule, Test, Then, Transport};

/// The keys that go with a connection to a port, TCP or UDP.
const CONNECTED: &[&str] = &[
    "must",
    "protocol",
    "talk",
    "tls",
    "starttls",
    "verify",
    "ca-file",
    "certificate-days",
    "family",
    "source",
    "response-time",
    "timeout",
    "retry",
];

/// What a check can be, and the keys that go with each beside `then`, `else`, `for` and `else-for`.
const SORTS: [(&str, &[&str]); 9] = [
    (
        "http",
        &[
            "must",
            "status",
            "method",
            "headers",
            "user",
            "password",
            "content",
            "checksum",
            "tls",
            "verify",
            "ca-file",
            "certificate-days",
            "family",
            "source",
            "response-time",
            "timeout",
            "retry",
        ],
    ),
    ("tcp", CONNECTED),
    ("udp", CONNECTED),
    ("unix", &["must", "datagram", "protocol", "talk", "response-time", "timeout", "retry"]),
    ("ping", &["must", "count", "size", "family", "source", "response-time", "timeout"]),
    (
        "url",
        &[
            "must",
            "status",
            "user",
            "password",
            "content",
            "tls",
            "verify",
            "ca-file",
            "certificate-days",
            "timeout",
            "retry",
        ],
    ),
    ("probe", &["must", "options"]),
    ("when", &[]),
    ("restarts", &[]),
];

/// What `when` says of the service itself, and of none of its readings.
const STANDINGS: [(&str, Condition); 3] =
    [("missing", Condition::Missing), ("exists", Condition::Exists), ("wrong type", Condition::WrongType)];

/// The values that only some sorts of checks have.
pub(super) struct Extras<'d>(Vec<Item<'d>>);

impl<'d> Extras<'d> {
    pub(super) fn get(&self, key: &str) -> Option<Item<'d>> {
        self.0.iter().find(|item| item.key == key).cloned()
    }
}

impl Reader<'_> {
    /// The rule that this check is.
    pub(super) fn check(&mut self, mut fields: Fields<'_>, kind: Option<&Kind>) -> Option<Rule> {
        let sorts: Vec<Item<'_>> = SORTS.iter().filter_map(|(key, _)| fields.take(key)).collect();
        let (then, lasts) = (fields.take("then"), fields.take("for"));
        let (other, back) = (fields.take("else"), fields.take("else-for"));
        let counted = [other.clone(), lasts.clone(), back.clone()];
        let silent = other.is_none();
        let fail = self.branch(then, lasts);
        let ok = self.branch(other, back);
        let mut extras = Vec::new();
        for key in SORTS.iter().flat_map(|(_, keys)| *keys) {
            if !extras.iter().any(|item: &Item<'_>| item.key == *key) {
                extras.extend(fields.take(key));
            }
        }
        let extras = Extras(extras);
        let span = fields.span.clone();
        self.close(fields);

        let sort = match &sorts[..] {
            [sort] => sort,
            [] => {
                let help = "it needs one of `http`, `tcp`, `udp`, `unix`, `ping`, `url`, `probe`, `when` or `restarts`: http = \"http://localhost/\"";
                self.missing(span, "this check checks nothing", help);
                return None;
            }
            [first, second, ..] => {
                let message = format!("this check has both `{}` and `{}`", first.key, second.key);
                self.error(
                    second.span.clone(),
                    message,
                    "write a [[service.NAME.check]] of its own for each",
                );
                return None;
            }
        };
        self.strangers(sort, &extras);
        if sort.key == "restarts" {
            self.counts_itself(counted);
        }
        let when = match sort.key {
            "when" => self.said(sort, kind),
            "restarts" => self.restarts(sort),
            _ => self.tested(sort, &extras),
        };
        let (when, fail, mut ok) = (when?, fail?, ok?);
        if silent && is_over_by_itself(&when) {
            // It is over at the next look, and that is nothing to tell.
            ok.then = Then::Nothing;
        }
        Some(Rule { when, fail, ok, place: self.place(sort.span.clone()) })
    }

    /// Notes what does not go with this sort of check.
    fn strangers(&mut self, sort: &Item<'_>, extras: &Extras<'_>) {
        for item in &extras.0 {
            if SORTS.iter().any(|(key, goes)| *key == sort.key && goes.contains(&item.key)) {
                continue;
            }
            let with: Vec<&str> =
                SORTS.iter().filter(|(_, goes)| goes.contains(&item.key)).map(|(key, _)| *key).collect();
            self.error(
                item.span.clone(),
                format!("`{}` does not go with `{}`", item.key, sort.key),
                format!("take it out; it goes with {}", listed(&with)),
            );
        }
    }

    fn said(&mut self, item: &Item<'_>, kind: Option<&Kind>) -> Option<Condition> {
        if let Some(Kind::Host { .. }) = kind {
            self.error(
                item.span.clone(),
                "a host has no readings of its own to compare",
                "test it from outside: `http`, `tcp`, `ping` or `url`; `when` is for processes, files, file systems, the system and registered kinds",
            );
            return None;
        }
        if let DeValue::String(text) = item.value
            && let Some((word, condition)) = STANDINGS.iter().find(|(word, _)| text.trim() == *word)
        {
            return self.standing(item, word, condition, kind);
        }
        self.when(item, kind)
    }

    /// A rule about whether the service is there, as what it should be.
    fn standing(
        &mut self,
        item: &Item<'_>,
        word: &str,
        condition: &Condition,
        kind: Option<&Kind>,
    ) -> Option<Condition> {
        let message = match (condition, kind) {
            (_, Some(Kind::System | Kind::Program { .. })) => {
                format!("`{word}` means nothing here: neither programs nor the system can be missing")
            }
            (
                Condition::WrongType,
                Some(
                    Kind::Process { .. }
                    | Kind::Filesystem { .. }
                    | Kind::Network { .. }
                    | Kind::Custom { .. },
                ),
            ) => format!("`{word}` is of what stands in a directory: a file, a directory or a named pipe"),
            _ => return Some(condition.clone()),
        };
        self.error(item.span.clone(), message, "take it out, or compare a reading: when = \"cpu > 80%\"");
        None
    }

    fn tested(&mut self, sort: &Item<'_>, extras: &Extras<'_>) -> Option<Condition> {
        let expect = match extras.get("must") {
            Some(item) => self.word(&item, &[("succeed", Expect::Failed), ("fail", Expect::Succeeded)]),
            None => Some(Expect::Failed),
        };
        let test = match sort.key {
            "http" => self.http(sort, extras).map(Box::new).map(Test::Port),
            "tcp" => self.port(sort, extras, Transport::Tcp).map(Box::new).map(Test::Port),
            "udp" => self.port(sort, extras, Transport::Udp).map(Box::new).map(Test::Port),
            "unix" => self.unix(sort, extras).map(Box::new).map(Test::Unix),
            "ping" => self.ping(sort, extras).map(Box::new).map(Test::Ping),
            "url" => self.whole_url(sort, extras).map(Box::new).map(Test::Url),
            _ => {
                let options = self.options(extras.get("options"));
                let name = self.text(sort, "the name of a registered kind", "\"queue\"");
                name.map(|name| Test::Custom { probe: name.to_owned(), options })
            }
        };
        Some(Condition::Test { test: test?, expect: expect? })
    }

    pub(super) fn limits(&mut self, extras: &Extras<'_>) -> Option<(Duration, u32)> {
        let timeout =
            extras.get("timeout").map(|item| self.duration(&item)).unwrap_or(Some(self.defaults.network));
        let retry =
            extras.get("retry").map(|item| self.whole(&item, 1..i64::from(u32::MAX) + 1)).unwrap_or(Some(1));
        Some((timeout?, retry? as u32))
    }
}

/// Whether such a rule tells news: that a reading changed, that something was written.
fn is_over_by_itself(when: &Condition) -> bool {
    matches!(when, Condition::Changed { expect: Change::Changed, .. } | Condition::Content { .. })
}
