//! Network interfaces beside Monit's: what is shown of them, and what is told while a link goes and comes and traffic flows.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::process::Command;

use super::{MONIT, Pair};
use crate::common::{World, wait_until};
use crate::servers::{installed, passed_over};

/// NEAR is one end of a wire, and ADDRESS its address.
const NETWORKS: &str = "
check system here
  if filedescriptors > 1 then alert
check network n with interface NEAR
  if link down then alert
  if upload > 1 GB/s then alert
  if total upload > 20 KB in last 2 minutes then alert
  if total upload > 15 packets in last 1 day then alert
  if total download > 900 GB in last 1 hour then alert
check network capacity with interface NEAR
  if changed link then alert
check network spare with interface NEAR
  if link up then alert
check network lower with interface UPPER
  if failed link then alert
check network gone with interface no-such-link
check network named with address ADDRESS
  if failed link then alert
check network missing with address 192.0.2.1
";

fn ip(line: &str) -> Result<(), String> {
    let output = Command::new("ip").args(line.split(' ')).output().map_err(|e| e.to_string())?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

/// A wire whose far end is in a network namespace of its own.
struct Wire {
    near: String,
    space: String,
    net: String,
}

impl Wire {
    fn new() -> Result<Self, String> {
        let pid = std::process::id() % 100_000;
        let (near, space) = (format!("hb{pid}"), format!("hbs{pid}"));
        let wire = Self { near, space, net: format!("198.18.{}.", pid % 250) };
        let Self { near, space, net } = &wire;
        ip(&format!("netns add {space}"))?;
        ip(&format!("link add {near} type veth peer name far netns {space}"))?;
        // Nobody is asked for, so nobody but us sends anything.
        ip(&format!("link set {near} arp off multicast off addrgenmode none"))?;
        ip(&format!("addr add {net}1/24 dev {near}"))?;
        ip(&format!("link set {near} up"))?;
        ip(&format!("-n {space} link set far up"))?;
        // Up, and what lies below it is not.
        ip(&format!("link add {near}u type veth peer name {near}l"))?;
        ip(&format!("link set {near}u up arp off multicast off addrgenmode none"))?;
        Ok(wire)
    }

    fn far(&self, what: &str) {
        ip(&format!("-n {} link set far {what}", self.space)).unwrap();
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let _ = ip(&format!("link del {}", self.near));
        let _ = ip(&format!("link del {}u", self.near));
        let _ = ip(&format!("netns del {}", self.space));
    }
}

/// What was told of networks, without numbers that differ with the moment of a look, and without what only we say.
fn told(world: &World, log: &str) -> BTreeSet<String> {
    let text = world.read(log);
    let lines = text.lines().filter_map(|line| line.split_once("] ").map(|(_, line)| line));
    let ours = |line: &&str| line.contains("'n' ") || line.contains("'spare' ") || line.contains("link ");
    let plain = |line: &str| {
        let end = ["-- the interface", "-- there is no", "-- no network interface"]
            .iter()
            .find_map(|why| line.find(why))
            .unwrap_or(line.len());
        let line = line[..end].trim_end();
        // An amount may be that of another moment.
        match line.find(" matches limit") {
            Some(at) => {
                let begins = line.find("total upload ").map_or(at, |begin| begin + "total upload ".len());
                format!("{}{}", line[..begins].trim_end(), &line[at..])
            }
            None => line.to_owned(),
        }
    };
    lines.filter(ours).filter(|line| !line.starts_with("debug")).map(plain).collect()
}

#[test]
fn links_are_told_and_shown_as_monit_does() {
    if !installed(&[MONIT]) {
        return;
    }
    let wire = match Wire::new() {
        Ok(wire) => wire,
        Err(why) => {
            passed_over(&format!("no network interfaces of our own: {why}"));
            return;
        }
    };
    let world = World::new();
    let services = NETWORKS
        .replace("NEAR", &wire.near)
        .replace("UPPER", &format!("{}u", wire.near))
        .replace("ADDRESS", &format!("{}1", wire.net));
    let pair = Pair::start(&world, &services);
    for (service, state) in [
        ("n", "OK"),
        ("capacity", "OK"),
        ("spare", "Link up"),
        ("lower", "OK"),
        ("gone", "Link down"),
        ("named", "OK"),
        ("missing", "Link down"),
        ("here", "Resource limit matched"),
    ] {
        pair.state(service, state);
    }
    pair.documents();
    pair.says_alike("status");

    let said = |line: &str| {
        wait_until(line, || {
            ["theirs.log", "ours.log"].map(|log| world.read(log).contains(line)) == [true; 2]
        });
    };
    let socket = UdpSocket::bind(format!("{}1:0", wire.net)).unwrap();
    for _ in 0..30 {
        socket.send_to(&[0; 1000], format!("{}2:9", wire.net)).unwrap();
    }
    said("'n' total upload 30.5 kB matches limit [upload rate > 20 kB in last 2 minute]");
    said("'n' total upload packets 30 matches limit [upload packets > 15 in last 24 hour]");
    pair.state("n", "Upload bytes exceeded |...");
    pair.documents();

    wire.far("down");
    said("'n' link down");
    said("'named' link down");
    said("'spare' link down");
    pair.state("capacity", "Link down");
    pair.state("spare", "OK");
    pair.documents();
    wire.far("up");
    said("'n' link up");
    pair.state("capacity", "OK");
    ip(&format!("addr del {}1/24 dev {}", wire.net, wire.near)).unwrap();
    said(&format!("'named' link data collection failed -- Address {}1 not found", wire.net));
    // Monit goes on showing what it last read there.
    pair.state("named", "Link down");
    wait_until("both to tell the same", || told(&world, "theirs.log") == told(&world, "ours.log"));
}
