//! Looks rest while what a service depends on is not well: what would be seen then says nothing about the service itself.

use std::time::Duration;

use hinoban_config::{Condition, Dialect, Rule, Then, Turns};
use hinoban_event::{Doing, Event};
use hinoban_reading::Now;

use crate::machine::{Out, Scheduler};
use crate::watched::Watched;
use crate::{Part, ServiceId, Watching, rules};

/// A look that was put off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Rest {
    /// None was.
    #[default]
    None,
    /// One before its turn.
    Early,
    /// One whose turn it was.
    Due,
    /// Both: the one before its turn may come first.
    Both,
}

impl Rest {
    fn and(self, other: Rest) -> Rest {
        match (self, other) {
            (Rest::Early, Rest::Due) | (Rest::Due, Rest::Early) => Rest::Both,
            (this, other) => this.max(other),
        }
    }

    /// Whether a turn was put off.
    fn is_due(self) -> bool {
        self >= Rest::Due
    }
}

impl Scheduler {
    /// Whether a service is what others may stand on: watched, seen to be there, without a failure, and nothing is being
    /// done to it.
    pub(crate) fn ready(&self, i: usize) -> bool {
        self.stands(i) && !self.ails(&self.services[i])
    }

    /// Whether a rule of it fails that others have to wait for. That something changed is
    /// news, and nothing to wait for: what is restarted because a file changed is not to be down until the next look finds
    /// that it has not changed again. Under a control file every other rule is, as in Monit. Otherwise what only tells of a
    /// reading is not: a file system that is nearly full is no reason to leave down what died on it.
    fn ails(&self, watched: &Watched) -> bool {
        let grave = |rule: &Rule| match &rule.when {
            _ if crate::change::is_news(rule) => false,
            Condition::Missing | Condition::Exists | Condition::WrongType | Condition::Test { .. } => true,
            _ if self.dialect == Dialect::Monit => true,
            _ => matches!(rule.fail.then, Then::Start | Then::Restart | Then::Stop | Then::Unmonitor),
        };
        watched.failures().any(|(rule, _)| grave(&watched.service.rules[rule]))
    }

    /// Whether something that this service depends on, however far, is not ready.
    pub(crate) fn closed(&self, i: usize) -> bool {
        self.above(i, |parent| !self.ready(parent))
    }

    /// Whether a start waits: for all of that to be ready; as the second half of another service's restart, for all of it
    /// to be up, and nothing being done to it. What that restart is to mend may take longer than the restart, or fail for
    /// good, and what was taken down for it is not to be down for so long. What is not watched does not hold that up: it
    /// was not when this was taken down, for otherwise this would not be watched either, and what ran then is to run.
    pub(crate) fn waits_above(&self, i: usize) -> bool {
        let watched = &self.services[i];
        let bounce = watched.task.as_ref().is_some_and(|task| task.bounce);
        self.above(i, |above| match bounce {
            true if self.is_left(above) && watched.watching != Watching::No => false,
            true => !self.stood(above) || self.stirs(above),
            false => !self.ready(above) || self.stirs(above),
        })
    }

    /// Whether a service is not watched, and nothing is being done to it: only somebody who asks for it changes that.
    fn is_left(&self, i: usize) -> bool {
        let watched = &self.services[i];
        watched.watching == Watching::No && watched.task.is_none()
    }

    /// Whether it stands, or stood when it was last seen, and nobody will look at it because it depends on what is not
    /// watched.
    fn stood(&self, i: usize) -> bool {
        let unsure = || self.services[i].is_unsure() || !self.above(i, |above| self.is_left(above));
        self.stands(i) || self.is_there(i) && !unsure()
    }

    /// Whether a process is just being looked at before its turn: it may have ended, and in a moment that is known.
    fn stirs(&self, i: usize) -> bool {
        let watched = &self.services[i];
        watched.is_process() && watched.subject.flying.is_some_and(|flight| flight.early)
    }

    /// Whether a service is watched and seen to be there, whatever else fails, and nothing is being done to it. Of what
    /// could not be looked at nobody knows that.
    fn stands(&self, i: usize) -> bool {
        let watched = &self.services[i];
        watched.watching == Watching::Yes && self.is_there(i) && !watched.is_doubtful()
    }

    /// The same, as far as was last seen, be it only by what was being done to it.
    fn is_there(&self, i: usize) -> bool {
        let watched = &self.services[i];
        watched.watching != Watching::No
            && watched.task.is_none()
            && watched.subject.not_seen.is_none()
            && (watched.is_up() || may_be_gone(watched))
    }

    /// Whether its looks rest: something it depends on is not ready, is just being looked at, or waits for its own turn.
    /// When its turn comes, that of those it depends on comes first.
    pub(crate) fn rests(&self, i: usize, turn: bool) -> bool {
        let first = self.now.moment + Duration::from_millis(20);
        self.above(i, |parent| {
            let watched = &self.services[parent];
            let looking = watched.subject.flying.is_some() || turn && watched.due <= first;
            !self.ready(parent) || self.sits_out(parent, turn) || watched.has_subject() && looking
        })
    }

    /// Whether what depends on a service rests because the last cycle was not the turn of that: under a control file, as
    /// in Monit. Otherwise what was well when last looked at is well enough. A look before its turn only rests if the
    /// calendar says that the other one is to be left alone: whether that still is well can be seen at any other time.
    fn sits_out(&self, parent: usize, turn: bool) -> bool {
        let waits = self.dialect == Dialect::Monit && self.services[parent].waits();
        waits && (turn || !self.may_look_early(self.now, parent))
    }

    /// Whether even a look before its turn rests for something that will not change by itself at once: what is seen of it
    /// meanwhile is shown, and not judged.
    pub(crate) fn is_shut(&self, i: usize) -> bool {
        self.above(i, |parent| !self.ready(parent) || self.sits_out(parent, false))
    }

    /// Whether its turn rests for something that will not change by itself at once.
    pub(crate) fn sits(&self, i: usize) -> bool {
        self.above(i, |parent| !self.ready(parent) || self.sits_out(parent, true))
    }

    /// Whether this is so of anything that a service depends on, however far.
    fn above(&self, i: usize, holds: impl Fn(usize) -> bool) -> bool {
        // Mostly there are one or two, and a search in so few is no search.
        let mut above = self.ties.parents(i).to_vec();
        let mut at = 0;
        while let Some(parent) = above.get(at).copied() {
            if holds(parent) {
                return true;
            }
            for next in self.ties.parents(parent) {
                if !above.contains(next) {
                    above.push(*next);
                }
            }
            at += 1;
        }
        false
    }

    /// A look is to be made up for when its time has come.
    pub(crate) fn put_off(&mut self, i: usize, rest: Rest) {
        let watched = &mut self.services[i];
        if watched.rest == Rest::None {
            self.resting.push(watched.id);
        }
        watched.rest = watched.rest.and(rest);
    }

    /// The same for one whose result does not count: if it was its turn, that has been counted.
    pub(crate) fn put_off_after(&mut self, i: usize, early: bool) {
        let merged = self.services[i].rest.is_due();
        self.put_off(i, if early { Rest::Early } else { Rest::Due });
        if !early && !merged {
            self.services[i].counted = true;
        }
    }

    /// Looks before its turn at the thing itself; first at the processes it depends on, for those may have died with it.
    pub(crate) fn look_early(&mut self, i: usize, part: Part, out: &mut Out) {
        if self.ties.parents(i).is_empty() || self.services[i].task.is_some() {
            return self.look(i, part, true, out);
        }
        for parent in self.ties.ancestors(i) {
            let watched = &self.services[parent];
            let known = watched.is_process() && watched.watching == Watching::Yes && watched.task.is_none();
            if known && self.may_look_early(self.now, parent) {
                self.look(parent, Part::Subject, true, out);
            }
        }
        match self.rests(i, false) {
            true => {
                self.put_off(i, Rest::Early);
                self.services[i].stirred |= part == Part::Subject && self.services[i].is_process();
            }
            false => self.look(i, part, true, out),
        }
    }

    /// Makes up for what was put off and need not rest any longer.
    pub(crate) fn make_up(&mut self, now: Now, out: &mut Out) {
        let mut resting: Vec<(usize, ServiceId)> =
            self.resting.drain(..).filter_map(|id| Some((self.positions.get(id)?, id))).collect();
        resting.sort_by_key(|(i, _)| self.ties.rank(*i));
        for (i, id) in resting {
            let watched = &self.services[i];
            let rest = watched.rest;
            let stirred = std::mem::take(&mut self.services[i].stirred);
            let watched = &self.services[i];
            if watched.watching == Watching::No || watched.task.is_some() {
                self.services[i].rest = Rest::None;
                self.services[i].counted = false;
                continue;
            }
            // The calendar may say by now that it is to be left alone; a turn that it names is not lost.
            let in_time = watched.grace.is_some() || self.may_look_early(now, i);
            let not_lost = in_time || matches!(watched.service.turns, Turns::At(_));
            if rest.is_due() && !self.rests(i, true) {
                self.services[i].rest = Rest::None;
                self.services[i].unsure |= rest == Rest::Both;
                match not_lost {
                    true => self.round(now, i, out),
                    false => self.services[i].counted = false,
                }
                continue;
            }
            let early = matches!(rest, Rest::Early | Rest::Both) && !self.rests(i, false);
            let left = match rest.is_due() {
                _ if !early => rest,
                true => Rest::Due,
                false => Rest::None,
            };
            self.services[i].rest = left;
            if left != Rest::None {
                self.resting.push(id);
            }
            if stirred && !early {
                // That its process died is to be seen, though nothing is made of it yet.
                match self.is_shut(i) {
                    true => self.look(i, Part::Subject, true, out),
                    false => self.services[i].stirred = true,
                }
            }
            match self.services[i].has_subject() {
                _ if !early || !in_time => {}
                true => {
                    self.services[i].unsure = true;
                    self.look(i, Part::Subject, true, out);
                }
                false => self.look_at_tests(i, true, out),
            }
        }
    }

    /// Names of those that this service waits for.
    pub(crate) fn waits_for(&self, i: usize) -> Vec<std::sync::Arc<str>> {
        let watched = &self.services[i];
        if watched.watching == Watching::No && watched.task.is_none() {
            return Vec::new();
        }
        // A part in a restart does not wait for what is not watched.
        let part = watched.task.as_ref().is_some_and(|task| task.bounce) && watched.watching != Watching::No;
        let holds_up = |above: &usize| {
            let left = part && self.is_left(*above);
            !left && (!self.ready(*above) || self.sits_out(*above, true))
        };
        let above = self.ties.ancestors(i).into_iter().filter(holds_up);
        above.map(|above| self.services[above].name.clone()).collect()
    }

    /// Brings services into the order in which a command for all of them is best given, and leaves out who is reached
    /// through another one.
    pub fn in_order(&self, mut ids: Vec<ServiceId>, doing: &Doing) -> Vec<ServiceId> {
        if self.ties.none() {
            return ids;
        }
        let rank = |id: &ServiceId| self.position(*id).map_or(usize::MAX, |i| self.ties.rank(i));
        ids.sort_by_key(rank);
        match doing {
            Doing::Stop | Doing::Unmonitor => ids.reverse(),
            Doing::Restart => {
                let all: std::collections::HashSet<ServiceId> = ids.iter().copied().collect();
                // A restart takes its dependants along.
                ids.retain(|id| {
                    let above = self.position(*id).map(|i| self.ties.ancestors(i)).unwrap_or_default();
                    !above.iter().any(|i| all.contains(&self.services[*i].id))
                });
            }
            _ => {}
        }
        ids
    }

    /// Begins to watch a service and all that it depends on.
    pub(crate) fn watch_all(&mut self, now: Now, i: usize, out: &mut Out) {
        for above in self.ties.ancestors(i) {
            self.watch(now, above, out);
        }
        self.watch(now, i, out);
    }

    /// Stops watching all that depend on a service, and itself; `why`, if a rule wants it.
    pub(crate) fn unwatch_all(&mut self, now: Now, i: usize, why: Option<&Event>, out: &mut Out) {
        let below = self.ties.descendants(i).into_iter().rev();
        for i in below.chain([i]) {
            let name = self.services[i].name.clone();
            // What was taken down for a restart stays down: to watch it again is not all there is to do.
            let task = self.services[i].task.as_ref();
            let down = task.is_some_and(|task| task.bounce && task.stopped && task.waits_for_others());
            let doing = if down { Doing::Stop } else { Doing::Unmonitor };
            let why = why.map(|event| rules::given_up(&name, event, &doing));
            self.unwatch(now, i, why, out);
        }
    }
}

/// Under a rule that fails if it exists, it is well when it does not.
fn may_be_gone(watched: &Watched) -> bool {
    watched.service.rules.iter().any(|rule| rule.when == Condition::Exists)
}
