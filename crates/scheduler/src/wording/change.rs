//! What is said of a reading that changed, or did not, and of a text that matches.

use std::fmt::{self, Display};

use hinoban_config::{Dialect, Kind};
use hinoban_reading::{Metric, Stamp, Unit, Value, metrics as m};
use jiff::tz::TimeZone;

use super::compare::{Path, name_of};
use super::figures::Figure;
use super::node::is_checksum;
use super::{Tongue, link};

/// A reading beside the one before it, to be told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Changed<'a> {
    pub(crate) kind: &'a Kind,
    pub(crate) metric: &'a str,
    pub(crate) unit: Unit,
    pub(crate) before: &'a Value,
    pub(crate) value: &'a Value,
}

/// Whether a reading differs from the one before it: under a control file in Monit's words, seen of its log.
pub(crate) fn change(changed: Changed<'_>, tongue: Tongue<'_>) -> String {
    let monit = if tongue.dialect == Dialect::Monit { changed.as_monit(tongue.zone) } else { None };
    monit.unwrap_or_else(|| {
        let name = name_of(changed.metric);
        let show = |value| Reading { metric: changed.metric, unit: changed.unit, value, zone: tongue.zone };
        match changed.before != changed.value {
            true => format!("{name} changed from {} to {}", show(changed.before), show(changed.value)),
            false => format!("{name} has not changed: {}", show(changed.value)),
        }
    })
}

/// Whether a text matches a pattern.
pub(crate) fn matched(metric: &str, value: &Value, pattern: &str, matches: bool) -> String {
    let verb = if matches { "matches" } else { "does not match" };
    format!("{} '{}' {verb} '{pattern}'", name_of(metric), Cut(value))
}

impl Changed<'_> {
    fn as_monit(&self, zone: &TimeZone) -> Option<String> {
        let Self { before, value, .. } = self;
        let (changed, path) = (before != value, Path(self.kind));
        let is = |metric: Metric| *self.metric == *metric.name;
        let stamp = [
            (m::ACCESS_TIME, "access"),
            (m::CHANGE_TIME, "change"),
            (m::MODIFY_TIME, "modify"),
            (m::TIMESTAMP, "modify/change"),
        ];
        if let Some((_, name)) = stamp.into_iter().find(|(metric, _)| is(metric.clone())) {
            return Some(match changed {
                true => {
                    let (before, value) = (date(before, zone)?, date(value, zone)?);
                    format!("{name} time for {path} changed from {before} to {value}")
                }
                false => format!("{name} time was not changed for {path}"),
            });
        }
        Some(match changed {
            _ if is(m::LINK_CAPACITY) => link::change(before, value),
            true if is_checksum(self.metric) => format!("checksum changed to {value}"),
            false if is_checksum(self.metric) => "checksum has not changed".to_owned(),
            true if is(m::PID) => format!("process PID changed from {before} to {value}"),
            false if is(m::PID) => "process PID has not changed since last cycle".to_owned(),
            true if is(m::PPID) => format!("process PPID changed from {before} to {value}"),
            false if is(m::PPID) => "process PPID has not changed since last cycle".to_owned(),
            true if is(m::SIZE) => {
                format!("size for {path} changed to {}", Figure { unit: Unit::Bytes, value, limit: false })
            }
            false if is(m::SIZE) => {
                let size = Figure { unit: Unit::Bytes, value, limit: false };
                format!("size has not changed [current size = {size}]")
            }
            true if is(m::PERMISSION) => {
                format!("permission for {path} changed from {} to {}", octal(before), octal(value))
            }
            false if is(m::PERMISSION) => format!("permission not changed for {path}"),
            true if is(m::FILESYSTEM_FLAGS) => {
                format!("filesystem flags changed from '{before}' to '{value}'")
            }
            false if is(m::FILESYSTEM_FLAGS) => {
                format!("filesystem flags has not changed [current flags '{value}']")
            }
            _ => return None,
        })
    }
}

/// A value as people write it.
pub(super) struct Reading<'a> {
    pub(super) metric: &'a str,
    pub(super) unit: Unit,
    pub(super) value: &'a Value,
    pub(super) zone: &'a TimeZone,
}

impl Display for Reading<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_time = [m::ACCESS_TIME, m::CHANGE_TIME, m::MODIFY_TIME, m::TIMESTAMP]
            .iter()
            .any(|t| *t.name == *self.metric);
        match self.value {
            Value::Text(_) => write!(f, "'{}'", Cut(self.value)),
            value if *self.metric == *m::PERMISSION.name => f.write_str(&octal(value)),
            value if is_time => match date(value, self.zone) {
                Some(date) => f.write_str(&date),
                None => self.unit.show(value).fmt(f),
            },
            value => self.unit.show(value).fmt(f),
        }
    }
}

/// A text that may be long.
struct Cut<'a>(&'a Value);

impl Display for Cut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 200;
        let text = self.0.to_string();
        match text.char_indices().nth(MOST) {
            Some((end, _)) => write!(f, "{}…", &text[..end]),
            None => f.write_str(&text),
        }
    }
}

/// A mode, as `chmod` takes it.
fn octal(mode: &Value) -> String {
    match mode.as_i64() {
        Some(mode) => format!("{mode:04o}"),
        None => mode.to_string(),
    }
}

/// Seconds since the Unix epoch as Monit writes them: local time without a zone.
pub(super) fn date(seconds: &Value, zone: &TimeZone) -> Option<String> {
    let at = Stamp::from_micros(seconds.as_i64()?.checked_mul(1_000_000)?);
    let at = jiff::Timestamp::from_microsecond(at.micros()).ok()?;
    Some(at.to_zoned(zone.clone()).strftime("%a, %d %b %Y %H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(dialect: Dialect, metric: &Metric, before: impl Into<Value>, value: impl Into<Value>) -> String {
        let kind = Kind::File { path: "/p".into() };
        let (before, value) = (before.into(), value.into());
        let changed =
            Changed { kind: &kind, metric: &metric.name, unit: metric.unit, before: &before, value: &value };
        change(changed, Tongue { dialect, zone: &TimeZone::UTC })
    }

    /// Seen of Monit 5.33: its log while pids, sizes, modes, times and mount options change and stay.
    #[test]
    fn changes_read_as_monit_tells_them() {
        let says = |metric: Metric, before: Value, value: Value| says(Dialect::Monit, &metric, before, value);
        let int = Value::Int;
        let mode = |text: &str| int(i64::from_str_radix(text, 8).unwrap());
        let noon = 1_795_444_330;
        let table = [
            (says(m::PID, int(7), int(8)), "process PID changed from 7 to 8"),
            (says(m::PID, int(8), int(8)), "process PID has not changed since last cycle"),
            (says(m::PPID, int(27107), int(1)), "process PPID changed from 27107 to 1"),
            (says(m::SIZE, int(2), int(6)), "size for /p changed to 6 B"),
            (says(m::SIZE, int(6), int(6)), "size has not changed [current size = 6 B]"),
            (says(m::PERMISSION, mode("644"), mode("4755")), "permission for /p changed from 0644 to 4755"),
            (says(m::PERMISSION, mode("644"), mode("644")), "permission not changed for /p"),
            (
                says(m::MODIFY_TIME, int(noon), int(noon + 1)),
                "modify time for /p changed from Mon, 23 Nov 2026 14:32:10 to Mon, 23 Nov 2026 14:32:11",
            ),
            (says(m::CHANGE_TIME, int(1), int(1)), "change time was not changed for /p"),
            (says(m::TIMESTAMP, int(1), int(1)), "modify/change time was not changed for /p"),
            (says(m::CHECKSUM_MD5, "ab".into(), "cd".into()), "checksum changed to cd"),
            (says(m::CHECKSUM_MD5, "ab".into(), "ab".into()), "checksum has not changed"),
            (
                says(m::FILESYSTEM_FLAGS, "rw,relatime".into(), "rw,noexec,relatime".into()),
                "filesystem flags changed from 'rw,relatime' to 'rw,noexec,relatime'",
            ),
            (
                says(m::FILESYSTEM_FLAGS, "rw".into(), "rw".into()),
                "filesystem flags has not changed [current flags 'rw']",
            ),
        ];
        for (said, wanted) in table {
            assert_eq!(said, wanted);
        }
    }

    #[test]
    fn in_our_own_words_both_values_are_named() {
        let says = |metric: Metric, before: Value, value: Value| says(Dialect::Toml, &metric, before, value);
        assert_eq!(says(m::SIZE, Value::Int(2), Value::Int(8192)), "size changed from 2 B to 8 KiB");
        assert_eq!(says(m::PID, Value::Int(2), Value::Int(2)), "pid has not changed: 2");
        let version = Metric::new("version", Unit::Text);
        assert_eq!(says(version, "1.0".into(), "1.1".into()), "version changed from '1.0' to '1.1'");
        assert_eq!(
            says(m::PERMISSION, Value::Int(0o640), Value::Int(0)),
            "permission changed from 0640 to 0000"
        );
        let noon = [Value::Int(0), Value::Int(1_795_444_330)];
        let [before, now] = noon;
        assert_eq!(
            says(m::MODIFY_TIME, before, now),
            "modify time changed from Thu, 01 Jan 1970 00:00:00 to Mon, 23 Nov 2026 14:32:10"
        );
        let kilobyte = Value::Text("x".repeat(1000));
        assert!(matched("version", &kilobyte, "^1", false).len() < 300, "a long text is cut");
    }
}
