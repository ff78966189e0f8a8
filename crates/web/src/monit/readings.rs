use hinoban_reading::{Metric, Observation, Value, metrics};

/// The readings of a look, if there was one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Readings<'a>(pub(crate) Option<&'a Observation>);

impl<'a> Readings<'a> {
    /// A number, if it was read and is one.
    pub(crate) fn real(self, metric: Metric) -> Option<f64> {
        self.0?.get(&metric.name)?.as_f64().filter(|x| x.is_finite())
    }

    /// A whole number, fractions cut off.
    pub(crate) fn int(self, metric: Metric) -> Option<i64> {
        self.0?.get(&metric.name)?.as_i64()
    }

    /// A text.
    pub(crate) fn text(self, metric: Metric) -> Option<&'a str> {
        match self.0?.get(&metric.name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The checksums that were computed, with the names that Monit has for their kinds, the strongest first.
    pub(crate) fn checksums(self) -> impl Iterator<Item = (&'static str, &'a str)> {
        let kinds = [
            ("SHA256", metrics::CHECKSUM_SHA256),
            ("SHA1", metrics::CHECKSUM_SHA1),
            ("MD5", metrics::CHECKSUM_MD5),
        ];
        kinds.into_iter().filter_map(move |(kind, metric)| Some((kind, self.text(metric)?)))
    }

    /// Whether a file system counts its operations: only those on a device do.
    pub(crate) fn has_operations(self) -> bool {
        self.int(metrics::DISK_READ_OPS).is_some() || self.int(metrics::DISK_WRITE_OPS).is_some()
    }

    /// The process id: as read, or that of the process looked at.
    pub(crate) fn pid(self) -> Option<i64> {
        self.int(metrics::PID).or_else(|| Some(i64::from(self.0?.identity?.pid)))
    }
}
