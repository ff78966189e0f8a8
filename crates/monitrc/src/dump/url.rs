//! URLs as Monit shows them: taken apart, without who logs in.

/// A URL's parts.
pub(super) struct Url {
    pub(super) scheme: String,
    pub(super) host: String,
    pub(super) port: u16,
    /// Path and query, encoded.
    pub(super) target: String,
    /// Whether a user stands in it.
    pub(super) login: bool,
}

impl Url {
    /// Takes a URL apart. Whatever is wrong with it was told by whoever read it.
    pub(super) fn of(url: &str) -> Self {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let target = target.split('#').next().unwrap_or_default();
        let (login, place) = match authority.rsplit_once('@') {
            Some((_, place)) => (true, place),
            None => (false, authority),
        };
        let default = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
        // The colon of a port stands behind the bracket that ends an IPv6 address.
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().unwrap_or(default)),
            _ => (place, default),
        };
        let slash = if target.starts_with('/') { "" } else { "/" };
        Self {
            scheme: scheme.to_owned(),
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            target: format!("{slash}{}", encoded(target)),
            login,
        }
    }
}

/// What may not stand in a URL, `%` included, in hexadecimal digits: Monit takes what is written for plain text.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'!'..=b'~' if !b"#%<>\"{}|\\^[]`".contains(&byte) => encoded.push(byte.into()),
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let shown = |url: &str| {
            let Url { host, port, target, login, .. } = Url::of(url);
            format!("{}[{host}]:{port}{target}", if login { "login " } else { "" })
        };
        assert_eq!(shown("http://a.example"), "[a.example]:80/");
        assert_eq!(shown("https://a.example?x=1"), "[a.example]:443/?x=1");
        assert_eq!(shown("http://u:pa%40ss@a.example:81/;x,y=$&#f"), "login [a.example]:81/;x,y=$&");
        assert_eq!(shown("https://[::1]/x%20{ä}"), "[::1]:443/x%2520%7B%C3%A4%7D");
        assert_eq!(shown("http://[::1]:8080/~!*'()+"), "[::1]:8080/~!*'()+");
    }
}
