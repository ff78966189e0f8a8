//! Where the machine is under strain, or near what it has: pressure, process ids, swapping.

use std::fs;
use std::time::Duration;

use hinoban_reading::{Metric, Observation, metrics as m};

use super::share;
use crate::proc::{labelled, number};

/// The shares of time in which something waited, each over 10, 60 and 300 seconds: which file, which line
/// (Documentation/accounting/psi.rst). For the processors of a whole machine `full` is always nothing.
const PRESSURE: [(&str, &str, [Metric; 3]); 5] = [
    ("cpu", "some", [m::PRESSURE_CPU_SOME_10, m::PRESSURE_CPU_SOME_60, m::PRESSURE_CPU_SOME_300]),
    ("memory", "some", [m::PRESSURE_MEMORY_SOME_10, m::PRESSURE_MEMORY_SOME_60, m::PRESSURE_MEMORY_SOME_300]),
    ("memory", "full", [m::PRESSURE_MEMORY_FULL_10, m::PRESSURE_MEMORY_FULL_60, m::PRESSURE_MEMORY_FULL_300]),
    ("io", "some", [m::PRESSURE_IO_SOME_10, m::PRESSURE_IO_SOME_60, m::PRESSURE_IO_SOME_300]),
    ("io", "full", [m::PRESSURE_IO_FULL_10, m::PRESSURE_IO_FULL_60, m::PRESSURE_IO_FULL_300]),
];

/// Adds what `/proc/pressure` tells: nothing on a kernel without it (before 4.20, or not switched on by `psi=1`).
pub(super) fn pressure(seen: &mut Observation) {
    let mut read: Option<(&str, Vec<u8>)> = None;
    for (what, line, metrics) in &PRESSURE {
        if read.as_ref().is_none_or(|(of, _)| of != what) {
            read = fs::read(format!("/proc/pressure/{what}")).ok().map(|text| (*what, text));
        }
        let Some((_, text)) = &read else { return };
        for (metric, average) in metrics.iter().zip(averages(text, line).into_iter().flatten()) {
            seen.push(metric, average);
        }
    }
}

/// `some avg10=0.22 avg60=0.17 avg300=1.11 total=58761459`
fn averages(text: &[u8], line: &str) -> Option<[f64; 3]> {
    let found = text.split(|b| *b == b'\n').find_map(|l| l.strip_prefix(line.as_bytes()))?;
    let mut words = found.split(|b| *b == b' ').filter(|word| !word.is_empty());
    let mut next = |name: &str| number::<f64>(words.next()?.strip_prefix(name.as_bytes())?);
    Some([next("avg10=")?, next("avg60=")?, next("avg300=")?])
}

/// Adds how many process ids are in use, of threads too, and how many there may be: the smaller of `kernel.pid_max` and
/// `kernel.threads-max` (proc_sys_kernel(5)), or in a container the limit of its control group. `loads` is
/// `/proc/loadavg`.
pub(super) fn pids(loads: &[u8], seen: &mut Observation) {
    let fields = loads.split(|b| *b == b' ').nth(3);
    let tasks = fields.and_then(|field| number::<u64>(field.split(|b| *b == b'/').nth(1)?));
    let limits = ["/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max"].map(whole);
    let host = tasks.zip(limits.into_iter().flatten().min());
    // The root of a host's control groups has no limit, that of a container's is the container's own.
    let group = ["/sys/fs/cgroup", "/sys/fs/cgroup/pids"].into_iter().find_map(|root| {
        let limit = whole(&format!("{root}/pids.max"))?;
        Some((whole(&format!("{root}/pids.current"))?, limit))
    });
    let nearest = nearer(host, group);
    if let Some((used, limit)) = nearest {
        seen.push(&m::PIDS_USED, used);
        seen.push(&m::PIDS_MAXIMUM, limit);
        seen.push(&m::PIDS_PERCENT, share(used, limit));
    }
}

/// Whichever is nearer to its limit.
fn nearer(one: Option<(u64, u64)>, other: Option<(u64, u64)>) -> Option<(u64, u64)> {
    [one, other].into_iter().flatten().max_by(|a, b| share(a.0, a.1).total_cmp(&share(b.0, b.1)))
}

/// A file with one number, if it has one.
fn whole(path: &str) -> Option<u64> {
    number(fs::read(path).ok()?.trim_ascii())
}

/// How many pages are swapped in and out each second.
#[derive(Debug, Default)]
pub(super) struct Swapping {
    last: Option<(Duration, [u64; 2])>,
    rates: Option<[f64; 2]>,
}

impl Swapping {
    /// Adds the rates from the second look on. An interval shorter than a tenth of a second is left to grow.
    pub(super) fn read(&mut self, now: Duration, seen: &mut Observation) {
        match fs::read("/proc/vmstat").ok().as_deref().and_then(swapped) {
            Some(pages) => self.take(now, pages),
            None => *self = Self::default(),
        }
        if let Some([into, out]) = self.rates {
            seen.push(&m::SWAP_IN_RATE, into);
            seen.push(&m::SWAP_OUT_RATE, out);
        }
    }

    fn take(&mut self, now: Duration, pages: [u64; 2]) {
        const SHORTEST: Duration = Duration::from_millis(100);
        if let Some((then, before)) = self.last {
            let past = now.saturating_sub(then);
            if past < SHORTEST {
                return;
            }
            let rate = |n: usize| pages[n].saturating_sub(before[n]) as f64 / past.as_secs_f64();
            self.rates = Some([rate(0), rate(1)]);
        }
        self.last = Some((now, pages));
    }
}

fn swapped(vmstat: &[u8]) -> Option<[u64; 2]> {
    Some([labelled(vmstat, "pswpin ")?, labelled(vmstat, "pswpout ")?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_is_read_line_by_line() {
        let text = b"some avg10=79.51 avg60=29.43 avg300=17.55 total=10598913196\nfull avg10=0.50 avg60=0.25 avg300=0.00 total=1\n";
        assert_eq!(averages(text, "some"), Some([79.51, 29.43, 17.55]));
        assert_eq!(averages(text, "full"), Some([0.5, 0.25, 0.0]));
        assert_eq!(averages(b"some avg10=1.00\n", "some"), None);
    }

    #[test]
    fn the_limit_that_is_nearer_is_told() {
        assert_eq!(nearer(Some((152, 32_768)), None), Some((152, 32_768)));
        assert_eq!(nearer(Some((152, 32_768)), Some((90, 100))), Some((90, 100)));
        assert_eq!(nearer(Some((30_000, 32_768)), Some((10, 100))), Some((30_000, 32_768)));
        let mut seen = Observation::up();
        pids(b"2.02 1.33 1.15 8/152 21151\n", &mut seen);
        assert!(seen.get("pids.percent").and_then(|v| v.as_f64()).unwrap() > 0.0);
    }

    #[test]
    fn swapping_needs_two_looks_some_time_apart() {
        let mut swapping = Swapping::default();
        swapping.take(Duration::from_secs(5), [100, 0]);
        assert_eq!(swapping.rates, None);
        swapping.take(Duration::from_secs(7), [120, 3]);
        assert_eq!(swapping.rates, Some([10.0, 1.5]));
        swapping.take(Duration::from_millis(7050), [900, 3]);
        assert_eq!(swapping.rates, Some([10.0, 1.5]), "too soon to tell anew");
        assert_eq!(swapped(b"pgpgin 5\npswpin 7\npswpout 9\n"), Some([7, 9]));
    }
}
