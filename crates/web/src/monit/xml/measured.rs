//! What was measured, by type of service. Where a number is not known, Monit's stand-in for it is written: clients
//! expect every element to be there and to hold a number.

use std::time::Duration;

use hinoban_reading::{Metric, metrics as m};

use super::writer::Xml;
use crate::monit::port::{Port, Socket, Took};
use crate::monit::readings::Readings;

/// A number that is not known is -1; of sizes it is 0.
pub(super) fn process(x: &mut Xml, seen: Readings<'_>) {
    let whole = |metric| seen.int(metric).unwrap_or(-1);
    let percent = |metric| seen.real(metric).unwrap_or(-1.0);
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
        x.real("percent", 1, percent(m::MEMORY_PERCENT));
        x.real("percenttotal", 1, percent(m::MEMORY_TOTAL_PERCENT));
        x.leaf("kilobyte", kilobytes(m::MEMORY));
        x.leaf("kilobytetotal", kilobytes(m::MEMORY_TOTAL));
    });
    x.within("cpu", |x| {
        x.real("percent", 1, percent(m::CPU));
        x.real("percenttotal", 1, percent(m::CPU_TOTAL));
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
        disk_read(x, seen);
    });
    x.within("write", |x| {
        x.counter("bytesgeneric", seen, m::WRITE_RATE, m::WRITE_BYTES);
        disk_write(x, seen);
    });
}

fn disk_read(x: &mut Xml, seen: Readings<'_>) {
    x.counter("bytes", seen, m::DISK_READ_RATE, m::DISK_READ_BYTES);
    x.counter("operations", seen, m::DISK_READ_OPS_RATE, m::DISK_READ_OPS);
}

fn disk_write(x: &mut Xml, seen: Readings<'_>) {
    x.counter("bytes", seen, m::DISK_WRITE_RATE, m::DISK_WRITE_BYTES);
    x.counter("operations", seen, m::DISK_WRITE_OPS_RATE, m::DISK_WRITE_OPS);
}

/// Mode in octal digits, owner, group. What is not known is -1, and as a mode therefore 7777.
fn owner(x: &mut Xml, seen: Readings<'_>) {
    let whole = |metric| seen.int(metric).unwrap_or(-1);
    x.leaf("mode", format_args!("{:o}", whole(m::PERMISSION) & 0o7777));
    x.leaf("uid", whole(m::UID));
    x.leaf("gid", whole(m::GID));
}

pub(super) fn file(x: &mut Xml, seen: Readings<'_>) {
    node(x, seen);
    x.leaf("size", seen.int(m::SIZE).unwrap_or(-1));
    if let Some((kind, sum)) = seen.checksums().next() {
        x.with("checksum", &[("type", kind)], |x| x.escaped(sum));
    }
}

/// A directory or a named pipe, and what a file has beyond its content.
pub(super) fn node(x: &mut Xml, seen: Readings<'_>) {
    owner(x, seen);
    x.within("timestamps", |x| {
        for (name, metric) in
            [("access", m::ACCESS_TIME), ("change", m::CHANGE_TIME), ("modify", m::MODIFY_TIME)]
        {
            x.leaf(name, seen.int(metric).unwrap_or(0));
        }
    });
}

/// Space in MiB. A file system without inodes, or not on a block device, has no elements about them. `every` is the time
/// between two looks, which the service times are sums over.
pub(super) fn filesystem(x: &mut Xml, seen: Readings<'_>, every: Duration) {
    const MIB: f64 = 1_048_576.0;
    let real = |metric| seen.real(metric).unwrap_or(0.0);
    let whole = |metric| seen.int(metric).unwrap_or(0);
    x.text("fstype", seen.text(m::FILESYSTEM_TYPE).unwrap_or_default());
    x.text("fsflags", seen.text(m::FILESYSTEM_FLAGS).unwrap_or_default());
    owner(x, seen);
    x.within("block", |x| {
        x.real("percent", 1, real(m::SPACE_PERCENT));
        x.real("usage", 1, real(m::SPACE) / MIB);
        x.real("total", 1, real(m::SPACE_TOTAL) / MIB);
    });
    if whole(m::INODES_TOTAL) > 0 {
        x.within("inode", |x| {
            x.real("percent", 1, real(m::INODES_PERCENT));
            x.leaf("usage", whole(m::INODES));
            x.leaf("total", whole(m::INODES_TOTAL));
        });
    }
    x.within("read", |x| disk_read(x, seen));
    x.within("write", |x| disk_write(x, seen));
    if seen.has_operations() {
        // Readings are per operation, the elements per interval.
        let operations = (real(m::DISK_READ_OPS_RATE) + real(m::DISK_WRITE_OPS_RATE)) * every.as_secs_f64();
        x.within("servicetime", |x| {
            x.real("read", 3, 1000.0 * real(m::SERVICE_TIME_READ) * operations);
            x.real("write", 3, 1000.0 * real(m::SERVICE_TIME_WRITE) * operations);
        });
    }
}

/// How the last run ended. One that could not be run has nothing to show.
pub(super) fn program(x: &mut Xml, seen: Readings<'_>) {
    let Some(status) = seen.int(m::EXIT_STATUS) else { return };
    x.within("program", |x| {
        x.leaf("started", seen.int(m::RUN_STARTED).unwrap_or(0));
        x.leaf("status", status);
        x.printed("output", seen.text(m::OUTPUT).unwrap_or_default());
    });
}

/// What comes before the connection tests of the system.
pub(super) fn system_files(x: &mut Xml, seen: Readings<'_>) {
    x.within("filedescriptors", |x| {
        for (name, metric) in
            [("allocated", m::FDS_ALLOCATED), ("unused", m::FDS_UNUSED), ("maximum", m::FDS_MAXIMUM)]
        {
            x.leaf(name, seen.int(metric).unwrap_or(0));
        }
    });
}

pub(super) fn system(x: &mut Xml, seen: Readings<'_>) {
    let real = |metric| seen.real(metric).unwrap_or(0.0);
    let size = |x: &mut Xml, share, bytes| {
        x.real("percent", 1, real(share));
        x.leaf("kilobyte", seen.int(bytes).unwrap_or(0).max(0) / 1024);
    };
    x.within("system", |x| {
        x.within("load", |x| {
            for (name, metric) in [("avg01", m::LOAD_1), ("avg05", m::LOAD_5), ("avg15", m::LOAD_15)] {
                x.real(name, 2, real(metric));
            }
        });
        x.within("cpu", |x| {
            for (name, metric) in CPU {
                x.real(name, 1, real(metric));
            }
        });
        x.within("memory", |x| size(x, m::MEMORY_PERCENT, m::MEMORY));
        x.within("swap", |x| size(x, m::SWAP_PERCENT, m::SWAP));
    });
}

const CPU: [(&str, Metric); 9] = [
    ("user", m::CPU_USER),
    ("system", m::CPU_SYSTEM),
    ("nice", m::CPU_NICE),
    ("wait", m::CPU_WAIT),
    ("hardirq", m::CPU_HARDIRQ),
    ("softirq", m::CPU_SOFTIRQ),
    ("steal", m::CPU_STEAL),
    ("guest", m::CPU_GUEST),
    ("guestnice", m::CPU_GUESTNICE),
];

pub(super) fn port(x: &mut Xml, p: &Port<'_>) {
    x.within("port", |x| {
        x.text("hostname", p.host);
        x.leaf("portnumber", p.port);
        x.cdata("request", p.request);
        x.leaf("protocol", p.protocol);
        x.leaf("type", p.transport);
        x.real("responsetime", 6, p.seconds.unwrap_or(-1.0));
        if p.tls {
            x.within("certificate", |x| x.leaf("valid", p.days.unwrap_or(-1)));
        }
    });
}

pub(super) fn ping(x: &mut Xml, took: Took) {
    x.within("icmp", |x| {
        x.leaf("type", "Ping");
        x.real("responsetime", 6, took.seconds.unwrap_or(-1.0));
    });
}

pub(super) fn socket(x: &mut Xml, socket: &Socket<'_>) {
    x.within("unix", |x| {
        x.text("path", &socket.path);
        x.leaf("protocol", socket.protocol);
        x.real("responsetime", 6, socket.took.seconds.unwrap_or(-1.0));
    });
}
