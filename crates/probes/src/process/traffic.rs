//! What a process reads and writes.

use std::time::Duration;

use hinoban_reading::{Metric, Observation, metrics};

use super::task::Task;
use super::wanted::Turn;
use crate::proc::labelled;

/// The counters of `/proc/PID/io`: label, total, rate. Monit counts system calls as operations.
const COUNTERS: [(&str, Metric, Metric); 6] = [
    ("rchar:", metrics::READ_BYTES, metrics::READ_RATE),
    ("read_bytes:", metrics::DISK_READ_BYTES, metrics::DISK_READ_RATE),
    ("syscr:", metrics::DISK_READ_OPS, metrics::DISK_READ_OPS_RATE),
    ("wchar:", metrics::WRITE_BYTES, metrics::WRITE_RATE),
    ("write_bytes:", metrics::DISK_WRITE_BYTES, metrics::DISK_WRITE_RATE),
    ("syscw:", metrics::DISK_WRITE_OPS, metrics::DISK_WRITE_OPS_RATE),
];

/// The counters as they were read last, and what was made of them.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    turn: Turn,
    /// When, since boot, and the totals then.
    last: Option<(Duration, [u64; 6])>,
    /// A second, on average between the last two readings.
    rates: Option<[f64; 6]>,
}

impl Traffic {
    /// Adds totals and rates; those of the last time if `wanted` does not ask for new ones. Rates appear with the second
    /// reading; an interval shorter than `shortest` is left to grow. Gives whether it could be read, if that was tried.
    pub(super) fn read(
        &mut self,
        task: &mut Task,
        now: Duration,
        wanted: bool,
        shortest: Duration,
        seen: &mut Observation,
    ) -> Option<bool> {
        let mut read = None;
        if self.turn.has_come(wanted, now) {
            self.turn.taken(now);
            let mut buffer = [0; 512];
            let text = task.io(&mut buffer);
            read = Some(text.is_some());
            match text {
                Some(text) => self.take(
                    COUNTERS.each_ref().map(|(l, ..)| labelled(text, l).unwrap_or(0)),
                    now,
                    shortest,
                ),
                None => (self.last, self.rates) = (None, None),
            }
        }
        if let Some((_, totals)) = &self.last {
            for (i, (_, total, rate)) in COUNTERS.iter().enumerate() {
                seen.push(total, totals[i]);
                if let Some(rates) = &self.rates {
                    seen.push(rate, rates[i]);
                }
            }
        }
        read
    }

    fn take(&mut self, totals: [u64; 6], now: Duration, shortest: Duration) {
        let Some((then, before)) = self.last else {
            self.last = Some((now, totals));
            // The second reading comes soon, for without it there is no rate.
            return self.turn.again();
        };
        let interval = now.saturating_sub(then);
        if interval < shortest {
            return self.turn.again();
        }
        let mut rates = [0.0; 6];
        for (rate, (total, before)) in rates.iter_mut().zip(totals.iter().zip(before)) {
            *rate = total.saturating_sub(before) as f64 / interval.as_secs_f64();
        }
        (self.last, self.rates) = (Some((now, totals)), Some(rates));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_time_between_two_readings() {
        let at = Duration::from_millis;
        let short = at(100);
        let mut traffic = Traffic::default();
        traffic.take([0; 6], at(1000), short);
        assert!(traffic.turn.has_come(false, at(1001)) && traffic.rates.is_none());
        traffic.take([50; 6], at(1050), short);
        assert!(traffic.rates.is_none(), "too short an interval");
        traffic.take([200; 6], at(3000), short);
        assert_eq!(traffic.rates, Some([100.0; 6]));
    }
}
