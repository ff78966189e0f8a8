use std::time::Duration;

use hinoban_reading::{Metric, Stamp, metrics as m};
use hinoban_supervisor::{Kind, ServiceView, Status};

use super::port::{Port, ports};
use super::readings::Readings;
use super::words::{mode, monitoring_words, on_reboot, pending_words, shows_data, status_words, type_name};
use super::{About, Tone, figures};

/// One line about a service: its key, and its value in a tone, or already painted.
pub(crate) type Row = (String, Tone, String);

/// `services` at length, as `monit status` shows them: a block each, with a blank line behind it.
pub fn status(status: &Status, about: &About, services: &[&ServiceView]) -> String {
    let mut out = first_line(status, about) + "\n";
    for view in services {
        let heading = format!("{} '{}'", type_name(&view.kind), view.name);
        out += &Tone::Heading.paint(&heading);
        out.push('\n');
        let words = status_words(view).into_iter().map(|(tone, word)| tone.paint(word)).collect::<Vec<_>>();
        line(&mut out, "status", &(words.join(" | ") + &pending_words(view)));
        for (key, tone, value) in rows(status, about, view) {
            line(&mut out, &key, &tone.paint(&value));
        }
        out.push('\n');
    }
    out
}

/// The line above every answer.
pub(crate) fn first_line(status: &Status, about: &About) -> String {
    format!("{} uptime: {}\n", about.banner, figures::uptime(status.now.since(status.since)))
}

/// Values begin in column 32, which readers count on.
fn line(out: &mut String, key: &str, value: &str) {
    *out += &format!("  {key:<28} {}\n", value.replace('\r', "").replace('\n', &format!("\n{:31}", "")));
}

/// Everything about a service but its name, type and status.
pub(crate) fn rows(status: &Status, about: &About, view: &ServiceView) -> Vec<Row> {
    let (tone, word) = monitoring_words(view);
    let mut rows = Rows(vec![("monitoring status".into(), tone, word.into())]);
    rows.push("monitoring mode", Tone::Plain, mode(view.mode).1);
    rows.push("on reboot", Tone::Plain, on_reboot(view.on_reboot).1);
    if shows_data(view) {
        let seen = Readings(view.observation.as_ref());
        match view.kind {
            Kind::Process { .. } => process(&mut rows, seen),
            Kind::System => system(&mut rows, seen, status, about),
            Kind::Custom { .. } => custom(&mut rows, seen),
            _ => (),
        }
        ports(view).for_each(|port| rows.port(&port));
    }
    ours(&mut rows, status, about, view);
    rows.value("data collected", Some(figures::date(view.looked_at.unwrap_or(status.since), &about.zone)));
    rows.0
}

/// What Monit has no line for: why it is not well, and since when.
fn ours(rows: &mut Rows, status: &Status, about: &About, view: &ServiceView) {
    if let Some(reason) = view.observation.as_ref().and_then(|o| o.standing.reason()) {
        rows.value("reason", Some(reason.text.clone()));
        rows.value("down since", view.since.map(|since| figures::date(since, &about.zone)));
    }
    if let Some(why) = &view.not_seen {
        rows.value("not seen", Some(why.clone()));
    }
    for what in status.limits_of(&view.name) {
        rows.value("not visible", Some(what.clone()));
    }
    if let Some(ending) = &view.ending {
        rows.value("last ending", Some(ending.to_string()));
    }
}

fn process(rows: &mut Rows, seen: Readings<'_>) {
    let whole = |metric| seen.int(metric).map(|n| n.to_string());
    rows.value("pid", seen.pid().map(|n| n.to_string()));
    for (key, metric) in
        [("parent pid", m::PPID), ("uid", m::UID), ("effective uid", m::EUID), ("gid", m::GID)]
    {
        rows.value(key, whole(metric));
    }
    let uptime = seen.real(m::UPTIME).map(seconds);
    rows.value("uptime", uptime.map(figures::uptime));
    rows.value("threads", whole(m::THREADS));
    rows.value("children", whole(m::CHILDREN));
    let percent = |metric| seen.real(metric).map(|x| format!("{x:.1}%"));
    rows.value("cpu", percent(m::CPU));
    rows.value("cpu total", percent(m::CPU_TOTAL));
    let size = |share, bytes| Some(format!("{} [{}]", percent(share)?, figures::bytes(seen.real(bytes)?)));
    rows.value("memory", size(m::MEMORY_PERCENT, m::MEMORY));
    rows.value("memory total", size(m::MEMORY_TOTAL_PERCENT, m::MEMORY_TOTAL));
    rows.value("security attribute", None);
    let open = seen.int(m::FDS).map(|open| match seen.real(m::FDS_SOFT) {
        Some(soft) if soft > 0.0 => format!("{open} [{:.1}% of {soft:.0} limit]", 100.0 * open as f64 / soft),
        _ => open.to_string(),
    });
    rows.value("filedescriptors", open);
    rows.value("total filedescriptors", whole(m::FDS_TOTAL));

    traffic(rows, seen, "read bytes", m::READ_RATE, m::READ_BYTES);
    traffic(rows, seen, "disk read bytes", m::DISK_READ_RATE, m::DISK_READ_BYTES);
    operations(rows, seen, "disk read operations", "reads", m::DISK_READ_OPS_RATE, m::DISK_READ_OPS);
    traffic(rows, seen, "write bytes", m::WRITE_RATE, m::WRITE_BYTES);
    traffic(rows, seen, "disk write bytes", m::DISK_WRITE_RATE, m::DISK_WRITE_BYTES);
    operations(rows, seen, "disk write operations", "writes", m::DISK_WRITE_OPS_RATE, m::DISK_WRITE_OPS);
}

/// Bytes per second and in all. A counter that cannot be read (another user's process) has no line.
fn traffic(rows: &mut Rows, seen: Readings<'_>, key: &str, rate: Metric, total: Metric) {
    if let Some(total) = seen.real(total) {
        let rate = seen.real(rate).unwrap_or(0.0);
        rows.value(key, Some(format!("{}/s [{} total]", figures::bytes(rate), figures::bytes(total))));
    }
}

fn operations(rows: &mut Rows, seen: Readings<'_>, key: &str, what: &str, rate: Metric, total: Metric) {
    if let Some(total) = seen.int(total) {
        let rate = seen.real(rate).unwrap_or(0.0);
        rows.value(key, Some(format!("{rate:.1} {what}/s [{total} {what} total]")));
    }
}

fn system(rows: &mut Rows, seen: Readings<'_>, status: &Status, about: &About) {
    let loads = [m::LOAD_1, m::LOAD_5, m::LOAD_15].map(|metric| seen.real(metric));
    let load = loads
        .iter()
        .any(Option::is_some)
        .then(|| loads.map(|l| format!("[{:.2}]", l.unwrap_or(0.0))).join(" "));
    rows.value("load average", load);
    let shares: String = CPU
        .into_iter()
        .filter_map(|(label, metric)| Some(format!("{:.1}%{label} ", seen.real(metric)?)))
        .collect();
    rows.value("cpu", (!shares.is_empty()).then_some(shares));
    let size =
        |bytes, share| Some(format!("{} [{:.1}%]", figures::bytes(seen.real(bytes)?), seen.real(share)?));
    rows.value("memory usage", size(m::MEMORY, m::MEMORY_PERCENT));
    rows.value("swap usage", size(m::SWAP, m::SWAP_PERCENT));
    let boot = seen.int(m::BOOT_TIME).map(|secs| Stamp::from_micros(secs.saturating_mul(1_000_000)));
    let uptime = seen.real(m::UPTIME).map(seconds).or(boot.map(|boot| status.now.since(boot)));
    rows.value("uptime", uptime.map(figures::uptime));
    rows.value("boot time", boot.map(|boot| figures::date(boot, &about.zone)));
    let files = seen.int(m::FDS_ALLOCATED).map(|open| match seen.real(m::FDS_MAXIMUM) {
        Some(most) if most > 0.0 => format!("{open} [{:.1}% of {most:.0} limit]", 100.0 * open as f64 / most),
        _ => open.to_string(),
    });
    rows.value("filedescriptors", files);
}

const CPU: [(&str, Metric); 9] = [
    ("usr", m::CPU_USER),
    ("sys", m::CPU_SYSTEM),
    ("nice", m::CPU_NICE),
    ("iowait", m::CPU_WAIT),
    ("hardirq", m::CPU_HARDIRQ),
    ("softirq", m::CPU_SOFTIRQ),
    ("steal", m::CPU_STEAL),
    ("guest", m::CPU_GUEST),
    ("guestnice", m::CPU_GUESTNICE),
];

/// The readings of a kind that we know nothing of: each under the name of its metric.
fn custom(rows: &mut Rows, seen: Readings<'_>) {
    for reading in seen.0.iter().flat_map(|o| &o.readings) {
        rows.value(&reading.name, Some(reading.value.to_string()));
    }
}

fn seconds(secs: f64) -> Duration {
    Duration::try_from_secs_f64(secs.max(0.0)).unwrap_or_default()
}

struct Rows(Vec<Row>);

impl Rows {
    fn push(&mut self, key: &str, tone: Tone, value: impl Into<String>) {
        self.0.push((key.to_owned(), tone, value.into()));
    }

    /// A measured value; a dash stands for one that is not known.
    fn value(&mut self, key: &str, value: Option<String>) {
        match value {
            Some(value) => self.push(key, Tone::Value, value),
            None => self.push(key, Tone::Faint, "-"),
        }
    }

    fn port(&mut self, p: &Port<'_>) {
        let tls = if p.tls { " using TLS" } else { "" };
        let Port { host, port, request, protocol, family, .. } = p;
        match p.seconds {
            Some(seconds) => {
                let time = figures::millis(seconds * 1000.0);
                let text = format!("{time} to {host}:{port}{request} type {family}{tls} protocol {protocol}");
                self.push("port response time", Tone::Value, text);
            }
            None if p.tried => {
                let text =
                    format!("FAILED to [{host}]:{port}{request} type {family}{tls} protocol {protocol}");
                self.push("port response time", Tone::Bad, text);
            }
            None => self.value("port response time", None),
        }
    }
}
