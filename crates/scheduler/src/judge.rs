//! What a look means for the rules it is about: which are judged, in which order, and when none is yet.

use std::time::Duration;

use hinoban_config::{Condition, Dialect};
use hinoban_reading::{How, Now, metrics};

use crate::machine::{Out, Scheduler};
use crate::{Watching, change, sight, wording};

/// Time for whoever ended a process in order to start it again himself.
const GRACE: Duration = Duration::from_secs(2);

impl Scheduler {
    /// Judges what the last look at the subject saw. Later rules come first, as they do in Monit: those about existence
    /// before the one about the type, and that before those about readings.
    pub(crate) fn judge_subject(&mut self, now: Now, i: usize, early: bool, out: &mut Out) {
        self.judge_stages(now, i, early, false, out);
    }

    /// The same of the look that ended what was done to it, before its turn. A reading that is bad now counts when its turn
    /// comes: so soon nobody knows whether what was done helped.
    pub(crate) fn judge_after(&mut self, now: Now, i: usize, out: &mut Out) {
        self.judge_stages(now, i, true, true, out);
    }

    fn judge_stages(&mut self, now: Now, i: usize, early: bool, after: bool, out: &mut Out) {
        let service = self.services[i].service.clone();
        let Some(seen) = &self.services[i].subject.seen else { return };
        let (up, there) = (seen.standing.is_up(), wording::is_there(&seen.standing));
        if !there && self.gives_grace(now, i) {
            return;
        }
        let stages = [Stage::Existence, Stage::Type, Stage::Reading];
        let backwards = |stage| (0..service.rules.len()).rev().map(move |rule| (stage, rule));
        for (stage, rule) in stages.into_iter().flat_map(backwards) {
            if !stage.holds(&service.rules[rule].when) {
                continue;
            }
            let bad = || sight::fails(&self.services[i], rule) == Some(true);
            let measured =
                matches!(service.rules[rule].when, Condition::Compare { .. } | Condition::Differs { .. });
            if after && measured && bad() {
                continue;
            }
            // Some programs return before the process is the one that stays: what the next look reads is the first value.
            if after && self.services[i].awaits_other(rule) {
                continue;
            }
            self.judge(now, i, rule, early, out);
            if self.halted(i) {
                return;
            }
        }
        // Rules about content last, and in the order written.
        for rule in 0..service.rules.len() {
            if matches!(service.rules[rule].when, Condition::Content { .. }) {
                self.judge_content(now, i, rule, early, out);
                if self.halted(i) {
                    return;
                }
            }
        }
        if !up {
            self.services[i].generation += 1;
        }
    }

    /// Judges by what the rule's look last saw, if that says anything.
    fn judge(&mut self, now: Now, i: usize, rule: usize, early: bool, out: &mut Out) {
        if change::of(&self.services[i].service.rules[rule]).is_some() {
            self.judge_change(now, i, rule, early, out);
            return;
        }
        self.learn_first(i, rule, out);
        if let Some(failed) = sight::fails(&self.services[i], rule) {
            self.sample(now, i, rule, failed, early, out);
        }
    }

    /// Whether to wait before a missing process is judged: it ended in order, by an exit without error or a signal that
    /// asks to end, so somebody may just be restarting it, and a second start would be in the way.
    fn gives_grace(&mut self, now: Now, i: usize) -> bool {
        let watched = &mut self.services[i];
        let until = match watched.grace {
            Some(until) => until,
            None if watched.last_ending().is_some_and(|e| is_orderly(&e.how)) => now.moment + GRACE,
            None => return false,
        };
        watched.grace = Some(until);
        if now.moment < until {
            watched.recheck = Some(until);
        }
        now.moment < until
    }

    /// Judges what a test last saw.
    pub(crate) fn judge_test(&mut self, now: Now, i: usize, rule: usize, early: bool, out: &mut Out) {
        if sight::fails(&self.services[i], rule) == Some(true) && self.is_young(now, i) {
            return;
        }
        self.judge(now, i, rule, early, out);
        self.is_confirmed(i);
    }

    /// A start is confirmed as soon as all tests have passed since: from now on they are taken seriously.
    fn is_confirmed(&mut self, i: usize) {
        let watched = &self.services[i];
        let Some(confirm) = &watched.confirm else { return };
        let passed = |rule| {
            let since =
                watched.test(rule).is_some_and(|looks| looks.at.is_some_and(|at| at >= confirm.since));
            since && sight::fails(watched, rule) == Some(false)
        };
        if watched.test_rules().all(passed) {
            self.services[i].confirm = None;
        }
    }

    /// Whether the service was born so recently that its tests may fail without blame: within the time its start
    /// program has. A test that passes counts all the same.
    fn is_young(&self, now: Now, i: usize) -> bool {
        let watched = &self.services[i];
        let Some(start) = &watched.service.start else { return false };
        match self.dialect {
            Dialect::Monit => {
                let uptime = watched.subject.seen.as_ref().and_then(|o| o.get(&metrics::UPTIME.name));
                uptime.and_then(|up| up.as_f64()).is_some_and(|up| up <= start.timeout.as_secs_f64())
            }
            Dialect::Toml => watched.confirm.as_ref().is_some_and(|c| now.moment < c.until),
        }
    }

    /// Whether judging must end: something is being done to the service, or it is no longer watched.
    fn halted(&self, i: usize) -> bool {
        let watched = &self.services[i];
        watched.task.is_some() || watched.watching == Watching::No
    }
}

/// The order in which rules about the subject are judged.
#[derive(Clone, Copy)]
enum Stage {
    Existence,
    Type,
    Reading,
}

impl Stage {
    fn holds(self, when: &Condition) -> bool {
        match self {
            Stage::Existence => matches!(when, Condition::Missing | Condition::Exists),
            Stage::Type => matches!(when, Condition::WrongType),
            Stage::Reading => matches!(
                when,
                Condition::Compare { .. }
                    | Condition::Changed { .. }
                    | Condition::Differs { .. }
                    | Condition::Matches { .. }
            ),
        }
    }
}

/// Whether a process ended as one does that is asked to.
fn is_orderly(how: &How) -> bool {
    const ASKED: [u8; 4] = [1, 2, 3, 15]; // SIGHUP, SIGINT, SIGQUIT, SIGTERM
    match how {
        How::Exited { status } => *status == 0,
        How::Signalled { signal, core } => ASKED.contains(signal) && !core,
        _ => false,
    }
}
