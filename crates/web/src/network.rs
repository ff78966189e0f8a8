//! From where one may connect.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// How long names may take to be resolved, all together.
const RESOLVING: Duration = Duration::from_secs(5);

/// Networks, with IPv4 as the mapped part of IPv6 (RFC 4291, 2.5.5.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Networks {
    any: bool,
    list: Vec<Network>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    base: u128,
    mask: u128,
}

impl Networks {
    /// Parses and resolves `hosts`. No hosts at all: everybody matches. Names that cannot be resolved are told in
    /// the second part, and match nobody: a name server that is away must not open the door.
    pub(crate) async fn resolve(hosts: &[String]) -> (Self, Vec<String>) {
        let mut networks = Self { any: hosts.is_empty(), list: Vec::new() };
        let mut problems = Vec::new();
        let deadline = tokio::time::Instant::now() + RESOLVING;
        for host in hosts {
            if let Some(network) = Network::parse(host) {
                networks.list.push(network);
            } else if host.contains('/') {
                problems.push(format!(
                    "nobody can connect as '{host}': it is not a network; write 10.0.0.0/8 or fe80::/10"
                ));
            } else if host.eq_ignore_ascii_case("localhost") {
                networks.list.push(Network::host(Ipv4Addr::LOCALHOST.into()));
                networks.list.push(Network::host(Ipv6Addr::LOCALHOST.into()));
            } else {
                let found =
                    tokio::time::timeout_at(deadline, tokio::net::lookup_host((host.as_str(), 0))).await;
                match found {
                    Ok(Ok(found)) => networks.list.extend(found.map(|at| Network::host(at.ip()))),
                    Ok(Err(why)) => problems.push(format!(
                        "nobody can connect as '{host}': the name cannot be resolved ({why}); reload once it can"
                    )),
                    Err(_) => problems.push(format!(
                        "nobody can connect as '{host}': the name was not resolved within 5 s; reload once it can"
                    )),
                }
            }
        }
        (networks, problems)
    }

    /// Whether one may connect from here.
    pub(crate) fn admit(&self, peer: IpAddr) -> bool {
        let peer = mapped(peer);
        self.any || self.list.iter().any(|n| peer & n.mask == n.base)
    }
}

impl Network {
    fn host(ip: IpAddr) -> Self {
        Self { base: mapped(ip), mask: u128::MAX }
    }

    /// `a.b.c.d`, `a.b.c.d/24`, `a.b.c.d/255.255.255.0`, `v6`, `v6/64`.
    fn parse(text: &str) -> Option<Self> {
        let Some((ip, mask)) = text.split_once('/') else { return Some(Self::host(text.parse().ok()?)) };
        let ip: IpAddr = ip.parse().ok()?;
        let above = if ip.is_ipv4() { 96 } else { 0 };
        let mask = if let Ok(mask) = mask.parse::<Ipv4Addr>() {
            if above == 0 {
                return None;
            }
            u128::MAX << 32 | u128::from(mask.to_bits())
        } else {
            let bits = mask.parse::<u32>().ok().filter(|bits| bits + above <= 128)?;
            u128::MAX.checked_shl(128 - bits - above).unwrap_or(0)
        };
        Some(Self { base: mapped(ip) & mask, mask })
    }
}

fn mapped(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn admits(hosts: &[&str], peer: &str) -> bool {
        let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        Networks::resolve(&hosts).await.0.admit(peer.parse().unwrap())
    }

    #[tokio::test]
    async fn networks_hold_the_addresses_they_name() {
        assert!(admits(&["10.1.2.0/24"], "10.1.2.255").await);
        assert!(!admits(&["10.1.2.0/24"], "10.1.3.0").await);
        assert!(admits(&["10.1.2.3/255.255.0.0"], "10.1.9.9").await);
        assert!(!admits(&["10.1.2.3/255.255.0.0"], "10.2.2.3").await);
        assert!(admits(&["0.0.0.0/0"], "192.0.2.1").await);
        assert!(
            !admits(&["0.0.0.0/0"], "2001:db8::1").await,
            "a network of one family does not hold the other"
        );
        assert!(admits(&["2001:db8::/32"], "2001:db8:ffff::1").await);
        assert!(admits(&["::/0"], "2001:db8::1").await);
        assert!(admits(&["192.0.2.1"], "::ffff:192.0.2.1").await, "a mapped address is its IPv4 address");
        assert!(admits(&["localhost"], "::1").await && admits(&["LOCALHOST"], "127.0.0.1").await);
        assert!(admits(&[], "192.0.2.1").await, "no list: everybody");
    }

    #[tokio::test]
    async fn what_cannot_be_understood_opens_nothing() {
        for junk in ["10.0.0.0/33", "fe80::/255.0.0.0", "fe80::/129", "10.0.0/x"] {
            let (networks, problems) = Networks::resolve(&[junk.to_owned()]).await;
            assert!(!networks.admit(IpAddr::V4(Ipv4Addr::LOCALHOST)), "{junk}");
            assert_eq!(problems.len(), 1, "{junk}");
        }
    }
}
