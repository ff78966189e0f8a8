//! The readings a rule may name: canonical names, and the words people use for them.

use hinoban_reading::{Metric, Unit, metrics as m};

use crate::Kind;

/// What a name in a rule may mean.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Named {
    /// Exactly this one.
    One(Metric),
    /// This one with a size, that one with `%`.
    Either { amount: Metric, percent: Metric },
    /// Not one of ours: maybe one of a registered kind.
    Other(String),
}

/// The metrics of the shipped kinds.
pub(super) const SHIPPED: &[Metric] = &[
    m::CPU,
    m::CPU_TOTAL,
    m::MEMORY,
    m::MEMORY_PERCENT,
    m::MEMORY_TOTAL,
    m::MEMORY_TOTAL_PERCENT,
    m::LOAD_1,
    m::LOAD_5,
    m::LOAD_15,
    m::SWAP,
    m::SWAP_PERCENT,
    m::UPTIME,
    m::THREADS,
    m::CHILDREN,
    m::CPU_USER,
    m::CPU_SYSTEM,
    m::CPU_NICE,
    m::CPU_WAIT,
    m::CPU_HARDIRQ,
    m::CPU_SOFTIRQ,
    m::CPU_STEAL,
    m::CPU_GUEST,
    m::CPU_GUESTNICE,
    m::FDS,
    m::FDS_TOTAL,
    m::FDS_SOFT,
    m::FDS_HARD,
    m::FDS_ALLOCATED,
    m::FDS_UNUSED,
    m::FDS_MAXIMUM,
    m::READ_BYTES,
    m::READ_RATE,
    m::WRITE_BYTES,
    m::WRITE_RATE,
    m::DISK_READ_BYTES,
    m::DISK_READ_RATE,
    m::DISK_READ_OPS,
    m::DISK_READ_OPS_RATE,
    m::DISK_WRITE_BYTES,
    m::DISK_WRITE_RATE,
    m::DISK_WRITE_OPS,
    m::DISK_WRITE_OPS_RATE,
    m::PID,
    m::PPID,
    m::UID,
    m::EUID,
    m::GID,
    m::BOOT_TIME,
    m::RESPONSE_TIME,
    m::HTTP_STATUS,
];

/// Words that stand for a metric beside its own name with blanks for dots, which always does.
const SPOKEN: &[(&str, Metric)] = &[
    ("cpu", m::CPU),
    ("total cpu", m::CPU_TOTAL),
    ("load", m::LOAD_1),
    ("load 1min", m::LOAD_1),
    ("load 5min", m::LOAD_5),
    ("load 15min", m::LOAD_15),
    ("cpu user", m::CPU_USER),
    ("cpu system", m::CPU_SYSTEM),
    ("cpu nice", m::CPU_NICE),
    ("cpu wait", m::CPU_WAIT),
    ("cpu hardirq", m::CPU_HARDIRQ),
    ("cpu softirq", m::CPU_SOFTIRQ),
    ("cpu steal", m::CPU_STEAL),
    ("cpu guest", m::CPU_GUEST),
    ("cpu guestnice", m::CPU_GUESTNICE),
    ("total fds", m::FDS_TOTAL),
];

/// Words for what can be said in bytes and in percent.
const EITHER: &[(&str, Metric, Metric)] = &[
    ("memory", m::MEMORY, m::MEMORY_PERCENT),
    ("total memory", m::MEMORY_TOTAL, m::MEMORY_TOTAL_PERCENT),
    ("swap", m::SWAP, m::SWAP_PERCENT),
];

/// What these words mean in a rule of a service of this kind.
pub(super) fn named(words: &str, kind: Option<&Kind>) -> Named {
    if let Some(metric) = SHIPPED.iter().find(|metric| metric.name == words) {
        return Named::One(metric.clone());
    }
    let plain = plain(words);
    if plain == "fds" {
        return Named::One(if kind == Some(&Kind::System) { m::FDS_ALLOCATED } else { m::FDS });
    }
    if let Some((_, amount, percent)) = EITHER.iter().find(|(spoken, ..)| *spoken == plain) {
        return Named::Either { amount: amount.clone(), percent: percent.clone() };
    }
    if let Some((_, metric)) = SPOKEN.iter().find(|(spoken, _)| *spoken == plain) {
        return Named::One(metric.clone());
    }
    match SHIPPED.iter().find(|metric| metric.name.replace('.', " ") == plain) {
        Some(metric) => Named::One(metric.clone()),
        None => Named::Other(words.to_owned()),
    }
}

/// All words that [`named`] knows.
pub(super) fn vocabulary() -> impl Iterator<Item = &'static str> {
    let canonical = SHIPPED.iter().filter_map(|metric| match &metric.name {
        std::borrow::Cow::Borrowed(name) => Some(*name),
        std::borrow::Cow::Owned(_) => None,
    });
    EITHER.iter().map(|(name, ..)| *name).chain(SPOKEN.iter().map(|(name, _)| *name)).chain(canonical)
}

/// Lower case, single blanks, brackets gone, the short forms written out.
fn plain(words: &str) -> String {
    let words = words.to_lowercase().replace(['(', ')'], " ");
    let long = words.split_whitespace().map(|word| match word {
        "mem" => "memory",
        "loadavg" => "load",
        "1m" => "1min",
        "5m" => "5min",
        "15m" => "15min",
        "filedescriptors" => "fds",
        other => other,
    });
    long.collect::<Vec<_>>().join(" ").replace("file descriptors", "fds")
}

/// How a limit for this unit is written.
pub(super) fn example(unit: Unit) -> &'static str {
    match unit {
        Unit::Bytes => "a size such as `100 MB` or `1 GiB`",
        Unit::BytesPerSecond => "a size a second such as `10 MB/s`",
        Unit::PerSecond => "a number a second such as `100/s`",
        Unit::Seconds => "a duration such as `30s` or `1h`",
        Unit::Percent => "a percentage such as `80%`",
        Unit::Text => "a text such as \"running\"",
        _ => "a plain number such as `100`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_names_mean_the_same_reading() {
        for (words, metric) in [
            ("cpu", m::CPU),
            ("total  CPU", m::CPU_TOTAL),
            ("cpu.total.percent", m::CPU_TOTAL),
            ("loadavg(5min)", m::LOAD_5),
            ("load 15", m::LOAD_15),
            ("cpu(wait)", m::CPU_WAIT),
            ("response time", m::RESPONSE_TIME),
            ("file descriptors", m::FDS),
        ] {
            assert_eq!(named(words, None), Named::One(metric), "{words}");
        }
        assert_eq!(named("filedescriptors", Some(&Kind::System)), Named::One(m::FDS_ALLOCATED));
        assert!(
            matches!(named("total mem", None), Named::Either { percent, .. } if percent == m::MEMORY_TOTAL_PERCENT)
        );
        assert_eq!(named("queue.depth", None), Named::Other("queue.depth".into()));
    }
}
