//! The supervisor is killed, and a new one takes up what the old one remembered.

use std::collections::{BTreeMap, HashMap};

use hinoban_config::Config;
use hinoban_event::Class;
use hinoban_reading::{Now, Stamp, Value};

use super::{Happening, World};
use crate::{Input, Remembered, Repairs, Restored, Resumed, Scheduler, Unbegun, Unfinished};

impl World {
    /// Kills the supervisor and starts it again under `config`, knowing what it had remembered. Programs that it had
    /// started go on.
    pub fn crash(&mut self, config: &Config) {
        self.revive(config, false);
    }

    /// The host is booted: no process is left, and the supervisor starts under `config`, knowing what it had remembered.
    pub fn reboot(&mut self, config: &Config) {
        self.processes.clear();
        self.lingering.clear();
        self.endings.clear();
        self.busy.clear();
        self.happenings.clear();
        self.revive(config, true);
    }

    fn revive(&mut self, config: &Config, booted: bool) {
        let mut open: BTreeMap<u64, &Remembered> = BTreeMap::new();
        let mut monitored: HashMap<String, bool> = HashMap::new();
        let mut gave_up: HashMap<String, String> = HashMap::new();
        let mut restarts: HashMap<String, (u32, u32)> = HashMap::new();
        let mut repairs: HashMap<String, Repairs> = HashMap::new();
        let mut failing: BTreeMap<(String, usize, Class), Stamp> = BTreeMap::new();
        let mut baselines: BTreeMap<(String, String), Value> = BTreeMap::new();
        let mut last_intent = self.last_intent;
        for entry in &self.remembered {
            match entry {
                Remembered::Monitoring { service, on, why } => {
                    monitored.insert(service.clone(), *on);
                    gave_up.remove(service);
                    gave_up.extend(why.clone().map(|why| (service.clone(), why)));
                }
                Remembered::Restarts { service, restarts: n, cycles } => {
                    restarts.insert(service.clone(), (*n, *cycles));
                }
                Remembered::Repairs { service, repairs: all } => {
                    repairs.insert(service.clone(), all.clone());
                }
                Remembered::Baseline { service, condition, value } => {
                    baselines.insert((service.clone(), condition.clone()), value.clone());
                }
                Remembered::Intent { intent, .. } => {
                    last_intent = last_intent.max(*intent);
                    open.insert(*intent, entry);
                }
                Remembered::Reaction { intent, .. } => {
                    last_intent = last_intent.max(*intent);
                    open.insert(*intent, entry);
                }
                Remembered::Done { intent, .. } => {
                    open.remove(intent);
                }
                Remembered::Failed { service, rule, class, since, .. } => {
                    failing.insert((service.clone(), *rule, *class), *since);
                }
                Remembered::Recovered { service, rule, class } => {
                    failing.remove(&(service.clone(), *rule, *class));
                }
            }
        }
        let failing = failing
            .into_iter()
            .map(|((service, rule, class), since)| (service, rule, class, since))
            .collect();
        let baselines =
            baselines.into_iter().map(|((service, rule), value)| (service, rule, value)).collect();
        let restored =
            Restored { booted, monitored, gave_up, restarts, repairs, failing, baselines, last_intent };
        let unfinished: Vec<Unfinished> =
            open.values().rev().filter_map(|entry| self.unfinished(entry)).collect();
        let unbegun: Vec<(u64, Option<Unbegun>)> = open.values().filter_map(|e| self.unbegun(e)).collect();
        self.scheduler = Scheduler::new(config, &restored, self.now);
        let dies = |h: &Happening| matches!(h, Happening::Input(_) | Happening::Looked(_));
        self.happenings.retain(|_, happening| !dies(happening));
        self.doom = None;
        if booted {
            // What the boot has decided holds until somebody decides otherwise.
            for (id, service) in self.scheduler.services() {
                let on = self.scheduler.is_watched(id);
                if restored.monitored.get(&service.name).is_some_and(|saved| *saved != on) {
                    let service = service.name.clone();
                    self.remembered.push(Remembered::Monitoring { service, on, why: None });
                }
            }
        }
        // What is not watched now does not fail, and must not recover one day.
        for (service, rule, class, _) in &restored.failing {
            let stands = self.scheduler.find(service).is_some_and(|id| self.scheduler.fails(id, *rule));
            if !stands {
                let (service, rule, class) = (service.clone(), *rule, *class);
                self.remembered.push(Remembered::Recovered { service, rule, class });
            }
        }
        if let Some(mut proof) = self.proof.take() {
            proof.revived(self, booted);
            self.proof = Some(proof);
        }
        for unfinished in unfinished {
            let intent = unfinished.intent;
            match self.scheduler.resume(self.instant(), &unfinished) {
                Resumed::Waits { left, .. } => {
                    // Whoever waits for a program that has ended hears so at once.
                    let runs = self.happenings.values().any(|happening| {
                        matches!(happening, Happening::ActionOver { input: Input::ActionDone { intent: i, .. }, .. } if *i == intent)
                    });
                    if !runs {
                        let (report, verdict) = (Default::default(), crate::Verdict::Ran);
                        self.feed(Input::ActionDone { intent, report, verdict });
                    }
                    debug_assert!(!left.is_zero());
                }
                Resumed::AskedAgain => {}
                Resumed::Over => {
                    // Nobody knows of its program any more.
                    self.busy.retain(|_, busy| *busy != intent);
                    self.over(intent);
                }
            }
        }
        for (intent, unbegun) in unbegun {
            let now = self.instant();
            match unbegun.and_then(|unbegun| self.scheduler.run_unbegun(now, &unbegun)) {
                Some(effects) => self.carry_out(effects),
                None => self.over(intent),
            }
        }
    }

    fn over(&mut self, intent: u64) {
        self.remembered.push(Remembered::Done { intent, ok: false });
    }

    pub(super) fn instant(&self) -> Now {
        let stamp =
            Stamp::from_micros(1_700_000_000_000_000 + self.skew + self.now.elapsed().as_micros() as i64);
        Now { moment: self.now, stamp }
    }
}

impl World {
    /// Every program that was begun had entered itself. What was only asked for has none.
    fn unfinished(&self, entry: &Remembered) -> Option<Unfinished> {
        let Remembered::Intent { intent, service, doing, at, whole, by, part_of } = entry else {
            return None;
        };
        let (intent, service, doing, at, by) = (*intent, service.clone(), doing.clone(), *at, by.clone());
        let (whole, part_of) = (whole.clone(), part_of.clone());
        let started = self.begun.contains(&intent);
        Some(Unfinished { intent, service, doing, whole, at, by, part_of, started })
    }

    /// What a rule was about to run, if it was not begun. What was begun runs, or has ended: nobody waits for it.
    fn unbegun(&self, entry: &Remembered) -> Option<(u64, Option<Unbegun>)> {
        let Remembered::Reaction { intent, service, at, rule, condition, recovery, nth, text, .. } = entry
        else {
            return None;
        };
        let (intent, service, rule) = (*intent, service.clone(), *rule);
        let (condition, text) = (condition.clone(), text.clone());
        let (recovery, nth, at) = (*recovery, *nth, *at);
        let unbegun = Unbegun { intent, service, rule, condition, recovery, nth, text, at };
        Some((intent, Some(unbegun).filter(|_| !self.begun.contains(&intent))))
    }
}

/// The service that is forgotten with this entry.
pub(super) fn about(entry: &Remembered) -> Option<&String> {
    match entry {
        Remembered::Monitoring { service, .. }
        | Remembered::Intent { service, .. }
        | Remembered::Reaction { service, .. }
        | Remembered::Restarts { service, .. }
        | Remembered::Baseline { service, .. }
        | Remembered::Repairs { service, .. }
        | Remembered::Failed { service, .. }
        | Remembered::Recovered { service, .. } => Some(service),
        _ => None,
    }
}
