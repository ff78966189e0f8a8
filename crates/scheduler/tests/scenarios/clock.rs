//! Times as scenarios write them.

use std::time::Duration;

use hinoban_config::units;

/// When something is expected, counted from the beginning: from the first to the last of these, in whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct When {
    pub(crate) first: Duration,
    pub(crate) last: Duration,
}

impl When {
    pub(crate) fn holds(self, time: Duration) -> bool {
        (self.first..=self.last).contains(&millis(time))
    }

    /// Reads `at 5s`, or `between 5s and 6s`.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        if let Some(time) = text.strip_prefix("at ") {
            let at = read(time)?;
            return Ok(Self { first: at, last: at });
        }
        let between = text.strip_prefix("between ").and_then(|times| times.split_once(" and "));
        match between {
            Some((first, last)) => Ok(Self { first: read(first)?, last: read(last)? }),
            None => Err(format!("`{text}` is no time; write `at {text}`")),
        }
    }
}

/// Cut down to what is written.
pub(crate) fn millis(time: Duration) -> Duration {
    Duration::from_millis(time.as_millis() as u64)
}

pub(crate) fn read(text: &str) -> Result<Duration, String> {
    units::duration(text.trim()).map_err(|_| format!("`{}` is no time", text.trim()))
}

/// `1m 5.003s`: what [`read`] reads as the same.
pub(crate) fn show(time: Duration) -> String {
    let time = millis(time);
    let (hours, minutes) = (time.as_secs() / 3600, time.as_secs() / 60 % 60);
    let seconds = (time - Duration::from_secs(time.as_secs() / 60 * 60)).as_secs_f64();
    let mut parts = Vec::new();
    parts.extend((hours > 0).then(|| format!("{hours}h")));
    parts.extend((minutes > 0).then(|| format!("{minutes}m")));
    parts.extend(
        (seconds > 0.0 || parts.is_empty()).then(|| format!("{}s", (seconds * 1000.0).round() / 1000.0)),
    );
    parts.join(" ")
}
