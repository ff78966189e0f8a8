//! What a process has besides what it uses: owners, limits, a security attribute.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;

use crate::sys;

/// Real and effective user and real group: from the pidfd (Linux 6.13, under 1 µs), or from `status` (13 µs).
pub(super) fn owners(pid: u32, pidfd: Option<&OwnedFd>) -> Option<[u32; 3]> {
    let info = pidfd.and_then(|fd| sys::pidfd_info(fd.as_fd(), sys::PIDFD_INFO_CREDS).ok());
    if let Some(info) = info.filter(|i| i.mask & sys::PIDFD_INFO_CREDS != 0) {
        return Some([info.ruid, info.euid, info.rgid]);
    }
    let text = std::fs::read(format!("/proc/{pid}/status")).ok()?;
    let ids = |label: &str, nth: usize| -> Option<u32> {
        let line = text.split(|b| *b == b'\n').find_map(|l| l.strip_prefix(label.as_bytes()))?;
        crate::proc::number(line.trim_ascii().split(|b| *b == b'\t').nth(nth)?)
    };
    Some([ids("Uid:", 0)?, ids("Uid:", 1)?, ids("Gid:", 0)?])
}

/// Soft and hard limit on open files.
pub(super) fn file_limits(pid: u32) -> Option<(u64, u64)> {
    sys::file_limits_of(pid).ok().or_else(|| limits_by_file(pid))
}

fn limits_by_file(pid: u32) -> Option<(u64, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("Max open files"))?;
    let mut words = line.split_whitespace();
    let mut limit = || match words.next()? {
        "unlimited" => Some(u64::MAX),
        n => n.parse().ok(),
    };
    Some((limit()?, limit()?))
}

/// The attribute that a security module (AppArmor, SELinux) gave it; empty where none did, or where it may not be read.
pub(super) fn security(pid: u32) -> String {
    // A module cannot come later: they are chosen at boot. So a kernel without one is asked once.
    static NONE: AtomicBool = AtomicBool::new(false);
    if NONE.load(Ordering::Relaxed) {
        return String::new();
    }
    let text = std::fs::read(format!("/proc/{pid}/attr/current"));
    if text.as_ref().is_err_and(|e| Errno::from_io_error(e) == Some(Errno::INVAL)) {
        NONE.store(true, Ordering::Relaxed);
    }
    let text = text.unwrap_or_default();
    let text = text.split(|b| *b == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text.trim_ascii()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sources_of_owners_and_limits_agree() {
        let us = std::process::id();
        let pid = rustix::process::getpid();
        let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok();
        assert_eq!(owners(us, pidfd.as_ref()), owners(us, None));
        assert_eq!(sys::file_limits_of(us).ok(), limits_by_file(us));
    }
}
