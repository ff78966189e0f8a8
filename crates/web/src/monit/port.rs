use std::borrow::Cow;

use hinoban_reading::metrics;
use hinoban_supervisor::{Family, ServiceView, Test, TestView, Transport};

use super::readings::Readings;

/// A connection test as documents show it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Port<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    /// What is asked for; empty: nothing in particular.
    pub(crate) request: &'a str,
    pub(crate) protocol: &'static str,
    /// `TCP`, or `UDP`.
    pub(crate) transport: &'static str,
    /// `IP`, or with its version.
    pub(crate) family: &'static str,
    pub(crate) tls: bool,
    /// Days to the end of the certificate, if there was one.
    pub(crate) days: Option<i64>,
    /// Whether there has been a result.
    pub(crate) tried: bool,
    /// Seconds that the answer took, if it was good.
    pub(crate) seconds: Option<f64>,
}

/// The connection tests of a service. Monit lists the last one declared first.
pub(crate) fn ports(view: &ServiceView) -> impl Iterator<Item = Port<'_>> {
    view.tests.iter().rev().filter_map(Port::of)
}

impl<'a> Port<'a> {
    fn of(view: &'a TestView) -> Option<Self> {
        let up = view.observation.as_ref().filter(|o| o.standing.is_up() && view.not_seen.is_none());
        // A good answer whose time was not measured is still a good answer.
        let seconds = up.map(|o| Readings(Some(o)).real(metrics::RESPONSE_TIME).unwrap_or(0.0));
        let tried = view.observation.is_some() || view.not_seen.is_some();
        let days = up.map(|o| Readings(Some(o)).real(metrics::CERTIFICATE_DAYS).map(|days| days as i64));
        let days = days.flatten();
        match &view.test {
            Test::Port(test) => Some(Self {
                host: &test.host,
                port: test.port,
                request: test.protocol.request(),
                protocol: test.protocol.name(),
                transport: transport(test.transport),
                family: match test.family {
                    Family::Any => "IP",
                    Family::V4 => "IPv4",
                    Family::V6 => "IPv6",
                },
                tls: test.tls.is_some(),
                days,
                tried,
                seconds,
            }),
            Test::Url(test) => {
                let url = Url::parse(test.shown())?;
                Some(Self {
                    host: url.host,
                    port: url.port,
                    request: url.request,
                    protocol: "HTTP",
                    transport: "TCP",
                    family: "IP",
                    tls: url.tls,
                    days,
                    tried,
                    seconds,
                })
            }
            _ => None,
        }
    }
}

fn transport(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "TCP",
        Transport::Udp => "UDP",
    }
}

/// A test of a unix socket as documents show it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Socket<'a> {
    pub(crate) path: Cow<'a, str>,
    pub(crate) transport: &'static str,
    pub(crate) protocol: &'static str,
    pub(crate) took: Took,
}

/// How long an answer took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Took {
    /// Whether there has been a result.
    pub(crate) tried: bool,
    /// Seconds, if it was good.
    pub(crate) seconds: Option<f64>,
}

impl Took {
    fn of(view: &TestView) -> Self {
        let up = view.observation.as_ref().filter(|o| o.standing.is_up() && view.not_seen.is_none());
        Self {
            tried: view.observation.is_some() || view.not_seen.is_some(),
            seconds: up.map(|o| Readings(Some(o)).real(metrics::RESPONSE_TIME).unwrap_or(0.0)),
        }
    }
}

/// The pings of a service. Monit lists the last one declared first.
pub(crate) fn pings(view: &ServiceView) -> impl Iterator<Item = Took> {
    view.tests.iter().rev().filter(|test| matches!(test.test, Test::Ping(_))).map(Took::of)
}

/// The tests of unix sockets of a service, in the same order.
pub(crate) fn sockets(view: &ServiceView) -> impl Iterator<Item = Socket<'_>> {
    view.tests.iter().rev().filter_map(|test| match &test.test {
        Test::Unix(unix) => Some(Socket {
            path: unix.path.to_string_lossy(),
            transport: transport(unix.transport),
            protocol: unix.protocol.name(),
            took: Took::of(test),
        }),
        _ => None,
    })
}

/// The parts of a URL that are shown. User and password are not among them.
struct Url<'a> {
    tls: bool,
    host: &'a str,
    port: u16,
    request: &'a str,
}

impl<'a> Url<'a> {
    fn parse(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let tls = scheme.eq_ignore_ascii_case("https");
        let (authority, request) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
        let (host, port) = match place.strip_prefix('[').and_then(|p| p.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        let default = if tls { 443 } else { 80 };
        let port = port.filter(|p| !p.is_empty()).map_or(Some(default), |p| p.parse().ok())?;
        let request = request.split('#').next().filter(|r| !r.is_empty()).unwrap_or("/");
        Some(Self { tls, host, port, request })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_password() {
        let parts = |url| Url::parse(url).map(|u| (u.tls, u.host, u.port, u.request));
        assert_eq!(parts("http://a.example"), Some((false, "a.example", 80, "/")));
        assert_eq!(parts("https://u:p@ss@a.example/x?y=1#z"), Some((true, "a.example", 443, "/x?y=1")));
        assert_eq!(parts("HTTPS://[2001:db8::1]:8443?q"), Some((true, "2001:db8::1", 8443, "?q")));
        assert_eq!(parts("a.example"), None);
    }
}
