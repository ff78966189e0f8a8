use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use hinoban_config::{Dialect, MailFormat, Recipient};
use hinoban_event::{Because, Class, Doing, Event, Fact, Failure, Report};
use hinoban_reading::Stamp;

use crate::account::Scene;
use crate::letter::Letter;
use crate::{Delivery, Options};

/// What stands, and what of it people have been told.
#[derive(Debug)]
pub struct Incidents {
    options: Options,
    /// Failures told and not over.
    told: HashSet<Key>,
    /// Those among them that an earlier life of the supervisor told.
    restored: HashSet<Key>,
    /// By service: why its last action failed, as far as told.
    actions: HashMap<Arc<str>, String>,
    /// By service: in which ways what its rules run failed, as far as told.
    errands: HashMap<Arc<str>, Vec<String>>,
    /// By service: how many of its looks see nothing, and since when.
    unseen: HashMap<Arc<str>, (usize, Stamp)>,
    /// Services whose repairs have been given up.
    given_up: HashSet<Arc<str>>,
}

type Key = (Arc<str>, usize, Class);

/// So many ways in which the programs of a service's rules fail are kept apart.
const WAYS: usize = 20;

/// Who hears of one event.
enum Audience {
    /// Everybody.
    All,
    /// Whose reminder is due when a failure is seen for the n-th time.
    Reminded(u32),
}

impl Incidents {
    /// Nothing stands.
    pub fn new(options: Options) -> Self {
        let (told, restored) = (HashSet::new(), HashSet::new());
        let (actions, errands) = (HashMap::new(), HashMap::new());
        Self { options, told, restored, actions, errands, unseen: HashMap::new(), given_up: HashSet::new() }
    }

    /// A failure that people were told of by an earlier life of the supervisor, and whose end they have not heard of.
    /// It is not told again when it is seen again, except to whoever is to be reminded.
    pub fn restore(&mut self, service: impl Into<Arc<str>>, rule: usize, class: Class) {
        let key = (service.into(), rule, class);
        self.restored.insert(key.clone());
        self.told.insert(key);
    }

    /// An earlier life of the supervisor gave up repairs of this service.
    pub fn restore_given_up(&mut self, service: impl Into<Arc<str>>) {
        self.given_up.insert(service.into());
    }

    /// What does not change from message to message.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Other recipients, names or forms from now on, after a reload. What stands still stands.
    pub fn set_options(&mut self, options: Options) {
        self.options = options;
    }

    /// The service is no longer watched or its rules have changed: what stood of it is over without a word.
    pub fn forget(&mut self, service: &str) {
        self.told.retain(|(name, ..)| &**name != service);
        self.restored.retain(|(name, ..)| &**name != service);
        self.actions.remove(service);
        self.errands.remove(service);
        self.unseen.remove(service);
        self.given_up.remove(service);
    }

    /// Rules of a service stand elsewhere after a reload: for each failure the position before, its class, and the position
    /// now; `None` if it is over without a word.
    pub fn moved(&mut self, service: &str, failures: &[(usize, Class, Option<usize>)]) {
        for known in [&mut self.told, &mut self.restored] {
            let (stay, go): (HashSet<Key>, _) = known.drain().partition(|(name, ..)| &**name != service);
            *known = stay;
            known.extend(go.into_iter().filter_map(|(name, rule, class)| {
                let now = failures.iter().find(|f| (f.0, f.1) == (rule, class))?.2?;
                Some((name, now, class))
            }));
        }
    }

    /// So many looks of a service that saw nothing are made no more after a reload: for them that is over without a word.
    pub fn dropped(&mut self, service: &str, looks: usize) {
        if let Some((parts, _)) = self.unseen.get_mut(service) {
            *parts = parts.saturating_sub(looks);
            if *parts == 0 {
                self.unseen.remove(service);
            }
        }
    }

    /// The messages to be sent because of this event; mostly none. All have the event's time.
    pub fn handle(&mut self, event: &Event) -> Vec<Delivery> {
        let Some((audience, letter)) = self.letter(event) else { return Vec::new() };
        let groups = self.recipients(&event.service, letter.class, audience);
        groups.into_iter().map(|(form, to)| letter.seal(&self.options, event, form, to)).collect()
    }

    /// What to tell, and whom.
    fn letter(&mut self, event: &Event) -> Option<(Audience, Letter)> {
        match &event.fact {
            Fact::Failed(failure) => {
                let audience = self.failed(event, failure)?;
                Some((audience, Letter::failed(self.scene(event), failure)))
            }
            Fact::Recovered(recovery) => {
                let key = (event.service.clone(), recovery.rule, recovery.class);
                self.told.remove(&key);
                self.restored.remove(&key);
                let told = recovery.then != Doing::Nothing;
                told.then(|| (Audience::All, Letter::recovered(self.scene(event), recovery)))
            }
            Fact::NotSeen { why } => {
                let (parts, _) = self.unseen.entry(event.service.clone()).or_insert((0, event.at));
                *parts += 1;
                (*parts == 1).then(|| (Audience::All, Letter::not_seen(self.scene(event), why)))
            }
            Fact::Seen => {
                let (parts, since) = self.unseen.get_mut(&event.service)?;
                *parts -= 1;
                let (over, lasted) = (*parts == 0, event.at.since(*since));
                over.then(|| {
                    self.unseen.remove(&event.service);
                    (Audience::All, Letter::seen(self.scene(event), Some(lasted)))
                })
            }
            Fact::GaveUp { text, since, times, .. } => {
                self.given_up.insert(event.service.clone());
                Some((Audience::All, Letter::gave_up(self.scene(event), text, *since, *times)))
            }
            Fact::Held { doing, why } => Some((Audience::All, Letter::held(self.scene(event), doing, why))),
            // It is being repaired again.
            Fact::Began { .. } => {
                self.given_up.remove(&event.service);
                None
            }
            Fact::Ended { doing, because: because @ Because::Command { .. }, ok, report } => {
                if *ok {
                    self.actions.remove(&event.service);
                }
                let scene = self.scene(event);
                Some((Audience::All, Letter::commanded(scene, doing, because, *ok, report)))
            }
            Fact::Ended { doing, because, ok: false, report } => {
                let news = self.action_failed(event, doing, report);
                news.then(|| {
                    (Audience::All, Letter::action_failed(self.scene(event), doing, because, report))
                })
            }
            Fact::Ended { doing: Doing::Exec | Doing::Custom(_), ok: true, .. } => {
                self.errands.remove(&event.service);
                None
            }
            Fact::Ended { doing, because, ok: true, report } => {
                self.actions.remove(&event.service)?;
                // In our own form the end of the failure that the action was for tells it.
                let told = self.options.dialect == Dialect::Monit;
                told.then(|| {
                    (Audience::All, Letter::action_recovered(self.scene(event), doing, because, report))
                })
            }
            Fact::Commanded { doing: doing @ (Doing::Monitor | Doing::Unmonitor), by } => {
                Some((Audience::All, Letter::switched(self.scene(event), doing, by)))
            }
            // Whoever switches watching off ends what stood: if it fails afterwards, that is news.
            Fact::Monitoring { .. } => {
                self.forget(&event.service);
                None
            }
            Fact::Started { .. } | Fact::Reloaded { .. } => {
                Some((Audience::All, Letter::instance(self.scene(event), Doing::Start)))
            }
            Fact::Stopped { .. } => Some((Audience::All, Letter::instance(self.scene(event), Doing::Stop))),
            _ => None,
        }
    }

    /// Who hears of a failure, if anybody.
    fn failed(&mut self, event: &Event, failure: &Failure) -> Option<Audience> {
        if failure.then == Doing::Nothing {
            return None;
        }
        let key = (event.service.clone(), failure.rule, failure.class);
        let known = !self.told.insert(key.clone());
        let before = self.restored.remove(&key);
        match failure.times {
            // It failed before we were started, and somebody knows. Another change is news.
            1 if before && !failure.changed => None,
            // Each first failing look is news, even if the last failure did not end in between: something changed.
            0 | 1 => Some(Audience::All),
            // The crash came before people could be told.
            _ if !known => Some(Audience::All),
            times => Some(Audience::Reminded(times)),
        }
    }

    /// Whether the failure of an action is another than the one already told.
    fn action_failed(&mut self, event: &Event, doing: &Doing, report: &Report) -> bool {
        let trouble = report.trouble.as_deref().map(|trouble| kind(trouble).to_owned());
        let report = Report { trouble, ..report.clone() };
        let why = fingerprint(&format!("{}{}", doing.word(), report.failure()));
        // A service may have many rules that run something, and one that fails says nothing of the others.
        if matches!(doing, Doing::Exec | Doing::Custom(_)) {
            let told = self.errands.entry(event.service.clone()).or_default();
            let news = !told.contains(&why);
            if news {
                told.truncate(WAYS - 1);
                told.insert(0, why);
            }
            return news;
        }
        self.actions.insert(event.service.clone(), why.clone()).is_none_or(|told| told != why)
    }

    fn scene<'a>(&'a self, event: &'a Event) -> Scene<'a> {
        let given_up = self.given_up.contains(&event.service);
        Scene { event, host: &self.options.host, zone: &self.options.zone, given_up }
    }

    /// Addresses, each once, by the form in which they want it.
    fn recipients(
        &self,
        service: &str,
        class: Class,
        audience: Audience,
    ) -> Vec<(Option<&MailFormat>, Vec<String>)> {
        let hears = |recipient: &&Recipient| {
            recipient.events.has(class.bit())
                && match audience {
                    Audience::All => true,
                    Audience::Reminded(times) => {
                        recipient.reminder.is_some_and(|n| n > 0 && times.is_multiple_of(n))
                    }
                }
        };
        let mut groups: Vec<(Option<&MailFormat>, Vec<String>)> = Vec::new();
        for recipient in self.options.hearers(service).filter(hears) {
            if groups.iter().any(|(_, to)| to.contains(&recipient.address)) {
                continue;
            }
            let form = recipient.format.as_deref();
            match groups.iter_mut().find(|(known, _)| *known == form) {
                Some((_, to)) => to.push(recipient.address.clone()),
                None => groups.push((form, vec![recipient.address.clone()])),
            }
        }
        groups
    }
}

/// What went wrong, without how its absence looked at that moment: a process that is a zombie now is gone a moment later.
fn kind(trouble: &str) -> &str {
    match trouble.contains("process did not appear") || trouble.ends_with("ended right after its start") {
        true => "the process did not appear",
        false => trouble,
    }
}

/// The text without what differs from try to try although nothing changed: times, pids and counts in the output. What
/// stands before the output, the exit status above all, stays as it is.
fn fingerprint(text: &str) -> String {
    let (cause, output) = text.split_once(" -- ").unwrap_or((text, ""));
    let mut print = cause.to_owned();
    for c in output.chars() {
        if !c.is_ascii_digit() {
            print.push(c);
        } else if !print.ends_with('#') {
            print.push('#');
        }
    }
    print
}
