//! System calls that no crate of ours wraps: users and groups, glob(7), fork(2), locks that are not a process's.

use std::ffi::{CStr, CString, OsString};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::ptr;

/// A user of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    /// Its id.
    pub(crate) uid: u32,
    /// Its primary group.
    pub(crate) gid: u32,
    /// Its home directory.
    pub(crate) home: PathBuf,
}

/// Room for the strings of a passwd or group entry; doubled as long as it is too small.
const ROOM: usize = 4096;
/// More than any entry needs: a group with some hundred thousand members.
const ROOM_AT_MOST: usize = 16 << 20;

/// The user of this name, as getpwnam(3) knows it; `None` if there is none or the directory does not answer.
pub(crate) fn user(name: &str) -> Option<Account> {
    let name = CString::new(name).ok()?;
    passwd(|entry, strings, found| {
        // SAFETY: all pointers are valid for the call, and the length is that of `strings`.
        unsafe { libc::getpwnam_r(name.as_ptr(), entry, strings.as_mut_ptr().cast(), strings.len(), found) }
    })
}

/// The user with this id.
pub(crate) fn user_of(uid: u32) -> Option<Account> {
    passwd(|entry, strings, found| {
        // SAFETY: as in `user`.
        unsafe { libc::getpwuid_r(uid, entry, strings.as_mut_ptr().cast(), strings.len(), found) }
    })
}

fn passwd(
    ask: impl Fn(*mut libc::passwd, &mut [u8], *mut *mut libc::passwd) -> libc::c_int,
) -> Option<Account> {
    let mut strings = vec![0_u8; ROOM];
    loop {
        let mut entry = MaybeUninit::<libc::passwd>::zeroed();
        let mut found = ptr::null_mut();
        match ask(entry.as_mut_ptr(), &mut strings, &mut found) {
            libc::ERANGE if strings.len() < ROOM_AT_MOST => strings.resize(strings.len() * 2, 0),
            0 if !found.is_null() => {
                // SAFETY: the call succeeded and set `found` to `entry`, whose strings lie in `strings`, still there.
                let (found, home) = unsafe { (*found, CStr::from_ptr((*found).pw_dir)) };
                let (uid, gid) = (found.pw_uid, found.pw_gid);
                let home = OsString::from_vec(home.to_bytes().to_vec()).into();
                return Some(Account { uid, gid, home });
            }
            _ => return None,
        }
    }
}

/// The id of the group of this name, as getgrnam(3) knows it.
pub(crate) fn group(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    groups(|entry, strings, found| {
        // SAFETY: all pointers are valid for the call, and the length is that of `strings`.
        unsafe { libc::getgrnam_r(name.as_ptr(), entry, strings.as_mut_ptr().cast(), strings.len(), found) }
    })
}

/// Whether there is a group with this id.
pub(crate) fn is_group(gid: u32) -> bool {
    let found = groups(|entry, strings, found| {
        // SAFETY: as in `group`.
        unsafe { libc::getgrgid_r(gid, entry, strings.as_mut_ptr().cast(), strings.len(), found) }
    });
    found.is_some()
}

fn groups(ask: impl Fn(*mut libc::group, &mut [u8], *mut *mut libc::group) -> libc::c_int) -> Option<u32> {
    let mut strings = vec![0_u8; ROOM];
    loop {
        let mut entry = MaybeUninit::<libc::group>::zeroed();
        let mut found = ptr::null_mut();
        match ask(entry.as_mut_ptr(), &mut strings, &mut found) {
            libc::ERANGE if strings.len() < ROOM_AT_MOST => strings.resize(strings.len() * 2, 0),
            // SAFETY: the call succeeded and set `found` to `entry`.
            0 if !found.is_null() => return Some(unsafe { (*found).gr_gid }),
            _ => return None,
        }
    }
}

/// The paths that match a pattern of glob(7), in alphabetical order.
pub(crate) fn glob(pattern: &str) -> Vec<PathBuf> {
    let Ok(pattern) = CString::new(pattern) else { return Vec::new() };
    let mut found = MaybeUninit::<libc::glob_t>::zeroed();
    // SAFETY: the pattern is a C string and the result zeroed, as glob(3) asks for without GLOB_DOOFFS.
    let result = unsafe { libc::glob(pattern.as_ptr(), 0, None, found.as_mut_ptr()) };
    let mut paths = Vec::new();
    if result == 0 {
        // SAFETY: glob succeeded: `gl_pathv` holds `gl_pathc` C strings.
        unsafe {
            let found = found.assume_init_ref();
            for i in 0..found.gl_pathc {
                let path = CStr::from_ptr(*found.gl_pathv.add(i));
                paths.push(OsString::from_vec(path.to_bytes().to_vec()).into());
            }
        }
    }
    // SAFETY: `found` was zeroed, or filled by glob; either way globfree takes it.
    unsafe { libc::globfree(found.as_mut_ptr()) };
    paths
}

/// Goes on as two processes: `Some` in the old one, with the pid of the new one, `None` in the new one.
///
/// # Errors
/// As fork(2); also if this process has more than one thread, for the others would be missing in the new one.
pub(crate) fn fork() -> io::Result<Option<i32>> {
    if std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() > 1) {
        return Err(io::Error::other("a process with several threads cannot go to the background"));
    }
    // SAFETY: there is one thread, so the new process is a whole copy in which everything may be called.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        pid => Ok(Some(pid)),
    }
}

/// Ends this process at once: no destructor, no exit handler, for those belong to the process it was forked from.
pub(crate) fn leave(code: i32) -> ! {
    // SAFETY: _exit(2) may be called at any time.
    unsafe { libc::_exit(code) }
}

fn lock_of(kind: libc::c_int, start: i64, length: i64) -> libc::flock {
    // SAFETY: all zero is a valid `flock`.
    let mut lock: libc::flock = unsafe { MaybeUninit::zeroed().assume_init() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = start;
    lock.l_len = length;
    lock
}

/// Locks one byte of a file for this open file, and those who inherit it through fork(2): `F_OFD_SETLK` of fcntl(2).
/// `false`: somebody else holds it.
///
/// # Errors
/// As fcntl(2).
pub(crate) fn lock(file: &File, byte: i64) -> io::Result<bool> {
    let lock = lock_of(libc::F_WRLCK, byte, 1);
    // SAFETY: the descriptor is open and `lock` valid.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &lock) } {
        -1 => match io::Error::last_os_error() {
            error if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
            error => Err(error),
        },
        _ => Ok(true),
    }
}

/// The first byte from `start` on that somebody else has locked: `F_OFD_GETLK` of fcntl(2), which locks nothing. Locks
/// for reading do not count: who can hold one may have no right to write.
///
/// # Errors
/// As fcntl(2).
pub(crate) fn locked(file: &File, start: i64) -> io::Result<Option<i64>> {
    // Asked for a lock to read with: only one to write with is in its way.
    let mut lock = lock_of(libc::F_RDLCK, start, 0);
    // SAFETY: the descriptor is open and `lock` valid.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &mut lock) } {
        -1 => Err(io::Error::last_os_error()),
        _ if i32::from(lock.l_type) == libc::F_UNLCK => Ok(None),
        _ => Ok(Some(lock.l_start)),
    }
}

/// Locks a whole file as anybody can who may read it.
#[cfg(test)]
pub(crate) fn lock_shared(file: &File) -> io::Result<bool> {
    let lock = lock_of(libc::F_RDLCK, 0, 0);
    // SAFETY: the descriptor is open and `lock` valid.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &lock) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(true),
    }
}

/// Keeps SIGTERM from ending this process and its coming threads; [`wait_for_term`] gets it.
pub(crate) fn hold_term() {
    // SAFETY: the set is initialised by sigemptyset before it is used.
    unsafe {
        let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGTERM);
        libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), ptr::null_mut());
    }
}

/// Waits for a SIGTERM that [`hold_term`] holds.
pub(crate) fn wait_for_term() {
    // SAFETY: the set is initialised by sigemptyset before it is used, and `signal` is valid.
    unsafe {
        let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGTERM);
        let mut signal = 0;
        while libc::sigwait(set.as_ptr(), &mut signal) != 0 {}
    }
}

/// Where the segments of an object begin and end that are mapped from its file and never written: text and constants.
///
/// # Safety
/// `info` is an object as dl_iterate_phdr(3) gives it.
unsafe fn segments_of_file(info: *const libc::dl_phdr_info) -> impl Iterator<Item = (u64, u64)> {
    // SAFETY: by the contract of this function; its headers are an array of the length it says.
    let (base, headers) = unsafe {
        let info = &*info;
        (info.dlpi_addr, std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)))
    };
    let kept = headers.iter().filter(|h| h.p_type == libc::PT_LOAD && h.p_flags & libc::PF_W == 0);
    kept.map(move |header| (base + header.p_vaddr, base + header.p_vaddr + header.p_memsz))
}

/// Gives back free memory, and the pages of program text and constants that are mapped, ours and those of libraries. They
/// stay in the page cache, and what is touched again is mapped again, by a minor fault of about a microsecond for sixteen
/// pages. From any thread.
pub(crate) fn give_back() {
    unsafe extern "C" fn object(
        info: *mut libc::dl_phdr_info,
        _size: usize,
        _data: *mut libc::c_void,
    ) -> libc::c_int {
        // SAFETY: dl_iterate_phdr(3) gives a valid object.
        let segments = unsafe { segments_of_file(info) };
        let page = rustix::param::page_size() as u64;
        for (start, last) in segments {
            let first = start / page * page;
            // SAFETY: the range is one of a segment that is mapped from a file and never written (relocated data is in
            // writable segments), so dropping its pages loses nothing: they are read from the file again.
            unsafe {
                libc::madvise(first as *mut libc::c_void, (last - first) as usize, libc::MADV_DONTNEED)
            };
        }
        0
    }
    // SAFETY: `object` keeps to the contract of dl_iterate_phdr(3), and does not unwind.
    unsafe { libc::dl_iterate_phdr(Some(object), ptr::null_mut()) };
    // SAFETY: malloc_trim(3) only gives free memory back to the system.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0)
    };
}

/// Has the kernel map our own program text and constants in small pieces.
///
/// With the page that is touched the kernel maps its neighbours, 64 kB in all, but never beyond the piece that it keeps as
/// one (`struct vm_area_struct`); and what a quiet daemon needs is a few functions here and there. Neighbours that differ
/// in an advice are kept apart, and whether to be part of a core dump, which text never is, is one without other effect.
fn map_in_pieces() {
    const PIECE: u64 = 16 * 1024;
    unsafe extern "C" fn first_object(
        info: *mut libc::dl_phdr_info,
        _size: usize,
        _data: *mut libc::c_void,
    ) -> libc::c_int {
        // SAFETY: dl_iterate_phdr(3) gives a valid object.
        let segments = unsafe { segments_of_file(info) };
        for (start, last) in segments {
            let mut piece = start.div_ceil(PIECE) * PIECE;
            while piece + PIECE <= last {
                // SAFETY: the range lies within a mapped segment, and the advice changes nothing of what it holds.
                unsafe { libc::madvise(piece as *mut libc::c_void, PIECE as usize, libc::MADV_DONTDUMP) };
                piece += 2 * PIECE;
            }
        }
        // The first object is the program itself.
        1
    }
    // SAFETY: `first_object` keeps to the contract of dl_iterate_phdr(3), and does not unwind.
    unsafe { libc::dl_iterate_phdr(Some(first_object), ptr::null_mut()) };
}

/// Gives back what only the start needed, from the thread that did it: the same, and what its stack does not need again.
pub(crate) fn forget_the_start() {
    map_in_pieces();
    give_back();
    // The stack was deeper once than it will be again: what lies below us, but for a little, holds nothing.
    let marker = 0_u8;
    let here = ptr::from_ref(&marker) as usize;
    let page = rustix::param::page_size();
    let (spare, reach) = (4 * page, 256 * page);
    if let Some(end) = (here / page * page).checked_sub(spare).filter(|end| *end > reach) {
        // SAFETY: the range ends well below every frame in use, and nothing below those is read before it is written. Of
        // the range, what is not mapped is left out by the kernel (ENOMEM).
        unsafe { libc::madvise((end - reach) as *mut libc::c_void, reach, libc::MADV_DONTNEED) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_found_by_name_and_by_number() {
        let root = user("root").expect("root");
        assert_eq!((root.uid, root.gid, user_of(0)), (0, 0, Some(root)));
        assert_eq!(group("root"), Some(0));
        assert_eq!((user("no such user"), group("no\0group")), (None, None));
    }

    #[test]
    fn a_glob_finds_files_in_order() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.toml", "a.toml", "c.txt"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let found = glob(&format!("{}/*.toml", dir.path().display()));
        assert_eq!(found, [dir.path().join("a.toml"), dir.path().join("b.toml")]);
        assert!(glob("/no/such/folder/*").is_empty());
    }

    #[test]
    fn a_lock_is_seen_by_others_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let open =
            || File::options().create(true).truncate(false).read(true).write(true).open(&path).unwrap();
        let (one, other) = (open(), open());
        assert!(lock(&one, 7).unwrap());
        assert_eq!(
            (locked(&one, 0).unwrap(), locked(&other, 0).unwrap(), locked(&other, 8).unwrap()),
            (None, Some(7), None)
        );
        assert!(!lock(&other, 7).unwrap());
        drop(one);
        let reader = File::open(&path).unwrap();
        assert!(lock_shared(&reader).unwrap());
        assert_eq!(locked(&other, 0).unwrap(), None);
        drop(reader);
        assert!(lock(&other, 7).unwrap());
    }
}
