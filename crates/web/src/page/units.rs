//! Numbers as people read them.

use std::fmt::{self, Write};
use std::time::Duration;

use hinoban_reading::{Stamp, Unit, Value, metrics as m};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// Writes a value in its unit; `name` is that of its metric, for some numbers are no quantities.
pub(crate) fn value(
    out: &mut impl Write,
    name: &str,
    unit: Unit,
    value: &Value,
    zone: &TimeZone,
) -> fmt::Result {
    let Some(number) = value.as_f64() else { return write!(out, "{value}") };
    if !number.is_finite() {
        return out.write_str("–");
    }
    if [m::BOOT_TIME, m::RUN_STARTED, m::ACCESS_TIME, m::CHANGE_TIME, m::MODIFY_TIME, m::TIMESTAMP]
        .iter()
        .any(|metric| metric.name == name)
    {
        let micros = value.as_i64().unwrap_or(0).saturating_mul(1_000_000);
        return date(out, Stamp::from_micros(micros), zone);
    }
    if name == m::PERMISSION.name {
        return write!(out, "{:04o}", value.as_i64().unwrap_or(0));
    }
    match unit {
        Unit::Bytes => bytes(out, number),
        Unit::BytesPerSecond => bytes(out, number).and_then(|()| out.write_str("/s")),
        Unit::BitsPerSecond => write!(out, "{}", unit.show(value)),
        Unit::PerSecond => write!(out, "{}/s", Short(number)),
        Unit::Seconds => seconds(out, number),
        Unit::Percent => percent(out, number),
        Unit::Ratio => write!(out, "{number:.2}"),
        _ => match value {
            Value::Real(x) => write!(out, "{}", Short(*x)),
            whole => write!(out, "{whole}"),
        },
    }
}

/// At most one decimal, and none that is zero.
struct Short(f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As whole tenths: the general way with fractions takes several times as long, and pages show hundreds.
        let tenths = (self.0.abs() * 10.0).round();
        if tenths >= 1e15 {
            return write!(f, "{:.0}", self.0);
        }
        let tenths = tenths as u64;
        if self.0 < 0.0 && tenths > 0 {
            f.write_str("-")?;
        }
        (tenths / 10).fmt(f)?;
        match tenths % 10 {
            0 => Ok(()),
            tenth => write!(f, ".{tenth}"),
        }
    }
}

/// `12.5%`, `0.09%`: small shares keep the digit that tells them from nothing.
pub(crate) fn percent(out: &mut impl Write, n: f64) -> fmt::Result {
    if n > 0.0 && n < 0.1 { write!(out, "{n:.2}%") } else { write!(out, "{}%", Short(n)) }
}

/// `21.1 MiB`: IEC 80000-13 prefixes.
pub(crate) fn bytes(out: &mut impl Write, n: f64) -> fmt::Result {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let (mut n, mut unit) = (n, 0);
    while n.abs() >= 1024.0 && unit + 1 < UNITS.len() {
        n /= 1024.0;
        unit += 1;
    }
    write!(out, "{} {}", Short(n), UNITS[unit])
}

/// `4 µs`, `33.7 ms`, `5 s`; from a minute on as [`span`].
pub(crate) fn seconds(out: &mut impl Write, n: f64) -> fmt::Result {
    match n.abs() {
        0.0 => out.write_str("0 s"),
        x if x < 0.001 => write!(out, "{} µs", Short(n * 1e6)),
        x if x < 1.0 => write!(out, "{} ms", Short(n * 1e3)),
        x if x < 60.0 => write!(out, "{} s", Short(n)),
        _ => span(out, Duration::try_from_secs_f64(n.max(0.0)).unwrap_or_default()),
    }
}

/// A time with its two greatest units, cut off: `12 s`, `3 min 5 s`, `2 h 14 min`, `31 d 4 h`.
pub(crate) fn span(out: &mut impl Write, time: Duration) -> fmt::Result {
    let s = time.as_secs();
    let (days, hours, minutes, seconds) = (s / 86_400, s / 3600 % 24, s / 60 % 60, s % 60);
    let (great, small) = match (days, hours, minutes) {
        (0, 0, 0) => return write!(out, "{seconds} s"),
        (0, 0, _) => ((minutes, "min"), (seconds, "s")),
        (0, ..) => ((hours, "h"), (minutes, "min")),
        _ => ((days, "d"), (hours, "h")),
    };
    write!(out, "{} {}", great.0, great.1)?;
    if small.0 == 0 { Ok(()) } else { write!(out, " {} {}", small.0, small.1) }
}

/// The time on the wall of a zone.
fn local(stamp: Stamp, zone: &TimeZone) -> Option<DateTime> {
    let time = Timestamp::from_microsecond(stamp.micros()).ok()?;
    Some(zone.to_offset(time).to_datetime(time))
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn month(at: DateTime) -> &'static str {
    usize::try_from(at.month() - 1).ok().and_then(|month| MONTHS.get(month)).copied().unwrap_or("–")
}

/// `23 Nov 2026 10:32:53`
pub(crate) fn date(out: &mut impl Write, stamp: Stamp, zone: &TimeZone) -> fmt::Result {
    let Some(at) = local(stamp, zone) else { return out.write_str("–") };
    write!(out, "{} {} {} {}", at.day(), month(at), at.year(), Time(at))
}

/// `10:32:53`, or as much of it as a precision asks for.
struct Time(DateTime);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = *b"00:00:00";
        for (at, n) in [(0, self.0.hour()), (3, self.0.minute()), (6, self.0.second())] {
            let n = n.unsigned_abs();
            digits[at] += n / 10;
            digits[at + 1] += n % 10;
        }
        let length = f.precision().unwrap_or(digits.len()).min(digits.len());
        f.write_str(std::str::from_utf8(&digits[..length]).unwrap_or_default())
    }
}

/// Now, on the wall of a zone: what other points in time are told from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock<'a> {
    pub(crate) zone: &'a TimeZone,
    now: Stamp,
    today: Date,
}

impl<'a> Clock<'a> {
    pub(crate) fn new(now: Stamp, zone: &'a TimeZone) -> Self {
        Self { zone, now, today: local(now, zone).unwrap_or_default().date() }
    }

    pub(crate) fn at(self, stamp: Stamp) -> When<'a> {
        When { stamp, clock: self }
    }

    pub(crate) fn now(self) -> When<'a> {
        self.at(self.now)
    }
}

/// A point in time, as seen from now. Shown in the shortest form that is no riddle today: `10:32:53`, or with the date
/// before it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct When<'a> {
    stamp: Stamp,
    clock: Clock<'a>,
}

impl When<'_> {
    pub(crate) fn rfc3339(&self) -> Rfc3339 {
        Rfc3339(self.stamp)
    }

    /// How long ago it was.
    pub(crate) fn ago(&self) -> Span {
        Span(self.clock.now.since(self.stamp))
    }
}

impl fmt::Display for When<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(at) = local(self.stamp, self.clock.zone) else { return f.write_str("–") };
        if at.date() == self.clock.today {
            Time(at).fmt(f)
        } else if at.year() == self.clock.today.year() {
            write!(f, "{} {} {:.5}", at.day(), month(at), Time(at))
        } else {
            write!(f, "{} {} {}", at.day(), month(at), at.year())
        }
    }
}

/// A time between two points; see [`span`].
pub(crate) struct Span(pub(crate) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        span(f, self.0)
    }
}

/// As programs read it: RFC 3339, in UTC.
pub(crate) struct Rfc3339(pub(crate) Stamp);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_microsecond(self.0.micros()) {
            Ok(time) => time.fmt(f),
            Err(_) => f.write_str("1970-01-01T00:00:00Z"),
        }
    }
}

#[cfg(test)]
mod tests {
    use hinoban_reading::Metric;

    use super::*;

    fn says(metric: &Metric, number: impl Into<Value>) -> String {
        let mut out = String::new();
        value(&mut out, &metric.name, metric.unit, &number.into(), &TimeZone::UTC).unwrap();
        out
    }

    #[test]
    fn each_unit_reads_as_people_say_it() {
        assert_eq!(says(&m::MEMORY, 22_111_000i64), "21.1 MiB");
        assert_eq!(says(&m::MEMORY, 8192i64), "8 KiB");
        assert_eq!(says(&m::READ_RATE, 2.4), "2.4 B/s");
        assert_eq!(says(&m::CPU, 12.5), "12.5%");
        assert_eq!(says(&m::CPU, 0.0), "0%");
        assert_eq!(says(&m::CPU, 99.97), "100%");
        assert_eq!(says(&m::READ_RATE, -2.44), "-2.4 B/s");
        assert_eq!(says(&m::DISK_READ_OPS_RATE, 1e300).len(), 303);
        assert_eq!(says(&m::MEMORY_PERCENT, 0.0875), "0.09%");
        assert_eq!(says(&m::LOAD_1, 0.234), "0.23");
        assert_eq!(says(&m::THREADS, 4i64), "4");
        assert_eq!(says(&m::RESPONSE_TIME, 0.033_701), "33.7 ms");
        assert_eq!(says(&m::RESPONSE_TIME, 0.000_004), "4 µs");
        assert_eq!(says(&m::UPTIME, 1810i64), "30 min 10 s");
        assert_eq!(says(&m::CPU, f64::NAN), "–");
    }

    #[test]
    fn numbers_that_are_no_quantities_are_not_scaled() {
        assert_eq!(says(&m::PERMISSION, 0o644i64), "0644");
        assert_eq!(says(&m::MODIFY_TIME, 1_795_429_973i64), "23 Nov 2026 10:32:53");
        assert_eq!(says(&m::PID, 1_048_576i64), "1048576");
        assert_eq!(says(&m::FILESYSTEM_TYPE, "ext4"), "ext4");
    }

    #[test]
    fn a_time_is_told_with_two_units_and_a_moment_with_what_is_needed() {
        let span = |secs| {
            let mut out = String::new();
            super::span(&mut out, Duration::from_secs(secs)).unwrap();
            out
        };
        assert_eq!(
            [0, 59, 60, 185, 8040, 86_400].map(span),
            ["0 s", "59 s", "1 min", "3 min 5 s", "2 h 14 min", "1 d"]
        );
        let now = Stamp::from_micros(1_795_429_973_134_190);
        let moment = |ago: i64| {
            let then = Stamp::from_micros(now.micros() - ago * 1_000_000);
            Clock::new(now, &TimeZone::UTC).at(then).to_string()
        };
        assert_eq!([0, 86_400, 400 * 86_400].map(moment), ["10:32:53", "22 Nov 10:32", "19 Oct 2025"]);
        assert_eq!(Rfc3339(now).to_string(), "2026-11-23T10:32:53.13419Z");
    }
}
