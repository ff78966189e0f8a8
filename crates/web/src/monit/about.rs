use std::path::PathBuf;

use jiff::tz::TimeZone;
use rustix::system;
use rustix::thread::sched_getaffinity;

/// What documents say beside the state of services.
#[derive(Debug, Clone)]
pub struct About {
    /// Version of Monit that readers are to take us for.
    pub version: String,
    /// Program and version in the first line of texts for people.
    pub banner: String,
    /// Whether `summary` and `report` keep to Monit's words. Otherwise what a rule gave up is called so, and counted as
    /// down.
    pub as_monit: bool,
    /// Our identity: 32 hexadecimal digits.
    pub id: String,
    /// Path of the configuration.
    pub control_file: String,
    /// Where we are reached; `None`: nowhere.
    pub address: Option<Address>,
    /// The machine.
    pub platform: Platform,
    /// The time zone that dates are written in.
    pub zone: TimeZone,
}

/// Where we are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// TCP.
    Tcp {
        /// Name or address.
        address: String,
        /// Port.
        port: u16,
    },
    /// A unix socket.
    Unix(PathBuf),
}

/// The machine, as uname(2) and sysinfo(2) know it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Platform {
    /// `Linux`.
    pub name: String,
    /// Release of the kernel.
    pub release: String,
    /// Version of the kernel.
    pub version: String,
    /// Such as `x86_64`.
    pub machine: String,
    /// Number of processors that we may run on.
    pub cpus: u32,
    /// Physical memory, in kB.
    pub memory: u64,
    /// Swap space, in kB.
    pub swap: u64,
}

impl Platform {
    /// This machine.
    pub fn here() -> Self {
        let uname = system::uname();
        let memory = system::sysinfo();
        let text = |field: &std::ffi::CStr| field.to_string_lossy().into_owned();
        let kilobytes = |units: u64| units.saturating_mul(u64::from(memory.mem_unit)) / 1024;
        Self {
            name: text(uname.sysname()),
            release: text(uname.release()),
            version: text(uname.version()),
            machine: text(uname.machine()),
            cpus: sched_getaffinity(None).map_or(1, |set| set.count()),
            // Their type is that of a C long, which differs between machines.
            #[allow(clippy::useless_conversion)]
            memory: kilobytes(memory.totalram.into()),
            #[allow(clippy::useless_conversion)]
            swap: kilobytes(memory.totalswap.into()),
        }
    }
}
