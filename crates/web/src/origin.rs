//! Whether a browser was sent here by somebody else's page.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};

use crate::{Listener, Options};

/// Whether the page that sends this is another site's. Programs send neither field, and are nobody's page.
///
/// What the browser says of the page itself comes first (Fetch Metadata, `Sec-Fetch-Site`): a proxy between it and us
/// may have changed `Host`, but no page can change that. Older browsers, and all of them over plain HTTP from another
/// host, send `Origin` alone (RFC 6454, section 7).
pub(crate) fn foreign(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return !matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let place = |text: &str, port: u16| {
        let (host, given) = split(text);
        (host.to_lowercase(), given.unwrap_or(port))
    };
    let same = || {
        let (scheme, at) = origin.to_str().ok()?.split_once("://")?;
        let default = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
        let host = headers.get(header::HOST)?.to_str().ok()?;
        Some(place(at, default) == place(host, default))
    };
    same() != Some(true)
}

/// The names that this server goes by, in lower case, beside its addresses.
pub(crate) fn names(options: &Options) -> Vec<String> {
    let node = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let listens = options.listen.iter().filter_map(|listener| match listener {
        Listener::Tcp { address, .. } => address.clone(),
        Listener::Unix { .. } => None,
    });
    let all = ["localhost".to_owned(), node].into_iter().chain(listens).chain(options.names.iter().cloned());
    all.map(|name| name.trim_end_matches('.').to_lowercase()).filter(|name| !name.is_empty()).collect()
}

/// Whether the request is meant for a server of another name: so it is if somebody has a name of theirs point at our
/// address, to make a browser take our answers for their own. An address cannot be pointed elsewhere; who sends no
/// name is no browser.
pub(crate) fn for_another(headers: &HeaderMap, names: &[String]) -> bool {
    let ours = |host: &str| {
        let name = split(host).0.trim_end_matches('.').to_lowercase();
        name.parse::<IpAddr>().is_ok() || name.ends_with(".localhost") || names.contains(&name)
    };
    headers.get_all(header::HOST).iter().any(|host| !host.to_str().is_ok_and(ours))
}

/// Host, without the brackets of an IPv6 address, and port.
fn split(text: &str) -> (&str, Option<u16>) {
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (host, rest.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        fields.iter().map(pair).collect()
    }

    #[test]
    fn pages_of_others_are_known_by_what_browsers_say() {
        for (fields, expected) in [
            (&[][..], false),
            (&[("host", "h:2812")], false),
            (&[("host", "h:2812"), ("origin", "http://H:2812")], false),
            (&[("host", "h"), ("origin", "http://h:80")], false),
            (&[("host", "h"), ("origin", "https://h")], false),
            (&[("host", "[::1]:2812"), ("origin", "http://[::1]:2812")], false),
            (&[("host", "h:2812"), ("origin", "http://h")], true),
            (&[("host", "h:2812"), ("origin", "http://evil:2812")], true),
            (&[("host", "h:2812"), ("origin", "null")], true),
            (&[("origin", "http://h")], true),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("sec-fetch-site", "same-site")], true),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "same-origin"), ("host", "back:1"), ("origin", "https://front")], false),
        ] {
            assert_eq!(foreign(&headers(fields)), expected, "{fields:?}");
        }
    }

    #[test]
    fn names_that_others_can_point_at_us_are_not_ours() {
        let names = ["localhost".to_owned(), "tower".to_owned()];
        let another = |host| for_another(&headers(&[("host", host)]), &names);
        for host in
            ["127.0.0.1:2812", "192.0.2.1", "[::1]:2812", "localhost:1", "TOWER.", "tower:80", "a.localhost"]
        {
            assert!(!another(host), "{host}");
        }
        for host in
            ["evil.example", "tower.evil.example:2812", "127.0.0.1.evil.example", "", "localhost.evil"]
        {
            assert!(another(host), "{host}");
        }
        assert!(!for_another(&headers(&[]), &names), "clients of Monit send none");
        assert!(for_another(&headers(&[("host", "tower"), ("host", "evil.example")]), &names));
    }
}
