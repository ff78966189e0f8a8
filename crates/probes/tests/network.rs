//! The network probe against this machine's interfaces, and a pair of its own where it may make one.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // these may panic and talk

use std::net::{IpAddr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hinoban_probe::{Cause, Look, Probe, Wake};
use hinoban_probes::NetworkProbe;
use hinoban_reading::{Observation, ReasonKind, Standing, Total};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::time::{Instant, sleep};

async fn look(probe: &mut NetworkProbe) -> Observation {
    let deadline = Instant::now() + Duration::from_secs(60);
    probe.observe(&Look::new(deadline.into_std(), Duration::ZERO, Cause::Due)).await.unwrap()
}

fn real(seen: &Observation, name: &str) -> f64 {
    seen.get(name).unwrap_or_else(|| panic!("no {name} in {seen:?}")).as_f64().unwrap()
}

fn reason(seen: &Observation) -> ReasonKind {
    seen.standing.reason().expect("it is not up").kind
}

fn waker(probe: &NetworkProbe) -> Arc<OwnedFd> {
    match &probe.wakes()[..] {
        [Wake::Fd(fd)] => fd.clone(),
        other => panic!("{other:?}"),
    }
}

/// Whether it is told of something within half a minute.
fn told(fd: &OwnedFd) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)];
    poll(&mut fds, Some(&Timespec { tv_sec: 30, tv_nsec: 0 })).unwrap() > 0
}

fn ip(line: &str) -> Result<String, String> {
    let output = Command::new("ip").args(line.split(' ')).output().map_err(|e| e.to_string())?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

/// Two interfaces that are one wire; the far end is in a network namespace of its own, and both end with it.
struct Wire {
    near: String,
    far: String,
    space: String,
    /// `198.18.N.`: of those that are for tests (RFC 2544).
    net: String,
}

impl Wire {
    /// `None`, and a word about it, where this user may not make one.
    fn new() -> Option<Self> {
        static WIRES: AtomicU32 = AtomicU32::new(0);
        let (number, pid) = (WIRES.fetch_add(1, Ordering::Relaxed), std::process::id() % 100_000);
        let name = |what: &str| format!("h{what}{pid}x{number}");
        let wire = Self {
            near: name("n"),
            far: name("f"),
            space: name("s"),
            net: format!("198.18.{}.", (pid * 7 + number) % 250),
        };
        let Self { near, far, space, net } = &wire;
        let made = ip(&format!("netns add {space}")).and_then(|_| {
            ip(&format!("link add {near} type veth peer name {far} netns {space}"))?;
            ip(&format!("addr add {net}1/24 dev {near}"))?;
            ip(&format!("link set {near} up"))?;
            ip(&format!("-n {space} addr add {net}2/24 dev {far}"))?;
            ip(&format!("-n {space} link set {far} up"))
        });
        match made {
            Ok(_) => Some(wire),
            Err(why) => {
                // A kernel without such interfaces cannot be helped.
                let possible = !why.contains("Unknown device type") && !why.contains("not supported");
                let wanted = std::env::var("CI").as_deref() == Ok("true");
                assert!(!(wanted && possible), "no network of our own: {why}");
                eprintln!("passed over: this user may not make network interfaces ({why})");
                None
            }
        }
    }

    fn far(&self, what: &str) {
        ip(&format!("-n {} link set {} {what}", self.space, self.far)).unwrap();
    }

    /// Looks until this holds.
    async fn until(&self, probe: &mut NetworkProbe, holds: impl Fn(&Observation) -> bool) -> Observation {
        for _ in 0..600 {
            let seen = look(probe).await;
            if holds(&seen) {
                return seen;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("not in half a minute: {:?}", look(probe).await);
    }

    /// Bytes and packets received and sent, and errors, as `ip -s` prints them.
    fn counted(&self) -> [f64; 6] {
        let text = ip(&format!("-s link show {}", self.near)).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let of = |title: &str| {
            let at = lines.iter().position(|line| line.trim().starts_with(title)).unwrap() + 1;
            let numbers: Vec<f64> = lines[at].split_whitespace().map(|n| n.parse().unwrap()).collect();
            [numbers[0], numbers[1], numbers[2]]
        };
        let ([a, b, c], [d, e, f]) = (of("RX:"), of("TX:"));
        [a, b, c, d, e, f]
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let _ = ip(&format!("link del {}", self.near));
        let _ = ip(&format!("netns del {}", self.space));
    }
}

const UP: fn(&Observation) -> bool = |seen| seen.standing.is_up();

#[tokio::test]
async fn what_there_is_not_is_absent_and_told_how_to_find_what_there_is() {
    let seen = look(&mut NetworkProbe::interface("no-such-link")).await;
    assert!(matches!(seen.standing, Standing::Absent(_)));
    assert_eq!(reason(&seen), ReasonKind::LinkAbsent);
    // RFC 5737: nobody has this address.
    let nobody = IpAddr::from([192, 0, 2, 1]);
    let seen = look(&mut NetworkProbe::address(nobody)).await;
    assert_eq!(
        seen.standing.reason().unwrap().text,
        "no network interface has the address 192.0.2.1; 'ip address' shows those that there are"
    );
}

#[tokio::test]
async fn the_loopback_has_no_speed_and_all_is_declared() {
    let total = Total::parse("upload.total.1h").unwrap();
    let mut probe = NetworkProbe::interface("lo").total(total);
    if !look(&mut probe).await.standing.is_up() {
        eprintln!("passed over: the loopback is down here");
        return;
    }
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    sleep(Duration::from_millis(150)).await;
    socket.send_to(&[0; 5000], socket.local_addr().unwrap()).unwrap();
    let seen = look(&mut probe).await;
    assert!(real(&seen, "upload.total.1h") >= 5000.0);
    assert!(real(&seen, "upload.rate") > 0.0 && real(&seen, "download.packets.rate") > 0.0);
    assert_eq!(seen.get("link.speed"), None);
    assert_eq!(seen.get("saturation.percent"), None);
    for reading in &seen.readings {
        let declared = probe.metrics().iter().any(|m| m.covers(&reading.name) && m.unit == reading.unit);
        assert!(declared, "{reading:?}");
    }
}

#[tokio::test]
async fn a_link_that_goes_down_wakes_and_its_traffic_is_counted_as_ip_counts_it() {
    let Some(wire) = Wire::new() else { return };
    let mut probe = NetworkProbe::interface(&wire.near).total(Total::parse("upload.total.10m").unwrap());
    let first = wire.until(&mut probe, UP).await;
    assert_eq!(first.get("link.duplex").unwrap().to_string(), "full");
    assert_eq!(real(&first, "link.speed"), 10e9, "what veth says of itself");

    let before = real(&first, "upload.bytes");
    let socket = UdpSocket::bind(format!("{}1:0", wire.net)).unwrap();
    for _ in 0..20 {
        socket.send_to(&[0; 1000], format!("{}2:9", wire.net)).unwrap();
    }
    let sent = |seen: &Observation| real(seen, "upload.bytes") >= before + 20_000.0;
    wire.until(&mut probe, sent).await;
    // Others may send here too: between two equal answers of ip, ours is the same.
    let names = [
        "download.bytes",
        "download.packets",
        "download.errors",
        "upload.bytes",
        "upload.packets",
        "upload.errors",
    ];
    let mut same = false;
    for _ in 0..100 {
        let (one, seen, other) = (wire.counted(), look(&mut probe).await, wire.counted());
        if one == other {
            // A look within a tenth of a second shows the one before.
            let ours = names.map(|name| real(&seen, name));
            if ours == one {
                assert!(real(&seen, "upload.total.10m") >= 20_000.0);
                same = true;
                break;
            }
        }
        sleep(Duration::from_millis(150)).await;
    }
    assert!(same, "ip -s says otherwise: {:?} {:?}", wire.counted(), look(&mut probe).await);

    let waker = waker(&probe);
    wire.far("down");
    assert!(told(&waker), "nothing told that the link went down");
    let down = wire.until(&mut probe, |seen| !seen.standing.is_up()).await;
    assert_eq!(reason(&down), ReasonKind::LinkDown);
    assert!(down.readings.is_empty());
    ip(&format!("link set {} down", wire.near)).unwrap();
    let off =
        wire.until(&mut probe, |seen| seen.standing.reason().is_some_and(|r| r.text.contains("off"))).await;
    assert!(
        off.standing
            .reason()
            .unwrap()
            .text
            .ends_with(&format!("'ip link set {} up' switches it on", wire.near))
    );
    ip(&format!("link set {} up", wire.near)).unwrap();
    wire.far("up");
    let back = wire.until(&mut probe, UP).await;
    assert!(real(&back, "upload.total.10m") >= 20_000.0, "what went through before is not forgotten");
}

#[tokio::test]
async fn an_address_is_followed_to_where_it_moves() {
    let (Some(one), Some(other)) = (Wire::new(), Wire::new()) else { return };
    let address: IpAddr = format!("{}1", one.net).parse().unwrap();
    let mut probe = NetworkProbe::address(address);
    one.until(&mut probe, UP).await;
    let wakes = waker(&probe);
    ip(&format!("addr del {address}/24 dev {}", one.near)).unwrap();
    assert!(told(&wakes), "nothing told that the address is gone");
    let gone = one.until(&mut probe, |seen| !seen.standing.is_up()).await;
    assert_eq!(reason(&gone), ReasonKind::LinkAbsent);
    ip(&format!("addr add {address}/24 dev {}", other.near)).unwrap();
    one.until(&mut probe, UP).await;
    other.far("down");
    let down = one.until(&mut probe, |seen| !seen.standing.is_up()).await;
    assert!(down.standing.reason().unwrap().text.contains(&other.near), "{down:?}");
}

/// Monit 5.33 says nothing of it, and takes only `down` for down.
#[tokio::test]
async fn what_has_no_link_for_want_of_one_below_it_is_down_unless_it_is_not_to_be() {
    let Some(wire) = Wire::new() else { return };
    let (upper, lower) = (format!("{}u", wire.near), format!("{}l", wire.near));
    ip(&format!("link add {upper} type veth peer name {lower}")).unwrap();
    ip(&format!("link set {upper} up")).unwrap();
    let mut probe = NetworkProbe::interface(&upper);
    let down = wire.until(&mut probe, |seen| !seen.standing.is_up()).await;
    let state = std::fs::read_to_string(format!("/sys/class/net/{upper}/operstate")).unwrap();
    let as_monit = look(&mut NetworkProbe::interface(&upper).only_down()).await;
    let gone = ip(&format!("link del {upper}"));
    assert_eq!((reason(&down), state.trim()), (ReasonKind::LinkDown, "lowerlayerdown"));
    assert!(as_monit.standing.is_up(), "{as_monit:?}");
    gone.unwrap();
}

#[tokio::test]
async fn an_interface_that_is_made_again_is_found_and_counts_on() {
    let Some(wire) = Wire::new() else { return };
    let mut probe =
        NetworkProbe::interface(&wire.near).total(Total::parse("upload.packets.total.1h").unwrap());
    wire.until(&mut probe, UP).await;
    sleep(Duration::from_millis(150)).await;
    let before = look(&mut probe).await;
    let wakes = waker(&probe);
    ip(&format!("link del {}", wire.near)).unwrap();
    assert!(told(&wakes));
    let gone = wire.until(&mut probe, |seen| !seen.standing.is_up()).await;
    assert_eq!(reason(&gone), ReasonKind::LinkAbsent);
    let Wire { near, far, space, net } = &wire;
    ip(&format!("link add {near} type veth peer name {far} netns {space}")).unwrap();
    ip(&format!("addr add {net}1/24 dev {near}")).unwrap();
    ip(&format!("link set {near} up")).unwrap();
    ip(&format!("-n {space} link set {far} up")).unwrap();
    let seen = wire.until(&mut probe, UP).await;
    assert!(real(&seen, "upload.packets.total.1h") >= real(&before, "upload.packets.total.1h"));
}

#[tokio::test]
async fn totals_outlive_us() {
    let Some(wire) = Wire::new() else { return };
    let probe = || NetworkProbe::interface(&wire.near).total(Total::parse("upload.total.1d").unwrap());
    let mut before = probe();
    wire.until(&mut before, UP).await;
    let memory = before.memory().expect("it has something to remember");
    let socket = UdpSocket::bind(format!("{}1:0", wire.net)).unwrap();
    for _ in 0..20 {
        socket.send_to(&[0; 1000], format!("{}2:9", wire.net)).unwrap();
    }
    drop(before);
    let mut after = probe();
    after.recall(&memory);
    sleep(Duration::from_millis(150)).await;
    let seen = wire.until(&mut after, |seen| UP(seen) && real(seen, "upload.total.1d") >= 20_000.0).await;
    assert!(
        real(&seen, "upload.total.1d") < 1e6,
        "what went through while nobody looked counts once: {seen:?}"
    );
    assert_eq!(
        NetworkProbe::interface(&wire.near).memory(),
        None,
        "without totals there is nothing to remember"
    );
}
