//! Checks that are looks of their own.

use hinoban_config::{Family, PortTest, Protocol, Service, Test, Tls, Transport, UrlTest};

use super::{text, tls};

/// The entries of the check that this test is.
pub(super) fn test(test: &Test, _service: &Service) -> Vec<(&'static str, String)> {
    match test {
        Test::Port(test) => port(test),
        Test::Url(test) => url(test),
        Test::Custom { probe, .. } => vec![("probe", text::string(probe))],
        _ => Vec::new(),
    }
}

fn host(name: &str) -> String {
    if name.contains(':') { format!("[{name}]") } else { name.to_owned() }
}

fn port(test: &PortTest) -> Vec<(&'static str, String)> {
    let mut entries = Vec::new();
    match &test.protocol {
        Protocol::Http(_) => {}
        _ => entries.push(("tcp", text::string(&format!("{}:{}", host(&test.host), test.port)))),
    }
    if test.transport == Transport::Udp {}
    match test.family {
        Family::Any => {}
        Family::V4 => entries.push(("family", "\"ipv4\"".to_owned())),
        Family::V6 => entries.push(("family", "\"ipv6\"".to_owned())),
    }
    if let Some(options) = &test.tls {
        entries.push(("tls", options_of(options)));
    }
    entries
}

fn url(test: &UrlTest) -> Vec<(&'static str, String)> {
    vec![("url", text::string(&test.url))]
}

fn options_of(options: &Tls) -> String {
    match &tls::entries(options)[..] {
        [] => "true".to_owned(),
        entries => text::table(entries),
    }
}
