//! What goes through an interface each second, and what went through it of late.

use std::collections::VecDeque;
use std::time::Duration;

use hinoban_reading::{Metric, Observation, Total, Traffic as Of, metrics as m};

use super::netlink::{Counters, Interface, Way};

/// Shorter intervals (looks that an event brought) are left to grow.
const SHORTEST: Duration = Duration::from_millis(100);

/// A window is cut into so many parts: that much of it is uncertain at its old end.
const PARTS: u32 = 60;

/// Remembers the last look at an interface, and what it takes to know what went through it within some times.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    last: Option<Last>,
    rates: Option<Rates>,
    windows: Vec<Window>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    at: Duration,
    index: u32,
    counters: Counters,
}

/// Each second, in one direction: bytes, packets, errors, dropped.
type Each = [f64; 4];

#[derive(Debug, Clone, Copy)]
struct Rates {
    download: Each,
    upload: Each,
}

/// What went through within one time.
#[derive(Debug)]
struct Window {
    total: Total,
    /// All since the window is known.
    sum: u64,
    /// What that was at the beginning of each part, the oldest first: times since boot, in milliseconds.
    parts: VecDeque<(u64, u64)>,
}

/// The counters of an interface, and when they were read; what a memory holds beside its windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) at: Duration,
    pub(super) index: u32,
    pub(super) counters: Counters,
}

impl Traffic {
    /// What to know of beside the counters themselves.
    pub(super) fn watch(&mut self, total: Total) {
        if !self.windows.iter().any(|window| window.total == total) {
            self.windows.push(Window { total, sum: 0, parts: VecDeque::new() });
        }
    }

    pub(super) fn has_windows(&self) -> bool {
        !self.windows.is_empty()
    }

    /// A look at `now`, time since boot. `same`: an interface of another number is the one that was there before, made
    /// again; otherwise it is another one, and what went through it earlier is none of ours.
    pub(super) fn take(&mut self, now: Duration, seen: &Interface, same: bool) {
        let counters = seen.counters;
        let Some(last) = self.last else {
            self.last = Some(Last { at: now, index: seen.index, counters });
            self.windows.iter_mut().for_each(|window| window.grow(now, 0));
            return;
        };
        let before = match last.index == seen.index {
            true => last.counters,
            false if same => Counters::default(),
            false => counters,
        };
        let past = now.saturating_sub(last.at);
        let more = Counters {
            download: more(&counters.download, &before.download),
            upload: more(&counters.upload, &before.upload),
        };
        if past < SHORTEST && last.index == seen.index {
            return;
        }
        self.windows.iter_mut().for_each(|window| window.grow(now, of(&more, window.total.of)));
        self.rates = match past >= SHORTEST && (last.index == seen.index || same) {
            true => {
                let seconds = past.as_secs_f64();
                let each =
                    |way: &Way| [way.bytes, way.packets, way.errors, way.dropped].map(|n| n as f64 / seconds);
                Some(Rates { download: each(&more.download), upload: each(&more.upload) })
            }
            false => None,
        };
        self.last = Some(Last { at: now, index: seen.index, counters });
    }

    /// The interface is not there: what it did each second is known no longer. What it did within some time still is, and
    /// goes on when it is back.
    pub(super) fn gone(&mut self) {
        self.rates = None;
    }

    /// Adds the readings. `speed`: of the link, in bits a second; `half`: both directions share it.
    pub(super) fn push(&self, now: Duration, speed: Option<f64>, half: bool, seen: &mut Observation) {
        let Some(last) = &self.last else { return };
        way(seen, &DOWNLOAD, &last.counters.download, self.rates.map(|rates| rates.download));
        way(seen, &UPLOAD, &last.counters.upload, self.rates.map(|rates| rates.upload));
        if let (Some(rates), Some(speed)) = (self.rates, speed) {
            let share = |each: Each| (100.0 * each[0] * 8.0 / speed).min(100.0);
            let [download, upload] = [rates.download, rates.upload].map(share);
            let all = if half { (download + upload).min(100.0) } else { download.max(upload) };
            seen.push(&m::DOWNLOAD_SATURATION, download);
            seen.push(&m::UPLOAD_SATURATION, upload);
            seen.push(&m::SATURATION, all);
        }
        for window in &self.windows {
            seen.push(&window.total.metric(), window.within(now));
        }
    }
}

/// The metrics of one direction, in the order of [`Way`], each with its rate.
type Metrics = [(Metric, Metric); 4];

const DOWNLOAD: Metrics = [
    (m::DOWNLOAD_BYTES, m::DOWNLOAD_RATE),
    (m::DOWNLOAD_PACKETS, m::DOWNLOAD_PACKETS_RATE),
    (m::DOWNLOAD_ERRORS, m::DOWNLOAD_ERRORS_RATE),
    (m::DOWNLOAD_DROPPED, m::DOWNLOAD_DROPPED_RATE),
];

const UPLOAD: Metrics = [
    (m::UPLOAD_BYTES, m::UPLOAD_RATE),
    (m::UPLOAD_PACKETS, m::UPLOAD_PACKETS_RATE),
    (m::UPLOAD_ERRORS, m::UPLOAD_ERRORS_RATE),
    (m::UPLOAD_DROPPED, m::UPLOAD_DROPPED_RATE),
];

fn way(seen: &mut Observation, metrics: &Metrics, way: &Way, each: Option<Each>) {
    let counters = [way.bytes, way.packets, way.errors, way.dropped];
    for (n, ((metric, rate), counter)) in metrics.iter().zip(counters).enumerate() {
        seen.push(metric, counter);
        if let Some(each) = each {
            seen.push(rate, each[n]);
        }
    }
}

/// What was added. A counter that went back was set to nothing, and has counted up to where it is since.
fn more(now: &Way, before: &Way) -> Way {
    let more = |now: u64, before: u64| now.checked_sub(before).unwrap_or(now);
    Way {
        bytes: more(now.bytes, before.bytes),
        packets: more(now.packets, before.packets),
        errors: more(now.errors, before.errors),
        dropped: more(now.dropped, before.dropped),
    }
}

fn of(counters: &Counters, of: Of) -> u64 {
    match of {
        Of::DownloadBytes => counters.download.bytes,
        Of::DownloadPackets => counters.download.packets,
        Of::UploadBytes => counters.upload.bytes,
        Of::UploadPackets => counters.upload.packets,
    }
}

impl Window {
    fn grow(&mut self, now: Duration, more: u64) {
        let now = millis(now);
        let span = millis(self.total.span());
        let part = span / u64::from(PARTS);
        // What came since the last look belongs to what came before this part begins.
        self.sum = self.sum.saturating_add(more);
        if self.parts.back().is_none_or(|(begun, _)| now.saturating_sub(*begun) >= part) {
            self.parts.push_back((now, self.sum));
        }
        // One that is older than the window stays: it is what the window is measured from.
        while self.parts.get(1).is_some_and(|(begun, _)| now.saturating_sub(*begun) >= span) {
            self.parts.pop_front();
        }
    }

    /// What went through within the window until now; as much of it as is known.
    fn within(&self, now: Duration) -> u64 {
        let from = millis(now).saturating_sub(millis(self.total.span()));
        let begun = self.parts.iter().rev().find(|(begun, _)| *begun <= from).or(self.parts.front());
        self.sum.saturating_sub(begun.map_or(self.sum, |(_, sum)| *sum))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// What is remembered over a restart: little endian numbers of seven bits a byte, most of them differences.
impl Traffic {
    pub(super) fn known(&self) -> Option<Known> {
        self.last.map(|Last { at, index, counters }| Known { at, index, counters })
    }

    /// The last counters and the windows. `None` before the first look.
    pub(super) fn encode(&self, out: &mut Vec<u8>) -> Option<()> {
        let Known { at, index, counters } = self.known()?;
        let ways = [counters.download, counters.upload];
        let counted = ways.iter().flat_map(|way| [way.bytes, way.packets, way.errors, way.dropped]);
        [millis(at), u64::from(index)].into_iter().chain(counted).for_each(|n| put(out, n));
        for window in &self.windows {
            let name = window.total.to_string();
            put(out, name.len() as u64);
            out.extend(name.as_bytes());
            put(out, window.parts.len() as u64);
            let (mut begun, mut sum) = (0, 0);
            for (at, all) in &window.parts {
                put(out, at.saturating_sub(begun));
                put(out, all.saturating_sub(sum));
                (begun, sum) = (*at, *all);
            }
            put(out, window.sum.saturating_sub(sum));
        }
        Some(())
    }

    /// Takes back what [`encode`](Self::encode) gave; what cannot be read is left out. Windows that nobody asks for any
    /// more are forgotten.
    pub(super) fn decode(&mut self, mut rest: &[u8]) -> Option<()> {
        let rest = &mut rest;
        let at = Duration::from_millis(get(rest)?);
        let index = u32::try_from(get(rest)?).ok()?;
        let mut way =
            || Some(Way { bytes: get(rest)?, packets: get(rest)?, errors: get(rest)?, dropped: get(rest)? });
        let counters = Counters { download: way()?, upload: way()? };
        self.last = Some(Last { at, index, counters });
        while !rest.is_empty() {
            let length = usize::try_from(get(rest)?).ok()?;
            let name = std::str::from_utf8(rest.split_off(..length)?).ok()?;
            let total = Total::parse(name)?;
            let parts = get(rest)?;
            let mut window = Window { total, sum: 0, parts: VecDeque::new() };
            let mut begun = 0u64;
            for _ in 0..parts {
                begun = begun.saturating_add(get(rest)?);
                window.sum = window.sum.saturating_add(get(rest)?);
                window.parts.push_back((begun, window.sum));
            }
            window.sum = window.sum.saturating_add(get(rest)?);
            if let Some(known) = self.windows.iter_mut().find(|known| known.total == total) {
                *known = window;
            }
        }
        // A window that is new begins with the next look.
        Some(())
    }
}

fn put(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn get(rest: &mut &[u8]) -> Option<u64> {
    let mut n = 0;
    for shift in (0..64).step_by(7) {
        let byte = *rest.split_off_first()?;
        n |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(n);
        }
    }
    None
}

#[cfg(test)]
mod tests;
