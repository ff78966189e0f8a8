//! What the whole host is to bear: so many restarts of things that live within a time, and none while it starves.
//!
//! When many services fail at once, something that they share is mostly at fault, and restarting them all makes it worse.
//! What is gone is started in any case. Only restarts that rules make are counted; those of dependants that go with one
//! are a part of it.
//!
//! The host starves when the last look at it saw that of its memory 97 % are in use, or 90 % of both its memory and its
//! swap, or that in the last minute 8 tasks for each processor waited to run or for a disk. What is restarted because it
//! uses too much itself, by a rule that compares one of its own readings, is restarted all the same: that helps the host.
//! A look that is not of just now holds nothing: it is asked again, before its turn, and what that says holds.
//!
//! What was spent, and whose restart is held since when, is remembered with the repairs of each service, also of those
//! without patience. So a supervisor that begins anew bears no more, tells nothing twice, and the first is still the first.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{Budget, Kind};
use hinoban_reading::{Metric, Moment, Now, Observation, Stamp, metrics};

use crate::machine::{Out, Scheduler};
use crate::patience::{Repairs, span};
use crate::watched::Watched;
use crate::{Part, ServiceId, Watching};

/// Memory in use, in percent, from which the host starves …
const FULL: f64 = 97.0;
/// … and together with as much of its swap.
const NEARLY_FULL: f64 = 90.0;
/// Load for each processor from which the host starves.
const LOAD: f64 = 8.0;
/// A host that starves is asked again at least so long after …
const AGAIN: Duration = Duration::from_secs(1);
/// … and what was seen of it so long ago is not of just now.
const FRESH: Duration = Duration::from_secs(30);

/// That the host does not bear a restart now.
#[derive(Debug, PartialEq)]
pub(crate) struct Unborne {
    /// When it is asked again.
    pub(crate) until: Moment,
    /// Why.
    pub(crate) why: String,
    /// Nobody knows yet: it is being looked at.
    pub(crate) unsure: bool,
}

/// One restart of what lived.
#[derive(Debug)]
struct Spent {
    /// Known since then …
    seen: Moment,
    /// … and so old at that time: our clock begins with us, and an earlier life may have made it.
    age: Duration,
    service: Arc<str>,
}

impl Spent {
    /// When it counts no longer.
    fn until(&self, within: Duration) -> Moment {
        self.seen + within.saturating_sub(self.age)
    }
}

/// What the host has borne lately.
#[derive(Debug, Default)]
pub(crate) struct Host {
    /// Restarts of what lived, the oldest first.
    spent: VecDeque<Spent>,
    /// Services whose restart is held, the first of them first.
    held: Vec<ServiceId>,
    /// What an earlier life spent has been taken into account.
    primed: bool,
}

impl Host {
    /// A restart of what lived is made.
    fn spends(&mut self, now: Moment, service: Arc<str>) {
        self.spent.push_back(Spent { seen: now, age: Duration::ZERO, service });
    }

    /// The restart of this service is held from now on: whether no other one is held already.
    fn holds(&mut self, service: ServiceId) -> bool {
        let first = self.held.is_empty();
        if !self.held.contains(&service) {
            self.held.push(service);
        }
        first
    }

    /// The restart of this service is not held any more.
    pub(crate) fn frees(&mut self, service: ServiceId) {
        self.held.retain(|held| *held != service);
    }

    /// Until when, and why, no further restart of what lives is borne.
    fn exceeds(&mut self, budget: Budget, service: ServiceId, now: Moment) -> Option<(Moment, String)> {
        while self.spent.front().is_some_and(|spent| spent.until(budget.within) <= now) {
            self.spent.pop_front();
        }
        let most = usize::try_from(budget.restarts).unwrap_or(usize::MAX);
        let above = self.spent.len().checked_sub(most)?;
        // Who waits longer comes first; who comes later needs not ask before.
        let place = self.held.iter().position(|held| *held == service).unwrap_or(self.held.len());
        let (rounds, nth) = (place / most.max(1), place % most.max(1));
        let first = self.spent.get(above + nth).or(self.spent.back());
        let first = first.map_or(now + budget.within, |spent| spent.until(budget.within));
        let until = first + budget.within.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX));
        let mut of: Vec<&str> = self.spent.iter().rev().take(5).map(|spent| &*spent.service).collect();
        of.sort_unstable();
        of.dedup();
        let (n, of, within) = (self.spent.len(), of.join(", "), span(budget.within));
        let s = if n == 1 { "" } else { "s" };
        let of = if of.is_empty() { of } else { format!(" ({of})") };
        let why = format!(
            "{n} restart{s} within {within} on this host{of}, and that is what it is to bear; something that they share may \
             be at fault; what lives and still fails is restarted when that time is over"
        );
        Some((until.max(now + Duration::from_millis(1)), why))
    }
}

impl Scheduler {
    /// Whether the host does not bear that this service, which lives, is restarted. `greedy`: it takes too much itself.
    pub(crate) fn bears(&mut self, now: Now, i: usize, greedy: bool) -> Option<Unborne> {
        let budget = self.budget?;
        self.prime(now, budget);
        self.still_held();
        if !greedy && let Some(starves) = self.starves(now) {
            return Some(starves);
        }
        let exceeds = self.host.exceeds(budget, self.services[i].id, now.moment);
        exceeds.map(|(until, why)| Unborne { until, why, unsure: false })
    }

    /// A restart of this service, which lives, is made: whether that is to be remembered.
    pub(crate) fn spends(&mut self, now: Now, i: usize) -> bool {
        let Some(budget) = self.budget else { return false };
        self.prime(now, budget);
        let watched = &mut self.services[i];
        self.host.spends(now.moment, watched.name.clone());
        let spent = &mut watched.trial.get_or_insert_default().repairs.spent;
        spent.retain(|at| now.stamp.since(*at) < budget.within);
        spent.push(now.stamp);
        // Those before say nothing that these do not.
        let most = usize::try_from(budget.restarts).unwrap_or(usize::MAX).max(1);
        spent.drain(..spent.len().saturating_sub(most));
        true
    }

    /// The restart of this service is held from now on: whether that is news.
    pub(crate) fn holds_back(&mut self, now: Now, i: usize, out: &mut Out) -> bool {
        let watched = &mut self.services[i];
        let news = self.host.holds(watched.id);
        let held = &mut watched.trial.get_or_insert_default().repairs.held;
        if held.is_none() {
            *held = Some(now.stamp);
            self.remember_repairs(i, out);
        }
        news
    }

    /// What an earlier life spent is spent, and what it held is held.
    fn prime(&mut self, now: Now, budget: Budget) {
        if std::mem::replace(&mut self.host.primed, true) {
            return;
        }
        let trials = || self.services.iter().filter_map(|w| Some((w, &w.trial.as_ref()?.repairs)));
        let of = |(w, repairs): (&Watched, &Repairs)| {
            let spent =
                |at: &Stamp| Spent { seen: now.moment, age: now.stamp.since(*at), service: w.name.clone() };
            repairs.spent.iter().map(spent).collect::<Vec<_>>()
        };
        let mut spent: Vec<Spent> = trials().flat_map(of).collect();
        spent.retain(|spent| spent.age < budget.within);
        spent.sort_by_key(|spent| std::cmp::Reverse(spent.age));
        let mut held: Vec<(Stamp, ServiceId)> =
            trials().filter_map(|(w, repairs)| Some((repairs.held?, w.id))).collect();
        held.sort();
        self.host.spent = spent.into();
        self.host.held = held.into_iter().map(|(_, id)| id).collect();
    }

    /// Forgets who is not held any more, however that came about.
    fn still_held(&mut self) {
        let held = std::mem::take(&mut self.host.held);
        let is_held = |id: &ServiceId| {
            let trial = self.position(*id).and_then(|i| self.services[i].trial.as_ref());
            trial.is_some_and(|trial| trial.repairs.held.is_some())
        };
        self.host.held = held.into_iter().filter(is_held).collect();
    }

    /// The service is another one by now: it keeps its place.
    pub(crate) fn holds_as(&mut self, before: ServiceId, now: ServiceId) {
        self.host.held.iter_mut().filter(|id| **id == before).for_each(|id| *id = now);
    }

    /// Whether the host is short of something, by a look at it that is not old.
    fn starves(&mut self, now: Now) -> Option<Unborne> {
        let at = self.services.iter().position(|w| w.service.kind == Kind::System && !w.leaving)?;
        let host = &self.services[at];
        if host.watching == Watching::No || host.subject.not_seen.is_some() {
            return None;
        }
        let why = short_of(&host.subject.seen.as_ref()?.open())?;
        let unsure = now.stamp.since(host.subject.at?) >= FRESH;
        // After its look, not with it.
        let next = (host.due + Duration::from_millis(100)).min(now.moment + FRESH);
        if !unsure {
            return Some(Unborne { until: next.max(now.moment + AGAIN), why, unsure });
        }
        // Whoever is not looked at now says nothing of now.
        if !self.wants_looks(at, Part::Subject) || !self.may_look_early(now, at) || self.rests(at, false) {
            return None;
        }
        let soon = now.moment + Duration::from_millis(1);
        let recheck = &mut self.services[at].recheck;
        *recheck = Some(recheck.map_or(soon, |at| at.min(soon)));
        self.schedule(at);
        Some(Unborne { until: now.moment + AGAIN, why, unsure })
    }
}

/// What the host is short of, by what was seen of it.
fn short_of(seen: &Observation) -> Option<String> {
    let read = |metric: &Metric| seen.get(&metric.name).and_then(|value| value.as_f64()).unwrap_or(0.0);
    let (memory, swap) = (read(&metrics::MEMORY_PERCENT), read(&metrics::SWAP_PERCENT));
    let load = read(&metrics::LOAD_1_CORE);
    let short = match () {
        () if memory >= FULL => format!("memory ({memory:.0} % in use)"),
        () if memory >= NEARLY_FULL && swap >= NEARLY_FULL => {
            format!("memory ({memory:.0} %, and {swap:.0} % of the swap, in use)")
        }
        () if load >= LOAD => format!("processor time (a load of {load:.0} for each processor)"),
        () => return None,
    };
    Some(format!(
        "this host is short of {short}, and a restart would take more of it; what lives and still fails is restarted when \
         there is enough again"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_starves_for_memory_or_for_processor_time() {
        let seen = |memory: f64, swap: f64, load: f64| {
            let seen = Observation::up().with(&metrics::MEMORY_PERCENT, memory);
            short_of(&seen.with(&metrics::SWAP_PERCENT, swap).with(&metrics::LOAD_1_CORE, load)).is_some()
        };
        assert!(!seen(96.9, 0.0, 0.0), "a full page cache is not in use, but much of the memory may be");
        assert!(seen(97.0, 0.0, 0.0));
        assert!(!seen(89.0, 100.0, 0.0), "swap may be full of what nobody needs");
        assert!(seen(90.0, 90.0, 0.0));
        assert!(!seen(0.0, 0.0, 7.9));
        assert!(seen(0.0, 0.0, 8.0));
        assert_eq!(short_of(&Observation::up()), None, "what was not read is not short");
    }

    #[test]
    fn who_waits_longer_is_asked_first() {
        let budget = Budget { restarts: 2, within: Duration::from_secs(60) };
        let at = |s: u64| Moment::new(Duration::from_secs(s));
        let mut host = Host::default();
        host.spends(at(0), "a".into());
        assert_eq!(host.exceeds(budget, ServiceId(9), at(5)), None);
        host.spends(at(10), "b".into());
        let mut until = Vec::new();
        for n in 0..5 {
            until.push(host.exceeds(budget, ServiceId(n), at(20)).unwrap().0);
            host.holds(ServiceId(n));
        }
        assert_eq!(until, [at(60), at(70), at(120), at(130), at(180)]);
        let (_, why) = host.exceeds(budget, ServiceId(0), at(20)).unwrap();
        assert!(why.starts_with("2 restarts within 1 min on this host (a, b), and "), "{why}");
        assert_eq!(host.exceeds(budget, ServiceId(0), at(60)), None);
    }
}
