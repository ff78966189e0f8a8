//! Numbers as Monit writes them.

use std::time::Duration;

/// Scaled numbers count as whole when they are so near.
const WHOLE: f64 = 1e-5;

/// Bytes, in units of 1024: `512 B`, `1.5 kB`, `10 MB`.
pub(super) fn bytes(n: f64) -> String {
    scaled(
        n,
        &[
            ("B", 1024.0),
            ("kB", 1024.0),
            ("MB", 1024.0),
            ("GB", 1024.0),
            ("TB", 1024.0),
            ("PB", 1024.0),
            ("EB", f64::MAX),
        ],
        1,
    )
}

/// A time: `0 ms`, `2.500 s`, `5 m`, `1.500 h`.
pub(super) fn time(time: Duration) -> String {
    milliseconds(time.as_secs_f64() * 1000.0)
}

/// A time in milliseconds.
pub(super) fn milliseconds(n: f64) -> String {
    scaled(n, &[("ms", 1000.0), ("s", 60.0), ("m", 60.0), ("h", 24.0), ("d", 365.0), ("y", f64::MAX)], 3)
}

/// In the greatest unit of which there is one at least; each unit comes with how many of it make the next.
fn scaled(mut n: f64, units: &[(&str, f64)], decimals: usize) -> String {
    for (unit, next) in units {
        if n.abs() < *next {
            let whole = (n - n.round()).abs() < WHOLE;
            return format!("{n:.*} {unit}", if whole { 0 } else { decimals });
        }
        n /= next;
    }
    n.to_string()
}

/// A number with one decimal. Monit reads fractions in single precision, which decides how some are rounded.
pub(super) fn tenths(n: f64) -> String {
    format!("{:.1}", n as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_monit_writes_them() {
        let sizes = [0.0, 512.0, 1536.0, 5000.0, 1_048_576.0, 1_625_292.0, 2_147_483_647.0].map(bytes);
        assert_eq!(sizes, ["0 B", "512 B", "1.5 kB", "4.9 kB", "1 MB", "1.5 MB", "2 GB"]);
        let times =
            [0.0, 100.0, 1001.0, 5000.0, 90_000.0, 5_400_000.0, 90_000_000.0, 8.64e7].map(milliseconds);
        assert_eq!(times, ["0 ms", "100 ms", "1.001 s", "5 s", "1.500 m", "1.500 h", "1.042 d", "1 d"]);
        // Real Monit's answers: neither rounding by halves nor double precision gives all of them.
        let tenths = [80.55, 20.55, 25.25, 10.45, 0.35, 75.0].map(tenths);
        assert_eq!(tenths, ["80.6", "20.5", "25.2", "10.4", "0.3", "75.0"]);
    }
}
