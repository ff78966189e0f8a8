use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Unit;

/// The name of a metric, such as `cpu.percent`: lower-case words joined by dots.
pub type MetricName = Cow<'static, str>;

/// One thing that can be measured: a name and the unit of its values.
///
/// A metric whose name ends in `.*` declares an open family: any reading whose name begins with the part before the
/// star may appear.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Metric {
    /// Dotted name; `.*` at its end makes it a family.
    pub name: MetricName,
    /// Unit of every value under this name.
    pub unit: Unit,
}

/// Whether a metric names one reading or a family of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Exactly one reading.
    Single,
    /// Any reading with the prefix.
    Open,
}

impl Metric {
    /// A metric known at compile time.
    pub const fn new(name: &'static str, unit: Unit) -> Self {
        Self { name: Cow::Borrowed(name), unit }
    }

    /// Single or open.
    pub fn family(&self) -> Family {
        if self.name.ends_with(".*") { Family::Open } else { Family::Single }
    }

    /// Whether a reading called `name` belongs to this metric.
    pub fn covers(&self, name: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(prefix) => name.len() > prefix.len() && name.starts_with(prefix),
            None => self.name == name,
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The metrics of the shipped probes, by constant: one spelling for probes, rules, pages and mails.
#[allow(missing_docs)] // the name and the unit are the documentation
pub mod metrics {
    use super::Metric;
    use crate::Unit::*;

    macro_rules! metrics { ($($ident:ident = $name:literal, $unit:expr;)*) => {
        $(pub const $ident: Metric = Metric::new($name, $unit);)*

        /// All of them.
        pub static ALL: &[Metric] = &[$($ident),*];
    } }

    metrics! {
        PID = "pid", Count; PPID = "ppid", Count;
        UID = "uid", Count; EUID = "euid", Count; GID = "gid", Count;
        UPTIME = "uptime", Seconds;
        THREADS = "threads", Count; CHILDREN = "children", Count;
        CPU = "cpu.percent", Percent; CPU_TOTAL = "cpu.total.percent", Percent;
        MEMORY = "memory.bytes", Bytes; MEMORY_PERCENT = "memory.percent", Percent;
        MEMORY_TOTAL = "memory.total.bytes", Bytes; MEMORY_TOTAL_PERCENT = "memory.total.percent", Percent;
        FDS = "fds.open", Count; FDS_TOTAL = "fds.total", Count;
        FDS_SOFT = "fds.limit.soft", Count; FDS_HARD = "fds.limit.hard", Count;
        FDS_PERCENT = "fds.percent", Percent; SECURITY = "security.attribute", Text;
        CGROUP_MEMORY = "cgroup.memory.bytes", Bytes; CGROUP_MEMORY_LIMIT = "cgroup.memory.limit", Bytes;
        CGROUP_MEMORY_PERCENT = "cgroup.memory.percent", Percent;
        CGROUP_CPU = "cgroup.cpu.percent", Percent; CGROUP_THROTTLED = "cgroup.cpu.throttled.percent", Percent;
        CGROUP_OOM_KILLS = "cgroup.oom.kills", Count;
        CGROUP_PIDS = "cgroup.pids", Count; CGROUP_PIDS_LIMIT = "cgroup.pids.limit", Count;
        CGROUP_PIDS_PERCENT = "cgroup.pids.percent", Percent;
        READ_BYTES = "read.bytes", Bytes; READ_RATE = "read.rate", BytesPerSecond;
        DISK_READ_BYTES = "disk.read.bytes", Bytes; DISK_READ_RATE = "disk.read.rate", BytesPerSecond;
        DISK_READ_OPS = "disk.read.operations", Count; DISK_READ_OPS_RATE = "disk.read.operations.rate", PerSecond;
        WRITE_BYTES = "write.bytes", Bytes; WRITE_RATE = "write.rate", BytesPerSecond;
        DISK_WRITE_BYTES = "disk.write.bytes", Bytes; DISK_WRITE_RATE = "disk.write.rate", BytesPerSecond;
        DISK_WRITE_OPS = "disk.write.operations", Count; DISK_WRITE_OPS_RATE = "disk.write.operations.rate", PerSecond;
        RESPONSE_TIME = "response.time", Seconds;
        HTTP_STATUS = "http.status", Count; CERTIFICATE_DAYS = "certificate.days", Count;
        LOAD_1 = "load.1", Ratio; LOAD_5 = "load.5", Ratio; LOAD_15 = "load.15", Ratio;
        LOAD_1_CORE = "load.1.core", Ratio; LOAD_5_CORE = "load.5.core", Ratio; LOAD_15_CORE = "load.15.core", Ratio;
        CPU_USER = "cpu.user.percent", Percent; CPU_SYSTEM = "cpu.system.percent", Percent;
        CPU_NICE = "cpu.nice.percent", Percent; CPU_WAIT = "cpu.wait.percent", Percent;
        CPU_HARDIRQ = "cpu.hardirq.percent", Percent; CPU_SOFTIRQ = "cpu.softirq.percent", Percent;
        CPU_STEAL = "cpu.steal.percent", Percent; CPU_GUEST = "cpu.guest.percent", Percent;
        CPU_GUESTNICE = "cpu.guestnice.percent", Percent;
        SWAP = "swap.bytes", Bytes; SWAP_PERCENT = "swap.percent", Percent;
        FDS_ALLOCATED = "fds.allocated", Count; FDS_UNUSED = "fds.unused", Count; FDS_MAXIMUM = "fds.maximum", Count;
        BOOT_TIME = "boot.time", Seconds;
        PERMISSION = "permission", Count; SIZE = "size", Bytes; LINKS = "links", Count;
        ACCESS_TIME = "access.time", Seconds; CHANGE_TIME = "change.time", Seconds; MODIFY_TIME = "modify.time", Seconds;
        TIMESTAMP = "timestamp", Seconds;
        ACCESS_AGE = "access.age", Seconds; CHANGE_AGE = "change.age", Seconds; MODIFY_AGE = "modify.age", Seconds;
        TIMESTAMP_AGE = "timestamp.age", Seconds;
        CHECKSUM_MD5 = "checksum.md5", Text; CHECKSUM_SHA1 = "checksum.sha1", Text;
        CHECKSUM_SHA256 = "checksum.sha256", Text;
        FILESYSTEM_TYPE = "filesystem.type", Text; FILESYSTEM_FLAGS = "filesystem.flags", Text;
        BLOCK_SIZE = "block.size", Bytes; SPACE_TOTAL = "space.total.bytes", Bytes;
        SPACE = "space.bytes", Bytes; SPACE_PERCENT = "space.percent", Percent;
        SPACE_FREE = "space.free.bytes", Bytes; SPACE_FREE_PERCENT = "space.free.percent", Percent;
        SPACE_AVAILABLE = "space.available.bytes", Bytes;
        INODES_TOTAL = "inodes.total", Count;
        INODES = "inodes.used", Count; INODES_PERCENT = "inodes.percent", Percent;
        INODES_FREE = "inodes.free", Count; INODES_FREE_PERCENT = "inodes.free.percent", Percent;
        EXIT_STATUS = "exit.status", Count; EXIT_SIGNAL = "exit.signal", Count; EXIT_REASON = "exit.reason", Text;
        RUN_TIME = "run.time", Seconds; RUN_STARTED = "run.started", Seconds; RUN_ERROR = "run.error", Text;
        CONTENT = "content.*", Text;
        OUTPUT = "output", Text; PLUGIN_STATE = "plugin.state", Text;
        SERVICE_TIME = "service.time", Seconds;
        SERVICE_TIME_READ = "service.time.read", Seconds; SERVICE_TIME_WRITE = "service.time.write", Seconds;
        LINK_SPEED = "link.speed", BitsPerSecond; LINK_DUPLEX = "link.duplex", Text;
        LINK_CAPACITY = "link.capacity", Text;
        DOWNLOAD_BYTES = "download.bytes", Bytes; DOWNLOAD_RATE = "download.rate", BytesPerSecond;
        DOWNLOAD_PACKETS = "download.packets", Count; DOWNLOAD_PACKETS_RATE = "download.packets.rate", PerSecond;
        DOWNLOAD_ERRORS = "download.errors", Count; DOWNLOAD_ERRORS_RATE = "download.errors.rate", PerSecond;
        DOWNLOAD_DROPPED = "download.dropped", Count; DOWNLOAD_DROPPED_RATE = "download.dropped.rate", PerSecond;
        UPLOAD_BYTES = "upload.bytes", Bytes; UPLOAD_RATE = "upload.rate", BytesPerSecond;
        UPLOAD_PACKETS = "upload.packets", Count; UPLOAD_PACKETS_RATE = "upload.packets.rate", PerSecond;
        UPLOAD_ERRORS = "upload.errors", Count; UPLOAD_ERRORS_RATE = "upload.errors.rate", PerSecond;
        UPLOAD_DROPPED = "upload.dropped", Count; UPLOAD_DROPPED_RATE = "upload.dropped.rate", PerSecond;
        DOWNLOAD_TOTAL = "download.total.*", Bytes; DOWNLOAD_PACKETS_TOTAL = "download.packets.total.*", Count;
        UPLOAD_TOTAL = "upload.total.*", Bytes; UPLOAD_PACKETS_TOTAL = "upload.packets.total.*", Count;
        SATURATION = "saturation.percent", Percent;
        DOWNLOAD_SATURATION = "saturation.download.percent", Percent;
        UPLOAD_SATURATION = "saturation.upload.percent", Percent;
        PRESSURE_CPU_SOME_10 = "pressure.cpu.some.avg10", Percent; PRESSURE_CPU_SOME_60 = "pressure.cpu.some.avg60", Percent;
        PRESSURE_CPU_SOME_300 = "pressure.cpu.some.avg300", Percent;
        PRESSURE_MEMORY_SOME_10 = "pressure.memory.some.avg10", Percent; PRESSURE_MEMORY_SOME_60 = "pressure.memory.some.avg60", Percent;
        PRESSURE_MEMORY_SOME_300 = "pressure.memory.some.avg300", Percent;
        PRESSURE_MEMORY_FULL_10 = "pressure.memory.full.avg10", Percent; PRESSURE_MEMORY_FULL_60 = "pressure.memory.full.avg60", Percent;
        PRESSURE_MEMORY_FULL_300 = "pressure.memory.full.avg300", Percent;
        PRESSURE_IO_SOME_10 = "pressure.io.some.avg10", Percent; PRESSURE_IO_SOME_60 = "pressure.io.some.avg60", Percent;
        PRESSURE_IO_SOME_300 = "pressure.io.some.avg300", Percent;
        PRESSURE_IO_FULL_10 = "pressure.io.full.avg10", Percent; PRESSURE_IO_FULL_60 = "pressure.io.full.avg60", Percent;
        PRESSURE_IO_FULL_300 = "pressure.io.full.avg300", Percent;
        PIDS_USED = "pids.used", Count; PIDS_PERCENT = "pids.percent", Percent; PIDS_MAXIMUM = "pids.maximum", Count;
        FDS_ALLOCATED_PERCENT = "fds.allocated.percent", Percent;
        SWAP_IN_RATE = "swap.in.rate", PerSecond; SWAP_OUT_RATE = "swap.out.rate", PerSecond;
        SERVICES_FALLEN = "services.fallen", Count;
    }
}
