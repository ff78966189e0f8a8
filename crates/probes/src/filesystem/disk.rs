//! What a block device has done, from `/proc/diskstats` (Documentation/admin-guide/iostats.rst).

use std::time::Duration;

use hinoban_reading::{Observation, metrics};

use crate::clock;
use crate::proc::number;

/// Counters since boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counters {
    reads: u64,
    read_bytes: u64,
    read_time: Duration,
    writes: u64,
    written_bytes: u64,
    write_time: Duration,
}

/// What happened each second, and how long each operation took, between two looks.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rates {
    reads: f64,
    read_bytes: f64,
    writes: f64,
    written_bytes: f64,
    read_service: f64,
    write_service: f64,
}

/// Remembers the last look at a device, to tell rates from.
#[derive(Debug, Default)]
pub(super) struct Disk {
    last: Option<(Duration, (u32, u32), Counters)>,
    rates: Option<Rates>,
}

impl Disk {
    /// Adds what the device shows; nothing if there is no such device. Rates appear from the second look on. An interval
    /// shorter than a tenth of a second (a look that an event brought) is left to grow, and shows what was known before.
    pub(super) fn read(&mut self, device: Option<(u32, u32)>, seen: &mut Observation) {
        let now = clock::since_boot();
        let text = device.and_then(|_| std::fs::read("/proc/diskstats").ok());
        let found =
            device.zip(text).and_then(|(device, text)| Some((device, Counters::parse(&text, device)?)));
        match found {
            Some((device, counters)) => self.take(now, device, counters, seen),
            None => *self = Self::default(),
        }
    }

    fn take(&mut self, now: Duration, device: (u32, u32), counters: Counters, seen: &mut Observation) {
        const SHORTEST: Duration = Duration::from_millis(100);
        match self.last.filter(|(_, of, _)| *of == device) {
            Some((then, ..)) if now.saturating_sub(then) < SHORTEST => {}
            Some((then, _, before)) => {
                self.rates = Some(counters.since(&before, now.saturating_sub(then)));
                self.last = Some((now, device, counters));
            }
            None => {
                self.rates = None;
                self.last = Some((now, device, counters));
            }
        }
        seen.push(&metrics::DISK_READ_BYTES, counters.read_bytes);
        seen.push(&metrics::DISK_READ_OPS, counters.reads);
        seen.push(&metrics::DISK_WRITE_BYTES, counters.written_bytes);
        seen.push(&metrics::DISK_WRITE_OPS, counters.writes);
        if let Some(rates) = self.rates {
            seen.push(&metrics::DISK_READ_RATE, rates.read_bytes);
            seen.push(&metrics::DISK_READ_OPS_RATE, rates.reads);
            seen.push(&metrics::DISK_WRITE_RATE, rates.written_bytes);
            seen.push(&metrics::DISK_WRITE_OPS_RATE, rates.writes);
            seen.push(&metrics::SERVICE_TIME, rates.read_service + rates.write_service);
            seen.push(&metrics::SERVICE_TIME_READ, rates.read_service);
            seen.push(&metrics::SERVICE_TIME_WRITE, rates.write_service);
        }
    }
}

impl Counters {
    /// The line of one device: major, minor, name, then reads, merged, sectors, milliseconds, and the same of writes.
    fn parse(text: &[u8], (major, minor): (u32, u32)) -> Option<Self> {
        text.split(|b| *b == b'\n').find_map(|line| {
            let mut fields = line.split(|b| *b == b' ').filter(|f| !f.is_empty());
            if number::<u32>(fields.next()?)? != major || number::<u32>(fields.next()?)? != minor {
                return None;
            }
            let mut fields = fields.skip(1).map(number::<u64>);
            let mut four = || Some([fields.next()??, fields.next()??, fields.next()??, fields.next()??]);
            let [reads, _, read_sectors, read_time] = four()?;
            let [writes, _, written_sectors, write_time] = four()?;
            // A sector is 512 bytes here, whatever the device has.
            Some(Self {
                reads,
                read_bytes: read_sectors.saturating_mul(512),
                read_time: Duration::from_millis(read_time),
                writes,
                written_bytes: written_sectors.saturating_mul(512),
                write_time: Duration::from_millis(write_time),
            })
        })
    }

    /// A counter that went back (the milliseconds have 32 bits in the kernel) counts as none. The time of reads and that
    /// of writes are both shared out over all operations, so that they add up to the time of one.
    fn since(&self, before: &Self, interval: Duration) -> Rates {
        let seconds = interval.as_secs_f64();
        let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        let operations = self.reads.saturating_sub(before.reads) + self.writes.saturating_sub(before.writes);
        let service = |now: Duration, before: Duration| match operations {
            0 => 0.0,
            operations => now.saturating_sub(before).as_secs_f64() / operations as f64,
        };
        Rates {
            reads: rate(self.reads, before.reads),
            read_bytes: rate(self.read_bytes, before.read_bytes),
            writes: rate(self.writes, before.writes),
            written_bytes: rate(self.written_bytes, before.written_bytes),
            read_service: service(self.read_time, before.read_time),
            write_service: service(self.write_time, before.write_time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = " 254       0 vda 100 5 800 40 50 6 1600 30 0 1 2 3 4 5 6 7 8
 254       1 vda1 1 0 8 1 0 0 0 0 0 0 0
   8      16 sdb 7 0 56 3 1 0 8 2 0 4 5
";

    fn value(seen: &Observation, name: &str) -> Option<f64> {
        seen.get(name).and_then(hinoban_reading::Value::as_f64)
    }

    fn counters(text: &str) -> Counters {
        Counters::parse(text.as_bytes(), (254, 0)).unwrap()
    }

    #[test]
    fn a_device_is_found_by_its_numbers() {
        let vda = counters(TEXT);
        assert_eq!((vda.reads, vda.read_bytes, vda.writes, vda.written_bytes), (100, 409_600, 50, 819_200));
        assert_eq!(
            Counters::parse(TEXT.as_bytes(), (8, 16)).map(|c| c.reads),
            Some(7),
            "old kernels have 11 fields"
        );
        assert_eq!(Counters::parse(TEXT.as_bytes(), (8, 1)), None);
    }

    #[test]
    fn rates_and_service_times_need_two_looks_some_time_apart() {
        let later = " 254       0 vda 130 5 1000 60 60 6 1600 50 0 1 2\n";
        let mut disk = Disk::default();
        let mut take = |at: u64, text: &str| {
            let mut seen = Observation::up();
            disk.take(Duration::from_millis(at), (254, 0), counters(text), &mut seen);
            seen
        };
        let first = take(1000, TEXT);
        assert_eq!(value(&first, "disk.read.operations"), Some(100.0));
        assert_eq!(value(&first, "disk.read.rate"), None);
        assert_eq!(value(&first, "service.time"), None);

        let second = take(3000, later);
        assert_eq!(value(&second, "disk.read.rate"), Some(51_200.0));
        assert_eq!(value(&second, "disk.read.operations.rate"), Some(15.0));
        assert_eq!(value(&second, "disk.write.operations.rate"), Some(5.0));
        assert_eq!(value(&second, "disk.write.rate"), Some(0.0));
        // 20 ms of reading and 20 ms of writing over 40 operations.
        assert_eq!(value(&second, "service.time"), Some(0.001));
        assert_eq!(value(&second, "service.time.read"), Some(0.0005));

        let soon = take(3050, later);
        assert_eq!(value(&soon, "disk.read.rate"), Some(51_200.0), "too soon to tell anew");
        let idle = take(5000, later);
        assert_eq!(value(&idle, "service.time"), Some(0.0));
        let wrapped = take(6000, TEXT);
        assert_eq!(value(&wrapped, "disk.read.rate"), Some(0.0));
    }

    #[test]
    fn another_device_begins_anew() {
        let mut disk = Disk::default();
        let mut seen = Observation::up();
        disk.take(Duration::from_secs(1), (8, 0), counters(TEXT), &mut seen);
        disk.take(Duration::from_secs(2), (8, 16), counters(TEXT), &mut seen);
        assert_eq!(value(&seen, "disk.read.rate"), None);
        disk.read(None, &mut seen);
        assert!(disk.last.is_none());
    }
}
