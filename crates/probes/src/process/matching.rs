//! A process that is found by its command line.

use std::cell::Cell;
use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hinoban_probe::{Cause, Look, Probe, ProbeError, Wake};
use hinoban_reading::{Identity, Metric, Observation, Reason, ReasonKind, Standing};
use tokio::time::{Instant, sleep_until};

use super::belief::{Changes, Closer, TRIAL, TRIALS, is_starter};
use super::ending::timer;
use super::following::{Following, Met};
use super::killer::Sources;
use super::table::Process;
use super::wanted::Wanted;
use super::words::{could_not_look, zombie};
use super::{sample, table};
use crate::clock;
use crate::elsewhere::{Elsewhere, Gate};
use crate::proc::Stat;

/// Whether a command line is one of those that are looked for.
type Matcher = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Looks for a process whose command line matches a pattern, and then follows it until it ends. See the
/// [module](super).
///
/// Of several that match it is the oldest whose parent does not match, as Monit chooses; never our own process. Once
/// found it is the one for as long as it lives and matches, which is asked again every twenty seconds. The look that
/// searches leaves the runtime's thread; one search serves all probes. Nothing tells of a process that appears: for some
/// seconds after an end, and after each look before its turn that finds nobody, the probe wakes itself.
///
/// The clients of our own program (`hinoban start …`) are left out, and the shells and scripts that called them. Whom a look
/// before its turn finds has to stay for 0.4 s to be believed, within that look: it may be the shell that killed the
/// service. At once are believed who shares a session with the one before, and the daemon that a program of ours has started
/// (it finds `MONIT_SERVICE` in its environment). Our own child is not the service for its first three seconds, but the
/// program that starts it, if somebody waits for one. If more than eight in ten
/// seconds come and go, the rest waits.
pub struct MatchingProcess {
    pattern: String,
    matches: Matcher,
    following: Following,
    /// The one that was found first to have ended, and may not have been collected yet.
    ended: Option<Identity>,
    /// When the command line of the one we follow was read last, since boot.
    matched: Duration,
    line: Elsewhere<Option<Closer>>,
    hurry: Option<Hurry>,
    /// The session of the one we followed last.
    family: u32,
    changes: Changes,
    /// Rings when enough time has passed since too many came and went. Nothing else wakes us until then.
    calm: Option<Arc<OwnedFd>>,
}

impl fmt::Debug for MatchingProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MatchingProcess")
            .field("pattern", &self.pattern)
            .field("following", &self.following)
            .finish_non_exhaustive()
    }
}

/// So many are not who they seemed before a look gives up.
const MOST: usize = 16;
/// So many are tried.
const SUCCESSORS: usize = 3;

/// How long a command line is believed.
const BELIEVED: Duration = Duration::from_secs(19);

#[async_trait]
impl Probe for MatchingProcess {
    async fn observe(&mut self, look: &Look) -> Result<Observation, ProbeError> {
        let own = self.hurry.as_ref().is_some_and(Hurry::rang);
        let before = self.following.identity();
        let living = self.following.notice_end();
        let stat = living.map_err(|e| could_not_look(before.map_or(0, |b| b.pid), &e))?;
        if stat.is_none() {
            self.ended = before.or(self.ended);
        }
        let mut seen = match stat {
            Some(stat) if self.still_matches(look).await => self.following.measure(&stat),
            _ => None,
        };
        self.changes.note(before.is_some() && seen.is_none());
        self.calm = self.changes.rest().and_then(|rest| timer(rest).ok()).map(Arc::new);
        let mut is_starting = false;
        if seen.is_none() {
            self.following.let_go();
            (seen, is_starting) = self.search(look, before.is_none() && self.hurry.is_some()).await?;
        }
        match &seen {
            Some(_) => {
                (self.hurry, self.ended) = (None, None);
                table::tidy();
            }
            None => {
                let first = self.hurry.is_none();
                let begins =
                    is_starting || before.is_some() || first || (look.cause() == Cause::Early && !own);
                Hurry::wait(&mut self.hurry, begins);
            }
        }
        let mut seen = seen.unwrap_or_else(|| self.nobody());
        seen.ending = self.following.ending();
        seen.former = self.following.still_alive();
        Ok(seen)
    }

    fn metrics(&self) -> &[Metric] {
        sample::METRICS
    }

    fn wakes(&self) -> Vec<Wake> {
        if let Some(calm) = &self.calm {
            return vec![Wake::Fd(calm.clone())];
        }
        let bell = self.hurry.iter().filter_map(|h| h.bell.clone()).map(Wake::Fd);
        self.following.wakes().chain(bell).collect()
    }

    fn limits(&self) -> Vec<String> {
        self.following.limits()
    }
}

impl MatchingProcess {
    /// A probe of the process whose command line (arguments joined by blanks; the name of one that has none) `matches`.
    /// `pattern` is what people are told it is. Nothing is read yet.
    pub fn new(pattern: impl Into<String>, matches: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self {
            pattern: pattern.into(),
            matches: Arc::new(matches),
            following: Following::default(),
            ended: None,
            matched: Duration::ZERO,
            line: Elsewhere::default(),
            hurry: None,
            family: 0,
            changes: Changes::default(),
            calm: None,
        }
    }

    /// Readings that rules name, by the names of their metrics. They are read at each look; of the others, open files,
    /// traffic and the security attribute are read every twenty seconds and shown as they were then, and those of the
    /// cgroup and the load of the host are not read at all.
    pub fn asked<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Self {
        self.following.want(Wanted::of(names));
        self
    }

    /// Asks these how a process ended, and no others. By default all.
    pub fn learning_from(mut self, sources: Sources) -> Self {
        self.following.ask(sources);
        self
    }

    /// The pattern, as people are told it.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Whether the one we follow is still what we looked for: a script may have become another program.
    async fn still_matches(&mut self, look: &Look) -> bool {
        let now = clock::since_boot();
        let Some(followed) = self.following.identity() else { return false };
        if now.saturating_sub(self.matched) < BELIEVED {
            return true;
        }
        let gate = Gate::new(format!("the memory of process {}", followed.pid));
        match self.line.ask(&gate, look, move || Closer::look(followed)).await {
            Ok(Some(closer)) if !(self.matches)(&closer.command) => false,
            // What cannot be read says nothing: it lives, and did match.
            _ => {
                self.matched = now;
                true
            }
        }
    }

    /// Finds the process and follows it; `None` if there is none. `awaited`: a look before found nobody. Also says whether
    /// a program is at work that may be starting it.
    async fn search(
        &mut self,
        look: &Look,
        awaited: bool,
    ) -> Result<(Option<Observation>, bool), ProbeError> {
        let trials = Instant::now() + TRIALS;
        let mut is_starting = false;
        let mut refused: Vec<Identity> = Vec::new();
        while refused.len() < MOST {
            let table = table::recent(look).await?;
            let starting = Cell::new(false);
            let chosen = table.choose(&*self.matches, |process| {
                let starts = awaited && is_starter(process);
                starting.set(starting.get() || starts);
                starts || refused.contains(&process.identity())
            });
            is_starting |= starting.get();
            let Some(chosen) = chosen.map(Process::identity) else { break };
            // Where one comes after the other, the next is as good.
            let on_trial = look.cause() == Cause::Early && refused.len() < SUCCESSORS;
            if (!on_trial || self.stays(chosen, look, awaited, trials).await?)
                && let Met::Alive(fresh) = self.following.meet(chosen.pid)?
                && fresh.identity() == chosen
            {
                // invariant 9: the table may be half a second old.
                self.matched = clock::since_boot();
                self.family = fresh.stat.session;
                return Ok((Some(self.following.follow(fresh)), false));
            }
            refused.push(chosen);
        }
        Ok((None, is_starting))
    }

    /// Whether this one lives and matches, and still does so after a while; or it is known where it comes from.
    async fn stays(
        &mut self,
        chosen: Identity,
        look: &Look,
        awaited: bool,
        trials: Instant,
    ) -> Result<bool, ProbeError> {
        let gate = Gate::new(format!("the memory of process {}", chosen.pid));
        let end = Instant::now() + TRIAL;
        let mut pause = Duration::from_millis(4);
        loop {
            let closer = self.line.ask(&gate, look, move || Closer::look(chosen)).await?;
            let Some(closer) = closer.filter(|closer| (self.matches)(&closer.command)) else {
                return Ok(false);
            };
            // Right after an end nothing of ours has been started yet.
            if closer.is_of_family(self.family) || awaited && closer.was_started_by_us() {
                return Ok(true);
            }
            let now = Instant::now();
            if now >= end.min(trials) {
                return Ok(true);
            }
            sleep_until((now + pause).min(end).min(trials)).await;
            pause = (pause * 2).min(Duration::from_millis(25));
        }
    }

    /// What is to be said when nobody was found.
    fn nobody(&self) -> Observation {
        if let Some(ended) = self.ended
            && let Ok(stat) = Stat::of(ended.pid)
            && stat.start == ended.start
            && stat.is_zombie()
        {
            return zombie(ended.pid, &stat);
        }
        let reason = format!("no process has a command line that matches '{}'", self.pattern);
        Observation::new(Standing::Absent(Reason::new(ReasonKind::NoMatch, reason)))
    }
}

/// Looks that we ask for ourselves, while somebody is probably being started.
#[derive(Debug)]
struct Hurry {
    since: Duration,
    /// None if the kernel gives us no timer: then our turn has to do.
    bell: Option<Arc<OwnedFd>>,
}

impl Hurry {
    /// So long we look more often than our turn comes.
    const LONG: Duration = Duration::from_secs(3);

    /// Sets the bell for the next look, or takes it away.
    fn wait(hurry: &mut Option<Self>, begins: bool) {
        let now = clock::since_boot();
        if begins || hurry.is_none() {
            let since = if begins { now } else { Duration::ZERO };
            let bell = hurry.take().and_then(|h| h.bell);
            *hurry = Some(Self { since, bell });
        }
        let Some(hurry) = hurry else { return };
        let passed = now.saturating_sub(hurry.since);
        if passed >= Self::LONG {
            hurry.bell = None;
            return;
        }
        let pause = (passed / 4).clamp(Duration::from_millis(4), Duration::from_millis(100));
        // Another one each time: what has rung once rings no more.
        hurry.bell = timer(pause).ok().map(Arc::new);
    }

    /// Whether the bell has rung since it was set.
    fn rang(&self) -> bool {
        let mut times = [0; 8];
        self.bell.as_ref().is_some_and(|bell| rustix::io::read(&**bell, &mut times).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    async fn look(probe: &mut MatchingProcess) -> Observation {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        probe.observe(&Look::new(deadline.into_std(), Duration::ZERO, Cause::Early)).await.unwrap()
    }

    #[tokio::test]
    async fn who_becomes_another_program_is_let_go_and_known_to_live() {
        let mark = format!("5000.{}", std::process::id());
        let mut child = Command::new("sh")
            .args(["-c", &format!("read line; exec sleep {mark}")])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let wanted = format!("read line; exec sleep {mark}");
        let mut probe = MatchingProcess::new("script", move |line: &str| line.ends_with(&wanted));
        let end = tokio::time::Instant::now() + Duration::from_secs(20);
        while !look(&mut probe).await.standing.is_up() {
            assert!(tokio::time::Instant::now() < end, "it is never found");
        }
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
        loop {
            assert!(tokio::time::Instant::now() < end, "it is never let go");
            probe.matched = Duration::ZERO; // as if twenty seconds were over
            let seen = look(&mut probe).await;
            if !seen.standing.is_up() {
                assert_eq!(seen.former.map(|former| former.pid), Some(child.id()));
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
