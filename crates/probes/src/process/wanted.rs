//! Which readings the rules of a service name. Those are read at each look; the others that cost are read rarely, or not
//! at all.

use std::time::Duration;

/// How long is believed what rarely changes, or what no rule names: a little less than twenty seconds, so that a period
/// of twenty seconds reads it each time.
pub(super) const RARELY: Duration = Duration::from_secs(19);

/// What rules name.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Open files: 3 µs a process, its descendants included.
    pub(super) files: bool,
    /// What it reads and writes: 3 µs.
    pub(super) traffic: bool,
    /// The attribute of its security module: 9 µs.
    pub(super) security: bool,
    /// Who owns it: under 1 µs.
    pub(super) owners: bool,
    /// The load of the host: 7 µs. Only if named.
    pub(super) load: bool,
    /// Its cgroup: some 75 µs. Only if named.
    pub(super) cgroup: bool,
}

impl Wanted {
    pub(super) fn of<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut wanted = Self::default();
        for name in names {
            match name.split('.').next().unwrap_or_default() {
                "fds" => wanted.files = true,
                "read" | "write" | "disk" => wanted.traffic = true,
                "security" => wanted.security = true,
                "uid" | "euid" | "gid" => wanted.owners = true,
                "load" => wanted.load = true,
                "cgroup" => wanted.cgroup = true,
                _ => {}
            }
        }
        wanted
    }
}

/// When something is read again.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Turn(Duration);

impl Turn {
    /// Whether to read it now, at `now` since boot: because a rule names it, or because it is old.
    pub(super) fn has_come(&self, wanted: bool, now: Duration) -> bool {
        wanted || now >= self.0
    }

    /// It was read at `now`.
    pub(super) fn taken(&mut self, now: Duration) {
        self.0 = now + RARELY;
    }

    /// It is read again at the next look.
    pub(super) fn again(&mut self) {
        self.0 = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_rule_names_is_read_at_each_look_and_the_rest_after_a_while() {
        let at = Duration::from_secs;
        let mut turn = Turn::default();
        assert!(turn.has_come(false, at(1)));
        turn.taken(at(1));
        assert!(!turn.has_come(false, at(2)) && turn.has_come(true, at(2)));
        assert!(turn.has_come(false, at(21)));
        assert_eq!(Wanted::of(["cpu.percent", "memory.total.bytes"]), Wanted::default());
        assert!(Wanted::of(["disk.read.rate"]).traffic && Wanted::of(["fds.percent"]).files);
    }
}
