//! Which readings the shipped kinds have, so that a rule about another's is told at once what goes there.

use hinoban_reading::{Metric, Unit, metrics as m};

use crate::{Kind, Speech};

/// Kinds that have a reading, as bits.
type Of = u8;

const PROCESS: Of = 1;
const SYSTEM: Of = 2;
const FILE: Of = 4;
const FILESYSTEM: Of = 8;
const DIRECTORY: Of = 16;
const FIFO: Of = 32;
const PROGRAM: Of = 64;
const NETWORK: Of = 128;
/// What stands in a directory.
const NODE: Of = FILE | DIRECTORY | FIFO;
/// Of a test, not of a service's own look.
const TEST: Of = 0;

/// The metrics of the shipped kinds.
const SHIPPED: &[(Metric, Of)] = &[
    (m::CPU, PROCESS | SYSTEM),
    (m::CPU_TOTAL, PROCESS),
    (m::MEMORY, PROCESS | SYSTEM),
    (m::MEMORY_PERCENT, PROCESS | SYSTEM),
    (m::MEMORY_TOTAL, PROCESS),
    (m::MEMORY_TOTAL_PERCENT, PROCESS),
    (m::LOAD_1, SYSTEM | PROCESS),
    (m::LOAD_5, SYSTEM | PROCESS),
    (m::LOAD_15, SYSTEM | PROCESS),
    (m::LOAD_1_CORE, SYSTEM | PROCESS),
    (m::LOAD_5_CORE, SYSTEM | PROCESS),
    (m::LOAD_15_CORE, SYSTEM | PROCESS),
    (m::SWAP, SYSTEM),
    (m::SWAP_PERCENT, SYSTEM),
    (m::UPTIME, PROCESS | SYSTEM),
    (m::THREADS, PROCESS),
    (m::CHILDREN, PROCESS),
    (m::CPU_USER, SYSTEM),
    (m::CPU_SYSTEM, SYSTEM),
    (m::CPU_NICE, SYSTEM),
    (m::CPU_WAIT, SYSTEM),
    (m::CPU_HARDIRQ, SYSTEM),
    (m::CPU_SOFTIRQ, SYSTEM),
    (m::CPU_STEAL, SYSTEM),
    (m::CPU_GUEST, SYSTEM),
    (m::CPU_GUESTNICE, SYSTEM),
    (m::FDS, PROCESS),
    (m::FDS_TOTAL, PROCESS),
    (m::FDS_SOFT, PROCESS),
    (m::FDS_HARD, PROCESS),
    (m::FDS_PERCENT, PROCESS),
    (m::FDS_ALLOCATED, SYSTEM),
    (m::FDS_UNUSED, SYSTEM),
    (m::FDS_MAXIMUM, SYSTEM),
    (m::READ_BYTES, PROCESS),
    (m::READ_RATE, PROCESS),
    (m::WRITE_BYTES, PROCESS),
    (m::WRITE_RATE, PROCESS),
    (m::DISK_READ_BYTES, PROCESS | FILESYSTEM),
    (m::DISK_READ_RATE, PROCESS | FILESYSTEM),
    (m::DISK_READ_OPS, PROCESS | FILESYSTEM),
    (m::DISK_READ_OPS_RATE, PROCESS | FILESYSTEM),
    (m::DISK_WRITE_BYTES, PROCESS | FILESYSTEM),
    (m::DISK_WRITE_RATE, PROCESS | FILESYSTEM),
    (m::DISK_WRITE_OPS, PROCESS | FILESYSTEM),
    (m::DISK_WRITE_OPS_RATE, PROCESS | FILESYSTEM),
    (m::SERVICE_TIME, FILESYSTEM),
    (m::SERVICE_TIME_READ, FILESYSTEM),
    (m::SERVICE_TIME_WRITE, FILESYSTEM),
    (m::SIZE, FILE),
    (m::LINKS, NODE),
    (m::ACCESS_TIME, NODE),
    (m::CHANGE_TIME, NODE),
    (m::MODIFY_TIME, NODE),
    (m::TIMESTAMP, NODE),
    (m::MODIFY_AGE, NODE),
    (m::CHANGE_AGE, NODE),
    (m::ACCESS_AGE, NODE),
    (m::TIMESTAMP_AGE, NODE),
    (m::CHECKSUM_SHA256, FILE),
    (m::CHECKSUM_SHA1, FILE),
    (m::CHECKSUM_MD5, FILE),
    (m::PERMISSION, NODE | FILESYSTEM),
    (m::SPACE, FILESYSTEM),
    (m::SPACE_PERCENT, FILESYSTEM),
    (m::SPACE_FREE, FILESYSTEM),
    (m::SPACE_FREE_PERCENT, FILESYSTEM),
    (m::SPACE_AVAILABLE, FILESYSTEM),
    (m::SPACE_TOTAL, FILESYSTEM),
    (m::INODES, FILESYSTEM),
    (m::INODES_PERCENT, FILESYSTEM),
    (m::INODES_FREE, FILESYSTEM),
    (m::INODES_FREE_PERCENT, FILESYSTEM),
    (m::INODES_TOTAL, FILESYSTEM),
    (m::BLOCK_SIZE, FILESYSTEM),
    (m::FILESYSTEM_TYPE, FILESYSTEM),
    (m::FILESYSTEM_FLAGS, FILESYSTEM),
    (m::LINK_SPEED, NETWORK),
    (m::LINK_DUPLEX, NETWORK),
    (m::LINK_CAPACITY, NETWORK),
    (m::DOWNLOAD_RATE, NETWORK),
    (m::UPLOAD_RATE, NETWORK),
    (m::DOWNLOAD_BYTES, NETWORK),
    (m::UPLOAD_BYTES, NETWORK),
    (m::DOWNLOAD_PACKETS, NETWORK),
    (m::UPLOAD_PACKETS, NETWORK),
    (m::DOWNLOAD_PACKETS_RATE, NETWORK),
    (m::UPLOAD_PACKETS_RATE, NETWORK),
    (m::DOWNLOAD_ERRORS, NETWORK),
    (m::UPLOAD_ERRORS, NETWORK),
    (m::DOWNLOAD_ERRORS_RATE, NETWORK),
    (m::UPLOAD_ERRORS_RATE, NETWORK),
    (m::DOWNLOAD_DROPPED, NETWORK),
    (m::UPLOAD_DROPPED, NETWORK),
    (m::DOWNLOAD_DROPPED_RATE, NETWORK),
    (m::UPLOAD_DROPPED_RATE, NETWORK),
    (m::SATURATION, NETWORK),
    (m::DOWNLOAD_SATURATION, NETWORK),
    (m::UPLOAD_SATURATION, NETWORK),
    (m::PRESSURE_CPU_SOME_10, SYSTEM),
    (m::PRESSURE_CPU_SOME_60, SYSTEM),
    (m::PRESSURE_CPU_SOME_300, SYSTEM),
    (m::PRESSURE_MEMORY_SOME_10, SYSTEM),
    (m::PRESSURE_MEMORY_SOME_60, SYSTEM),
    (m::PRESSURE_MEMORY_SOME_300, SYSTEM),
    (m::PRESSURE_MEMORY_FULL_10, SYSTEM),
    (m::PRESSURE_MEMORY_FULL_60, SYSTEM),
    (m::PRESSURE_MEMORY_FULL_300, SYSTEM),
    (m::PRESSURE_IO_SOME_10, SYSTEM),
    (m::PRESSURE_IO_SOME_60, SYSTEM),
    (m::PRESSURE_IO_SOME_300, SYSTEM),
    (m::PRESSURE_IO_FULL_10, SYSTEM),
    (m::PRESSURE_IO_FULL_60, SYSTEM),
    (m::PRESSURE_IO_FULL_300, SYSTEM),
    (m::PIDS_USED, SYSTEM),
    (m::PIDS_PERCENT, SYSTEM),
    (m::PIDS_MAXIMUM, SYSTEM),
    (m::FDS_ALLOCATED_PERCENT, SYSTEM),
    (m::SWAP_IN_RATE, SYSTEM),
    (m::SWAP_OUT_RATE, SYSTEM),
    (m::SERVICES_FALLEN, SYSTEM),
    (m::PID, PROCESS),
    (m::PPID, PROCESS),
    (m::UID, PROCESS | NODE | FILESYSTEM),
    (m::EUID, PROCESS),
    (m::GID, PROCESS | NODE | FILESYSTEM),
    (m::SECURITY, PROCESS),
    (m::CGROUP_MEMORY, PROCESS),
    (m::CGROUP_MEMORY_LIMIT, PROCESS),
    (m::CGROUP_MEMORY_PERCENT, PROCESS),
    (m::CGROUP_CPU, PROCESS),
    (m::CGROUP_THROTTLED, PROCESS),
    (m::CGROUP_OOM_KILLS, PROCESS),
    (m::CGROUP_PIDS, PROCESS),
    (m::CGROUP_PIDS_LIMIT, PROCESS),
    (m::CGROUP_PIDS_PERCENT, PROCESS),
    (m::BOOT_TIME, SYSTEM),
    (m::EXIT_STATUS, PROGRAM),
    (m::EXIT_SIGNAL, PROGRAM),
    (m::EXIT_REASON, PROGRAM),
    (m::RUN_TIME, PROGRAM),
    (m::RUN_ERROR, PROGRAM),
    (m::OUTPUT, PROGRAM),
    (m::PLUGIN_STATE, PROGRAM),
    (m::RESPONSE_TIME, TEST),
    (m::HTTP_STATUS, TEST),
    (m::CERTIFICATE_DAYS, TEST),
];

/// How a kind is called in sentences, and what is most used of it.
struct Words {
    of: Of,
    a: &'static str,
    most_used: &'static str,
}

const KINDS: [Words; 8] = [
    Words {
        of: PROCESS,
        a: "a process",
        most_used: "`cpu`, `total cpu`, `memory`, `total memory`, `threads`, `children` and `uptime`",
    },
    Words {
        of: SYSTEM,
        a: "the system",
        most_used: "`cpu`, `cpu wait`, `memory`, `swap`, `load 1`, `load 5`, `load 5 per core`, `fds` and `uptime`",
    },
    Words {
        of: FILE,
        a: "a file",
        most_used: "`size`, `modify.age`, `checksum`, `permission`, `uid`, `gid` and, with `matches`, `content`",
    },
    Words { of: DIRECTORY, a: "a directory", most_used: "`modify.age`, `permission`, `uid` and `gid`" },
    Words { of: FIFO, a: "a named pipe", most_used: "`permission`, `uid` and `gid`" },
    Words {
        of: PROGRAM,
        a: "a program",
        most_used: "`exit.status`, `output` and `run.time`, and of a Nagios plug-in `plugin.state`",
    },
    Words {
        of: NETWORK,
        a: "a network interface",
        most_used: "`upload rate`, `download rate`, `saturation`, `upload errors rate` and `upload.total.1h`",
    },
    Words {
        of: FILESYSTEM,
        a: "a file system",
        most_used: "`space`, `space free`, `inodes`, `inodes free`, `service time` and `read rate`",
    },
];

fn words(kind: &Kind) -> Option<&'static Words> {
    let of = match kind {
        Kind::Process { .. } => PROCESS,
        Kind::System => SYSTEM,
        Kind::File { .. } => FILE,
        Kind::Filesystem { .. } => FILESYSTEM,
        Kind::Directory { .. } => DIRECTORY,
        Kind::Fifo { .. } => FIFO,
        Kind::Program { .. } => PROGRAM,
        Kind::Network { .. } => NETWORK,
        _ => return None,
    };
    KINDS.iter().find(|words| words.of == of)
}

/// All of them, the most used first.
pub(super) fn all() -> impl Iterator<Item = &'static Metric> {
    SHIPPED.iter().map(|(metric, _)| metric)
}

/// Whether a reading is of one of the open families of this kind: what a program measures has names of its own.
pub(super) fn of_family(kind: &Kind, name: &str) -> bool {
    let own = |family| name.strip_prefix(family).is_some_and(|rest: &str| !rest.is_empty());
    match kind {
        Kind::Program { speech: Speech::Nagios, .. } => own("perf."),
        Kind::Program { speech: Speech::Json, .. } => own("json."),
        _ => false,
    }
}

/// What is most used of a kind that ships; `None` of the others, whose readings are their own.
pub(super) fn most_used(kind: &Kind) -> Option<&'static str> {
    words(kind).map(|words| words.most_used)
}

/// Which readings of a kind that ships are texts, in a sentence; `None` of the others, whose readings are their own.
pub(super) fn texts(kind: &Kind) -> Option<String> {
    let own = words(kind)?;
    let texts: Vec<&str> = SHIPPED
        .iter()
        .filter(|(m, of)| of & own.of != 0 && m.unit == Unit::Text)
        .map(|(m, _)| &*m.name)
        .collect();
    Some(match texts[..] {
        [] => format!(
            "{} has no reading that is a text; compare it with a limit, or ask whether it changed",
            own.a
        ),
        [one] => format!("the only text of {} is `{one}`", own.a),
        _ => format!("the texts of {} are `{}`", own.a, texts.join("` and `")),
    })
}

/// Why a service of this kind cannot have this reading, and what to do instead; `None` if it can.
pub(super) fn stranger(metric: &Metric, kind: &Kind, written: &str) -> Option<(String, String)> {
    let own = words(kind)?;
    let (_, of) = SHIPPED.iter().find(|(known, _)| known.name == metric.name)?;
    if of & own.of != 0 {
        return None;
    }
    let message = format!("{} has no reading `{written}`", own.a);
    let others: Vec<&str> = KINDS.iter().filter(|k| of & k.of != 0).map(|k| k.a).collect();
    let help = match &others[..] {
        [] => format!("`{written}` is read by tests, and cannot be compared yet; pages show it"),
        others => {
            format!(
                "`{written}` is of {}; of {} the most used are {}",
                others.join(" or "),
                own.a,
                own.most_used
            )
        }
    };
    Some((message, help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reading_of_another_kind_is_told_with_what_goes_there() {
        let process = Kind::pidfile("/run/x.pid");
        let (message, help) = stranger(&m::SPACE, &process, "space").expect("a process has none");
        assert_eq!(message, "a process has no reading `space`");
        assert!(
            help.starts_with("`space` is of a file system; of a process the most used are `cpu`"),
            "{help}"
        );
        assert!(stranger(&m::HTTP_STATUS, &process, "http status").is_some());
        assert_eq!(stranger(&m::UID, &process, "uid"), None);
        let own = Kind::Custom { probe: "disk".to_owned(), options: Default::default() };
        assert_eq!(stranger(&m::SPACE, &own, "space"), None, "a kind of one's own may read what it likes");
    }
}
