//! Where the result of a look goes.

use hinoban_event::Fact;
use hinoban_reading::{Now, Observation};

use crate::kept::Kept;
use crate::machine::{Out, Scheduler};
use crate::{LookId, Part, Watching};

impl Scheduler {
    pub(crate) fn observed(
        &mut self,
        now: Now,
        id: LookId,
        result: Result<Observation, String>,
        out: &mut Out,
    ) {
        let Some(i) = self.position(id.service) else { return };
        let watched = &mut self.services[i];
        let generation = watched.generation;
        let Some(looks) = watched.looks(id.part) else { return };
        let Some(flight) = looks.flying.take() else { return };
        let again = std::mem::take(&mut looks.again);
        let stale = id.generation != generation;
        match id.part {
            Part::Subject => self.observed_subject(now, i, result, flight.early, stale, out),
            Part::Test(rule) if !stale => self.observed_test(now, i, rule, result, flight.early, out),
            Part::Test(_) => {}
        }
        if again
            && self.wants_looks(i, id.part)
            && self.services[i].looks(id.part).is_some_and(|l| l.flying.is_none())
        {
            self.look(i, id.part, true, out);
        }
    }

    fn observed_subject(
        &mut self,
        now: Now,
        i: usize,
        result: Result<Observation, String>,
        early: bool,
        stale: bool,
        out: &mut Out,
    ) {
        match result {
            Ok(mut seen) => {
                self.could_not_look(now, i, Part::Subject, None, out);
                let watched = &mut self.services[i];
                if let Some(ending) = seen.ending.take() {
                    let late = !seen.standing.is_up() && watched.since.is_some_and(|(up, _)| !up)
                        || seen.standing.is_up();
                    watched.ending = Some(Box::new(ending.clone()));
                    if late {
                        self.emit(now, i, Fact::EndingLearned(ending), out);
                    }
                }
                self.services[i].note(seen, now.moment, now.stamp);
            }
            Err(why) => self.could_not_look(now, i, Part::Subject, Some(why), out),
        }
        let watched = &mut self.services[i];
        watched.unsure &= stale;
        if watched.task.is_some() {
            // A look that began before the last step began shows what was, not what is.
            match stale {
                true => self.look(i, Part::Subject, true, out),
                false => self.looked_during_task(now, i, out),
            }
            return;
        }
        if watched.watching == Watching::No || self.ending {
            return;
        }
        // What is not well for want of another service is not judged: it is looked at again once that is there.
        if self.rests(i, false) {
            return self.put_off_after(i, early);
        }
        let watched = &mut self.services[i];
        // Also of what could not be seen something is known now: that.
        watched.watching = Watching::Yes;
        if watched.subject.not_seen.is_some() {
            return;
        }
        self.judge_subject(now, i, early, out);
        let watched = &self.services[i];
        if !early && watched.is_up() && watched.task.is_none() && watched.watching != Watching::No {
            self.look_at_tests(i, false, out);
        }
    }

    fn observed_test(
        &mut self,
        now: Now,
        i: usize,
        rule: usize,
        result: Result<Observation, String>,
        early: bool,
        out: &mut Out,
    ) {
        let watched = &mut self.services[i];
        // What rests is not heard: it was asked when there was something to know.
        if watched.watching == Watching::No || self.ending {
            return;
        }
        if !watched.has_subject() {
            watched.watching = Watching::Yes;
        }
        match result {
            Ok(seen) => {
                self.could_not_look(now, i, Part::Test(rule), None, out);
                let Some(looks) = self.services[i].looks(Part::Test(rule)) else { return };
                looks.at = Some(now.stamp);
                Kept::replace(&mut looks.seen, seen);
                let watched = &self.services[i];
                if watched.task.is_none() && watched.watching != Watching::No && watched.is_up() {
                    if self.rests(i, false) {
                        return self.put_off_after(i, early);
                    }
                    self.judge_test(now, i, rule, early, out);
                }
            }
            Err(why) => self.could_not_look(now, i, Part::Test(rule), Some(why), out),
        }
    }
}
