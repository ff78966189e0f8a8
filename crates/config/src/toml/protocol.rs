//! What is said on a connection: `protocol = "smtp"`, `protocol = { name = "http", … }`, `talk = [{ send = "…" }, …]`.

use ::toml::de::{DeTable, DeValue};

use super::check::Extras;
use super::condition;
use super::mask;
use super::reader::{Fields, Item, Reader};
use crate::{
    ApacheStatus, Body, HttpTest, Method, Operator, Plain, Protocol, Scoreboard, Secret, Step, Websocket,
    spelling,
};

/// The conversations that have options; [`Plain::ALL`] are the others.
const WITH_OPTIONS: [&str; 10] =
    ["default", "http", "apache-status", "mysql", "pgsql", "smtp", "mqtt", "radius", "sip", "websocket"];

/// The states of Apache's workers.
const STATES: [(&str, Scoreboard); 10] = [
    ("log", Scoreboard::Log),
    ("close", Scoreboard::Close),
    ("dns", Scoreboard::Dns),
    ("keep-alive", Scoreboard::KeepAlive),
    ("reply", Scoreboard::Reply),
    ("request", Scoreboard::Request),
    ("start", Scoreboard::Start),
    ("wait", Scoreboard::Wait),
    ("graceful", Scoreboard::Graceful),
    ("cleanup", Scoreboard::Cleanup),
];

impl Reader<'_> {
    /// `protocol` or `talk` of a check; neither: to be connected is enough.
    pub(super) fn conversation(&mut self, extras: &Extras<'_>) -> Option<Protocol> {
        match (extras.get("protocol"), extras.get("talk")) {
            (None, None) => Some(Protocol::Default),
            (Some(item), None) => self.protocol(&item),
            (None, Some(item)) => {
                let steps: Option<Vec<Step>> = item.list().iter().map(|item| self.step(item)).collect();
                Some(Protocol::Generic(steps?))
            }
            (Some(_), Some(item)) => {
                let help = "keep one of them; `talk` writes a conversation down that has no name here";
                self.error(item.span, "a conversation is either named or written down", help);
                None
            }
        }
    }

    fn step(&mut self, item: &Item<'_>) -> Option<Step> {
        const FORM: &str = "write talk = [{ send = \"PING\\r\\n\" }, { expect = \"PONG\" }]";
        let mut fields = self.fields(item, "a step of `talk`", FORM)?;
        let (send, expect) = (fields.take("send"), fields.take("expect"));
        self.close(fields);
        match (send, expect) {
            (Some(send), None) => match send.value {
                DeValue::String(text) => Some(Step::Send(text.clone().into_owned())),
                _ => {
                    self.wrong(&send, "a text", FORM);
                    None
                }
            },
            (None, Some(expect)) => {
                let text = self.text(&expect, "a pattern", "\"^OK\"")?;
                Some(Step::Expect(self.regex(&expect, text)?))
            }
            _ => {
                self.error(item.span.clone(), "a step is one thing: to send, or to expect", FORM);
                None
            }
        }
    }

    fn protocol(&mut self, item: &Item<'_>) -> Option<Protocol> {
        let DeValue::Table(table) = item.value else {
            let name = self.text(item, "the name of a protocol, or a table", "\"smtp\"")?;
            let none = DeTable::new();
            return self.named(item, name, &mut Fields::new("`protocol`", &none, item.span.clone()));
        };
        let mut fields = Fields::new("`protocol`", table, item.span.clone());
        let Some(name) = fields.take("name") else {
            let help = "for example: protocol = { name = \"http\", request = \"/health\" }";
            self.missing(item.span.clone(), "this protocol has no name", help);
            return None;
        };
        let text = self.text(&name, "the name of a protocol", "\"http\"")?;
        let found = self.named(&name, text, &mut fields);
        self.close(fields);
        found
    }

    fn named(&mut self, item: &Item<'_>, name: &str, fields: &mut Fields<'_>) -> Option<Protocol> {
        Some(match name {
            "default" => Protocol::Default,
            "http" => Protocol::Http(Box::new(self.http_test(fields)?)),
            "apache-status" => Protocol::ApacheStatus(Box::new(ApacheStatus {
                path: self.maybe(fields, "path", "a path", "\"/server-status\"")?,
                login: self.who(fields)?,
                limits: self.scoreboard(fields)?,
            })),
            "mysql" => Protocol::Mysql {
                login: self.who(fields)?,
                rsa_key: match fields.take("rsa-key") {
                    Some(item) => Some(self.digest(&item)?),
                    None => None,
                },
            },
            "pgsql" => Protocol::Pgsql {
                login: self.who(fields)?,
                database: self.maybe(fields, "database", "the name of a database", "\"app\"")?,
            },
            "smtp" => Protocol::Smtp { login: self.who(fields)? },
            "mqtt" => Protocol::Mqtt { login: self.who(fields)? },
            "radius" => Protocol::Radius {
                secret: match fields.take("secret") {
                    Some(item) => Some(self.secret(&item)?),
                    None => None,
                },
            },
            "sip" => Protocol::Sip {
                target: self.maybe(fields, "target", "an address", "\"monit@example.com\"")?,
                max_forward: self.number(fields, "max-forward")?,
            },
            "websocket" => Protocol::Websocket(Box::new(Websocket {
                origin: self.maybe(fields, "origin", "an address", "\"https://www.example.com\"")?,
                request: self.maybe(fields, "request", "a path", "\"/socket\"")?,
                host: self.maybe(fields, "host", "the name of a host", "\"www.example.com\"")?,
                version: self.number(fields, "version")?,
            })),
            _ => match Plain::ALL.iter().find(|(_, word, _)| *word == name) {
                Some((plain, ..)) => Protocol::Plain(*plain),
                None => {
                    let known = WITH_OPTIONS.into_iter().chain(Plain::ALL.iter().map(|(_, word, _)| *word));
                    let help = match spelling::nearest(name, known) {
                        Some(near) => format!("did you mean \"{near}\"?"),
                        None => {
                            "docs/REFERENCE.md lists the protocols; `talk` writes one down that is not there"
                                .to_owned()
                        }
                    };
                    self.error(item.span.clone(), format!("there is no protocol \"{name}\""), help);
                    return None;
                }
            },
        })
    }

    fn http_test(&mut self, fields: &mut Fields<'_>) -> Option<HttpTest> {
        let request = self.maybe(fields, "request", "a path", "\"/health\"");
        let method = self.method(fields.take("method"));
        let status = self.status(fields.take("status"));
        let headers = fields.take("headers").map(|item| self.headers(&item)).unwrap_or_default();
        let login = self.who(fields);
        let content = self.body(fields.take("content"));
        let checksum = match fields.take("checksum") {
            Some(item) => self.digest(&item).map(Some),
            None => Some(None),
        };
        let request = request?;
        Some(HttpTest {
            method: method?,
            masked: request.as_deref().and_then(mask::query),
            request,
            status: status?,
            headers,
            login: login?,
            content: content?,
            checksum: checksum?,
        })
    }

    pub(super) fn method(&mut self, item: Option<Item<'_>>) -> Option<Method> {
        let Some(item) = item else { return Some(Method::Get) };
        self.word(&item, &[("GET", Method::Get), ("HEAD", Method::Head)])
    }

    /// `"pattern"`, or `{ not = "pattern" }`.
    pub(super) fn body(&mut self, item: Option<Item<'_>>) -> Option<Option<Body>> {
        let Some(item) = item else { return Some(None) };
        let (what, matches) = match item.value {
            DeValue::Table(table) => {
                let mut fields = Fields::new(format!("`{}`", item.key), table, item.span.clone());
                let not = fields.take("not");
                self.close(fields);
                let Some(not) = not else {
                    let help = "write content = \"OK\", or content = { not = \"error\" }";
                    self.missing(item.span.clone(), "this does not say what the answer must hold", help);
                    return None;
                };
                (not, false)
            }
            _ => (item, true),
        };
        let text = self.text(&what, "a pattern", "\"status: ok\"")?;
        Some(Some(Body { pattern: self.regex(&what, text)?, matches }))
    }

    /// User and password of a conversation; one of them may be empty.
    fn who(&mut self, fields: &mut Fields<'_>) -> Option<Option<(String, Secret)>> {
        let (user, password) = (fields.take("user"), fields.take("password"));
        if user.is_none() && password.is_none() {
            return Some(None);
        }
        let user = match user {
            Some(item) => self.text(&item, "the name of a user", "\"monitor\"")?.to_owned(),
            None => String::new(),
        };
        let password = match password {
            Some(item) => self.secret(&item)?,
            None => Secret::new(""),
        };
        Some(Some((user, password)))
    }

    fn maybe(
        &mut self,
        fields: &mut Fields<'_>,
        key: &'static str,
        expected: &str,
        example: &str,
    ) -> Option<Option<String>> {
        match fields.take(key) {
            Some(item) => self.text(&item, expected, example).map(|text| Some(text.to_owned())),
            None => Some(None),
        }
    }

    fn number(&mut self, fields: &mut Fields<'_>, key: &'static str) -> Option<Option<u32>> {
        match fields.take(key) {
            Some(item) => self.whole(&item, 0..i64::from(u32::MAX) + 1).map(|n| u32::try_from(n).ok()),
            None => Some(None),
        }
    }

    /// `["reply > 80%", "wait < 5%"]`
    fn scoreboard(&mut self, fields: &mut Fields<'_>) -> Option<Vec<(Scoreboard, Operator, u8)>> {
        const FORM: &str = "write limits = [\"reply > 80%\"]: a state, a sign and a part in percent";
        let Some(list) = fields.take("limits") else { return Some(Vec::new()) };
        let mut limits = Vec::new();
        for item in list.list() {
            let text = self.text(&item, "limits of states", "[\"reply > 80%\"]")?;
            let parts = condition::operator(text).and_then(|(state, operator, part)| {
                let state = STATES.iter().find(|(word, _)| *word == state)?.1;
                let percent = part.strip_suffix('%').unwrap_or(part).trim().parse().ok()?;
                Some((state, operator, percent))
            });
            match parts {
                Some(limit) => limits.push(limit),
                None => {
                    let known: Vec<&str> = STATES.iter().map(|(word, _)| *word).collect();
                    let help = format!("{FORM}; the states are {}", known.join(", "));
                    self.error(item.span.clone(), format!("\"{text}\" is no limit of a state"), help);
                    return None;
                }
            }
        }
        Some(limits)
    }
}
