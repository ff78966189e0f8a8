//! The readings a rule may name: canonical names, and the words people use for them.

use hinoban_reading::{Metric, Period, Total, Traffic, Unit, metrics as m};

use super::shipped;
use crate::{Kind, units};

/// What a name in a rule may mean.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Named {
    /// Exactly this one.
    One(Metric),
    /// This one with a size or a number, that one with `%`.
    Either { amount: Metric, percent: Metric },
    /// Not one of ours: maybe one of a registered kind.
    Other(String),
}

/// Words that stand for a metric beside its own name with blanks for dots, which always does.
const SPOKEN: &[(&str, Metric)] = &[
    ("cpu", m::CPU),
    ("total cpu", m::CPU_TOTAL),
    ("load", m::LOAD_1),
    ("load 1min", m::LOAD_1),
    ("load 5min", m::LOAD_5),
    ("load 15min", m::LOAD_15),
    ("load core", m::LOAD_1_CORE),
    ("load 1min core", m::LOAD_1_CORE),
    ("load 5min core", m::LOAD_5_CORE),
    ("load 15min core", m::LOAD_15_CORE),
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
    ("security", m::SECURITY),
    ("cgroup cpu", m::CGROUP_CPU),
    ("cgroup throttled", m::CGROUP_THROTTLED),
    ("space available", m::SPACE_AVAILABLE),
    ("checksum", m::CHECKSUM_SHA256),
    ("sha256", m::CHECKSUM_SHA256),
    ("sha1", m::CHECKSUM_SHA1),
    ("md5", m::CHECKSUM_MD5),
    ("age", m::MODIFY_AGE),
    ("atime", m::ACCESS_TIME),
    ("ctime", m::CHANGE_TIME),
    ("mtime", m::MODIFY_TIME),
    ("hardlinks", m::LINKS),
    ("upload", m::UPLOAD_RATE),
    ("download", m::DOWNLOAD_RATE),
    ("saturation", m::SATURATION),
    ("upload saturation", m::UPLOAD_SATURATION),
    ("download saturation", m::DOWNLOAD_SATURATION),
    ("saturation upload", m::UPLOAD_SATURATION),
    ("saturation download", m::DOWNLOAD_SATURATION),
    ("speed", m::LINK_SPEED),
    ("duplex", m::LINK_DUPLEX),
    ("link", m::LINK_CAPACITY),
    ("capacity", m::LINK_CAPACITY),
    ("pids", m::PIDS_PERCENT),
];

/// Words for what can be said in bytes or numbers and in percent.
const EITHER: &[(&str, Metric, Metric)] = &[
    ("memory", m::MEMORY, m::MEMORY_PERCENT),
    ("total memory", m::MEMORY_TOTAL, m::MEMORY_TOTAL_PERCENT),
    ("swap", m::SWAP, m::SWAP_PERCENT),
    ("cgroup memory", m::CGROUP_MEMORY, m::CGROUP_MEMORY_PERCENT),
    ("cgroup pids", m::CGROUP_PIDS, m::CGROUP_PIDS_PERCENT),
    ("space", m::SPACE, m::SPACE_PERCENT),
    ("space free", m::SPACE_FREE, m::SPACE_FREE_PERCENT),
    ("inodes", m::INODES, m::INODES_PERCENT),
    ("inodes free", m::INODES_FREE, m::INODES_FREE_PERCENT),
];

/// What these words mean in a rule of a service of this kind.
pub(super) fn named(words: &str, kind: Option<&Kind>) -> Named {
    if let Some(metric) = shipped::all().find(|metric| metric.name == words) {
        return Named::One(metric.clone());
    }
    let mut plain = plain(words);
    if matches!(kind, Some(Kind::Filesystem { .. }))
        && (plain.starts_with("read") || plain.starts_with("write"))
    {
        // There is nothing else it could read from.
        plain.insert_str(0, "disk ");
    }
    if let Some(Kind::Program { .. }) = kind {
        match &*plain {
            "status" | "exit value" | "exit code" => return Named::One(m::EXIT_STATUS),
            "state" => return Named::One(m::PLUGIN_STATE),
            _ => {}
        }
    }
    if let Some(Kind::Network { .. }) = kind
        && let Some(total) = Total::parse(words).or_else(|| total(&plain))
    {
        return Named::One(total.metric());
    }
    if plain == "fds" {
        return match kind {
            Some(Kind::System) => {
                Named::Either { amount: m::FDS_ALLOCATED, percent: m::FDS_ALLOCATED_PERCENT }
            }
            _ => Named::Either { amount: m::FDS, percent: m::FDS_PERCENT },
        };
    }
    if let Some((_, amount, percent)) = EITHER.iter().find(|(spoken, ..)| *spoken == plain) {
        return Named::Either { amount: amount.clone(), percent: percent.clone() };
    }
    if let Some((_, metric)) = SPOKEN.iter().find(|(spoken, _)| *spoken == plain) {
        return Named::One(metric.clone());
    }
    match shipped::all().find(|metric| metric.name.replace('.', " ") == plain) {
        Some(metric) => Named::One(metric.clone()),
        None => Named::Other(words.to_owned()),
    }
}

/// `total upload in last 2h`, `download packets total 30m`: in which order these words stand makes no difference.
fn total(plain: &str) -> Option<Total> {
    let (mut upload, mut packets, mut time) = (None, false, String::new());
    for word in plain.split(' ') {
        match word {
            "upload" | "download" if upload.is_none() => upload = Some(word == "upload"),
            "packets" | "packet" => packets = true,
            "total" | "in" | "the" | "last" | "within" => {}
            word => time += word,
        }
    }
    let of = match (upload?, packets) {
        (false, false) => Traffic::DownloadBytes,
        (false, true) => Traffic::DownloadPackets,
        (true, false) => Traffic::UploadBytes,
        (true, true) => Traffic::UploadPackets,
    };
    let time =
        units::duration(&time).ok().filter(|time| time.subsec_nanos() == 0 && *time <= Total::LONGEST)?;
    let whole = |unit: &Period| time.as_secs() > 0 && time.as_secs().is_multiple_of(unit.seconds());
    let unit = [Period::Day, Period::Hour, Period::Minute].into_iter().find(whole)?;
    Some(Total { of, count: u32::try_from(time.as_secs() / unit.seconds()).ok()?, unit })
}

/// All words that [`named`] knows.
pub(super) fn vocabulary() -> impl Iterator<Item = &'static str> {
    let canonical = shipped::all().filter_map(|metric| match &metric.name {
        std::borrow::Cow::Borrowed(name) => Some(*name),
        std::borrow::Cow::Owned(_) => None,
    });
    EITHER.iter().map(|(name, ..)| *name).chain(SPOKEN.iter().map(|(name, _)| *name)).chain(canonical)
}

/// Lower case, single blanks, brackets and what only sounds well gone, the short forms written out.
fn plain(words: &str) -> String {
    let words = words.to_lowercase().replace(['(', ')'], " ");
    let sound = |word: &&str| !matches!(*word, "usage" | "per");
    let long = words.split_whitespace().filter(sound).map(|word| match word {
        "mem" => "memory",
        "loadavg" => "load",
        "1m" => "1min",
        "5m" => "5min",
        "15m" => "15min",
        "filedescriptors" => "fds",
        "inode" => "inodes",
        other => other,
    });
    match long.collect::<Vec<_>>()[..] {
        ["free", what @ ("space" | "inodes")] => format!("{what} free"),
        ["used", what] | [what @ ("space" | "inodes"), "used"] => what.to_owned(),
        ref words => words.join(" ").replace("file descriptors", "fds"),
    }
}

/// How a limit for this unit is written.
pub(super) fn example(unit: Unit) -> &'static str {
    match unit {
        Unit::Bytes => "a size such as `100 MB` or `1 GiB`",
        Unit::BytesPerSecond => "a size a second such as `10 MB/s`",
        Unit::BitsPerSecond => "a speed such as `1 Gbit/s`",
        Unit::PerSecond => "a number a second such as `100/s`",
        Unit::Seconds => "a duration such as `30s` or `1h`",
        Unit::Percent => "a percentage such as `80%`",
        Unit::Text => "a text such as `ext4`",
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
            ("security attribute", m::SECURITY),
            ("cgroup oom kills", m::CGROUP_OOM_KILLS),
            ("cgroup cpu", m::CGROUP_CPU),
            ("load 5 per core", m::LOAD_5_CORE),
            ("loadavg(15min) per core", m::LOAD_15_CORE),
            ("load per core", m::LOAD_1_CORE),
            ("load.1.core", m::LOAD_1_CORE),
            ("cpu usage", m::CPU),
            ("size", m::SIZE),
            ("service time", m::SERVICE_TIME),
            ("read rate", m::READ_RATE),
        ] {
            assert_eq!(named(words, None), Named::One(metric), "{words}");
        }
        let files = Named::Either { amount: m::FDS_ALLOCATED, percent: m::FDS_ALLOCATED_PERCENT };
        assert_eq!(named("filedescriptors", Some(&Kind::System)), files);
        let eth0 = Kind::Network { link: crate::Link::Interface("eth0".into()) };
        for (words, metric) in [
            ("upload rate", "upload.rate"),
            ("download", "download.rate"),
            ("upload saturation", "saturation.upload.percent"),
            ("link", "link.capacity"),
            ("upload.total.1h", "upload.total.1h"),
            ("total upload in last 2 hours", "upload.total.2h"),
            ("Download packets total 90m", "download.packets.total.90m"),
            ("total download last 24h", "download.total.1d"),
        ] {
            let Named::One(found) = named(words, Some(&eth0)) else { panic!("{words}") };
            assert_eq!(found.name, metric, "{words}");
        }
        for words in ["total upload in last 2 years", "total upload 30s", "total 1h", "upload.total.0h"] {
            assert!(matches!(named(words, Some(&eth0)), Named::Other(_)), "{words}");
        }
        let fds = Named::Either { amount: m::FDS, percent: m::FDS_PERCENT };
        assert_eq!(named("file descriptors", None), fds);
        assert!(
            matches!(named("total mem", None), Named::Either { percent, .. } if percent == m::MEMORY_TOTAL_PERCENT)
        );
        let root = Kind::filesystem("/");
        assert_eq!(named("read rate", Some(&root)), Named::One(m::DISK_READ_RATE));
        assert_eq!(named("write operations rate", Some(&root)), Named::One(m::DISK_WRITE_OPS_RATE));
        for words in ["space free", "free space", "Space  Free"] {
            let free = Named::Either { amount: m::SPACE_FREE, percent: m::SPACE_FREE_PERCENT };
            assert_eq!(named(words, Some(&root)), free, "{words}");
        }
        for words in ["inodes", "inode usage", "used inodes"] {
            let used = Named::Either { amount: m::INODES, percent: m::INODES_PERCENT };
            assert_eq!(named(words, Some(&root)), used, "{words}");
        }
        assert_eq!(named("queue.depth", None), Named::Other("queue.depth".into()));
    }
}
