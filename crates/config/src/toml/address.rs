//! URLs, and hosts with ports.

/// A URL taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Url<'a> {
    pub(super) scheme: String,
    /// What stands before `@`.
    pub(super) login: Option<&'a str>,
    /// Without brackets.
    pub(super) host: &'a str,
    pub(super) port: Option<u16>,
    /// Path and query as written; empty if there is none. A fragment is cut off.
    pub(super) target: &'a str,
}

/// Takes `scheme://login@host:port/target` apart (RFC 3986, section 3).
///
/// # Errors
/// What is wrong with it.
pub(super) fn url(text: &str) -> Result<Url<'_>, String> {
    if let Some(c) = text.chars().find(|c| c.is_whitespace() || c.is_control()) {
        return Err(match c {
            ' ' => "it holds a blank; write %20 for one".to_owned(),
            c => format!("it holds the character {c:?}"),
        });
    }
    let (scheme, rest) = text.split_once("://").ok_or("`://` is missing")?;
    let rest = rest.split('#').next().unwrap_or("");
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    let (login, authority) = match authority.rsplit_once('@') {
        Some((login, host)) => (Some(login), host),
        None => (None, authority),
    };
    let (host, port) = host_port(authority)?;
    Ok(Url { scheme: scheme.to_ascii_lowercase(), login, host, port, target })
}

/// Takes `host:port`, `[::1]:port` or `host` apart.
///
/// # Errors
/// What is wrong with it.
pub(super) fn host_port(text: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or("the `]` of the IPv6 address is missing")?;
        if host.parse::<std::net::Ipv6Addr>().is_err() {
            return Err(format!("[{host}] is no IPv6 address"));
        }
        match after.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if after.is_empty() => (host, None),
            None => return Err(format!("`{after}` after the address is not a port")),
        }
    } else if text.matches(':').count() > 1 {
        return Err("an IPv6 address must stand in brackets, such as [::1]:80".to_owned());
    } else {
        match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    if let Some(c) = host.chars().find(|c| c.is_whitespace() || c.is_control() || "/\\\"'<>".contains(*c)) {
        return Err(format!("a host name cannot hold {c:?}"));
    }
    let port = match port {
        None => None,
        Some(port) => match port.parse::<u16>() {
            Ok(n) if n > 0 => Some(n),
            _ => return Err(format!("`{port}` is no port; ports are 1 to 65535")),
        },
    };
    Ok((host, port))
}

/// Whether this is an address or a network such as `10.0.0.0/8` or `10.0.0.0/255.0.0.0`; an error if it tries to be.
pub(super) fn network(text: &str) -> Result<bool, String> {
    use std::net::{IpAddr, Ipv4Addr};
    let Some((address, mask)) = text.split_once('/') else {
        return Ok(text.parse::<IpAddr>().is_ok());
    };
    let address: IpAddr = address.parse().map_err(|_| format!("`{address}` is no address"))?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let good = match mask.parse::<u8>() {
        Ok(n) => n <= bits,
        Err(_) => {
            address.is_ipv4()
                && mask.parse::<Ipv4Addr>().is_ok_and(|m| {
                    let m = u32::from(m);
                    m.leading_ones() + m.trailing_zeros() >= 32
                })
        }
    };
    if good { Ok(true) } else { Err(format!("`/{mask}` is no mask; it must be /0 to /{bits}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let full = url("HTTPS://me@www.example.com:8443/a?b=c#d").expect("good");
        assert_eq!((full.scheme.as_str(), full.login), ("https", Some("me")));
        assert_eq!((full.host, full.port, full.target), ("www.example.com", Some(8443), "/a?b=c"));
        let bare = url("http://[::1]").expect("good");
        assert_eq!((bare.host, bare.port, bare.target), ("::1", None, ""));
    }

    #[test]
    fn what_is_no_url_is_told_why() {
        for (text, why) in [
            ("www.example.com", "`://` is missing"),
            ("http://a b/", "it holds a blank; write %20 for one"),
            ("http://a:99999/", "`99999` is no port; ports are 1 to 65535"),
            ("http://::1/", "an IPv6 address must stand in brackets, such as [::1]:80"),
            ("http://[::g]/", "[::g] is no IPv6 address"),
        ] {
            assert_eq!(url(text), Err(why.to_owned()), "{text}");
        }
    }

    #[test]
    fn networks_are_told_from_names() {
        for text in ["10.0.0.0/8", "10.0.0.0/255.0.0.0", "::1/128", "::1", "127.0.0.1"] {
            assert_eq!(network(text), Ok(true), "{text}");
        }
        assert_eq!(network("localhost"), Ok(false));
        for text in ["10.0.0.0/33", "10.0.0.0/255.0.255.0", "host/8", "::1/129", "::1/255.0.0.0"] {
            assert!(network(text).is_err(), "{text}");
        }
    }
}
