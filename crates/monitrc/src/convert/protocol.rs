//! `protocol`, `talk`, and what an HTTP request has beside its address.

use hinoban_config::{
    ApacheStatus, Body, HttpTest, Method, Operator, PortTest, Protocol, Scoreboard, Secret, Step, Transport,
};

use super::{proof, text};

type Entries = Vec<(&'static str, String)>;

/// What is asked over HTTP, if all of it can be said by an address and keys beside it.
pub(super) fn in_address(test: &PortTest) -> Option<&HttpTest> {
    let Protocol::Http(http) = &test.protocol else { return None };
    let target = http.request.as_deref().unwrap_or_default();
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '#';
    let path = (target.is_empty() || target.starts_with('/')) && target.chars().all(plain);
    let login = http
        .login
        .as_ref()
        .is_none_or(|(user, password)| !user.trim().is_empty() && !password.reveal().is_empty());
    let host = !test.host.is_empty() && !test.host.contains(['@', '/', '?', '#', '[', ' ']);
    let fits = path && login && host && test.transport == Transport::Tcp && !test.starttls;
    fits.then_some(http)
}

/// What an HTTP request and its answer have beside the target.
pub(super) fn http(http: &HttpTest) -> Entries {
    let mut entries = Entries::new();
    if http.method == Method::Head {
        entries.push(("method", "\"HEAD\"".to_owned()));
    }
    if !http.headers.is_empty() {
        entries.push(("headers", headers(&http.headers)));
    }
    entries.extend(login(&http.login));
    entries.extend(http.status.map(|status| ("status", self::status(status))));
    entries.extend(http.content.as_ref().map(|content| ("content", body(content))));
    entries.extend(http.checksum.as_ref().map(|digest| ("checksum", text::string(&digest.digits))));
    entries
}

/// `200`, or `"< 400"`.
pub(super) fn status((operator, status): (Operator, u16)) -> String {
    match operator {
        Operator::Equal => status.to_string(),
        _ => text::string(&format!("{} {status}", operator.sign())),
    }
}

/// `"pattern"`, or `{ not = "pattern" }`.
pub(super) fn body(body: &Body) -> String {
    let pattern = text::string(&proof::ours(&body.pattern, false));
    if body.matches { pattern } else { text::table(&[("not", pattern)]) }
}

/// A table; a list of lines, where a name comes twice or is none.
fn headers(headers: &[(String, String)]) -> String {
    let token = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    let once = |name: &str| headers.iter().filter(|(other, _)| other == name).count() == 1;
    if headers.iter().all(|(name, _)| token(name) && once(name)) {
        let entries: Vec<(&str, String)> =
            headers.iter().map(|(name, value)| (name.as_str(), text::string(value))).collect();
        return text::table(&entries);
    }
    let lines: Vec<String> =
        headers.iter().map(|(name, value)| text::string(&format!("{name}: {value}"))).collect();
    text::list(&lines)
}

fn login(login: &Option<(String, Secret)>) -> Entries {
    let mut entries = Entries::new();
    if let Some((user, password)) = login {
        if !user.is_empty() {
            entries.push(("user", text::string(user)));
        }
        if !password.reveal().is_empty() {
            entries.push(("password", text::string(password.reveal())));
        }
    }
    entries
}

/// What is said on a connection, unless it is nothing.
pub(super) fn protocol(protocol: &Protocol) -> Option<(&'static str, String)> {
    let optional = |key, value: &Option<String>| value.as_ref().map(|value| (key, text::string(value)));
    let mut entries = Entries::new();
    let name = match protocol {
        Protocol::Default => return None,
        Protocol::Generic(steps) => return Some(("talk", talk(steps))),
        Protocol::Http(http) => {
            entries.extend(optional("request", &http.request));
            entries.extend(self::http(http));
            "http"
        }
        Protocol::ApacheStatus(apache) => {
            entries.extend(optional("path", &apache.path));
            entries.extend(login(&apache.login));
            entries.extend(scoreboard(apache));
            "apache-status"
        }
        Protocol::Mysql { login: who, rsa_key } => {
            entries.extend(login(who));
            entries.extend(rsa_key.as_ref().map(|key| ("rsa-key", text::string(&key.digits))));
            "mysql"
        }
        Protocol::Pgsql { login: who, database } => {
            entries.extend(login(who));
            entries.extend(optional("database", database));
            "pgsql"
        }
        Protocol::Smtp { login: who } => {
            entries.extend(login(who));
            "smtp"
        }
        Protocol::Mqtt { login: who } => {
            entries.extend(login(who));
            "mqtt"
        }
        Protocol::Radius { secret } => {
            entries.extend(secret.as_ref().map(|secret| ("secret", text::string(secret.reveal()))));
            "radius"
        }
        Protocol::Sip { target, max_forward } => {
            entries.extend(optional("target", target));
            entries.extend(max_forward.map(|hops| ("max-forward", hops.to_string())));
            "sip"
        }
        Protocol::Websocket(websocket) => {
            entries.extend(optional("origin", &websocket.origin));
            entries.extend(optional("request", &websocket.request));
            entries.extend(optional("host", &websocket.host));
            entries.extend(Some(("version", websocket.version.unwrap_or(0).to_string())));
            "websocket"
        }
        Protocol::Plain(plain) => plain.word(),
        _ => "default",
    };
    if entries.is_empty() {
        return Some(("protocol", text::string(name)));
    }
    entries.insert(0, ("name", text::string(name)));
    Some(("protocol", text::table(&entries)))
}

fn talk(steps: &[Step]) -> String {
    let steps = steps.iter().map(|step| match step {
        Step::Send(bytes) => text::table(&[("send", text::string(bytes))]),
        Step::Expect(pattern) => text::table(&[("expect", text::string(&proof::ours(pattern, false)))]),
    });
    text::list(&steps.collect::<Vec<_>>())
}

fn scoreboard(apache: &ApacheStatus) -> Option<(&'static str, String)> {
    let state = |state: Scoreboard| match state {
        Scoreboard::Log => "log",
        Scoreboard::Close => "close",
        Scoreboard::Dns => "dns",
        Scoreboard::KeepAlive => "keep-alive",
        Scoreboard::Reply => "reply",
        Scoreboard::Request => "request",
        Scoreboard::Start => "start",
        Scoreboard::Wait => "wait",
        Scoreboard::Graceful => "graceful",
        Scoreboard::Cleanup => "cleanup",
    };
    let limit = |(of, operator, part): &(Scoreboard, Operator, u8)| {
        text::string(&format!("{} {} {part}%", state(*of), operator.sign()))
    };
    let limits: Vec<String> = apache.limits.iter().map(limit).collect();
    (!limits.is_empty()).then(|| ("limits", text::list(&limits)))
}
