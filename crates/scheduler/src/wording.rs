//! What was seen, in words. Sentences that scripts read are Monit's, whatever the configuration was written in; what
//! we know beyond them follows as a detail.

use hinoban_config::{
    Condition, Dialect, Expect, Family, Kind, Operator, PortTest, Protocol, Rule, Test, Then,
};
use hinoban_reading::{Observation, Standing, Value, metrics};

/// The state of the thing itself.
pub(crate) fn existence(kind: &Kind, seen: &Observation, dialect: Dialect) -> String {
    let pid = seen.get(&metrics::PID.name).and_then(Value::as_i64);
    match (kind, &seen.standing, pid) {
        (Kind::Process { .. }, Standing::Up, Some(pid)) => format!("process is running with pid {pid}"),
        (Kind::Process { .. }, Standing::Up, None) => "process is running".to_owned(),
        (Kind::Process { .. }, _, _) => match (dialect, seen.standing.reason()) {
            (Dialect::Toml, Some(reason)) => format!("process is not running: {reason}"),
            _ => "process is not running".to_owned(),
        },
        (_, Standing::Up, _) => "is up".to_owned(),
        (_, standing, _) => match standing.reason() {
            Some(reason) => format!("is down: {reason}"),
            None => "is down".to_owned(),
        },
    }
}

/// What we know beyond the sentence of a control file.
pub(crate) fn detail(seen: &Observation, dialect: Dialect) -> Option<String> {
    match dialect {
        Dialect::Monit => seen.standing.reason().map(|r| r.text.clone()),
        Dialect::Toml => None,
    }
}

/// The state of a test.
pub(crate) fn test(test: &Test, seen: &Observation, kind: &Kind) -> String {
    let reason = seen.standing.reason().map(|r| r.text.as_str()).unwrap_or("failed");
    match (test, seen.standing.is_up()) {
        (Test::Port(port), true) => format!("connection succeeded to {}", target(port)),
        (Test::Port(port), false) => {
            format!("failed protocol test [{}] at {} -- {reason}", protocol(port), target(port))
        }
        (Test::Url(url), true) => format!("connection succeeded to {}", url_target(&url.url)),
        (Test::Url(url), false) => {
            format!("failed protocol test [HTTP] at {} -- {reason}", url_target(&url.url))
        }
        (Test::Custom { probe, .. }, true) => format!("{probe} test succeeded"),
        (Test::Custom { probe, .. }, false) => format!("{probe} test failed -- {reason}"),
        (_, up) => format!("test of {} {}", noun(kind), if up { "succeeded" } else { "failed" }),
    }
}

/// A comparison with a limit.
pub(crate) fn compare(
    metric: &str,
    operator: Operator,
    value: &Value,
    limit: &Value,
    failed: bool,
) -> String {
    let sign = operator.sign();
    if failed {
        format!("{metric} of {value} matches resource limit [{metric} {sign} {limit}]")
    } else {
        format!("{metric} check succeeded [current {metric} = {value}]")
    }
}

/// `[host]:port/request [TCP/IP]`
fn target(port: &PortTest) -> String {
    let request = match &port.protocol {
        Protocol::Http(http) => http.request.as_deref().unwrap_or(""),
        _ => "",
    };
    let tls = if port.tls.is_some() { " TLS" } else { "" };
    let family = match port.family {
        Family::Any => "",
        Family::V4 => "v4",
        Family::V6 => "v6",
    };
    format!("[{}]:{}{request} [TCP/IP{family}{tls}]", port.host, port.port)
}

/// The same of a URL. User and password are no part of it: this is logged and mailed.
fn url_target(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let (authority, path) = match rest.find(['/', '?', '#']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let path = path.split('#').next().unwrap_or_default();
    let host_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let secure = scheme.eq_ignore_ascii_case("https");
    // The colon behind an IPv6 address follows its bracket.
    let (host, port) = match host_port.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (host_port, if secure { "443" } else { "80" }),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    format!("[{host}]:{port}{path} [TCP/IP{}]", if secure { " TLS" } else { "" })
}

/// The name of a protocol as status and alerts show it.
fn protocol(port: &PortTest) -> &'static str {
    match &port.protocol {
        Protocol::Http(_) => "HTTP",
        _ => "DEFAULT",
    }
}

fn noun(kind: &Kind) -> &'static str {
    match kind {
        Kind::Process { .. } => "the process",
        Kind::Host { .. } => "the host",
        Kind::System => "the system",
        _ => "the service",
    }
}

/// A rule in words, for the page and the status.
pub(crate) fn rule(rule: &Rule) -> String {
    let when = match &rule.when {
        Condition::Missing => "does not exist".to_owned(),
        Condition::Exists => "exists".to_owned(),
        Condition::Compare { metric, operator, limit } => format!("{metric} {} {limit}", operator.sign()),
        Condition::Test { test, expect } => {
            let word = if *expect == Expect::Failed { "failed" } else { "succeeded" };
            match test {
                Test::Port(port) => format!("{word} {} at {}", protocol(port), target(port)),
                Test::Url(url) => format!("{word} HTTP at {}", url_target(&url.url)),
                Test::Custom { probe, .. } => format!("{word} {probe}"),
                _ => word.to_owned(),
            }
        }
        _ => "unknown".to_owned(),
    };
    let rate = match (rule.fail.rate.count, rule.fail.rate.within) {
        (1, 1) => String::new(),
        (count, within) if count == within => format!(" for {count} cycles"),
        (count, within) => format!(" {count} times within {within} cycles"),
    };
    let then = match &rule.fail.then {
        Then::Nothing => "nothing",
        Then::Alert => "alert",
        Then::Start => "start",
        Then::Stop => "stop",
        Then::Restart => "restart",
        Then::Unmonitor => "unmonitor",
        Then::Exec { .. } => "exec",
        Then::Custom(name) => name,
        _ => "?",
    };
    format!("if {when}{rate} then {then}")
}

#[cfg(test)]
mod tests {
    use super::url_target;

    #[test]
    fn a_url_is_told_as_monit_tells_it_and_without_its_password() {
        assert_eq!(url_target("http://u:p@127.0.0.1:2/x?y=1"), "[127.0.0.1]:2/x?y=1 [TCP/IP]");
        assert_eq!(url_target("https://example.com/x#part"), "[example.com]:443/x [TCP/IP TLS]");
        assert_eq!(url_target("http://[::1]"), "[::1]:80 [TCP/IP]");
        assert_eq!(url_target("https://[::1]:8443/"), "[::1]:8443/ [TCP/IP TLS]");
    }
}
