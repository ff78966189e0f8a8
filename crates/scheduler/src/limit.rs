//! Limits on restarts: rules over how often rules have started or restarted a service.
//!
//! The counting is Monit's: a window opens with the first start, counts due looks, and closes with the longest that a rule
//! asks for; each look is preceded by a glance at the count. What operators ask for does not count, and what a passive
//! service is spared does. One thing differs: a limit that was reached holds again when its window is over and the service
//! is well, and not while it may be reached again with the next look.

use hinoban_config::{Condition, Service, Then};
use hinoban_reading::Now;

use crate::machine::{Out, Scheduler};
use crate::watched::Watched;
use crate::{Effect, Remembered, Watching};

/// Starts within a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    /// How many.
    pub(crate) restarts: u32,
    /// Due looks since the first of them.
    pub(crate) cycles: u32,
}

impl Tally {
    /// Whether a limit is reached.
    pub(crate) fn reaches(self, count: u32, within: u32) -> bool {
        self.restarts >= count && self.cycles <= within
    }
}

/// The longest window that a rule of this service asks for; `None`: it has no limit.
pub(crate) fn window(service: &Service) -> Option<u32> {
    let within = |when: &Condition| match when {
        Condition::Restarts { within, .. } => Some(*within),
        _ => None,
    };
    service.rules.iter().filter_map(|rule| within(&rule.when)).max()
}

impl Scheduler {
    /// A rule wants the service started or restarted.
    pub(crate) fn count_restart(&mut self, i: usize, out: &mut Out) {
        let watched = &mut self.services[i];
        if window(&watched.service).is_some() {
            let Tally { restarts, cycles } = watched.tally;
            set(watched, Tally { restarts: restarts.saturating_add(1), cycles }, out);
        }
    }

    /// A due look is about to begin: judges the limits. Whether it may begin.
    pub(crate) fn within_limits(&mut self, now: Now, i: usize, out: &mut Out) -> bool {
        let service = self.services[i].service.clone();
        let Some(window) = window(&service) else { return true };
        let watched = &mut self.services[i];
        if watched.tally.restarts > 0 {
            let Tally { restarts, cycles } = watched.tally;
            set(watched, Tally { restarts, cycles: cycles.saturating_add(1) }, out);
        }
        for (rule, written) in service.rules.iter().enumerate().rev() {
            let Condition::Restarts { count, within } = written.when else { continue };
            let watched = &mut self.services[i];
            watched.judged[rule].get_or_insert(now.stamp);
            let reached = watched.tally.reaches(count, within);
            if reached || watched.fails(rule) && is_well(watched) {
                self.sample(now, i, rule, reached, false, out);
            }
            let watched = &self.services[i];
            if watched.watching == Watching::No || watched.task.is_some() {
                return false;
            }
        }
        let watched = &mut self.services[i];
        if watched.tally.cycles > window {
            set(watched, Tally::default(), out);
        }
        true
    }
}

/// Forgets what was counted, also what an earlier life has counted and this one has not taken up.
pub(crate) fn forget(watched: &mut Watched, out: &mut Out) {
    if window(&watched.service).is_some() {
        watched.tally = Tally::default();
        remember(watched, out);
    }
}

/// Forgets what was counted.
pub(crate) fn clear(watched: &mut Watched, out: &mut Out) {
    set(watched, Tally::default(), out);
}

fn set(watched: &mut Watched, tally: Tally, out: &mut Out) {
    if watched.tally != tally {
        watched.tally = tally;
        remember(watched, out);
    }
}

fn remember(watched: &Watched, out: &mut Out) {
    let (service, Tally { restarts, cycles }) = (watched.service.name.clone(), watched.tally);
    out.push(Effect::Remember(Remembered::Restarts { service, restarts, cycles }));
}

/// Whether it is there, and nothing fails for which it is started again.
pub(crate) fn is_well(watched: &Watched) -> bool {
    watched.is_up() && !fails_repair(watched)
}

/// Whether something fails for which it is started again.
pub(crate) fn fails_repair(watched: &Watched) -> bool {
    let repairs = |rule: usize| matches!(watched.service.rules[rule].fail.then, Then::Start | Then::Restart);
    watched.failures().any(|(rule, _)| repairs(rule))
}
