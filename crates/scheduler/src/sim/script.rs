//! What happens in one trial, as data: it can be read, repeated and cut.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{Condition, Config, Mode, Patience, Program, Service, Turns};
use hinoban_event::Doing;
use hinoban_reading::How;

use super::{Behaviour, Situation};

/// A configuration, those that take its place later, and what happens meanwhile.
#[derive(Debug, Clone)]
pub struct Script {
    /// What it was made from.
    pub seed: u64,
    /// The first is the one in force at first.
    pub configs: Vec<Arc<Config>>,
    /// What happens, in order of time.
    pub steps: Vec<Step>,
    /// Whether all that happens passes by, whatever the order in which it is noticed: then a life with crashes ends as one
    /// without.
    pub mild: bool,
    /// Whether looks at the things themselves end at once, as those at processes do: what they show is handed in before
    /// anything else that was decided together with them is carried out.
    pub inline: bool,
}

/// One thing that happens.
#[derive(Debug, Clone)]
pub struct Step {
    /// When, from the beginning.
    pub at: Duration,
    /// What.
    pub fault: Fault,
}

/// What can happen.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The process of this service ends.
    Ends(String, How),
    /// A process of this service appears.
    Appears(String),
    /// This service behaves so from now on.
    Behaves(String, Box<Behaviour>),
    /// An operator asks for something.
    Asks(String, Doing),
    /// Something stirs so many times, though nothing happened.
    Stirs(String, u32),
    /// Everything is looked at now.
    WakeAll,
    /// The wall clock is set by so many seconds.
    Clock(i64),
    /// This configuration takes the place of the one before.
    Reload(usize),
    /// The supervisor is killed at once.
    Crash,
    /// The supervisor is killed between two of its next effects; see [`World::crash_within`](super::World::crash_within).
    CrashWithin(usize),
    /// The host is booted.
    Reboot,
    /// The supervisor ends in order, and is started again.
    End,
    /// A program ends of which nobody knows.
    StrangeEnd,
    /// This happens to the next service that is found in this situation.
    Ambush(Situation, Box<Fault>),
}

impl Fault {
    /// The service it is about.
    pub fn service(&self) -> Option<&str> {
        match self {
            Fault::Ends(name, _)
            | Fault::Appears(name)
            | Fault::Behaves(name, _)
            | Fault::Asks(name, _)
            | Fault::Stirs(name, _) => Some(name),
            _ => None,
        }
    }

    /// The same, of this service.
    pub(super) fn of(&self, name: String) -> Self {
        match self.clone() {
            Fault::Ends(_, how) => Fault::Ends(name, how),
            Fault::Appears(_) => Fault::Appears(name),
            Fault::Behaves(_, behaviour) => Fault::Behaves(name, behaviour),
            Fault::Asks(_, doing) => Fault::Asks(name, doing),
            Fault::Stirs(_, times) => Fault::Stirs(name, times),
            other => other,
        }
    }
}

impl Script {
    /// The names of all services, of all configurations.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.configs.iter().flat_map(|c| c.services.iter().map(|s| s.name.clone())).collect();
        names.sort();
        names.dedup();
        names
    }

    /// This without a service.
    pub fn without(&self, name: &str) -> Self {
        let mut script = self.clone();
        script.steps.retain(|step| step.fault.service() != Some(name));
        for config in &mut script.configs {
            let config = Arc::make_mut(config);
            config.services.retain(|s| s.name != name);
            for service in &mut config.services {
                if service.depends_on.iter().any(|wanted| wanted.name == name) {
                    Arc::make_mut(service).depends_on.retain(|wanted| wanted.name != name);
                }
            }
        }
        script
    }

    /// This with every service called `name` changed.
    pub fn with(&self, name: &str, change: impl Fn(&mut Service)) -> Self {
        let mut script = self.clone();
        for config in &mut script.configs {
            for service in Arc::make_mut(config).services.iter_mut().filter(|s| s.name == name) {
                change(Arc::make_mut(service));
            }
        }
        script
    }

    /// The smallest script that can be cut out of this and still `breaks`.
    pub fn shrunk(&self, breaks: impl Fn(&Script) -> bool) -> Self {
        let mut best = self.clone();
        loop {
            let before = best.size();
            best = best.fewer_steps(&breaks);
            for name in best.names() {
                best = Some(best.without(&name)).filter(&breaks).unwrap_or(best);
            }
            for name in best.names() {
                for at in (0..8).rev() {
                    let cut = |service: &mut Service| {
                        if at < service.rules.len() {
                            service.rules.remove(at);
                        }
                    };
                    let less = best.with(&name, cut);
                    if less.size() < best.size() {
                        best = Some(less).filter(&breaks).unwrap_or(best);
                    }
                }
                for cut in PLAINER {
                    let less = best.with(&name, cut);
                    if less.size() < best.size() {
                        best = Some(less).filter(&breaks).unwrap_or(best);
                    }
                }
            }
            if best.size() >= before {
                return best;
            }
        }
    }

    fn fewer_steps(&self, breaks: &impl Fn(&Script) -> bool) -> Self {
        let mut best = self.clone();
        let mut piece = best.steps.len().div_ceil(2);
        while piece > 0 {
            let mut at = 0;
            while at < best.steps.len() {
                let mut less = best.clone();
                less.steps.drain(at..(at + piece).min(best.steps.len()));
                match breaks(&less) {
                    true => best = less,
                    false => at += piece,
                }
            }
            piece = if piece == 1 { 0 } else { piece.div_ceil(2) };
        }
        best
    }

    /// How much there is to read.
    fn size(&self) -> usize {
        let services = self.configs.iter().flat_map(|config| &config.services);
        let lines = services.map(|service| 1 + plain(service).len());
        self.steps.len() * 4 + lines.sum::<usize>()
    }
}

/// Ways to make a service plainer.
const PLAINER: [fn(&mut Service); 11] = [
    |s| s.depends_on.clear(),
    |s| s.every = None,
    |s| s.turns = Turns::Each,
    |s| s.mode = Mode::Active,
    |s| s.on_reboot = Default::default(),
    |s| s.restart = None,
    |s| s.stop = None,
    |s| s.start = None,
    |s| s.kill_after = None,
    |s| s.patience = None,
    |s| {
        for rule in &mut s.rules {
            rule.fail.also.clear();
            rule.ok.also.clear();
        }
    },
];

/// A service as lines, what goes without saying left out.
fn plain(service: &Service) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |says: bool, line: String| {
        if says {
            lines.push(line);
        }
    };
    let needs: Vec<&str> = service.depends_on.iter().map(|wanted| wanted.name.as_str()).collect();
    say(!needs.is_empty(), format!("depends on {}", needs.join(", ")));
    say(service.every.is_some(), format!("every {:?}", service.every.unwrap_or_default()));
    say(service.turns != Turns::Each, format!("turns {:?}", service.turns));
    say(service.mode != Mode::Active, format!("mode {:?}", service.mode));
    say(service.on_reboot != Default::default(), format!("on reboot {:?}", service.on_reboot));
    for (name, program) in [("start", &service.start), ("stop", &service.stop), ("restart", &service.restart)]
    {
        let time = program.as_ref().map(|p: &Program| p.timeout).unwrap_or_default();
        say(program.is_some(), format!("{name} within {time:?}"));
    }
    say(service.kill_after.is_some(), format!("killed after {:?}", service.kill_after.unwrap_or_default()));
    if let Some(Patience { first, longest, stable, give_up, give_up_gone, remind }) = service.patience {
        say(
            true,
            format!(
                "patience {first:?} to {longest:?}, stable {stable:?}, gives up {give_up:?}, gone {give_up_gone:?}, \
                 reminds {remind:?}"
            ),
        );
    }
    for (at, rule) in service.rules.iter().enumerate() {
        let when = match &rule.when {
            Condition::Test { expect, .. } => format!("Test {expect:?}"),
            when => format!("{when:?}"),
        };
        let branch = |b: &hinoban_config::Branch| {
            let then = match &b.then {
                hinoban_config::Then::Exec { repeat, .. } => format!("Exec (repeat {repeat:?})"),
                then => format!("{then:?}"),
            };
            let lasting = b.lasting.map(|time| format!(" for {time:?}")).unwrap_or_default();
            format!("{then} {} of {}{lasting}, {} more", b.rate.count, b.rate.within, b.also.len())
        };
        say(true, format!("rule {at}: {when}: {}; else {}", branch(&rule.fail), branch(&rule.ok)));
    }
    lines
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {:#x}", self.seed)?;
        for (at, config) in self.configs.iter().enumerate() {
            writeln!(
                f,
                "configuration {at}: {:?}, every {:?}, budget {:?}",
                config.dialect, config.every, config.budget
            )?;
            for service in &config.services {
                let kind = format!("{:?}", service.kind);
                let kind = kind.split([' ', '{']).next().unwrap_or_default();
                writeln!(f, "  {} {}", kind.to_lowercase(), service.name)?;
                for line in plain(service) {
                    writeln!(f, "    {line}")?;
                }
            }
        }
        for Step { at, fault } in &self.steps {
            match fault {
                Fault::Behaves(name, behaviour) => {
                    writeln!(f, "  {at:?}: {name} is {}", behaviour.difference())?;
                }
                fault => writeln!(f, "  {at:?}: {fault:?}")?,
            }
        }
        Ok(())
    }
}
