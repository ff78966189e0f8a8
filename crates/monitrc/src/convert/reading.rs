//! What a rule says of a reading, as it stands behind `when`.

use std::time::Duration;

use hinoban_config::{Change, Condition, Kind, Operator, toml, units};
use hinoban_reading::Value;

use super::notes::Notes;
use super::{proof, text};

/// What is read, in words, where its name with blanks for dots reads worse.
const WORDS: [(&str, &str); 32] = [
    ("cpu.percent", "cpu"),
    ("cpu.total.percent", "total cpu"),
    ("cpu.user.percent", "cpu user"),
    ("cpu.system.percent", "cpu system"),
    ("cpu.nice.percent", "cpu nice"),
    ("cpu.wait.percent", "cpu wait"),
    ("cpu.hardirq.percent", "cpu hardirq"),
    ("cpu.softirq.percent", "cpu softirq"),
    ("cpu.steal.percent", "cpu steal"),
    ("cpu.guest.percent", "cpu guest"),
    ("cpu.guestnice.percent", "cpu guestnice"),
    ("memory.bytes", "memory"),
    ("memory.percent", "memory"),
    ("memory.total.bytes", "total memory"),
    ("memory.total.percent", "total memory"),
    ("swap.bytes", "swap"),
    ("swap.percent", "swap"),
    ("load.1.core", "load 1 per core"),
    ("load.5.core", "load 5 per core"),
    ("load.15.core", "load 15 per core"),
    ("space.bytes", "space"),
    ("space.percent", "space"),
    ("space.free.bytes", "space free"),
    ("space.free.percent", "space free"),
    ("inodes.used", "inodes"),
    ("inodes.percent", "inodes"),
    ("inodes.free.percent", "inodes free"),
    ("fds.open", "fds"),
    ("fds.percent", "fds"),
    ("fds.allocated", "fds"),
    ("fds.allocated.percent", "fds"),
    ("saturation.percent", "saturation"),
];

/// The condition in words; `None` if it is no reading that it is about.
pub(super) fn when(condition: &Condition, kind: &Kind, notes: &Notes) -> Option<String> {
    let quoted = |pattern: String| format!("'{pattern}'");
    Some(match condition {
        Condition::Missing => "missing".to_owned(),
        Condition::Exists => "exists".to_owned(),
        Condition::WrongType => "wrong type".to_owned(),
        Condition::Compare { metric, operator, limit: Value::Int(id) }
            if matches!(metric.as_str(), "uid" | "euid" | "gid") =>
        {
            let id = u32::try_from(*id).unwrap_or(u32::MAX);
            let name = if metric == "gid" { notes.group(id) } else { notes.user(id) };
            format!("{metric} {} {name}", operator.sign())
        }
        Condition::Compare { metric, operator, limit } => compared(metric, *operator, limit, kind),
        Condition::Changed { metric, expect } => {
            let not = if *expect == Change::Unchanged { " not" } else { "" };
            format!("{}{not} changed", name(metric))
        }
        Condition::Differs { metric } => format!("{} differs", name(metric)),
        Condition::Matches { metric, pattern, fails_on_match } => {
            let not = if *fails_on_match { "" } else { " not" };
            format!("{}{not} matches {}", name(metric), quoted(proof::ours(pattern, false)))
        }
        Condition::Content { pattern, fails_on_match, .. } => {
            let not = if *fails_on_match { "" } else { " not" };
            let line = matches!(kind, Kind::File { .. });
            format!("content{not} matches {}", quoted(proof::ours(pattern, line)))
        }
        _ => return None,
    })
}

/// A metric where no limit says which of several is meant.
fn name(metric: &str) -> String {
    match metric {
        "checksum.sha256" => "checksum".to_owned(),
        "checksum.sha1" | "checksum.md5" => metric.replace("checksum.", ""),
        _ => metric.replace('.', " "),
    }
}

/// A comparison. Of several ways to say it, the first that is read as what is meant.
fn compared(metric: &str, operator: Operator, value: &Value, kind: &Kind) -> String {
    let words = WORDS.iter().find(|(known, _)| *known == metric).map(|(_, words)| (*words).to_owned());
    let checksum = metric.starts_with("checksum.").then(|| "checksum".to_owned());
    let phrases = checksum.into_iter().chain(words).chain([metric.replace('.', " "), metric.to_owned()]);
    let limits = match (metric, value) {
        ("permission", Value::Int(bits)) => vec![format!("{bits:04o}")],
        _ => self::limits(value),
    };
    let meant = |text: &String| {
        let read = toml::comparison(text, kind);
        matches!(read, Ok(Condition::Compare { metric: m, operator: o, limit: l })
            if *m == *metric && o == operator && same(&l, value))
    };
    let sign = operator.sign();
    phrases
        .flat_map(|words| limits.iter().map(move |limit| format!("{words} {sign} {limit}")))
        .find(meant)
        .unwrap_or_else(|| format!("{metric} {sign} {}", plain(value)))
}

fn same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

/// A limit in all the ways in which it can be written, those with a unit first.
fn limits(limit: &Value) -> Vec<String> {
    let number = plain(limit);
    let mut limits = Vec::new();
    match limit {
        Value::Text(text) => return vec![format!("'{text}'"), text.clone()],
        Value::Int(n) => {
            limits.push(format!("{number}%"));
            if let Ok(n) = u64::try_from(*n) {
                limits.push(format!("{}/s", text::size(n)));
                limits.push(text::size(n));
                limits.push(units::duration_text(Duration::from_secs(n)));
            }
        }
        Value::Real(x) => {
            limits.push(format!("{number}%"));
            if let Ok(time) = Duration::try_from_secs_f64(*x) {
                limits.push(units::duration_text(time));
            }
        }
    }
    limits.push(format!("{number}/s"));
    limits.push(number);
    limits
}

fn plain(limit: &Value) -> String {
    match limit {
        Value::Int(n) => n.to_string(),
        Value::Real(x) => x.to_string(),
        Value::Text(text) => format!("'{text}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(metric: &str, limit: impl Into<Value>, kind: &Kind) -> String {
        compared(metric, Operator::Greater, &limit.into(), kind)
    }

    #[test]
    fn limits_have_the_unit_of_what_is_read() {
        let process = Kind::pidfile("/run/x.pid");
        assert_eq!(says("cpu.percent", 80.0, &process), "cpu > 80%");
        assert_eq!(says("memory.total.bytes", 100i64 << 20, &process), "total memory > 100 MiB");
        assert_eq!(says("uptime", 180i64, &process), "uptime > 3m");
        assert_eq!(says("threads", 80i64, &process), "threads > 80");
        assert_eq!(says("fds.percent", 90.5, &process), "fds > 90.5%");
        assert_eq!(says("read.rate", 1i64 << 20, &process), "read rate > 1 MiB/s");
        assert_eq!(says("uid", 0i64, &process), "uid > 0");
        let file = Kind::File { path: "/x".into() };
        assert_eq!(says("permission", 0o644i64, &file), "permission > 0644");
        assert_eq!(says("permission", 0o4755i64, &file), "permission > 4755");
        assert_eq!(says("size", 2i64 << 20, &file), "size > 2 MiB");
        assert_eq!(says("modify.age", 7200i64, &file), "modify age > 2h");
        assert_eq!(says("load.5.core", 2.5, &Kind::System), "load 5 per core > 2.5");
        let disk = Kind::filesystem("/");
        assert_eq!(says("service.time", 0.01, &disk), "service time > 10ms");
        assert_eq!(says("inodes.percent", 90.0, &disk), "inodes > 90%");
        assert_eq!(says("disk.read.operations.rate", 500i64, &disk), "disk read operations rate > 500/s");
        let net = Kind::Network { link: hinoban_config::Link::Interface("eth0".into()) };
        assert_eq!(says("upload.total.2h", 1i64 << 30, &net), "upload total 2h > 1 GiB");
    }
}
