//! Starts programs off the runtime's thread, and keeps what they leave behind.
//!
//! # Theory of operation
//! One thread, made on first use, sleeps in an epoll. A request wakes it through an eventfd; it clones the child
//! (`sys`), which suspends it until the program has been executed, and answers through a oneshot channel. The runtime
//! then waits for the child by its pidfd; no signal handler and no `wait` for any child is involved, so an embedding
//! program may have children of its own.
//!
//! The same thread reads the pipe that is the child's standard output and error. It remembers the last few KiB while
//! somebody waits for the child. A program that leaves a daemon behind which inherited the pipe has still ended: its
//! caller is answered at once, and the pipe goes on being read, and its content thrown away, for as long as somebody
//! holds the other end, so such a daemon neither blocks nor dies of SIGPIPE while the supervisor lives. Memory stays
//! bounded whatever is written.
//!
//! An exec may hang (a program on a network file system whose server is gone). A caller who has waited
//! [`PATIENCE`] has another thread started, which takes over requests and pipes; surplus threads end when they come back.

mod child;
mod keeper;
mod orphans;
mod stdio;
mod trouble;

use std::collections::VecDeque;
use std::ffi::{CStr, CString, OsString};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hinoban_action::ActionError;
use jiff::tz::TimeZone;
use rustix::event::epoll;
use tokio::sync::oneshot;

use crate::sys::{self, Failed, Plan, Stack};

pub(crate) use child::{Child, start_time};
use keeper::Keeper;

/// How long one exec may take before another thread takes over.
pub const PATIENCE: Duration = Duration::from_millis(100);

/// Where programs named without a slash are looked for when the environment holds no `PATH`.
const SEARCH_PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Threads at most: so many programs may hang in their exec at the same time before requests wait.
const THREADS: usize = 64;

/// What all programs started have in common.
#[derive(Debug, Clone, Default)]
pub struct SpawnerOptions {
    /// The environment that programs inherit. By default, empty: whoever may read the environment passes it in.
    pub environment: Vec<(OsString, OsString)>,
    /// The soft limit of open files that programs get (`RLIMIT_NOFILE`, cut to the hard limit), where the supervisor
    /// has raised its own. By default, they inherit the supervisor's.
    pub nofile_soft: Option<u64>,
    /// The time zone of `MONIT_DATE`. By default, that of the host, which is looked up when the first program is run.
    pub zone: Option<TimeZone>,
}

/// Starts programs. Dropping it lets running programs run; its thread ends when nothing is left to read or collect.
#[derive(Debug)]
pub struct Spawner {
    shared: Arc<Shared>,
    environment: Vec<(Vec<u8>, Vec<u8>)>,
    nofile_soft: Option<u64>,
    zone: Option<TimeZone>,
}

/// What a caller wants started; the rest of the plan is the spawner's.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) plan: Plan,
    /// What of its output is remembered.
    pub(crate) output: Wanted,
}

/// What is remembered of what a program prints.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted {
    /// The last so many bytes, of both descriptors as they came.
    Last(usize),
    /// The first so many bytes of standard output, and as many of standard error.
    First(usize),
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    keeper: Arc<Keeper>,
    /// Directories in which a program named without a slash is looked for.
    search_path: Vec<u8>,
    /// Whether only the standard library is used. Tests take that way too.
    std_only: AtomicBool,
    #[cfg(test)]
    hang: Mutex<Option<std::sync::mpsc::Receiver<()>>>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(Request, oneshot::Sender<Result<Child, ActionError>>)>,
    threads: usize,
    /// Threads inside a clone at the moment.
    busy: usize,
    closed: bool,
}

// === impl Spawner ===

impl Spawner {
    /// Makes a spawner. Its thread is made when the first program is started.
    pub fn start(options: SpawnerOptions) -> Arc<Self> {
        let bytes = |(name, value): (OsString, OsString)| (name.into_vec(), value.into_vec());
        let environment: Vec<_> = options.environment.into_iter().map(bytes).collect();
        let path = environment.iter().find(|(name, _)| name == b"PATH");
        Arc::new(Self {
            shared: Arc::new(Shared {
                queue: Mutex::default(),
                keeper: Arc::new(Keeper::new()),
                search_path: path.map_or_else(|| SEARCH_PATH.to_vec(), |(_, path)| path.clone()),
                std_only: false.into(),
                #[cfg(test)]
                hang: Mutex::default(),
            }),
            environment,
            nofile_soft: options.nofile_soft,
            zone: options.zone,
        })
    }

    pub(crate) fn nofile_soft(&self) -> Option<u64> {
        self.nofile_soft
    }

    pub(crate) fn zone(&self) -> Option<TimeZone> {
        self.zone.clone()
    }

    /// The inherited environment with `more` in it, which replaces what has the same name.
    pub(crate) fn environment_with(&self, more: &[(&str, String)]) -> Vec<CString> {
        let inherited = self
            .environment
            .iter()
            .filter(|(name, _)| !more.iter().any(|(m, _)| m.as_bytes() == name))
            .map(|(name, value)| [name.as_slice(), b"=", value].concat());
        let added = more.iter().map(|(name, value)| format!("{name}={value}").into_bytes());
        inherited.chain(added).map(without_nul).collect()
    }

    /// Starts a program. Dropping the future is safe: a child born after that is killed and collected.
    pub(crate) async fn spawn(&self, request: Request) -> Result<Child, ActionError> {
        let (sender, mut answer) = oneshot::channel();
        {
            let mut queue = self.shared.queue();
            queue.waiting.push_back((request, sender));
            // A busy thread is not helped out at once: a start takes it 0.1 ms, and fifty at a time must not make fifty
            // threads.
            if queue.threads == 0
                && let Err(e) = self.shared.ensure_thread(&mut queue)
            {
                queue.waiting.pop_back();
                return Err(trouble::of_resources(e));
            }
        }
        self.shared.keeper.wake();
        loop {
            match tokio::time::timeout(PATIENCE, &mut answer).await {
                Ok(Ok(result)) => return result,
                Ok(Err(_)) => {
                    return Err(trouble::of_resources(io::Error::other(
                        "the thread that starts programs died",
                    )));
                }
                Err(_) => {
                    let mut queue = self.shared.queue();
                    // A failure leaves us with the threads there are, which is where we were.
                    let _ = self.shared.ensure_thread(&mut queue);
                    drop(queue);
                    self.shared.keeper.wake();
                }
            }
        }
    }
}

#[cfg(test)]
impl Spawner {
    pub(crate) fn use_std(&self) {
        self.shared.std_only.store(true, Ordering::SeqCst);
    }

    pub(crate) fn threads(&self) -> usize {
        self.shared.queue().threads
    }

    /// Has the next start hang, as an exec from a dead server does, until what is returned is dropped.
    pub(crate) fn hang_next(&self) -> std::sync::mpsc::Sender<()> {
        let (release, hang) = std::sync::mpsc::channel();
        *self.shared.hang.lock().unwrap() = Some(hang);
        release
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        self.shared.queue().closed = true;
        self.shared.keeper.wake();
    }
}

/// A string that C can hold: bytes of value zero are left out.
pub(crate) fn without_nul(mut bytes: Vec<u8>) -> CString {
    bytes.retain(|b| *b != 0);
    CString::new(bytes).unwrap_or_default()
}

// === impl Shared ===

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while it holds the lock; should that ever change, the queue is whole between statements.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that a thread is free to take the next request.
    fn ensure_thread(self: &Arc<Self>, queue: &mut Queue) -> io::Result<()> {
        if queue.threads > queue.busy || queue.threads >= THREADS {
            return Ok(());
        }
        self.keeper.open()?;
        let shared = self.clone();
        std::thread::Builder::new()
            .name("spawner".into())
            .stack_size(128 * 1024)
            .spawn(move || shared.work())
            .map(|_| queue.threads += 1)
    }

    /// A thread's life.
    fn work(self: Arc<Self>) {
        sys::block_signals();
        let stack = Stack::new();
        let mut space = vec![0; 16 * 1024];
        let mut events: Vec<epoll::Event> = Vec::with_capacity(32);
        // What is tied to this thread would end with it.
        let mut tied: Vec<u32> = Vec::new();
        loop {
            loop {
                let mut queue = self.queue();
                if queue.threads > queue.busy + 1 {
                    tied.retain(|pid| self.keeper.is_ours(*pid));
                    if tied.is_empty() {
                        queue.threads -= 1; // somebody took over while we hung
                        return;
                    }
                }
                let Some((request, answer)) = queue.waiting.pop_front() else {
                    if queue.closed && self.keeper.is_empty() {
                        queue.threads -= 1;
                        return;
                    }
                    break;
                };
                queue.busy += 1;
                drop(queue);
                let ties = request.plan.tied;
                let born = self.bear(request, stack.as_ref());
                if let (true, Ok(child)) = (ties, &born) {
                    // Few run at a time; the others are forgotten before there is need for more room.
                    if tied.len() == tied.capacity() {
                        tied.retain(|pid| self.keeper.is_ours(*pid));
                    }
                    tied.push(child.pid());
                }
                self.queue().busy -= 1;
                if let Err(Ok(child)) = answer.send(born) {
                    child.unwanted(); // nobody waits any more: the deadline passed during the exec
                }
            }
            self.keeper.attend(&mut events, &mut space);
        }
    }

    fn bear(&self, request: Request, stack: Result<&Stack, &io::Error>) -> Result<Child, ActionError> {
        #[cfg(test)]
        if let Some(hang) = { self.hang.lock().unwrap().take() } {
            let _ = hang.recv();
        }
        let Request { mut plan, output } = request;
        if let Some(path) = self.find(&plan.path) {
            plan.path = path;
        }
        let stdin = stdio::empty_input().map_err(trouble::of_resources)?;
        let (reader, writer) = stdio::pipe().map_err(trouble::of_resources)?;
        let errors = match output {
            Wanted::First(_) => Some(stdio::pipe().map_err(trouble::of_resources)?),
            Wanted::Last(_) => None,
        };
        let second = errors.as_ref().map_or(&writer, |(_, writer)| writer);
        let standard = [stdin.as_fd(), writer.as_fd(), second.as_fd()];
        plan.find_log();
        let clone = match stack {
            Ok(stack) if !self.std_only.load(Ordering::Relaxed) => sys::clone_exec(&plan, standard, stack),
            _ => Err(Failed::Clone(io::Error::from_raw_os_error(libc::ENOSYS))),
        };
        let born = match clone {
            // An old kernel or a sandbox: the standard library knows a way without CLONE_PIDFD.
            Err(Failed::Clone(e)) if !short_of_resources(&e) => sys::std_exec(&plan, standard),
            other => other,
        };
        drop(writer);
        let errors = errors.map(|(reader, _)| reader);
        let born = born.map_err(|failed| match failed {
            Failed::Child(step, e) => trouble::of_child(step, &e, &plan),
            Failed::Clone(e) => trouble::of_resources(e),
        })?;
        // This thread is its parent for as long as it is here, so nobody takes it for an orphan before that.
        self.keeper.born(born.pid);
        let tail = self.keeper.read_on(reader, output);
        let errors = errors.map(|reader| self.keeper.read_on(reader, output));
        Ok(Child::new(born, tail, errors, self.keeper.clone()))
    }

    /// The file that a word without a slash means: the first executable one of that name on the search path.
    fn find(&self, word: &CStr) -> Option<CString> {
        if word.to_bytes().contains(&b'/') {
            return None;
        }
        let directories = self.search_path.split(|b| *b == b':').filter(|d| d.starts_with(b"/"));
        let paths = directories.map(|d| without_nul([d, b"/", word.to_bytes()].concat()));
        paths.into_iter().find(|path| rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok())
    }
}

/// Whether it may work another time.
fn short_of_resources(e: &io::Error) -> bool {
    let short =
        [libc::EAGAIN, libc::ENOMEM, libc::EMFILE, libc::ENFILE, libc::ETXTBSY, libc::EIO, libc::ESTALE];
    e.raw_os_error().is_some_and(|code| short.contains(&code))
}
