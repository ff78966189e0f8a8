use std::fmt;
use std::time::Duration;

use crate::metric::metrics as m;
use crate::{Metric, Unit};

/// How much went through a network interface within some time until now: the name of such a reading, taken apart.
///
/// They are `upload.total.1h`, `download.total.30m`, `upload.packets.total.7d`: a number and `m`, `h` or `d` behind one of
/// four beginnings. From a minute to 31 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Total {
    /// What is summed up.
    pub of: Traffic,
    /// How many of the unit, 1 or more.
    pub count: u32,
    /// Of minutes, hours or days.
    pub unit: Period,
}

/// What is summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // their names say it
pub enum Traffic {
    DownloadBytes,
    DownloadPackets,
    UploadBytes,
    UploadPackets,
}

/// In what a time is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // their names say it
pub enum Period {
    Minute,
    Hour,
    Day,
}

impl Total {
    /// The longest time that is summed up over.
    pub const LONGEST: Duration = Duration::from_secs(31 * 86_400);

    /// What a reading of this name is; `None`: none of these.
    pub fn parse(name: &str) -> Option<Self> {
        let of = Traffic::ALL.into_iter().find(|of| of.family().covers(name))?;
        let written = &name[of.family().name.len() - 1..];
        let unit = Period::ALL.into_iter().find(|unit| written.ends_with(unit.letter()))?;
        let digits = &written[..written.len() - 1];
        // As it is written back, so that one time has one name.
        if !digits.bytes().all(|b| b.is_ascii_digit()) || digits.starts_with('0') {
            return None;
        }
        let total = Self { of, count: digits.parse().ok()?, unit };
        (total.span() <= Self::LONGEST).then_some(total)
    }

    /// The time that is summed up over.
    pub fn span(self) -> Duration {
        Duration::from_secs(u64::from(self.count) * self.unit.seconds())
    }

    /// The metric of this one reading.
    pub fn metric(self) -> Metric {
        let family = self.of.family();
        Metric { name: self.to_string().into(), unit: family.unit }
    }
}

/// The name of the reading.
impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = self.of.family().name;
        write!(f, "{}{}{}", family.trim_end_matches('*'), self.count, self.unit.letter())
    }
}

impl Traffic {
    /// All four.
    pub const ALL: [Traffic; 4] =
        [Traffic::DownloadBytes, Traffic::DownloadPackets, Traffic::UploadBytes, Traffic::UploadPackets];

    /// The open family of its readings.
    pub fn family(self) -> Metric {
        match self {
            Traffic::DownloadBytes => m::DOWNLOAD_TOTAL,
            Traffic::DownloadPackets => m::DOWNLOAD_PACKETS_TOTAL,
            Traffic::UploadBytes => m::UPLOAD_TOTAL,
            Traffic::UploadPackets => m::UPLOAD_PACKETS_TOTAL,
        }
    }

    /// `Bytes`, or `Count` of packets.
    pub fn unit(self) -> Unit {
        self.family().unit
    }
}

impl Period {
    const ALL: [Period; 3] = [Period::Minute, Period::Hour, Period::Day];

    fn letter(self) -> char {
        match self {
            Period::Minute => 'm',
            Period::Hour => 'h',
            Period::Day => 'd',
        }
    }

    /// How long one is.
    pub fn seconds(self) -> u64 {
        match self {
            Period::Minute => 60,
            Period::Hour => 3600,
            Period::Day => 86_400,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_apart_and_put_together() {
        for (name, of, seconds) in [
            ("upload.total.1h", Traffic::UploadBytes, 3600),
            ("download.total.90m", Traffic::DownloadBytes, 5400),
            ("upload.packets.total.31d", Traffic::UploadPackets, 31 * 86_400),
            ("download.packets.total.2m", Traffic::DownloadPackets, 120),
        ] {
            let total = Total::parse(name).expect(name);
            assert_eq!((total.of, total.span().as_secs()), (of, seconds), "{name}");
            assert_eq!(total.metric().name, name);
        }
        assert_eq!(Total::parse("upload.total.1h").expect("it is one").metric().unit, Unit::Bytes);
        for odd in
            ["upload.total.", "upload.total.0m", "upload.total.01m", "upload.total.h", "upload.total.1y"]
        {
            assert_eq!(Total::parse(odd), None, "{odd}");
        }
        for odd in ["upload.total.32d", "upload.total.1h.x", "upload.total.-1h", "upload.rate", "total.1h"] {
            assert_eq!(Total::parse(odd), None, "{odd}");
        }
        assert_eq!(Total::parse("upload.total.99999999999h"), None);
    }
}
