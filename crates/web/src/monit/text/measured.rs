//! Lines of what was measured, by type of service.

use std::time::Duration;

use hinoban_reading::{Metric, Stamp, metrics as m};
use hinoban_supervisor::Status;

use super::Rows;
use crate::monit::readings::Readings;
use crate::monit::{About, figures};

pub(super) fn process(rows: &mut Rows<'_>, seen: Readings<'_>) {
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
    let security = seen.text(m::SECURITY).filter(|text| !text.is_empty());
    rows.value("security attribute", security.map(str::to_owned));
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
    cgroup(rows, seen);
}

/// The control group of a process, where a rule asks for it; Monit knows nothing of these.
fn cgroup(rows: &mut Rows<'_>, seen: Readings<'_>) {
    let mut row = |key: &str, value: Option<String>| {
        if value.is_some() {
            rows.value(key, value);
        }
    };
    let of_limit = |used: String, share, limit: Option<String>| match (seen.real(share), limit) {
        (Some(share), Some(limit)) => format!("{used} [{share:.1}% of {limit} limit]"),
        _ => used,
    };
    let size = |metric| seen.real(metric).map(figures::bytes);
    let whole = |metric| seen.int(metric).map(|n| n.to_string());
    let percent = |metric| seen.real(metric).map(|x| format!("{x:.1}%"));
    let memory = size(m::CGROUP_MEMORY);
    row("cgroup memory", memory.map(|m| of_limit(m, m::CGROUP_MEMORY_PERCENT, size(m::CGROUP_MEMORY_LIMIT))));
    row("cgroup cpu", percent(m::CGROUP_CPU));
    row("cgroup cpu throttled", percent(m::CGROUP_THROTTLED));
    let pids = whole(m::CGROUP_PIDS);
    row("cgroup pids", pids.map(|n| of_limit(n, m::CGROUP_PIDS_PERCENT, whole(m::CGROUP_PIDS_LIMIT))));
    row("cgroup OOM kills", whole(m::CGROUP_OOM_KILLS));
}

pub(super) fn file(rows: &mut Rows<'_>, seen: Readings<'_>, about: &About) {
    owner(rows, seen);
    rows.value("size", seen.real(m::SIZE).map(figures::bytes));
    times(rows, seen, about);
    for (kind, sum) in seen.checksums() {
        rows.value("checksum", Some(format!("{sum} ({kind})")));
    }
}

/// A directory or a named pipe.
pub(super) fn node(rows: &mut Rows<'_>, seen: Readings<'_>, about: &About) {
    owner(rows, seen);
    times(rows, seen, about);
}

fn times(rows: &mut Rows<'_>, seen: Readings<'_>, about: &About) {
    for (key, metric) in [
        ("access timestamp", m::ACCESS_TIME),
        ("change timestamp", m::CHANGE_TIME),
        ("modify timestamp", m::MODIFY_TIME),
    ] {
        rows.value(key, seen.int(metric).map(|secs| figures::date(moment(secs), &about.zone)));
    }
}

fn owner(rows: &mut Rows<'_>, seen: Readings<'_>) {
    rows.value("permission", seen.int(m::PERMISSION).map(|mode| format!("{:o}", mode & 0o7777)));
    rows.value("uid", seen.int(m::UID).map(|n| n.to_string()));
    rows.value("gid", seen.int(m::GID).map(|n| n.to_string()));
}

/// A file system without inodes, or not on a block device, has no lines about them.
pub(super) fn filesystem(rows: &mut Rows<'_>, seen: Readings<'_>) {
    rows.value("filesystem type", seen.text(m::FILESYSTEM_TYPE).map(str::to_owned));
    rows.value("filesystem flags", seen.text(m::FILESYSTEM_FLAGS).map(str::to_owned));
    owner(rows, seen);
    rows.value("block size", seen.real(m::BLOCK_SIZE).map(figures::bytes));
    // Of nothing, any part is 0 %.
    let share = |part: f64, all: f64| if all > 0.0 { 100.0 * part / all } else { 0.0 };
    let [total, free, available] =
        [m::SPACE_TOTAL, m::SPACE_FREE, m::SPACE_AVAILABLE].map(|metric| seen.real(metric));
    let reserved = || {
        let (total, reserved) = (total?, free? - available?);
        let share = share(reserved.max(0.0), total);
        Some(format!("{} (of which {share:.1}% is reserved for root user)", figures::bytes(total)))
    };
    let of_total = |part: Option<f64>| {
        let (part, total) = (part?, total?);
        Some(format!("{} [{:.1}%]", figures::bytes(part), share(part, total)))
    };
    rows.value("space total", reserved());
    rows.value("space free for non superuser", of_total(available));
    rows.value("space free total", of_total(free));
    if let Some(inodes) = seen.real(m::INODES_TOTAL).filter(|n| *n > 0.0) {
        rows.value("inodes total", Some(format!("{inodes:.0}")));
        let free = seen.real(m::INODES_FREE);
        rows.value("inodes free", free.map(|free| format!("{free:.0} [{:.1}%]", share(free, inodes))));
    }
    traffic(rows, seen, "read bytes", m::DISK_READ_RATE, m::DISK_READ_BYTES);
    operations(rows, seen, "disk read operations", "reads", m::DISK_READ_OPS_RATE, m::DISK_READ_OPS);
    traffic(rows, seen, "write bytes", m::DISK_WRITE_RATE, m::DISK_WRITE_BYTES);
    operations(rows, seen, "disk write operations", "writes", m::DISK_WRITE_OPS_RATE, m::DISK_WRITE_OPS);
    if seen.has_operations() {
        let [all, read, write] = [m::SERVICE_TIME, m::SERVICE_TIME_READ, m::SERVICE_TIME_WRITE]
            .map(|metric| 1000.0 * seen.real(metric).unwrap_or(0.0));
        let text = format!("{all:.3} ms/operation (of which read {read:.3} ms, write {write:.3} ms)");
        rows.value("service time", Some(text));
    }
}

/// Bytes per second and in all. A counter that cannot be read (another user's process) has no line.
fn traffic(rows: &mut Rows<'_>, seen: Readings<'_>, key: &str, rate: Metric, total: Metric) {
    if let Some(total) = seen.real(total) {
        let rate = seen.real(rate).unwrap_or(0.0);
        rows.value(key, Some(format!("{}/s [{} total]", figures::bytes(rate), figures::bytes(total))));
    }
}

fn operations(rows: &mut Rows<'_>, seen: Readings<'_>, key: &str, what: &str, rate: Metric, total: Metric) {
    if let Some(total) = seen.int(total) {
        let rate = seen.real(rate).unwrap_or(0.0);
        rows.value(key, Some(format!("{rate:.1} {what}/s [{total} {what} total]")));
    }
}

pub(super) fn system(rows: &mut Rows<'_>, seen: Readings<'_>, status: &Status, about: &About) {
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
    let boot = seen.int(m::BOOT_TIME).map(moment);
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

/// What a program measures itself has lines of its own, which Monit has not.
pub(super) fn program(rows: &mut Rows<'_>, seen: Readings<'_>, about: &About) {
    // Monit cuts each line there.
    const COLUMNS: usize = 201;
    if let Some(why) = seen.text(m::RUN_ERROR).filter(|why| !why.is_empty()) {
        rows.value("cannot be run", Some(why.to_owned()));
        return;
    }
    rows.value("last exit value", seen.int(m::EXIT_STATUS).map(|n| n.to_string()));
    let cut = |line: &str| match line.char_indices().nth(COLUMNS).filter(|_| about.as_monit) {
        Some((end, _)) => line[..end].to_owned(),
        None => line.to_owned(),
    };
    let output = seen.text(m::OUTPUT).filter(|text| !text.is_empty());
    rows.value("last output", output.map(|text| text.lines().map(cut).collect::<Vec<_>>().join("\n")));
    if let Some(reason) = seen.text(m::EXIT_REASON) {
        rows.value("last ending", Some(reason.to_owned()));
    }
    if let Some(state) = seen.text(m::PLUGIN_STATE) {
        rows.value("state", Some(state.to_owned()));
    }
    let own = |name: &str| name.starts_with("perf.") || name.starts_with("json.");
    for reading in seen.0.iter().flat_map(|o| &o.readings).filter(|reading| own(&reading.name)) {
        rows.value(&reading.name, Some(reading.unit.show(&reading.value).to_string()));
    }
}

/// The readings of a kind that we know nothing of: each under the name of its metric.
pub(super) fn custom(rows: &mut Rows<'_>, seen: Readings<'_>) {
    for reading in seen.0.iter().flat_map(|o| &o.readings) {
        rows.value(&reading.name, Some(reading.value.to_string()));
    }
}

/// A time of the Unix epoch.
fn moment(secs: i64) -> Stamp {
    Stamp::from_micros(secs.saturating_mul(1_000_000))
}

fn seconds(secs: f64) -> Duration {
    Duration::try_from_secs_f64(secs.max(0.0)).unwrap_or_default()
}
