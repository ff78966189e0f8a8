mod measured;
mod network;

use std::borrow::Cow;

use hinoban_event::Class;
use hinoban_supervisor::{Kind, PatienceView, ServiceView, Status};

use super::port::{Port, Socket, Took, pings, ports, sockets};
use super::readings::Readings;
use super::words::{mode, monitoring_words, on_reboot, pending_words, shows_data, status_words, type_name};
use super::{About, Tone, figures};

/// What a value may hold: it may have several lines, and its program may be made for others than Unix.
const LINES: &str = "\r\n\t";

/// One line about a service: its key, and its value in a tone, or already painted.
pub(crate) type Row = (String, Tone, String);

/// `services` at length, as `monit status` shows them: a block each, with a blank line behind it.
pub fn status(status: &Status, about: &About, services: &[&ServiceView]) -> String {
    let mut out = first_line(status, about) + "\n";
    for view in services {
        let heading = format!("{} '{}'", type_name(&view.kind), harmless(&view.name, ""));
        out += &Tone::Heading.paint(&heading);
        out.push('\n');
        let words =
            status_words(view, about).into_iter().map(|(tone, word)| tone.paint(word)).collect::<Vec<_>>();
        line(&mut out, "status", &(words.join(" | ") + &pending_words(view)));
        for (key, tone, value) in rows(status, about, view) {
            line(&mut out, &key, &tone.paint(&harmless(&value, LINES)));
        }
        out.push('\n');
    }
    out
}

/// The line above every answer.
pub(crate) fn first_line(status: &Status, about: &About) -> String {
    format!("{} uptime: {}\n", about.banner, figures::uptime(status.now.since(status.since)))
}

/// The same without control characters, which a terminal would obey, but for those in `keep`: they stand as three octal
/// digits, as in our log. Programs print whatever they like, and names of files may hold anything.
pub(crate) fn harmless<'a>(text: &'a str, keep: &str) -> Cow<'a, str> {
    let harms = |c: char| c.is_control() && !keep.contains(c);
    if !text.contains(harms) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if harms(c) {
            out += &format!("#{:03o}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out.into()
}

/// Values begin in column 32, which readers count on. They may be painted already, and are [`harmless`] before.
fn line(out: &mut String, key: &str, value: &str) {
    *out += &format!("  {key:<28} {}\n", value.replace('\r', "").replace('\n', &format!("\n{:31}", "")));
}

/// Everything about a service but its name, type and status.
pub(crate) fn rows(status: &Status, about: &About, view: &ServiceView) -> Vec<Row> {
    let (tone, word) = monitoring_words(view);
    let mut rows = Rows { list: Vec::new(), failing: &view.failing };
    rows.push("monitoring status", tone, word);
    rows.push("monitoring mode", Tone::Plain, mode(view.mode).1);
    rows.push("on reboot", Tone::Plain, on_reboot(view.on_reboot).1);
    if shows_data(view) {
        let seen = Readings(view.observation.as_ref());
        match view.kind {
            Kind::Process { .. } => measured::process(&mut rows, seen),
            Kind::File { .. } => {
                measured::file(&mut rows, seen, about);
                content(&mut rows, view);
            }
            Kind::Directory { .. } | Kind::Fifo { .. } => measured::node(&mut rows, seen, about),
            Kind::Filesystem { .. } => measured::filesystem(&mut rows, seen),
            Kind::System => measured::system(&mut rows, seen, status, about),
            Kind::Program { .. } => measured::program(&mut rows, seen, about),
            Kind::Network { .. } => network::rows(&mut rows, seen),
            Kind::Custom { .. } => measured::custom(&mut rows, seen),
            _ => (),
        }
        pings(view).for_each(|took| rows.ping(took));
        ports(view).for_each(|port| rows.port(&port));
        sockets(view).for_each(|socket| rows.socket(&socket));
    }
    ours(&mut rows, status, about, view);
    rows.value("data collected", Some(figures::date(view.looked_at.unwrap_or(status.since), &about.zone)));
    rows.list
}

/// Whether the last look found what a rule about the content looks for; no line without such a rule.
fn content(rows: &mut Rows<'_>, view: &ServiceView) {
    if view.rules.iter().any(|rule| rule.class == Class::Content) {
        let found = if view.failing.contains(&Class::Content) { "yes" } else { "no" };
        rows.value("content match", Some(found.to_owned()));
    }
}

/// What Monit has no line for: why it is not well, and since when.
fn ours(rows: &mut Rows<'_>, status: &Status, about: &About, view: &ServiceView) {
    if let Some(reason) = view.observation.as_ref().and_then(|o| o.standing.reason()) {
        rows.value("reason", Some(reason.text.clone()));
        rows.value("down since", view.since.map(|since| figures::date(since, &about.zone)));
    }
    if let Some(why) = &view.gave_up {
        rows.value("given up", Some(why.to_string()));
    }
    if let Some(patience) = &view.patience {
        repairs(rows, about, patience);
    }
    if let Some(why) = &view.not_seen {
        rows.value("not seen", Some(why.clone()));
    }
    if !view.waits_for.is_empty() {
        rows.value("waiting for", Some(view.waits_for.join(", ")));
    }
    for what in status.limits_of(&view.name) {
        rows.value("not visible", Some(what.clone()));
    }
    if let Some(ending) = &view.ending {
        rows.value("last ending", Some(ending.to_string()));
        rows.value("ending known from", Some(ending.known_from()));
    }
}

/// How repairs by rules are repeated. Under a control file there are none that patience holds for.
fn repairs(rows: &mut Rows<'_>, about: &About, patience: &PatienceView) {
    let repairs = &patience.repairs;
    if let Some(given_up) = &repairs.gave_up {
        rows.value("given up", Some(given_up.text.clone()));
        rows.value("given up since", Some(figures::date(given_up.since, &about.zone)));
    }
    if let Some(why) = &patience.held {
        rows.value("repair put off", Some(why.to_string()));
    }
    if let Some(next) = patience.next {
        rows.value("next repair", Some(figures::date(next, &about.zone)));
    }
    if repairs.in_row() > 0 {
        rows.value("repairs in a row", Some(repairs.in_row().to_string()));
    }
    if repairs.tried > 0 {
        rows.value("repairs that helped", Some(format!("{} of {}", repairs.helped, repairs.tried)));
    }
}

struct Rows<'a> {
    list: Vec<Row>,
    failing: &'a [Class],
}

impl Rows<'_> {
    fn push(&mut self, key: &str, tone: Tone, value: impl Into<String>) {
        self.list.push((key.to_owned(), tone, value.into()));
    }

    /// A measured value; a dash stands for one that is not known. All values that a failing rule may be about stand out:
    /// Monit does not tell which it is either.
    fn value(&mut self, key: &str, value: Option<String>) {
        let fails = class(key).is_some_and(|class| self.failing.contains(&class));
        match value {
            Some(value) => self.push(key, if fails { Tone::Bad } else { Tone::Value }, value),
            None => self.push(key, Tone::Faint, "-"),
        }
    }

    fn ping(&mut self, took: Took) {
        match took.seconds {
            Some(seconds) => {
                self.push("ping response time", Tone::Value, figures::millis(seconds * 1000.0));
            }
            None if took.tried => {
                self.push("ping response time", Tone::Bad, "connection failed".to_owned());
            }
            None => self.value("ping response time", None),
        }
    }

    fn socket(&mut self, socket: &Socket<'_>) {
        const KEY: &str = "unix socket response time";
        let Socket { path, transport, protocol, took } = socket;
        match took.seconds {
            Some(seconds) => {
                let time = figures::millis(seconds * 1000.0);
                self.push(KEY, Tone::Value, format!("{time} to {path} type {transport} protocol {protocol}"));
            }
            None if took.tried => {
                self.push(KEY, Tone::Bad, format!("FAILED to {path} type {transport} protocol {protocol}"));
            }
            None => self.value(KEY, None),
        }
    }

    fn port(&mut self, p: &Port<'_>) {
        let tls = match p.days {
            Some(days) if p.tls => format!(" using TLS (certificate valid for {days} days)"),
            _ if p.tls => " using TLS".to_owned(),
            _ => String::new(),
        };
        let Port { host, port, request, protocol, .. } = p;
        let family = format!("{}/{}", p.transport, p.family);
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

/// The class of rules about the value of a line.
fn class(key: &str) -> Option<Class> {
    Some(match key {
        "load average"
        | "cpu"
        | "cpu total"
        | "memory usage"
        | "swap usage"
        | "memory"
        | "memory total"
        | "threads"
        | "children"
        | "filedescriptors"
        | "total filedescriptors"
        | "read bytes"
        | "disk read bytes"
        | "disk read operations"
        | "write bytes"
        | "disk write bytes"
        | "disk write operations"
        | "space free total"
        | "inodes free" => Class::Resource,
        "pid" => Class::Pid,
        "parent pid" => Class::PPid,
        "uid" | "effective uid" => Class::Uid,
        "gid" => Class::Gid,
        "uptime" => Class::Uptime,
        "permission" => Class::Permission,
        "size" => Class::Size,
        "checksum" => Class::Checksum,
        "access timestamp" | "change timestamp" | "modify timestamp" => Class::Timestamp,
        "filesystem flags" => Class::FsFlag,
        "link" => Class::Link,
        "capacity" => Class::Speed,
        "download bytes" => Class::ByteIn,
        "upload bytes" => Class::ByteOut,
        "download packets" => Class::PacketIn,
        "upload packets" => Class::PacketOut,
        "last exit value" | "last output" | "state" | "cannot be run" => Class::Status,
        "content match" => Class::Content,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_speak_to_the_terminal() {
        let mut out = String::new();
        let value = harmless("it said \x1b]0;x\x07\u{9b}m\r\nand\tmore", LINES);
        line(&mut out, "reason", &value);
        let expected = format!("  {:<28} it said #033]0;x#007#233m\n{:31}and\tmore\n", "reason", "");
        assert_eq!(out, expected);
    }
}
