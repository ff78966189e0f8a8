use std::fmt::Display;

use hinoban_reading::{Metric, metrics as m};
use hinoban_supervisor::{Kind, ServiceView, Status};

use super::port::{Port, ports};
use super::readings::Readings;
use super::select::in_group;
use super::words::{mode, monitor, on_reboot, pending_code, shows_data, status_bits, type_code};
use super::{About, Address};

/// The whole status as Monit's XML, version 1: what `/_status?format=xml` answers.
///
/// One line without white space between elements. The prolog says ISO-8859-1, as readers expect; what is beyond ASCII
/// goes as character references, so that it reads the same in any encoding.
pub fn document(status: &Status, about: &About) -> String {
    let mut x = Xml::new();
    x.0 += "<monit>";
    server(&mut x, status, about, true);
    platform(&mut x, about);
    for view in &status.services {
        x.0 += &format!("<service type=\"{}\">", type_code(&view.kind));
        x.text("name", &view.name);
        service(&mut x, status, view);
        x.0 += "</service>";
    }
    x.0 += "</monit>";
    x.0
}

/// The same in version 2, which collectors read: identity, service names and types change places, and groups follow.
pub fn document2(status: &Status, about: &About) -> String {
    let mut x = Xml::new();
    x.0 += "<monit id=\"";
    x.escaped(&about.id);
    x.0 += &format!("\" incarnation=\"{}\" version=\"", status.since.secs());
    x.escaped(&about.version);
    x.0 += "\">";
    server(&mut x, status, about, false);
    platform(&mut x, about);
    x.0 += "<services>";
    for view in &status.services {
        x.0 += "<service name=\"";
        x.escaped(&view.name);
        x.0 += "\">";
        x.leaf("type", type_code(&view.kind));
        service(&mut x, status, view);
        x.0 += "</service>";
    }
    x.0 += "</services>";
    groups(&mut x, &status.services);
    x.0 += "</monit>";
    x.0
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
    x.leaf("status_hint", 0);
    x.leaf("monitor", monitor(view));
    x.leaf("monitormode", mode(view.mode).0);
    x.leaf("onreboot", on_reboot(view.on_reboot).0);
    x.leaf("pendingaction", pending_code(view));
    if !shows_data(view) {
        return;
    }
    let seen = Readings(view.observation.as_ref());
    match view.kind {
        Kind::Process { .. } => process(x, seen),
        Kind::System => x.within("filedescriptors", |x| {
            x.leaf("allocated", seen.int(m::FDS_ALLOCATED).unwrap_or(0));
            x.leaf("unused", seen.int(m::FDS_UNUSED).unwrap_or(0));
            x.leaf("maximum", seen.int(m::FDS_MAXIMUM).unwrap_or(0));
        }),
        _ => (),
    }
    ports(view).for_each(|p| port(x, &p));
    if view.kind == Kind::System {
        system(x, seen);
    }
}

/// A number that is not known is -1; of sizes it is 0.
fn process(x: &mut Xml, seen: Readings<'_>) {
    let whole = |metric| seen.int(metric).unwrap_or(-1);
    let percent = |metric| format!("{:.1}", seen.real(metric).unwrap_or(-1.0));
    let kilobytes = |metric| seen.int(metric).unwrap_or(0).max(0) / 1024;
    x.leaf("pid", seen.pid().unwrap_or(-1));
    for (name, metric) in [
        ("ppid", m::PPID),
        ("uid", m::UID),
        ("euid", m::EUID),
        ("gid", m::GID),
        ("uptime", m::UPTIME),
        ("threads", m::THREADS),
        ("children", m::CHILDREN),
    ] {
        x.leaf(name, whole(metric));
    }
    x.within("memory", |x| {
        x.leaf("percent", percent(m::MEMORY_PERCENT));
        x.leaf("percenttotal", percent(m::MEMORY_TOTAL_PERCENT));
        x.leaf("kilobyte", kilobytes(m::MEMORY));
        x.leaf("kilobytetotal", kilobytes(m::MEMORY_TOTAL));
    });
    x.within("cpu", |x| {
        x.leaf("percent", percent(m::CPU));
        x.leaf("percenttotal", percent(m::CPU_TOTAL));
    });
    x.within("filedescriptors", |x| {
        x.leaf("open", whole(m::FDS));
        x.leaf("opentotal", whole(m::FDS_TOTAL));
        x.within("limit", |x| {
            x.leaf("soft", seen.int(m::FDS_SOFT).unwrap_or(0));
            x.leaf("hard", seen.int(m::FDS_HARD).unwrap_or(0));
        });
    });
    x.within("read", |x| {
        x.counter("bytesgeneric", seen, m::READ_RATE, m::READ_BYTES);
        x.counter("bytes", seen, m::DISK_READ_RATE, m::DISK_READ_BYTES);
        x.counter("operations", seen, m::DISK_READ_OPS_RATE, m::DISK_READ_OPS);
    });
    x.within("write", |x| {
        x.counter("bytesgeneric", seen, m::WRITE_RATE, m::WRITE_BYTES);
        x.counter("bytes", seen, m::DISK_WRITE_RATE, m::DISK_WRITE_BYTES);
        x.counter("operations", seen, m::DISK_WRITE_OPS_RATE, m::DISK_WRITE_OPS);
    });
}

fn system(x: &mut Xml, seen: Readings<'_>) {
    let real = |metric| seen.real(metric).unwrap_or(0.0);
    let size = |x: &mut Xml, share, bytes| {
        x.leaf("percent", format!("{:.1}", real(share)));
        x.leaf("kilobyte", seen.int(bytes).unwrap_or(0).max(0) / 1024);
    };
    x.within("system", |x| {
        x.within("load", |x| {
            for (name, metric) in [("avg01", m::LOAD_1), ("avg05", m::LOAD_5), ("avg15", m::LOAD_15)] {
                x.leaf(name, format!("{:.2}", real(metric)));
            }
        });
        x.within("cpu", |x| {
            for (name, metric) in [
                ("user", m::CPU_USER),
                ("system", m::CPU_SYSTEM),
                ("nice", m::CPU_NICE),
                ("wait", m::CPU_WAIT),
                ("hardirq", m::CPU_HARDIRQ),
                ("softirq", m::CPU_SOFTIRQ),
                ("steal", m::CPU_STEAL),
                ("guest", m::CPU_GUEST),
                ("guestnice", m::CPU_GUESTNICE),
            ] {
                x.leaf(name, format!("{:.1}", real(metric)));
            }
        });
        x.within("memory", |x| size(x, m::MEMORY_PERCENT, m::MEMORY));
        x.within("swap", |x| size(x, m::SWAP_PERCENT, m::SWAP));
    });
}

fn port(x: &mut Xml, p: &Port<'_>) {
    x.within("port", |x| {
        x.text("hostname", p.host);
        x.leaf("portnumber", p.port);
        // Character references do not work in CDATA; a request can say the same in ASCII.
        let request: String = p
            .request
            .chars()
            .map(|c| match c {
                ' '..='~' => c.to_string(),
                _ => crate::form::encode(&c.to_string(), ""),
            })
            .collect();
        x.leaf("request", format!("<![CDATA[{}]]>", request.replace("]]>", "]]&gt;")));
        x.leaf("protocol", p.protocol);
        x.leaf("type", "TCP");
        x.leaf("responsetime", format!("{:.6}", p.seconds.unwrap_or(-1.0)));
        if p.tls {
            // How long the certificate is valid is not measured.
            x.within("certificate", |x| x.leaf("valid", -1));
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
            x.0 += "<servicegroup name=\"";
            x.escaped(name);
            x.0 += "\">";
            services
                .iter()
                .filter(|view| in_group(view, name))
                .for_each(|view| x.text("service", &view.name));
            x.0 += "</servicegroup>";
        }
    });
}

struct Xml(String);

impl Xml {
    fn new() -> Self {
        Self("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>".to_owned())
    }

    /// An element with a value that needs no escaping.
    fn leaf(&mut self, name: &str, value: impl Display) {
        self.0 += &format!("<{name}>{value}</{name}>");
    }

    /// An element with any text.
    fn text(&mut self, name: &str, text: &str) {
        self.within(name, |x| x.escaped(text));
    }

    fn within(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        self.0 += &format!("<{name}>");
        inside(self);
        self.0 += &format!("</{name}>");
    }

    /// Rate and total of a counter, if it could be read.
    fn counter(&mut self, name: &str, seen: Readings<'_>, rate: Metric, total: Metric) {
        if let Some(total) = seen.int(total) {
            self.within(name, |x| {
                x.leaf("count", seen.int(rate).unwrap_or(0));
                x.leaf("total", total);
            });
        }
    }

    fn escaped(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.0 += "&amp;",
                '<' => self.0 += "&lt;",
                '>' => self.0 += "&gt;",
                '"' => self.0 += "&quot;",
                '\t' | ' '..='~' => self.0.push(c),
                // XML 1.0 has no way to write other control characters, nor these two.
                '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => self.0.push('?'),
                _ => self.0 += &format!("&#{};", u32::from(c)),
            }
        }
    }
}
