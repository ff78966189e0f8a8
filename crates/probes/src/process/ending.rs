//! How processes that we watched ended, although they are not our children.
//!
//! Facts, Linux 6.18: the pidfd becomes readable when the process has ended, and hung up when its parent has collected
//! it. From then on `PIDFD_GET_INFO` tells the wait status, to anybody; in between, field 52 of `/proc/PID/stat` holds
//! it, for root. Mostly the parent is faster than we are; if not, it takes microseconds.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use hinoban_probe::Wake;
use hinoban_reading::{Ending, How, Identity, Source};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

use super::connector::{self, Ticket};
use super::killer::{self, Before, Kills, Sources, Verdict};
use super::tally::Tally;
use crate::clock;
use crate::proc::{Stat, number};
use crate::sys;

/// Processes whose ending we still want to know, and endings not told yet.
#[derive(Debug, Default)]
pub(super) struct Endings {
    /// Nothing as long as nobody was left: that is, of most.
    past: Option<Box<Past>>,
    /// By default all.
    sources: Option<Box<Sources>>,
    kills: Option<Arc<Mutex<Kills>>>,
    /// Kills for want of memory while the one we follow lived.
    before: Before,
    /// What the proc connector will say of the one we follow, and why it says nothing.
    ticket: Option<Box<Ticket>>,
    unconnected: Option<Box<str>>,
}

/// Those whom we followed before.
#[derive(Debug, Default)]
struct Past {
    formers: Vec<Former>,
    learned: VecDeque<Ending>,
    /// Rings when a source that was late is to be asked again.
    timer: Option<Arc<OwnedFd>>,
}

/// A process that we once watched.
#[derive(Debug)]
struct Former {
    identity: Identity,
    pidfd: Option<Arc<OwnedFd>>,
    /// Why it cannot be known how it ended, if nobody tells.
    why: String,
    /// Looks since it was found ended; none while it lives.
    ended: Option<u32>,
    /// Whether its ending is known. It may still be a zombie.
    known: bool,
    /// Whether nothing more can be learned.
    collected: bool,
    /// Kills for want of memory before its end.
    before: Before,
    ticket: Option<Box<Ticket>>,
    /// Since when the proc connector is late with its answer.
    late: Option<Duration>,
    /// How it ended, while it is asked who killed it; and since when.
    held: Option<(Ending, Duration)>,
}

/// Looks after an end during which the pidfd may wake us at once: the collection mostly follows within microseconds, and
/// makes of a zombie a process that is gone. After that only our turn brings a look, since the pidfd of a zombie stays
/// readable for as long as it is one.
const EAGER: u32 = 8;

/// More former processes than this are not followed: each costs a descriptor.
const MOST: usize = 8;

const NO_EXIT_INFO: &str =
    "this kernel cannot tell how a process ended that is not our child; Linux 6.15 or newer can";
const LOST: &str = "the kernel had more ends to tell of than we could take";
const TOO_LATE: &str = "its parent collected it before we could look";

impl Endings {
    /// Asks these from now on.
    pub(super) fn ask(&mut self, sources: Sources) {
        (self.sources, self.kills) = (Some(Box::new(sources)), None);
    }

    /// To be called before a process is followed: prepares for its end.
    pub(super) fn prepare(&mut self, identity: Identity, pidfd: Option<&OwnedFd>) {
        (self.ticket, self.unconnected) = (None, None);
        let kills = self.kills.get_or_insert_with(|| killer::shared(all_or(&self.sources)));
        let (host, alone) = killer::with(kills, |kills| (kills.before(), kills.has_no_log()));
        let sources = all_or(&self.sources);
        let group = sources.groups.as_ref().filter(|_| alone).and_then(|top| {
            let text = std::fs::read_to_string(format!("/proc/{}/cgroup", identity.pid)).ok()?;
            Tally::new(&text, top, host).map(Box::new)
        });
        self.before = Before { of: Some(identity), host, group };
        if !sources.connector || sources.pidfd && tells_endings(pidfd) {
            return;
        }
        match connector::watch(identity) {
            Ok(ticket) => self.ticket = Some(Box::new(ticket)),
            Err(why) => self.unconnected = Some(why.into()),
        }
    }

    /// To be called when the process that we follow is seen to live: what its end will be compared with.
    pub(super) fn it_lives(&mut self, stat: &Stat) {
        if let Some(ticket) = &self.ticket {
            ticket.tidy();
            // The connector has told how its first thread ended, which may not be how the process will.
            if matches!(stat.state, b'Z' | b'X' | b'x') {
                self.ticket = None;
            }
        }
        let kills = self.kills.get_or_insert_with(|| killer::shared(all_or(&self.sources)));
        self.before.host = killer::with(kills, Kills::before);
        if let Some(group) = &mut self.before.group {
            group.it_lives(self.before.host);
        }
    }

    /// What cannot be learned here.
    pub(super) fn limits(&self) -> impl Iterator<Item = String> {
        let ending = self.unconnected.as_ref().map(|why| {
            format!(
                "how a process ended is mostly not known here: before Linux 6.15 only the kernel's proc connector tells \
                 it, and {why}"
            )
        });
        let killer = self.kills.as_ref().and_then(|kills| killer::with(kills, |kills| kills.limit()));
        ending.into_iter().chain(killer)
    }

    /// From now on we want to know how this one ends, or ended.
    pub(super) fn want(&mut self, identity: Identity, pidfd: Option<Arc<OwnedFd>>, why_blind: Option<&str>) {
        let formers = &mut self.past.get_or_insert_default().formers;
        if formers.iter().any(|f| f.identity == identity) {
            return;
        }
        if formers.len() == MOST {
            formers.remove(0);
        }
        let never = |why: &str| format!("{NO_EXIT_INFO}; its proc connector was not to be had: {why}");
        let why = match (why_blind, &self.unconnected) {
            (Some(why), _) => why.to_owned(),
            (None, _) if pidfd.is_none() => TOO_LATE.to_owned(),
            (None, unconnected) => unconnected.as_deref().map_or(NO_EXIT_INFO.to_owned(), never),
        };
        let ours = self.before.of == Some(identity);
        let before = if ours { std::mem::take(&mut self.before) } else { Before::default() };
        let (ended, known, collected, held) = (None, false, false, None);
        let (ticket, late) = (self.ticket.take_if(|ticket| ticket.of() == identity), None);
        let former = Former { identity, pidfd, why, ended, known, collected, before, held, ticket, late };
        formers.push(former);
    }

    /// Asks about each of them, and gives one ending if any is known.
    pub(super) fn next(&mut self) -> Option<Ending> {
        let past = self.past.as_mut()?;
        let (learned, sources, kills) = (&mut past.learned, all_or(&self.sources), &self.kills);
        past.formers.retain_mut(|former| {
            let ending = if former.held.is_some() { None } else { former.ask(sources) };
            learned.extend(former.accuse(ending, sources, kills.as_deref()));
            let told_long_ago = former.known && former.ended.is_some_and(|looks| looks >= EAGER);
            former.waits() || !former.collected && !told_long_ago
        });
        past.wind(sources);
        let ending = past.learned.pop_front();
        if past.formers.is_empty() && past.learned.is_empty() {
            self.past = None;
        }
        ending
    }

    /// One that has not ended.
    pub(super) fn still_alive(&self) -> Option<Identity> {
        let mut formers = self.past.as_ref()?.formers.iter();
        formers.find(|f| f.ended.is_none() && !f.collected).map(|f| f.identity)
    }

    /// The descriptors that tell of an end, or of a collection, to come.
    pub(super) fn wakes(&self) -> impl Iterator<Item = Wake> {
        self.past.iter().flat_map(|past| {
            let waiting = past.formers.iter().filter(|f| f.ended.is_none_or(|looks| looks < EAGER));
            waiting.filter_map(|f| f.pidfd.clone()).chain(past.timer.clone()).map(Wake::Fd)
        })
    }
}

impl Past {
    /// Sets the timer while a source is late, and takes it away when none is.
    fn wind(&mut self, sources: &Sources) {
        self.timer = match self.formers.iter().any(Former::waits) {
            // Another one each time: what has rung once rings no more.
            true => timer(sources.grace).ok().map(Arc::new),
            false => None,
        };
    }
}

/// The sources that were given; without any, all.
fn all_or(given: &Option<Box<Sources>>) -> &Sources {
    static ALL: LazyLock<Sources> = LazyLock::new(Sources::default);
    given.as_deref().unwrap_or(&ALL)
}

impl Former {
    /// Whether a source is late with its answer.
    fn waits(&self) -> bool {
        self.held.is_some() || self.late.is_some() && !self.known
    }

    /// How it ended, as soon as that is known or known to stay unknown.
    fn ask(&mut self, sources: &Sources) -> Option<Ending> {
        let mut kernel_says_never = !sources.pidfd;
        if let Some(pidfd) = &self.pidfd {
            if !fired(pidfd) {
                return None; // it lives
            }
            match sys::pidfd_info(pidfd.as_fd(), sys::PIDFD_INFO_EXIT) {
                _ if !sources.pidfd => {}
                Ok(info) if info.mask & sys::PIDFD_INFO_EXIT != 0 => {
                    self.collected = true;
                    return self.certain(info.exit_code, Source::Pidfd);
                }
                Ok(_) => {} // not collected yet
                Err(_) => kernel_says_never = true,
            }
        }
        let trace = Trace::of(self.identity);
        if trace == Trace::Alive {
            return None;
        }
        let looks = self.ended.map_or(0, |looks| looks + 1);
        self.ended = Some(looks);
        if let Trace::Zombie(Some(status)) = trace
            && sources.zombie
        {
            return self.certain(status, Source::ProcStat);
        }
        if let Some(ticket) = self.ticket.take_if(|_| !self.known) {
            match ticket.status() {
                Some(status) => {
                    self.collected = trace == Trace::Gone;
                    return self.certain(status, Source::Connector);
                }
                None if ticket.may_have_missed() => self.why = LOST.to_owned(),
                None => {
                    let now = clock::since_boot();
                    let late = now.saturating_sub(*self.late.get_or_insert(now)) < sources.grace;
                    if late {
                        self.ticket = Some(ticket);
                        return None;
                    }
                    self.late = None;
                }
            }
        }
        match trace {
            Trace::Alive | Trace::Zombie(_) => None,
            Trace::Gone if self.pidfd.is_none() || kernel_says_never => {
                let why = std::mem::take(&mut self.why);
                self.unknown(&why)
            }
            // The kernel stores the status in the moment of the collection: what is not there soon never comes.
            Trace::Gone if looks >= EAGER => self.unknown(TOO_LATE),
            Trace::Gone => None,
        }
    }

    /// Adds to the end by SIGKILL who sent it. Holds back what will be known in a moment; nothing else waits for it.
    fn accuse(
        &mut self,
        ending: Option<Ending>,
        sources: &Sources,
        kills: Option<&Mutex<Kills>>,
    ) -> Option<Ending> {
        let now = clock::since_boot();
        let (mut ending, since) = match ending {
            Some(ending) => (ending, now),
            None => self.held.take()?,
        };
        let (How::Signalled { signal: 9, .. }, Some(kills)) = (&ending.how, kills) else {
            return Some(ending);
        };
        let last = now.saturating_sub(since) >= sources.grace;
        match killer::with(kills, |kills| kills.who(self.identity.pid, &self.before, last)) {
            Verdict::Known(killer) => {
                ending.killer = killer.map(Box::new);
                Some(ending)
            }
            Verdict::Later => {
                self.held = Some((ending, since));
                None
            }
        }
    }

    fn certain(&mut self, status: i32, source: Source) -> Option<Ending> {
        let how = How::from_wait_status(status);
        let ending = Ending::certain(self.identity, how, source);
        (!std::mem::replace(&mut self.known, true)).then_some(ending)
    }

    fn unknown(&mut self, why: &str) -> Option<Ending> {
        self.collected = true;
        let ending = Ending::unknown(self.identity, why);
        (!std::mem::replace(&mut self.known, true)).then_some(ending)
    }
}

/// Whether the kernel tells anybody who has a pidfd how the process ended. It cannot be tried while that lives, but whether
/// the pidfd answers anything can. Who has none for want of descriptors has none for a connector either.
fn tells_endings(pidfd: Option<&OwnedFd>) -> bool {
    let name = rustix::system::uname();
    let mut numbers = name.release().to_bytes().split(|b| !b.is_ascii_digit()).map(number::<u32>);
    let version = (numbers.next().flatten(), numbers.next().flatten());
    let answers = |pidfd: &OwnedFd| sys::pidfd_info(pidfd.as_fd(), sys::PIDFD_INFO_CREDS).is_ok();
    version >= (Some(6), Some(15)) && pidfd.is_none_or(answers)
}

/// Gives the parent of a process that just ended the moment it needs to collect it (init takes 25 µs in the median), so
/// that a usual death is not reported as a zombie. Never longer than a tenth of a millisecond.
pub(super) fn let_it_be_collected(pidfd: &OwnedFd) {
    const PATIENCE: Duration = Duration::from_micros(100);
    let begin = clock::since_boot();
    while !events(pidfd).contains(PollFlags::HUP) && clock::since_boot().saturating_sub(begin) < PATIENCE {
        rustix::thread::sched_yield();
    }
}

/// A descriptor that becomes readable when this time is over.
pub(super) fn timer(after: Duration) -> rustix::io::Result<OwnedFd> {
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
    let it_value =
        Timespec { tv_sec: after.as_secs() as i64, tv_nsec: i64::from(after.subsec_nanos()).max(1) };
    let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval, it_value })?;
    Ok(timer)
}

/// Whether the process behind a pidfd has ended.
pub(super) fn fired(pidfd: &OwnedFd) -> bool {
    !events(pidfd).is_empty()
}

fn events(pidfd: &OwnedFd) -> PollFlags {
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    match poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
        Ok(_) => fds[0].revents(),
        Err(_) => PollFlags::empty(),
    }
}

/// What `/proc` knows about an identity.
#[derive(Debug, PartialEq)]
enum Trace {
    Alive,
    /// With its wait status, if we may know it.
    Zombie(Option<i32>),
    Gone,
}

impl Trace {
    fn of(identity: Identity) -> Self {
        match Stat::of(identity.pid) {
            Ok(stat) if stat.start != identity.start => Trace::Gone,
            // Without the right to know, the kernel shows 0, which is also the status of a good end.
            Ok(stat) if stat.is_zombie() => {
                let told = stat.exit_code != 0 || rustix::process::geteuid().is_root();
                Trace::Zombie(told.then_some(stat.exit_code))
            }
            Ok(_) => Trace::Alive,
            Err(_) => Trace::Gone,
        }
    }
}
