//! Taking on a changed configuration, wholly or not at all.

use std::collections::HashSet;

use hinoban_config::{Config, Mistake, Mistakes};
use hinoban_event::Fact;
use hinoban_journal::Entry;

use crate::builder::options;
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
        let mut mistakes: Vec<Mistake> = Vec::new();
        let old: Vec<_> = self.scheduler.services().map(|(_, s)| s.clone()).collect();
        let mut bound = Vec::new();
        for service in &config.services {
            let same = old.contains(service);
            match if same { None } else { Some(self.registry.bind(service)) } {
                Some(Ok(made)) => bound.push((service.name.clone(), made)),
                Some(Err(more)) => mistakes.extend(more),
                None => {}
            }
        }
        if !mistakes.is_empty() {
            return Err(Mistakes { list: mistakes, ..Mistakes::default() });
        }
        let before: HashSet<_> = self.scheduler.services().map(|(id, _)| id).collect();
        let report = self.scheduler.reload(self.clock.now(), &config);
        let after: HashSet<_> = self.scheduler.services().map(|(id, _)| id).collect();
        for id in before.difference(&after) {
            self.displace(*id);
        }
        for (name, made) in bound {
            if let Some(id) = self.scheduler.find(&name) {
                self.place(id, made);
            }
        }
        for (service, rule, class) in &report.ended {
            let service = service.as_str().into();
            self.remember(Entry::Recovered { service, rule: *rule, class: *class });
        }
        for service in &report.changed {
            self.incidents.forget(service);
        }
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
        self.config = config;
        let hinoban_scheduler::Reload { added, removed, changed, .. } = report.clone();
        self.tell_of_host(Fact::Reloaded { added, removed, changed });
        Ok(ReloadReport { added: report.added, removed: report.removed, changed: report.changed })
    }
}
