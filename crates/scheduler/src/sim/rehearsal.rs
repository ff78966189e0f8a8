//! A rehearsal: on a simulated host where all is well something fails, and everything that the scheduler makes of it is
//! written down. Nothing of the world is asked or touched.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{Change, Condition, Config, Kind, OnReboot, Service, Then};
use hinoban_event::Event;
use hinoban_reading::{Metric, Moment, Stamp, Unit, Value};

use super::{Deed, World};
use crate::{Act, Watching, wording};

/// What goes wrong with a service.
#[derive(Debug, Clone, PartialEq)]
pub enum Mishap {
    /// It is gone: its process dies, its file is missing, its file system is not mounted, and starting it does not help. A
    /// host, which is only tested, does not answer.
    Gone,
    /// It is there, and none of its tests passes.
    Silent,
    /// A reading stands at this value, whatever is done.
    Reads {
        /// Name of the metric, as in a rule.
        metric: String,
        /// The value, in the unit of the metric.
        value: Value,
    },
}

/// What came of a rehearsal. Times count from the failure.
#[derive(Debug)]
pub struct Rehearsed {
    /// What happened from then on, in order.
    pub events: Vec<Event>,
    /// What was done, in order.
    pub deeds: Vec<(Duration, Deed)>,
    /// The failure on the wall clock of the events.
    pub begun: Stamp,
    /// When all was well again; `None`: it was not.
    pub well: Option<Duration>,
    /// How long was waited for that.
    pub took: Duration,
    /// Services that are not well at the end, and how each stands.
    pub left: Vec<(String, Left)>,
}

/// How a service stands that is not well at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// It is not watched any more.
    Unwatched,
    /// A rule of it fails, or it is down.
    Failing,
    /// Something is being done to it.
    UnderWay,
}

/// Rehearses what `mishaps` lead to under this configuration, each named by the exact name of its service. They last for
/// `lasts`; then what is gone can be started, and everything else is well by itself. It ends when all is well again, at the
/// latest after twice that time.
///
/// Every service is watched, whatever has been switched off on the real host, and programs take some milliseconds.
pub fn rehearse(config: &Config, mishaps: &[(String, Mishap)], lasts: Duration) -> Rehearsed {
    let mut config = config.clone();
    config.every = config.every.or(Some(Duration::from_secs(30)));
    for service in &mut config.services {
        if service.on_reboot != OnReboot::Start {
            Arc::make_mut(service).on_reboot = OnReboot::Start;
        }
    }
    let mut world = World::new(&config, Duration::ZERO);
    for service in &config.services {
        settle_in(&mut world, service);
    }
    warm_up(&mut world, &config);
    let (from, begun) = (world.now(), world.instant().stamp);
    let (told, done) = (world.events.len(), world.deeds.len());
    let service = |name: &str| config.services.iter().find(|service| service.name == *name);
    for (name, mishap) in mishaps {
        service(name).into_iter().for_each(|service| begin(&mut world, service, mishap));
    }
    world.run(lasts);
    for (name, mishap) in mishaps {
        service(name).into_iter().for_each(|service| end(&mut world, service, mishap));
    }
    let last = from + lasts * 2;
    let step = Duration::from_secs(1).min(lasts / 2).max(Duration::from_millis(100));
    let mut left = not_well(&world);
    while !left.is_empty() && world.now() < last {
        world.run(step.min(last.since(world.now())));
        left = not_well(&world);
    }
    let took = world.now().since(from);
    let since = |at: Moment| at.since(from);
    let events = world.events.split_off(told);
    // All is well from the last thing that happened on.
    let well = events.last().map_or(took, |event| event.at.since(begun).max(lasts.min(took)));
    Rehearsed {
        events,
        deeds: world.deeds.split_off(done).into_iter().map(|deed| (since(deed.at), deed)).collect(),
        begun,
        well: left.is_empty().then_some(well),
        took,
        left,
    }
}

/// The service is there, and every reading that a rule is about is as it should be.
fn settle_in(world: &mut World, service: &Service) {
    if !matches!(service.kind, Kind::Host { .. } | Kind::System) {
        world.appear(&service.name);
    }
    let mut reads: BTreeMap<&str, Value> = BTreeMap::new();
    for rule in &service.rules {
        if let Some(metric) = about(&rule.when) {
            reads.entry(metric).or_insert_with(|| calm(service, metric));
        }
    }
    let reads = reads.into_iter().map(|(name, value)| (metric(name, &value), value)).collect();
    world.of(&service.name).reads = reads;
}

/// Lets two rounds of looks pass, and as many more as it takes until everything has been looked at: at most a day.
fn warm_up(world: &mut World, config: &Config) {
    let default = config.every.unwrap_or(Duration::from_secs(30));
    let longest = config.services.iter().map(|service| service.every.unwrap_or(default)).max();
    let longest = longest.unwrap_or(default).min(Duration::from_secs(12 * 3600));
    world.run(longest * 2);
    let day = Moment::new(Duration::from_secs(86_400));
    while !world.scheduler.settled() && world.now() < day {
        world.run(longest.max(Duration::from_secs(60)));
    }
    // Nothing fails at the moment at which somebody looks.
    let shortest = config.services.iter().map(|service| service.every.unwrap_or(default)).min();
    world.run(shortest.unwrap_or(default) / 2);
}

fn begin(world: &mut World, service: &Service, mishap: &Mishap) {
    let behaviour = world.of(&service.name);
    match mishap {
        Mishap::Gone => {
            behaviour.tests_pass &= !matches!(service.kind, Kind::Host { .. });
            behaviour.appears_after = None;
            world.kill(&service.name);
        }
        Mishap::Silent => behaviour.tests_pass = false,
        Mishap::Reads { metric: name, value } => {
            behaviour.reads.retain(|(metric, _)| metric.name != *name);
            behaviour.reads.push((metric(name, value), value.clone()));
        }
    }
}

fn end(world: &mut World, service: &Service, mishap: &Mishap) {
    let starts = super::Behaviour::default().appears_after;
    let behaviour = world.of(&service.name);
    match mishap {
        Mishap::Gone => {
            behaviour.tests_pass = true;
            behaviour.appears_after = starts;
            // Only a process waits for somebody to start it.
            let by_itself = matches!(
                service.kind,
                Kind::File { .. }
                    | Kind::Directory { .. }
                    | Kind::Fifo { .. }
                    | Kind::Filesystem { .. }
                    | Kind::Network { .. }
            );
            if by_itself && !world.lives(&service.name) {
                world.appear(&service.name);
            }
        }
        Mishap::Silent => behaviour.tests_pass = true,
        Mishap::Reads { metric: name, .. } => {
            let value = calm(service, name);
            behaviour.reads.retain(|(metric, _)| metric.name != *name);
            behaviour.reads.push((metric(name, &value), value));
        }
    }
}

fn not_well(world: &World) -> Vec<(String, Left)> {
    let scheduler = &world.scheduler;
    let left = scheduler.services.iter().filter_map(|watched| {
        let left = match watched.watching {
            Watching::No => Left::Unwatched,
            _ if watched.task.is_some() => Left::UnderWay,
            _ if watched.failures().next().is_some() || !watched.is_up() && watched.cycle > 0 => {
                Left::Failing
            }
            _ => return None,
        };
        Some((watched.name.to_string(), left))
    });
    left.collect()
}

/// The reading that a rule is about.
pub(crate) fn about(when: &Condition) -> Option<&str> {
    match when {
        Condition::Compare { metric, .. }
        | Condition::Changed { metric, .. }
        | Condition::Content { metric, .. }
        | Condition::Matches { metric, .. } => Some(metric),
        _ => None,
    }
}

/// A metric of this name. The unit of one that is not ours goes by its value.
fn metric(name: &str, value: &Value) -> Metric {
    let unit = match value {
        Value::Text(_) => Unit::Text,
        _ => wording::unit_of(name).unwrap_or(Unit::Count),
    };
    Metric { name: name.to_owned().into(), unit }
}

/// A value of a reading at which no rule of the service fails, or as few as possible.
fn calm(service: &Service, metric: &str) -> Value {
    let rules: Vec<&Condition> =
        service.rules.iter().map(|rule| &rule.when).filter(|when| about(when) == Some(metric)).collect();
    let mut values = Vec::new();
    for when in &rules {
        match when {
            Condition::Compare { limit: limit @ Value::Text(_), .. } => {
                values.extend([limit.clone(), Value::from("as usual")]);
            }
            Condition::Compare { limit, .. } => values.extend(around(limit)),
            Condition::Content { pattern, .. } | Condition::Matches { pattern, .. } => {
                values.extend([Value::from("as usual"), Value::from(pattern.text()), Value::from("")]);
            }
            _ => values.push(Value::Int(1)),
        }
    }
    let failing = |value: &Value| rules.iter().filter(|when| fails(when, value)).count();
    values.into_iter().min_by_key(failing).unwrap_or(Value::Int(1))
}

/// Numbers around a limit, the most likely first.
fn around(limit: &Value) -> Vec<Value> {
    match limit {
        Value::Int(n) => {
            let near = [n / 2, n.saturating_mul(2), n.saturating_sub(1), n.saturating_add(1)];
            near.into_iter().chain([*n, 0]).map(Value::Int).collect()
        }
        other => {
            let x = other.as_f64().unwrap_or_default();
            [x / 2.0, x * 2.0, x - 1.0, x + 1.0, x, 0.0].into_iter().map(Value::Real).collect()
        }
    }
}

/// Whether a rule that is only about the reading fails at this value, seen again and again.
fn fails(when: &Condition, value: &Value) -> bool {
    match when {
        Condition::Compare { operator, limit, .. } => match (value, limit) {
            (Value::Int(a), Value::Int(b)) => operator.holds(*a, *b),
            (Value::Text(a), Value::Text(b)) => operator.holds(a, b),
            (a, b) => matches!((a.as_f64(), b.as_f64()), (Some(a), Some(b)) if operator.holds(a, b)),
        },
        Condition::Content { metric, .. } if !crate::content::is_output(metric) => *value != Value::from(""),
        Condition::Content { pattern, fails_on_match, .. }
        | Condition::Matches { pattern, fails_on_match, .. } => {
            pattern.is_match(&value.to_string()) == *fails_on_match
        }
        Condition::Changed { expect, .. } => *expect == Change::Unchanged,
        _ => false,
    }
}

impl Deed {
    /// What runs because of a rule: the command line, or the name of the action; `None`: the service's own program.
    pub fn errand(&self, config: &Config) -> Option<String> {
        let service = config.services.iter().find(|service| service.name == self.service)?;
        match &self.act {
            Act::Custom(name) => Some(name.clone()),
            Act::Exec { rule, recovery, nth } => {
                let rule = service.rules.get(*rule)?;
                let branch = if *recovery { &rule.ok } else { &rule.fail };
                let then = if *nth == 0 { Some(&branch.then) } else { branch.also.get(nth - 1) };
                match then? {
                    Then::Exec { program, .. } => Some(program.line()),
                    Then::Custom(name) => Some(name.clone()),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}
