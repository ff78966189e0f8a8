//! URLs, as Monit takes them apart: a login may hold any character but blanks, a host only some.

use std::ops::Range;

/// The parts of a URL.
pub(super) struct Parts {
    /// Where the host stands in it.
    pub(super) host: Range<usize>,
    /// The port, if one is written.
    pub(super) port: Option<u64>,
}

/// Takes a URL apart, or tells the first byte that does not belong there.
pub(super) fn parts(url: &str) -> Result<Parts, usize> {
    let bytes = url.as_bytes();
    let scheme = url.find("://").map_or(0, |at| at + 3);
    let host = login_end(url, scheme).unwrap_or(scheme);
    let host_end = match bytes.get(host) {
        Some(b'[') => {
            let length = url[host + 1..].find(']').filter(|length| *length > 0).ok_or(host)?;
            host + length + 2
        }
        _ => name_end(bytes, host),
    };
    if host_end == host {
        return Err(host);
    }
    let mut at = host_end;
    let mut port = None;
    if bytes.get(at) == Some(&b':') {
        let digits = bytes[at + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 {
            return Err(at);
        }
        port = Some(url[at + 1..=at + digits].parse().unwrap_or(u64::MAX));
        at += 1 + digits;
    }
    match bytes.get(at) {
        None | Some(b'/' | b'?' | b'#') => Ok(Parts { host: host..host_end, port }),
        Some(_) => Err(at),
    }
}

/// Writes what ends a host everywhere else in the login in hexadecimal digits: Monit reads a password up to the `@`,
/// others see a path in `http://user:pa/ss@host`.
pub(super) fn quote_login(url: &mut String, parts: &mut Parts) {
    let from = url.find("://").map_or(0, |at| at + 3);
    let login = &url[from..parts.host.start];
    let quoted = login.replace('/', "%2F").replace('?', "%3F").replace('#', "%23").replace('\\', "%5C");
    let longer = quoted.len() - login.len();
    url.replace_range(from..parts.host.start, &quoted);
    parts.host = parts.host.start + longer..parts.host.end + longer;
}

/// The byte behind `USER:PASSWORD@`, if that stands here. Neither part may be empty.
fn login_end(url: &str, from: usize) -> Option<usize> {
    let at = from + url[from..].find('@')?;
    let colon = from + url[from..at].find(':')?;
    (colon > from && colon + 1 < at).then_some(at + 1)
}

/// The end of the host name that begins here: labels of letters, digits and hyphens, joined by dots.
fn name_end(bytes: &[u8], from: usize) -> usize {
    let label = |at: usize| {
        let rest = bytes.get(at..).unwrap_or_default();
        at + rest.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'-').count()
    };
    let mut end = label(from);
    while end > from && bytes.get(end) == Some(&b'.') && label(end + 1) > end + 1 {
        end = label(end + 1);
    }
    end
}

#[cfg(test)]
mod tests {
    use super::{parts, quote_login};

    #[test]
    fn a_host_is_found_behind_a_login_and_before_a_port() {
        let host = |url: &str| parts(url).map(|parts| (url[parts.host].to_owned(), parts.port));
        for (url, wanted, port) in [
            ("http://www.example.com/x", "www.example.com", None),
            ("http://www.example.com?x", "www.example.com", None),
            ("https://u:p%40q@x-y:81/y?z", "x-y", Some(81)),
            ("http://u:p:q@x", "x", None),
            ("http://u:p@[::1]:80/", "[::1]", Some(80)),
            ("http://x/a@b", "x", None),
        ] {
            assert_eq!(host(url), Ok((wanted.to_owned(), port)), "{url}");
        }
    }

    #[test]
    fn a_password_may_hold_what_ends_a_host() {
        let mut url = r"http://u:a/b?c#d\e@x:81/y?z#".to_owned();
        let mut found = parts(&url).unwrap_or_else(|at| panic!("stops at {at}"));
        quote_login(&mut url, &mut found);
        assert_eq!(url, "http://u:a%2Fb%3Fc%23d%5Ce@x:81/y?z#");
        assert_eq!((&url[found.host], found.port), ("x", Some(81)));
    }

    #[test]
    fn what_is_no_host_is_told_by_its_place() {
        for (url, at) in [
            ("http:///a", 7),
            ("http://u@x/", 8),
            ("http://u:@x/", 8),
            ("http://x_y/", 8),
            ("http://x:/", 8),
            ("http://x./", 8),
            ("http://x:80:81/", 11),
            ("http://[]/", 7),
        ] {
            assert_eq!(parts(url).err(), Some(at), "{url}");
        }
    }
}
