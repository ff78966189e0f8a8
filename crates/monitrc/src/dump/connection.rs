//! Tests that are looks of their own.

use hinoban_config::{
    Family, PingTest, PortTest, Protocol, ResponseTime, Test, Tls, Transport, UnixTest, UrlTest,
};

use super::service::Rank;
use super::url::{Url, encoded};
use super::{amount, compare, tls};

/// Place, label, and what follows `if failed` or `if succeeded`.
pub(super) fn shown(test: &Test) -> (Rank, &str, String) {
    match test {
        Test::Port(test) => (Rank::Port, "Port", port(test)),
        Test::Url(test) => (Rank::Port, "Port", url(test)),
        Test::Unix(test) => (Rank::Unix, "Unix Socket", unix(test)),
        Test::Ping(test) => {
            let label = match test.family {
                Family::Any => "Ping",
                Family::V4 => "Ping4",
                Family::V6 => "Ping6",
            };
            (Rank::Ping, label, ping(test))
        }
        Test::Custom { probe, .. } => (Rank::Unix, "Test", probe.clone()),
        // A kind of test that this crate does not know has nothing to say but that it is there.
        _ => (Rank::Unix, "Test", String::new()),
    }
}

fn port(test: &PortTest) -> String {
    let via = test.source.map(|source| format!(" via address {source}")).unwrap_or_default();
    let transport = transport(test.transport);
    let family = match test.family {
        Family::Any => "IP",
        Family::V4 => "IPv4",
        Family::V6 => "IPv6",
    };
    let mut text = format!(
        "[{}]:{}{}{via} type {transport}/{family} protocol {} with timeout {}",
        test.host,
        test.port,
        encoded(test.protocol.request()),
        test.protocol.name(),
        amount::time(test.timeout)
    );
    text += &patience(test.retry, test.response_time);
    if let Some(options) = &test.tls {
        text += &tls::using(options, test.certificate_days);
    }
    text
}

fn url(test: &UrlTest) -> String {
    let url = Url::of(test.shown());
    let name = Protocol::Http(Default::default()).name();
    let mut text = format!(
        "[{}]:{}{} type TCP/IP protocol {name} with timeout {}",
        url.host,
        url.port,
        url.target,
        amount::time(test.timeout)
    );
    text += &patience(test.retry, None);
    if url.scheme.eq_ignore_ascii_case("https") || test.tls != Tls::default() {
        text += &tls::using(&test.tls, test.certificate_days);
    }
    text
}

fn unix(test: &UnixTest) -> String {
    format!(
        "{} type {} protocol {} with timeout {}{}",
        test.path.display(),
        transport(test.transport),
        test.protocol.name(),
        amount::time(test.timeout),
        patience(test.retry, test.response_time)
    )
}

fn ping(test: &PingTest) -> String {
    let via = test.source.map(|source| format!(" via address {source}")).unwrap_or_default();
    format!(
        "count {} size {} with timeout {}{}{via}",
        test.count,
        test.size,
        amount::time(test.timeout),
        patience(1, test.response_time)
    )
}

fn transport(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "TCP",
        Transport::Udp => "UDP",
    }
}

/// How often it is tried, and how fast it has to be.
fn patience(retry: u32, response_time: Option<ResponseTime>) -> String {
    let mut text = String::new();
    if retry > 1 {
        text += &format!(" and retry {retry} times");
    }
    if let Some(ResponseTime { operator, limit }) = response_time {
        text += &format!(" and responsetime {} {}", compare::words(operator), amount::time(limit));
    }
    text
}
