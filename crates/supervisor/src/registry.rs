//! Which kind in a configuration is which type: the embedder says so, and nothing is registered behind his back.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use hinoban_action::Action;
use hinoban_config::{Branch, Condition, Config, Kind, Mistake, Options, Program, Service, Test, Then, Tls};
use hinoban_probe::Probe;
use hinoban_reading::{Identity, Metric, Unit, metrics};

/// Makes probes and actions for what a configuration names. Making does no input or output.
pub struct Registry {
    subjects: Vec<SubjectMaker>,
    tests: Vec<TestMaker>,
    program: Option<ProgramMaker>,
    leftover: Option<LeftoverMaker>,
    kill: Option<KillMaker>,
    probes: HashMap<String, ProbeMaker>,
    actions: HashMap<String, Arc<dyn Action>>,
    /// What tests leave open about TLS.
    tls: Tls,
}

/// A probe, or why there can be none: a sentence for whoever wrote the configuration.
pub type Made = Result<Box<dyn Probe>, String>;

type SubjectMaker = Box<dyn Fn(&Service) -> Option<Made> + Send + Sync>;
type TestMaker = Box<dyn Fn(&Test) -> Option<Made> + Send + Sync>;
type ProgramMaker = Box<dyn Fn(&Program, &Service) -> Arc<dyn Action> + Send + Sync>;
type LeftoverMaker = Box<dyn Fn(Vec<Identity>) -> Arc<dyn Action> + Send + Sync>;
type KillMaker = Box<dyn Fn(Identity) -> Arc<dyn Action> + Send + Sync>;
type ProbeMaker = Box<dyn Fn(&Options) -> Made + Send + Sync>;

impl Registry {
    /// A registry that knows nothing.
    pub fn empty() -> Self {
        Self {
            subjects: Vec::new(),
            tests: Vec::new(),
            program: None,
            leftover: None,
            kill: None,
            probes: HashMap::new(),
            actions: HashMap::new(),
            tls: Tls::default(),
        }
    }

    /// Registers a kind of probe under the name that `probe = "…"` gives, for services and for tests.
    pub fn probe<F>(mut self, name: impl Into<String>, make: F) -> Self
    where
        F: Fn(&Options) -> Made + Send + Sync + 'static,
    {
        self.probes.insert(name.into(), Box::new(make));
        self
    }

    /// Registers an action under the name that `then = "…"` gives.
    pub fn action(mut self, name: impl Into<String>, action: impl Action + 'static) -> Self {
        self.actions.insert(name.into(), Arc::new(action));
        self
    }

    /// Registers how services of built-in kinds are looked at; `None` leaves it to those registered before.
    pub fn subjects<F>(mut self, make: F) -> Self
    where
        F: Fn(&Service) -> Option<Made> + Send + Sync + 'static,
    {
        self.subjects.push(Box::new(make));
        self
    }

    /// Registers how built-in tests look; `None` leaves it to those registered before.
    pub fn tests<F>(mut self, make: F) -> Self
    where
        F: Fn(&Test) -> Option<Made> + Send + Sync + 'static,
    {
        self.tests.push(Box::new(make));
        self
    }

    /// Registers how programs are run. Asked each time one is to be run; for one that is run as another user once, when its
    /// service is taken in.
    pub fn programs<F>(mut self, make: F) -> Self
    where
        F: Fn(&Program, &Service) -> Arc<dyn Action> + Send + Sync + 'static,
    {
        self.program = Some(Box::new(make));
        self
    }

    /// Registers how programs are seen through that an earlier life of the supervisor had started.
    pub fn leftovers<F>(mut self, make: F) -> Self
    where
        F: Fn(Vec<Identity>) -> Arc<dyn Action> + Send + Sync + 'static,
    {
        self.leftover = Some(Box::new(make));
        self
    }

    /// Registers how a process is killed that outlives its stop.
    pub fn kills<F>(mut self, make: F) -> Self
    where
        F: Fn(Identity) -> Arc<dyn Action> + Send + Sync + 'static,
    {
        self.kill = Some(Box::new(make));
        self
    }

    pub(crate) fn kill(&self, process: Identity) -> Option<Arc<dyn Action>> {
        self.kill.as_ref().map(|make| make(process))
    }

    pub(crate) fn sees_through(&self) -> bool {
        self.leftover.is_some()
    }

    pub(crate) fn leftover(&self, programs: Vec<Identity>) -> Option<Arc<dyn Action>> {
        self.leftover.as_ref().map(|make| make(programs))
    }

    pub(crate) fn subject(&self, service: &Service) -> Option<Made> {
        match &service.kind {
            Kind::Host { .. } => None,
            Kind::Custom { probe, options } => Some(self.custom(probe, options)),
            _ => {
                Some(
                    self.subjects.iter().rev().find_map(|make| make(service)).unwrap_or_else(|| {
                        Err("this program has no probe for this kind of service".to_owned())
                    }),
                )
            }
        }
    }

    /// From now on, what tests leave open about TLS is as this configuration says.
    /// Gives what held before.
    pub(crate) fn follow(&mut self, config: &Config) -> Tls {
        std::mem::replace(&mut self.tls, config.tls_defaults())
    }

    /// What [`Registry::follow`] gave holds again.
    pub(crate) fn back(&mut self, before: Tls) {
        self.tls = before;
    }

    pub(crate) fn test(&self, test: &Test) -> Made {
        if let Test::Custom { probe, options } = test {
            return self.custom(probe, options);
        }
        let test = test.over(&self.tls);
        let made = self.tests.iter().rev().find_map(|make| make(&test));
        made.unwrap_or_else(|| Err("this program has no probe for this kind of test".to_owned()))
    }

    fn custom(&self, probe: &str, options: &Options) -> Made {
        match self.probes.get(probe) {
            Some(make) => make(options),
            None => Err(format!("there is no probe called \"{probe}\"; {}", known(self.probes.keys()))),
        }
    }

    /// Makes everything that a service needs.
    ///
    /// # Errors
    /// Every mistake that can be known only now: unknown kinds, and rules over metrics that nobody reads.
    pub(crate) fn bind(&self, service: &Service) -> Result<Bound, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut bound = Bound { programs: self.of_others(service), ..Bound::default() };
        match self.subject(service) {
            Some(Ok(probe)) => bound.subject = Some(probe),
            Some(Err(why)) => {
                mistakes.push(Mistake::error(service.place.clone(), format!("{}: {why}", service.name)))
            }
            None => {}
        }
        for rule in &service.rules {
            let mut test = None;
            match &rule.when {
                Condition::Test { test: what, .. } => match self.test(what) {
                    Ok(probe) => test = Some(probe),
                    Err(why) => {
                        mistakes.push(Mistake::error(rule.place.clone(), format!("{}: {why}", service.name)))
                    }
                },
                Condition::Compare { metric, .. }
                | Condition::Changed { metric, .. }
                | Condition::Differs { metric }
                | Condition::Content { metric, .. }
                | Condition::Matches { metric, .. } => {
                    // Without a probe, which metrics it would have had is not known.
                    if let Some(probe) = &bound.subject
                        && !is_our_own(&service.kind, metric)
                        && let Some((message, help)) = unread(probe.metrics(), metric, &rule.when)
                    {
                        let mistake =
                            Mistake::error(rule.place.clone(), format!("{}: {message}", service.name));
                        mistakes.push(mistake.word(metric.as_str()).help(help));
                    }
                }
                _ => {}
            }
            for then in parts(&rule.fail).chain(parts(&rule.ok)) {
                if let Then::Custom(name) = then
                    && !self.actions.contains_key(name)
                {
                    let message = format!("{}: there is no action called \"{name}\"", service.name);
                    let help = format!(
                        "alert, start, stop, restart, exec, unmonitor and nothing are built in; {}",
                        known(self.actions.keys())
                    );
                    mistakes.push(Mistake::error(rule.place.clone(), message).word(name.as_str()).help(help));
                }
            }
            bound.tests.push(test);
        }
        if mistakes.is_empty() { Ok(bound) } else { Err(mistakes) }
    }

    pub(crate) fn named(&self, name: &str) -> Option<Arc<dyn Action>> {
        self.actions.get(name).cloned()
    }

    /// What runs this program of a service.
    pub(crate) fn program(&self, service: &Service, which: Which) -> Option<Arc<dyn Action>> {
        Some(self.program.as_ref()?(which.of(service)?, service))
    }

    /// What runs the programs of a service that are run as somebody else. These are made when it is placed: who that is may
    /// be asked of a directory that takes its time. All others are made when they are run, and most never are.
    fn of_others(&self, service: &Service) -> Box<[(Which, Arc<dyn Action>)]> {
        let elsewho = Which::all(service).filter(|which| which.of(service).is_some_and(|p| p.uid.is_some()));
        elsewho.filter_map(|which| Some((which, self.program(service, which)?))).collect()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("probes", &self.probes.keys())
            .field("actions", &self.actions)
            .finish_non_exhaustive()
    }
}

/// The probes and actions of one service.
#[derive(Debug, Default)]
pub(crate) struct Bound {
    pub(crate) subject: Option<Box<dyn Probe>>,
    /// One for each rule that has a test.
    pub(crate) tests: Vec<Option<Box<dyn Probe>>>,
    /// Those of its programs that are made ahead.
    pub(crate) programs: Box<[(Which, Arc<dyn Action>)]>,
}

/// Which program of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Start,
    Stop,
    Restart,
    /// What a branch of a rule runs, numbered as the scheduler numbers it.
    Exec {
        rule: usize,
        recovery: bool,
        nth: usize,
    },
}

impl Which {
    /// All that a service may have.
    fn all(service: &Service) -> impl Iterator<Item = Self> + '_ {
        let of = |rule, recovery, branch| {
            (0..parts(branch).count()).map(move |nth| Which::Exec { rule, recovery, nth })
        };
        let rules = service.rules.iter().enumerate();
        let execs = rules.flat_map(move |(i, rule)| of(i, false, &rule.fail).chain(of(i, true, &rule.ok)));
        [Which::Start, Which::Stop, Which::Restart].into_iter().chain(execs)
    }

    /// That program, if the service has it.
    fn of(self, service: &Service) -> Option<&Program> {
        match self {
            Which::Start => service.start.as_ref(),
            Which::Stop => service.stop.as_ref(),
            Which::Restart => service.restart.as_ref(),
            Which::Exec { rule, recovery, nth } => {
                let rule = service.rules.get(rule)?;
                match parts(if recovery { &rule.ok } else { &rule.fail }).nth(nth)? {
                    Then::Exec { program, .. } => Some(program),
                    _ => None,
                }
            }
        }
    }
}

/// All that a branch does: what it does in the first place, then what it runs beside.
fn parts(branch: &Branch) -> impl Iterator<Item = &Then> {
    std::iter::once(&branch.then).chain(&branch.also)
}

/// Whether it is a reading that no probe has, but we do.
fn is_our_own(kind: &Kind, metric: &str) -> bool {
    *kind == Kind::System && metric == metrics::SERVICES_FALLEN.name
}

/// Why a rule cannot say this of a metric of a look that has these, and what to do about it.
fn unread(metrics: &[Metric], metric: &str, when: &Condition) -> Option<(String, String)> {
    match metrics.iter().find(|m| m.covers(metric)) {
        None => {
            let message = format!("its look does not read \"{metric}\"");
            Some((message, known(metrics.iter().map(|m| &m.name))))
        }
        Some(read) if read.unit != Unit::Text && matches!(when, Condition::Matches { .. }) => {
            let message = format!("\"{metric}\" is a number, and only texts match patterns");
            Some((
                message,
                format!("compare it: \"{metric} > 100\", or ask whether it changed: \"{metric} changed\""),
            ))
        }
        Some(_) => None,
    }
}

fn known<'a>(names: impl Iterator<Item = impl AsRef<str> + Ord + 'a>) -> String {
    let mut names: Vec<_> = names.collect();
    names.sort();
    match names.iter().map(|n| n.as_ref()).collect::<Vec<_>>().join(", ") {
        names if names.is_empty() => "none is registered".to_owned(),
        names => format!("known here: {names}"),
    }
}
