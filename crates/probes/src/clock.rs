//! The kernel's clocks that the things we read are stamped with. They belong to what is looked at, like any other
//! reading; the time of the look itself comes in as an argument.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Time since boot, suspended time included: the clock of field 22 of `/proc/PID/stat`.
pub(crate) fn since_boot() -> Duration {
    duration(clock_gettime(ClockId::Boottime))
}

/// The kernel's wall clock, as time since the Unix epoch: what files are stamped with.
pub(crate) fn wall() -> Duration {
    duration(clock_gettime(ClockId::Realtime))
}

/// When the kernel booted by its wall clock, as time since the Unix epoch. Moves when the clock is set.
pub(crate) fn boot_wall() -> Duration {
    wall().saturating_sub(since_boot())
}

/// Kernel clock ticks as time.
pub(crate) fn ticks(n: u64) -> Duration {
    Duration::from_secs_f64(n as f64 / rustix::param::clock_ticks_per_second() as f64)
}

fn duration(t: rustix::time::Timespec) -> Duration {
    Duration::new(u64::try_from(t.tv_sec).unwrap_or(0), u32::try_from(t.tv_nsec).unwrap_or(0))
}
