//! Checks that are looks of their own: `http`, `tcp`, `udp`, `unix`, `ping`, `url`.

use std::net::IpAddr;
use std::time::Duration;

use hinoban_config::{
    Config, Family, HttpTest, PingTest, PortTest, ResponseTime, Test, Tls, Transport, UnixTest, UrlTest,
    units,
};

use super::{protocol, text, tls};

type Entries = Vec<(&'static str, String)>;

/// The entries of the check that this test is.
pub(super) fn test(test: &Test, config: &Config) -> Entries {
    let usual = config.limits.network;
    match test {
        Test::Port(test) => match protocol::in_address(test) {
            Some(http) => http_port(test, http, usual),
            None => port(test, usual),
        },
        Test::Unix(test) => unix(test, usual),
        Test::Url(test) => url(test, usual),
        Test::Ping(test) => ping(test, usual),
        Test::Custom { probe, .. } => vec![("probe", text::string(probe))],
        _ => Vec::new(),
    }
}

/// A host as it stands in front of a port.
fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// `http = "http://…"`
fn http_port(test: &PortTest, http: &HttpTest, usual: Duration) -> Entries {
    let (scheme, own) = if test.tls.is_some() { ("https", 443) } else { ("http", 80) };
    let port = if test.port == own { String::new() } else { format!(":{}", test.port) };
    let target = http.request.as_deref().unwrap_or_default();
    let address = format!("{scheme}://{}{port}{target}", bracketed(&test.host));
    let mut entries = vec![("http", text::string(&address))];
    entries.extend(protocol::http(http));
    if let Some(table) = test.tls.as_ref().map(tls::entries).filter(|table| !table.is_empty()) {
        entries.push(("tls", text::table(&table)));
    }
    finish(entries, test, usual)
}

/// `tcp` or `udp`
fn port(test: &PortTest, usual: Duration) -> Entries {
    let key = if test.transport == Transport::Udp { "udp" } else { "tcp" };
    let mut entries = vec![(key, text::string(&format!("{}:{}", bracketed(&test.host), test.port)))];
    entries.extend(protocol::protocol(&test.protocol));
    entries.extend(test.tls.as_ref().map(|options| ("tls", options_of(options))));
    if test.starttls {
        entries.push(("starttls", "true".to_owned()));
    }
    finish(entries, test, usual)
}

/// What both forms of a port have.
fn finish(mut entries: Entries, test: &PortTest, usual: Duration) -> Entries {
    entries.extend(test.certificate_days.map(|days| ("certificate-days", days.to_string())));
    entries.extend(family(test.family));
    entries.extend(source(test.source));
    entries.extend(response_time(test.response_time));
    entries.extend(timeout(test.timeout, usual));
    entries.extend(retry(test.retry));
    entries
}

fn unix(test: &UnixTest, usual: Duration) -> Entries {
    let mut entries = vec![("unix", text::string(&test.path.to_string_lossy()))];
    if test.transport == Transport::Udp {
        entries.push(("datagram", "true".to_owned()));
    }
    entries.extend(protocol::protocol(&test.protocol));
    entries.extend(response_time(test.response_time));
    entries.extend(timeout(test.timeout, usual));
    entries.extend(retry(test.retry));
    entries
}

fn ping(test: &PingTest, usual: Duration) -> Entries {
    let default = PingTest::new("");
    let mut entries = vec![("ping", text::string(&test.host))];
    if test.count != default.count {
        entries.push(("count", test.count.to_string()));
    }
    if test.size != default.size {
        entries.push(("size", test.size.to_string()));
    }
    entries.extend(family(test.family));
    entries.extend(source(test.source));
    entries.extend(response_time(test.response_time));
    entries.extend(timeout(test.timeout, usual));
    entries
}

fn url(test: &UrlTest, usual: Duration) -> Entries {
    let (address, login) = login_apart(&test.url);
    let mut entries = vec![("url", text::string(&address))];
    if let Some((user, password)) = login {
        entries.push(("user", text::string(user)));
        entries.extend(password.map(|password| ("password", text::string(password))));
    }
    entries.extend(test.status.map(|status| ("status", protocol::status(status))));
    entries.extend(test.content.as_ref().map(|body| ("content", protocol::body(body))));
    let options = tls::entries(&test.tls);
    if !options.is_empty() {
        entries.push(("tls", text::table(&options)));
    }
    entries.extend(test.certificate_days.map(|days| ("certificate-days", days.to_string())));
    entries.extend(timeout(test.timeout, usual));
    entries.extend(retry(test.retry));
    entries
}

/// An address without what stands in front of its host: user, and password if there is one.
pub(super) fn login_apart(url: &str) -> (String, Option<(&str, Option<&str>)>) {
    let parts = || {
        let (scheme, rest) = url.split_once("://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (login, host) = rest[..end].rsplit_once('@')?;
        let login = login.split_once(':').map_or((login, None), |(user, password)| (user, Some(password)));
        Some((format!("{scheme}://{host}{}", &rest[end..]), Some(login)))
    };
    parts().unwrap_or_else(|| (url.to_owned(), None))
}

/// `true`, or a table of what is asked of TLS.
fn options_of(options: &Tls) -> String {
    match &tls::entries(options)[..] {
        [] => "true".to_owned(),
        entries => text::table(entries),
    }
}

fn family(family: Family) -> Option<(&'static str, String)> {
    match family {
        Family::Any => None,
        Family::V4 => Some(("family", "\"ipv4\"".to_owned())),
        Family::V6 => Some(("family", "\"ipv6\"".to_owned())),
    }
}

fn source(source: Option<IpAddr>) -> Option<(&'static str, String)> {
    source.map(|address| ("source", text::string(&address.to_string())))
}

fn response_time(time: Option<ResponseTime>) -> Option<(&'static str, String)> {
    time.map(|time| {
        let said = format!("{} {}", time.operator.sign(), units::duration_text(time.limit));
        ("response-time", text::string(&said))
    })
}

fn timeout(time: Duration, usual: Duration) -> Option<(&'static str, String)> {
    (time != usual).then(|| ("timeout", text::duration(time)))
}

fn retry(retry: u32) -> Option<(&'static str, String)> {
    (retry != 1).then(|| ("retry", retry.to_string()))
}
