use std::collections::HashSet;
use std::time::Duration;

use crate::{Condition, Config, Kind, Mistake, Patience, Rule, Service, Then, Turns, units};

impl Config {
    /// What can be used but can hardly be meant: rules that ask for a repair which has no program, or for a start of what is
    /// up in any case, and limits on restarts that the pauses between them keep from being reached.
    ///
    /// Both languages add this to their warnings.
    pub fn advice(&self) -> Vec<Mistake> {
        // A restart of what others depend on restarts those: it needs no program of its own.
        let names = self.services.iter().flat_map(|s| &s.depends_on).map(|wanted| wanted.name.to_lowercase());
        let needed: HashSet<String> = names.collect();
        self.services
            .iter()
            .flat_map(|service| {
                let repairs = service.rules.iter().flat_map(|rule| of(service, rule, &needed));
                repairs.chain(service.rules.iter().filter_map(|rule| out_of_reach(service, rule, self.every)))
            })
            .collect()
    }
}

impl Service {
    /// Time between its looks, where all have `every`; `None` if the calendar says when it is looked at.
    pub(crate) fn period(&self, every: Duration) -> Option<Duration> {
        let every = self.every.unwrap_or(every);
        match &self.turns {
            Turns::Each | Turns::Except(_) => Some(every),
            Turns::Nth(n) => Some(every.saturating_mul((*n).max(1))),
            Turns::At(_) => None,
        }
    }
}

impl Patience {
    /// The least time from the first of `count` repairs in a row to the last of them.
    fn span(&self, count: u32) -> Duration {
        let mut pause = self.first;
        let mut span = Duration::ZERO;
        let mut left = count.saturating_sub(1);
        while left > 0 {
            // What was well for long enough is repaired at once, so no pause is longer than that.
            let least = pause.min(self.stable);
            // From here on they are all the same.
            let same = if pause >= self.longest.min(self.stable) { left } else { 1 };
            span = span.saturating_add(least.saturating_mul(same));
            left -= same;
            pause = pause.saturating_mul(2).min(self.longest);
        }
        span
    }
}

/// A limit on restarts that its service cannot reach: the pauses between them are longer than its window.
fn out_of_reach(service: &Service, rule: &Rule, every: Option<Duration>) -> Option<Mistake> {
    let Condition::Restarts { count, within } = rule.when else { return None };
    let window = service.period(every?)?.saturating_mul(within);
    let span = service.patience?.span(count);
    // Pauses are a tenth shorter at times.
    if span / 10 * 9 <= window {
        return None;
    }
    let [span, window] = [span, window].map(units::duration_text);
    let message = format!(
        "{} is never restarted {count} times within {within} cycles: its pauses make that last {span}, and the cycles {window}",
        service.name
    );
    let help = "allow for more cycles, or shorten the pauses: patience = { longest = \"30s\" }";
    Some(Mistake::warning(rule.place.clone(), message).help(help))
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
        (Then::Start, Condition::Missing | Condition::Restarts { .. }) => return None,
        (Then::Start, _) if process && rule.fail.then == Then::Start => (
            format!(
                "{name} is not started by this: it is up when this is checked, and a start of what is up does nothing"
            ),
            "write restart to have it stopped and started, or alert",
        ),
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
