//! The standard descriptors of a child.

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::io::Errno;

/// Something that is at its end when read: `/dev/null`, or a pipe nobody writes to where there is no such file.
pub(super) fn empty_input() -> Result<OwnedFd, Errno> {
    use rustix::fs::{Mode, OFlags};
    match rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(fd) => clear_of_stdio(fd),
        Err(_) => Ok(pipe()?.0),
    }
}

/// A pipe whose reading end does not block; the writing end does, for programs expect it so.
pub(super) fn pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let flags = rustix::fs::fcntl_getfl(&reader)?;
    rustix::fs::fcntl_setfl(&reader, flags | rustix::fs::OFlags::NONBLOCK)?;
    Ok((clear_of_stdio(reader)?, clear_of_stdio(writer)?))
}

/// A supervisor started with closed standard descriptors gets new ones numbered 0 to 2, which the child's would then
/// overwrite before they are copied.
fn clear_of_stdio(fd: OwnedFd) -> Result<OwnedFd, Errno> {
    if fd.as_raw_fd() > 2 { Ok(fd) } else { rustix::io::fcntl_dupfd_cloexec(&fd, 3) }
}
