//! Values as people write them.

use std::fmt;

use crate::{Unit, Value};

impl Unit {
    /// The value in this unit, fit for people: `13.6 KiB`, `1.5 MiB/s`, `10.6%`, `5 min 3 s`, `0.48`. Text, and what does
    /// not fit the unit, stays as it is.
    pub fn show(self, value: &Value) -> Shown<'_> {
        Shown { unit: self, value }
    }
}

/// A value that displays with its unit; made by [`Unit::show`].
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    unit: Unit,
    value: &'a Value,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(x) = self.value.as_f64() else { return self.value.fmt(f) };
        match self.unit {
            Unit::Bytes => bytes(f, x),
            Unit::BytesPerSecond => {
                bytes(f, x)?;
                f.write_str("/s")
            }
            Unit::BitsPerSecond => {
                Scaled::new(x, 1000.0).write(f, ["bit", "kbit", "Mbit", "Gbit", "Tbit", "Pbit", "Ebit"])?;
                f.write_str("/s")
            }
            Unit::PerSecond => write!(f, "{x:.1}/s"),
            Unit::Seconds => seconds(f, x),
            Unit::Percent => write!(f, "{x:.1}%"),
            Unit::Ratio => write!(f, "{x:.2}"),
            Unit::Count | Unit::Text => self.value.fmt(f),
        }
    }
}

/// In `KiB`, `MiB` … (IEC 80000-13) with one decimal, none if the scaled number is whole; in `kB`, `MB` … (SI) if that is
/// exact and the others are not: so somebody who wrote `10 GB` reads `10 GB`.
fn bytes(f: &mut fmt::Formatter<'_>, x: f64) -> fmt::Result {
    let (binary, thousands) = (Scaled::new(x, 1024.0), Scaled::new(x, 1000.0));
    let shorter = !binary.is_exact(1.0) || thousands.times > binary.times;
    if shorter && thousands.is_exact(10.0) {
        thousands.write(f, ["B", "kB", "MB", "GB", "TB", "PB", "EB"])
    } else {
        binary.write(f, ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])
    }
}

/// A number, and how often it was divided.
struct Scaled {
    number: f64,
    times: usize,
}

impl Scaled {
    fn new(mut number: f64, step: f64) -> Self {
        let mut times = 0;
        while number.abs() >= step && times < 6 {
            number /= step;
            times += 1;
        }
        Self { number, times }
    }

    /// Whether nothing is lost by writing only `1 / parts`.
    fn is_exact(&self, parts: f64) -> bool {
        let scaled = self.number * parts;
        (scaled - scaled.round()).abs() < 1e-5
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, units: [&str; 7]) -> fmt::Result {
        let decimals = if self.is_exact(1.0) { 0 } else { 1 };
        write!(f, "{:.decimals$} {}", self.number, units[self.times])
    }
}

/// Below a second in milliseconds, below a minute with a decimal, then in two units: cut, not rounded, so that none
/// overflows into the next.
fn seconds(f: &mut fmt::Formatter<'_>, x: f64) -> fmt::Result {
    if x < 60.0 {
        let (x, unit) = if x == 0.0 || x.abs() >= 1.0 { (x, "s") } else { (x * 1000.0, "ms") };
        return match x.abs() {
            whole if whole.fract() == 0.0 => write!(f, "{x} {unit}"),
            little if little < 1.0 => write!(f, "{x:.3} {unit}"),
            _ => write!(f, "{:.1} {unit}", (x * 10.0).trunc() / 10.0),
        };
    }
    let whole = x as u64;
    let (many, unit, few, smaller) = match whole {
        0..3_600 => (whole / 60, "min", whole % 60, "s"),
        3_600..86_400 => (whole / 3_600, "h", whole / 60 % 60, "min"),
        _ => (whole / 86_400, "d", whole / 3_600 % 24, "h"),
    };
    match few {
        0 => write!(f, "{many} {unit}"),
        _ => write!(f, "{many} {unit} {few} {smaller}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_as_people_write_them() {
        let says = |unit: Unit, value: f64| unit.show(&Value::Real(value)).to_string();
        let table = [
            (Unit::Bytes, 0.0, "0 B"),
            (Unit::Bytes, 13_933.0, "13.6 KiB"),
            (Unit::Bytes, 8_192.0, "8 KiB"),
            (Unit::Bytes, 1e3, "1 kB"),
            (Unit::Bytes, 1_023.0, "1023 B"),
            (Unit::Bytes, 1e10, "10 GB"),
            (Unit::Bytes, 1.5e9, "1.5 GB"),
            (Unit::Bytes, 1.53e9, "1.4 GiB"),
            (Unit::Bytes, 1e12, "1 TB"),
            (Unit::BytesPerSecond, 1_572_864.0, "1.5 MiB/s"),
            (Unit::BitsPerSecond, 1e9, "1 Gbit/s"),
            (Unit::BitsPerSecond, 2.5e9, "2.5 Gbit/s"),
            (Unit::PerSecond, 1.94, "1.9/s"),
            (Unit::Seconds, 0.0, "0 s"),
            (Unit::Seconds, 0.000_784, "0.784 ms"),
            (Unit::Seconds, 0.0338, "33.8 ms"),
            (Unit::Seconds, 24.0, "24 s"),
            (Unit::Seconds, 59.96, "59.9 s"),
            (Unit::Seconds, 303.9, "5 min 3 s"),
            (Unit::Seconds, 7_200.0, "2 h"),
            (Unit::Seconds, 273_600.0, "3 d 4 h"),
            (Unit::Percent, 10.55, "10.6%"),
            (Unit::Ratio, 0.476, "0.48"),
            (Unit::Count, 12.5, "12.5"),
        ];
        for (unit, value, expected) in table {
            assert_eq!(says(unit, value), expected, "{unit:?}");
        }
        assert_eq!(Unit::Count.show(&Value::Int(12)).to_string(), "12");
        assert_eq!(Unit::Bytes.show(&Value::from("n/a")).to_string(), "n/a");
    }
}
