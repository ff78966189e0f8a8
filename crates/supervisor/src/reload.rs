//! Taking on a changed configuration, wholly or not at all.

use hinoban_config::{Config, Mistake, Mistakes};
use hinoban_event::{Class, Fact};
use hinoban_journal::{Entry, Failing, State};
use hinoban_scheduler::{Reload, Remembered};

use crate::builder::options;
use crate::carry::entry;
use crate::courier::Courier;
use crate::handle::ReloadReport;
use crate::run::Loop;

impl Loop {
    /// Binds everything first; only if all of it can be bound is anything changed.
    pub(crate) fn reload(
        &mut self,
        config: Config,
        courier: Option<Box<dyn Courier>>,
    ) -> Result<ReloadReport, Mistakes> {
        let mut mistakes: Vec<Mistake> = config.dependencies();
        let old: Vec<_> = self.scheduler.services().map(|(_, s)| s.clone()).collect();
        let mut bound = Vec::new();
        let before = self.registry.follow(&config);
        let unmoved = before == config.tls_defaults();
        for service in &config.services {
            let same = unmoved && old.contains(service);
            match if same { None } else { Some(self.registry.bind(service)) } {
                Some(Ok(made)) => bound.push((service.name.clone(), made)),
                Some(Err(more)) => mistakes.extend(more),
                None => {}
            }
        }
        if !mistakes.is_empty() {
            self.registry.back(before);
            return Err(Mistakes { list: mistakes, ..Mistakes::default() });
        }
        let report = self.scheduler.reload(self.clock.now(), &config);
        self.begin_snapshots_anew();
        // One that goes keeps its probes and programs while something is still being done to it.
        let known: Vec<_> = self.placed.keys().copied().collect();
        for id in known.into_iter().filter(|id| self.scheduler.service(*id).is_none()).collect::<Vec<_>>() {
            self.displace(id);
        }
        for (name, made) in bound {
            if let Some(id) = self.scheduler.find(&name) {
                self.place(id, made);
            }
        }
        self.follow(&report);
        for service in &report.removed {
            self.incidents.forget(service);
            self.remember(Entry::Forgotten { service: service.as_str().into() });
        }
        self.since = self.clock.now().stamp;
        self.host = config.system().map_or(self.host.clone(), |s| s.name.as_str().into());
        self.incidents.set_options(options(&config, &self.host, &self.zone));
        if config.mail != self.config.mail || courier.is_some() {
            self.employ(courier);
        }
        let room = self.config.history;
        self.config = config;
        self.reload_history(&report, room);
        let Reload { added, removed, changed, .. } = report.clone();
        self.tell_of_host(Fact::Reloaded { added, removed, changed });
        Ok(ReloadReport { added: report.added, removed: report.removed, changed: report.changed })
    }

    /// Failures follow their rules, in what is remembered and in what people have been told.
    fn follow(&mut self, report: &Reload) {
        for service in &report.changed {
            if report.other.contains(service) {
                self.incidents.forget(service);
            }
            let of_it = report.failures.iter().filter(|f| f.0 == *service);
            let failures: Vec<_> = of_it.map(|(_, rule, class, now)| (*rule, *class, *now)).collect();
            self.incidents.moved(service, &failures);
            let entries = moved(self.journal.state(), service, &failures);
            self.remember_all(&entries);
        }
        for service in &report.uncounted {
            self.remember(Entry::Restarts { service: service.as_str().into(), restarts: 0, cycles: 0 });
        }
        for (service, repairs) in &report.forgiven {
            let (service, repairs) = (service.clone(), repairs.clone());
            if let Some(entry) = entry(Remembered::Repairs { service, repairs }) {
                self.remember(entry);
            }
        }
        for (service, looks) in &report.unseen {
            self.incidents.dropped(service, *looks);
        }
    }
}

/// The entries that put the failures of a service where their rules stand now: position before, class, position now.
pub(crate) fn moved(state: &State, service: &str, failures: &[(usize, Class, Option<usize>)]) -> Vec<Entry> {
    let moves = || failures.iter().filter(|(rule, _, now)| Some(*rule) != *now);
    let ends = moves().map(|(rule, class, _)| Entry::Recovered {
        service: service.into(),
        rule: *rule,
        class: *class,
    });
    let begins = moves().filter_map(|(rule, class, now)| {
        let Failing { service, since, message_id, condition, .. } =
            state.failure(service, *rule, *class)?.clone();
        Some(Entry::Failed { service, rule: (*now)?, class: *class, since, message_id, condition })
    });
    ends.chain(begins).collect()
}
