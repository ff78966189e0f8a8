//! How a scheduler begins, and how it takes on another configuration.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{Config, OnReboot, Service};
use hinoban_event::Class;
use hinoban_reading::{Moment, Now, Stamp, Value};
use jiff::tz::TimeZone;

use crate::limit::{self, Tally};
use crate::machine::Scheduler;
use crate::patience::{Repairs, Trial};
use crate::queue::distance;
use crate::record::Record;
use crate::watched::{Looks, Watched};
use crate::{ServiceId, Watching, change, condition_name, flaw, follow, rules};

/// What an earlier life of the supervisor left.
#[derive(Debug, Clone, Default)]
pub struct Restored {
    /// Whether the host was booted since.
    pub booted: bool,
    /// Which services were watched.
    pub monitored: HashMap<String, bool>,
    /// Rules that had failed: service, position of the rule, class, since when.
    pub failing: Vec<(String, usize, Class, Stamp)>,
    /// Why rules have ended the watching of services that are not watched.
    pub gave_up: HashMap<String, String>,
    /// How often rules have restarted services within the windows that are open, and the cycles since the first time.
    pub restarts: HashMap<String, (u32, u32)>,
    /// What repairs of services by rules have come to.
    pub repairs: HashMap<String, Repairs>,
    /// What rules about change saw last: service, the [`condition_name`] of the rule, and the value.
    pub baselines: Vec<(String, String, Value)>,
    /// The highest number of an intent so far.
    pub last_intent: u64,
}

/// What a reload changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reload {
    /// Names of new services.
    pub added: Vec<String>,
    /// Names of services that are gone.
    pub removed: Vec<String>,
    /// Names of services whose configuration changed.
    pub changed: Vec<String>,
    /// Failures of changed services: service, position of the rule before, class, and the position now. `None`: it ends
    /// with its rule.
    pub failures: Vec<(String, usize, Class, Option<usize>)>,
    /// Names of changed services that watch another thing now: what was known of it holds no longer.
    pub other: Vec<String>,
    /// Looks of changed services that could not see, and that are made no more: service, and how many.
    pub unseen: Vec<(String, usize)>,
    /// Names of changed services whose restarts, as limits count them, are counted anew.
    pub uncounted: Vec<String>,
    /// Names of changed services whose repairs are counted anew, and what is known of them still: what the host has borne.
    pub forgiven: Vec<(String, Repairs)>,
}

impl Scheduler {
    /// A scheduler for this configuration, whose first looks are due at `first`.
    pub fn new(config: &Config, restored: &Restored, first: Moment) -> Self {
        let mut scheduler = Self {
            services: Vec::with_capacity(config.services.len()),
            dialect: config.dialect,
            zone: TimeZone::UTC,
            positions: Default::default(),
            queue: Default::default(),
            running: HashMap::new(),
            errands: HashMap::new(),
            kills: HashMap::new(),
            failed_errands: HashSet::new(),
            asked_before: Vec::new(),
            ties: Default::default(),
            resting: Vec::new(),
            waiting: Vec::new(),
            ending: false,
            budget: config.budget,
            host: Default::default(),
            default_every: config.every.unwrap_or(Duration::MAX / 4),
            next_service: 0,
            first_fresh: 0,
            next_intent: restored.last_intent,
            next_event: 0,
            now: Now { moment: Moment::ZERO, stamp: Stamp::default() },
            woken: false,
        };
        for service in &config.services {
            let mut watched = scheduler.fresh(service.clone(), first, is_watched(service, restored));
            if watched.watching == Watching::No {
                watched.gave_up = restored.gave_up.get(&service.name).map(|why| why.as_str().into());
            } else if let Some((restarts, cycles)) = restored.restarts.get(&service.name).copied()
                && limit::window(service).is_some()
            {
                watched.tally = Tally { restarts, cycles };
            }
            if let Some(repairs) = restored.repairs.get(&service.name)
                && (service.patience.is_some() || !repairs.spent.is_empty() || repairs.held.is_some())
            {
                let on = watched.watching != Watching::No;
                let Repairs { spent, held, .. } = repairs.clone();
                let repairs = match service.patience {
                    Some(_) => repairs.clone(),
                    None => Repairs { spent, held, ..Repairs::default() },
                };
                watched.trial = Some(Box::new(Trial::restored(repairs, on)));
            }
            for (_, rule, class, since) in restored.failing.iter().filter(|f| f.0 == service.name) {
                let Some(written) = service.rules.get(*rule) else { continue };
                let flaw = Some(*class).filter(|class| flaw::may_be(&written.when, *class));
                let same = flaw.is_some() || rules::class_in(&service.kind, &written.when) == *class;
                if same && watched.watching != Watching::No {
                    watched.records[*rule] = Some(Box::new(Record::failed(*since, flaw)));
                }
            }
            for (_, condition, value) in restored.baselines.iter().filter(|b| b.0 == service.name) {
                watched.restore_baseline(condition, value);
            }
            scheduler.services.push(watched);
        }
        scheduler.index();
        scheduler
    }

    /// The time zone in which patterns of the calendar are meant; UTC, until this says otherwise.
    pub fn in_zone(mut self, zone: TimeZone) -> Self {
        self.zone = zone;
        self
    }

    fn fresh(&mut self, service: Arc<Service>, due: Moment, on: bool) -> Watched {
        let id = ServiceId(self.next_service);
        self.next_service += 1;
        let every = service.every.unwrap_or(self.default_every);
        let due = due + distance(id.0 - self.first_fresh, every);
        Watched::new(id, service, every, due, on)
    }

    /// Takes on a new configuration. Services that did not change keep their state and their [`ServiceId`]; changed ones
    /// keep whether they are watched, what is being done to them, and, if they watch the same thing, what is known of
    /// it: failures follow their rules (see [`follow`]). What is being done to a service that goes comes to its end first,
    /// so that none is left stopped in the middle of a restart; if it comes back before, it is still being done to it.
    pub fn reload(&mut self, now: Now, config: &Config) -> Reload {
        let mut report = Reload::default();
        self.first_fresh = self.next_service;
        self.dialect = config.dialect;
        self.budget = config.budget;
        self.default_every = config.every.unwrap_or(Duration::MAX / 4);
        let (old, mut leaving): (Vec<Watched>, Vec<Watched>) =
            self.services.drain(..).partition(|w| !w.leaving);
        let mut old: Vec<Option<Watched>> = old.into_iter().map(Some).collect();
        for service in &config.services {
            let every = service.every.unwrap_or(self.default_every);
            let slot = old
                .iter_mut()
                .find(|o| o.as_ref().is_some_and(|w| w.name.eq_ignore_ascii_case(&service.name)));
            let watched = match slot.and_then(Option::take) {
                Some(mut same) if same.service == *service => {
                    if same.every != every {
                        same.every = every;
                        same.due = same.due.min(now.moment + every);
                    }
                    same.forget_first(config.dialect);
                    same
                }
                Some(other) => {
                    report.changed.push(service.name.clone());
                    let on = other.watching != Watching::No;
                    self.changed(now, other, service, on, &mut report)
                }
                None => {
                    report.added.push(service.name.clone());
                    let on = service.on_reboot != OnReboot::NoStart;
                    let back = leaving.iter().position(|w| w.name.eq_ignore_ascii_case(&service.name));
                    match back.map(|at| leaving.swap_remove(at)) {
                        Some(back) => self.changed(now, back, service, on, &mut report),
                        None => self.fresh(service.clone(), now.moment, on),
                    }
                }
            };
            self.services.push(watched);
        }
        for mut watched in old.into_iter().flatten() {
            report.removed.push(watched.service.name.clone());
            watched.forget();
            // Whoever remembers forgets it too, also if it comes back before that is over.
            watched.trial = None;
            watched.watching = Watching::No;
            watched.pending = None;
            watched.switched = None;
            watched.leaving = true;
            leaving.push(watched);
        }
        leaving.retain(|w| w.task.as_ref().is_some_and(|task| task.has_begun()));
        self.services.extend(leaving);
        self.index();
        report
    }

    /// The service as it is now, with what is still true of it as it was.
    fn changed(
        &mut self,
        now: Now,
        other: Watched,
        service: &Arc<Service>,
        on: bool,
        report: &mut Reload,
    ) -> Watched {
        let mut new = self.fresh(service.clone(), now.moment, on);
        new.generation = other.generation + 1;
        self.holds_as(other.id, new.id);
        for id in self.running.values_mut().chain(&mut self.asked_before).filter(|id| **id == other.id) {
            *id = new.id;
        }
        let names: Vec<String> = other.service.rules.iter().map(|r| condition_name(&r.when)).collect();
        let old = other.service.rules.iter().zip(&names).enumerate();
        let old: Vec<_> = old
            .map(|(at, (rule, name))| {
                (at, rules::class_in(&other.service.kind, &rule.when), Some(name.as_str()))
            })
            .collect();
        let same = other.service.kind == service.kind;
        let found = if same { follow(&old, &service.rules) } else { vec![None; old.len()] };
        let failures = other.failures().map(|(rule, class)| (service.name.clone(), rule, class, found[rule]));
        report.failures.extend(failures);
        let before = unseen(&other);
        new.ending = other.ending;
        new.alive = other.alive;
        new.pending = other.pending;
        new.switched = other.switched;
        new.task = other.task;
        let afresh = !same && new.has_subject();
        if let Some(task) = &mut new.task {
            // The look it waited for was of the service as it was.
            task.look_again(afresh);
            Self::kill_under(now.moment, task, other.service.kill_after, service.kill_after);
            new.recheck = Some(now.moment);
        }
        if other.tally != Tally::default() && (!same || limit::window(service).is_none()) {
            report.uncounted.push(service.name.clone());
        }
        // What has none all along has only what the host counts.
        let patient = same && (service.patience.is_some() || other.service.patience.is_none());
        let tried = other.trial.as_ref().filter(|trial| trial.repairs != Repairs::default());
        if let Some(trial) = tried.filter(|_| !patient) {
            let left = Repairs { spent: trial.repairs.spent.clone(), ..Repairs::default() };
            report.forgiven.push((service.name.clone(), left.clone()));
            new.trial = (!left.spent.is_empty()).then(|| Box::new(Trial::restored(left, true)));
        }
        if !same {
            report.other.push(service.name.clone());
            return new;
        }
        // The probes are new: what they see next is seen afresh, but until then we know what we knew.
        let known = |looks: Looks| Looks { flying: None, again: false, ..looks };
        if on && other.watching != Watching::No {
            new.watching = other.watching;
            new.subject = known(other.subject);
            new.since = other.since;
        }
        new.acted =
            other.acted.map(|(at, cycle)| (at, if cycle == other.cycle { new.cycle } else { u64::MAX }));
        new.short_lives = other.short_lives;
        new.grace = other.grace;
        new.done = other.done;
        new.restarts = other.restarts;
        if limit::window(service).is_some() {
            new.tally = other.tally;
        }
        if patient {
            new.trial = other.trial.map(|trial| Box::new(trial.reloaded()));
        }
        if other.service.turns == service.turns {
            new.turn = other.turn;
        }
        if !on {
            new.gave_up = other.gave_up;
        }
        let changes = other.changes.into_iter().flatten();
        for (baseline, at) in changes.zip(&found) {
            if let (Some(at), Some(changes)) = (at, &mut new.changes)
                && change::of(&service.rules[*at]).is_some()
            {
                changes[*at] = baseline;
            }
        }
        new.forget_first(self.dialect);
        new.follow_content(other.contents, &found);
        let memories = other.records.into_iter().zip(other.judged).zip(other.tests);
        for (((record, judged), looks), at) in memories.zip(found) {
            let Some(at) = at else { continue };
            new.records[at] = record;
            new.judged[at] = judged;
            new.tests[at] = looks.map(|looks| Box::new(known(*looks)));
        }
        let gone = before.saturating_sub(unseen(&new));
        if gone > 0 {
            report.unseen.push((service.name.clone(), gone));
        }
        new
    }
}

/// How many of its looks could not see when they were last made.
fn unseen(watched: &Watched) -> usize {
    watched.all_looks().filter(|looks| looks.not_seen.is_some()).count()
}

/// Whether a service is watched when we begin.
fn is_watched(service: &Service, restored: &Restored) -> bool {
    let saved = restored.monitored.get(&service.name).copied();
    match service.on_reboot {
        OnReboot::Start if restored.booted => true,
        OnReboot::Start => saved.unwrap_or(true),
        OnReboot::NoStart if restored.booted => false,
        OnReboot::NoStart => saved.unwrap_or(false),
        OnReboot::LastState => saved.unwrap_or(true),
    }
}
