//! What `-v` shows before anything else: what we go by, in the lines in which Monit shows it.

use std::net::{IpAddr, ToSocketAddrs};

use hinoban::config::Config;
use hinoban::monitrc::{Runtime, dump, preamble};

use crate::run::Plan;
use crate::sums;

/// What was seen while the file was read: who is let in.
pub(crate) fn seen(plan: &Plan) -> String {
    with(plan, preamble)
}

/// What is gone by: settings and services.
pub(crate) fn of(plan: &Plan) -> String {
    with(plan, dump)
}

fn with(plan: &Plan, shown: fn(&Config, &Runtime<'_>) -> String) -> String {
    let (config, places) = (&plan.loaded.config, &plan.places);
    let runtime = Runtime {
        control: &plan.path,
        pidfile: &places.pidfile,
        idfile: &places.idfile,
        statefile: &places.statefile,
        socket: &places.door,
        exists: &|path| path.exists(),
        checksum: &sums::of_file,
        addresses: &addresses,
    };
    shown(config, &runtime)
}

/// The addresses of a host, each once.
fn addresses(host: &str) -> Vec<IpAddr> {
    let mut all = Vec::new();
    for address in (host, 0).to_socket_addrs().into_iter().flatten() {
        if !all.contains(&address.ip()) {
            all.push(address.ip());
        }
    }
    all
}
