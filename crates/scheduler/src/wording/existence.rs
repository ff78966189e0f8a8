//! Whether the thing itself is there.

use hinoban_config::{Dialect, Kind};
use hinoban_reading::{Observation, ReasonKind, Standing, Value, metrics};

use super::link;
use super::node::{of_our_type, of_type};

/// The state of the thing itself. `expected`: the rule wants it there, as rules mostly do.
pub(crate) fn existence(kind: &Kind, seen: &Observation, expected: bool, dialect: Dialect) -> String {
    let there = is_there(&seen.standing);
    let sentence = match (kind, dialect) {
        (Kind::Process { .. }, _) if there => {
            return match seen.get(&metrics::PID.name).and_then(Value::as_i64) {
                Some(pid) => format!("process is running with pid {pid}"),
                None => "process is running".to_owned(),
            };
        }
        (Kind::Process { .. }, _) => "process is not running".to_owned(),
        (Kind::File { .. }, _) => if there { "file exists" } else { "file doesn't exist" }.to_owned(),
        (Kind::Directory { .. }, _) => {
            if there { "directory exists" } else { "directory doesn't exist" }.to_owned()
        }
        (Kind::Fifo { .. }, Dialect::Monit) => {
            if there { "fifo exists" } else { "fifo doesn't exist" }.to_owned()
        }
        (Kind::Fifo { .. }, Dialect::Toml) => {
            if there { "named pipe exists" } else { "named pipe doesn't exist" }.to_owned()
        }
        (Kind::Filesystem { path, .. }, Dialect::Monit) => {
            let path = path.display();
            match (expected, there) {
                (true, true) => format!("succeeded getting filesystem statistics for '{path}'"),
                (true, false) => format!("unable to read filesystem '{path}' state"),
                (false, true) => format!("filesystem '{path}' exists"),
                (false, false) => format!("filesystem '{path}' doesn't exist"),
            }
        }
        (Kind::Filesystem { .. }, Dialect::Toml) => {
            if there { "file system is mounted" } else { "file system is not mounted" }.to_owned()
        }
        (Kind::Network { link }, Dialect::Monit) => link::existence(link, seen),
        (Kind::Network { .. }, Dialect::Toml) if there => "link is up".to_owned(),
        (Kind::Network { .. }, Dialect::Toml) => match &seen.standing {
            Standing::Absent(_) => "network interface is absent".to_owned(),
            _ => "link is down".to_owned(),
        },
        _ if there => "is up".to_owned(),
        // Kinds that Monit does not know have no other place for their reason.
        _ => return with_reason("is down", seen),
    };
    match dialect {
        Dialect::Toml if !there => with_reason(&sentence, seen),
        _ => sentence,
    }
}

/// Whether what is there is of the type that was asked for.
pub(crate) fn wrong_type(kind: &Kind, seen: &Observation, dialect: Dialect) -> String {
    let right = !is_wrong_type(&seen.standing);
    match dialect {
        Dialect::Monit => of_type(kind, right).to_owned(),
        Dialect::Toml if right => of_our_type(kind, right).to_owned(),
        Dialect::Toml => with_reason(of_our_type(kind, right), seen),
    }
}

/// What we know beyond the sentence of a control file.
pub(crate) fn detail(seen: &Observation, dialect: Dialect) -> Option<String> {
    match dialect {
        Dialect::Monit => seen.standing.reason().map(|r| r.text.clone()),
        Dialect::Toml => None,
    }
}

/// Whether something is there, of whatever type.
pub(crate) fn is_there(standing: &Standing) -> bool {
    standing.is_up() || is_wrong_type(standing)
}

/// Whether something else is in its place.
pub(crate) fn is_wrong_type(standing: &Standing) -> bool {
    matches!(standing, Standing::Down(reason) if reason.kind == ReasonKind::WrongType)
}

fn with_reason(sentence: &str, seen: &Observation) -> String {
    match seen.standing.reason() {
        Some(reason) => format!("{sentence}: {reason}"),
        None => sentence.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use hinoban_reading::Reason;

    use super::*;

    /// Seen of Monit 5.33: log lines and mails of services that exist, do not, and do again.
    #[test]
    fn existence_reads_as_monit_tells_it() {
        let file = Kind::File { path: "/p".into() };
        let filesystem = Kind::filesystem("/p");
        let (directory, fifo) = (Kind::Directory { path: "/p".into() }, Kind::Fifo { path: "/p".into() });
        let gone = |kind| Observation::new(Standing::Absent(Reason::new(kind, "why")));
        let table = [
            (&file, true, Observation::up(), "file exists"),
            (&file, false, Observation::up(), "file exists"),
            (&file, true, gone(ReasonKind::FileAbsent), "file doesn't exist"),
            (&file, false, gone(ReasonKind::FileAbsent), "file doesn't exist"),
            (&directory, true, gone(ReasonKind::FileAbsent), "directory doesn't exist"),
            (&directory, false, Observation::up(), "directory exists"),
            (&fifo, true, gone(ReasonKind::FileAbsent), "fifo doesn't exist"),
            (&fifo, true, Observation::up(), "fifo exists"),
            (&filesystem, true, Observation::up(), "succeeded getting filesystem statistics for '/p'"),
            (&filesystem, true, gone(ReasonKind::NotMounted), "unable to read filesystem '/p' state"),
            (&filesystem, false, Observation::up(), "filesystem '/p' exists"),
            (&filesystem, false, gone(ReasonKind::NotMounted), "filesystem '/p' doesn't exist"),
        ];
        for (kind, expected, seen, sentence) in table {
            assert_eq!(existence(kind, &seen, expected, Dialect::Monit), sentence);
        }
        assert_eq!(
            existence(&filesystem, &gone(ReasonKind::NotMounted), true, Dialect::Toml),
            "file system is not mounted: why"
        );
        assert_eq!(
            existence(&file, &gone(ReasonKind::FileAbsent), true, Dialect::Toml),
            "file doesn't exist: why"
        );
    }

    #[test]
    fn what_is_of_the_wrong_type_exists() {
        let reason = Reason::new(ReasonKind::WrongType, "/p is a directory");
        let seen = Observation::new(Standing::Down(reason));
        let file = Kind::File { path: "/p".into() };
        assert_eq!(existence(&file, &seen, true, Dialect::Monit), "file exists");
        assert_eq!(wrong_type(&file, &seen, Dialect::Monit), "is neither a regular file nor a socket");
        assert_eq!(wrong_type(&file, &Observation::up(), Dialect::Monit), "is a regular file");
        let fifo = Kind::Fifo { path: "/p".into() };
        assert_eq!(wrong_type(&fifo, &seen, Dialect::Monit), "is not fifo");
        assert_eq!(wrong_type(&fifo, &seen, Dialect::Toml), "is not a named pipe: /p is a directory");
        let directory = Kind::Directory { path: "/p".into() };
        assert_eq!(wrong_type(&directory, &Observation::up(), Dialect::Monit), "is directory");
        assert_eq!(
            wrong_type(&file, &seen, Dialect::Toml),
            "is neither a regular file nor a socket: /p is a directory"
        );
    }
}
