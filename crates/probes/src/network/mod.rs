//! A network interface of this machine: whether it has a link, and what goes through it.
//!
//! It is found by its name, or by an address that it has; where that address moves to another interface, it is followed.
//! Sources: RTNETLINK (rtnetlink(7)), and of speed and duplex `/sys/class/net` (Documentation/ABI/testing/sysfs-class-net).
//!
//! A link is down if the kernel says so (`operstate` down, lowerlayerdown or notpresent). What it does not know counts as
//! up, as of `lo`, and so does an interface that waits for somebody to let it in (dormant, IEEE 802.1X): Monit means the
//! same. Of the three Monit takes only the first for down; so does [`NetworkProbe::only_down`].

mod netlink;
mod traffic;

use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use hinoban_probe::{Look, Probe, ProbeError, Wake};
use hinoban_reading::{Metric, Observation, Reason, ReasonKind, Standing, Total, metrics};

use crate::clock;
use crate::storm::Storm;
use netlink::Interface;
use traffic::Traffic;

/// What an interface is found by.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    Name(String),
    Address(IpAddr),
}

/// Looks at one network interface. See the [module](self).
///
/// Readings while it has a link: `download.*` and `upload.*` (bytes, packets, errors and dropped packets since it was made,
/// and from the second look on each second), `link.speed`, `link.duplex` and `link.capacity` where the driver knows them,
/// with them `saturation.*`, and a reading for each [`Total`] that was asked for. Without a link it is
/// [`ReasonKind::LinkDown`], and without an interface absent ([`ReasonKind::LinkAbsent`]); neither has readings, as in
/// Monit.
///
/// It is woken when an interface or an address of this machine changes, at most twenty times a second. Totals are
/// remembered over restarts of the supervisor within one boot, and go on when an interface is removed and made again.
#[derive(Debug)]
pub struct NetworkProbe {
    wanted: Wanted,
    /// Whether nothing but `down` is down.
    only_down: bool,
    traffic: Traffic,
    storm: Storm,
    /// Wakes us when something changes; `None` inside if it cannot be had.
    changes: Option<Option<Arc<OwnedFd>>>,
    /// What is to be remembered, and when it was written down, since boot.
    memory: Option<(Duration, Vec<u8>)>,
}

const METRICS: &[Metric] = &[
    metrics::LINK_SPEED,
    metrics::LINK_DUPLEX,
    metrics::LINK_CAPACITY,
    metrics::DOWNLOAD_BYTES,
    metrics::DOWNLOAD_RATE,
    metrics::DOWNLOAD_PACKETS,
    metrics::DOWNLOAD_PACKETS_RATE,
    metrics::DOWNLOAD_ERRORS,
    metrics::DOWNLOAD_ERRORS_RATE,
    metrics::DOWNLOAD_DROPPED,
    metrics::DOWNLOAD_DROPPED_RATE,
    metrics::UPLOAD_BYTES,
    metrics::UPLOAD_RATE,
    metrics::UPLOAD_PACKETS,
    metrics::UPLOAD_PACKETS_RATE,
    metrics::UPLOAD_ERRORS,
    metrics::UPLOAD_ERRORS_RATE,
    metrics::UPLOAD_DROPPED,
    metrics::UPLOAD_DROPPED_RATE,
    metrics::DOWNLOAD_TOTAL,
    metrics::DOWNLOAD_PACKETS_TOTAL,
    metrics::UPLOAD_TOTAL,
    metrics::UPLOAD_PACKETS_TOTAL,
    metrics::SATURATION,
    metrics::DOWNLOAD_SATURATION,
    metrics::UPLOAD_SATURATION,
];

#[async_trait]
impl Probe for NetworkProbe {
    async fn observe(&mut self, look: &Look) -> Result<Observation, ProbeError> {
        self.storm.note(look);
        let changes = self.changes.get_or_insert_with(netlink::changes);
        // Before the question: what changes after it wakes us again.
        changes.iter().for_each(|changes| netlink::drain(&**changes));
        let found = match &self.wanted {
            Wanted::Name(name) => netlink::by_name(name),
            Wanted::Address(address) => netlink::by_address(*address),
        };
        let found = found.map_err(|error| {
            ProbeError::Failed(format!(
                "the kernel could not be asked about network interfaces ({error}); this process needs sockets of the \
                 family AF_NETLINK"
            ))
        })?;
        let now = clock::since_boot();
        let Some(found) = found else {
            self.traffic.gone();
            return Ok(Observation::new(Standing::Absent(Reason::new(
                ReasonKind::LinkAbsent,
                self.nowhere(),
            ))));
        };
        self.traffic.take(now, &found, matches!(self.wanted, Wanted::Name(_)));
        self.remember(now);
        if let Some(text) = without_link(&found, self.only_down) {
            self.traffic.gone();
            return Ok(Observation::new(Standing::Down(Reason::new(ReasonKind::LinkDown, text))));
        }
        let mut seen = Observation::up();
        let capacity = Capacity::of(&found.name);
        capacity.push(&mut seen);
        self.traffic.push(now, capacity.bits(), capacity.is_half(), &mut seen);
        Ok(seen)
    }

    fn metrics(&self) -> &[Metric] {
        METRICS
    }

    fn wakes(&self) -> Vec<Wake> {
        let changes = self.changes.iter().flatten().filter(|_| !self.storm.rages());
        changes.cloned().map(Wake::Fd).collect()
    }

    fn memory(&self) -> Option<Vec<u8>> {
        self.memory.as_ref().map(|(_, memory)| memory.clone())
    }

    fn recall(&mut self, memory: &[u8]) {
        let of_this_boot = memory.strip_prefix(&[VERSION]).and_then(|rest| rest.strip_prefix(boot()));
        if let Some(rest) = of_this_boot {
            self.traffic.decode(rest);
        }
    }
}

/// Of the form of what is remembered.
const VERSION: u8 = 1;

/// So often at most something new is to be remembered: each time costs a write.
const REMEMBERED: Duration = Duration::from_secs(60);

impl NetworkProbe {
    /// A probe of the interface of this name. Nothing is read yet.
    pub fn interface(name: impl Into<String>) -> Self {
        Self::new(Wanted::Name(name.into()))
    }

    /// A probe of whichever interface has this address. Nothing is read yet.
    pub fn address(address: IpAddr) -> Self {
        Self::new(Wanted::Address(address))
    }

    fn new(wanted: Wanted) -> Self {
        let (traffic, storm) = (Traffic::default(), Storm::default());
        Self { wanted, only_down: false, traffic, storm, changes: None, memory: None }
    }

    /// Takes for down only what `operstate` calls `down`, as Monit 5.33 does: an interface that has no link because what lies
    /// below it has none, as a VLAN or one end of a veth pair, is up then.
    pub fn only_down(mut self) -> Self {
        self.only_down = true;
        self
    }

    /// Also reads how much went through within this time. It costs half a kilobyte of memory, and is exact to a sixtieth of
    /// the time.
    pub fn total(mut self, total: Total) -> Self {
        self.traffic.watch(total);
        self
    }

    fn nowhere(&self) -> String {
        match &self.wanted {
            Wanted::Name(name) => {
                format!("there is no network interface {name}; 'ip link' shows those that there are")
            }
            Wanted::Address(address) => {
                format!(
                    "no network interface has the address {address}; 'ip address' shows those that there are"
                )
            }
        }
    }

    /// Writes down what is to outlive us, if that is anything.
    fn remember(&mut self, now: Duration) {
        let fresh = self.memory.as_ref().is_some_and(|(at, _)| now.saturating_sub(*at) < REMEMBERED);
        if fresh || !self.traffic.has_windows() {
            return;
        }
        let mut memory = vec![VERSION];
        memory.extend(boot());
        if self.traffic.encode(&mut memory).is_some() {
            self.memory = Some((now, memory));
        }
    }
}

/// Why there is no link; `None`: there is one.
fn without_link(found: &Interface, only_down: bool) -> Option<String> {
    // RFC 2863, ifOperStatus, in the kernel's numbers.
    const NOT_PRESENT: u8 = 1;
    const DOWN: u8 = 2;
    const LOWER_LAYER_DOWN: u8 = 3;
    let name = &found.name;
    match found.state {
        NOT_PRESENT | LOWER_LAYER_DOWN if only_down => None,
        DOWN | NOT_PRESENT if !found.on => {
            Some(format!("the interface {name} is switched off; 'ip link set {name} up' switches it on"))
        }
        DOWN => {
            Some(format!("the interface {name} has no link; see its cable, and what is at the other end"))
        }
        NOT_PRESENT => Some(format!("the device of the interface {name} is not there")),
        LOWER_LAYER_DOWN => {
            Some(format!("the interface {name} has no link, for what lies below it has none"))
        }
        _ => None,
    }
}

/// What the driver says of the wire. Virtual ones mostly know nothing.
struct Capacity {
    /// In Mb/s.
    speed: Option<u64>,
    duplex: Option<String>,
}

impl Capacity {
    fn of(name: &str) -> Self {
        let read = |what: &str| std::fs::read_to_string(format!("/sys/class/net/{name}/{what}")).ok();
        // Unknown is -1, or what that is as a number without a sign.
        let speed = read("speed").and_then(|text| text.trim().parse::<u64>().ok());
        let speed = speed.filter(|speed| *speed > 0 && *speed < u64::from(u32::MAX));
        let duplex = read("duplex").map(|text| text.trim().to_owned());
        Self { speed, duplex: duplex.filter(|duplex| duplex == "full" || duplex == "half") }
    }

    fn bits(&self) -> Option<f64> {
        self.speed.map(|speed| speed as f64 * 1e6)
    }

    fn is_half(&self) -> bool {
        self.duplex.as_deref() == Some("half")
    }

    fn push(&self, seen: &mut Observation) {
        if let Some(speed) = self.speed {
            seen.push(&metrics::LINK_SPEED, speed.saturating_mul(1_000_000));
        }
        if let Some(duplex) = &self.duplex {
            seen.push(&metrics::LINK_DUPLEX, duplex.as_str());
        }
        if let Some(speed) = self.speed {
            let duplex = self.duplex.as_ref().map(|duplex| format!(" {duplex}-duplex")).unwrap_or_default();
            seen.push(&metrics::LINK_CAPACITY, format!("{speed} Mb/s{duplex}").as_str());
        }
    }
}

/// Another one after each boot (random(4)). Empty if it cannot be read: then the clock that begins with each boot must do.
fn boot() -> &'static [u8] {
    static BOOT: OnceLock<Vec<u8>> = OnceLock::new();
    BOOT.get_or_init(|| std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(state: u8, on: bool) -> Interface {
        Interface { index: 2, name: "eth0".to_owned(), state, on, counters: Default::default() }
    }

    #[test]
    fn what_the_kernel_does_not_know_is_up() {
        for (state, on, up) in [
            (0, true, true),
            (0, false, true),
            (6, true, true),
            (5, true, true),
            (4, true, true),
            (2, true, false),
            (2, false, false),
            (3, true, false),
            (1, false, false),
        ] {
            assert_eq!(without_link(&interface(state, on), false).is_none(), up, "{state} {on}");
        }
        let as_monit = |state| without_link(&interface(state, true), true).is_none();
        assert_eq!([1, 2, 3, 6].map(as_monit), [true, false, true, true]);
        let off = without_link(&interface(2, false), false).unwrap();
        assert!(off.contains("'ip link set eth0 up'"), "{off}");
    }

    #[test]
    fn a_capacity_is_told_as_far_as_it_is_known() {
        let says = |speed, duplex: Option<&str>| {
            let mut seen = Observation::up();
            Capacity { speed, duplex: duplex.map(str::to_owned) }.push(&mut seen);
            seen.get("link.capacity").map(ToString::to_string)
        };
        assert_eq!(says(Some(1000), Some("full")).as_deref(), Some("1000 Mb/s full-duplex"));
        assert_eq!(says(Some(1000), None).as_deref(), Some("1000 Mb/s"));
        assert_eq!(says(None, Some("half")), None);
    }

    #[test]
    fn what_another_boot_remembers_is_of_no_use() {
        let total = Total::parse("upload.total.1h").unwrap();
        let mut probe = NetworkProbe::interface("lo").total(total);
        probe.recall(b"");
        probe.recall(&[VERSION]);
        probe.recall(b"\x01another boot, and more");
        assert!(probe.traffic.known().is_none());
    }
}
