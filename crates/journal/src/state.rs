use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hinoban_event::{Class, Doing};
use hinoban_reading::{Identity, Stamp, Value};

use crate::{Branch, Entry, Hex, Known, Letter, Repairs};

/// So many ends are kept in mind of what has not been entered yet.
const EARLY: usize = 32;

/// What the entries of a journal say, taken together.
///
/// A pure fold: [`apply`](Self::apply) each entry in order. The same entries give the same state on any machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    boot: Option<(String, i64)>,
    monitoring: BTreeMap<Arc<str>, (bool, Option<String>)>,
    /// Restarts within the window that is open, and its cycles so far.
    restarts: BTreeMap<Arc<str>, (u32, u32)>,
    repairs: BTreeMap<Arc<str>, Repairs>,
    /// What rules about change saw last, by service and what the rule asks.
    baselines: BTreeMap<(Arc<str>, String), Known>,
    /// What probes remember, by service and test, with what they look at.
    memories: BTreeMap<(Arc<str>, Option<String>), (String, Hex)>,
    intents: BTreeMap<u64, InFlight>,
    /// Intents that were over before they were entered, in this life of the supervisor: the next one counts anew.
    over: BTreeSet<u64>,
    failures: BTreeMap<(Arc<str>, usize, Class), Failing>,
    /// In the order in which they were entered.
    owed: Vec<Letter>,
}

/// Something that was being done when the journal ends: begun, and not known to be over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InFlight {
    /// Number of the intent.
    pub id: u64,
    /// The service it was done to.
    pub service: Arc<str>,
    /// What was being done.
    pub doing: Doing,
    /// When that was decided.
    pub at: Stamp,
    /// What all of it was to be; `None`: just this.
    pub whole: Option<Doing>,
    /// Who had asked for it; `None`: a rule.
    pub by: Option<String>,
    /// The service in whose restart it is a dependant's part; `None`: it is no such thing.
    pub part_of: Option<String>,
    /// The branch of the rule that runs it; see [`Entry::Intent`].
    pub branch: Option<Box<Branch>>,
    /// The processes started for it so far, in order; none if the crash came first. Any that still lives is to be
    /// waited for.
    pub processes: Vec<Identity>,
}

/// A rule that fails when the journal ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// The service.
    pub service: Arc<str>,
    /// Position of the rule within the service.
    pub rule: usize,
    /// The class of failure.
    pub class: Class,
    /// Since when.
    pub since: Stamp,
    /// Id of the message that told people; `None` if the crash came before one was handed over.
    pub message_id: Option<String>,
    /// What the rule asks, as a name; see [`Entry::Failed`].
    pub condition: Option<String>,
}

impl State {
    /// Takes in one more entry. Entries about what is not known change nothing, but for the end of an intent: if that is
    /// entered later, it is over.
    pub fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Boot { boot_id, boot_time } => {
                self.boot = Some((boot_id.clone(), *boot_time));
                self.over.clear();
            }
            Entry::Monitoring { service, on, why } => {
                self.monitoring.insert(service.clone(), (*on, why.clone()));
            }
            Entry::Restarts { service, restarts: 0, .. } => {
                self.restarts.remove(service);
            }
            Entry::Restarts { service, restarts, cycles } => {
                self.restarts.insert(service.clone(), (*restarts, *cycles));
            }
            Entry::Repairs { service, repairs } if *repairs == Repairs::default() => {
                self.repairs.remove(service);
            }
            Entry::Repairs { service, repairs } => {
                self.repairs.insert(service.clone(), repairs.clone());
            }
            Entry::Baseline { service, condition, value: Some(value) } => {
                self.baselines.insert((service.clone(), condition.clone()), value.clone());
            }
            Entry::Baseline { service, condition, value: None } => {
                self.baselines.remove(&(service.clone(), condition.clone()));
            }
            Entry::Memory { service, test, bytes, .. } if bytes.0.is_empty() => {
                self.memories.remove(&(service.clone(), test.clone()));
            }
            Entry::Memory { service, test, of, bytes } => {
                self.memories.insert((service.clone(), test.clone()), (of.clone(), bytes.clone()));
            }
            Entry::Intent { id, .. } if self.over.remove(id) => {}
            Entry::Intent { id, service, doing, at, whole, by, part_of, branch } => {
                let flight = InFlight {
                    id: *id,
                    service: service.clone(),
                    doing: doing.clone(),
                    at: *at,
                    whole: whole.clone(),
                    by: by.clone(),
                    part_of: part_of.clone(),
                    branch: branch.clone(),
                    processes: Vec::new(),
                };
                self.intents.insert(*id, flight);
            }
            Entry::Spawned { intent, identity } => {
                // It may say so itself, and whoever started it as well.
                if let Some(flight) = self.intents.get_mut(intent)
                    && !flight.processes.contains(identity)
                {
                    flight.processes.push(*identity);
                }
            }
            Entry::Done { intent, .. } => {
                if self.intents.remove(intent).is_none() {
                    self.over.insert(*intent);
                    if self.over.len() > EARLY {
                        self.over.pop_first();
                    }
                }
            }
            Entry::Failed { service, rule, class, since, message_id, condition } => {
                let failing = Failing {
                    service: service.clone(),
                    rule: *rule,
                    class: *class,
                    since: *since,
                    message_id: message_id.clone(),
                    condition: condition.clone(),
                };
                self.failures.insert((service.clone(), *rule, *class), failing);
            }
            Entry::Recovered { service, rule, class } => {
                self.failures.remove(&(service.clone(), *rule, *class));
            }
            Entry::Forgotten { service } => {
                self.monitoring.remove(service);
                self.restarts.remove(service);
                self.repairs.remove(service);
                self.baselines.retain(|(of, _), _| of != service);
                self.memories.retain(|(of, _), _| of != service);
                self.intents.retain(|_, flight| flight.service != *service);
                self.failures.retain(|_, failing| failing.service != *service);
            }
            Entry::Owed(letter) => {
                self.owed.retain(|same| same.id != letter.id);
                self.owed.push((**letter).clone());
            }
            Entry::Carried { id } => self.owed.retain(|letter| letter.id != *id),
        }
    }

    /// Whether the host was booted since the supervisor last ran, `boot_id` being the kernel's name for this boot.
    /// True as well if it never ran: a first start is treated as the start after a boot.
    pub fn booted(&self, boot_id: &str) -> bool {
        self.boot.as_ref().is_none_or(|(last, _)| last != boot_id)
    }

    /// When the host was booted that the supervisor last ran on, in seconds since the Unix epoch.
    pub fn boot_time(&self) -> Option<i64> {
        self.boot.as_ref().map(|(_, time)| *time)
    }

    /// Whether the service is watched; `None` if that was never switched.
    pub fn monitored(&self, service: &str) -> Option<bool> {
        self.monitoring.get(service).map(|(on, _)| *on)
    }

    /// Why a rule has switched off the watching of this service, if one has.
    pub fn gave_up(&self, service: &str) -> Option<&str> {
        self.monitoring.get(service).and_then(|(_, why)| why.as_deref())
    }

    /// How often rules have restarted this service within the window that is open, and the cycles of it since the first
    /// time; `None`: no window is open.
    pub fn restarts(&self, service: &str) -> Option<(u32, u32)> {
        self.restarts.get(service).copied()
    }

    /// What repairs of this service by rules have come to; `None`: there were none.
    pub fn repairs(&self, service: &str) -> Option<&Repairs> {
        self.repairs.get(service)
    }

    /// What rules about change saw last: service, what the rule asks, and the value.
    pub fn baselines(&self) -> impl Iterator<Item = (&Arc<str>, &str, &Value)> {
        self.baselines.iter().map(|((service, condition), known)| (service, condition.as_str(), &known.0))
    }

    /// What a probe of this service remembered: that of a test of this name, or of the look at the service itself; if it
    /// looks at the same still.
    pub fn memory(&self, service: &str, test: Option<&str>, of: &str) -> Option<&[u8]> {
        let (same, bytes) = self.memories.get(&(service.into(), test.map(str::to_owned)))?;
        (same == of).then_some(&bytes.0)
    }

    /// Whose probes remember something: service and test.
    pub fn memories(&self) -> impl Iterator<Item = (&Arc<str>, Option<&str>)> {
        self.memories.keys().map(|(service, test)| (service, test.as_deref()))
    }

    /// What was being done and is not known to be over, oldest first.
    pub fn in_flight(&self) -> impl Iterator<Item = &InFlight> {
        self.intents.values()
    }

    /// The rules that fail, by service and position.
    pub fn failing(&self) -> impl Iterator<Item = &Failing> {
        self.failures.values()
    }

    /// The failure of this rule, if it fails.
    pub fn failure(&self, service: &str, rule: usize, class: Class) -> Option<&Failing> {
        self.failures.get(&(service.into(), rule, class))
    }

    /// Messages that nobody has taken charge of, oldest first.
    pub fn owed(&self) -> impl Iterator<Item = &Letter> {
        self.owed.iter()
    }

    /// Names of all services that anything is remembered of, each once. Those no longer configured are to be
    /// forgotten by [`Entry::Forgotten`].
    pub fn services(&self) -> Vec<Arc<str>> {
        let watched = self.monitoring.keys();
        let acted_on = self.intents.values().map(|flight| &flight.service);
        let failing = self.failures.values().map(|failing| &failing.service);
        let counted = self.restarts.keys().chain(self.repairs.keys());
        let compared = self.baselines.keys().map(|(service, _)| service);
        let read = self.memories.keys().map(|(service, _)| service);
        let mut names: Vec<_> = watched
            .chain(acted_on)
            .chain(failing)
            .chain(counted)
            .chain(compared)
            .chain(read)
            .cloned()
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// A number for the next intent: above that of every intent in flight.
    pub fn next_intent(&self) -> u64 {
        self.intents.last_key_value().map_or(1, |(id, _)| id.saturating_add(1))
    }

    /// The fewest entries that give this state again.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        let boot = self.boot.iter().map(|(id, time)| Entry::Boot { boot_id: id.clone(), boot_time: *time });
        let monitoring = self.monitoring.iter().map(|(service, (on, why))| Entry::Monitoring {
            service: service.clone(),
            on: *on,
            why: why.clone(),
        });
        let restarts = self.restarts.iter().map(|(service, (restarts, cycles))| Entry::Restarts {
            service: service.clone(),
            restarts: *restarts,
            cycles: *cycles,
        });
        let repairs = self
            .repairs
            .iter()
            .map(|(service, repairs)| Entry::Repairs { service: service.clone(), repairs: repairs.clone() });
        let baselines = self.baselines.iter().map(|((service, condition), value)| Entry::Baseline {
            service: service.clone(),
            condition: condition.clone(),
            value: Some(value.clone()),
        });
        let memories = self.memories.iter().map(|((service, test), (of, bytes))| Entry::Memory {
            service: service.clone(),
            test: test.clone(),
            of: of.clone(),
            bytes: bytes.clone(),
        });
        let failures = self.failures.values().map(|failing| Entry::Failed {
            service: failing.service.clone(),
            rule: failing.rule,
            class: failing.class,
            since: failing.since,
            message_id: failing.message_id.clone(),
            condition: failing.condition.clone(),
        });
        let owed = self.owed.iter().map(|letter| Entry::Owed(Box::new(letter.clone())));
        let intents = self.intents.values().flat_map(|flight| {
            let intent = Entry::Intent {
                id: flight.id,
                service: flight.service.clone(),
                doing: flight.doing.clone(),
                at: flight.at,
                whole: flight.whole.clone(),
                by: flight.by.clone(),
                part_of: flight.part_of.clone(),
                branch: flight.branch.clone(),
            };
            let spawned = flight
                .processes
                .iter()
                .map(|identity| Entry::Spawned { intent: flight.id, identity: *identity });
            std::iter::once(intent).chain(spawned)
        });
        let over = self.over.iter().map(|intent| Entry::Done { intent: *intent, ok: false });
        boot.chain(monitoring)
            .chain(restarts)
            .chain(repairs)
            .chain(baselines)
            .chain(memories)
            .chain(failures)
            .chain(intents)
            .chain(over)
            .chain(owed)
    }
}
