//! The one place where a kind in a configuration meets its type.

use std::sync::Arc;

use hinoban_actions::program::{Kill, Leftover, Overdue};
use hinoban_actions::{Program, ProgramOptions, Spawner};
use hinoban_config as config;
use hinoban_probe::Probe;
use hinoban_probes::{
    FileProbe, FilesystemProbe, MatchingProcess, NetworkProbe, PidfileProcess, SystemProbe,
};
use hinoban_reading::Total;
use hinoban_supervisor::{Made, Registry};

use crate::{connections, content, programs};

/// Everything that ships: processes, files, file systems, the system, ports, HTTP and URLs, and programs run through `spawner`.
///
/// Add kinds of your own with [`Registry::probe`] and [`Registry::action`].
pub fn shipped(spawner: Arc<Spawner>) -> Registry {
    let registry = Registry::empty().leftovers(|programs| Arc::new(Leftover::new(programs)));
    let registry = registry.kills(|process| Arc::new(Kill::new(process)));
    let runs = spawner.clone();
    let looks = move |service: &config::Service| Some(Ok(Box::new(programs::probe(service, &runs)?) as _));
    let registry = registry.subjects(subject).subjects(looks);
    registry.tests(connections::test).programs(move |program, service| {
        let mut options = ProgramOptions::new(program.words.iter().cloned());
        options.uid = program.uid;
        options.gid = program.gid;
        options.process = matches!(service.kind, config::Kind::Process { .. });
        let own = [&service.start, &service.stop, &service.restart];
        if !own.iter().any(|p| p.as_ref() == Some(program)) {
            // Nobody waits for a program that a rule runs, so nobody ends it either.
            options.overdue = Overdue::Leave;
        }
        options.groups = programs::groups(program);
        Arc::new(Program::new(options, spawner.clone()))
    })
}

fn subject(service: &config::Service) -> Option<Made> {
    let probe: Box<dyn Probe> = match &service.kind {
        config::Kind::Process { found: config::Found::Pidfile(path) } => {
            Box::new(PidfileProcess::new(path.clone()).asked(named(service)))
        }
        config::Kind::Process { found: config::Found::Matching(pattern) } => {
            let matcher = pattern.clone();
            let probe = MatchingProcess::new(pattern.text(), move |line: &str| matcher.is_match(line));
            Box::new(probe.asked(named(service)))
        }
        config::Kind::File { path } => {
            content::probe(service, FileProbe::new(path.clone()).asked(named(service)))
        }
        config::Kind::Directory { path } => {
            Box::new(FileProbe::directory(path.clone()).asked(named(service)))
        }
        config::Kind::Fifo { path } => Box::new(FileProbe::fifo(path.clone()).asked(named(service))),
        config::Kind::Filesystem { path, holds: false } => Box::new(FilesystemProbe::new(path.clone())),
        config::Kind::Filesystem { path, holds: true } => Box::new(FilesystemProbe::holding(path.clone())),
        config::Kind::Network { link } => {
            let probe = match link {
                config::Link::Interface(name) => NetworkProbe::interface(name),
                config::Link::Address(address) => NetworkProbe::address(*address),
            };
            // Of Monit's dialect, which has no patience.
            let probe = if service.patience.is_none() { probe.only_down() } else { probe };
            Box::new(named(service).filter_map(Total::parse).fold(probe, NetworkProbe::total))
        }
        config::Kind::System => Box::new(SystemProbe::new()),
        _ => return None,
    };
    Some(Ok(probe))
}

/// The readings that rules of a service name: a probe may spare itself the others.
fn named(service: &config::Service) -> impl Iterator<Item = &str> {
    service.rules.iter().filter_map(|rule| match &rule.when {
        config::Condition::Compare { metric, .. }
        | config::Condition::Changed { metric, .. }
        | config::Condition::Matches { metric, .. }
        | config::Condition::Differs { metric }
        | config::Condition::Content { metric, .. } => Some(&**metric),
        _ => None,
    })
}
