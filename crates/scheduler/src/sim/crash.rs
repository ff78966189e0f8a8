//! The supervisor is killed, and a new one takes up what the old one remembered.

use std::collections::{BTreeMap, HashMap};

use hinoban_config::Config;
use hinoban_event::Class;
use hinoban_reading::{Now, Stamp};

use super::{Happening, World};
use crate::{Input, Remembered, Restored, Resumed, Scheduler, Unfinished};

impl World {
    /// Kills the supervisor and starts it again under `config`, knowing what it had remembered. Programs that it had
    /// started go on.
    pub fn crash(&mut self, config: &Config) {
        let mut open: BTreeMap<u64, &Remembered> = BTreeMap::new();
        let mut monitored: HashMap<String, bool> = HashMap::new();
        let mut gave_up: HashMap<String, String> = HashMap::new();
        let mut restarts: HashMap<String, (u32, u32)> = HashMap::new();
        let mut failing: BTreeMap<(String, usize, Class), Stamp> = BTreeMap::new();
        let mut last_intent = 0;
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
                Remembered::Intent { intent, .. } => {
                    last_intent = last_intent.max(*intent);
                    open.insert(*intent, entry);
                }
                // What rules run was run when it was remembered.
                Remembered::Reaction { intent, .. } => last_intent = last_intent.max(*intent),
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
        let restored = Restored { monitored, gave_up, restarts, failing, last_intent, ..Restored::default() };
        let unfinished: Vec<Unfinished> = open.values().rev().filter_map(|entry| begun(entry)).collect();
        self.scheduler = Scheduler::new(config, &restored, self.now);
        let dies = |h: &Happening| matches!(h, Happening::Input(_) | Happening::Looked(_));
        self.happenings.retain(|_, happening| !dies(happening));
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
                Resumed::Over => self.remembered.push(Remembered::Done { intent, ok: false }),
            }
        }
    }

    pub(super) fn instant(&self) -> Now {
        let stamp = Stamp::from_micros(1_700_000_000_000_000 + self.now.elapsed().as_micros() as i64);
        Now { moment: self.now, stamp }
    }
}

/// Every program that was begun had entered itself. What was only asked for has none.
fn begun(entry: &Remembered) -> Option<Unfinished> {
    let Remembered::Intent { intent, service, doing, at, whole, by } = entry else { return None };
    let (intent, service, doing, at, by) = (*intent, service.clone(), doing.clone(), *at, by.clone());
    let started = whole.is_some() || by.is_none();
    Some(Unfinished { intent, service, doing, whole: whole.clone(), at, by, started })
}
