use std::collections::HashSet;

use crate::{Condition, Config, Kind, Mistake, Rule, Service, Then};

impl Config {
    /// What can be used but can hardly be meant: rules that ask for a repair which has no program.
    ///
    /// Both languages add this to their warnings.
    pub fn advice(&self) -> Vec<Mistake> {
        // A restart of what others depend on restarts those: it needs no program of its own.
        let names = self.services.iter().flat_map(|s| &s.depends_on).map(|wanted| wanted.name.to_lowercase());
        let needed: HashSet<String> = names.collect();
        self.services
            .iter()
            .flat_map(|service| service.rules.iter().filter_map(|rule| of(service, rule, &needed)))
            .collect()
    }
}

fn of(service: &Service, rule: &Rule, needed: &HashSet<String>) -> Option<Mistake> {
    let process = match service.kind {
        Kind::Process { .. } => true,
        Kind::File { .. } | Kind::Filesystem { .. } => false,
        _ => return None,
    };
    let name = &service.name;
    let able = service.start.is_some() || service.restart.is_some();
    let (what, help) = match (&rule.fail.then, &rule.when) {
        // The rule that nobody wrote restarts only what has a program for it, and tells in any case.
        (Then::Start | Then::Restart, _) if rule.place.line == 0 => return None,
        (Then::Restart, _) if !process && needed.contains(&name.to_lowercase()) => return None,
        (Then::Start | Then::Restart, _) if !able => {
            (format!("{name} cannot be started: it has no start program"), "give it one, or write alert")
        }
        (Then::Restart, Condition::Missing) => return None,
        (Then::Restart, _) if process && service.stop.is_none() && service.restart.is_none() => (
            format!("{name} cannot be restarted while its process lives: it has no stop program"),
            "give it one; its process would go on running, and starting a second one does nothing",
        ),
        _ => return None,
    };
    Some(Mistake::warning(rule.place.clone(), what).help(help))
}
