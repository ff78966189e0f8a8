//! Who asks us for something is not what we look for: `hinoban start web` has the name of the service in its command line,
//! and so has the `sudo` or the shell that called it.

use std::collections::HashSet;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::table::Table;

/// A process of our own program is a client if one of these is among its arguments; without any it is a supervisor, or
/// whatever else an embedder's program may be.
const ERRANDS: &[&str] = &[
    "start",
    "stop",
    "restart",
    "monitor",
    "unmonitor",
    "status",
    "summary",
    "report",
    "incidents",
    "incident",
    "explain",
    "reload",
    "quit",
    "validate",
    "procmatch",
];

/// No chain of parents is followed further.
const LONGEST: usize = 32;

/// Whether the process with this command line is a client of our own program, or a shell that was given the words to call
/// one: between two calls there is no client, but it is still there.
pub(super) fn is_one(pid: u32, command: &str) -> bool {
    let Some((path, _)) = own() else { return false };
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    calls(command, name) || has_errand(command.split(' ').skip(1)) && is_of_our_program(pid)
}

/// Whether these words call the program of this name for an errand.
fn calls(command: &str, name: &str) -> bool {
    // As a shell divides them, more or less.
    let words = command.split(|c: char| !(c.is_alphanumeric() || "_-./".contains(c)));
    let mut behind = words.skip_while(|word| word.rsplit('/').next() != Some(name)).skip(1);
    !name.is_empty() && has_errand(&mut behind)
}

fn has_errand<'w>(mut words: impl Iterator<Item = &'w str>) -> bool {
    words.any(|word| ERRANDS.contains(&word))
}

/// By its path, and by its inode: a package may have replaced the file, or it may have several names.
fn is_of_our_program(pid: u32) -> bool {
    let (Some((own, file)), Some((path, other))) = (own(), program(&pid.to_string())) else { return false };
    *own == path || (file.dev(), file.ino()) == (other.dev(), other.ino())
}

fn own() -> Option<&'static (PathBuf, Metadata)> {
    static OWN: OnceLock<Option<(PathBuf, Metadata)>> = OnceLock::new();
    OWN.get_or_init(|| program("self")).as_ref()
}

fn program(pid: &str) -> Option<(PathBuf, Metadata)> {
    let link = PathBuf::from(format!("/proc/{pid}/exe"));
    let path = std::fs::read_link(&link).ok()?;
    let there = path.to_str().and_then(|path| path.strip_suffix(" (deleted)")).map(PathBuf::from);
    Some((there.unwrap_or(path), std::fs::metadata(link).ok()?))
}

/// The pids of all clients, and of who waits for them: of their parents those in the same session, a script perhaps, and
/// those that name our program, as sudo does. Further up stand a login and a daemon that let it in, which may well be a
/// service.
pub(super) fn with_callers(table: &Table) -> HashSet<u32> {
    let mut callers = HashSet::new();
    for (client, mut session) in table.clients() {
        let name = client.command.split(' ').next().unwrap_or_default();
        let name = Path::new(name).file_name().and_then(|name| name.to_str()).unwrap_or(name);
        callers.insert(client.pid);
        let mut above = client.ppid;
        for _ in 0..LONGEST {
            let Some((caller, its)) = table.row(above).filter(|_| above > 1) else { break };
            if its != session && !caller.command.contains(name) {
                break;
            }
            callers.insert(caller.pid);
            (above, session) = (caller.ppid, its);
        }
    }
    callers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_that_was_told_to_call_us_is_known_by_its_words() {
        for line in [
            "hinoban start web",
            "sudo -n /usr/bin/hinoban -c /etc/h.toml restart web",
            "bash -c hinoban stop web; sleep 2; hinoban start web",
            "sh -c (hinoban stop web)&",
        ] {
            assert!(calls(line, "hinoban"), "{line}");
        }
        for line in [
            "hinoban -c /etc/web.toml -I",
            "/etc/init.d/web start",
            "tail -f /var/log/hinoban.log start",
            "web start hinoban",
            "",
        ] {
            assert!(!calls(line, "hinoban"), "{line}");
        }
    }
}
