//! Tests of ports and URLs.

use hinoban_config::{Family, PortTest, Test, Transport};
use hinoban_reading::{Observation, metrics};

/// The state of a test.
pub(crate) fn test(test: &Test, seen: &Observation) -> String {
    let reason = seen.standing.reason().map(|r| r.text.as_str()).unwrap_or("failed");
    match (test, seen.standing.is_up()) {
        (Test::Port(port), true) => format!("connection succeeded to {}", target(port)),
        (Test::Port(port), false) => {
            format!("failed protocol test [{}] at {} -- {reason}", protocol(port), target(port))
        }
        (Test::Url(url), true) => format!("connection succeeded to {}", url_target(url.shown())),
        (Test::Url(url), false) => {
            format!("failed protocol test [HTTP] at {} -- {reason}", url_target(url.shown()))
        }
        (Test::Unix(unix), true) => format!("connection succeeded to {}", unix.path.display()),
        (Test::Unix(unix), false) => {
            let path = unix.path.display();
            format!("failed protocol test [{}] at {path} -- {reason}", unix.protocol.name())
        }
        (Test::Ping(_), true) => {
            match seen.get(&metrics::RESPONSE_TIME.name).and_then(|time| time.as_f64()) {
                Some(time) => format!("ping test succeeded [response time {:.3} ms]", time * 1000.0),
                None => "ping test succeeded".to_owned(),
            }
        }
        // Why is a detail.
        (Test::Ping(_), false) => "ping test failed".to_owned(),
        (Test::Custom { probe, .. }, true) => format!("{probe} test succeeded"),
        (Test::Custom { probe, .. }, false) => format!("{probe} test failed -- {reason}"),
        (_, true) => "test succeeded".to_owned(),
        (_, false) => format!("test failed -- {reason}"),
    }
}

/// `[host]:port/request [TCP/IP]`
pub(super) fn target(port: &PortTest) -> String {
    let request = port.protocol.request();
    let tls = if port.tls.is_some() { " TLS" } else { "" };
    let family = match port.family {
        Family::Any => "",
        Family::V4 => "v4",
        Family::V6 => "v6",
    };
    let transport = match port.transport {
        Transport::Tcp => "TCP",
        Transport::Udp => "UDP",
    };
    format!("[{}]:{}{request} [{transport}/IP{family}{tls}]", port.host, port.port)
}

/// The same of a URL. User and password are no part of it: this is logged and mailed.
pub(super) fn url_target(url: &str) -> String {
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
pub(super) fn protocol(port: &PortTest) -> &'static str {
    port.protocol.name()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hinoban_config::{HttpTest, Protocol, Tls, UrlTest};

    use super::*;

    #[test]
    fn what_is_masked_is_told_as_such() {
        let http = HttpTest {
            request: Some("/p?token=SECRET".into()),
            masked: Some("/p?token=***".into()),
            ..HttpTest::default()
        };
        let port = PortTest {
            host: "h".into(),
            port: 80,
            family: Family::Any,
            protocol: Protocol::Http(http.into()),
            tls: None,
            timeout: Duration::from_secs(5),
            retry: 1,
            ..PortTest::new("", 0)
        };
        let url = UrlTest {
            url: "http://h/p?token=SECRET".into(),
            masked: Some("http://h/p?token=***".into()),
            status: None,
            tls: Tls::default(),
            timeout: Duration::from_secs(5),
            retry: 1,
            ..UrlTest::new("")
        };
        for of in [Test::Port(Box::new(port)), Test::Url(Box::new(url))] {
            assert_eq!(test(&of, &Observation::up()), "connection succeeded to [h]:80/p?token=*** [TCP/IP]");
        }
    }

    #[test]
    fn a_url_is_told_as_monit_tells_it_and_without_its_password() {
        assert_eq!(url_target("http://u:p@127.0.0.1:2/x?y=1"), "[127.0.0.1]:2/x?y=1 [TCP/IP]");
        assert_eq!(url_target("https://example.com/x#part"), "[example.com]:443/x [TCP/IP TLS]");
        assert_eq!(url_target("http://[::1]"), "[::1]:80 [TCP/IP]");
        assert_eq!(url_target("https://[::1]:8443/"), "[::1]:8443/ [TCP/IP TLS]");
    }
}
