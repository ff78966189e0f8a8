//! What is said of the mode, the times and the checksums of files, directories and pipes.

use hinoban_config::{Dialect, Kind, Operator};
use hinoban_reading::{Metric, Observation, Unit, Value, metrics as m};

use super::Tongue;
use super::change::{Reading, date};
use super::compare::{Compared, Path, name_of};

/// A reading beside the first one there was, to be told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Differing<'a> {
    pub(crate) metric: &'a str,
    pub(crate) unit: Unit,
    pub(crate) first: &'a Value,
    pub(crate) value: &'a Value,
}

/// An age, the time it is counted from, and how Monit calls that.
const AGES: [(Metric, Metric, &str); 4] = [
    (m::ACCESS_AGE, m::ACCESS_TIME, "access time"),
    (m::CHANGE_AGE, m::CHANGE_TIME, "change time"),
    (m::MODIFY_AGE, m::MODIFY_TIME, "modify time"),
    (m::TIMESTAMP_AGE, m::TIMESTAMP, "modify/change time"),
];

const CHECKSUMS: [Metric; 3] = [m::CHECKSUM_MD5, m::CHECKSUM_SHA1, m::CHECKSUM_SHA256];

/// Whether this is a checksum.
pub(super) fn is_checksum(metric: &str) -> bool {
    CHECKSUMS.iter().any(|checksum| *checksum.name == *metric)
}

/// Such a reading beside its limit; `None` if it is none of these, or has the words of any other. Under a control file in
/// Monit's words, seen of its log.
pub(crate) fn attribute(
    told: Compared<'_>,
    seen: &Observation,
    failed: bool,
    tongue: Tongue<'_>,
) -> Option<String> {
    let Compared { kind, metric, unit, operator, value, limit, .. } = told;
    let monit = tongue.dialect == Dialect::Monit;
    let show = |value| Reading { metric, unit, value, zone: tongue.zone };
    let path = Path(kind);
    let is_permission = *metric == *m::PERMISSION.name;
    if monit && let Some((_, time, name)) = AGES.iter().find(|(age, ..)| *age.name == *metric) {
        let at = latest(seen, time)?;
        let at = date(&at, tongue.zone)?;
        return Some(match failed {
            true => format!("{name} for {path} failed -- current {name} is {at}"),
            false => format!("{name} test succeeded for {path} [current {name} is {at}]"),
        });
    }
    match (monit, failed) {
        (true, true) if is_permission => {
            Some(format!("permission test failed for {path} [current permission {}]", show(value)))
        }
        (true, false) if is_permission => {
            Some(format!("permission test succeeded [current permission {}]", show(value)))
        }
        (true, true) if is_checksum(metric) => Some(format!("checksum failed, expected {limit} got {value}")),
        (true, false) if is_checksum(metric) => Some("checksum is valid".to_owned()),
        (false, _) if is_permission || is_checksum(metric) => {
            let instead = match (failed, operator) {
                (true, Operator::NotEqual) => format!(" instead of {}", show(limit)),
                (true, _) => format!(", and must not be {} {}", operator.sign(), show(limit)),
                (false, _) => String::new(),
            };
            Some(format!("{} is {}{instead}", name_of(metric), show(value)))
        }
        _ => None,
    }
}

/// The time that an age is counted from. That of the last change of any sort need not have been read.
fn latest(seen: &Observation, time: &Metric) -> Option<Value> {
    if *time != m::TIMESTAMP {
        return seen.get(&time.name).cloned();
    }
    let [change, modify] = [m::CHANGE_TIME, m::MODIFY_TIME].map(|time| seen.get(&time.name)?.as_i64());
    Some(Value::Int(change?.max(modify?)))
}

/// Whether a reading is another one than at first.
pub(crate) fn differing(told: Differing<'_>, failed: bool, tongue: Tongue<'_>) -> String {
    let Differing { metric, unit, first, value } = told;
    let show = |value| Reading { metric, unit, value, zone: tongue.zone };
    match (tongue.dialect, failed) {
        (Dialect::Monit, true) if is_checksum(metric) => {
            format!("checksum failed, expected {first} got {value}")
        }
        (Dialect::Monit, false) if is_checksum(metric) => "checksum is valid".to_owned(),
        (_, true) => format!("{} is {}, and was {} at first", name_of(metric), show(value), show(first)),
        (_, false) => format!("{} is {}, as at first", name_of(metric), show(value)),
    }
}

/// The type that a thing at a path must be of, in Monit's words.
pub(super) fn of_type(kind: &Kind, right: bool) -> &'static str {
    match (kind, right) {
        (Kind::Directory { .. }, true) => "is directory",
        (Kind::Directory { .. }, false) => "is not directory",
        (Kind::Fifo { .. }, true) => "is fifo",
        (Kind::Fifo { .. }, false) => "is not fifo",
        (_, true) => "is a regular file",
        (_, false) => "is neither a regular file nor a socket",
    }
}

/// The same in ours.
pub(super) fn of_our_type(kind: &Kind, right: bool) -> &'static str {
    match (kind, right) {
        (Kind::Directory { .. }, true) => "is a directory",
        (Kind::Directory { .. }, false) => "is not a directory",
        (Kind::Fifo { .. }, true) => "is a named pipe",
        (Kind::Fifo { .. }, false) => "is not a named pipe",
        (_, right) => of_type(kind, right),
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    const NOON: i64 = 1_795_444_330;

    fn says(dialect: Dialect, metric: Metric, value: Value, limit: Value) -> [String; 2] {
        let kind = Kind::Directory { path: "/d".into() };
        let mut seen = Observation::up();
        seen.push(&m::ACCESS_TIME, NOON);
        seen.push(&m::CHANGE_TIME, NOON + 1);
        seen.push(&m::MODIFY_TIME, NOON);
        let told = Compared {
            service: "d",
            kind: &kind,
            metric: &metric.name,
            unit: metric.unit,
            operator: Operator::NotEqual,
            value: &value,
            limit: &limit,
        };
        let tongue = Tongue { dialect, zone: &TimeZone::UTC };
        [true, false].map(|failed| attribute(told, &seen, failed, tongue).expect("it has words"))
    }

    /// Seen of Monit 5.33: its log while modes, times and contents were bad and good.
    #[test]
    fn attributes_read_as_monit_tells_them() {
        let says = |metric, value: Value, limit: Value| says(Dialect::Monit, metric, value, limit);
        let table = [
            (
                says(m::PERMISSION, Value::Int(0o755), Value::Int(0o700)),
                "permission test failed for /d [current permission 0755]",
                "permission test succeeded [current permission 0755]",
            ),
            (
                says(m::ACCESS_AGE, Value::Int(5), Value::Int(3)),
                "access time for /d failed -- current access time is Mon, 23 Nov 2026 14:32:10",
                "access time test succeeded for /d [current access time is Mon, 23 Nov 2026 14:32:10]",
            ),
            (
                says(m::TIMESTAMP_AGE, Value::Int(4), Value::Int(3)),
                "modify/change time for /d failed -- current modify/change time is Mon, 23 Nov 2026 14:32:11",
                "modify/change time test succeeded for /d [current modify/change time is Mon, 23 Nov 2026 14:32:11]",
            ),
            (
                says(m::CHECKSUM_MD5, "738bb2e5".into(), "b1946ac9".into()),
                "checksum failed, expected b1946ac9 got 738bb2e5",
                "checksum is valid",
            ),
        ];
        for (said, failed, holds) in table {
            assert_eq!(said, [failed, holds]);
        }
    }

    #[test]
    fn in_our_own_words_both_values_are_named() {
        let says = |metric, value: Value, limit: Value| says(Dialect::Toml, metric, value, limit);
        assert_eq!(
            says(m::PERMISSION, Value::Int(0o755), Value::Int(0o700)),
            ["permission is 0755 instead of 0700", "permission is 0755"]
        );
        assert_eq!(
            says(m::CHECKSUM_SHA256, "ab".into(), "cd".into()),
            ["SHA-256 checksum is 'ab' instead of 'cd'", "SHA-256 checksum is 'ab'"]
        );
    }

    #[test]
    fn a_difference_from_the_first_value_is_told_with_both() {
        let [first, value] = [Value::from("ab"), Value::from("cd")];
        let says = |dialect, failed| {
            let metric = &m::CHECKSUM_SHA1;
            let told = Differing { metric: &metric.name, unit: metric.unit, first: &first, value: &value };
            differing(told, failed, Tongue { dialect, zone: &TimeZone::UTC })
        };
        assert_eq!(says(Dialect::Monit, true), "checksum failed, expected ab got cd");
        assert_eq!(says(Dialect::Monit, false), "checksum is valid");
        assert_eq!(says(Dialect::Toml, true), "SHA-1 checksum is 'cd', and was 'ab' at first");
        assert_eq!(says(Dialect::Toml, false), "SHA-1 checksum is 'cd', as at first");
    }
}
