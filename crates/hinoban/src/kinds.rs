//! The one place where a kind in a configuration meets its type.

use std::sync::Arc;

use hinoban_actions::program::{Kill, Leftover, Overdue};
use hinoban_actions::{Program, ProgramOptions, Spawner};
use hinoban_config as config;
use hinoban_probe::Probe;
use hinoban_probes::{
    FileProbe, FilesystemProbe, MatchingProcess, NetworkProbe, PidfileProcess, PortProbe, SystemProbe,
    UrlProbe, port,
};
use hinoban_protocols::http;
use hinoban_reading::Total;
use hinoban_supervisor::{Made, Registry};

use crate::{content, programs};

/// Everything that ships: processes, files, file systems, the system, ports, HTTP and URLs, and programs run through `spawner`.
///
/// Add kinds of your own with [`Registry::probe`] and [`Registry::action`].
pub fn shipped(spawner: Arc<Spawner>) -> Registry {
    let registry = Registry::empty().leftovers(|programs| Arc::new(Leftover::new(programs)));
    let registry = registry.kills(|process| Arc::new(Kill::new(process)));
    let runs = spawner.clone();
    let looks = move |service: &config::Service| Some(Ok(Box::new(programs::probe(service, &runs)?) as _));
    let registry = registry.subjects(subject).subjects(looks);
    registry.tests(test).programs(move |program, service| {
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

fn test(test: &config::Test) -> Option<Made> {
    match test {
        config::Test::Port(test) => Some(boxed(PortProbe::new(port_options(test)))),
        config::Test::Url(test) => {
            let status = test.status.map(status);
            Some(boxed(UrlProbe::new(&test.url, &tls(&test.tls), test.timeout, test.retry).map(|probe| {
                match status {
                    Some(status) => probe.expecting(status),
                    None => probe,
                }
            })))
        }
        _ => None,
    }
}

fn boxed<P: Probe + 'static, E: ToString>(probe: Result<P, E>) -> Made {
    probe.map(|p| Box::new(p) as Box<dyn Probe>).map_err(|e| e.to_string())
}

fn port_options(test: &config::PortTest) -> port::Options {
    let mut options = port::Options::new(test.host.clone(), test.port);
    options.family = match test.family {
        config::Family::Any => port::Family::Any,
        config::Family::V4 => port::Family::V4,
        config::Family::V6 => port::Family::V6,
    };
    if let config::Protocol::Http(test) = &test.protocol {
        options.protocol = port::Protocol::Http(http(test));
    }
    // No protocol that begins TLS within its conversation is spoken.
    options.tls = test.tls.as_ref().filter(|_| !test.starttls).map(tls);
    options.timeout = test.timeout;
    options.attempts = test.retry;
    options
}

fn tls(tls: &config::Tls) -> port::Tls {
    let mut options = port::Tls::new(tls.verify.unwrap_or(true));
    options.ca_file.clone_from(&tls.ca_file);
    options
}

fn http(test: &config::HttpTest) -> port::Http {
    let mut options = port::Http::default();
    options.method = match test.method {
        config::Method::Get => http::Method::Get,
        config::Method::Head => http::Method::Head,
    };
    if let Some(request) = &test.request {
        options.target.clone_from(request);
    }
    options.headers.clone_from(&test.headers);
    options.credentials = test.login.as_ref().map(|(user, password)| http::Credentials {
        username: user.clone(),
        password: password.reveal().to_owned(),
    });
    if let Some(expected) = test.status {
        options.status = status(expected);
    }
    options
}

fn status((operator, code): (config::Operator, u16)) -> port::StatusTest {
    let comparison = match operator {
        config::Operator::Greater => port::Comparison::Greater,
        config::Operator::GreaterOrEqual => port::Comparison::GreaterOrEqual,
        config::Operator::Less => port::Comparison::Less,
        config::Operator::LessOrEqual => port::Comparison::LessOrEqual,
        config::Operator::Equal => port::Comparison::Equal,
        config::Operator::NotEqual => port::Comparison::NotEqual,
    };
    port::StatusTest(comparison, code)
}
