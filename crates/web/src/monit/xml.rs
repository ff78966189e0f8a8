mod measured;
mod network;
mod writer;

use hinoban_supervisor::{Kind, ServiceView, Status, Turns};

use super::port::{pings, ports, sockets};
use super::readings::Readings;
use super::select::in_group;
use super::words::{hint_bits, mode, monitor, on_reboot, pending_code, shows_data, status_bits, type_code};
use super::{About, Address};
use writer::Xml;

/// The whole status as Monit's XML, version 1: what `/_status?format=xml` answers.
///
/// One line without white space between elements. The prolog says ISO-8859-1, as readers expect; what is beyond ASCII
/// goes as character references, so that it reads the same in any encoding.
pub fn document(status: &Status, about: &About) -> String {
    let mut x = Xml::new(status.services.iter().map(room).sum());
    x.within("monit", |x| {
        server(x, status, about, true);
        platform(x, about);
        for view in &status.services {
            x.with("service", &[("type", CODES[usize::from(type_code(&view.kind))])], |x| {
                x.text("name", &view.name);
                service(x, status, view);
            });
        }
    });
    x.done()
}

/// The same in version 2, which collectors read: identity, service names and types change places, and groups follow.
pub fn document2(status: &Status, about: &About) -> String {
    let mut x = Xml::new(status.services.iter().map(room).sum());
    let incarnation = status.since.secs().to_string();
    let identity = [("id", &*about.id), ("incarnation", &*incarnation), ("version", &*about.version)];
    x.with("monit", &identity, |x| {
        server(x, status, about, false);
        platform(x, about);
        x.within("services", |x| {
            for view in &status.services {
                x.with("service", &[("name", &*view.name)], |x| {
                    x.leaf("type", type_code(&view.kind));
                    service(x, status, view);
                });
            }
        });
        groups(x, &status.services);
    });
    x.done()
}

/// The numbers of types, as text.
const CODES: [&str; 9] = ["0", "1", "2", "3", "4", "5", "6", "7", "8"];

/// About how many bytes a service takes.
fn room(view: &ServiceView) -> usize {
    let measured = match view.kind {
        Kind::Process { .. } => 1024,
        Kind::Filesystem { .. } | Kind::System | Kind::Network { .. } => 768,
        _ => 192,
    };
    320 + measured + 256 * view.tests.len()
}

fn server(x: &mut Xml, status: &Status, about: &About, identity: bool) {
    x.within("server", |x| {
        if identity {
            x.text("id", &about.id);
            x.leaf("incarnation", status.since.secs());
            x.text("version", &about.version);
        }
        x.leaf("uptime", status.now.since(status.since).as_secs());
        x.leaf("poll", status.every.as_secs());
        x.leaf("startdelay", status.start_delay.as_secs());
        x.text("localhostname", &status.host);
        x.text("controlfile", &about.control_file);
        match &about.address {
            None => (),
            Some(Address::Unix(path)) => x.within("httpd", |x| x.text("unixsocket", &path.to_string_lossy())),
            Some(Address::Tcp { address, port }) => x.within("httpd", |x| {
                x.text("address", address);
                x.leaf("port", port);
                x.leaf("ssl", 0);
            }),
        }
    });
}

fn platform(x: &mut Xml, about: &About) {
    let here = &about.platform;
    x.within("platform", |x| {
        x.text("name", &here.name);
        x.text("release", &here.release);
        x.text("version", &here.version);
        x.text("machine", &here.machine);
        x.leaf("cpu", here.cpus);
        x.leaf("memory", here.memory);
        x.leaf("swap", here.swap);
    });
}

/// What is common to all types, then what was measured.
fn service(x: &mut Xml, status: &Status, view: &ServiceView) {
    let collected = view.looked_at.unwrap_or(status.since);
    x.leaf("collected_sec", collected.secs());
    x.leaf("collected_usec", collected.subsec_micros());
    x.leaf("status", status_bits(view));
    x.leaf("status_hint", hint_bits(view));
    x.leaf("monitor", monitor(view));
    x.leaf("monitormode", mode(view.mode).0);
    x.leaf("onreboot", on_reboot(view.on_reboot).0);
    x.leaf("pendingaction", pending_code(view));
    turns(x, view);
    if !shows_data(view) {
        return;
    }
    let seen = Readings(view.observation.as_ref());
    match view.kind {
        Kind::Process { .. } => measured::process(x, seen),
        Kind::File { .. } => measured::file(x, seen),
        Kind::Directory { .. } | Kind::Fifo { .. } => measured::node(x, seen),
        Kind::Filesystem { .. } => measured::filesystem(x, seen, view.every),
        Kind::System => measured::system_files(x, seen),
        Kind::Program { .. } => measured::program(x, seen),
        Kind::Network { .. } => network::link(x, seen),
        _ => (),
    }
    pings(view).for_each(|took| measured::ping(x, took));
    ports(view).for_each(|p| measured::port(x, &p));
    sockets(view).for_each(|socket| measured::socket(x, &socket));
    if view.kind == Kind::System {
        measured::system(x, seen);
    }
}

/// When it is looked at, unless that is in each cycle.
fn turns(x: &mut Xml, view: &ServiceView) {
    let code = match &view.turns {
        Turns::Each => return,
        Turns::Nth(_) => 2,
        Turns::At(_) => 3,
        Turns::Except(_) => 4,
    };
    x.within("every", |x| {
        x.leaf("type", code);
        match &view.turns {
            Turns::Nth(n) => {
                x.leaf("counter", view.passed_over);
                x.leaf("number", n);
            }
            turns => turns.pattern().into_iter().for_each(|cron| x.text("cron", cron.text())),
        }
    });
}

/// The groups, the one mentioned last first.
fn groups(x: &mut Xml, services: &[ServiceView]) {
    let mut names: Vec<&str> = Vec::new();
    for name in services.iter().flat_map(|view| &view.groups) {
        if !names.iter().any(|n| n.to_lowercase() == name.to_lowercase()) {
            names.push(name);
        }
    }
    x.within("servicegroups", |x| {
        for name in names.iter().rev() {
            x.with("servicegroup", &[("name", name)], |x| {
                services
                    .iter()
                    .filter(|view| in_group(view, name))
                    .for_each(|view| x.text("service", &view.name));
            });
        }
    });
}
