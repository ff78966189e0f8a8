//! How a scheduler begins, and how it takes on another configuration.

use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{Config, OnReboot, Service};
use hinoban_event::Class;
use hinoban_reading::{Moment, Now, Stamp};

use crate::machine::Scheduler;
use crate::record::Record;
use crate::watched::Watched;
use crate::{ServiceId, Watching, rules};

/// What an earlier life of the supervisor left.
#[derive(Debug, Clone, Default)]
pub struct Restored {
    /// Whether the host was booted since.
    pub booted: bool,
    /// Which services were watched.
    pub monitored: HashMap<String, bool>,
    /// Rules that had failed: service, position of the rule, class, since when.
    pub failing: Vec<(String, usize, Class, Stamp)>,
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
    /// Failures of changed services that end with the rules they were of: service, position of the rule, class.
    pub ended: Vec<(String, usize, Class)>,
}

impl Scheduler {
    /// A scheduler for this configuration, whose first looks are due at `first`.
    pub fn new(config: &Config, restored: &Restored, first: Moment) -> Self {
        let mut scheduler = Self {
            services: Vec::new(),
            dialect: config.dialect,
            positions: HashMap::new(),
            heap: BinaryHeap::new(),
            running: HashMap::new(),
            asked_before: Vec::new(),
            default_every: config.every.unwrap_or(Duration::MAX / 4),
            next_service: 0,
            next_intent: restored.last_intent,
            next_event: 0,
        };
        for service in &config.services {
            let mut watched = scheduler.fresh(service.clone(), first, is_watched(service, restored));
            for (_, rule, class, since) in restored.failing.iter().filter(|f| f.0 == service.name) {
                let same = service.rules.get(*rule).is_some_and(|r| rules::class(&r.when) == *class);
                if same && watched.watching != Watching::No {
                    watched.records[*rule] = Some(Record::failed(*since));
                }
            }
            scheduler.services.push(watched);
        }
        scheduler.index();
        scheduler
    }

    fn fresh(&mut self, service: Arc<Service>, due: Moment, on: bool) -> Watched {
        let id = ServiceId(self.next_service);
        self.next_service += 1;
        let every = service.every.unwrap_or(self.default_every);
        Watched::new(id, service, every, due, on)
    }

    /// Takes on a new configuration. Services that did not change keep their state and their [`ServiceId`]; changed ones
    /// keep whether they are watched and what is being done to them.
    pub fn reload(&mut self, now: Now, config: &Config) -> Reload {
        let mut report = Reload::default();
        self.dialect = config.dialect;
        self.default_every = config.every.unwrap_or(Duration::MAX / 4);
        let mut old: Vec<Option<Watched>> = self.services.drain(..).map(Some).collect();
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
                    same
                }
                Some(other) => {
                    report.changed.push(service.name.clone());
                    let on = other.watching != Watching::No;
                    let mut new = self.fresh(service.clone(), now.moment, on);
                    new.generation = other.generation + 1;
                    for id in self.running.values_mut().filter(|id| **id == other.id) {
                        *id = new.id;
                    }
                    let ended =
                        other.failures().map(|(rule, class)| (other.service.name.clone(), rule, class));
                    report.ended.extend(ended);
                    new.task = other.task;
                    new.pending = other.pending;
                    new.ending = other.ending;
                    new.alive = other.alive;
                    if let Some(task) = &mut new.task {
                        // The look it waited for was of the service as it was.
                        task.look_again();
                        new.recheck = Some(now.moment);
                    }
                    new
                }
                None => {
                    report.added.push(service.name.clone());
                    let on = service.on_reboot != OnReboot::NoStart;
                    self.fresh(service.clone(), now.moment, on)
                }
            };
            self.services.push(watched);
        }
        report.removed = old.into_iter().flatten().map(|w| w.service.name.clone()).collect();
        self.index();
        report
    }
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
