//! Putting a supervisor together.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use hinoban_config::{Config, Mistake, Mistakes, Service};
use hinoban_event::{Class, Doing, Event};
use hinoban_incident::{Incidents, Options};
use hinoban_journal::{Entry, Failing, InFlight, Journal, State};
use hinoban_reading::{Moment, Stamp};
use hinoban_scheduler::{Restored, Scheduler, condition_name, follow};
use jiff::tz::TimeZone;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::acts::Acts;
use crate::clock::{Clock, Wall};
use crate::courier::Courier;
use crate::handle::{Handle, Request};
use crate::history::Rested;
use crate::looks::Looks;
use crate::plane::Plane;
use crate::registry::{Bound, Registry};
use crate::reload::moved;
use crate::run::{Ended, Loop};

/// Hears every event, on the thread of the supervisor: it must not block.
pub type Listener = Box<dyn Fn(&Event) + Send>;

/// A supervisor that was put together and can [`run`](Supervisor::run).
pub struct Supervisor {
    builder: Builder,
    bound: Vec<Bound>,
    handle: Handle,
    requests: mpsc::UnboundedReceiver<Request>,
}

/// Puts a [`Supervisor`] together.
pub struct Builder {
    config: Config,
    registry: Registry,
    journal: Journal,
    past: Option<PathBuf>,
    rested: Rested,
    boot: Option<(String, i64)>,
    listeners: Vec<Listener>,
    courier: Option<Box<dyn Courier>>,
    wall: Option<Wall>,
    zone: TimeZone,
    who: String,
}

impl Supervisor {
    /// Begins with a configuration, the kinds it may name, and nothing else.
    pub fn builder(config: Config, registry: Registry) -> Builder {
        Builder {
            config,
            registry,
            journal: Journal::volatile(),
            past: None,
            rested: Arc::new(|| ()),
            boot: None,
            listeners: Vec::new(),
            courier: None,
            wall: None,
            zone: TimeZone::UTC,
            who: concat!("Hinoban ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// A handle, good before, during and after the run.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Watches until [`Handle::stop`], or, if the configuration has no period, until everything was looked at once.
    ///
    /// Needs a tokio runtime with its time and io drivers. Dropping the future ends everything at once; what was
    /// started goes on.
    ///
    /// # Errors
    /// If the system has no descriptors left for the event plane.
    pub async fn run(self) -> io::Result<Ended> {
        let Supervisor { builder, bound, handle, requests } = self;
        let Builder { config, registry, journal, past, rested, boot, listeners, courier, wall, who, zone } =
            builder;
        let clock = Clock::new(wall);
        let state = journal.state();
        // The configuration may be another one than before: failures follow their rules.
        let mut remember = vec![];
        let mut failing: Vec<(Failing, usize)> = Vec::new();
        for service in &config.services {
            let of_it: Vec<&Failing> = state.failing().filter(|f| *f.service == *service.name).collect();
            let old: Vec<_> = of_it.iter().map(|f| (f.rule, f.class, f.condition.as_deref())).collect();
            let found = follow(&old, &service.rules);
            let moves: Vec<_> = old.iter().zip(&found).map(|(f, now)| (f.0, f.1, *now)).collect();
            remember.push(moved(state, &service.name, &moves));
            failing.extend(of_it.into_iter().zip(found).filter_map(|(f, now)| Some((f.clone(), now?))));
        }
        let restored = Restored {
            booted: boot.as_ref().is_none_or(|(id, _)| state.booted(id)),
            monitored: config
                .services
                .iter()
                .filter_map(|s| Some((s.name.clone(), state.monitored(&s.name)?)))
                .collect(),
            failing: failing.iter().map(|(f, now)| (f.service.to_string(), *now, f.class, f.since)).collect(),
            gave_up: config
                .services
                .iter()
                .filter_map(|s| Some((s.name.clone(), state.gave_up(&s.name)?.to_owned())))
                .collect(),
            restarts: config
                .services
                .iter()
                .filter_map(|s| Some((s.name.clone(), state.restarts(&s.name)?)))
                .collect(),
            repairs: config
                .services
                .iter()
                .filter_map(|s| Some((s.name.clone(), crate::carry::repairs(state.repairs(&s.name)?))))
                .collect(),
            baselines: state
                .baselines()
                .map(|(service, condition, value)| (service.to_string(), condition.to_owned(), value.clone()))
                .collect(),
            last_intent: state.next_intent() - 1,
        };
        remember
            .push(boot.map(|(boot_id, boot_time)| Entry::Boot { boot_id, boot_time }).into_iter().collect());
        // A program that had been started runs or has ended, and nobody waits for it.
        let (unbegun, in_flight): (Vec<InFlight>, Vec<InFlight>) = state
            .in_flight()
            .cloned()
            .partition(|flight| flight.doing == Doing::Exec && flight.processes.is_empty());
        remember.push(needless(state, &config.services));
        remember.push(crate::memory::needless(state, config.services.iter().map(|service| &**service)));
        let unknown = state.services().into_iter().filter(|n| !config.services.iter().any(|s| s.name == **n));
        remember.push(unknown.map(|service| Entry::Forgotten { service }).collect());
        // The start delay is for a host that has just been booted.
        let first = if restored.booted { Moment::ZERO + config.start_delay } else { Moment::ZERO };
        let scheduler = Scheduler::new(&config, &restored, first).in_zone(zone.clone());
        let host: Arc<str> = config.system().map_or("localhost", |s| s.name.as_str()).into();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut inner = Loop {
            since: clock.now().stamp,
            incidents: Incidents::new(options(&config, &host, &zone)),
            zone,
            plane: Some(Plane::new()?),
            clock,
            config,
            registry,
            scheduler,
            placed: HashMap::new(),
            looks: Looks::new(),
            lateness: Box::default(),
            fallen: Default::default(),
            snapshots: VecDeque::new(),
            after_due: false,
            acts: Acts::new(4 * cores),
            journal,
            past,
            recorder: None,
            rested,
            listeners,
            handle,
            requests,
            post: None,
            composed: Vec::new(),
            entered: VecDeque::new(),
            handed: HashMap::new(),
            unbegun,
            couriers: JoinSet::new(),
            compacting: JoinSet::new(),
            notes: mpsc::unbounded_channel(),
            limits: HashSet::new(),
            memories: HashMap::new(),
            learnt: Vec::new(),
            unseen: BTreeMap::new(),
            who,
            host,
            journal_broken: false,
        };
        if restored.booted {
            // What the boot has decided holds until somebody decides otherwise, also in the next life.
            let decided = inner.scheduler.services().filter_map(|(id, service)| {
                let on = inner.scheduler.is_watched(id);
                let changes = restored.monitored.get(&service.name).is_some_and(|saved| *saved != on);
                changes.then(|| Entry::Monitoring { service: service.name.as_str().into(), on, why: None })
            });
            remember.push(decided.collect());
        }
        let mut fail: BTreeMap<Arc<str>, Vec<(usize, Class, Stamp)>> = BTreeMap::new();
        for (Failing { service, class, message_id, since, .. }, rule) in failing {
            let stands = inner.scheduler.find(&service).is_some_and(|id| inner.scheduler.fails(id, rule));
            if stands {
                fail.entry(service.clone()).or_default().push((rule, class, since));
            }
            match message_id {
                // What is not watched now does not fail, and must not recover one day.
                _ if !stands => remember.push(vec![Entry::Recovered { service, rule, class }]),
                Some(_) => inner.incidents.restore(service, rule, class),
                // A failure that a crash kept from being told is told when it is seen again.
                None => {}
            }
        }
        for (service, _) in restored.repairs.iter().filter(|(_, repairs)| repairs.gave_up.is_some()) {
            inner.incidents.restore_given_up(service.as_str());
        }
        for entries in remember {
            inner.remember_all(&entries);
        }
        let ids: Vec<_> = inner.scheduler.services().map(|(id, _)| id).collect();
        for (id, bound) in ids.into_iter().zip(bound) {
            inner.place(id, bound);
        }
        // The newest first: an earlier one of the same service is a part of what that is a part of.
        for flight in in_flight.into_iter().rev() {
            inner.resume(flight);
        }
        inner.keep_history(fail.into_iter().collect());
        inner.employ(courier);
        inner.pay();
        Ok(inner.run().await)
    }
}

/// What rules about change saw that are no more.
fn needless(state: &State, services: &[Arc<Service>]) -> Vec<Entry> {
    let asked = |name: &str, condition: &str| {
        let service = services.iter().find(|service| service.name == name);
        service.is_none_or(|service| service.rules.iter().any(|rule| condition_name(&rule.when) == condition))
    };
    let gone = state.baselines().filter(|(service, condition, _)| !asked(service, condition));
    gone.map(|(service, condition, _)| Entry::Baseline {
        service: service.clone(),
        condition: condition.to_owned(),
        value: None,
    })
    .collect()
}

impl Builder {
    /// Remembers over restarts. Without one, everything is forgotten.
    pub fn journal(mut self, journal: Journal) -> Self {
        self.journal = journal;
        self
    }

    /// Keeps incidents and readings over time in this file, in as much room as the configuration says. Without one there
    /// is no history.
    pub fn history(mut self, path: impl Into<PathBuf>) -> Self {
        self.past = Some(path.into());
        self
    }

    /// Calls `rested` each time the history has let go of its file, on a thread of its own: what reading and writing it
    /// took of memory can be given back then.
    pub fn at_rest(mut self, rested: impl Fn() + Send + Sync + 'static) -> Self {
        self.rested = Arc::new(rested);
        self
    }

    /// Which boot of the host this is: `/proc/sys/kernel/random/boot_id`, and `btime` of `/proc/stat`. Without it,
    /// each run counts as the first after a boot.
    pub fn boot(mut self, id: impl Into<String>, time: i64) -> Self {
        self.boot = Some((id.into(), time));
        self
    }

    /// Tells every event to `listener`, before anybody else hears of it. It must not block.
    pub fn listen(mut self, listener: impl Fn(&Event) + Send + 'static) -> Self {
        self.listeners.push(Box::new(listener));
        self
    }

    /// Messages to people go to this courier. Without one, nobody is written to.
    pub fn courier(mut self, courier: impl Into<Option<Box<dyn Courier>>>) -> Self {
        self.courier = courier.into();
        self
    }

    /// The wall clock is read here instead of from the system.
    pub fn wall(mut self, wall: Wall) -> Self {
        self.wall = Some(wall);
        self
    }

    /// Dates in messages, and patterns of the calendar, are of this time zone; UTC without it.
    pub fn zone(mut self, zone: TimeZone) -> Self {
        self.zone = zone;
        self
    }

    /// What we call ourselves in messages: program and version.
    pub fn called(mut self, who: impl Into<String>) -> Self {
        self.who = who.into();
        self
    }

    /// Makes every probe and action that the configuration names.
    ///
    /// # Errors
    /// Every mistake that only the registry can find: unknown kinds, and rules over metrics that nobody reads.
    pub fn build(mut self) -> Result<Supervisor, Mistakes> {
        self.registry.follow(&self.config);
        let mut mistakes: Vec<Mistake> = self.config.dependencies();
        let mut all = Vec::new();
        for service in &self.config.services {
            match self.registry.bind(service) {
                Ok(bound) => all.push(bound),
                Err(more) => mistakes.extend(more),
            }
        }
        if !mistakes.is_empty() {
            return Err(Mistakes { list: mistakes, ..Mistakes::default() });
        }
        let (handle, requests) = Handle::new();
        Ok(Supervisor { builder: self, bound: all, handle, requests })
    }
}

/// How failures become messages under this configuration.
pub(crate) fn options(config: &Config, host: &str, zone: &TimeZone) -> Options {
    Options::of(config, host, zone.clone())
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor")
            .field("services", &self.builder.config.services.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("registry", &self.registry).finish_non_exhaustive()
    }
}
