//! Numbers as Monit 5.33 writes them in its sentences.

use std::fmt;

use hinoban_reading::{Unit, Value};

/// A value, or a limit, in a sentence of Monit's.
pub(crate) struct Figure<'a> {
    pub(crate) unit: Unit,
    pub(crate) value: &'a Value,
    /// A limit: Monit keeps it with less precision than what it measures.
    pub(crate) limit: bool,
}

impl fmt::Display for Figure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(x) = self.value.as_f64() else { return self.value.fmt(f) };
        let single = if self.limit { f64::from(x as f32) } else { x };
        match self.unit {
            Unit::Percent => write!(f, "{single:.1}%"),
            Unit::Ratio => write!(f, "{single:.1}"),
            Unit::Bytes => write!(f, "{}", Bytes(x)),
            Unit::BytesPerSecond => write!(f, "{}/s", Bytes(if self.limit { x.trunc() } else { x })),
            Unit::PerSecond if self.limit => write!(f, "{x:.0} operations/s"),
            Unit::PerSecond => write!(f, "{x:.1} operations/s"),
            // Of all that is measured in seconds only the time that a disk needs is told so; ages are not.
            Unit::Seconds => write!(f, "{}/operation", Millis(x * 1000.0)),
            _ => self.unit.show(self.value).fmt(f),
        }
    }
}

/// Bytes, scaled by 1024: `5 B`, `8 kB`, `13.6 kB`. One decimal unless the scaled number is whole.
struct Bytes(f64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
        let (mut x, mut unit) = (self.0.max(0.0), 0);
        while x >= 1024.0 && unit + 1 < UNITS.len() {
            x /= 1024.0;
            unit += 1;
        }
        let decimals = if (x - x.round()).abs() < 1e-5 { 0 } else { 1 };
        write!(f, "{x:.decimals$} {}", UNITS[unit])
    }
}

/// Milliseconds: `0.019 ms`, `5 s`, `1.500 m`. Three decimals unless the scaled number is whole.
struct Millis(f64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut x, mut unit) = (self.0.max(0.0), "ms");
        for (limit, next) in [(1000.0, "s"), (60.0, "m"), (60.0, "h"), (24.0, "d"), (365.0, "y")] {
            if x < limit {
                break;
            }
            x /= limit;
            unit = next;
        }
        let decimals = if (x - x.round()).abs() < 1e-5 { 0 } else { 3 };
        write!(f, "{x:.decimals$} {unit}")
    }
}
