//! The time zone of this host.
//!
//! What the library would do lists the whole time zone database first: six hundred files, and a hundred kilobytes that
//! stay, to learn a name that nobody here asks for.

use std::path::Path;
use std::sync::OnceLock;

use jiff::tz::TimeZone;

/// Where the zones are, by name.
const ZONES: &str = "/usr/share/zoneinfo";

/// What `TZ` says in one of the forms of tzset(3), else `/etc/localtime`, else UTC. Read once.
pub(crate) fn of_host() -> TimeZone {
    static ZONE: OnceLock<TimeZone> = OnceLock::new();
    let asked = || std::env::var("TZ").ok();
    ZONE.get_or_init(|| find(asked().as_deref(), Path::new("/etc/localtime"))).clone()
}

fn find(asked: Option<&str>, local: &Path) -> TimeZone {
    let zone = match asked {
        Some(asked) => {
            let name = asked.strip_prefix(':').unwrap_or(asked);
            // A path that begins with a slash takes the place of the folder.
            file(&Path::new(ZONES).join(name), name).or_else(|| TimeZone::posix(name).ok())
        }
        None => file(local, "Local"),
    };
    zone.unwrap_or(TimeZone::UTC)
}

fn file(path: &Path, name: &str) -> Option<TimeZone> {
    TimeZone::tzif(name, &std::fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn offset(zone: &TimeZone) -> i32 {
        zone.to_offset(Timestamp::from_second(1_793_701_974).unwrap()).seconds() / 60
    }

    #[test]
    fn every_form_of_the_variable_is_understood() {
        let nothing = Path::new("/nonexistent");
        assert_eq!(offset(&find(Some("JST-9"), nothing)), 9 * 60, "as POSIX writes it");
        assert_eq!(offset(&find(Some("NST3:30NDT,M3.2.0,M11.1.0"), nothing)), -(3 * 60 + 30));
        for nonsense in ["", ":", "No/Such_Zone", "../../etc/passwd"] {
            assert_eq!(offset(&find(Some(nonsense), nothing)), 0, "{nonsense}: tzset(3) says UTC");
        }
        assert_eq!(offset(&find(None, nothing)), 0);
        let tokyo = Path::new(ZONES).join("Asia/Tokyo");
        if !tokyo.exists() {
            return eprintln!("passed over: there is no time zone database here");
        }
        let path = tokyo.display().to_string();
        for name in ["Asia/Tokyo", ":Asia/Tokyo", &path, &format!(":{path}")] {
            assert_eq!(offset(&find(Some(name), nothing)), 9 * 60, "{name}");
        }
        assert_eq!(offset(&find(None, &tokyo)), 9 * 60);
    }
}
