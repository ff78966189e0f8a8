//! A reading beside its limit.

use std::fmt::{self, Display};

use hinoban_config::{Dialect, Found, Kind, Operator};
use hinoban_reading::{Metric, Total, Unit, Value, metrics as m};

use super::figures::Figure;

/// One comparison, to be told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compared<'a> {
    /// The name of the service.
    pub(crate) service: &'a str,
    pub(crate) kind: &'a Kind,
    pub(crate) metric: &'a str,
    pub(crate) unit: Unit,
    pub(crate) operator: Operator,
    pub(crate) value: &'a Value,
    pub(crate) limit: &'a Value,
}

/// The form of a sentence.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    /// `NAME of VALUE …`, `NAME check succeeded …`
    Of,
    /// `NAME count VALUE …`, `NAME check succeeded …`
    Count,
    /// `NAME VALUE …`, `NAME test succeeded …`
    Bare,
    /// Open file descriptors: nearly [`Form::Of`].
    Files,
    /// The size of a file.
    Size,
    /// How long something has run.
    Uptime,
    /// Who owns it.
    Owner,
    /// What a security module says of it.
    Security,
}

/// How a metric is called.
struct Phrase {
    metric: Metric,
    form: Form,
    /// By Monit, before the value.
    name: &'static str,
    /// By Monit, within brackets.
    short: &'static str,
    /// By us.
    own: &'static str,
}

const fn phrase(
    metric: Metric,
    form: Form,
    name: &'static str,
    short: &'static str,
    own: &'static str,
) -> Phrase {
    Phrase { metric, form, name, short, own }
}

const fn same(metric: Metric, form: Form, name: &'static str) -> Phrase {
    phrase(metric, form, name, name, name)
}

/// What Monit 5.33 says, quirks included: gathered from its log, by rules that fail and that hold.
static PHRASES: &[Phrase] = &[
    same(m::CPU, Form::Of, "cpu usage"),
    phrase(m::CPU_TOTAL, Form::Of, "total cpu usage", "cpu usage", "total cpu usage"),
    same(m::CPU_USER, Form::Of, "cpu user usage"),
    same(m::CPU_SYSTEM, Form::Of, "cpu system usage"),
    same(m::CPU_WAIT, Form::Of, "cpu I/O wait"),
    same(m::CPU_NICE, Form::Of, "cpu nice usage"),
    same(m::CPU_HARDIRQ, Form::Of, "cpu hardware IRQ usage"),
    same(m::CPU_SOFTIRQ, Form::Of, "cpu software IRQ usage"),
    same(m::CPU_STEAL, Form::Of, "cpu steal usage"),
    same(m::CPU_GUEST, Form::Of, "cpu guest usage"),
    same(m::CPU_GUESTNICE, Form::Of, "cpu guest nice usage"),
    same(m::MEMORY, Form::Of, "mem amount"),
    same(m::MEMORY_PERCENT, Form::Of, "mem usage"),
    same(m::MEMORY_TOTAL, Form::Of, "total mem amount"),
    phrase(m::MEMORY_TOTAL_PERCENT, Form::Of, "total mem amount", "total mem amount", "total mem usage"),
    same(m::SWAP, Form::Of, "swap amount"),
    same(m::SWAP_PERCENT, Form::Of, "swap usage"),
    same(m::LOAD_1, Form::Of, "loadavg (1min)"),
    same(m::LOAD_5, Form::Of, "loadavg (5min)"),
    same(m::LOAD_15, Form::Of, "loadavg (15min)"),
    same(m::LOAD_1_CORE, Form::Of, "loadavg per core (1min)"),
    same(m::LOAD_5_CORE, Form::Of, "loadavg per core (5min)"),
    same(m::LOAD_15_CORE, Form::Of, "loadavg per core (15min)"),
    same(m::THREADS, Form::Count, "threads"),
    same(m::CHILDREN, Form::Count, "children"),
    same(m::UPTIME, Form::Uptime, "uptime"),
    phrase(m::FDS, Form::Files, "filedescriptors", "filedescriptors", "open file descriptors"),
    phrase(
        m::FDS_TOTAL,
        Form::Files,
        "total filedescriptors",
        "filedescriptors",
        "total open file descriptors",
    ),
    phrase(
        m::FDS_PERCENT,
        Form::Files,
        "filedescriptors",
        "filedescriptors",
        "open file descriptors of its limit",
    ),
    phrase(m::FDS_ALLOCATED, Form::Files, "filedescriptors", "filedescriptors", "open file descriptors"),
    phrase(
        m::FDS_ALLOCATED_PERCENT,
        Form::Files,
        "filedescriptors",
        "filedescriptors",
        "open file descriptors",
    ),
    same(m::PIDS_USED, Form::Of, "process ids in use"),
    same(m::PIDS_PERCENT, Form::Of, "process ids in use"),
    same(m::PIDS_MAXIMUM, Form::Of, "limit of process ids"),
    same(m::SWAP_IN_RATE, Form::Of, "pages swapped in"),
    same(m::SWAP_OUT_RATE, Form::Of, "pages swapped out"),
    same(m::SERVICES_FALLEN, Form::Of, "services that fell within an hour"),
    same(m::PRESSURE_CPU_SOME_10, Form::Of, "cpu pressure (10s)"),
    same(m::PRESSURE_CPU_SOME_60, Form::Of, "cpu pressure (1min)"),
    same(m::PRESSURE_CPU_SOME_300, Form::Of, "cpu pressure (5min)"),
    same(m::PRESSURE_MEMORY_SOME_10, Form::Of, "memory pressure (10s)"),
    same(m::PRESSURE_MEMORY_SOME_60, Form::Of, "memory pressure (1min)"),
    same(m::PRESSURE_MEMORY_SOME_300, Form::Of, "memory pressure (5min)"),
    same(m::PRESSURE_MEMORY_FULL_10, Form::Of, "full memory pressure (10s)"),
    same(m::PRESSURE_MEMORY_FULL_60, Form::Of, "full memory pressure (1min)"),
    same(m::PRESSURE_MEMORY_FULL_300, Form::Of, "full memory pressure (5min)"),
    same(m::PRESSURE_IO_SOME_10, Form::Of, "io pressure (10s)"),
    same(m::PRESSURE_IO_SOME_60, Form::Of, "io pressure (1min)"),
    same(m::PRESSURE_IO_SOME_300, Form::Of, "io pressure (5min)"),
    same(m::PRESSURE_IO_FULL_10, Form::Of, "full io pressure (10s)"),
    same(m::PRESSURE_IO_FULL_60, Form::Of, "full io pressure (1min)"),
    same(m::PRESSURE_IO_FULL_300, Form::Of, "full io pressure (5min)"),
    phrase(m::READ_RATE, Form::Bare, "read rate", "read", "read rate"),
    phrase(m::WRITE_RATE, Form::Bare, "write rate", "write", "write rate"),
    phrase(m::DISK_READ_RATE, Form::Bare, "physical read activity", "read", "disk read rate"),
    phrase(m::DISK_WRITE_RATE, Form::Bare, "physical write activity", "write", "disk write rate"),
    phrase(m::DISK_READ_OPS_RATE, Form::Bare, "read rate", "read", "disk read operations"),
    phrase(m::DISK_WRITE_OPS_RATE, Form::Bare, "write rate", "write", "disk write operations"),
    same(m::UID, Form::Owner, "uid"),
    same(m::EUID, Form::Owner, "euid"),
    same(m::GID, Form::Owner, "gid"),
    phrase(m::SECURITY, Form::Security, "Security attribute", "attribute", "security attribute"),
    same(m::CGROUP_MEMORY, Form::Of, "cgroup memory"),
    same(m::CGROUP_MEMORY_PERCENT, Form::Of, "cgroup memory"),
    same(m::CGROUP_MEMORY_LIMIT, Form::Of, "cgroup memory limit"),
    same(m::CGROUP_CPU, Form::Of, "cgroup cpu usage"),
    same(m::CGROUP_THROTTLED, Form::Of, "cgroup cpu throttling"),
    same(m::CGROUP_OOM_KILLS, Form::Of, "number of OOM kills in its cgroup"),
    same(m::CGROUP_PIDS, Form::Of, "cgroup pids"),
    same(m::CGROUP_PIDS_PERCENT, Form::Of, "cgroup pids"),
    same(m::CGROUP_PIDS_LIMIT, Form::Of, "cgroup pids limit"),
    same(m::UPLOAD_RATE, Form::Of, "upload rate"),
    same(m::UPLOAD_BYTES, Form::Of, "uploaded bytes"),
    same(m::UPLOAD_PACKETS_RATE, Form::Of, "upload packets"),
    same(m::UPLOAD_PACKETS, Form::Of, "uploaded packets"),
    same(m::UPLOAD_ERRORS_RATE, Form::Of, "upload errors"),
    same(m::UPLOAD_ERRORS, Form::Of, "upload errors in all"),
    same(m::UPLOAD_DROPPED_RATE, Form::Of, "dropped upload packets"),
    same(m::UPLOAD_DROPPED, Form::Of, "dropped upload packets in all"),
    same(m::UPLOAD_SATURATION, Form::Of, "upload saturation"),
    same(m::DOWNLOAD_RATE, Form::Of, "download rate"),
    same(m::DOWNLOAD_BYTES, Form::Of, "downloaded bytes"),
    same(m::DOWNLOAD_PACKETS_RATE, Form::Of, "download packets"),
    same(m::DOWNLOAD_PACKETS, Form::Of, "downloaded packets"),
    same(m::DOWNLOAD_ERRORS_RATE, Form::Of, "download errors"),
    same(m::DOWNLOAD_ERRORS, Form::Of, "download errors in all"),
    same(m::DOWNLOAD_DROPPED_RATE, Form::Of, "dropped download packets"),
    same(m::DOWNLOAD_DROPPED, Form::Of, "dropped download packets in all"),
    same(m::DOWNLOAD_SATURATION, Form::Of, "download saturation"),
    same(m::SATURATION, Form::Of, "link saturation"),
    same(m::LINK_SPEED, Form::Of, "link speed"),
    same(m::LINK_DUPLEX, Form::Of, "link duplex"),
    same(m::LINK_CAPACITY, Form::Of, "link capacity"),
    same(m::SIZE, Form::Size, "size"),
    same(m::SPACE, Form::Bare, "space usage"),
    same(m::SPACE_PERCENT, Form::Bare, "space usage"),
    same(m::SPACE_FREE, Form::Bare, "space free"),
    same(m::SPACE_FREE_PERCENT, Form::Bare, "space free"),
    phrase(m::INODES, Form::Bare, "inode usage", "inode usage", "inodes in use"),
    same(m::INODES_PERCENT, Form::Bare, "inode usage"),
    phrase(m::INODES_FREE, Form::Bare, "inode free", "inode free", "free inodes"),
    phrase(m::INODES_FREE_PERCENT, Form::Bare, "inode free", "inode free", "free inodes"),
    same(m::SERVICE_TIME, Form::Bare, "service time"),
    same(m::PERMISSION, Form::Of, "permission"),
    same(m::LINKS, Form::Of, "links"),
    phrase(m::ACCESS_AGE, Form::Of, "access time", "access time", "time since the last access"),
    phrase(m::CHANGE_AGE, Form::Of, "change time", "change time", "time since the last change of status"),
    phrase(m::MODIFY_AGE, Form::Of, "modify time", "modify time", "time since the last modification"),
    phrase(
        m::TIMESTAMP_AGE,
        Form::Of,
        "modify/change time",
        "modify/change time",
        "time since the last change",
    ),
    same(m::CHECKSUM_MD5, Form::Of, "MD5 checksum"),
    same(m::CHECKSUM_SHA1, Form::Of, "SHA-1 checksum"),
    same(m::CHECKSUM_SHA256, Form::Of, "SHA-256 checksum"),
    same(m::EXIT_STATUS, Form::Of, "exit status"),
    same(m::EXIT_SIGNAL, Form::Of, "signal that ended it"),
    same(m::RUN_TIME, Form::Of, "run time"),
    same(m::OUTPUT, Form::Of, "output"),
    same(m::PLUGIN_STATE, Form::Of, "state"),
];

fn known(metric: &str) -> Option<&'static Phrase> {
    PHRASES.iter().find(|p| p.metric.name == metric)
}

/// The unit of a metric of ours; `None`: only its probe knows.
pub(crate) fn unit_of(metric: &str) -> Option<Unit> {
    known(metric).map(|p| p.metric.unit).or_else(|| Some(Total::parse(metric)?.of.unit()))
}

/// The name of a metric of ours, without a copy.
pub(crate) fn known_name(metric: &str) -> Option<&'static str> {
    known(metric).map(|p| &*p.metric.name)
}

/// How people call a metric: `space usage`; what is not ours by its own name.
pub(crate) fn name_of(metric: &str) -> &str {
    let times = [
        (m::ACCESS_TIME, "access time"),
        (m::CHANGE_TIME, "change time"),
        (m::MODIFY_TIME, "modify time"),
        (m::TIMESTAMP, "time of the last change"),
    ];
    let time = || times.iter().find(|(time, _)| *time.name == *metric).map(|(_, name)| *name);
    known(metric).map(|p| p.own).or_else(time).unwrap_or(metric)
}

/// A comparison with a limit.
pub(crate) fn compare(compared: Compared<'_>, failed: bool, dialect: Dialect) -> String {
    match (known(compared.metric), dialect) {
        (Some(phrase), Dialect::Monit) => compared.as_monit(phrase, failed),
        _ => {
            let (name, unit) = (name_of(compared.metric), compared.unit);
            plain(failed, name, compared.operator, unit.show(compared.value), unit.show(compared.limit))
        }
    }
}

/// The form of most of Monit's sentences, which is that of all of ours.
fn plain(failed: bool, name: &str, operator: Operator, value: impl Display, limit: impl Display) -> String {
    if failed {
        format!("{name} of {value} matches resource limit [{name} {} {limit}]", operator.sign())
    } else {
        format!("{name} check succeeded [current {name} = {value}]")
    }
}

impl Compared<'_> {
    fn as_monit(&self, phrase: &Phrase, failed: bool) -> String {
        let unit = phrase.metric.unit;
        let value = Figure { unit, value: self.value, limit: false };
        let limit = Figure { unit, value: self.limit, limit: true };
        let (sign, short) = (self.operator.sign(), phrase.short);
        let name = match phrase.name {
            // What a process does to disks has another name than what is done to a file system.
            "physical read activity" if self.of_filesystem() => "read rate",
            "physical write activity" if self.of_filesystem() => "write rate",
            name => name,
        };
        match (phrase.form, failed) {
            (Form::Of, true) => format!("{name} of {value} matches resource limit [{short} {sign} {limit}]"),
            (Form::Of, false) => format!("{name} check succeeded [current {short} = {value}]"),
            (Form::Count, true) => {
                format!("{name} count {value} matches resource limit [{short} {sign} {limit}]")
            }
            (Form::Count, false) => format!("{name} check succeeded [current {short} = {value}]"),
            (Form::Bare, true) => format!("{name} {value} matches resource limit [{short} {sign} {limit}]"),
            (Form::Bare, false) => format!("{name} test succeeded [current {short} = {value}]"),
            (Form::Files, true) => {
                // The second blank is Monit's.
                let name = name.replace(' ', "  ");
                format!("{name} usage of {value} matches limit [{short} {sign} {limit}]")
            }
            (Form::Files, false) => {
                let usage = if name == short && unit != Unit::Percent { "" } else { " usage" };
                format!("{name}{usage} test succeeded [current {short} usage = {value}]")
            }
            (Form::Size, true) => {
                format!("{name} test failed for {} -- current {name} is {value}", Path(self.kind))
            }
            (Form::Size, false) => format!("{name} check succeeded [current {name} = {value}]"),
            (Form::Owner, true) => {
                format!("{name} test failed for {} -- current {short} is {}", self.service, self.value)
            }
            (Form::Owner, false) => format!("{name} test succeeded [current {short} = {}]", self.value),
            (Form::Security, true) => {
                format!("{name} test failed for {} -- current {short} is '{}'", self.service, self.value)
            }
            (Form::Security, false) => format!("{name} test succeeded [current {short} = '{}']", self.value),
            (Form::Uptime, true) => {
                let (path, seconds) = (Path(self.kind), self.value.as_i64().unwrap_or_default());
                format!("{name} test failed for {path} -- current {name} is {seconds} seconds")
            }
            (Form::Uptime, false) => {
                let seconds = self.value.as_i64().unwrap_or_default();
                format!("{name} test succeeded [current {name} = {seconds} seconds]")
            }
        }
    }

    fn of_filesystem(&self) -> bool {
        matches!(self.kind, Kind::Filesystem { .. })
    }
}

/// What a service is found by; Monit prints that of a system, which has none, as printf(3) prints a null pointer.
pub(super) struct Path<'a>(pub(super) &'a Kind);

impl Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Process { found: Found::Pidfile(path) }
            | Kind::File { path }
            | Kind::Directory { path }
            | Kind::Fifo { path }
            | Kind::Filesystem { path, .. } => path.display().fmt(f),
            Kind::Host { address } => f.write_str(address),
            Kind::Process { found: Found::Matching(pattern) } => f.write_str(pattern.text()),
            _ => f.write_str("(null)"),
        }
    }
}

#[cfg(test)]
mod tests;
