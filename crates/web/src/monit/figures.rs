//! Sizes, times and dates as Monit 5.33 writes them.

use std::time::Duration;

use hinoban_reading::Stamp;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Bytes, scaled by 1024: `5 B`, `8 kB`, `13.6 kB`. One decimal unless the scaled value is whole.
pub(crate) fn bytes(n: f64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let (mut n, mut unit) = (n.max(0.0), 0);
    while n >= 1024.0 && unit + 1 < UNITS.len() {
        n /= 1024.0;
        unit += 1;
    }
    let decimals = if (n - n.round()).abs() < 1e-5 { 0 } else { 1 };
    format!("{n:.decimals$} {}", UNITS[unit])
}

/// Milliseconds: `0.019 ms`, `5 s`, `1.500 m`. Three decimals unless the scaled value is whole.
pub(crate) fn millis(ms: f64) -> String {
    let mut n = ms.max(0.0);
    let mut unit = "ms";
    for (limit, next) in [(1000.0, "s"), (60.0, "m"), (60.0, "h"), (24.0, "d"), (365.0, "y")] {
        if n < limit {
            break;
        }
        n /= limit;
        unit = next;
    }
    let decimals = if (n - n.round()).abs() < 1e-5 { 0 } else { 3 };
    format!("{n:.decimals$} {unit}")
}

/// A duration in days, hours and minutes, cut off, never rounded: `0m`, `1h 2m`, `3d 0h 7m`.
pub(crate) fn uptime(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes}m"),
        (0, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h {minutes}m"),
    }
}

/// A date without its zone: `Mon, 23 Nov 2026 10:32:53`.
pub(crate) fn date(stamp: Stamp, zone: &TimeZone) -> String {
    match Timestamp::from_microsecond(stamp.micros()) {
        Ok(time) => time.to_zoned(zone.clone()).strftime("%a, %d %b %Y %H:%M:%S").to_string(),
        Err(_) => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_monit_writes_them() {
        let sizes =
            [0.0, 5.0, 8192.0, 13952.0, 22_020_096.0 + 30_000.0, 77.5 * 1024.0_f64.powi(3)].map(bytes);
        assert_eq!(sizes, ["0 B", "5 B", "8 kB", "13.6 kB", "21.0 MB", "77.5 GB"]);
        assert_eq!(bytes(2.4), "2.4 B");
        assert_eq!(bytes(2.0_f64.powi(75)), "32768 EB", "the last unit is not divided further");
    }

    #[test]
    fn times_read_as_monit_writes_them() {
        let times = [0.0, 0.019, 33.701, 5000.0, 300_000.0, 90_000.0].map(millis);
        assert_eq!(times, ["0 ms", "0.019 ms", "33.701 ms", "5 s", "5 m", "1.500 m"]);
        let times = [59, 60, 3720, 259_620, 86_400].map(|s| uptime(Duration::from_secs(s)));
        assert_eq!(times, ["0m", "1m", "1h 2m", "3d 0h 7m", "1d 0h 0m"]);
    }
}
