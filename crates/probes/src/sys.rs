//! The system calls that have no safe wrapper elsewhere. Facts: Linux 6.18, `include/uapi/linux/pidfd.h`.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Bits of `pidfd_info.mask`.
pub(crate) const PIDFD_INFO_CREDS: u64 = 1 << 1;
/// See [`PIDFD_INFO_CREDS`]; Linux 6.15.
pub(crate) const PIDFD_INFO_EXIT: u64 = 1 << 3;

/// `struct pidfd_info` in its first published size, 64 bytes (Linux 6.13). Later kernels know longer ones, but write no
/// more than the request number's size field asks for.
#[repr(C)]
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct PidfdInfo {
    /// In: what is wanted. Out: what was filled in.
    pub(crate) mask: u64,
    cgroupid: u64,
    pid: u32,
    tgid: u32,
    ppid: u32,
    pub(crate) ruid: u32,
    pub(crate) rgid: u32,
    pub(crate) euid: u32,
    egid: u32,
    suid: u32,
    sgid: u32,
    fsuid: u32,
    fsgid: u32,
    /// A status of wait(2), if the mask has [`PIDFD_INFO_EXIT`].
    pub(crate) exit_code: i32,
}

const _: () = assert!(size_of::<PidfdInfo>() == 64);

/// `_IOWR(0xFF, 11, struct pidfd_info)`, with the size of *our* struct in it.
const PIDFD_GET_INFO: u64 = 3 << 30 | (size_of::<PidfdInfo>() as u64) << 16 | 0xff << 8 | 11;

/// Asks a pidfd about its process. No privilege is needed.
///
/// # Errors
/// `ENOTTY` before Linux 6.13; `ESRCH` when the process was reaped and the kernel (before 6.15) keeps no exit status.
pub(crate) fn pidfd_info(pidfd: BorrowedFd<'_>, mask: u64) -> io::Result<PidfdInfo> {
    let mut info = PidfdInfo { mask, ..PidfdInfo::default() };
    // SAFETY: the descriptor is open for as long as it is borrowed. The kernel reads and writes at most as many bytes
    // as the request number encodes, which is the size of `info`; every bit pattern is a valid `PidfdInfo`.
    let result = unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO as _, &raw mut info) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(info) }
}

/// Soft and hard limit on open files of another process.
///
/// # Errors
/// `EPERM` without CAP_SYS_RESOURCE, unless it is of our own user and group.
pub(crate) fn file_limits_of(pid: u32) -> io::Result<(u64, u64)> {
    let mut limits = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: no new limits are given (null), and `limits` is a valid place for the old ones.
    let result = unsafe {
        libc::prlimit64(pid as libc::pid_t, libc::RLIMIT_NOFILE, std::ptr::null(), &raw mut limits)
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok((limits.rlim_cur, limits.rlim_max)) }
}

/// Processors that are online.
pub(crate) fn processors() -> u32 {
    // SAFETY: takes no pointer; an unknown name gives -1.
    let n = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    u32::try_from(n).unwrap_or(1).max(1)
}

/// One step of a filter that the kernel runs over each message for a socket (classic BPF, `linux/filter.h`). Words of a
/// message are loaded as if the network had sent them, so what they are compared with is turned round too.
#[repr(transparent)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct FilterStep(libc::sock_filter);

impl FilterStep {
    /// The longest filter, `BPF_MAXINSNS`.
    pub(crate) const MOST: usize = 4096;
    /// The message comes through.
    pub(crate) const PASS: Self = Self::step(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX);
    /// It does not.
    pub(crate) const DROP: Self = Self::step(libc::BPF_RET | libc::BPF_K, 0, 0, 0);
    /// Keeps the word that was loaded, for [`FilterStep::skip_if_not_kept`].
    pub(crate) const KEEP: Self = Self::step(libc::BPF_MISC | libc::BPF_TAX, 0, 0, 0);

    const fn step(code: u32, jt: u8, jf: u8, k: u32) -> Self {
        Self(libc::sock_filter { code: code as u16, jt, jf, k })
    }

    /// Loads the word at this place of the message.
    pub(crate) fn load(at: usize) -> Self {
        Self::step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, at as u32)
    }

    /// Leaves out so many steps if the word that was loaded is this.
    pub(crate) fn skip_if(word: u32, steps: u8) -> Self {
        Self::step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, steps, 0, word.to_be())
    }

    /// Leaves them out if it is another.
    pub(crate) fn skip_if_not(word: u32, steps: u8) -> Self {
        Self::step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, steps, word.to_be())
    }

    /// Leaves them out if it is not the one that was kept.
    pub(crate) fn skip_if_not_kept(steps: u8) -> Self {
        Self::step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_X, 0, steps, 0)
    }
}

/// From now on only those messages reach the socket that the filter lets through, instead of any filter before.
///
/// # Errors
/// `EINVAL` if it is longer than [`FilterStep::MOST`], or makes no sense; `ENOMEM`.
pub(crate) fn attach_filter(socket: &impl AsRawFd, filter: &[FilterStep]) -> io::Result<()> {
    let len = u16::try_from(filter.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let program = libc::sock_fprog { len, filter: filter.as_ptr().cast_mut().cast() };
    // SAFETY: `FilterStep` has the layout of `sock_filter`, and the kernel copies `len` of them, which is how many there
    // are; it writes to none. The size that is given is that of `program`.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
