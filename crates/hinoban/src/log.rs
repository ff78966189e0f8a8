//! The log that a configuration asks for.

use hinoban_actions::log::{Log, LogOptions, SyslogOptions, Target, facility};
use hinoban_config::{Facility, LogTarget};
use hinoban_event::Level;
use jiff::tz::TimeZone;

/// Starts the log that `target` asks for, and to the terminal as well while in the foreground.
///
/// `level` is the least grave that is written, `zone` that of stamps, `None` being the host's.
pub fn log(target: Option<&LogTarget>, foreground: bool, level: Level, zone: Option<TimeZone>) -> Log {
    let mut targets = Vec::new();
    if foreground {
        targets.push(Target::Terminal);
    }
    match target {
        Some(LogTarget::File(path)) => targets.push(Target::File(path.clone())),
        Some(LogTarget::Syslog(wanted)) => {
            let name = match wanted {
                Facility::User => "user".to_owned(),
                Facility::Daemon => "daemon".to_owned(),
                Facility::Local(n) => format!("local{n}"),
            };
            let mut options = SyslogOptions::default();
            if let Some(facility) = facility(&name) {
                options.facility = facility;
            }
            targets.push(Target::Syslog(options));
        }
        Some(LogTarget::Stderr) if !foreground => targets.push(Target::Stderr),
        Some(LogTarget::Stderr) | None => {}
    }
    Log::start(LogOptions { targets, level, zone })
}
