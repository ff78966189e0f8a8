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
            .flat_map(|service| service.rules.iter().flat_map(|rule| of(service, rule, &needed)))
            .collect()
    }
}

/// What is asked for when the rule fails, and when it holds again.
fn of(service: &Service, rule: &Rule, needed: &HashSet<String>) -> Vec<Mistake> {
    let asked = [&rule.fail.then, &rule.ok.then];
    let same = asked[0] == asked[1];
    let mistakes = asked.into_iter().filter_map(|then| one(service, rule, then, needed));
    mistakes.take(if same { 1 } else { 2 }).collect()
}

fn one(service: &Service, rule: &Rule, then: &Then, needed: &HashSet<String>) -> Option<Mistake> {
    let process = matches!(service.kind, Kind::Process { .. });
    let name = &service.name;
    let able = service.start.is_some() || (*then == Then::Restart && service.restart.is_some());
    let (what, help) = match (then, &rule.when) {
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
        (Then::Stop, _) if service.stop.is_none() => (
            format!(
                "{name} cannot be stopped: it has no stop program, so it would only be watched no longer"
            ),
            "give it one, or write unmonitor",
        ),
        _ => return None,
    };
    Some(Mistake::warning(rule.place.clone(), what).help(help))
}
