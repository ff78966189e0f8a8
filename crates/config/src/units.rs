//! Durations and sizes as people write them: `1h 30m`, `500ms`, `100 MB`, `2 GiB`.

use std::time::Duration;

use crate::spelling;

/// Why a text is not a quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnitError {
    /// There is nothing but blanks.
    #[error("it is empty")]
    Empty,
    /// A unit, or something else, stands where a number must.
    #[error("a number is missing before `{rest}`")]
    NoNumber {
        /// What stands there.
        rest: String,
    },
    /// A number without a unit.
    #[error("`{number}` has no unit")]
    NoUnit {
        /// The number as it was written.
        number: String,
    },
    /// A unit that is not one.
    #[error("`{unit}` is not a unit of {quantity}")]
    UnknownUnit {
        /// The unit as it was written.
        unit: String,
        /// `time` or `size`.
        quantity: &'static str,
        /// The unit that was probably meant.
        nearest: Option<&'static str>,
    },
    /// It is more than can be counted.
    #[error("it is too large")]
    TooLarge,
}

const MILLISECOND: u128 = 1_000_000;
const SECOND: u128 = 1_000_000_000;

/// Nanoseconds in each unit. The first spelling of a value is the one we write.
const TIMES: [(&str, u128); 25] = [
    ("d", 86_400 * SECOND),
    ("h", 3_600 * SECOND),
    ("m", 60 * SECOND),
    ("s", SECOND),
    ("ms", MILLISECOND),
    ("us", 1_000),
    ("ns", 1),
    ("day", 86_400 * SECOND),
    ("days", 86_400 * SECOND),
    ("hour", 3_600 * SECOND),
    ("hours", 3_600 * SECOND),
    ("min", 60 * SECOND),
    ("mins", 60 * SECOND),
    ("minute", 60 * SECOND),
    ("minutes", 60 * SECOND),
    ("sec", SECOND),
    ("secs", SECOND),
    ("second", SECOND),
    ("seconds", SECOND),
    ("msec", MILLISECOND),
    ("millisecond", MILLISECOND),
    ("milliseconds", MILLISECOND),
    ("usec", 1_000),
    ("microseconds", 1_000),
    ("nanoseconds", 1),
];

/// Bytes in each unit: `kB` counts in thousands, `KiB` in 1024s (IEC 80000-13).
const SIZES: [(&str, u128); 10] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("byte", 1),
];

/// Reads a duration: numbers with units, added up, such as `30s`, `1.5h`, `1h 30m`, `2 minutes`. What is finer than a
/// nanosecond is cut off.
///
/// # Errors
/// If a number has no unit or a unit no number, if the unit is unknown, or if it is longer than a thousand years.
pub fn duration(text: &str) -> Result<Duration, UnitError> {
    const LONGEST: u128 = 1_000 * 366 * 86_400 * SECOND;
    let mut total: u128 = 0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(UnitError::Empty);
    }
    while !rest.is_empty() {
        let (number, after) = number(rest)?;
        let length = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(length);
        if unit.is_empty() {
            return Err(match after.chars().next() {
                None | Some('0'..='9' | '.') => UnitError::NoUnit { number: number.to_owned() },
                Some(_) => unknown(after, "time", &TIMES),
            });
        }
        let (_, factor) = TIMES
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit))
            .ok_or_else(|| unknown(unit, "time", &TIMES))?;
        total = total.saturating_add(scaled(number, *factor)?);
        rest = after.trim_start();
    }
    if total > LONGEST {
        return Err(UnitError::TooLarge);
    }
    Ok(Duration::new((total / SECOND) as u64, (total % SECOND) as u32))
}

/// Writes a duration so that [`duration`] reads the same: `1h 30m`, `500ms`, `0s`.
pub fn duration_text(duration: Duration) -> String {
    let mut rest = duration.as_nanos();
    let mut parts = Vec::new();
    for (name, size) in &TIMES[..7] {
        if rest >= *size {
            parts.push(format!("{}{name}", rest / size));
            rest %= size;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

/// Reads a size in bytes: one number and its unit, such as `100 MB`, `1.5GiB`, `4096 B`. Units may be written in upper
/// or lower case. A fraction of a byte is cut off.
///
/// # Errors
/// If the number or its unit is missing, if the unit is unknown, or if it is more than 2⁶³ − 1 bytes.
pub fn size(text: &str) -> Result<u64, UnitError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(UnitError::Empty);
    }
    let (number, unit) = number(text)?;
    if unit.is_empty() {
        return Err(UnitError::NoUnit { number: number.to_owned() });
    }
    let (_, factor) = SIZES
        .iter()
        .find(|(name, _)| {
            name.eq_ignore_ascii_case(unit) || unit.eq_ignore_ascii_case("bytes") && *name == "B"
        })
        .ok_or_else(|| unknown(unit, "size", &SIZES))?;
    match scaled(number, *factor)? {
        bytes if bytes <= i64::MAX as u128 => Ok(bytes as u64),
        _ => Err(UnitError::TooLarge),
    }
}

/// Splits off a number in front, and the blanks after it.
fn number(text: &str) -> Result<(&str, &str), UnitError> {
    let length = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at(length);
    let whole = number.split('.').next().unwrap_or("");
    if whole.is_empty() || number.ends_with('.') || number.matches('.').count() > 1 {
        return Err(UnitError::NoNumber { rest: text.to_owned() });
    }
    Ok((number, rest.trim_start()))
}

/// `number * factor`, exactly, the fraction cut off.
fn scaled(number: &str, factor: u128) -> Result<u128, UnitError> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u128 = whole.parse().map_err(|_| UnitError::TooLarge)?;
    // Eighteen digits are finer than any unit can show.
    let fraction = &fraction[..fraction.len().min(18)];
    let parts = match fraction {
        "" => 0,
        digits => {
            let value: u128 = digits.parse().map_err(|_| UnitError::TooLarge)?;
            value * factor / 10u128.pow(digits.len() as u32)
        }
    };
    whole.checked_mul(factor).and_then(|n| n.checked_add(parts)).ok_or(UnitError::TooLarge)
}

fn unknown(unit: &str, quantity: &'static str, units: &'static [(&'static str, u128)]) -> UnitError {
    let nearest = spelling::nearest(unit, units.iter().map(|(name, _)| *name));
    UnitError::UnknownUnit { unit: unit.to_owned(), quantity, nearest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, milliseconds) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("2m", 120_000),
            ("1h 30m", 5_400_000),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
            ("1.5s", 1_500),
            (" 5 Minutes ", 300_000),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn a_number_alone_is_no_duration() {
        assert_eq!(duration("30"), Err(UnitError::NoUnit { number: "30".into() }));
        assert_eq!(duration("1h 30"), Err(UnitError::NoUnit { number: "30".into() }));
        assert_eq!(duration("s"), Err(UnitError::NoNumber { rest: "s".into() }));
        assert_eq!(duration("1..5s"), Err(UnitError::NoNumber { rest: "1..5s".into() }));
        assert_eq!(duration("-5s"), Err(UnitError::NoNumber { rest: "-5s".into() }));
        assert_eq!(duration("  "), Err(UnitError::Empty));
    }

    #[test]
    fn a_misspelt_unit_is_told_with_the_right_one() {
        let Err(UnitError::UnknownUnit { unit, nearest, .. }) = duration("5 secnds") else { panic!() };
        assert_eq!((unit.as_str(), nearest), ("secnds", Some("seconds")));
    }

    #[test]
    fn more_than_can_be_counted_is_refused_and_not_wrapped() {
        assert_eq!(duration("99999999999999999999d"), Err(UnitError::TooLarge));
        assert_eq!(duration(&format!("{}d", "9".repeat(60))), Err(UnitError::TooLarge));
        assert_eq!(size("9000000000 GB"), Ok(9_000_000_000_000_000_000));
        assert_eq!(size("10000000000 GB"), Err(UnitError::TooLarge));
    }

    #[test]
    fn thousands_and_1024s_are_told_apart() {
        assert_eq!(size("100 MB"), Ok(100_000_000));
        assert_eq!(size("100MiB"), Ok(104_857_600));
        assert_eq!(size("1.5 kb"), Ok(1_500));
        assert_eq!(size("12 bytes"), Ok(12));
        assert!(matches!(size("12"), Err(UnitError::NoUnit { .. })));
        assert!(matches!(size("12 MG"), Err(UnitError::UnknownUnit { nearest: Some("MB"), .. })));
    }

    proptest! {
        #[test]
        fn a_written_duration_reads_back(seconds in 0u64..30_000_000_000, nanoseconds in 0u32..1_000_000_000) {
            let whole = Duration::new(seconds, nanoseconds);
            prop_assert_eq!(duration(&duration_text(whole)), Ok(whole));
        }

        #[test]
        fn any_text_is_answered(text in "\\PC*") {
            let _ = (duration(&text), size(&text));
        }
    }
}
