//! One process through its files in `/proc`, and who its children are.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::wanted::Turn;
use crate::clock;
use crate::proc::{Kept, Stat, number, says_gone, unreadable};

/// A process by its identity, with the files of `/proc` we ask about it again and again.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) pid: u32,
    pub(super) start: u64,
    stat: Kept,
    statm: Kept,
    children: Kept,
    io: Kept,
    memory: Option<Memory>,
}

/// What `statm` said, and by what is told that it would say the same again.
#[derive(Debug)]
struct Memory {
    /// What [`Stat`] had of page faults, processor time and memory.
    marks: (u64, u64, i64),
    bytes: u64,
    turn: Turn,
}

impl Task {
    /// Opens whatever process has this pid now.
    pub(super) fn open(pid: u32) -> io::Result<(Self, Stat)> {
        let mut task = Self {
            pid,
            start: 0,
            stat: Kept::default(),
            statm: Kept::default(),
            children: Kept::default(),
            io: Kept::default(),
            memory: None,
        };
        let stat = task.read_stat()?;
        task.start = stat.start;
        Ok((task, stat))
    }

    /// Reads `stat`; another process under our pid is NotFound. `// invariant 9`
    pub(super) fn stat(&mut self) -> io::Result<Stat> {
        let stat = self.read_stat()?;
        if stat.start == self.start { Ok(stat) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn read_stat(&mut self) -> io::Result<Stat> {
        let mut buffer = [0; 1024];
        let n = self.stat.read(|| format!("/proc/{}/stat", self.pid), &mut buffer)?;
        Stat::parse(&buffer[..n]).ok_or_else(unreadable)
    }

    /// Resident memory in bytes. From `statm`: the number in `stat` may lag by many pages on hosts with many processors.
    ///
    /// A process that has had no page fault and no processor time since was given no more memory, and if the number in
    /// `stat` rests too, little can have been taken from it: then `statm`, a quarter of a look, is read every 19 s only.
    pub(super) fn memory(&mut self, stat: &Stat, now: Duration) -> Option<u64> {
        let marks = (stat.faults, stat.cpu, stat.resident);
        if let Some(known) = &self.memory
            && !known.turn.has_come(known.marks != marks, now)
        {
            return Some(known.bytes);
        }
        let bytes = self.resident()?;
        let mut turn = Turn::default();
        turn.taken(now);
        self.memory = Some(Memory { marks, bytes, turn });
        Some(bytes)
    }

    fn resident(&mut self) -> Option<u64> {
        let mut buffer = [0; 256];
        let n = self.statm.read(|| format!("/proc/{}/statm", self.pid), &mut buffer).ok()?;
        let pages: u64 = number(buffer[..n].split(|b| *b == b' ').nth(1)?)?;
        Some(pages * rustix::param::page_size() as u64)
    }

    /// The text of `/proc/PID/io`; none without permission (root, or the same user).
    pub(super) fn io<'b>(&mut self, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        let n = self.io.read(|| format!("/proc/{}/io", self.pid), buffer).ok()?;
        Some(&buffer[..n])
    }

    /// Open descriptors, by the size of `/proc/PID/fd` (Linux 6.2), before that by counting.
    pub(super) fn descriptors(&self) -> Option<u64> {
        let path = format!("/proc/{}/fd", self.pid);
        match rustix::fs::stat(&path).ok()?.st_size {
            0 => Some(std::fs::read_dir(&path).ok()?.count() as u64),
            n => u64::try_from(n).ok(),
        }
    }

    /// Direct children, of every thread. `threads` is the number from [`Stat`].
    pub(super) fn children(&mut self, threads: u32, found: &mut Vec<u32>) {
        /// With more threads than this, one look at all processes, shared by all probes, is cheaper.
        const BY_FILE: u32 = 16;
        let pid = self.pid;
        let result = match threads {
            0 | 1 => {
                let mut buffer = [0; 2048];
                let path = || format!("/proc/{pid}/task/{pid}/children");
                match self.children.read(path, &mut buffer) {
                    // A full buffer may be half the truth.
                    Ok(n) if n == buffer.len() => whole_file(&path()).map(|text| pids(&text, found)),
                    Ok(n) => {
                        pids(&buffer[..n], found);
                        Ok(())
                    }
                    Err(e) => Err(e),
                }
            }
            2..=BY_FILE => children_of_threads(pid, found),
            _ => Err(io::ErrorKind::Unsupported.into()),
        };
        // Kernels without CONFIG_PROC_CHILDREN lack the file. A process that just ended lacks it too, and has no
        // children either.
        if result.is_err() {
            self.children.forget();
            shared_scan(|table| found.extend(table.get(&pid).into_iter().flatten()));
        }
    }
}

fn children_of_threads(pid: u32, found: &mut Vec<u32>) -> io::Result<()> {
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = thread?.path().join("children");
        match File::open(path).and_then(|file| whole(&file)) {
            Ok(text) => pids(&text, found),
            Err(e) if says_gone(&e) && std::fs::exists(format!("/proc/{pid}/task/{pid}/children"))? => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

fn whole_file(path: &str) -> io::Result<Vec<u8>> {
    whole(&File::open(path)?)
}

fn whole(file: &File) -> io::Result<Vec<u8>> {
    let mut text = vec![0; 512];
    let mut filled = 0;
    loop {
        match file.read_at(&mut text[filled..], filled as u64)? {
            0 => break,
            n => filled += n,
        }
        text.resize(text.len().max(filled * 2), 0);
    }
    text.truncate(filled);
    Ok(text)
}

fn pids(text: &[u8], found: &mut Vec<u32>) {
    found.extend(text.split(|b| b.is_ascii_whitespace()).filter_map(number::<u32>));
}

/// Parents and their children, of the whole host.
type Table = HashMap<u32, Vec<u32>>;

/// Gives a table that is at most half a second old.
fn shared_scan(use_it: impl FnOnce(&Table)) {
    const FRESH: Duration = Duration::from_millis(500);
    static SHARED: Mutex<Option<(Duration, Table)>> = Mutex::new(None);
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let now = clock::since_boot();
    let (_, table) = match shared.take() {
        Some(kept) if now.saturating_sub(kept.0) <= FRESH => shared.insert(kept),
        _ => shared.insert((now, scan())),
    };
    use_it(table);
}

fn scan() -> Table {
    let mut table = Table::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        if let Some(pid) = number::<u32>(entry.file_name().as_encoded_bytes())
            && let Ok(stat) = Stat::of(pid)
        {
            table.entry(stat.ppid).or_default().push(pid);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command};

    struct Killed(Child);
    impl Drop for Killed {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn both_ways_find_a_child_of_another_thread() {
        // Spawned from this test's thread, which is not the main one: its file is not task/PID/children.
        let child = Killed(Command::new("sleep").arg("100").spawn().unwrap());
        let (mut us, stat) = Task::open(std::process::id()).unwrap();
        let mut found = Vec::new();
        us.children(stat.threads.clamp(2, 16), &mut found);
        assert!(found.contains(&child.0.id()), "{found:?}");
        let mut scanned = Vec::new();
        us.children(1000, &mut scanned);
        assert!(scanned.contains(&child.0.id()), "{scanned:?}");
    }

    #[test]
    fn memory_and_descriptors_are_of_the_right_size() {
        let (mut us, stat) = Task::open(std::process::id()).unwrap();
        let memory = us.memory(&stat, Duration::ZERO).unwrap();
        assert!((1 << 20..1 << 33).contains(&memory), "{memory}");
        let before = us.descriptors().unwrap();
        let more: Vec<_> = (0..50).map(|_| File::open("/dev/null").unwrap()).collect();
        assert!(us.descriptors().unwrap() >= before.saturating_sub(20) + more.len() as u64);
    }

    #[test]
    fn memory_is_read_again_when_it_may_have_moved_and_after_a_while() {
        let (mut us, stat) = Task::open(std::process::id()).unwrap();
        let at = Duration::from_secs;
        us.memory(&stat, at(1)).unwrap();
        let kept = |us: &mut Task| us.memory.as_mut().map(|memory| memory.bytes = 1);
        kept(&mut us);
        assert_eq!(us.memory(&stat, at(2)), Some(1), "nothing moved");
        for moved in [
            Stat { faults: stat.faults + 1, ..stat },
            Stat { cpu: stat.cpu + 1, ..stat },
            Stat { resident: stat.resident - 1, ..stat },
        ] {
            assert!(us.memory(&moved, at(3)) > Some(1), "{moved:?}");
            assert!(us.memory(&stat, at(3)) > Some(1));
            kept(&mut us);
        }
        assert!(us.memory(&stat, at(30)) > Some(1), "it was long ago");
    }

    #[test]
    fn a_kept_file_does_not_follow_the_pid() {
        let mut child = Killed(Command::new("sleep").arg("100").spawn().unwrap());
        let (mut task, _) = Task::open(child.0.id()).unwrap();
        assert!(task.stat().is_ok());
        child.0.kill().unwrap();
        child.0.wait().unwrap();
        assert!(says_gone(&task.stat().unwrap_err()));
    }
}
