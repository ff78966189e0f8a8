//! What probes remember, kept over our own end.
//!
//! It is entered after what the look found has been told and what follows from it has been remembered: a crash in between
//! tells it twice, and not never. What was found and still waits for its rule holds it back for as long.

use hinoban_config::{Condition, Service};
use hinoban_journal::{Entry, Hex, State};
use hinoban_probe::Probe;
use hinoban_scheduler::{Part, condition_name, kind_name};

use crate::plane::Owner;
use crate::run::Loop;

/// More than this is not kept: 64 KiB.
const MOST: usize = 64 << 10;

/// Which test of a service a probe makes, and what it looks at, both as names.
fn names(service: &Service, part: Part) -> Option<(Option<String>, String)> {
    match part {
        Part::Subject => Some((None, kind_name(&service.kind))),
        Part::Test(rule) => {
            let name = condition_name(&service.rules.get(rule)?.when);
            Some((Some(name.clone()), name))
        }
    }
}

impl Loop {
    /// Gives a new probe what the one before it remembered, if that looked at the same.
    pub(crate) fn recall(&mut self, owner: Owner, probe: &mut dyn Probe) {
        self.memories.remove(&owner);
        let Some(service) = self.scheduler.service(owner.0) else { return };
        let Some((test, of)) = names(service, owner.1) else { return };
        if let Some(bytes) = self.journal.state().memory(&service.name, test.as_deref(), &of) {
            let bytes = bytes.to_vec();
            probe.recall(&bytes);
            self.memories.insert(owner, bytes);
        }
    }

    /// Takes note of what a probe remembers after a look.
    pub(crate) fn learn(&mut self, owner: Owner, memory: Option<Vec<u8>>) {
        let known = self.memories.get(&owner);
        if memory.as_deref().unwrap_or_default() == known.map(Vec::as_slice).unwrap_or_default() {
            self.learnt.retain(|(other, _)| *other != owner);
            return;
        }
        let bytes = memory.unwrap_or_default();
        if bytes.len() > MOST {
            let what = format!(
                "its probe remembers {} bytes, and no more than {MOST} are kept over a restart of the supervisor",
                bytes.len()
            );
            return self.limited(owner.0, what);
        }
        self.learnt.retain(|(other, _)| *other != owner);
        self.learnt.push((owner, bytes));
    }

    /// Enters what was learnt since, now that everything it led to has been told.
    pub(crate) fn keep_memories(&mut self) {
        if self.learnt.is_empty() {
            return;
        }
        let mut entries = Vec::new();
        for (owner, bytes) in std::mem::take(&mut self.learnt) {
            // The next look tells it again.
            if self.scheduler.withholds(owner.0) {
                continue;
            }
            let Some(service) = self.scheduler.service(owner.0) else { continue };
            let Some((test, of)) = names(service, owner.1) else { continue };
            let service = service.name.as_str().into();
            entries.push(Entry::Memory { service, test, of, bytes: Hex(bytes.clone()) });
            self.memories.insert(owner, bytes);
        }
        self.remember_all(&entries);
    }
}

/// Entries that forget what tests remember that are no more.
pub(crate) fn needless<'a>(state: &State, services: impl Iterator<Item = &'a Service> + Clone) -> Vec<Entry> {
    let asked = |name: &str, test: &str| {
        let service = services.clone().find(|service| service.name == name);
        let is_it = |when: &Condition| matches!(when, Condition::Test { .. }) && condition_name(when) == test;
        service.is_none_or(|service| service.rules.iter().any(|rule| is_it(&rule.when)))
    };
    let gone = state.memories().filter(|(service, test)| test.is_some_and(|test| !asked(service, test)));
    gone.map(|(service, test)| Entry::Memory {
        service: service.clone(),
        test: test.map(str::to_owned),
        of: String::new(),
        bytes: Hex::default(),
    })
    .collect()
}
