//! The host itself: load, processor, memory, swap, file descriptors, process ids, pressure.

mod strain;

use std::fs;
use std::time::Duration;

use async_trait::async_trait;
use hinoban_probe::{Look, Probe, ProbeError};
use hinoban_reading::{Metric, Observation, metrics};

use crate::clock;
use crate::proc::{labelled, number};
use strain::Swapping;

/// The parts of processor time, in the order the probe computes them.
const PARTS: [Metric; 9] = [
    metrics::CPU_USER,
    metrics::CPU_NICE,
    metrics::CPU_SYSTEM,
    metrics::CPU_WAIT,
    metrics::CPU_HARDIRQ,
    metrics::CPU_SOFTIRQ,
    metrics::CPU_STEAL,
    metrics::CPU_GUEST,
    metrics::CPU_GUESTNICE,
];

/// The load averages, each beside its share for one processor, in the order of `/proc/loadavg` (proc_loadavg(5)).
const LOADS: [(Metric, Metric); 3] = [
    (metrics::LOAD_1, metrics::LOAD_1_CORE),
    (metrics::LOAD_5, metrics::LOAD_5_CORE),
    (metrics::LOAD_15, metrics::LOAD_15_CORE),
];

/// Looks at the host. It is always up; the readings are what counts.
///
/// `load.*.core` is the load divided by the processors that are online at this look.
/// Memory in use is what Monit 5.33 counts: all of it but what the kernel thinks is available (`MemAvailable`), and on
/// kernels before 3.14 all but free, buffers and cache. Processor parts are percentages of all processors together since
/// the last look, so they appear from the second look on; `cpu.percent` is user and system.
///
/// `pressure.*` is there where the kernel tells it (Linux 4.20, PSI), `swap.in.rate` and `swap.out.rate` from the second look
/// on, in pages a second, where there is swap space. `services.fallen` is not read here: only who supervises knows.
#[derive(Debug, Default)]
pub struct SystemProbe {
    last: Option<Times>,
    swapping: Swapping,
}

#[async_trait]
impl Probe for SystemProbe {
    async fn observe(&mut self, _look: &Look) -> Result<Observation, ProbeError> {
        let mut seen = Observation::up();
        let stat = file("/proc/stat")?;
        let cores = cores(&stat) as f64;
        let loads = file("/proc/loadavg")?;
        for ((metric, core), text) in LOADS.iter().zip(loads.split(|b| *b == b' ')) {
            let load = number::<f64>(text).ok_or_else(|| odd("/proc/loadavg"))?;
            seen.push(metric, load);
            seen.push(core, load / cores);
        }

        let times = Times::parse(&stat).ok_or_else(|| odd("/proc/stat"))?;
        match &self.last {
            // Two looks within one clock tick tell nothing; the interval goes on.
            Some(last) if times.total() <= last.total() => {}
            Some(last) => {
                let parts = times.since(last);
                seen.push(&metrics::CPU, (parts[0] + parts[2]).min(100.0));
                PARTS.iter().zip(parts).for_each(|(metric, part)| seen.push(metric, part));
                self.last = Some(times);
            }
            None => self.last = Some(times),
        }

        let memory = Memory::parse(&file("/proc/meminfo")?).ok_or_else(|| odd("/proc/meminfo"))?;
        seen.push(&metrics::MEMORY, memory.used);
        seen.push(&metrics::MEMORY_PERCENT, share(memory.used, memory.total));
        seen.push(&metrics::SWAP, memory.swap_used);
        seen.push(&metrics::SWAP_PERCENT, share(memory.swap_used, memory.swap_total));
        let since_boot = clock::since_boot();
        if memory.swap_total > 0 {
            self.swapping.read(since_boot, &mut seen);
        }
        seen.push(&metrics::UPTIME, since_boot.as_secs());
        seen.push(&metrics::BOOT_TIME, rounded(clock::boot_wall()));

        let files = file("/proc/sys/fs/file-nr")?;
        let mut numbers = files.trim_ascii().split(|b| *b == b'\t').map(number::<u64>);
        for metric in [metrics::FDS_ALLOCATED, metrics::FDS_UNUSED, metrics::FDS_MAXIMUM] {
            seen.push(&metric, numbers.next().flatten().ok_or_else(|| odd("/proc/sys/fs/file-nr"))?);
        }
        let files =
            |metric: Metric| seen.get(&metric.name).and_then(|value| value.as_i64()).unwrap_or(0) as u64;
        let full = share(files(metrics::FDS_ALLOCATED), files(metrics::FDS_MAXIMUM));
        seen.push(&metrics::FDS_ALLOCATED_PERCENT, full);
        strain::pids(&loads, &mut seen);
        strain::pressure(&mut seen);
        Ok(seen)
    }

    fn metrics(&self) -> &[Metric] {
        const METRICS: &[Metric] = &[
            metrics::LOAD_1,
            metrics::LOAD_5,
            metrics::LOAD_15,
            metrics::LOAD_1_CORE,
            metrics::LOAD_5_CORE,
            metrics::LOAD_15_CORE,
            metrics::CPU,
            metrics::CPU_USER,
            metrics::CPU_NICE,
            metrics::CPU_SYSTEM,
            metrics::CPU_WAIT,
            metrics::CPU_HARDIRQ,
            metrics::CPU_SOFTIRQ,
            metrics::CPU_STEAL,
            metrics::CPU_GUEST,
            metrics::CPU_GUESTNICE,
            metrics::MEMORY,
            metrics::MEMORY_PERCENT,
            metrics::SWAP,
            metrics::SWAP_PERCENT,
            metrics::UPTIME,
            metrics::BOOT_TIME,
            metrics::FDS_ALLOCATED,
            metrics::FDS_UNUSED,
            metrics::FDS_MAXIMUM,
            metrics::FDS_ALLOCATED_PERCENT,
            metrics::PIDS_USED,
            metrics::PIDS_MAXIMUM,
            metrics::PIDS_PERCENT,
            metrics::SWAP_IN_RATE,
            metrics::SWAP_OUT_RATE,
            metrics::PRESSURE_CPU_SOME_10,
            metrics::PRESSURE_CPU_SOME_60,
            metrics::PRESSURE_CPU_SOME_300,
            metrics::PRESSURE_MEMORY_SOME_10,
            metrics::PRESSURE_MEMORY_SOME_60,
            metrics::PRESSURE_MEMORY_SOME_300,
            metrics::PRESSURE_MEMORY_FULL_10,
            metrics::PRESSURE_MEMORY_FULL_60,
            metrics::PRESSURE_MEMORY_FULL_300,
            metrics::PRESSURE_IO_SOME_10,
            metrics::PRESSURE_IO_SOME_60,
            metrics::PRESSURE_IO_SOME_300,
            metrics::PRESSURE_IO_FULL_10,
            metrics::PRESSURE_IO_FULL_60,
            metrics::PRESSURE_IO_FULL_300,
        ];
        METRICS
    }
}

impl SystemProbe {
    /// A probe of this host.
    pub fn new() -> Self {
        Self::default()
    }
}

/// Processors online, of which each has a line `cpuN` in `/proc/stat` (proc_stat(5)). At least one.
fn cores(stat: &[u8]) -> usize {
    let own =
        |line: &&[u8]| line.strip_prefix(b"cpu").is_some_and(|l| l.first().is_some_and(u8::is_ascii_digit));
    stat.split(|b| *b == b'\n').take_while(|line| line.starts_with(b"cpu")).filter(own).count().max(1)
}

/// The line `cpu` of `/proc/stat` (proc_stat(5)): user nice system idle iowait irq softirq steal guest guest_nice, in
/// ticks. Kernels before 2.6.33 have fewer.
#[derive(Debug, Clone, PartialEq)]
struct Times([u64; 10]);

impl Times {
    fn parse(text: &[u8]) -> Option<Self> {
        let line = text.split(|b| *b == b'\n').next()?.strip_prefix(b"cpu ")?;
        let mut times = [0; 10];
        let numbers = line.split(|b| *b == b' ').filter(|w| !w.is_empty());
        for (time, text) in times.iter_mut().zip(numbers) {
            *time = number(text)?;
        }
        Some(Self(times))
    }

    /// Guest time is within user time, and guest_nice within nice.
    fn total(&self) -> u64 {
        self.0[..8].iter().sum()
    }

    /// Percentages in the order of [`PARTS`]. A single counter may go back a little (iowait does): that counts as none.
    fn since(&self, last: &Times) -> [f64; 9] {
        let all = self.total().saturating_sub(last.total()).max(1) as f64;
        let part = |i: usize| self.0[i].saturating_sub(last.0[i]);
        let [guest, guest_nice] = [part(8), part(9)];
        let user = part(0).saturating_sub(guest);
        let nice = part(1).saturating_sub(guest_nice);
        let ticks = [user, nice, part(2), part(4), part(5), part(6), part(7), guest, guest_nice];
        ticks.map(|t| (100.0 * t as f64 / all).min(100.0))
    }
}

/// In bytes.
#[derive(Debug, PartialEq)]
struct Memory {
    total: u64,
    used: u64,
    swap_total: u64,
    swap_used: u64,
}

impl Memory {
    fn parse(text: &[u8]) -> Option<Self> {
        let bytes = |label: &str| labelled(text, label).map(|kilobytes| kilobytes << 10);
        let total = bytes("MemTotal:")?;
        let or_none = |label: &str| bytes(label).unwrap_or(0);
        let available = bytes("MemAvailable:").unwrap_or_else(|| {
            or_none("MemFree:") + or_none("Buffers:") + or_none("Cached:") + or_none("SReclaimable:")
        });
        let swap_total = or_none("SwapTotal:");
        Some(Self {
            total,
            used: total.saturating_sub(available),
            swap_total,
            swap_used: swap_total.saturating_sub(or_none("SwapFree:")),
        })
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}

/// To the nearest second: the boot time is a difference of two clocks, and would flicker if cut.
fn rounded(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_millis() >= 500)
}

fn file(path: &str) -> Result<Vec<u8>, ProbeError> {
    fs::read(path)
        .map_err(|e| ProbeError::Failed(format!("{path} could not be read: {e}; is /proc mounted?")))
}

fn odd(path: &str) -> ProbeError {
    ProbeError::Failed(format!("{path} does not look as proc(5) describes it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_processor_time_add_up() {
        let before = Times::parse(b"cpu  100 10 50 1000 20 1 2 3 40 5\ncpu0 1\n").unwrap();
        let after = Times::parse(b"cpu  150 20 60 1020 25 2 4 5 60 10\n").unwrap();
        // all: 50+10+10+20+5+1+2+2 = 100
        assert_eq!(after.since(&before), [30.0, 5.0, 10.0, 5.0, 1.0, 2.0, 2.0, 20.0, 5.0]);
    }

    #[test]
    fn a_counter_that_goes_back_is_no_huge_number() {
        let before = Times::parse(b"cpu  100 0 0 1000 20 0 0 0 0 0\n").unwrap();
        let after = Times::parse(b"cpu  150 0 0 1060 10 0 0 0 0 0\n").unwrap();
        assert_eq!(after.since(&before)[3], 0.0);
    }

    #[test]
    fn only_processors_that_are_online_share_the_load() {
        // The third of four is offline.
        let text = b"cpu  4 0 0 9 0\ncpu0 1 0\ncpu1 1 0\ncpu3 2 0\nintr 1 cpu9\ncpu7 0\n";
        assert_eq!(cores(text), 3);
        assert_eq!(cores(b"cpu  4 0 0 9 0\nintr 1\n"), 1, "a kernel without a line for each");
    }

    #[test]
    fn memory_in_use_is_all_but_the_available() {
        let text =
            b"MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable:  600 kB\nBuffers: 50 kB\nCached: 150 kB\n\
                     SReclaimable: 25 kB\nSwapTotal: 10 kB\nSwapFree: 4 kB\n";
        let memory = Memory::parse(text).unwrap();
        assert_eq!((memory.used, memory.swap_used), (400 << 10, 6 << 10));
        let old: Vec<u8> = text
            .split_inclusive(|b| *b == b'\n')
            .filter(|l| !l.starts_with(b"MemAvail"))
            .flatten()
            .copied()
            .collect();
        assert_eq!(Memory::parse(&old).unwrap().used, 675 << 10);
    }
}
