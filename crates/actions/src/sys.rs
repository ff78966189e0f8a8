//! The calls that the safe crates do not offer: a vfork-like clone, and the groups of a user.
//!
//! `clone(CLONE_VM | CLONE_VFORK | CLONE_PIDFD)` runs the child on a stack of its own in the parent's memory while the
//! calling thread waits for its exec: no page tables are copied, so the cost does not grow with the size of the
//! daemon, and the pidfd names the child from its first instant (clone(2); Linux 5.2). The rules for the code that runs
//! there are those of vfork(2): system calls and plain memory only, no allocation, no lock, no panic.

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_void};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, PoisonError};

use hinoban_action::Roll;
use rustix::process::{WaitId, WaitIdOptions, waitid};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Everything a child needs, made ready before the clone, because it must not allocate.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) path: CString,
    pub(crate) argv: Vec<CString>,
    pub(crate) envp: Vec<CString>,
    pub(crate) directory: Option<CString>,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) groups: Option<Vec<u32>>,
    pub(crate) nofile_soft: Option<u64>,
    pub(crate) ignore_hangup: bool,
    /// Whether SIGTERM ends it when the thread that started it ends, which in life is with the supervisor (prctl(2),
    /// `PR_SET_PDEATHSIG`).
    pub(crate) tied: bool,
    /// Where the child enters itself before its exec …
    pub(crate) roll: Option<Roll>,
    /// … and which file that is now; see [`Plan::find_log`].
    pub(crate) log: Option<Arc<File>>,
}

impl Plan {
    /// Takes the log that the child is to enter itself in. To be done right before it is made: a child must not wait for
    /// a lock.
    pub(crate) fn find_log(&mut self) {
        let log = |roll: &Roll| roll.log.read().unwrap_or_else(PoisonError::into_inner).clone();
        self.log = self.roll.as_ref().map(log);
    }
}

/// How far a child came before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Step {
    Session = 1,
    Descriptors = 2,
    Limits = 3,
    Groups = 4,
    Group = 5,
    User = 6,
    Directory = 7,
    Exec = 8,
}

/// A child that runs.
#[derive(Debug)]
pub(crate) struct Born {
    pub(crate) pid: u32,
    pub(crate) pidfd: OwnedFd,
}

/// Why there is no child.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The clone itself failed.
    Clone(io::Error),
    /// The child was there, but could not become the program. It has been collected.
    Child(Step, io::Error),
}

/// Memory for the child to stand on until its exec, with a guard page below. One for each thread that clones.
#[derive(Debug)]
pub(crate) struct Stack {
    base: *mut c_void,
    len: usize,
}

const GUARD: usize = 64 * 1024; // at least one page on every architecture
const ROOM: usize = 64 * 1024;

impl Stack {
    pub(crate) fn new() -> io::Result<Self> {
        let len = GUARD + ROOM;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        // SAFETY: a new anonymous mapping at an address of the kernel's choice touches no existing memory.
        let base =
            unsafe { libc::mmap(ptr::null_mut(), len, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let stack = Self { base, len };
        // SAFETY: the range is the lower part of the mapping just made, and nothing points into it.
        if unsafe { libc::mprotect(base, GUARD, libc::PROT_NONE) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(stack)
    }

    fn top(&self) -> *mut c_void {
        self.base.wrapping_byte_add(self.len) // the mapping is page-aligned, so its end is 16-aligned, as ABIs ask
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and no child uses it: clone returned, which it does after exec or exit only.
        unsafe { libc::munmap(self.base, self.len) };
    }
}

/// Blocks every signal in this thread, so that none of them interrupts a clone, and none runs a handler of ours in the
/// child. For threads that do nothing else but clone and read.
pub(crate) fn block_signals() {
    // SAFETY: sigset_t is plain data for which all zero bytes are valid; both calls get a pointer to a live set.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &all, ptr::null_mut());
    }
}

/// Runs the plan in a new process whose standard descriptors are `stdio`. The calling thread waits until the program has
/// been executed. All signals must be blocked in it.
pub(crate) fn clone_exec(plan: &Plan, stdio: [BorrowedFd<'_>; 3], stack: &Stack) -> Result<Born, Failed> {
    let argv = pointers(&plan.argv);
    let envp = pointers(&plan.envp);
    let order = Order {
        plan,
        argv: argv.as_ptr(),
        envp: envp.as_ptr(),
        stdio: stdio.map(|fd| fd.as_raw_fd()),
        step: AtomicI32::new(0),
        errno: AtomicI32::new(0),
    };
    let mut pidfd: c_int = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: `stack` is a mapping for this thread alone, and CLONE_VFORK suspends the thread until the child has left
    // it; `order` and what it points to live on across the call. `child` keeps to system calls, as vfork(2) demands;
    // it shares this thread's thread-local storage, whose only use there is errno.
    let pid = unsafe {
        libc::clone(
            child,
            stack.top(),
            flags,
            ptr::from_ref(&order).cast_mut().cast::<c_void>(),
            &mut pidfd as *mut c_int,
        )
    };
    if pid < 0 {
        return Err(Failed::Clone(io::Error::last_os_error()));
    }
    // SAFETY: the kernel has stored a new descriptor there, which nobody else owns (CLONE_PIDFD).
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    match Step::from_raw(order.step.load(Ordering::SeqCst)) {
        None => Ok(Born { pid: pid.unsigned_abs(), pidfd }),
        Some(step) => {
            // It is about to exit, or has exited already.
            let _ = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
            Err(Failed::Child(step, io::Error::from_raw_os_error(order.errno.load(Ordering::SeqCst))))
        }
    }
}

/// The same through the standard library, slower, for kernels and sandboxes that refuse our clone.
pub(crate) fn std_exec(plan: &Plan, stdio: [BorrowedFd<'_>; 3]) -> Result<Born, Failed> {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::process::CommandExt;

    let os = |c: &CString| std::ffi::OsStr::from_bytes(c.to_bytes()).to_owned();
    let mut command = std::process::Command::new(os(&plan.path));
    if let Some(zeroth) = plan.argv.first() {
        command.arg0(os(zeroth));
    }
    command.args(plan.argv.iter().skip(1).map(os)).env_clear();
    for pair in &plan.envp {
        let pair = pair.to_bytes();
        let cut = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
        let value = pair.get(cut + 1..).unwrap_or_default();
        command.env(std::ffi::OsStr::from_bytes(&pair[..cut]), std::ffi::OsStr::from_bytes(value));
    }
    let (plan, stdio) = (plan.clone(), stdio.map(|fd| fd.as_raw_fd()));
    // SAFETY: between fork and exec `prepare` makes system calls only.
    unsafe {
        command.pre_exec(move || {
            prepare(&plan, stdio, Kept::OfStd).map_err(|_| io::Error::last_os_error())?;
            unblock_signals();
            Ok(())
        })
    };
    let child = command.spawn().map_err(|e| Failed::Child(Step::Exec, e))?;
    let pid = child.id();
    // The child is not collected before we do it, so the pid is still its own.
    let pidfd = rustix::process::Pid::from_raw(pid.cast_signed())
        .ok_or(io::Error::from_raw_os_error(libc::ESRCH))
        .and_then(|pid| Ok(rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())?));
    match pidfd {
        Ok(pidfd) => Ok(Born { pid, pidfd }),
        Err(e) => {
            let mut child = child;
            let _ = child.kill();
            let _ = child.wait();
            Err(Failed::Clone(e))
        }
    }
}

/// A child of the calling thread that has ended and that nobody has collected yet; it stays so.
pub(crate) fn ended_child() -> Option<u32> {
    wait_for(libc::P_ALL, 0, libc::WNOWAIT)
}

/// Collects this child of the calling thread, if it is one and has ended.
pub(crate) fn collect(pid: u32) -> bool {
    wait_for(libc::P_PID, pid, 0).is_some()
}

/// waitid(2) without waiting, for children of the calling thread alone. The pid that it tells of.
fn wait_for(whom: libc::idtype_t, pid: u32, more: c_int) -> Option<u32> {
    let options = libc::WEXITED | libc::WNOHANG | libc::__WNOTHREAD | more;
    loop {
        // SAFETY: siginfo_t is plain data for which all zero bytes are valid.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: `info` is a valid place for the answer; the rest are numbers.
        match unsafe { libc::waitid(whom, pid, &mut info, options) } {
            0 => {
                // SAFETY: waitid fills in this field, or leaves it zero when nobody has ended.
                let pid = unsafe { info.si_pid() };
                return (pid > 0).then(|| pid.unsigned_abs());
            }
            _ if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            _ => return None,
        }
    }
}

/// The children of the calling thread, as far as the kernel lists them: `/proc/thread-self/children` of proc(5).
pub(crate) fn children() -> Vec<u32> {
    let text = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// Has the runtime watch a descriptor for being readable. Within a runtime whose I/O is enabled only.
pub(crate) fn watch(fd: BorrowedFd<'_>) -> io::Result<AsyncFd<BorrowedFd<'_>>> {
    // SAFETY: the borrow keeps the descriptor open for the lifetime of the `AsyncFd`, and always gives the same number.
    Ok(unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }?)
}

/// Has whoever opens this file wait until it is closed here (fcntl(2), leases), as programs on a dead server have them
/// wait. Nobody else may have it open.
#[cfg(test)]
pub(crate) fn hold_back(file: &File) -> bool {
    // SAFETY: plain numbers; the kernel's signal to the holder of a lease is ignored by default of its own.
    unsafe {
        libc::signal(libc::SIGIO, libc::SIG_IGN);
        libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_WRLCK) == 0
    }
}

/// What the child finds on its stack.
struct Order<'a> {
    plan: &'a Plan,
    argv: *const *const c_char,
    envp: *const *const c_char,
    stdio: [RawFd; 3],
    /// Written by the child, read by the parent after it: which step failed …
    step: AtomicI32,
    /// … and why.
    errno: AtomicI32,
}

/// The child's life until it is the program.
extern "C" fn child(order: *mut c_void) -> c_int {
    // SAFETY: `clone_exec` passes a pointer to an `Order` that outlives the child's use of this memory.
    let order = unsafe { &*order.cast::<Order<'_>>() };
    let failed = match prepare(order.plan, order.stdio, Kept::None) {
        Err(step) => step,
        Ok(()) => {
            unblock_signals();
            // SAFETY: path, argv and envp are NUL-terminated, the vectors end in a null pointer, and all are alive.
            unsafe { libc::execve(order.plan.path.as_ptr(), order.argv, order.envp) };
            Step::Exec
        }
    };
    order.errno.store(errno(), Ordering::SeqCst);
    order.step.store(failed as i32, Ordering::SeqCst);
    // SAFETY: `_exit` runs none of the parent's exit handlers.
    unsafe { libc::_exit(127) }
}

/// Which descriptors beyond the standard ones a child keeps until its exec.
#[derive(Clone, Copy)]
enum Kept {
    /// None.
    None,
    /// Whatever the standard library may have open to its child, which is no file.
    OfStd,
}

/// All that is to be changed in the child before exec. On failure errno tells why.
fn prepare(plan: &Plan, stdio: [RawFd; 3], kept: Kept) -> Result<(), Step> {
    let check = |result: c_long, step: Step| if result < 0 { Err(step) } else { Ok(()) };
    // SAFETY: each call gets plain numbers or pointers into `plan`, which is alive. The ids are changed by raw system
    // calls: the C library's functions would try to change them in all threads of the parent (nptl(7)).
    unsafe {
        // No handler of the parent may run here, in its memory; exec would reset them a moment later anyway. Ignored
        // ones would stay ignored (Rust's runtime ignores SIGPIPE), so all of them are reset.
        for signal in 1..=64 as c_long {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                ALL_DEFAULT.as_ptr(),
                ptr::null::<u64>(),
                8 as c_long,
            );
        }
        if plan.ignore_hangup {
            libc::signal(libc::SIGHUP, libc::SIG_IGN);
        }
        check(libc::setsid().into(), Step::Session)?;
        for (from, to) in stdio.into_iter().zip(0..) {
            check(libc::dup2(from, to).into(), Step::Descriptors)?;
        }
        if let (Some(roll), Some(log)) = (&plan.roll, &plan.log) {
            enter(roll, log);
        }
        // Locks on files are held by whoever has them open. From here on anything may hang for ever, a directory or a
        // program on a server that is gone; should the supervisor die meanwhile, the next one must get its locks.
        disown(kept);
        if let Some(soft) = plan.nofile_soft {
            let mut limit: libc::rlimit64 = std::mem::zeroed();
            let get = libc::prlimit64(0, libc::RLIMIT_NOFILE, ptr::null(), &mut limit);
            check(get.into(), Step::Limits)?;
            limit.rlim_cur = soft.min(limit.rlim_max);
            check(libc::prlimit64(0, libc::RLIMIT_NOFILE, &limit, ptr::null_mut()).into(), Step::Limits)?;
        }
        if let Some(groups) = &plan.groups {
            check(libc::syscall(SYS_SETGROUPS, groups.len(), groups.as_ptr()), Step::Groups)?;
        }
        if let Some(gid) = plan.gid {
            check(libc::syscall(SYS_SETRESGID, gid, gid, gid), Step::Group)?;
        }
        if let Some(uid) = plan.uid {
            check(libc::syscall(SYS_SETRESUID, uid, uid, uid), Step::User)?;
        }
        if plan.tied {
            // After the ids, whose change takes it away. Where it is refused the program is only not ended with us.
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
        }
        if let Some(directory) = &plan.directory {
            check(libc::chdir(directory.as_ptr()).into(), Step::Directory)?;
        }
    }
    Ok(())
}

/// Where kernels cannot close all descriptors at once, those below this are: the locks of a supervisor are among the first
/// it opens.
const LOW: c_int = 1024;

/// Closes what the child has inherited beyond its standard descriptors.
fn disown(kept: Kept) {
    let last = c_long::from(i32::MAX);
    // SAFETY: the descriptors are the child's own copies, and nothing in it uses them any more; what std needs is no
    // regular file. `stat` is plain data for which all zero bytes are valid.
    unsafe {
        match kept {
            // Linux 5.9.
            Kept::None if libc::syscall(libc::SYS_close_range, 3 as c_long, last, 0 as c_long) == 0 => {}
            Kept::None => {
                for fd in 3..LOW {
                    libc::close(fd);
                }
            }
            Kept::OfStd => {
                let mut stat: libc::stat = std::mem::zeroed();
                for fd in 3..LOW {
                    if libc::fstat(fd, &mut stat) == 0 && stat.st_mode & libc::S_IFMT == libc::S_IFREG {
                        libc::close(fd);
                    }
                }
            }
        }
        // Ours are all close-on-exec already; this catches those of an embedding program. Linux 5.11; where it is
        // missing nothing is lost.
        libc::syscall(libc::SYS_close_range, 3 as c_long, last, CLOSE_RANGE_CLOEXEC);
    }
}

/// Writes who we are where the supervisor will look for us. If it cannot be written, the program is run all the same:
/// a full disk must not keep a service down.
fn enter(roll: &Roll, log: &File) {
    let mut line = Line { bytes: [0; 256], len: 0 };
    let Some(start) = own_start() else { return };
    // SAFETY: getpid has no conditions.
    let pid = unsafe { libc::getpid() };
    line.add(&roll.line[0]);
    line.decimal(pid.unsigned_abs().into());
    line.add(&roll.line[1]);
    line.decimal(start);
    line.add(&roll.line[2]);
    let log = log.as_raw_fd();
    // SAFETY: the log is open as long as the plan lives, and the kernel reads as many bytes as `line` holds.
    unsafe {
        let written = libc::write(log, line.bytes.as_ptr().cast(), line.len);
        if written > 0 && written.unsigned_abs() < line.len {
            // A full disk. Half a line would spoil the next one.
            let mut stat: libc::stat = std::mem::zeroed();
            if libc::fstat(log, &mut stat) == 0 {
                libc::ftruncate(log, stat.st_size - written as libc::off_t);
            }
        }
    }
}

/// Field 22 of our own `/proc/PID/stat` (proc(5)).
fn own_start() -> Option<u64> {
    let mut stat = [0u8; 1024];
    // SAFETY: the path is NUL-terminated, and the kernel writes no more than the buffer holds.
    let read = unsafe {
        let file = libc::open(c"/proc/self/stat".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        if file < 0 {
            return None;
        }
        let read = libc::read(file, stat.as_mut_ptr().cast(), stat.len());
        libc::close(file);
        read
    };
    let stat = stat.get(..usize::try_from(read).ok()?)?;
    let after_name = stat.iter().rposition(|b| *b == b')')? + 2;
    let field = stat.get(after_name..)?.split(|b| *b == b' ').nth(19)?;
    field.iter().try_fold(0u64, |n, b| n.checked_mul(10)?.checked_add(u64::from(b.checked_sub(b'0')?)))
}

/// A line that needs no memory but its own. What does not fit is left out.
struct Line {
    bytes: [u8; 256],
    len: usize,
}

impl Line {
    fn add(&mut self, text: &[u8]) {
        for byte in text {
            if let Some(place) = self.bytes.get_mut(self.len) {
                *place = *byte;
                self.len += 1;
            }
        }
    }

    fn decimal(&mut self, number: u64) {
        let mut digits = [0u8; 20];
        let (mut at, mut rest) = (digits.len(), number);
        while at > 0 && (rest > 0 || at == digits.len()) {
            at -= 1;
            if let Some(digit) = digits.get_mut(at) {
                *digit = b'0' + (rest % 10) as u8;
            }
            rest /= 10;
        }
        self.add(digits.get(at..).unwrap_or_default());
    }
}

/// The kernel's `struct sigaction` with SIG_DFL, no flags and an empty mask, which is all zero on every architecture.
static ALL_DEFAULT: [u64; 8] = [0; 8];

#[cfg(not(any(target_arch = "x86", target_arch = "arm")))]
use libc::{SYS_setgroups as SYS_SETGROUPS, SYS_setresgid as SYS_SETRESGID, SYS_setresuid as SYS_SETRESUID};
#[cfg(any(target_arch = "x86", target_arch = "arm"))] // their unsuffixed calls take ids of 16 bits
use libc::{
    SYS_setgroups32 as SYS_SETGROUPS, SYS_setresgid32 as SYS_SETRESGID, SYS_setresuid32 as SYS_SETRESUID,
};

const CLOSE_RANGE_CLOEXEC: c_long = 1 << 2; // linux/close_range.h

/// Programs start with no signal blocked.
fn unblock_signals() {
    // SAFETY: as in `block_signals`; sigprocmask is a plain system call here.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, ptr::null_mut());
    }
}

fn errno() -> i32 {
    // SAFETY: the address of this thread's errno is always valid.
    unsafe { *libc::__errno_location() }
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|s| s.as_ptr()).chain([ptr::null()]).collect()
}

impl Step {
    fn from_raw(raw: i32) -> Option<Self> {
        use Step::*;
        [Session, Descriptors, Limits, Groups, Group, User, Directory, Exec]
            .into_iter()
            .find(|s| *s as i32 == raw)
    }
}

/// The primary group of the user `uid`, and all groups he is in, as login(1) would set them. With `gid`, that is his
/// primary group instead.
///
/// Asks the name service of the host (nsswitch.conf(5)), which may go over the network: ask when loading.
///
/// # Errors
/// `NotFound` if there is no such user; otherwise what the name service says.
pub fn groups_of(uid: u32, gid: Option<u32>) -> io::Result<(u32, Vec<u32>)> {
    let mut space = vec![0 as c_char; 16 * 1024];
    let mut found = ptr::null_mut();
    // SAFETY: passwd is plain data for which all zero bytes are valid.
    let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
    // SAFETY: the three buffers are alive and `space` is as long as said; the strings of `entry` point into `space`.
    let error = unsafe { libc::getpwuid_r(uid, &mut entry, space.as_mut_ptr(), space.len(), &mut found) };
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error));
    }
    if found.is_null() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no user with the id {uid}")));
    }
    // SAFETY: getpwuid_r found an entry, so its name is a NUL-terminated string within `space`, which is alive.
    let name = unsafe { CStr::from_ptr(entry.pw_name) };
    let primary = gid.unwrap_or(entry.pw_gid);
    let mut groups: Vec<libc::gid_t> = vec![0; 64];
    loop {
        let mut n = c_int::try_from(groups.len()).unwrap_or(c_int::MAX);
        // SAFETY: `groups` has room for the `n` ids that it is said to have.
        let all = unsafe { libc::getgrouplist(name.as_ptr(), primary, groups.as_mut_ptr(), &mut n) } >= 0;
        let n = usize::try_from(n).unwrap_or(0);
        if all {
            groups.truncate(n);
            return Ok((primary, groups));
        }
        if groups.len() >= 65_536 {
            return Err(io::Error::other(format!("the user with the id {uid} is in too many groups")));
        }
        groups.resize(n.max(groups.len() * 2), 0);
    }
}
