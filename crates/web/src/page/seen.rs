//! What a look saw: in one line for the overview, at length for a service's page.

use std::fmt::{self, Write};

use hinoban_reading::{Metric, Observation, Value, metrics as m};
use hinoban_supervisor::{Kind, ServiceView};
use jiff::tz::TimeZone;

use super::units;

/// What was last seen of a service, in one line; empty if nothing was.
pub(crate) fn line(view: &ServiceView, zone: &TimeZone) -> String {
    let mut line = Line { out: String::with_capacity(64), zone };
    // Nothing that is written to a text fails.
    let _ = line.service(view);
    line.out
}

struct Line<'a> {
    out: String,
    zone: &'a TimeZone,
}

impl Line<'_> {
    fn service(&mut self, view: &ServiceView) -> fmt::Result {
        if let Some(seen) = view.observation.as_ref().filter(|seen| seen.standing.is_up()) {
            match view.kind {
                Kind::Process { .. } => self.process(seen)?,
                Kind::System => self.system(seen)?,
                Kind::Filesystem { .. } => self.filesystem(seen)?,
                Kind::File { .. } => self.file(seen)?,
                Kind::Directory { .. } | Kind::Fifo { .. } => {
                    self.one(seen, &m::MODIFY_TIME, "changed ", "")?;
                }
                Kind::Network { .. } => self.network(seen)?,
                Kind::Program { .. } => self.program(seen)?,
                _ => self.any(seen)?,
            }
        }
        self.tests(view)
    }

    fn process(&mut self, seen: &Observation) -> fmt::Result {
        self.one(seen, &m::PID, "pid ", "")?;
        self.one(seen, &m::UPTIME, "up ", "")?;
        let cpu = if has(seen, &m::CPU_TOTAL) { &m::CPU_TOTAL } else { &m::CPU };
        self.one(seen, cpu, "CPU ", "")?;
        let memory = if has(seen, &m::MEMORY_TOTAL) { &m::MEMORY_TOTAL } else { &m::MEMORY };
        self.one(seen, memory, "", " memory")
    }

    fn system(&mut self, seen: &Observation) -> fmt::Result {
        self.one(seen, &m::LOAD_1, "load ", "")?;
        let parts = [m::CPU_USER, m::CPU_SYSTEM].map(|part| number(seen, &part));
        if has(seen, &m::CPU) {
            self.one(seen, &m::CPU, "CPU ", "")?;
        } else if let [Some(user), Some(system)] = parts {
            self.next()?;
            self.out.push_str("CPU ");
            units::percent(&mut self.out, user + system)?;
        }
        self.one(seen, &m::MEMORY_PERCENT, "memory ", "")?;
        if number(seen, &m::SWAP_PERCENT).is_some_and(|share| share > 0.0) {
            self.one(seen, &m::SWAP_PERCENT, "swap ", "")?;
        }
        Ok(())
    }

    fn filesystem(&mut self, seen: &Observation) -> fmt::Result {
        self.one(seen, &m::SPACE_PERCENT, "", " full")?;
        self.one(seen, &m::SPACE_AVAILABLE, "", " available")?;
        self.one(seen, &m::INODES_PERCENT, "", " of inodes")
    }

    fn file(&mut self, seen: &Observation) -> fmt::Result {
        self.one(seen, &m::SIZE, "", "")?;
        self.one(seen, &m::MODIFY_TIME, "changed ", "")
    }

    /// What it says, in one line, or else how it ended.
    fn program(&mut self, seen: &Observation) -> fmt::Result {
        self.one(seen, &m::PLUGIN_STATE, "", "")?;
        for metric in [m::RUN_ERROR, m::EXIT_REASON] {
            if let Some(Value::Text(text)) = seen.get(&metric.name).filter(|value| !is_empty(value)) {
                self.first_line(text)?;
            }
        }
        let output = seen.get(&m::OUTPUT.name).filter(|value| !is_empty(value));
        if let Some(Value::Text(text)) = output {
            self.first_line(text)?;
        }
        if !has(seen, &m::PLUGIN_STATE) && !has(seen, &m::EXIT_REASON) {
            self.one(seen, &m::EXIT_STATUS, "status ", "")?;
        }
        self.one(seen, &m::RUN_TIME, "in ", "")
    }

    /// The first line of a text, or as much of it as there is room for.
    fn first_line(&mut self, text: &str) -> fmt::Result {
        const MOST: usize = 80;
        self.next()?;
        let line = text.lines().next().unwrap_or_default();
        match line.char_indices().nth(MOST) {
            Some((end, _)) => write!(self.out, "{}…", &line[..end]),
            None => self.out.write_str(line),
        }
    }

    fn network(&mut self, seen: &Observation) -> fmt::Result {
        if !has(seen, &m::DOWNLOAD_RATE) {
            self.next()?;
            self.out.push_str("link up");
        }
        self.one(seen, &m::DOWNLOAD_RATE, "", " down")?;
        self.one(seen, &m::UPLOAD_RATE, "", " up")?;
        self.one(seen, &m::LINK_CAPACITY, "of ", "")
    }

    /// A kind that we know nothing of: the first of its readings.
    fn any(&mut self, seen: &Observation) -> fmt::Result {
        for reading in seen.readings.iter().take(3) {
            self.next()?;
            write!(self.out, "{} ", reading.name)?;
            units::value(&mut self.out, &reading.name, reading.unit, &reading.value, self.zone)?;
        }
        Ok(())
    }

    /// How many of its tests passed, and how long the slowest took.
    fn tests(&mut self, view: &ServiceView) -> fmt::Result {
        let all = view.tests.len();
        let passed = view.tests.iter().filter(|test| test.not_seen.is_none());
        let passed = passed.filter_map(|test| test.observation.as_ref()).filter(|o| o.standing.is_up());
        let (mut count, mut slowest) = (0, None);
        for seen in passed {
            count += 1;
            if let Some(time) = number(seen, &m::RESPONSE_TIME) {
                slowest = Some(f64::max(slowest.unwrap_or(0.0), time));
            }
        }
        if count == 0 {
            return Ok(());
        }
        self.next()?;
        match (count, all) {
            (1, 1) => self.out.push_str("answered"),
            _ if count == all => write!(self.out, "all {all} tests passed")?,
            _ => write!(self.out, "{count} of {all} tests passed")?,
        }
        let Some(slowest) = slowest else { return Ok(()) };
        self.out.push_str(if all == 1 { " in " } else { ", slowest " });
        units::seconds(&mut self.out, slowest)
    }

    fn one(&mut self, seen: &Observation, metric: &Metric, before: &str, after: &str) -> fmt::Result {
        let Some(value) = seen.get(&metric.name) else { return Ok(()) };
        self.next()?;
        self.out.push_str(before);
        units::value(&mut self.out, &metric.name, metric.unit, value, self.zone)?;
        self.out.write_str(after)
    }

    fn next(&mut self) -> fmt::Result {
        if self.out.is_empty() { Ok(()) } else { self.out.write_str(" · ") }
    }
}

fn has(seen: &Observation, metric: &Metric) -> bool {
    seen.get(&metric.name).is_some()
}

fn is_empty(value: &Value) -> bool {
    matches!(value, Value::Text(text) if text.is_empty())
}

fn number(seen: &Observation, metric: &Metric) -> Option<f64> {
    seen.get(&metric.name)?.as_f64().filter(|x| x.is_finite())
}

/// A reading on a service's page.
#[derive(Debug, PartialEq)]
pub(crate) struct Row<'a> {
    pub(crate) label: &'a str,
    /// Whether the label is the name of a metric that we have no words for.
    pub(crate) raw: bool,
    pub(crate) value: String,
}

/// All readings of a look. Those that belong together share a row.
pub(crate) fn rows<'a>(seen: &'a Observation, zone: &TimeZone) -> Vec<Row<'a>> {
    let mut rows = Vec::with_capacity(seen.readings.len());
    let mut used: Vec<&str> = Vec::with_capacity(seen.readings.len());
    for (label, metric, with) in SHOWN {
        let Some(first) = seen.get(&metric.name) else { continue };
        used.push(&metric.name);
        let signal = *metric.name == *m::EXIT_SIGNAL.name;
        let silent = [m::RUN_ERROR, m::SECURITY].iter().any(|m| m.name == metric.name);
        if silent && is_empty(first) || signal && *first == Value::Int(0) {
            continue; // nothing is wrong
        }
        let mut value = String::new();
        let second = with.as_ref().and_then(|(form, metric)| Some((form, metric, seen.get(&metric.name)?)));
        // Nothing that is written to a text fails.
        let _ = both(&mut value, metric, first, second, zone);
        used.extend(with.iter().map(|(_, metric)| &*metric.name));
        rows.push(Row { label, raw: false, value });
    }
    for reading in seen.readings.iter().filter(|r| !used.contains(&&*r.name)) {
        // No line was found, as mostly.
        if m::CONTENT.covers(&reading.name) && is_empty(&reading.value) {
            continue;
        }
        let mut value = String::new();
        let _ = units::value(&mut value, &reading.name, reading.unit, &reading.value, zone);
        rows.push(Row { label: &reading.name, raw: true, value });
    }
    rows
}

fn both(
    out: &mut String,
    metric: &Metric,
    first: &Value,
    second: Option<(&With, &Metric, &Value)>,
    zone: &TimeZone,
) -> fmt::Result {
    units::value(out, &metric.name, metric.unit, first, zone)?;
    let Some((form, metric, value)) = second else { return Ok(()) };
    out.push_str(match form {
        With::Share => " (",
        With::Of => " of ",
        With::Rate => ", now ",
        With::Each => " (",
    });
    units::value(out, &metric.name, metric.unit, value, zone)?;
    match form {
        With::Share => out.write_str(")"),
        With::Each => out.write_str(" for each CPU)"),
        _ => Ok(()),
    }
}

/// What a second reading is to the first.
enum With {
    /// The same as a share of all.
    Share,
    /// How much there may be.
    Of,
    /// What it grows by.
    Rate,
    /// The part of one processor.
    Each,
}

/// Label, metric, and the metric that is shown with it.
type Shown = (&'static str, Metric, Option<(With, Metric)>);

#[rustfmt::skip]
static SHOWN: &[Shown] = &[
    ("Process id", m::PID, None),
    ("Parent process id", m::PPID, None),
    ("Uptime", m::UPTIME, None),
    ("CPU", m::CPU, None),
    ("CPU with descendants", m::CPU_TOTAL, None),
    ("Memory", m::MEMORY, Some((With::Share, m::MEMORY_PERCENT))),
    ("Memory with descendants", m::MEMORY_TOTAL, Some((With::Share, m::MEMORY_TOTAL_PERCENT))),
    ("Swap", m::SWAP, Some((With::Share, m::SWAP_PERCENT))),
    ("Load, 1 minute", m::LOAD_1, Some((With::Each, m::LOAD_1_CORE))),
    ("Load, 5 minutes", m::LOAD_5, Some((With::Each, m::LOAD_5_CORE))),
    ("Load, 15 minutes", m::LOAD_15, Some((With::Each, m::LOAD_15_CORE))),
    ("CPU: user", m::CPU_USER, None),
    ("CPU: system", m::CPU_SYSTEM, None),
    ("CPU: nice", m::CPU_NICE, None),
    ("CPU: waiting for disks", m::CPU_WAIT, None),
    ("CPU: hardware interrupts", m::CPU_HARDIRQ, None),
    ("CPU: software interrupts", m::CPU_SOFTIRQ, None),
    ("CPU: stolen by the host", m::CPU_STEAL, None),
    ("CPU: guests", m::CPU_GUEST, None),
    ("CPU: nice guests", m::CPU_GUESTNICE, None),
    ("Booted", m::BOOT_TIME, None),
    ("Threads", m::THREADS, None),
    ("Descendants", m::CHILDREN, None),
    ("Open files", m::FDS, Some((With::Of, m::FDS_SOFT))),
    ("Open files with descendants", m::FDS_TOTAL, None),
    ("Open files, hard limit", m::FDS_HARD, None),
    ("Open files, of the limit", m::FDS_PERCENT, None),
    ("Security attribute", m::SECURITY, None),
    ("Cgroup: memory", m::CGROUP_MEMORY, Some((With::Of, m::CGROUP_MEMORY_LIMIT))),
    ("Cgroup: memory, of the limit", m::CGROUP_MEMORY_PERCENT, None),
    ("Cgroup: CPU", m::CGROUP_CPU, None),
    ("Cgroup: CPU throttled", m::CGROUP_THROTTLED, None),
    ("Cgroup: OOM kills", m::CGROUP_OOM_KILLS, None),
    ("Cgroup: processes", m::CGROUP_PIDS, Some((With::Of, m::CGROUP_PIDS_LIMIT))),
    ("Cgroup: processes, of the limit", m::CGROUP_PIDS_PERCENT, None),
    ("Open files of the system", m::FDS_ALLOCATED, Some((With::Of, m::FDS_MAXIMUM))),
    ("Open files, free again", m::FDS_UNUSED, None),
    ("State", m::PLUGIN_STATE, None),
    ("Output", m::OUTPUT, None),
    ("Exit status", m::EXIT_STATUS, None),
    ("Ended by signal", m::EXIT_SIGNAL, None),
    ("Did not end by itself", m::EXIT_REASON, None),
    ("Cannot be run", m::RUN_ERROR, None),
    ("Ran for", m::RUN_TIME, None),
    ("Last started", m::RUN_STARTED, None),
    ("Response time", m::RESPONSE_TIME, None),
    ("HTTP status", m::HTTP_STATUS, None),
    ("Size", m::SIZE, None),
    ("Type", m::FILESYSTEM_TYPE, None),
    ("Flags", m::FILESYSTEM_FLAGS, None),
    ("Space used", m::SPACE, Some((With::Share, m::SPACE_PERCENT))),
    ("Space free", m::SPACE_FREE, Some((With::Share, m::SPACE_FREE_PERCENT))),
    ("Space available to users", m::SPACE_AVAILABLE, None),
    ("Space in all", m::SPACE_TOTAL, None),
    ("Block size", m::BLOCK_SIZE, None),
    ("Inodes used", m::INODES, Some((With::Share, m::INODES_PERCENT))),
    ("Inodes free", m::INODES_FREE, Some((With::Share, m::INODES_FREE_PERCENT))),
    ("Inodes in all", m::INODES_TOTAL, None),
    ("Time of an operation", m::SERVICE_TIME, None),
    ("Time of a read", m::SERVICE_TIME_READ, None),
    ("Time of a write", m::SERVICE_TIME_WRITE, None),
    ("Permission", m::PERMISSION, None),
    ("User id", m::UID, None),
    ("Effective user id", m::EUID, None),
    ("Group id", m::GID, None),
    ("Links", m::LINKS, None),
    ("Content changed", m::MODIFY_TIME, None),
    ("Status changed", m::CHANGE_TIME, None),
    ("Last read", m::ACCESS_TIME, None),
    ("Last change of either", m::TIMESTAMP, None),
    ("Time since content changed", m::MODIFY_AGE, None),
    ("Time since status changed", m::CHANGE_AGE, None),
    ("Time since last read", m::ACCESS_AGE, None),
    ("Time since last change of either", m::TIMESTAMP_AGE, None),
    ("SHA-256", m::CHECKSUM_SHA256, None),
    ("SHA-1", m::CHECKSUM_SHA1, None),
    ("MD5", m::CHECKSUM_MD5, None),
    ("Read", m::READ_BYTES, Some((With::Rate, m::READ_RATE))),
    ("Written", m::WRITE_BYTES, Some((With::Rate, m::WRITE_RATE))),
    ("Read from disks", m::DISK_READ_BYTES, Some((With::Rate, m::DISK_READ_RATE))),
    ("Written to disks", m::DISK_WRITE_BYTES, Some((With::Rate, m::DISK_WRITE_RATE))),
    ("Reads", m::DISK_READ_OPS, Some((With::Rate, m::DISK_READ_OPS_RATE))),
    ("Writes", m::DISK_WRITE_OPS, Some((With::Rate, m::DISK_WRITE_OPS_RATE))),
    ("Download", m::DOWNLOAD_BYTES, Some((With::Rate, m::DOWNLOAD_RATE))),
    ("Upload", m::UPLOAD_BYTES, Some((With::Rate, m::UPLOAD_RATE))),
    ("Packets in", m::DOWNLOAD_PACKETS, Some((With::Rate, m::DOWNLOAD_PACKETS_RATE))),
    ("Packets out", m::UPLOAD_PACKETS, Some((With::Rate, m::UPLOAD_PACKETS_RATE))),
    ("Errors of download", m::DOWNLOAD_ERRORS, Some((With::Rate, m::DOWNLOAD_ERRORS_RATE))),
    ("Errors of upload", m::UPLOAD_ERRORS, Some((With::Rate, m::UPLOAD_ERRORS_RATE))),
    ("Dropped packets in", m::DOWNLOAD_DROPPED, Some((With::Rate, m::DOWNLOAD_DROPPED_RATE))),
    ("Dropped packets out", m::UPLOAD_DROPPED, Some((With::Rate, m::UPLOAD_DROPPED_RATE))),
    ("Link", m::LINK_CAPACITY, None),
    ("Link speed", m::LINK_SPEED, None),
    ("Duplex", m::LINK_DUPLEX, None),
    ("Saturation", m::SATURATION, None),
    ("Saturation of download", m::DOWNLOAD_SATURATION, None),
    ("Saturation of upload", m::UPLOAD_SATURATION, None),
    ("Stalled for CPU, 10 s", m::PRESSURE_CPU_SOME_10, None),
    ("Stalled for CPU, 1 min", m::PRESSURE_CPU_SOME_60, None),
    ("Stalled for CPU, 5 min", m::PRESSURE_CPU_SOME_300, None),
    ("Stalled for memory, 10 s", m::PRESSURE_MEMORY_SOME_10, None),
    ("Stalled for memory, 1 min", m::PRESSURE_MEMORY_SOME_60, None),
    ("Stalled for memory, 5 min", m::PRESSURE_MEMORY_SOME_300, None),
    ("All stalled for memory, 10 s", m::PRESSURE_MEMORY_FULL_10, None),
    ("All stalled for memory, 1 min", m::PRESSURE_MEMORY_FULL_60, None),
    ("All stalled for memory, 5 min", m::PRESSURE_MEMORY_FULL_300, None),
    ("Stalled for disks, 10 s", m::PRESSURE_IO_SOME_10, None),
    ("Stalled for disks, 1 min", m::PRESSURE_IO_SOME_60, None),
    ("Stalled for disks, 5 min", m::PRESSURE_IO_SOME_300, None),
    ("All stalled for disks, 10 s", m::PRESSURE_IO_FULL_10, None),
    ("All stalled for disks, 1 min", m::PRESSURE_IO_FULL_60, None),
    ("All stalled for disks, 5 min", m::PRESSURE_IO_FULL_300, None),
    ("Process ids", m::PIDS_USED, Some((With::Of, m::PIDS_MAXIMUM))),
    ("Process ids in use", m::PIDS_PERCENT, None),
    ("Open files of the system, share", m::FDS_ALLOCATED_PERCENT, None),
    ("Pages swapped in", m::SWAP_IN_RATE, None),
    ("Pages swapped out", m::SWAP_OUT_RATE, None),
    ("Services fallen within an hour", m::SERVICES_FALLEN, None),
];

#[cfg(test)]
mod tests {
    use hinoban_reading::Unit;

    use super::*;

    #[test]
    fn of_a_program_only_what_there_is_to_say_is_shown() {
        let seen = Observation::up()
            .with(&m::RUN_ERROR, "")
            .with(&m::EXIT_STATUS, 0i64)
            .with(&m::EXIT_SIGNAL, 0i64)
            .with(&m::RUN_TIME, 0.25)
            .with(&m::OUTPUT, "all is well\nand more");
        let shown = rows(&seen, &TimeZone::UTC);
        let labels: Vec<_> = shown.iter().map(|row| row.label).collect();
        assert_eq!(labels, ["Output", "Exit status", "Ran for"]);
        let mut line = Line { out: String::new(), zone: &TimeZone::UTC };
        line.program(&seen).expect("a text takes all");
        assert_eq!(line.out, "all is well · status 0 · in 250 ms");
        let unrun = Observation::up().with(&m::RUN_ERROR, "/x does not exist");
        let mut line = Line { out: String::new(), zone: &TimeZone::UTC };
        line.program(&unrun).expect("a text takes all");
        assert_eq!(line.out, "/x does not exist");
    }

    #[test]
    fn what_belongs_together_shares_a_row_and_nothing_is_left_out() {
        let seen = Observation::up()
            .with(&Metric::new("queue.depth", Unit::Count), 12i64)
            .with(&m::MEMORY_PERCENT, 12.5)
            .with(&m::MEMORY, 1024i64)
            .with(&m::FDS, 5i64)
            .with(&m::READ_BYTES, 2048i64)
            .with(&m::READ_RATE, 2.0)
            .with(&m::FDS_SOFT, 20i64);
        let rows = rows(&seen, &TimeZone::UTC);
        let rows: Vec<_> = rows.iter().map(|row| (row.label, &*row.value, row.raw)).collect();
        assert_eq!(
            rows,
            [
                ("Memory", "1 KiB (12.5%)", false),
                ("Open files", "5 of 20", false),
                ("Read", "2 KiB, now 2 B/s", false),
                ("queue.depth", "12", true),
            ]
        );
        // The second of a pair without the first.
        let seen = Observation::up().with(&m::SWAP_PERCENT, 3.0);
        assert_eq!(super::rows(&seen, &TimeZone::UTC)[0].label, "swap.percent");
    }
}
