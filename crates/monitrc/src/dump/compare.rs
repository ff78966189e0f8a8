//! Readings that are compared: under which label each is shown, and how its limit is written.

use hinoban_config::{Kind, Operator};
use hinoban_reading::{Period, Total, Traffic, Value};

use super::amount;
use super::service::Rank;

/// How a limit is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// A whole number.
    Count,
    /// With one decimal.
    Ratio,
    Percent,
    Bytes,
    /// All of them, whatever their number.
    EachByte,
    Seconds,
    BytesPerSecond,
    Operations,
    Packets,
    /// The time since something.
    Age,
    /// The time that an operation takes.
    PerOperation,
}
use Shape::*;

/// Metric, place among the lines of a service, label, and what follows it.
const ROWS: [(&str, Rank, &str, Shape); 70] = [
    ("fds.open", Rank::Descriptors, "Filedescriptors", Count),
    ("fds.percent", Rank::Descriptors, "Filedescriptors", Percent),
    ("fds.total", Rank::Descriptors, "Total filedescriptors", Count),
    ("fds.allocated", Rank::Descriptors, "Filedescriptors", Count),
    ("fds.allocated.percent", Rank::Descriptors, "Filedescriptors", Percent),
    ("timestamp.age", Rank::Stamp, "modify/change time", Age),
    ("access.age", Rank::Stamp, "access time", Age),
    ("change.age", Rank::Stamp, "change time", Age),
    ("modify.age", Rank::Stamp, "modify time", Age),
    ("size", Rank::Size, "Size", EachByte),
    ("links", Rank::Size, "Hardlink", Count),
    ("saturation.percent", Rank::Saturation, "Link utilization", Percent),
    ("upload.rate", Rank::UploadBytes, "Upload bytes", BytesPerSecond),
    ("upload.packets.rate", Rank::UploadPackets, "Upload packets", Packets),
    ("download.rate", Rank::DownloadBytes, "Download bytes", BytesPerSecond),
    ("download.packets.rate", Rank::DownloadPackets, "Download packets", Packets),
    ("uptime", Rank::Uptime, "Uptime", Seconds),
    ("cpu.percent", Rank::Resource, "CPU usage limit", Percent),
    ("cpu.total.percent", Rank::Resource, "CPU usage limit (incl. children)", Percent),
    ("cpu.user.percent", Rank::Resource, "CPU user limit", Percent),
    ("cpu.system.percent", Rank::Resource, "CPU system limit", Percent),
    ("cpu.wait.percent", Rank::Resource, "CPU I/O wait limit", Percent),
    ("cpu.nice.percent", Rank::Resource, "CPU nice limit", Percent),
    ("cpu.hardirq.percent", Rank::Resource, "CPU hardware IRQ limit", Percent),
    ("cpu.softirq.percent", Rank::Resource, "CPU software IRQ limit", Percent),
    ("cpu.steal.percent", Rank::Resource, "CPU steal limit", Percent),
    ("cpu.guest.percent", Rank::Resource, "CPU guest limit", Percent),
    ("cpu.guestnice.percent", Rank::Resource, "CPU guest nice limit", Percent),
    ("memory.percent", Rank::Resource, "Memory usage limit", Percent),
    ("memory.bytes", Rank::Resource, "Memory amount limit", Bytes),
    ("memory.total.percent", Rank::Resource, "Memory usage limit (incl. children)", Percent),
    ("memory.total.bytes", Rank::Resource, "Memory amount limit (incl. children)", Bytes),
    ("swap.percent", Rank::Resource, "Swap usage limit", Percent),
    ("swap.bytes", Rank::Resource, "Swap amount limit", Bytes),
    ("load.1", Rank::Resource, "Load avg (1m)", Ratio),
    ("load.5", Rank::Resource, "Load avg (5m)", Ratio),
    ("load.15", Rank::Resource, "Load avg (15m)", Ratio),
    ("load.1.core", Rank::Resource, "Load avg/core (1m)", Ratio),
    ("load.5.core", Rank::Resource, "Load avg/core (5m)", Ratio),
    ("load.15.core", Rank::Resource, "Load avg/core (15m)", Ratio),
    ("threads", Rank::Resource, "Threads", Count),
    ("children", Rank::Resource, "Children", Count),
    ("read.rate", Rank::Resource, "Read limit", BytesPerSecond),
    ("write.rate", Rank::Resource, "Write limit", BytesPerSecond),
    ("disk.read.rate", Rank::Resource, "Disk read limit", BytesPerSecond),
    ("disk.write.rate", Rank::Resource, "Disk write limit", BytesPerSecond),
    ("disk.read.operations.rate", Rank::Resource, "Disk read limit", Operations),
    ("disk.write.operations.rate", Rank::Resource, "Disk write limit", Operations),
    ("space.percent", Rank::Resource, "Space usage limit", Percent),
    ("space.bytes", Rank::Resource, "Space usage limit", Bytes),
    ("space.free.percent", Rank::Resource, "Space free limit", Percent),
    ("space.free.bytes", Rank::Resource, "Space free limit", Bytes),
    ("inodes.percent", Rank::Resource, "Inodes usage limit", Percent),
    ("inodes.used", Rank::Resource, "Inodes usage limit", Count),
    ("inodes.free.percent", Rank::Resource, "Inodes free limit", Percent),
    ("inodes.free", Rank::Resource, "Inodes free limit", Count),
    ("service.time", Rank::Resource, "Service time limit", PerOperation),
    ("cgroup.memory.bytes", Rank::Resource, "Control group memory", Bytes),
    ("cgroup.memory.percent", Rank::Resource, "Control group memory", Percent),
    ("cgroup.cpu.percent", Rank::Resource, "Control group CPU", Percent),
    ("cgroup.cpu.throttled.percent", Rank::Resource, "Control group CPU throttled", Percent),
    ("cgroup.pids", Rank::Resource, "Control group tasks", Count),
    ("cgroup.pids.percent", Rank::Resource, "Control group tasks", Percent),
    ("pids.used", Rank::Resource, "Process ids", Count),
    ("pids.percent", Rank::Resource, "Process ids", Percent),
    ("space.available.bytes", Rank::Resource, "Space available limit", Bytes),
    ("run.time", Rank::Status, "Run time", Seconds),
    ("upload.errors.rate", Rank::UploadPackets, "Upload errors", Ratio),
    ("download.errors.rate", Rank::DownloadPackets, "Download errors", Ratio),
    ("response.time", Rank::Resource, "Response time", PerOperation),
];

/// Place, label and condition of a comparison in a service of this kind.
pub(super) fn shown(kind: &Kind, metric: &str, operator: Operator, limit: &Value) -> (Rank, String, String) {
    let how = words(operator);
    if let Some(total) = Total::parse(metric) {
        return within(total, how, limit);
    }
    let Some((_, rank, label, shape)) = ROWS.iter().find(|row| row.0 == metric) else {
        return (Rank::Resource, metric.to_owned(), format!("if {how} {limit}"));
    };
    let written = written(*shape, limit);
    // What flows through a file system is named again behind `if`.
    if matches!(kind, Kind::Filesystem { .. })
        && let Some((label, word)) = flow(metric)
    {
        return (*rank, label.to_owned(), format!("if {word} {how} {written}"));
    }
    let word = if *shape == PerOperation { "service time " } else { "" };
    (*rank, (*label).to_owned(), format!("if {word}{how} {written}"))
}

fn flow(metric: &str) -> Option<(&'static str, &'static str)> {
    match metric {
        "disk.read.rate" | "disk.read.operations.rate" => Some(("Read limit", "read")),
        "disk.write.rate" | "disk.write.operations.rate" => Some(("Write limit", "write")),
        _ => None,
    }
}

fn written(shape: Shape, limit: &Value) -> String {
    let Some(n) = limit.as_f64() else { return format!("\"{limit}\"") };
    match shape {
        Count => limit.to_string(),
        Ratio => amount::tenths(n),
        Percent => format!("{}%", amount::tenths(n)),
        Bytes => amount::bytes(n),
        EachByte => format!("{limit} byte(s)"),
        Seconds => format!("{limit} second(s)"),
        BytesPerSecond => format!("{}/s", amount::bytes(n)),
        Operations => format!("{limit} operations/s"),
        Packets => format!("{limit} packets/s"),
        Age => amount::milliseconds(n * 1000.0),
        PerOperation => format!("{}/operation", amount::milliseconds(n * 1000.0)),
    }
}

/// How much went through within some time.
fn within(total: Total, how: &str, limit: &Value) -> (Rank, String, String) {
    let (rank, label, packets) = match total.of {
        Traffic::UploadBytes => (Rank::UploadBytes, "Total upload bytes", false),
        Traffic::UploadPackets => (Rank::UploadPackets, "Total upload packets", true),
        Traffic::DownloadBytes => (Rank::DownloadBytes, "Total download bytes", false),
        Traffic::DownloadPackets => (Rank::DownloadPackets, "Total downl. packets", true),
    };
    let unit = match total.unit {
        Period::Minute => "minute",
        Period::Hour => "hour",
        Period::Day => "day",
    };
    let amount = match limit.as_f64() {
        Some(n) if !packets => amount::bytes(n),
        _ => format!("{limit} packets"),
    };
    (rank, label.to_owned(), format!("if {how} {amount} in last {} {unit}(s)", total.count))
}

/// How something compares, in words.
pub(super) fn words(operator: Operator) -> &'static str {
    match operator {
        Operator::Greater => "greater than",
        Operator::GreaterOrEqual => "greater than or equal to",
        Operator::Less => "less than",
        Operator::LessOrEqual => "less than or equal to",
        Operator::Equal => "equal to",
        Operator::NotEqual => "not equal to",
    }
}
