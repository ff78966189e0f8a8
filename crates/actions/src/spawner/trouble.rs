//! Why a program could not be started, in words that say what to do.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hinoban_action::ActionError;

use super::short_of_resources;
use crate::sys::{Plan, Step};

/// The error of a child that could not become its program. Looks at files, so it belongs on a spawner thread.
pub(super) fn of_child(step: Step, e: &io::Error, plan: &Plan) -> ActionError {
    if short_of_resources(e) {
        return ActionError::Transient(format!("{} could not be started: {e}", plan.path.to_string_lossy()));
    }
    ActionError::NotRunnable(text(step, e, plan))
}

/// The error when there was no child.
pub(super) fn of_resources(e: impl Into<io::Error>) -> ActionError {
    ActionError::Transient(format!("no process could be made: {}", e.into()))
}

fn text(step: Step, e: &io::Error, plan: &Plan) -> String {
    let path = plan.path.to_string_lossy();
    let number = |id: Option<u32>| id.map_or_else(|| "?".to_owned(), |id| id.to_string());
    let identity = |what: &str, id: Option<u32>| {
        format!("{path} cannot be run with {what} {}: {e}; only root may change it", number(id))
    };
    match step {
        Step::User => identity("user id", plan.uid),
        Step::Group => identity("group id", plan.gid),
        Step::Groups => format!("{path} cannot be run with other groups: {e}; only root may change them"),
        Step::Directory => {
            let directory = plan.directory.as_deref().unwrap_or_default().to_string_lossy();
            format!("{path} cannot be run in the directory {directory}: {e}")
        }
        Step::Session | Step::Descriptors | Step::Limits => {
            format!("{path} cannot be prepared to run: {e}")
        }
        Step::Exec => exec(e, plan),
    }
}

/// Looks at the file, for one error number of execve(2) stands for several mistakes.
fn exec(e: &io::Error, plan: &Plan) -> String {
    let path = plan.path.to_string_lossy();
    let file = Path::new(std::ffi::OsStr::from_bytes(plan.path.to_bytes()));
    match e.kind() {
        ErrorKind::NotFound if !path.contains('/') => {
            format!("{path} does not exist in any directory of PATH")
        }
        ErrorKind::NotFound => match interpreter(file) {
            Some(interpreter) => {
                format!("{path} cannot be run: its interpreter {interpreter} does not exist")
            }
            None => format!("{path} does not exist"),
        },
        ErrorKind::NotADirectory => format!("{path} does not exist: a part of the path is not a directory"),
        ErrorKind::PermissionDenied => match fs::metadata(file) {
            Ok(meta) if meta.is_dir() => format!("{path} is a directory, not a program"),
            Ok(meta) if meta.permissions().mode() & 0o111 == 0 => {
                format!("{path} is not executable; chmod +x makes it so")
            }
            _ => format!("{path} may not be run: {e}"),
        },
        _ if e.raw_os_error() == Some(libc::ENOEXEC) => {
            format!(
                "{path} is neither a program for this machine nor a script that begins with #! and an interpreter"
            )
        }
        _ => format!("{path} cannot be run: {e}"),
    }
}

/// What the first line of a script names.
fn interpreter(script: &Path) -> Option<String> {
    let mut begin = Vec::new();
    fs::File::open(script).ok()?.take(256).read_to_end(&mut begin).ok()?;
    let line = begin.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    let word = String::from_utf8_lossy(line).split_whitespace().next().map(str::to_owned);
    Some(word.unwrap_or_default())
}
