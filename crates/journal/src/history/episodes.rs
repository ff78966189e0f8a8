//! From events to incidents. Pure: the same events give the same incidents.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use hinoban_event::{Because, Class, Doing, Event, Fact, Failure, Report};
use hinoban_reading::{Ending, Stamp, Unit, Value};

use super::incident::{Incident, Over, StepKind};

/// How an end came about may become known this much later than the service was well again; what a change sets off comes
/// after it as well.
const LATE: Duration = Duration::from_secs(60);

/// Incidents that are over and may still hear that.
const RECENT: usize = 32;

/// A service, and what of it fails: position of the rule, class, since when.
pub type Failing = (Arc<str>, Vec<(usize, Class, Stamp)>);

/// The incidents that go on.
#[derive(Debug, Default)]
pub(super) struct Episodes {
    open: BTreeMap<Arc<str>, Incident>,
    recent: VecDeque<Incident>,
    next: u64,
}

impl Episodes {
    /// Goes on with these; the next new one has this id.
    pub(super) fn new(open: impl IntoIterator<Item = Incident>, next: u64) -> Self {
        let open = open.into_iter().map(|incident| (incident.service.clone(), incident)).collect();
        Self { open, recent: VecDeque::new(), next: next.max(1) }
    }

    /// Takes in an event. `needs`: the services that the one it happened to depends on, however far. Gives the incident
    /// that it changed.
    pub(super) fn apply(&mut self, event: &Event, needs: &[Arc<str>]) -> Option<Incident> {
        let at = event.at;
        match &event.fact {
            Fact::Failed(failure) if failure.times <= 1 => {
                self.failed(event, failure, needs);
                self.settle(&event.service, at, Some(Over::Recovered))
            }
            Fact::EndingLearned(ending) => {
                let incident = self.open_or_recent(event)?;
                let own = concerns(incident, ending);
                if !own && incident.closed.is_some() {
                    return None;
                }
                if own {
                    incident.cause = Some(ending.clone());
                }
                incident.step(at, StepKind::Seen, format!("{ending}"));
                Some(incident.clone())
            }
            Fact::Recovered(recovery) => {
                let incident = self.open.get_mut(&event.service)?;
                incident.step(at, StepKind::Outcome, recovery.text.as_str());
                incident.failing.remove(&(recovery.rule, recovery.class));
                incident.cause = incident.cause.take().or_else(|| recovery.ending.clone());
                self.settle(&event.service, at, Some(Over::Recovered))
            }
            Fact::Monitoring { on: false } => {
                let incident = self.open.get_mut(&event.service)?;
                incident.step(at, StepKind::Outcome, "it is no longer watched");
                incident.failing.clear();
                self.settle(&event.service, at, Some(Over::Unwatched))
            }
            fact => {
                let (kind, text) = step(fact)?;
                let incident = match fact {
                    // What a change set off comes after it.
                    Fact::Began { because: Because::Rule { .. }, .. }
                    | Fact::Ended { because: Because::Rule { .. }, .. } => self.open_or_recent(event)?,
                    _ => self.open.get_mut(&event.service)?,
                };
                incident.step(at, kind, text);
                Some(incident.clone())
            }
        }
    }

    /// The incident of this service that goes on, or was over a moment ago.
    fn open_or_recent(&mut self, event: &Event) -> Option<&mut Incident> {
        let recent = |old: &&mut Incident| {
            old.service == event.service && old.closed.is_some_and(|end| event.at.since(end) <= LATE)
        };
        match self.open.get_mut(&event.service) {
            Some(open) => Some(open),
            None => self.recent.iter_mut().rev().find(recent),
        }
    }

    fn failed(&mut self, event: &Event, failure: &Failure, needs: &[Arc<str>]) {
        let attributed = needs.iter().find(|name| self.open.contains_key(*name)).cloned();
        let next = &mut self.next;
        let incident = self.open.entry(event.service.clone()).or_insert_with(|| {
            let id = *next;
            *next += 1;
            blank(id, event.service.clone(), failure.class, failure.text.clone(), event.at)
        });
        let detail = failure.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
        incident.step(event.at, StepKind::Seen, format!("{}{detail}", failure.text));
        // That something changed is over when it is said.
        if !failure.changed {
            incident.failing.insert((failure.rule, failure.class));
        }
        if let Some(ending) = failure.ending.as_ref().filter(|ending| concerns(incident, ending)) {
            incident.cause = Some(ending.clone());
        }
        if incident.attributed.is_none() {
            incident.attributed = attributed;
        }
        for name in &failure.dependants {
            if !incident.dependants.contains(name) {
                incident.dependants.push(name.clone());
            }
        }
        match &failure.then {
            Doing::Nothing | Doing::Alert => {}
            then if failure.able => incident.step(event.at, StepKind::Decided, then.word()),
            then => {
                let text = format!("{} is asked for, but there is no program for it", then.word());
                incident.step(event.at, StepKind::Decided, text);
            }
        }
    }

    /// Closes it if nothing of it fails any more.
    fn settle(&mut self, service: &Arc<str>, at: Stamp, over: Option<Over>) -> Option<Incident> {
        let incident = self.open.get_mut(service)?;
        if !incident.failing.is_empty() {
            return Some(incident.clone());
        }
        (incident.closed, incident.over) = (Some(at), over);
        let incident = self.open.remove(service)?;
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(incident.clone());
        Some(incident)
    }

    /// What fails now, of these services, and of all others nothing (`whole`): after a start, or a changed configuration. What was not
    /// told before is opened, what fails no more is closed. Gives the incidents that changed.
    pub(super) fn stand(&mut self, at: Stamp, services: &[Failing], whole: bool) -> Vec<Incident> {
        let mut changed = Vec::new();
        for (service, failing) in services {
            let rules: BTreeSet<_> = failing.iter().map(|(rule, class, _)| (*rule, *class)).collect();
            match (self.open.get_mut(service), failing.first()) {
                (Some(incident), Some(_)) if incident.failing == rules => {}
                (Some(incident), Some(_)) => {
                    incident.failing = rules;
                    changed.push(incident.clone());
                }
                (Some(incident), None) => {
                    incident.step(at, StepKind::Outcome, "nothing of it is known to fail any more");
                    incident.failing.clear();
                    let over = (!whole).then_some(Over::Changed);
                    changed.extend(self.settle(service, at, over));
                }
                (None, Some((_, class, since))) => {
                    let mut incident =
                        blank(self.next, service.clone(), *class, class.failed().to_owned(), *since);
                    self.next += 1;
                    incident.failing = rules;
                    incident.step(*since, StepKind::Seen, class.failed());
                    self.open.insert(service.clone(), incident.clone());
                    changed.push(incident);
                }
                (None, None) => {}
            }
        }
        if whole {
            let gone = self.open.keys().filter(|name| !services.iter().any(|(service, _)| service == *name));
            for service in gone.cloned().collect::<Vec<_>>() {
                if let Some(incident) = self.open.get_mut(&service) {
                    incident.step(at, StepKind::Outcome, "nothing of it is known to fail any more");
                    incident.failing.clear();
                }
                changed.extend(self.settle(&service, at, None));
            }
        }
        changed
    }

    /// These services are in the configuration no more. Gives the incidents that changed.
    pub(super) fn removed(&mut self, at: Stamp, services: &[Arc<str>]) -> Vec<Incident> {
        let settled = services.iter().filter_map(|service| {
            let incident = self.open.get_mut(service)?;
            incident.step(at, StepKind::Outcome, "it is no longer in the configuration");
            incident.failing.clear();
            self.settle(service, at, Some(Over::Removed))
        });
        settled.collect()
    }

    /// The file can be read at last: what it says goes on is over, or goes on as what is known since. Gives the incidents
    /// that changed.
    pub(super) fn adopt(&mut self, before: Vec<Incident>, next: u64, at: Stamp) -> Vec<Incident> {
        self.next = self.next.max(next);
        let end = |mut old: Incident| {
            let text = match self.open.get(&old.service) {
                Some(new) => format!("it goes on as incident {}", new.id),
                None => "nothing of it is known to fail any more".to_owned(),
            };
            old.step(at, StepKind::Outcome, text);
            old.failing.clear();
            old.closed = Some(at);
            old
        };
        before.into_iter().map(end).collect()
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }
}

/// Whether this ending may be the cause of the incident, or more about it. The first process to end is the cause; whoever
/// took its place and ended later, by an operator's hand maybe, is not.
fn concerns(incident: &Incident, ending: &Ending) -> bool {
    incident.cause.as_ref().is_none_or(|cause| cause.identity == ending.identity)
}

fn blank(id: u64, service: Arc<str>, class: Class, text: String, opened: Stamp) -> Incident {
    Incident {
        id,
        service,
        class,
        text,
        opened,
        closed: None,
        over: None,
        cause: None,
        attributed: None,
        dependants: Vec::new(),
        first: Vec::new(),
        left_out: 0,
        last: Vec::new(),
        failing: BTreeSet::new(),
    }
}

/// The step that an event in the middle of an incident makes.
fn step(fact: &Fact) -> Option<(StepKind, String)> {
    Some(match fact {
        Fact::NotSeen { why } => (StepKind::Seen, format!("it could not be looked at: {why}")),
        Fact::Seen => (StepKind::Seen, "it can be looked at again".to_owned()),
        Fact::Commanded { doing, by } => (StepKind::Decided, format!("{by} asked for {}", doing.word())),
        Fact::Held { doing, why } => (StepKind::Decided, format!("{} is put off: {why}", doing.word())),
        Fact::GaveUp { text, times, .. } if *times <= 1 => (StepKind::Decided, text.clone()),
        Fact::Began { doing, command, because } => {
            // Without its arguments, which may hold secrets: who may look reads this.
            let program = command.as_ref().and_then(|line| line.split_whitespace().next());
            let program = program.map(|path| format!(": {path}")).unwrap_or_default();
            let for_whom = match because {
                Because::Dependency { service, .. } => format!(", because of {service}"),
                _ => String::new(),
            };
            (StepKind::Done, format!("{} began{for_whom}{program}", doing.word()))
        }
        Fact::Ended { doing, ok, report, .. } => (StepKind::Outcome, ended(doing, *ok, report)),
        _ => return None,
    })
}

fn ended(doing: &Doing, ok: bool, report: &Report) -> String {
    let (word, took) = (doing.word(), Value::Real(report.took.as_secs_f64()));
    let took = Unit::Seconds.show(&took);
    match ok {
        true => format!("{word} succeeded after {took}"),
        false => format!("{word} failed after {took}{}", report.failure()),
    }
}
