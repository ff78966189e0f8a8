//! Points on the wall clock in words, in the time zone of this host.

use hinoban_reading::Stamp;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// Writes stamps in one time zone.
#[derive(Debug, Clone)]
pub(crate) struct Local(TimeZone);

/// Where the zone comes from, asked when a line has to be stamped.
pub(crate) type Clock = Box<dyn Fn() -> Local + Send>;

impl Local {
    /// This zone; without one, that of the host: `TZ`, else `/etc/localtime`, else UTC. The first who asks for that has
    /// the library list the whole time zone database.
    pub(crate) fn of(zone: Option<TimeZone>) -> Self {
        Self(zone.unwrap_or_else(TimeZone::system))
    }

    /// `Mon, 23 Nov 2026 10:32:53`: what `MONIT_DATE` holds.
    pub(crate) fn date(&self, at: Stamp) -> String {
        self.zoned(at).strftime("%a, %d %b %Y %H:%M:%S").to_string()
    }

    /// `2026-11-23T10:32:54+0000`: the stamp of a line in a log file.
    pub(crate) fn iso(&self, at: Stamp) -> String {
        self.zoned(at).strftime("%Y-%m-%dT%H:%M:%S%z").to_string()
    }

    /// `Nov  3 10:32:54`: the stamp of RFC 3164 section 4.1.2, which is local time.
    pub(crate) fn syslog(&self, at: Stamp) -> String {
        self.zoned(at).strftime("%b %e %H:%M:%S").to_string()
    }

    fn zoned(&self, at: Stamp) -> Zoned {
        // A stamp outside of the years -9999 to 9999 is a broken clock; the epoch shows that well enough.
        Timestamp::from_microsecond(at.micros()).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(self.0.clone())
    }
}

#[cfg(test)]
impl Local {
    /// Hours east of Greenwich, for tests that must not depend on where they run.
    pub(crate) fn east(hours: i8) -> Self {
        Self(TimeZone::fixed(jiff::tz::offset(hours)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_local_and_read_as_programs_expect_them() {
        let at = Stamp::from_micros(1_793_701_974_250_000); // 2026-11-03T10:32:54.25Z
        let tokyo = Local::east(9);
        assert_eq!(tokyo.date(at), "Tue, 03 Nov 2026 19:32:54");
        assert_eq!(tokyo.iso(at), "2026-11-03T19:32:54+0900");
        assert_eq!(tokyo.syslog(at), "Nov  3 19:32:54");
        assert_eq!(Local::east(0).iso(at), "2026-11-03T10:32:54+0000");
    }

    #[test]
    fn the_zone_of_the_host_is_used() {
        let at = Stamp::from_micros(1_793_701_974_000_000);
        if std::env::var("TZ").as_deref() == Ok("Asia/Tokyo") {
            assert_eq!(Local::of(None).iso(at), "2026-11-03T19:32:54+0900");
            return;
        }
        if !std::path::Path::new("/usr/share/zoneinfo/Asia/Tokyo").exists() {
            return eprintln!("passed over: there is no time zone database here");
        }
        // The zone is read once, so it takes a process of its own.
        let again = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "local::tests::the_zone_of_the_host_is_used"])
            .env("TZ", "Asia/Tokyo")
            .status();
        assert!(again.unwrap().success());
    }
}
